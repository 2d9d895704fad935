package gitrepo_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"slipway/tools/gitrepo"
	"slipway/tools/internal/testkit/gittest"
)

// nested is a repository "super" with the submodule "third party/mid", known by
// another name, which has a submodule "leaf" with an address relative to its own.
func nested(tb testing.TB) (super, leaf *gittest.Repo) {
	tb.Helper()
	base := tb.TempDir()
	place := func(g *gittest.Repo, name string) *gittest.Repo {
		dir := filepath.Join(base, name)
		if err := os.Rename(g.Dir, dir); err != nil {
			tb.Fatal(err)
		}
		g.Dir = dir
		return g
	}
	leaf = gittest.New(tb)
	leaf.Write("leaf.txt", "leaf\n")
	leaf.Commit("leaf")
	leaf = place(leaf, "leaf")

	mid := place(gittest.New(tb), "mid")
	mid.Git("remote", "add", "origin", mid.URL())
	mid.AddSubmodule("../leaf", "leaf")
	mid.Write("mid.txt", "mid\n")
	mid.Commit("mid")

	super = place(sample(tb), "super")
	super.AddSubmodule(mid.URL(), "third party/mid")
	super.Git("mv", "third party/mid", "vendor mid") // the name stays the old path
	super.Commit("with a submodule")
	super.UpdateSubmodules()
	return super, leaf
}

// readsLeaf goes down both submodules by what the trees say.
func readsLeaf(tb testing.TB, r *gitrepo.Repo) {
	tb.Helper()
	for _, path := range []string{"vendor mid", "leaf"} {
		e, ok, err := r.Lookup(tb.Context(), tree(tb.Context(), tb, r), path)
		if err != nil || !ok || !e.Mode.IsSubmodule() {
			tb.Fatalf("%q is %v, %t, %v", path, e, ok, err)
		}
		sub, err := r.Submodule(tb.Context(), path)
		if err != nil {
			tb.Fatal(err)
		}
		if _, err := sub.Commit(tb.Context(), string(e.ID)); err != nil {
			tb.Fatal(err)
		}
		r = sub
	}
	e, ok, err := r.Lookup(tb.Context(), tree(tb.Context(), tb, r), "leaf.txt")
	if err != nil || !ok {
		tb.Fatalf("leaf.txt: %t, %v", ok, err)
	}
	if content, err := r.Blob(tb.Context(), e.ID); err != nil || string(content) != "leaf\n" {
		tb.Errorf("leaf.txt holds %q, %v", content, err)
	}
}

func TestSubmodules(t *testing.T) {
	tests := map[string]func(testing.TB) *gittest.Repo{
		"as added": func(tb testing.TB) *gittest.Repo { tb.Helper(); g, _ := nested(tb); return g },
		"clone": func(tb testing.TB) *gittest.Repo {
			tb.Helper()
			g, _ := nested(tb)
			return g.Clone("--recurse-submodules")
		},
		"fetched, work tree gone": func(tb testing.TB) *gittest.Repo {
			tb.Helper()
			g, _ := nested(tb)
			g.Remove("vendor mid")
			return g
		},
		"fetched, work tree empty": func(tb testing.TB) *gittest.Repo {
			tb.Helper()
			g, _ := nested(tb)
			g.Git("submodule", "--quiet", "deinit", "--force", "--all")
			return g
		},
		"linked worktree": func(tb testing.TB) *gittest.Repo {
			tb.Helper()
			g, _ := nested(tb)
			w := g.Worktree("HEAD")
			w.UpdateSubmodules()
			return w
		},
		"linked worktree, fetched in the main one": func(tb testing.TB) *gittest.Repo {
			tb.Helper()
			g, _ := nested(tb)
			return g.Worktree("HEAD")
		},
	}
	for name, build := range tests {
		t.Run(name, func(t *testing.T) {
			g := build(t)
			readsLeaf(t, open(t, g, g.Dir))
			readsLeaf(t, openEnv(t, g.Dir, noGit(t)))
		})
	}
}

func TestSubmoduleNotInitialised(t *testing.T) {
	g, _ := nested(t)
	c := g.Clone()
	_, err := open(t, c, c.Dir).Submodule(t.Context(), "vendor mid")
	wantFault(t, err, gitrepo.ErrSubmodule, "submodule update --init -- 'vendor mid'")
	for _, path := range []string{"../mid", "/etc", ".."} {
		if _, err := open(t, c, c.Dir).Submodule(t.Context(), path); err == nil {
			t.Errorf("Submodule(%q) is no error", path)
		}
	}
}

