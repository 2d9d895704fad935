package gitrepo_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"slipway/tools/gitrepo"
	"slipway/tools/internal/testkit/gittest"
)

// dirty changes a work tree in every way; it returns the paths that changed.
func dirty(g *gittest.Repo) []string {
	g.Write(".gitignore", "*.log\n/out/\n")
	g.Write("README", "changed\n")
	g.Chmod("src.txt", 0o755)
	g.Remove("src/link")
	g.Rename("bin/run", "bin/ran")
	g.Write("new dir/new\nfile", "untracked\n")
	g.Write("staged", "staged\n")
	g.Git("add", "staged")
	g.Write("staged", "and changed\n")
	g.Write("debug.log", "ignored\n")
	g.Write("out/file", "ignored\n")
	g.Write("odd/\xff\xfe", "changed\n")
	return []string{
		".gitignore", "README", "bin/ran", "bin/run", "new dir/new\nfile", "odd/\xff\xfe", "src.txt", "src/link", "staged",
	}
}

func TestChanges(t *testing.T) {
	g := sample(t)
	r := open(t, g, g.Path("src"))
	if got, err := r.Changes(t.Context()); err != nil || len(got) != 0 {
		t.Errorf("a clean work tree has changes %q, %v", got, err)
	}
	want := dirty(g)
	got, err := r.Changes(t.Context())
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("changes\n%q, %v; want\n%q", got, err, want)
	}
}

func TestSnapshotIsWhatACommitWouldHold(t *testing.T) {
	tests := map[string]func(testing.TB) *gittest.Repo{
		"normal":   func(tb testing.TB) *gittest.Repo { tb.Helper(); return sample(tb) },
		"sha256":   func(tb testing.TB) *gittest.Repo { tb.Helper(); return sample(tb, "--object-format=sha256") },
		"linked":   func(tb testing.TB) *gittest.Repo { tb.Helper(); return sample(tb).Worktree("HEAD") },
		"shallow":  func(tb testing.TB) *gittest.Repo { tb.Helper(); return sample(tb).Clone("--depth=1") },
		"blobless": func(tb testing.TB) *gittest.Repo { tb.Helper(); return sample(tb).Clone("--filter=blob:none") },
		"treeless": func(tb testing.TB) *gittest.Repo { tb.Helper(); return sample(tb).Clone("--filter=tree:0") },
		"unborn":   func(tb testing.TB) *gittest.Repo { tb.Helper(); return unborn(tb) },
	}
	for name, build := range tests {
		t.Run(name, func(t *testing.T) {
			t.Setenv("TMPDIR", t.TempDir())
			g := build(t)
			dirty(g)
			before := contents(t, g)
			r := open(t, g, g.Dir)
			id, err := r.Snapshot(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got := walk(t, r, id, "")
			if after := contents(t, g); !slices.Equal(before, after) {
				t.Errorf("the snapshot changed the git folder:\n%s", cmp.Diff(before, after))
			}
			g.Commit("the same")
			if want := g.ID("HEAD^{tree}"); string(id) != want {
				t.Errorf("snapshot %s, commit %s", id, want)
			}
			if want := lsTree(t, g, "HEAD"); !slices.Equal(got, want) {
				t.Errorf("the snapshot reads as\n%q\nnot\n%q", got, want)
			}
			closesClean(t, r)
		})
	}
}

func unborn(tb testing.TB) *gittest.Repo {
	tb.Helper()
	g := sample(tb)
	g.Git("update-ref", "-d", "HEAD")
	return g
}

// contents lists the files of a git folder, with the times of all but objects:
// git renews the time of an object that it would write again.
func contents(tb testing.TB, g *gittest.Repo) []string {
	tb.Helper()
	var files []string
	root := g.Git("rev-parse", "--absolute-git-dir")
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if strings.Contains(path, "/objects/") {
			files = append(files, path)
			return nil
		}
		info, err := d.Info()
		files = append(files, path+" "+info.ModTime().String())
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return files
}

// closesClean closes r and looks whether anything is left of it.
func closesClean(tb testing.TB, r *gitrepo.Repo) {
	tb.Helper()
	if err := r.Close(); err != nil {
		tb.Error(err)
	}
	left, err := filepath.Glob(filepath.Join(os.TempDir(), "slipway-*"))
	if err != nil || len(left) != 0 {
		tb.Errorf("left behind: %q, %v", left, err)
	}
}

func TestSecondSnapshotSeesWhatChangedSince(t *testing.T) {
	g := sample(t)
	r := open(t, g, g.Dir)
	seen := map[string]bool{}
	for _, content := range []string{"one.", "two.", "six."} { // of one length
		g.Write("README", content)
		id, err := r.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		e, ok, err := r.Lookup(t.Context(), id, "README")
		if err != nil || !ok {
			t.Fatalf("README is not in the snapshot: %v", err)
		}
		if got, err := r.Blob(t.Context(), e.ID); err != nil || string(got) != content {
			t.Errorf("README holds %q, %v; want %q", got, err, content)
		}
		seen[string(id)] = true
	}
	if len(seen) != 3 {
		t.Errorf("three contents gave the snapshots %v", seen)
	}
}

func TestSnapshotOfSparseCheckout(t *testing.T) {
	g := sample(t)
	g.Git("sparse-checkout", "set", "--cone", "src")
	id, err := open(t, g, g.Dir).Snapshot(t.Context())
	if err != nil || string(id) != g.ID("HEAD^{tree}") {
		t.Errorf("snapshot %s, %v; want HEAD's tree %s", id, err, g.ID("HEAD^{tree}"))
	}
}

func TestSnapshotOfTroublesomePlaces(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), `with:colon "and" quote`))
	if err := os.MkdirAll(os.TempDir(), 0o700); err != nil {
		t.Fatal(err)
	}
	g := sample(t)
	elsewhere := g.Path("../colon:in its name")
	if err := os.Rename(g.Dir, elsewhere); err != nil {
		t.Fatal(err)
	}
	g.Dir = elsewhere
	g.Write("new", "x")
	r := open(t, g, g.Dir)
	id, err := r.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, ok, err := r.Lookup(t.Context(), id, "odd/a b"); !ok || err != nil {
		t.Errorf("odd/a b is not in the snapshot: %v", err)
	}
}

