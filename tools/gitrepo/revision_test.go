package gitrepo_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slipway/tools/gitrepo"
	"slipway/tools/internal/testkit/gittest"
)

func TestCommitOfRevisions(t *testing.T) {
	g := sample(t)
	head, first := g.Head(), g.ID("HEAD~1")
	g.Git("tag", "-a", "-m", "annotated", "v1", first)
	g.Git("tag", "light", first)
	g.Git("branch", "feature/x", first)
	r, plain := open(t, g, g.Dir), openEnv(t, g.Dir, noGit(t))
	tests := []struct {
		rev, want string
		onlyGit   bool
	}{
		{"", head, false},
		{"HEAD", head, false},
		{head, head, false},
		{head[:12], head, false},
		{"main", head, false},
		{"refs/heads/main", head, false},
		{"HEAD~1", first, false},
		{"HEAD^", first, false},
		{"v1", first, false},
		{"light", first, false},
		{"feature/x", first, false},
		{":/first", first, true},
		{"HEAD^{/first}", first, true},
		{"main@{0}", head, true},
		{"@", head, true},
	}
	for _, test := range tests {
		if c, err := r.Commit(t.Context(), test.rev); err != nil || string(c.ID) != test.want {
			t.Errorf("Commit(%q) = %s, %v; want %s", test.rev, c.ID, err, test.want)
		}
		if test.onlyGit {
			continue
		}
		if c, err := plain.Commit(t.Context(), test.rev); err != nil || string(c.ID) != test.want {
			t.Errorf("without git: Commit(%q) = %s, %v; want %s", test.rev, c.ID, err, test.want)
		}
	}
}

func TestCommitFields(t *testing.T) {
	g := sample(t)
	g.Branch("side")
	g.Write("side", "x")
	g.Commit("side")
	g.Checkout("main")
	g.Merge("side")
	c, err := open(t, g, g.Dir).Commit(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Parents) != 2 || string(c.Parents[0]) != g.ID("HEAD^1") || string(c.Parents[1]) != g.ID("HEAD^2") {
		t.Errorf("parents %v", c.Parents)
	}
	if want := time.Unix(gittest.Epoch+60*3, 0).UTC(); !c.Time.Equal(want) || c.Time.Location() != time.UTC {
		t.Errorf("time %v, not %v", c.Time, want)
	}
	if string(c.Tree) != g.ID("HEAD^{tree}") || c.Message != "Merge branch 'side'\n" {
		t.Errorf("tree %s, message %q", c.Tree, c.Message)
	}
}

func TestUnknownRevisions(t *testing.T) {
	g := sample(t)
	blob := g.ID("HEAD:README")
	absent := strings.Repeat("12", 20)
	r, plain := open(t, g, g.Dir), openEnv(t, g.Dir, noGit(t))
	tests := []struct {
		rev     string
		kind    error
		onlyGit bool
	}{
		{"no-such-branch", gitrepo.ErrRevision, false},
		{"HEAD~99", gitrepo.ErrRevision, false},
		{"--help", gitrepo.ErrRevision, false},
		{"-n1", gitrepo.ErrRevision, false},
		{"--output=/tmp/x", gitrepo.ErrRevision, false},
		{"HEAD\nHEAD", gitrepo.ErrRevision, false},
		{"HEAD\x00", gitrepo.ErrRevision, false},
		{" ", gitrepo.ErrRevision, false},
		{"HEAD:README", gitrepo.ErrRevision, true},
		{blob, gitrepo.ErrRevision, false},
		{absent, gitrepo.ErrMissing, false},
	}
	for _, test := range tests {
		_, err := r.Commit(t.Context(), test.rev)
		wantFault(t, err, test.kind, "fetch")
		if !test.onlyGit {
			_, err = plain.Commit(t.Context(), test.rev)
			wantFault(t, err, test.kind, "fetch")
		}
	}
	if _, err := r.Commit(t.Context(), "HEAD"); err != nil {
		t.Errorf("after bad revisions, HEAD: %v", err)
	}
}

func TestUnbornHead(t *testing.T) {
	g := gittest.New(t)
	for name, r := range map[string]*gitrepo.Repo{"git": open(t, g, g.Dir), "library": openEnv(t, g.Dir, noGit(t))} {
		t.Run(name, func(t *testing.T) {
			_, err := r.Commit(t.Context(), "")
			wantFault(t, err, gitrepo.ErrUnborn, "commit something")
			if branch, err := r.Branch(t.Context()); err != nil || branch != "main" {
				t.Errorf("the unborn branch is %q, %v", branch, err)
			}
		})
	}
}

