package contenthash_test

import (
	"context"
	"sync/atomic"
	"testing"

	"slipway/tools/contenthash"
	"slipway/tools/gitrepo"
	"slipway/tools/internal/testkit/gittest"
)

// counting counts what is read of a repository.
type counting struct {
	contenthash.Objects
	trees, blobs atomic.Int64
}

func (c *counting) Tree(ctx context.Context, id gitrepo.ObjectID) ([]gitrepo.Entry, error) {
	c.trees.Add(1)
	return c.Objects.Tree(ctx, id)
}

func (c *counting) Blob(ctx context.Context, id gitrepo.ObjectID) ([]byte, error) {
	c.blobs.Add(1)
	return c.Objects.Blob(ctx, id)
}

// open reads what git built.
func open(tb testing.TB, r *gittest.Repo) *gitrepo.Repo {
	tb.Helper()
	repo, err := gitrepo.Open(tb.Context(), gitrepo.Options{Dir: r.Dir, Env: r.Env()})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = repo.Close() })
	return repo
}

// snapshot is the tree of HEAD.
func snapshot(tb testing.TB, r *gittest.Repo) (*contenthash.Snapshot, *counting) {
	tb.Helper()
	objects := &counting{Objects: open(tb, r)}
	return contenthash.NewSnapshot(objects, gitrepo.ObjectID(r.ID("HEAD^{tree}"))), objects
}
