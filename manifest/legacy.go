package manifest

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
)

// legacyProject is a project as the legacy form writes it.
type legacyProject struct {
	// The build context, from the root of the repository (the same as projectDir).
	BuildDir string `json:"buildDir,omitempty"`
	// The project's own folder (the same as buildDir).
	ProjectDir string `json:"projectDir,omitempty"`
	// The Dockerfile, from buildDir or from projectDir, wherever there is one (Dockerfile).
	Dockerfile string `json:"dockerfile,omitempty"`
	// Regular expressions on paths from the root, or the name of a file of them in projectDir (^<projectDir>/).
	RebuildPatterns legacyPatterns `json:"rebuildPatterns,omitempty"`
	// Projects it is made from, or the name of a script in projectDir that prints them.
	Dependencies legacyDependencies `json:"dependencies,omitempty"`
	// Projects that run beside it.
	RunDependencies []Dependency `json:"runDependencies,omitempty"`
	// Whether to build for this machine (host) or for linux/amd64 and linux/arm64 (buildx).
	Multiarch multiarch `json:"multiarch,omitempty"`
	// Jobs by name.
	Run map[string]legacyJob `json:"run,omitempty"`
}

type legacyJob struct {
	// Projects whose images the job runs.
	Dependencies []Dependency `json:"dependencies,omitempty"`
}

// legacyPatterns are written out, or stand in a file.
type legacyPatterns struct {
	list []string
	file string
}

func (l *legacyPatterns) fromNode(dec *decoder, n *node) {
	if n.kind == text {
		l.file = n.text
		return
	}
	dec.decode(n, &l.list)
}

// legacyDependencies are written out, or printed by a script.
type legacyDependencies struct {
	list   []Dependency
	script string
}

func (l *legacyDependencies) fromNode(dec *decoder, n *node) {
	if n.kind == text {
		l.script = n.text
		return
	}
	dec.decode(n, &l.list)
}

type multiarch string

func (multiarch) choices() []string { return []string{"host", "buildx"} }

// loadLegacy reads the projects at the top level, and what stands in files beside
// the manifest. The error is one of the source.
func loadLegacy(src Source, r *report, m *Manifest) error {
	var written map[string]*legacyProject
	d := &decoder{report: r}
	d.decode(&r.tree.root, &written)
	m.Projects = make(map[string]*Project, len(written))
	for name, p := range written {
		m.Projects[name] = p.project()
	}
	c := newChecker(r, m)
	for _, name := range c.names {
		p := m.Projects[name]
		c.folders(p)
		if err := c.legacyFiles(src, p, written[name]); err != nil {
			return err
		}
		c.project(p)
	}
	m.order = c.sortProjects()
	tidyDependencies(m)
	return nil
}

// project gives the project in today's terms, as far as the file alone tells.
func (l *legacyProject) project() *Project {
	p := &Project{
		BuildDir:        firstOf(l.BuildDir, l.ProjectDir),
		ProjectDir:      l.ProjectDir,
		RebuildPatterns: l.RebuildPatterns.list,
		Dependencies:    Dependencies{Compile: l.Dependencies.list, Runtime: l.RunDependencies},
	}
	if l.Multiarch == "buildx" {
		p.Platforms = []string{"linux/amd64", "linux/arm64"}
	}
	for name, job := range l.Run {
		if p.Jobs == nil {
			p.Jobs = map[string]*Job{}
		}
		p.Jobs[name] = &Job{Dependencies: job.Dependencies, Required: true}
	}
	return p
}

// legacyPath tells where the legacy form writes what the types of this package
// hold elsewhere.
func legacyPath(p path) path {
	if len(p) < 3 || p[0] != "projects" {
		return p[min(len(p), 1):]
	}
	name, rest := p[1], p[2:]
	switch {
	case rest[0] == "jobs":
		return append(path{name, "run"}, rest[1:]...)
	case rest[0] == "dependencies" && len(rest) > 1 && rest[1] == "runtime":
		return append(path{name, "runDependencies"}, rest[2:]...)
	}
	return append(path{name}, rest...)
}

// legacyFiles fills in what stands in files beside the manifest. The error is one
// of the source.
func (c *checker) legacyFiles(src Source, p *Project, l *legacyProject) error {
	if err := c.legacyDockerfile(src, p, firstOf(l.Dockerfile, "Dockerfile")); err != nil {
		return err
	}
	if l.Dependencies.script != "" {
		c.runScript(src, p, l.Dependencies.script)
	}
	if l.RebuildPatterns.file != "" {
		return c.readPatterns(src, p, l.RebuildPatterns.file)
	}
	if p.RebuildPatterns != nil && len(p.RebuildPatterns) == 0 {
		c.warn(c.place(path{"projects", p.Name, "rebuildPatterns"}, false), "leave it out", "an empty list means the default")
		p.RebuildPatterns = nil
	}
	return nil
}

