package gitrepo_test

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"slipway/tools/gitrepo"
	"slipway/tools/internal/testkit/gittest"
)

// open opens dir with the environment of g.
func open(tb testing.TB, g *gittest.Repo, dir string) *gitrepo.Repo {
	tb.Helper()
	return openEnv(tb, dir, g.Env())
}

func openEnv(tb testing.TB, dir string, env []string) *gitrepo.Repo {
	tb.Helper()
	r, err := gitrepo.Open(tb.Context(), gitrepo.Options{Dir: dir, Env: env})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := r.Close(); err != nil {
			tb.Errorf("closing: %v", err)
		}
	})
	return r
}

// oddNames are what file names may be.
func oddNames() []string {
	return []string{
		"a b", "new\nline", "tab\t", `quo"te`, "quo'te", `back\slash`, "-rf", "--help", "\xff\xfe", "ümlaut", "*", "a:b", "x\x01",
	}
}

// sample is a repository with every kind of entry.
func sample(tb testing.TB, args ...string) *gittest.Repo {
	tb.Helper()
	g := gittest.New(tb, args...)
	g.Write("README", "first\n")
	g.Commit("first")
	g.Write("README", "second\n")
	g.WriteMode("bin/run", "#!/bin/sh\n", 0o755)
	g.Write("src/deep/er/file.txt", "deep\n")
	g.Write("src.txt", "sorts before src/\n")
	g.Symlink("../README", "src/link")
	for _, name := range oddNames() {
		g.Write("odd/"+name, name)
		g.Write("odd dirs/"+name+"/file", name)
	}
	g.Commit("second\n\nwith a body\n")
	return g
}

// walk returns a tree as `git ls-tree -r -t` would, read through r.
func walk(tb testing.TB, r *gitrepo.Repo, tree gitrepo.ObjectID, prefix string) []string {
	tb.Helper()
	entries, err := r.Tree(tb.Context(), tree)
	if err != nil {
		tb.Fatal(err)
	}
	var lines []string
	for _, e := range entries {
		path := prefix + e.Name
		lines = append(lines, e.Mode.String()+" "+string(e.ID)+" "+path)
		if e.Mode.IsTree() {
			lines = append(lines, walk(tb, r, e.ID, path+"/")...)
		}
	}
	return lines
}

// lsTree is what the git program says of the same.
func lsTree(tb testing.TB, g *gittest.Repo, tree string) []string {
	tb.Helper()
	var lines []string
	for record := range strings.SplitSeq(strings.TrimSuffix(g.Git("ls-tree", "-r", "-t", "-z", tree), "\x00"), "\x00") {
		head, path, _ := strings.Cut(record, "\t")
		f := strings.Fields(head)
		lines = append(lines, f[0]+" "+f[2]+" "+path)
	}
	return lines
}

// readsAll reads HEAD with everything below it, and compares with git.
func readsAll(tb testing.TB, r *gitrepo.Repo, source *gittest.Repo) {
	tb.Helper()
	c, err := r.Commit(tb.Context(), "")
	if err != nil {
		tb.Fatal(err)
	}
	if want := source.Head(); string(c.ID) != want {
		tb.Fatalf("HEAD is %s, not %s", c.ID, want)
	}
	got, want := walk(tb, r, c.Tree, ""), lsTree(tb, source, string(c.Tree))
	if !slices.Equal(got, want) {
		tb.Errorf("the tree reads as\n%q\nnot\n%q", got, want)
	}
	for _, line := range want {
		readsBlob(tb, r, line)
	}
}

// readsBlob checks a blob against its id, which is the hash of its content.
func readsBlob(tb testing.TB, r *gitrepo.Repo, line string) {
	tb.Helper()
	f := strings.SplitN(line, " ", 3)
	mode, id, path := f[0], f[1], f[2]
	if mode == "040000" || mode == "160000" {
		return
	}
	content, err := r.Blob(tb.Context(), gitrepo.ObjectID(id))
	if err != nil {
		tb.Fatal(err)
	}
	body := append([]byte(fmt.Sprintf("blob %d\x00", len(content))), content...)
	hash := fmt.Sprintf("%x", sha1.Sum(body))
	if len(id) == 64 {
		hash = fmt.Sprintf("%x", sha256.Sum256(body))
	}
	if hash != id {
		tb.Errorf("%q reads as %q, which has id %s, not %s", path, content, hash, id)
	}
	if size, err := r.BlobSize(tb.Context(), gitrepo.ObjectID(id)); err != nil || size != int64(len(content)) {
		tb.Errorf("%q has size %d, %v; want %d", path, size, err, len(content))
	}
}

// noGit is an environment without a git program.
func noGit(tb testing.TB) []string {
	tb.Helper()
	return []string{"PATH=" + tb.TempDir()}
}

func TestReadsEveryKindOfRepository(t *testing.T) {
	g := sample(t)
	packed := g.Clone()
	packed.Git("repack", "-adq")
	linked := g.Worktree("HEAD")
	sha256 := sample(t, "--object-format=sha256")
	detached := g.Clone()
	detached.Checkout("HEAD~0")
	shared := gittest.New(t)
	shared.Write(".git/objects/info/alternates", g.Path(".git/objects")+"\n")
	shared.Reset(g.Head())
	tests := map[string]struct {
		repo, source *gittest.Repo
		dir          string
		needsGit     bool
	}{
		"normal":           {repo: g},
		"from a subfolder": {repo: g, dir: "src/deep"},
		"from .git":        {repo: g, dir: ".git"},
		"packed":           {repo: packed, source: g},
		"bare":             {repo: g.Bare(), source: g},
		"shallow":          {repo: g.Clone("--depth=1"), source: g},
		"blobless":         {repo: g.Clone("--filter=blob:none"), source: g, needsGit: true},
		"treeless":         {repo: g.Clone("--filter=tree:0", "--no-checkout"), source: g, needsGit: true},
		"linked worktree":  {repo: linked, source: g},
		"detached":         {repo: detached, source: g},
		"shared objects":   {repo: shared, source: g},
		"sha256":           {repo: sha256, needsGit: true},
	}
	for name, test := range tests {
		if test.source == nil {
			test.source = test.repo
		}
		t.Run(name+"/git", func(t *testing.T) {
			readsAll(t, open(t, test.repo, test.repo.Path(test.dir)), test.source)
		})
		if test.needsGit {
			continue
		}
		t.Run(name+"/library", func(t *testing.T) {
			readsAll(t, openEnv(t, test.repo.Path(test.dir), noGit(t)), test.source)
		})
	}
}

func wantFault(tb testing.TB, err, kind error, hint string) {
	tb.Helper()
	var f *gitrepo.Fault
	if !errors.Is(err, kind) || !errors.As(err, &f) {
		tb.Fatalf("got %v, want a fault that is %q", err, kind)
	}
	if !strings.Contains(f.Hint(), hint) {
		tb.Errorf("the hint is %q, and lacks %q", f.Hint(), hint)
	}
}

// tree returns the tree of HEAD.
func tree(ctx context.Context, tb testing.TB, r *gitrepo.Repo) gitrepo.ObjectID {
	tb.Helper()
	c, err := r.Commit(ctx, "")
	if err != nil {
		tb.Fatal(err)
	}
	return c.Tree
}