func TestOpenWithoutRepository(t *testing.T) {
	lost := t.TempDir()
	if err := os.WriteFile(filepath.Join(lost, ".git"), []byte("gitdir: ../gone/.git/worktrees/x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct{ dir, hint string }{
		"no repository":  {t.TempDir(), "git init"},
		"lost main part": {lost, "mount or copy"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := gitrepo.Open(t.Context(), gitrepo.Options{Dir: test.dir, Env: gittest.Env(t)})
			wantFault(t, err, gitrepo.ErrNotRepository, test.hint)
		})
	}
}

func TestRefusedOwner(t *testing.T) {
	g := sample(t)
	r := openEnv(t, g.Dir, append(g.Env(), "GIT_TEST_ASSUME_DIFFERENT_OWNER=1"))
	_, err := r.Commit(t.Context(), "")
	wantFault(t, err, gitrepo.ErrRefused, "safe.directory "+g.Dir)
	_, err = r.Changes(t.Context())
	wantFault(t, err, gitrepo.ErrRefused, "safe.directory "+g.Dir)
}

func TestRefusedBareRepository(t *testing.T) {
	g := sample(t).Bare()
	env := append(g.Env(), "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.bareRepository", "GIT_CONFIG_VALUE_0=explicit")
	_, err := openEnv(t, g.Dir, env).Commit(t.Context(), "")
	wantFault(t, err, gitrepo.ErrRefused, "safe.bareRepository")
}

func TestCallersGitVariablesDoNotConfuse(t *testing.T) {
	g, other := sample(t), gittest.New(t)
	other.Write("other", "x")
	other.Commit("other")
	git := other.Path(".git")
	env := append(g.Env(), "GIT_DIR="+git, "GIT_WORK_TREE="+other.Dir, "GIT_INDEX_FILE="+git+"/index", "GIT_PREFIX=src/",
		"GIT_OBJECT_DIRECTORY="+git+"/objects", "GIT_COMMON_DIR="+git, "GIT_NAMESPACE=x", "GIT_LITERAL_PATHSPECS=1", "LC_ALL=de_DE.UTF-8")
	r := openEnv(t, g.Path("src"), env)
	readsAll(t, r, g)
	if changes, err := r.Changes(t.Context()); err != nil || len(changes) != 0 {
		t.Errorf("changes %q, %v in a clean work tree", changes, err)
	}
	if id, err := r.Snapshot(t.Context()); err != nil || string(id) != g.ID("HEAD^{tree}") {
		t.Errorf("the snapshot of a clean work tree is %s, %v", id, err)
	}
}

func TestReplaceRefsAreNotFollowed(t *testing.T) {
	g := sample(t)
	head, tree := g.Head(), g.ID("HEAD^{tree}")
	g.Git("replace", head, g.ID("HEAD~1"))
	c, err := open(t, g, g.Dir).Commit(t.Context(), "")
	if err != nil || string(c.ID) != head || string(c.Tree) != tree {
		t.Errorf("got commit %s with tree %s, %v; want %s with %s", c.ID, c.Tree, err, head, tree)
	}
}

func TestAncestors(t *testing.T) {
	g := gittest.New(t)
	var ids []string
	for _, message := range []string{"0", "1", "2", "3"} {
		ids = append(ids, g.Commit(message))
	}
	g.Branch("side")
	g.Commit("side")
	g.Checkout("main")
	ids = append(ids, g.Commit("4"))
	ids = append(ids, g.Merge("side"))
	tests := map[string]struct {
		repo  *gittest.Repo
		limit int
		want  []string
	}{
		"all":     {g, 100, []string{ids[5], ids[4], ids[3], ids[2], ids[1], ids[0]}},
		"limited": {g, 2, []string{ids[5], ids[4]}},
		"none":    {g, 0, nil},
		"shallow": {g.Clone("--depth=2"), 100, []string{ids[5], ids[4]}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := open(t, test.repo, test.repo.Dir)
			line, err := r.Ancestors(t.Context(), gitrepo.ObjectID(ids[5]), test.limit)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, c := range line {
				got = append(got, string(c.ID))
			}
			if strings.Join(got, " ") != strings.Join(test.want, " ") {
				t.Errorf("got %v, want %v", got, test.want)
			}
			if shallow := name == "shallow"; r.Shallow() != shallow {
				t.Errorf("Shallow() = %t", !shallow)
			}
		})
	}
}