// legacyDockerfile chooses between the two folders that a Dockerfile's path may be
// relative to. A project whose Dockerfile is in neither has probably been removed.
func (c *checker) legacyDockerfile(src Source, p *Project, name string) error {
	at := path{"projects", p.Name, "dockerfile"}
	p.Dockerfile = c.inside(at, p.BuildDir, name)
	if p.Dockerfile == "." || p.BuildDir == p.ProjectDir {
		return nil
	}
	other := c.inside(at, p.ProjectDir, name)
	if other == "." || other == p.Dockerfile {
		return nil
	}
	here, err := exists(src, p.Dockerfile)
	if err != nil {
		return fmt.Errorf("looking for %q: %w", p.Dockerfile, err)
	}
	there, err := exists(src, other)
	if err != nil {
		return fmt.Errorf("looking for %q: %w", other, err)
	}
	switch {
	case here && there:
		c.at(at, "remove or rename one of them", "both %s and %s are there", excerptOf(p.Dockerfile), excerptOf(other))
	case there:
		p.Dockerfile = other
	}
	return nil
}

func (c *checker) runScript(src Source, p *Project, name string) {
	at := path{"projects", p.Name, "dependencies"}
	script := c.inside(at, p.ProjectDir, name)
	if script == "." {
		return
	}
	out, err := src.RunScript(script)
	switch {
	case errors.Is(err, fs.ErrNotExist) && c.gone(src, p):
	case err != nil:
		c.at(at, "", "running the dependency script %s: %v", excerptOf(script), err)
	default:
		for _, word := range strings.Fields(string(out)) {
			p.Dependencies.Compile = append(p.Dependencies.Compile, Dependency{Name: word})
		}
	}
}

// readPatterns reads a file of regular expressions, one a line. What is wrong in
// it is reported there.
func (c *checker) readPatterns(src Source, p *Project, name string) error {
	at := path{"projects", p.Name, "rebuildPatterns"}
	file := c.inside(at, p.ProjectDir, name)
	if file == "." {
		return nil
	}
	content, err := src.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist) && c.gone(src, p):
		return nil
	case errors.Is(err, fs.ErrNotExist):
		c.at(at, "", "there is no file %s", excerptOf(file))
		return nil
	case err != nil:
		return fmt.Errorf("reading patterns %q: %w", file, err)
	}
	p.RebuildPatterns = c.patternLines(file, strings.ToValidUTF8(string(content), "\ufffd"))
	if len(p.RebuildPatterns) == 0 {
		c.at(at, "", "there is no pattern in %s", excerptOf(file))
	}
	return nil
}

func (c *checker) patternLines(file, content string) []string {
	source := &sourceFile{name: file, src: content}
	var patterns []string
	for i, line := range strings.Split(content, "\n") {
		pattern := strings.TrimSpace(line)
		if pattern == "" || strings.HasPrefix(pattern, "#") {
			continue
		}
		if problem := c.regexp(pattern); problem != "" {
			at := position{int32(i) + 1, int32(strings.Index(line, pattern)) + 1} //nolint:gosec // see jsonParser.here
			c.faults = append(c.faults, source.fault(at, problem, patternHint(pattern)))
			continue
		}
		patterns = append(patterns, pattern)
	}
	return patterns
}

// tidyDependencies takes out what the legacy form holds for nothing: empty names
// and repetitions.
func tidyDependencies(m *Manifest) {
	for _, p := range m.Projects {
		for _, scope := range p.Dependencies.scopes() {
			*scope.list = tidy(*scope.list)
		}
		for _, job := range p.Jobs {
			job.Dependencies = tidy(job.Dependencies)
		}
	}
}

func tidy(dependencies []Dependency) []Dependency {
	var kept []Dependency
	for _, d := range dependencies {
		if d.Name != "" && !slices.Contains(kept, d) {
			kept = append(kept, d)
		}
	}
	return kept
}

// gone tells whether a project's folder is no longer there, which is a fault only
// when the project is built.
func (c *checker) gone(src Source, p *Project) bool {
	there, err := exists(src, p.ProjectDir)
	return err == nil && !there
}

// folderPattern matches all files in a folder.
func folderPattern(dir string) string {
	if dir == "." {
		return "^"
	}
	return "^" + regexp.QuoteMeta(dir) + "/"
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
