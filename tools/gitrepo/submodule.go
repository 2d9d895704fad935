package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/format/config"
)

// Submodule returns the repository of the submodule at path: the one checked
// out there, or else the one that was fetched for it. It is closed with r.
func (r *Repo) Submodule(ctx context.Context, path string) (*Repo, error) {
	if !filepath.IsLocal(path) {
		return nil, fmt.Errorf("submodule %q: not a path inside the repository", path)
	}
	path = filepath.ToSlash(filepath.Clean(path))
	r.mu.Lock()
	defer r.mu.Unlock()
	if m := r.modules[path]; m != nil {
		return m, nil
	}
	p, err := r.submodulePlace(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("opening submodule %q: %w", path, err)
	}
	m, err := open(ctx, p, r.env)
	if err != nil {
		return nil, fmt.Errorf("opening submodule %q: %w", path, err)
	}
	m.parent, m.mount = r, path
	r.modules[path] = m
	return m, nil
}

func (r *Repo) submodulePlace(ctx context.Context, path string) (place, error) {
	if r.WorkTree() != "" {
		p, err := placeAt(filepath.Join(r.WorkTree(), filepath.FromSlash(path)))
		if !errors.Is(err, fs.ErrNotExist) {
			return p, err
		}
	}
	name, err := r.submoduleName(ctx, path)
	if err != nil {
		return place{}, err
	}
	for _, dir := range []string{r.place.gitDir, r.place.commonDir} {
		if at := filepath.Join(dir, "modules", filepath.FromSlash(name)); filepath.IsLocal(name) && isGitDir(at) {
			return place{gitDir: at, commonDir: at}, nil
		}
	}
	return place{}, &Fault{kind: ErrSubmodule, text: "it was not fetched",
		hint: "git -C " + quote(r.place.root()) + " submodule update --init -- " + quote(path)}
}

// submoduleName finds the name under which .gitmodules lists path; git keeps
// the submodule's repository under it. Usually it is the path.
func (r *Repo) submoduleName(ctx context.Context, path string) (string, error) {
	content, err := r.gitmodules(ctx)
	if err != nil {
		return "", fmt.Errorf("reading .gitmodules: %w", err)
	}
	raw := config.New()
	if err := config.NewDecoder(strings.NewReader(string(content))).Decode(raw); err != nil {
		return "", fmt.Errorf("reading .gitmodules: %w", err)
	}
	for _, s := range raw.Section("submodule").Subsections {
		if s.Option("path") == path {
			return s.Name, nil
		}
	}
	return path, nil
}

// gitmodules returns the file of the work tree, or of HEAD where there is none.
func (r *Repo) gitmodules(ctx context.Context) ([]byte, error) {
	if r.WorkTree() != "" {
		content, err := os.ReadFile(filepath.Join(r.WorkTree(), ".gitmodules"))
		if !errors.Is(err, fs.ErrNotExist) {
			return content, err
		}
	}
	head, err := r.Commit(ctx, "")
	if err != nil {
		return nil, err
	}
	e, ok, err := r.Lookup(ctx, head.Tree, ".gitmodules")
	if err != nil || !ok {
		return nil, err
	}
	return r.Blob(ctx, e.ID)
}