func TestMissingInShallowClone(t *testing.T) {
	g := sample(t)
	first := g.ID("HEAD~1")
	c := g.Clone("--depth=1")
	for name, r := range map[string]*gitrepo.Repo{"git": open(t, c, c.Dir), "library": openEnv(t, c.Dir, noGit(t))} {
		t.Run(name, func(t *testing.T) {
			_, err := r.Commit(t.Context(), first)
			wantFault(t, err, gitrepo.ErrMissing, "--unshallow")
			_, err = r.Commit(t.Context(), "HEAD~1")
			wantFault(t, err, gitrepo.ErrRevision, "--unshallow")
			_, err = r.Ancestors(t.Context(), gitrepo.ObjectID(first), 3)
			wantFault(t, err, gitrepo.ErrMissing, "--unshallow")
			_, err = r.Tree(t.Context(), gitrepo.ObjectID(strings.Repeat("ab", 20)))
			wantFault(t, err, gitrepo.ErrMissing, "--unshallow")
			if here, err := r.Has(t.Context(), gitrepo.ObjectID(first)); here || err != nil {
				t.Errorf("Has(first) = %t, %v", here, err)
			}
			if here, err := r.Has(t.Context(), gitrepo.ObjectID(g.Head())); !here || err != nil {
				t.Errorf("Has(head) = %t, %v", here, err)
			}
		})
	}
}

func TestWrongKindOfObject(t *testing.T) {
	g := sample(t)
	r := open(t, g, g.Dir)
	blob, tree := gitrepo.ObjectID(g.ID("HEAD:README")), gitrepo.ObjectID(g.ID("HEAD^{tree}"))
	if _, err := r.Tree(t.Context(), blob); err == nil || !strings.Contains(err.Error(), "is a blob, not a tree") {
		t.Errorf("Tree of a blob: %v", err)
	}
	if _, err := r.Blob(t.Context(), tree); err == nil || !strings.Contains(err.Error(), "is a tree, not a blob") {
		t.Errorf("Blob of a tree: %v", err)
	}
	for _, id := range []gitrepo.ObjectID{"", "main", "--help", "HEAD^{tree}", tree[:20], tree + "\n" + tree} {
		if _, err := r.Tree(t.Context(), id); err == nil {
			t.Errorf("Tree(%q) is no error", id)
		}
	}
	if _, err := r.Tree(t.Context(), tree); err != nil {
		t.Errorf("after those: %v", err)
	}
}

func TestCancelledCallLeavesTheNextOneWhole(t *testing.T) {
	g := sample(t)
	r := open(t, g, g.Dir)
	ctx, cancel := context.WithCancel(t.Context())
	tree(ctx, t, r)
	cancel()
	if _, err := r.Commit(ctx, ""); err != context.Canceled { //nolint:errorlint // exactly that
		t.Errorf("after cancelling: %v", err)
	}
	readsAll(t, r, g)
}

func TestEndedProgramIsReportedAndStartedAgain(t *testing.T) {
	g := sample(t)
	id := gitrepo.ObjectID(g.ID("HEAD:README"))
	file := g.Path(".git/objects/" + string(id[:2]) + "/" + string(id[2:]))
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	overwrite(t, file, []byte("not an object"))
	r := open(t, g, g.Dir)
	if _, err := r.Blob(t.Context(), id); err == nil {
		t.Error("a damaged object reads without an error")
	}
	overwrite(t, file, whole)
	readsAll(t, r, g)
}

func overwrite(tb testing.TB, file string, content []byte) {
	tb.Helper()
	if err := os.Remove(file); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(file, content, 0o600); err != nil {
		tb.Fatal(err)
	}
}

func TestCallEndsWithItsContextThoughGitHangs(t *testing.T) {
	g := sample(t)
	bin := t.TempDir()
	script := "#!/bin/sh\nread -r line\nexec sleep 600\n" // answers nothing
	if err := os.WriteFile(filepath.Join(bin, "git"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	r := openEnv(t, g.Dir, []string{"PATH=" + bin + ":/usr/bin:/bin"})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := r.Tree(ctx, gitrepo.ObjectID(g.ID("HEAD^{tree}"))); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}
