package build

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"slipway/tools/contenthash"
	"slipway/tools/engine"
	"slipway/tools/gitrepo"
	"slipway/tools/workspace"
)

// buildContext lists the files that a build sees, below the context's folder: in
// hermetic mode those that were hashed, else all of the commit's. Contents are
// read from git objects when the engine asks for them.
func buildContext(ctx context.Context, w *workspace.Workspace, in contenthash.Inputs) ([]engine.File, error) {
	folder, ok, err := w.Tree.Lookup(ctx, in.Context)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("build context %s does not exist", in.Context)
	}
	entries := in.Files
	if !in.Hermetic {
		entries = []contenthash.Entry{folder}
	}
	l := &lister{root: folder.Path, found: map[*gitrepo.Repo][]contenthash.Entry{}}
	for _, e := range entries {
		if err := l.entry(ctx, place{repo: w.Repo}, e); err != nil {
			return nil, fmt.Errorf("listing the build context: %w", err)
		}
	}
	files, err := l.files(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the build context: %w", err)
	}
	return files, nil
}

// lister finds the entries of trees that belong to a context.
type lister struct {
	root  string // folder of the context; only what is below it counts
	found map[*gitrepo.Repo][]contenthash.Entry
}

// place is where entries are read: a repository, and the path at which a
// submodule has it.
type place struct {
	repo  *gitrepo.Repo
	mount string // "" for the main repository, else "libs/sub/"
}

func (l *lister) entry(ctx context.Context, at place, e contenthash.Entry) error {
	if !l.concerns(e) {
		return nil
	}
	switch {
	case e.Mode.IsTree():
		return l.folder(ctx, at, e)
	case e.Mode.IsSubmodule():
		return l.submodule(ctx, at, e)
	default:
		l.found[at.repo] = append(l.found[at.repo], e)
		return nil
	}
}

// concerns reports whether e lies below the context's folder, or holds it.
func (l *lister) concerns(e contenthash.Entry) bool {
	if l.root == "" || strings.HasPrefix(e.Path, l.root+"/") {
		return true
	}
	return e.Path == "" || e.Path == l.root || strings.HasPrefix(l.root, e.Path+"/")
}

func (l *lister) relative(p string) string {
	if l.root == "" {
		return p
	}
	return strings.TrimPrefix(p, l.root+"/")
}

func (l *lister) folder(ctx context.Context, at place, e contenthash.Entry) error {
	children, err := at.repo.Tree(ctx, e.ID)
	if err != nil {
		return fmt.Errorf("reading folder %q: %w", e.Path, err)
	}
	for _, child := range children {
		below := contenthash.Entry{Path: strings.TrimPrefix(e.Path+"/"+child.Name, "/"), Mode: child.Mode, ID: child.ID}
		if err := l.entry(ctx, at, below); err != nil {
			return err
		}
	}
	return nil
}

// submodule lists the files of the commit that the submodule is at.
func (l *lister) submodule(ctx context.Context, at place, e contenthash.Entry) error {
	module, err := at.repo.Submodule(ctx, strings.TrimPrefix(e.Path, at.mount))
	if err != nil {
		return err
	}
	commit, err := module.Commit(ctx, string(e.ID))
	if err != nil {
		return fmt.Errorf("reading submodule %q: %w", e.Path, err)
	}
	inside := place{repo: module, mount: e.Path + "/"}
	return l.folder(ctx, inside, contenthash.Entry{Path: e.Path, Mode: gitrepo.ModeTree, ID: commit.Tree})
}

// files describes what was found, sorted by path. Each repository is asked once
// for everything.
func (l *lister) files(ctx context.Context) ([]engine.File, error) {
	var files []engine.File
	for repo, entries := range l.found {
		ids := make([]gitrepo.ObjectID, len(entries))
		for i, e := range entries {
			ids[i] = e.ID
		}
		if err := repo.Prefetch(ctx, ids); err != nil {
			return nil, err
		}
		sizes, err := repo.BlobSizes(ctx, ids)
		if err != nil {
			return nil, err
		}
		for i, e := range entries {
			file, err := describe(ctx, repo, e, sizes[i])
			if err != nil {
				return nil, err
			}
			file.Path = l.relative(e.Path)
			files = append(files, file)
		}
	}
	slices.SortFunc(files, func(a, b engine.File) int { return strings.Compare(a.Path, b.Path) })
	return files, nil
}

func describe(ctx context.Context, repo *gitrepo.Repo, e contenthash.Entry, size int64) (engine.File, error) {
	if e.Mode.IsSymlink() {
		target, err := repo.Blob(ctx, e.ID)
		if err != nil {
			return engine.File{}, fmt.Errorf("symbolic link %q: %w", e.Path, err)
		}
		return engine.File{Mode: fs.ModeSymlink | 0o777, Linkname: string(target)}, nil
	}
	mode := fs.FileMode(0o644)
	if e.Mode.IsExecutable() {
		mode = 0o755
	}
	open := func(ctx context.Context) (io.ReadCloser, error) {
		content, err := repo.Blob(ctx, e.ID)
		if err != nil {
			return nil, err
		}
		return io.NopCloser(bytes.NewReader(content)), nil
	}
	return engine.File{Mode: mode, Size: size, Open: open}, nil
}
