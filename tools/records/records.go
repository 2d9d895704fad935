// Package records reads and writes what has been built: the tag of a content,
// the record of a commit, and the hint that a branch leaves for the next run. It
// owns the names and forms of these in the registry, and the order in which
// they are written: success last.
//
// Reading never lists tags. Only a 404 is absence; everything else that goes
// wrong is an error, never "not built".
package records

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"

	"slipway/tools/contenthash"
	"slipway/tools/registry"
)

// Registry is what the package needs of a registry.
type Registry interface {
	Head(ctx context.Context, repo registry.Repository, ref string) (registry.Descriptor, error)
	Get(ctx context.Context, repo registry.Repository, ref string) (registry.Manifest, error)
	Put(ctx context.Context, repo registry.Repository, ref, mediaType string, body []byte) (registry.Descriptor, error)
	Blob(ctx context.Context, repo registry.Repository, d registry.Digest, limit int64) ([]byte, error)
	PutBlob(ctx context.Context, repo registry.Repository, mediaType string, body []byte) (registry.Descriptor, error)
	Ensure(ctx context.Context, repo registry.Repository) error
}

// Store reads and writes records in one registry. Safe for concurrent use.
type Store struct {
	Layout
	registry Registry
}

// NewStore returns the records of layout in r.
func NewStore(r Registry, layout Layout) *Store { return &Store{Layout: layout, registry: r} }

// Built finds the image of a content: one HEAD. found is false only when the
// registry says that there is no such tag.
func (s *Store) Built(ctx context.Context, project string, h contenthash.Hash) (d registry.Digest, found bool, err error) {
	desc, err := s.registry.Head(ctx, s.Image(project), ContentTag(h))
	if errors.Is(err, registry.ErrNotFound) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("looking up %s of %q: %w", h.Short(), project, err)
	}
	return desc.Digest, true, nil
}

// MarkBuilt records that the image d in the project's repository is what the
// content h builds to, after reading it back by digest; of an index, also the
// image of each platform, which gets a tag of its own first. The last tag is the
// commit point of a build.
func (s *Store) MarkBuilt(ctx context.Context, project string, h contenthash.Hash, d registry.Digest) error {
	if h.Dirty() {
		return fmt.Errorf("recording %q: content %s is not of a commit", project, h.Short())
	}
	image, err := s.registry.Get(ctx, s.Image(project), string(d))
	if err != nil {
		return fmt.Errorf("verifying the image of %q: %w", project, err)
	}
	if image.MediaType == registry.MediaTypeIndex {
		if err := s.markPlatforms(ctx, project, h, image); err != nil {
			return err
		}
	}
	return s.tag(ctx, project, ContentTag(h), image)
}

func (s *Store) markPlatforms(ctx context.Context, project string, h contenthash.Hash, index registry.Manifest) error {
	platforms, err := platformsOf(index)
	if err != nil {
		return fmt.Errorf("verifying the image of %q: %w", project, err)
	}
	for _, platform := range slices.Sorted(maps.Keys(platforms)) {
		image, err := s.registry.Get(ctx, s.Image(project), string(platforms[platform]))
		if err != nil {
			return fmt.Errorf("verifying the image of %q for %s: %w", project, platform, err)
		}
		if err := s.tag(ctx, project, PlatformTag(h, platform), image); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) tag(ctx context.Context, project, tag string, image registry.Manifest) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, err := s.registry.Put(ctx, s.Image(project), tag, image.MediaType, image.Bytes); err != nil {
		return fmt.Errorf("recording %q as built: %w", project, err)
	}
	return nil
}

// platformsOf reads which image an index has for each platform.
func platformsOf(index registry.Manifest) (map[string]registry.Digest, error) {
	var content struct {
		Manifests []struct {
			Digest   registry.Digest `json:"digest"`
			Platform struct {
				OS           string `json:"os"`
				Architecture string `json:"architecture"`
				Variant      string `json:"variant"`
			} `json:"platform"`
		} `json:"manifests"`
	}
	if err := json.Unmarshal(index.Bytes, &content); err != nil {
		return nil, fmt.Errorf("decoding the index: %w", err)
	}
	platforms := map[string]registry.Digest{}
	for _, m := range content.Manifests {
		platforms[path.Join(m.Platform.OS, m.Platform.Architecture, m.Platform.Variant)] = m.Digest
	}
	return platforms, nil
}

