package e2e

import (
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"slipway/tools/internal/testkit/gittest"
)

// definition is a build manifest as these tests write and read it: with no code
// of slipway's.
type definition struct {
	Version    int                 `json:"version"`
	Name       string              `json:"name"`
	BaseImages map[string]string   `json:"baseImages,omitempty"`
	Projects   map[string]*project `json:"projects"`
}

type project struct {
	BuildDir        string              `json:"buildDir"`
	Dockerfile      string              `json:"dockerfile,omitempty"` // from BuildDir
	RebuildPatterns []string            `json:"rebuildPatterns,omitempty"`
	BuildArgs       map[string]string   `json:"buildArgs,omitempty"`
	Dependencies    map[string][]string `json:"dependencies,omitempty"`
}

// inputs are the projects whose images p's build uses.
func (p *project) inputs() []string {
	return append(slices.Clone(p.Dependencies["build"]), p.Dependencies["compile"]...)
}

func (p *project) dockerfile() string {
	if p.Dockerfile == "" {
		return path.Join(p.BuildDir, "Dockerfile")
	}
	return path.Join(p.BuildDir, p.Dockerfile)
}

// oracle says what the projects of one tree are made of, by asking git.
type oracle struct {
	tb    testing.TB
	repo  *gittest.Repo
	m     definition
	files map[string]string // path -> "100644 <id>"
	known map[string]string // project -> key
}

// consult reads the tree of a revision.
func consult(tb testing.TB, repo *gittest.Repo, rev string) *oracle {
	tb.Helper()
	o := &oracle{tb: tb, repo: repo, files: list(repo, rev), known: map[string]string{}}
	check(tb, json.Unmarshal([]byte(repo.Git("show", rev+":build_manifest.json")), &o.m))
	return o
}

// list is git's own list of the files of a tree.
func list(repo *gittest.Repo, rev string) map[string]string {
	files := map[string]string{}
	for line := range strings.SplitSeq(repo.Git("ls-tree", "-r", "-z", rev), "\x00") {
		if about, name, ok := strings.Cut(line, "\t"); ok {
			fields := strings.Fields(about) // mode, type, id
			files[name] = fields[0] + " " + fields[2]
		}
	}
	return files
}

// key is equal for two contents exactly when one build does for both.
func (o *oracle) key(name string) string {
	if key, ok := o.known[name]; ok {
		return key
	}
	p := o.m.Projects[name]
	var b strings.Builder
	fmt.Fprintf(&b, "context %q arguments %q\n", p.BuildDir, p.BuildArgs) // maps print sorted
	fmt.Fprintf(&b, "dockerfile %q %s\n", p.dockerfile(), o.files[p.dockerfile()])
	fmt.Fprintf(&b, "ignored %q %s\n", o.ignoreFile(p), o.files[o.ignoreFile(p)])
	fmt.Fprintf(&b, "base images %q\n", o.baseImages(p))
	matched := o.matched(p)
	for _, file := range slices.Sorted(maps.Keys(matched)) {
		fmt.Fprintf(&b, "%s %q\n", matched[file], file)
	}
	for _, dep := range slices.Sorted(slices.Values(p.inputs())) {
		fmt.Fprintf(&b, "%s {\n%s}\n", dep, o.key(dep))
	}
	o.known[name] = b.String()
	return o.known[name]
}

// baseImages are the replaced ones that the Dockerfile names.
func (o *oracle) baseImages(p *project) map[string]string {
	used := map[string]string{}
	_, id, _ := strings.Cut(o.files[p.dockerfile()], " ")
	for reference, target := range o.m.BaseImages {
		if strings.Contains(o.repo.Git("cat-file", "blob", id), reference) {
			used[reference] = target
		}
	}
	return used
}

// matched are the files that p's patterns name.
func (o *oracle) matched(p *project) map[string]string {
	patterns := p.RebuildPatterns
	if len(patterns) == 0 {
		patterns = []string{"^" + regexp.QuoteMeta(p.BuildDir) + "/"}
	}
	matched := map[string]string{}
	for _, pattern := range patterns {
		re := regexp.MustCompile(pattern)
		for file, about := range o.files {
			submodule := strings.HasPrefix(about, "160000 ")
			if re.MatchString(file) || submodule && re.MatchString(file+"/") {
				matched[file] = about
			}
		}
	}
	return matched
}

func (o *oracle) ignoreFile(p *project) string {
	if own := p.dockerfile() + ".dockerignore"; o.files[own] != "" {
		return own
	}
	return path.Join(p.BuildDir, ".dockerignore")
}

// image is what has to be under /src in the project's image: the files of its own
// context, and those of the projects that it is made from.
func (o *oracle) image(name string) map[string]string {
	p := o.m.Projects[name]
	want := map[string]string{}
	for file, about := range o.matched(p) {
		below, ok := strings.CutPrefix(file, p.BuildDir+"/")
		switch {
		case !ok || o.ignored(p, below):
		case strings.HasPrefix(about, "160000 "):
			o.submodule(want, file, path.Join(name, below), about)
		default:
			want[path.Join(name, below)] = about
		}
	}
	for _, dep := range p.inputs() {
		maps.Copy(want, o.image(dep))
	}
	return want
}

// ignored knows ignore files that are lists of plain names, no more.
func (o *oracle) ignored(p *project, below string) bool {
	about := o.files[o.ignoreFile(p)]
	if about == "" {
		return false
	}
	_, id, _ := strings.Cut(about, " ")
	return slices.Contains(strings.Fields(o.repo.Git("cat-file", "blob", id)), below)
}

func (o *oracle) submodule(want map[string]string, file, to, about string) {
	_, commit, _ := strings.Cut(about, " ")
	module := *o.repo
	module.Dir = o.repo.Path(file)
	for below, about := range list(&module, commit) {
		want[path.Join(to, below)] = about
	}
}

// onDisk lists a folder in the same form.
func onDisk(tb testing.TB, dir string) map[string]string {
	tb.Helper()
	files := map[string]string{}
	check(tb, filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		below, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		files[below], err = asGit(file)
		return err
	}))
	return files
}

// asGit says of a file what git would.
func asGit(file string) (string, error) {
	info, err := os.Lstat(file)
	if err != nil {
		return "", err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		target, err := os.Readlink(file)
		return "120000 " + blob([]byte(target)), err
	}
	mode := "100644 "
	if info.Mode()&0o111 != 0 {
		mode = "100755 "
	}
	content, err := os.ReadFile(file)
	return mode + blob(content), err
}

// blob is git's id of a content.
func blob(content []byte) string {
	sum := sha1.Sum(append(fmt.Appendf(nil, "blob %d\x00", len(content)), content...))
	return hex.EncodeToString(sum[:])
}
