package gitrepo_test

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"slipway/tools/gitrepo"
	"slipway/tools/internal/testkit/gittest"
)

func TestLookup(t *testing.T) {
	g := sample(t)
	r := open(t, g, g.Dir)
	root := tree(t.Context(), t, r)
	tests := map[string]string{ // path -> revision expression, "" when absent
		"":                     "HEAD^{tree}",
		"README":               "HEAD:README",
		"src":                  "HEAD:src",
		"src.txt":              "HEAD:src.txt",
		"src/deep/er":          "HEAD:src/deep/er",
		"src/deep/er/file.txt": "HEAD:src/deep/er/file.txt",
		"src/link":             "HEAD:src/link",
		"odd/new\nline":        "HEAD:odd/new\nline",
		"odd/-rf":              "HEAD:odd/-rf",
		"nothing":              "",
		"README/below":         "",
		"src/link/README":      "",
		"src/":                 "",
		"/src":                 "",
		"src//deep":            "",
		"./src":                "",
		"src/../README":        "",
	}
	for path, rev := range tests {
		e, ok, err := r.Lookup(t.Context(), root, path)
		if err != nil || ok != (rev != "") {
			t.Errorf("Lookup(%q) = %v, %t, %v", path, e, ok, err)
		}
		if ok && string(e.ID) != g.ID(rev) {
			t.Errorf("Lookup(%q) = %v, want %s", path, e, g.ID(rev))
		}
	}
	if e, _, _ := r.Lookup(t.Context(), root, "src/link"); !e.Mode.IsSymlink() || e.Mode.IsRegular() {
		t.Errorf("src/link has mode %s", e.Mode)
	}
	if e, _, _ := r.Lookup(t.Context(), root, "bin/run"); !e.Mode.IsExecutable() || e.Mode != gitrepo.ModeExecutable {
		t.Errorf("bin/run has mode %s", e.Mode)
	}
}

func TestOldModeIsKept(t *testing.T) {
	g := sample(t)
	blob := g.ID("HEAD:README")
	id := g.Input(fmt.Sprintf("100664 blob %s\told\x00", blob), "mktree", "-z")
	entries, err := open(t, g, g.Dir).Tree(t.Context(), gitrepo.ObjectID(id))
	if err != nil || len(entries) != 1 || entries[0].Mode != 0o100664 || !entries[0].Mode.IsRegular() || entries[0].Mode.IsExecutable() {
		t.Errorf("entries %v, %v", entries, err)
	}
}

func TestHostileTreesAreRefused(t *testing.T) {
	g := sample(t)
	id := strings.Repeat("\x11", 20)
	for name, body := range map[string]string{
		"parent":       "100644 ..\x00" + id,
		"slash":        "100644 a/b\x00" + id,
		"git folder":   "40000 .GIT\x00" + id,
		"empty name":   "100644 \x00" + id,
		"twice":        "100644 a\x00" + id + "100755 a\x00" + id,
		"file, folder": "100644 a\x00" + id + "100644 a.b\x00" + id + "40000 a\x00" + id,
		"out of order": "100644 b\x00" + id + "100644 a\x00" + id,
		"cut":          "100644 a\x00" + id[:19],
	} {
		t.Run(name, func(t *testing.T) {
			tree := g.Input(body, "hash-object", "-t", "tree", "--literally", "-w", "--stdin")
			if entries, err := open(t, g, g.Dir).Tree(t.Context(), gitrepo.ObjectID(tree)); err == nil {
				t.Errorf("it reads as %v", entries)
			}
		})
	}
}

