package manifest

import (
	"errors"
	"fmt"
	slashpath "path"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// checker holds the rules on a manifest's values, and fills in the defaults that
// depend on other values. It works on typed values and names what is wrong by its
// path: the report knows where that lies in the file.
type checker struct {
	*report
	m       *Manifest
	names   []string // of all projects, sorted
	grammar grammar
	regexps map[string]string // patterns that were checked, and what is wrong with them
}

func newChecker(r *report, m *Manifest) *checker {
	c := &checker{report: r, m: m, names: sortedKeys(m.Projects), grammar: grammar{}, regexps: map[string]string{}}
	for _, name := range c.names {
		m.Projects[name].Name = name
	}
	return c
}

// manifest checks what is not a project.
func (c *checker) manifest() {
	if c.m.Version != 1 {
		c.at(path{"version"}, "the version of this form is 1", "version %d is not known", c.m.Version)
	}
	if c.m.Name != "" {
		c.matches(path{"name"}, componentPattern, c.m.Name, componentHint)
	}
	if c.m.Source != "" && !c.grammar.match(sourcePattern, c.m.Source) {
		c.at(path{"source"}, "write it as in https://github.com/acme/mono",
			"%q must be an http or https address without a user, a query or a fragment", "source")
	}
	if c.m.DefaultBranch != "" {
		c.matches(path{"defaultBranch"}, branchPattern, c.m.DefaultBranch, "write the branch's short name, as in main")
	}
	c.location(path{"registry", "cache"}, c.m.Registry.Cache)
	c.location(path{"registry", "deploy"}, c.m.Registry.Deploy)
	if c.m.Registry.Deploy == "" {
		c.m.Registry.Deploy = c.m.Registry.Cache
	}
	c.baseImages()
}

const componentHint = "use lower-case letters and digits, with one of . _ __ or any number of - between them"

// matches reports a value that does not have the form of its kind.
func (c *checker) matches(p path, pattern, value, hint string) {
	if !c.grammar.match(pattern, value) {
		c.at(p, hint, "%s does not have the right form", excerptOf(value))
	}
}

func (c *checker) location(p path, l Location) {
	if message, hint := l.problem(c.grammar); message != "" {
		c.at(p, hint, "%s", message)
	}
}

func (c *checker) baseImages() {
	const hint = "write it as in docker.io/library/debian:12 or debian@sha256:..."
	for from, to := range c.m.BaseImages {
		p := path{"baseImages", from}
		if !c.grammar.match(referencePattern, from) {
			c.atKey(p, hint, "%s is not an image reference", excerptOf(from))
		}
		if !c.isImage(to) {
			c.at(p, hint, "%s is neither an image reference nor a digest", excerptOf(to))
		}
	}
}

// isImage tells a reference or a digest from a digest that is cut short, which
// would be a reference to an image called sha256.
func (c *checker) isImage(s string) bool {
	if strings.HasPrefix(strings.TrimPrefix(s, RegistryPlaceholder), "sha256:") {
		return c.grammar.match(digestPattern, s)
	}
	return c.grammar.match(baseImagePattern, s)
}

// folders checks where a project lies; all other paths begin there.
func (c *checker) folders(p *Project) {
	at := path{"projects", p.Name, "buildDir"}
	if p.BuildDir == "" {
		c.at(at, "", "the field %q is missing", "buildDir")
		p.BuildDir = "."
	}
	p.BuildDir = c.inside(at, "", p.BuildDir)
	if p.ProjectDir == "" {
		p.ProjectDir = p.BuildDir
		return
	}
	p.ProjectDir = c.inside(path{"projects", p.Name, "projectDir"}, "", p.ProjectDir)
}

func (c *checker) dockerfile(p *Project) {
	name := firstOf(p.Dockerfile, "Dockerfile")
	p.Dockerfile = c.inside(path{"projects", p.Name, "dockerfile"}, p.BuildDir, name)
}

// inside gives a clean path from the root, which must not leave the repository.
func (c *checker) inside(p path, base, value string) string {
	clean := slashpath.Join(base, value)
	switch {
	case strings.Contains(value, `\`):
		c.at(p, "write / between folders", "%s has a backslash", excerptOf(value))
	case strings.ContainsFunc(value, unicode.IsControl):
		c.at(p, "", "%s has a control character", excerptOf(value))
	case slashpath.IsAbs(value):
		c.at(p, "paths are relative to the root of the repository", "%s is absolute", excerptOf(value))
	case clean == ".." || strings.HasPrefix(clean, "../"):
		c.at(p, "", "%s leaves the repository", excerptOf(value))
	default:
		return clean
	}
	return "."
}

// project checks what is left when the folders are known.
func (c *checker) project(p *Project) {
	c.projectName(p.Name)
	if p.Interface == "" {
		p.Interface = defaultInterface
	}
	if p.Interface != defaultInterface {
		c.matches(path{"projects", p.Name, "interface"}, interfacePattern, p.Interface, "write two numbers, as in 1.0")
	}
	if p.Network == "" {
		p.Network = "default"
	}
	c.patterns(p)
	c.platforms(p)
	c.secrets(p)
	c.dependencies(p)
	c.buildArgs(p)
	c.jobs(p)
}

func (c *checker) projectName(name string) {
	at := path{"projects", name}
	switch {
	case name == "":
		c.atKey(at, componentHint, "a project without a name")
	case len(name) > maxName:
		c.atKey(at, "", "a name of %d characters; %d are allowed", len(name), maxName)
	case !c.grammar.match(componentPattern, name):
		c.atKey(at, componentHint, "%s cannot be the name of an image repository", excerptOf(name))
	case strings.HasPrefix(name, "slipway"+flatSlash), strings.HasPrefix(name, "untrusted"+flatSlash):
		c.atKey(at, "choose another name", "%s is kept for slipway's own records", excerptOf(name))
	}
}

func (c *checker) patterns(p *Project) {
	at := path{"projects", p.Name, "rebuildPatterns"}
	if p.RebuildPatterns == nil {
		p.RebuildPatterns = []string{folderPattern(p.ProjectDir)}
		return
	}
	if len(p.RebuildPatterns) == 0 {
		c.at(at, "leave it out for "+folderPattern(p.ProjectDir), "without a pattern, no file would rebuild the project")
	}
	for i, pattern := range p.RebuildPatterns {
		if problem := c.regexp(pattern); problem != "" {
			c.at(at.to(strconv.Itoa(i)), patternHint(pattern), "%s", problem)
		}
	}
}

// regexp tells what is wrong with a regular expression, or "". Parsing finds all
// that compiling would; compiling every pattern of a large manifest takes longer
// than all the rest.
func (c *checker) regexp(pattern string) string {
	if !strings.ContainsAny(pattern, `\.+*?()|[]{}`) {
		return "" // plain text, perhaps with anchors
	}
	problem, known := c.regexps[pattern]
	if !known {
		_, err := syntax.Parse(pattern, syntax.Perl)
		var fault *syntax.Error
		if errors.As(err, &fault) {
			problem = fmt.Sprintf("%s is not a regular expression: %s", excerptOf(pattern), fault.Code)
		}
		c.regexps[pattern] = problem
	}
	return problem
}

func patternHint(pattern string) string {
	for _, assertion := range []string{"(?=", "(?!", "(?<=", "(?<!"} {
		if strings.Contains(pattern, assertion) {
			return "RE2 has no " + assertion + "...)"
		}
	}
	if strings.HasPrefix(pattern, "*") {
		return "these are regular expressions, not globs: write .* for *"
	}
	return ""
}

func (c *checker) platforms(p *Project) {
	for i, platform := range p.Platforms {
		at := path{"projects", p.Name, "platforms", strconv.Itoa(i)}
		system, arch, _ := strings.Cut(platform, "/")
		switch usual := imageArch(arch); {
		case usual != "":
			c.at(at, "write "+system+"/"+usual, "%s is not what images call this platform", excerptOf(platform))
		case slices.Contains(p.Platforms[:i], platform):
			c.at(at, "", "%s is there twice", excerptOf(platform))
		default:
			c.matches(at, platformPattern, platform, "write os/arch or os/arch/variant, as in linux/amd64 or linux/arm/v7")
		}
	}
}

// imageArch gives images' name of an architecture for one that others use, or "".
func imageArch(arch string) string {
	switch arch {
	case "x86_64", "x64":
		return "amd64"
	case "aarch64":
		return "arm64"
	case "armv7", "armv7l":
		return "arm/v7"
	case "i386":
		return "386"
	}
	return ""
}

func (c *checker) secrets(p *Project) {
	for id, secret := range p.Secrets {
		at := path{"projects", p.Name, "secrets", id}
		if !c.grammar.match(wordPattern, id) {
			c.atKey(at, "use letters and digits, with . _ - between them", "%s cannot be the id of a secret", excerptOf(id))
		}
		if (secret.Env == "") == (secret.File == "") {
			c.at(at, `write {"env": "NAME"} or {"file": "path"}`, "a secret has exactly one of env and file")
		}
		if secret.Env != "" {
			c.matches(at.to("env"), variablePattern, secret.Env, "write the variable's name alone")
		}
	}
}

func (c *checker) buildArgs(p *Project) {
	for name := range p.BuildArgs {
		at := path{"projects", p.Name, "buildArgs", name}
		if !c.grammar.match(variablePattern, name) {
			c.atKey(at, "use letters, digits and _", "%s cannot be the name of a build argument", excerptOf(name))
		}
		if name == "SOURCE_DATE_EPOCH" {
			c.atKey(at, "", "slipway sets the build argument %s itself", name)
		}
		for _, d := range p.ImageInputs() {
			if ImageArg(d.Name) == name {
				c.atKey(at, "", "the build argument %s is set by the dependency %s", name, d)
			}
		}
	}
}
