package workspace

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"slipway/manifest"
	"slipway/tools/contenthash"
)

// names are where a manifest is looked for, in this order.
func names() []string {
	return []string{"build_manifest.json", "build_manifest.yaml", "build_manifest.yml"}
}

// load finds and reads the manifest in the tree.
func (w *Workspace) load(ctx context.Context, o Options) error {
	source := &source{ctx: ctx, w: w, script: o.Script}
	name := o.Manifest
	if name == "" {
		var err error
		if name, err = source.find(); err != nil {
			return err
		}
	}
	if err := inside(name); err != nil {
		return err
	}
	var err error
	w.Manifest, w.Warnings, err = manifest.Load(source, path.Clean(name))
	if errors.Is(err, fs.ErrNotExist) {
		return &NoManifestError{Looked: []string{name}, Where: w.String()}
	}
	return err
}

// inside refuses a path that no commit can hold.
func inside(name string) error {
	problem := "the path leaves the repository"
	if path.IsAbs(name) {
		problem = "the path is absolute"
	} else if filepath.IsLocal(filepath.FromSlash(name)) {
		return nil
	}
	return &ManifestPathError{Path: name, problem: problem}
}

// ManifestPathError says that a manifest was named that is not the repository's.
type ManifestPathError struct{ Path, problem string }

func (e *ManifestPathError) Error() string { return fmt.Sprintf("manifest %q: %s", e.Path, e.problem) }

// Hint says where the path begins.
func (*ManifestPathError) Hint() string {
	return "--manifest is a path from the repository's root, as in ci/build_manifest.json"
}

// Usage marks the error as one of what the command was given.
func (*ManifestPathError) Usage() bool { return true }

// NoManifestError says that there is no manifest where one was looked for.
type NoManifestError struct {
	Looked []string
	Where  string
}

func (e *NoManifestError) Error() string {
	return fmt.Sprintf("no manifest in %s: looked for %s", e.Where, strings.Join(e.Looked, ", "))
}

// Hint says what a manifest is, and the usual mistake.
func (*NoManifestError) Hint() string {
	return "what is built is what is committed: add build_manifest.json and commit it (docs/manifest.md shows one)"
}

// Usage marks the error as one of what the command was given.
func (*NoManifestError) Usage() bool { return true }

// AmbiguousManifestError says that there are several manifests to choose from.
type AmbiguousManifestError struct{ Found []string }

func (e *AmbiguousManifestError) Error() string {
	return fmt.Sprintf("%s are both there", strings.Join(e.Found, " and "))
}

// Hint says how to choose.
func (e *AmbiguousManifestError) Hint() string { return "choose one with --manifest" }

// Usage marks the error as one of what the command was given.
func (e *AmbiguousManifestError) Usage() bool { return true }

// source reads a manifest's files from a tree.
type source struct {
	ctx    context.Context //nolint:containedctx // manifest.Source has no context, and this lives for one call of Load
	w      *Workspace
	script func(ctx context.Context, workTree, path string) ([]byte, error)
}

func (s *source) find() (string, error) {
	var found []string
	for _, name := range names() {
		_, ok, err := s.w.Tree.Lookup(s.ctx, name)
		if err != nil {
			return "", err
		}
		if ok {
			found = append(found, name)
		}
	}
	switch len(found) {
	case 0:
		return "", &NoManifestError{Looked: names(), Where: s.w.String()}
	case 1:
		return found[0], nil
	default:
		return "", &AmbiguousManifestError{Found: found}
	}
}

// ReadFile reads a file of the tree, through symbolic links inside of it.
func (s *source) ReadFile(name string) ([]byte, error) {
	chain, err := s.w.Tree.Follow(s.ctx, name)
	if err != nil {
		return nil, err
	}
	if len(chain) == 0 {
		return nil, fs.ErrNotExist
	}
	return s.w.Repo.Blob(s.ctx, chain[len(chain)-1].ID)
}

// Stat says what a path of the tree is.
func (s *source) Stat(name string) (manifest.Kind, error) {
	entry, ok, err := s.w.Tree.Lookup(s.ctx, name)
	switch {
	case err != nil:
		return "", err
	case !ok:
		return "", fs.ErrNotExist
	case entry.Mode.IsTree():
		return manifest.Directory, nil
	case entry.Mode.IsSymlink():
		return manifest.Symlink, nil
	case entry.Mode.IsSubmodule():
		return manifest.Submodule, nil
	default:
		return manifest.File, nil
	}
}

// RunScript runs a dependency script. It runs in the work tree, so that has to
// hold the same script as the tree that is read.
func (s *source) RunScript(name string) ([]byte, error) {
	workTree := s.w.Repo.WorkTree()
	if s.script == nil || workTree == "" {
		return nil, fmt.Errorf("script %q is not run: there is no work tree to run it in", name)
	}
	want, err := s.ReadFile(name)
	if err != nil {
		return nil, err
	}
	there, err := os.ReadFile(filepath.Join(workTree, filepath.FromSlash(name)))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err != nil || !bytes.Equal(there, want) {
		return nil, fmt.Errorf("script %q is not run: the work tree has not the same as %s", name, s.w)
	}
	return s.script(s.ctx, workTree, name)
}

// pins says which base images of a Dockerfile the manifest replaces.
func pins(
	aliases map[string]string, references func([]byte) ([]string, bool, error),
) func([]byte) ([]contenthash.Pin, error) {
	if len(aliases) == 0 || references == nil {
		return nil
	}
	return func(dockerfile []byte) ([]contenthash.Pin, error) {
		named, dynamic, err := references(dockerfile)
		if err != nil {
			// A Dockerfile that cannot be parsed fails when it is built; until
			// then any of the images may be in it.
			dynamic = true
		}
		var used []contenthash.Pin
		for _, reference := range slices.Sorted(maps.Keys(aliases)) {
			if dynamic || slices.ContainsFunc(named, func(n string) bool { return sameImage(n, reference) }) {
				used = append(used, contenthash.Pin{Reference: reference, Target: aliases[reference]})
			}
		}
		return used, nil
	}
}

// sameImage compares two references as people write them: the hub's host, its
// library and the tag latest may be left out.
func sameImage(a, b string) bool { return familiar(a) == familiar(b) }

func familiar(reference string) string {
	reference = strings.TrimSuffix(reference, ":latest")
	for _, prefix := range []string{"index.docker.io/", "docker.io/", "library/"} {
		reference = strings.TrimPrefix(reference, prefix)
	}
	return reference
}
