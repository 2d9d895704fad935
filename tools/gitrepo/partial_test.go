package gitrepo_test

import (
	"os"
	"path/filepath"
	"testing"

	"slipway/tools/gitrepo"
	"slipway/tools/internal/testkit/gittest"
)

// packs counts the packs of a repository: each fetch of a partial clone adds one.
func packs(tb testing.TB, g *gittest.Repo) int {
	tb.Helper()
	found, err := filepath.Glob(filepath.Join(g.Path(".git/objects/pack"), "*.pack"))
	if err != nil {
		tb.Fatal(err)
	}
	return len(found)
}

// blobs lists the files of a tree as object ids.
func blobs(tb testing.TB, r *gitrepo.Repo, id gitrepo.ObjectID) []gitrepo.ObjectID {
	tb.Helper()
	entries, err := r.Tree(tb.Context(), id)
	if err != nil {
		tb.Fatal(err)
	}
	var ids []gitrepo.ObjectID
	for _, e := range entries {
		if e.Mode.IsTree() {
			ids = append(ids, blobs(tb, r, e.ID)...)
		} else {
			ids = append(ids, e.ID)
		}
	}
	return ids
}

func TestPrefetchIsOneRequest(t *testing.T) {
	for _, filter := range []string{"blob:none", "tree:0"} {
		t.Run(filter, func(t *testing.T) {
			g := sample(t)
			c := g.Clone("--filter="+filter, "--no-checkout")
			r := open(t, c, c.Dir)
			ids := blobs(t, r, tree(t.Context(), t, r))
			before := packs(t, c)
			if before > 2 { // the clone, and all trees at once
				t.Errorf("reading all trees made %d packs", before)
			}
			if here, err := r.Has(t.Context(), ids[0]); here || err != nil {
				t.Errorf("before prefetching, Has = %t, %v", here, err)
			}
			for range 2 { // the second time it finds nothing to do
				if err := r.Prefetch(t.Context(), append(ids, ids...)); err != nil {
					t.Fatal(err)
				}
			}
			if got := packs(t, c); got != before+1 {
				t.Errorf("prefetching added %d packs, not 1", got-before)
			}
			gone(t, g)
			if _, err := r.BlobSizes(t.Context(), ids); err != nil {
				t.Error(err)
			}
			for _, id := range ids {
				if _, err := r.Blob(t.Context(), id); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// gone takes a remote away.
func gone(tb testing.TB, g *gittest.Repo) {
	tb.Helper()
	if err := os.Rename(g.Dir, g.Dir+".gone"); err != nil {
		tb.Fatal(err)
	}
}

func TestPartialCloneWithoutItsRemote(t *testing.T) {
	g := sample(t)
	first := g.ID("HEAD~1")
	blob := gitrepo.ObjectID(g.ID("HEAD:README"))
	c := g.Clone("--filter=blob:none", "--no-checkout")
	gone(t, g)
	r := open(t, c, c.Dir)
	_, err := r.Blob(t.Context(), blob)
	wantFault(t, err, gitrepo.ErrMissing, "must reach the remote origin")
	_, err = r.BlobSize(t.Context(), blob)
	wantFault(t, err, gitrepo.ErrMissing, "must reach the remote origin")
	wantFault(t, r.Prefetch(t.Context(), []gitrepo.ObjectID{blob}), gitrepo.ErrMissing, "must reach the remote origin")
	if here, err := r.Has(t.Context(), blob); here || err != nil {
		t.Errorf("Has = %t, %v", here, err)
	}
	if _, err := r.Commit(t.Context(), first); err != nil {
		t.Errorf("commits are all here, but: %v", err)
	}
	if blobs(t, r, tree(t.Context(), t, r)) == nil {
		t.Error("trees are all here, but have no files")
	}
}

func TestPartialCloneWithoutProgram(t *testing.T) {
	c := sample(t).Clone("--filter=blob:none", "--no-checkout")
	r := openEnv(t, c.Dir, noGit(t))
	ids := blobs(t, r, tree(t.Context(), t, r))
	_, err := r.Blob(t.Context(), ids[0])
	wantFault(t, err, gitrepo.ErrMissing, "must reach the remote")
}
