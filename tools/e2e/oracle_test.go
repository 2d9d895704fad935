package e2e

import (
	"crypto/sha1"
	"encoding/hex"
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

// oracle says what the projects of one tree are made of, by asking git.
type oracle struct {
	tb    testing.TB
	repo  *gittest.Repo
	m     definition
	files map[string]string // path -> "100644 <id>"
	known map[string]string // project -> key
	head  *oracle           // of the commit, when the tree is of a work tree
}

// consult reads the tree of a revision.
func consult(tb testing.TB, repo *gittest.Repo, rev string) *oracle {
	tb.Helper()
	o := &oracle{tb: tb, repo: repo, files: list(repo, rev), known: map[string]string{}}
	o.m = o.manifest()
	return o
}

// consultDirty reads the tree of a work tree.
func consultDirty(tb testing.TB, repo *gittest.Repo, tree string) *oracle {
	tb.Helper()
	o := consult(tb, repo, tree)
	o.head = consult(tb, repo, "HEAD")
	return o
}

// text is the content of a file.
func (o *oracle) text(file string) string {
	o.tb.Helper()
	_, id, ok := strings.Cut(o.files[file], " ")
	if !ok {
		o.tb.Fatalf("there is no %s", file)
	}
	return o.repo.Git("cat-file", "blob", id)
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
	fmt.Fprintf(&b, "hermetic %t platforms %q\n", p.hermetic(), p.Platforms)
	fmt.Fprintf(&b, "dockerfile %q %s\n", p.dockerfile(), o.files[p.dockerfile()])
	fmt.Fprintf(&b, "ignored %q %s\n", o.ignoreFile(p), o.files[o.ignoreFile(p)])
	fmt.Fprintf(&b, "base images %q\n", o.baseImages(p))
	matched := o.matched(p)
	for _, file := range slices.Sorted(maps.Keys(matched)) {
		fmt.Fprintf(&b, "%s %q\n", matched[file], file)
	}
	if o.changed(name) {
		fmt.Fprintf(&b, "uncommitted %q\n", o.own(name))
	}
	for _, dep := range slices.Sorted(slices.Values(p.inputs())) {
		fmt.Fprintf(&b, "%s {\n%s}\n", dep, o.key(dep))
	}
	o.known[name] = b.String()
	return o.known[name]
}

// changed tells whether a project's own files are not those of the commit.
func (o *oracle) changed(name string) bool {
	return o.head != nil && (o.head.m.Projects[name] == nil || !maps.Equal(o.own(name), o.head.own(name)))
}

// uncommitted tells whether a project is not what the commit has.
func (o *oracle) uncommitted(name string) bool {
	return o.head != nil && (o.head.m.Projects[name] == nil || o.key(name) != o.head.key(name))
}

// baseImages are the replaced ones that the Dockerfile names.
func (o *oracle) baseImages(p *project) map[string]string {
	used := map[string]string{}
	for reference, target := range o.m.BaseImages {
		if strings.Contains(o.text(p.dockerfile()), reference) {
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
			if re.MatchString(file) || o.matchesInside(re, file, about) {
				matched[file] = about
			}
		}
	}
	return matched
}

// matchesInside tells whether a pattern names a submodule by what is in it.
func (o *oracle) matchesInside(re *regexp.Regexp, file, about string) bool {
	if !strings.HasPrefix(about, "160000 ") {
		return false
	}
	for below := range o.submodule(file, about) {
		if re.MatchString(path.Join(file, below)) {
			return true
		}
	}
	return re.MatchString(file + "/")
}

func (o *oracle) ignoreFile(p *project) string {
	if own := p.dockerfile() + ".dockerignore"; o.files[own] != "" {
		return own
	}
	return path.Join(p.BuildDir, ".dockerignore")
}

// image is what has to be under /src in the project's image, when it was built of
// this tree: its own files, and those of the projects that it is made from.
func (o *oracle) image(name string) map[string]string {
	want := o.own(name)
	for _, dep := range o.m.Projects[name].inputs() {
		maps.Copy(want, o.image(dep))
	}
	return want
}

// own are the files of a project's context, as its Dockerfile copies them.
func (o *oracle) own(name string) map[string]string {
	p := o.m.Projects[name]
	want := map[string]string{}
	for file, about := range o.context(p) {
		below, ok := strings.CutPrefix(file, p.BuildDir+"/")
		switch {
		case !ok || o.ignored(p, below):
		case strings.HasPrefix(about, "160000 "):
			for inside, about := range o.submodule(file, about) {
				want[path.Join(name, below, inside)] = about
			}
		default:
			want[path.Join(name, below)] = about
		}
	}
	return want
}

// context holds what a build may see: the files that its patterns name, or, where
// it is not hermetic, all.
func (o *oracle) context(p *project) map[string]string {
	if p.hermetic() {
		return o.matched(p)
	}
	return o.files
}

// pure tells whether nothing but what is hashed can be in a project's image.
func (o *oracle) pure(name string) bool {
	p := o.m.Projects[name]
	return p.hermetic() && !slices.ContainsFunc(p.inputs(), func(dep string) bool { return !o.pure(dep) })
}

// ignored knows ignore files that are lists of plain names, no more.
func (o *oracle) ignored(p *project, below string) bool {
	file := o.ignoreFile(p)
	return o.files[file] != "" && slices.Contains(strings.Fields(o.text(file)), below)
}

// submodule lists the files of a submodule.
func (o *oracle) submodule(file, about string) map[string]string {
	_, commit, _ := strings.Cut(about, " ")
	module := *o.repo
	module.Dir = o.repo.Path(file)
	return list(&module, commit)
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