func TestWithoutWorkTreeOrProgram(t *testing.T) {
	g := sample(t)
	b := g.Bare()
	bare := open(t, b, b.Dir)
	if changes, err := bare.Changes(t.Context()); err != nil || len(changes) != 0 || bare.WorkTree() != "" {
		t.Errorf("a bare repository has work tree %q with changes %q, %v", bare.WorkTree(), changes, err)
	}
	_, err := bare.Snapshot(t.Context())
	wantFault(t, err, gitrepo.ErrBare, "commit")

	plain := openEnv(t, g.Dir, noGit(t))
	_, err = plain.Changes(t.Context())
	wantFault(t, err, gitrepo.ErrNoGit, "install git")
	_, err = plain.Snapshot(t.Context())
	wantFault(t, err, gitrepo.ErrNoGit, "install git")
	_, err = gitrepo.Open(t.Context(), gitrepo.Options{Dir: gittest.New(t, "--object-format=sha256").Dir, Env: noGit(t)})
	wantFault(t, err, gitrepo.ErrNoGit, "install git")
}

func TestWorkTree(t *testing.T) {
	g := sample(t)
	linked := g.Worktree("HEAD")
	moved := sample(t)
	elsewhere := t.TempDir()
	moved.Git("config", "core.worktree", elsewhere)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(g.Dir, link); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		repo      *gittest.Repo
		dir, want string
	}{
		"root":              {g, g.Dir, g.Dir},
		"below":             {g, g.Path("src/deep"), g.Dir},
		"git folder":        {g, g.Path(".git"), g.Dir},
		"through a symlink": {g, filepath.Join(link, "src"), g.Dir},
		"linked":            {linked, linked.Dir, linked.Dir},
		"core.worktree":     {moved, moved.Dir, elsewhere},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := open(t, test.repo, test.dir)
			if got := r.WorkTree(); got != test.want {
				t.Errorf("work tree %q, not %q", got, test.want)
			}
			readsAll(t, r, test.repo)
			if _, err := r.Changes(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}
