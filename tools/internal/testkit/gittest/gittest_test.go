package gittest_test

import (
	"os"
	"strings"
	"testing"

	"slipway/tools/internal/testkit/gittest"
)

func history(tb testing.TB) *gittest.Repo {
	tb.Helper()
	r := gittest.New(tb)
	r.Write("a/b.txt", "one\n")
	r.WriteMode("run", "#!/bin/sh\n", 0o755)
	r.Symlink("a/b.txt", "link")
	r.Commit("first")
	r.Branch("topic")
	r.Rename("a/b.txt", "a/c.txt")
	r.Commit("rename")
	r.Checkout("main")
	r.Remove("run")
	r.Commit("remove")
	r.Merge("topic")
	return r
}

func TestSameStepsGiveSameIDs(t *testing.T) {
	if a, b := history(t).Head(), history(t).Head(); a != b {
		t.Errorf("two equal histories end at %s and %s", a, b)
	}
}

func TestAmbientEnvironmentIsLeftOut(t *testing.T) {
	want := history(t).Head()
	t.Setenv("GIT_DIR", t.TempDir())
	t.Setenv("GIT_AUTHOR_NAME", "somebody else")
	if got := history(t).Head(); got != want {
		t.Errorf("with an ambient GIT_DIR the history ends at %s, not %s", got, want)
	}
}

func TestSquashAndRevert(t *testing.T) {
	r := history(t)
	before := r.ID("HEAD^{tree}")
	r.Branch("work")
	r.Write("new", "x")
	r.Commit("work")
	r.Checkout("main")
	squashed := r.Squash("work", "squashed")
	if parents := strings.Fields(r.Git("rev-list", "--parents", "-1", squashed)); len(parents) != 2 {
		t.Errorf("a squash has parents %v", parents[1:])
	}
	r.Revert(squashed)
	if after := r.ID("HEAD^{tree}"); after != before {
		t.Errorf("reverting gave tree %s, not %s", after, before)
	}
}

func TestForcePushReachesOrigin(t *testing.T) {
	origin := history(t).Bare()
	a, b := origin.Clone(), origin.Clone()
	a.Write("x", "1")
	amended := a.Amend("another")
	a.ForcePush("main")
	b.Pull("main")
	if b.Head() != amended {
		t.Errorf("the other clone has %s, not %s", b.Head(), amended)
	}
}

func TestClones(t *testing.T) {
	r := history(t)
	tests := map[string]struct {
		args []string
		file string // what such a clone has in its git folder's config or shallow file
		want string
	}{
		"shallow":  {[]string{"--depth=1"}, ".git/shallow", r.Head()},
		"blobless": {[]string{"--filter=blob:none"}, ".git/config", "blob:none"},
		"treeless": {[]string{"--filter=tree:0"}, ".git/config", "tree:0"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := os.ReadFile(r.Clone(test.args...).Path(test.file))
			if err != nil || !strings.Contains(string(got), test.want) {
				t.Errorf("%s holds %q, %v; want %q in it", test.file, got, err, test.want)
			}
		})
	}
}

func TestSubmoduleAndWorktree(t *testing.T) {
	lib, r := history(t), history(t)
	r.AddSubmodule(lib.URL(), "third party/lib")
	r.Commit("submodule")
	if mode := r.Git("ls-tree", "HEAD", "third party/lib"); !strings.HasPrefix(mode, "160000 ") {
		t.Errorf("the submodule is recorded as %q", mode)
	}
	w := r.Worktree("HEAD~1")
	if w.Head() != r.ID("HEAD~1") {
		t.Errorf("the worktree is at %s", w.Head())
	}
}
