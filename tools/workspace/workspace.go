// Package workspace joins the three things that every decision starts from: a
// commit (or a dirty work tree), the build manifest in it, and the content
// hashes of its projects. Everything is read from git objects; the files of the
// work tree matter only where a legacy manifest names a script to run.
package workspace

import (
	"context"
	"fmt"
	"sync"

	"slipway/manifest"
	"slipway/tools/contenthash"
	"slipway/tools/gitrepo"
)

// Options choose what to open.
type Options struct {
	Manifest string // path from the repository's root; "" looks for the usual names
	Rev      string // revision; "" is HEAD
	Dirty    bool   // take the work tree as it is instead of the commit
	// HostPlatform is what projects without platforms are built for.
	HostPlatform string
	// References finds the base images that a Dockerfile names; dynamic says
	// that a variable is in one, so that it could name any.
	References func(dockerfile []byte) (references []string, dynamic bool, err error)
	// Script runs a dependency script of a legacy manifest, a path in the work
	// tree, and returns what it printed; nil refuses.
	Script func(ctx context.Context, workTree, path string) ([]byte, error)
}

// Workspace is one commit of a repository, with its manifest and hashes. It
// is safe for concurrent use.
type Workspace struct {
	Repo     *gitrepo.Repo
	Source   string // the repository's address, however its remote is written; "" when it has none
	Commit   gitrepo.Commit
	Tree     *contenthash.Snapshot
	Manifest *manifest.Manifest
	Warnings []manifest.Warning
	Dirty    bool // Tree holds uncommitted changes

	clean *Workspace // of the commit itself, where Tree is dirty; nil when that cannot be read

	mu        sync.Mutex // guards what follows
	hasher    *contenthash.Hasher
	committed map[string]bool // by project: what isCommitted has found
}

// Open reads the manifest of a commit of repo.
func Open(ctx context.Context, repo *gitrepo.Repo, o Options) (*Workspace, error) {
	commit, err := repo.Commit(ctx, o.Rev)
	if err != nil {
		return nil, err
	}
	w := &Workspace{Repo: repo, Commit: commit, committed: map[string]bool{}}
	remote, err := repo.RemoteURL(ctx)
	if err != nil {
		return nil, err
	}
	w.Source = sourceURL(remote)
	tree := commit.Tree
	if o.Dirty {
		if tree, err = w.snapshot(ctx, o); err != nil {
			return nil, err
		}
	}
	w.Tree = contenthash.NewSnapshot(repo, tree)
	if err := w.load(ctx, o); err != nil {
		return nil, err
	}
	if w.Manifest.Source != "" {
		w.Source = w.Manifest.Source
	}
	w.hasher = contenthash.NewHasher(w.Tree, w.Manifest, contenthash.Options{
		HostPlatform: o.HostPlatform, Pins: pins(w.Manifest.BaseImages, o.References),
	})
	return w, nil
}

// snapshot takes the work tree as it is.
func (w *Workspace) snapshot(ctx context.Context, o Options) (gitrepo.ObjectID, error) {
	tree, err := w.Repo.Snapshot(ctx)
	if err != nil {
		return "", fmt.Errorf("reading the work tree: %w", err)
	}
	if w.Dirty = tree != w.Commit.Tree; !w.Dirty {
		return tree, nil
	}
	o.Dirty = false
	// What the commit itself has does not matter where it is not sound: then
	// everything counts as dirty.
	w.clean, _ = Open(ctx, w.Repo, o)
	return tree, ctx.Err()
}

// String names what is built, for people.
func (w *Workspace) String() string {
	name := fmt.Sprintf("commit %.8s", w.Commit.ID)
	if w.Dirty {
		name += " with uncommitted changes"
	}
	return name
}

// Inputs returns what the project's content hash is made of.
func (w *Workspace) Inputs(ctx context.Context, project string) (contenthash.Inputs, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.hasher.Inputs(ctx, project)
}

// Unmatched returns the rebuild patterns of a project that match nothing.
func (w *Workspace) Unmatched(ctx context.Context, project string) ([]string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.hasher.Unmatched(ctx, project)
}

// Hash returns the content hash of a project. It is marked dirty unless a build
// of the commit itself would see the same.
func (w *Workspace) Hash(ctx context.Context, project string) (contenthash.Hash, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	hash, err := w.hasher.Hash(ctx, project)
	if err != nil || !w.Dirty {
		return hash, err
	}
	committed := w.isCommitted(ctx, project)
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if committed {
		return hash, nil
	}
	return hash.AsDirty(), nil
}

// isCommitted reports whether a build sees nothing but what the commit has: its
// own files, and images of dependencies that are of the commit themselves. An
// equal hash does not say that: a dependency that is not hermetic may hold files
// that no hash has.
func (w *Workspace) isCommitted(ctx context.Context, project string) bool {
	if committed, known := w.committed[project]; known {
		return committed
	}
	p := w.Manifest.Projects[project]
	committed := w.sameHash(ctx, project) && w.sameContext(ctx, p)
	for _, dep := range p.ImageInputs() {
		if dep.Interface == "" {
			committed = committed && w.isCommitted(ctx, dep.Name)
		}
	}
	w.committed[project] = committed
	return committed
}

// sameHash reports whether the project has the hash that it has in the commit.
func (w *Workspace) sameHash(ctx context.Context, project string) bool {
	if w.clean == nil || w.clean.Manifest.Projects[project] == nil {
		return false
	}
	now, err := w.hasher.Hash(ctx, project)
	committed, cleanErr := w.clean.Hash(ctx, project)
	return err == nil && cleanErr == nil && now == committed
}

// sameContext reports whether a build sees nothing but what is hashed or
// committed: one that is not hermetic sees its whole folder.
func (w *Workspace) sameContext(ctx context.Context, p *manifest.Project) bool {
	if p.Hermetic {
		return true
	}
	now, _, err := w.Tree.Lookup(ctx, p.BuildDir)
	committed, _, cleanErr := w.clean.Tree.Lookup(ctx, p.BuildDir)
	return err == nil && cleanErr == nil && now == committed
}