func TestTreesAtOnce(t *testing.T) {
	g := sample(t)
	r := open(t, g, g.Dir)
	ids := []gitrepo.ObjectID{"HEAD:src", "HEAD^{tree}", "HEAD:odd", "HEAD:src", "HEAD:bin"}
	for i := range ids {
		ids[i] = gitrepo.ObjectID(g.ID(string(ids[i])))
	}
	if _, err := r.Tree(t.Context(), ids[2]); err != nil { // one is known before
		t.Fatal(err)
	}
	trees, err := r.Trees(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	for i, id := range ids {
		one, err := r.Tree(t.Context(), id)
		if err != nil || fmt.Sprint(trees[i]) != fmt.Sprint(one) || len(one) == 0 {
			t.Errorf("tree %d reads as %v, not %v, %v", i, trees[i], one, err)
		}
	}
	missing := append(ids[:2:2], gitrepo.ObjectID(strings.Repeat("ab", 20)), ids[4])
	_, err = open(t, g, g.Dir).Trees(t.Context(), missing)
	wantFault(t, err, gitrepo.ErrMissing, "fsck")
}

func TestManyReadersAtOnce(t *testing.T) {
	g := sample(t)
	for backend, env := range map[string][]string{"git": g.Env(), "library": noGit(t)} {
		t.Run(backend, func(t *testing.T) {
			r := openEnv(t, g.Dir, env)
			var readers errgroup.Group
			for range 8 {
				readers.Go(func() error {
					c, err := r.Commit(t.Context(), "HEAD")
					if err != nil {
						return err
					}
					e, ok, err := r.Lookup(t.Context(), c.Tree, "src/deep/er/file.txt")
					if err != nil || !ok {
						return fmt.Errorf("file.txt: %t, %w", ok, err)
					}
					content, err := r.Blob(t.Context(), e.ID)
					if err == nil && string(content) != "deep\n" {
						return fmt.Errorf("file.txt holds %q", content)
					}
					if err == nil && backend == "git" {
						_, err = r.Snapshot(t.Context())
					}
					return err
				})
			}
			if err := readers.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
}

// BenchmarkProjectTrees reads the trees of 5,000 projects in a repository of
// 100,000 files, from opening it to closing it.
func BenchmarkProjectTrees(b *testing.B) {
	g := monorepo(b)
	steps := map[string]func(r *gitrepo.Repo){
		"first commit": func(r *gitrepo.Repo) { tree(b.Context(), b, r) },
		"lookups":      func(r *gitrepo.Repo) { projects(b, r) }, // reads the 50 folders above
		"one by one": func(r *gitrepo.Repo) {
			for _, id := range projects(b, r) {
				if _, err := r.Tree(b.Context(), id); err != nil {
					b.Fatal(err)
				}
			}
		},
		"at once": func(r *gitrepo.Repo) {
			if _, err := r.Trees(b.Context(), projects(b, r)); err != nil {
				b.Fatal(err)
			}
		},
	}
	for backend, env := range map[string][]string{"git": g.Env(), "library": {"PATH=" + b.TempDir()}} {
		for name, step := range steps {
			b.Run(backend+"/"+name, func(b *testing.B) {
				for b.Loop() {
					r, err := gitrepo.Open(b.Context(), gitrepo.Options{Dir: g.Dir, Env: env})
					if err != nil {
						b.Fatal(err)
					}
					step(r)
					if err := r.Close(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func projects(b *testing.B, r *gitrepo.Repo) []gitrepo.ObjectID {
	b.Helper()
	root := tree(b.Context(), b, r)
	ids := make([]gitrepo.ObjectID, 5000)
	for i := range ids {
		e, ok, err := r.Lookup(b.Context(), root, fmt.Sprintf("g%02d/p%04d", i%50, i))
		if err != nil || !ok {
			b.Fatal(ok, err)
		}
		ids[i] = e.ID
	}
	return ids
}

func monorepo(b *testing.B) *gittest.Repo {
	b.Helper()
	g := gittest.New(b, "--bare")
	var in strings.Builder
	for c := range 20 {
		fmt.Fprintf(&in, "commit refs/heads/main\ncommitter A <a@example.com> %d +0000\ndata 1\nc\n", 1700000000+c)
		for i := range 100_000 {
			if c > 0 && i%997 != c {
				continue
			}
			content := fmt.Sprintf("file %d at %d\n", i, c)
			p := i / 20
			fmt.Fprintf(&in, "M 100644 inline g%02d/p%04d/d%d/f%05d\ndata %d\n%s\n", p%50, p, i%3, i, len(content), content)
		}
	}
	g.Input(in.String(), "fast-import", "--quiet")
	g.Git("repack", "-adq")
	return g
}