func TestSubmoduleCommitMissing(t *testing.T) {
	g, _ := nested(t)
	sub, err := open(t, g, g.Dir).Submodule(t.Context(), "vendor mid")
	if err != nil {
		t.Fatal(err)
	}
	_, err = sub.Commit(t.Context(), g.Head()) // a commit that only the parent has
	wantFault(t, err, gitrepo.ErrMissing, "submodule update --init -- 'vendor mid'")
}

func TestSubmoduleOpenedByItself(t *testing.T) {
	g, leaf := nested(t)
	r := open(t, g, g.Path("vendor mid/leaf"))
	readsAll(t, r, leaf)
	if want := g.Path("vendor mid/leaf"); r.WorkTree() != want {
		t.Errorf("work tree %q, not %q", r.WorkTree(), want)
	}
}

func TestSubmodulesInChangesAndSnapshot(t *testing.T) {
	g, _ := nested(t)
	r := open(t, g, g.Dir)
	if got, err := r.Snapshot(t.Context()); err != nil || string(got) != g.ID("HEAD^{tree}") {
		t.Errorf("the snapshot of a clean work tree is %s, %v", got, err)
	}
	g.Write("vendor mid/mid.txt", "changed inside\n")
	if got, err := r.Changes(t.Context()); err != nil || !slices.Equal(got, []string{"vendor mid"}) {
		t.Errorf("changes %q, %v", got, err)
	}
	g.Git("-C", "vendor mid", "commit", "-q", "-a", "-m", "moved on")
	id, err := r.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	e, _, err := r.Lookup(t.Context(), id, "vendor mid")
	if want := g.Git("-C", "vendor mid", "rev-parse", "HEAD"); err != nil || string(e.ID) != want || !e.Mode.IsSubmodule() {
		t.Errorf("the snapshot has the submodule at %v, %v; want %s", e, err, want)
	}
}

func TestDirtySubmodules(t *testing.T) {
	tests := map[string]struct {
		change func(*gittest.Repo)
		want   []string
	}{
		"nothing":              {func(*gittest.Repo) {}, nil},
		"a file beside":        {func(g *gittest.Repo) { g.Write("x", ""); g.Write("vendor", "") }, nil},
		"a file inside":        {func(g *gittest.Repo) { g.Write("vendor mid/mid.txt", "changed") }, []string{"vendor mid"}},
		"a new file inside":    {func(g *gittest.Repo) { g.Write("vendor mid/new", "") }, []string{"vendor mid"}},
		"a staged file inside": {func(g *gittest.Repo) { g.Write("vendor mid/new", ""); g.Git("-C", "vendor mid", "add", "-A") }, []string{"vendor mid"}},
		"a submodule of it":    {func(g *gittest.Repo) { g.Write("vendor mid/leaf/leaf.txt", "changed") }, []string{"vendor mid"}},
		"another commit":       {func(g *gittest.Repo) { g.Git("-C", "vendor mid", "commit", "-q", "--allow-empty", "-m", "x") }, nil},
		"another commit and a change": {func(g *gittest.Repo) {
			g.Git("-C", "vendor mid", "commit", "-q", "--allow-empty", "-m", "x")
			g.Write("vendor mid/x", "")
		}, []string{"vendor mid"}},
		"what git is told to ignore": {func(g *gittest.Repo) {
			g.Git("config", "submodule.third party/mid.ignore", "all")
			g.Write("vendor mid/mid.txt", "changed")
		}, []string{"vendor mid"}},
		"not checked out": {func(g *gittest.Repo) { g.Git("submodule", "--quiet", "deinit", "--force", "--all") }, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			g, _ := nested(t)
			test.change(g)
			if got, err := open(t, g, g.Dir).DirtySubmodules(t.Context()); err != nil || !slices.Equal(got, test.want) {
				t.Errorf("submodules with changes inside %q, %v; want %q", got, err, test.want)
			}
		})
	}
	g, _ := nested(t)
	bare := g.Bare()
	if got, err := open(t, bare, bare.Dir).DirtySubmodules(t.Context()); err != nil || got != nil {
		t.Errorf("of a bare repository %q, %v", got, err)
	}
}