// ErrDamaged says that a tag exists but does not hold a record that can be
// used. Nothing was lost: a record only saves requests, and the next one written
// replaces it.
var ErrDamaged = errors.New("damaged record")

// Branch reads the newest commit record of a branch; nil when there is none. It
// is a hint: a digest in it counts only for the content hash beside it. One
// that cannot be used is [ErrDamaged].
func (s *Store) Branch(ctx context.Context, branch string) (*Commit, error) {
	r, err := s.read(ctx, BranchTag(branch))
	if err != nil {
		return nil, fmt.Errorf("reading the record of branch %q: %w", branch, err)
	}
	if r == nil {
		return nil, nil //nolint:nilnil // absence is a value
	}
	return &r.Commit, nil
}

// record is a commit record with the OCI manifest that holds it.
type record struct {
	Commit
	manifest []byte
}

// read returns nil when the tag does not exist.
func (s *Store) read(ctx context.Context, tag string) (*record, error) {
	repo := s.Commits()
	m, err := s.registry.Get(ctx, repo, tag)
	if errors.Is(err, registry.ErrNotFound) {
		return nil, nil //nolint:nilnil // absence is a value
	}
	if err != nil {
		return nil, err
	}
	config, err := configOf(m)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrDamaged, tag, err)
	}
	text, err := s.registry.Blob(ctx, repo, config, maxSize)
	if errors.Is(err, registry.ErrNotFound) {
		return nil, fmt.Errorf("%w: %s: %w", ErrDamaged, tag, err)
	}
	if err != nil {
		return nil, err
	}
	c, err := decode(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrDamaged, tag, err)
	}
	return &record{Commit: c, manifest: m.Bytes}, nil
}

// WriteCommit records a commit of which every project is built, and makes it
// the hint of branch ("" for none). A record of this commit that already says
// the same stays as it is.
func (s *Store) WriteCommit(ctx context.Context, c Commit, branch string) error {
	if err := s.writeCommit(ctx, c, branch); err != nil {
		return fmt.Errorf("recording commit %.12s: %w", c.Commit, err)
	}
	return nil
}

func (s *Store) writeCommit(ctx context.Context, c Commit, branch string) error {
	if err := s.registry.Ensure(ctx, s.Commits()); err != nil {
		return err
	}
	tag := CommitTag(c.Commit)
	there, err := s.read(ctx, tag)
	if err != nil && !errors.Is(err, ErrDamaged) {
		return err
	}
	if !there.says(c) {
		if there, err = s.put(ctx, tag, c); err != nil {
			return err
		}
	}
	if branch == "" {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	_, err = s.registry.Put(ctx, s.Commits(), BranchTag(branch), manifestType, there.manifest)
	return err
}

func (r *record) says(c Commit) bool { return r != nil && r.Says(c) }

// put writes a record: blobs first, then the tag.
func (s *Store) put(ctx context.Context, tag string, c Commit) (*record, error) {
	config, err := encode(c)
	if err != nil {
		return nil, fmt.Errorf("encoding the record: %w", err)
	}
	repo := s.Commits()
	configBlob, err := s.registry.PutBlob(ctx, repo, commitType, config)
	if err != nil {
		return nil, err
	}
	empty, err := s.registry.PutBlob(ctx, repo, emptyType, []byte("{}"))
	if err != nil {
		return nil, err
	}
	body, err := manifestOf(c, configBlob, empty)
	if err != nil {
		return nil, fmt.Errorf("encoding the record: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if _, err := s.registry.Put(ctx, repo, tag, manifestType, body); err != nil {
		return nil, err
	}
	return &record{Commit: c, manifest: body}, nil
}
