package registry

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
)

// copyJobs is how many blobs of one OCI manifest are copied at a time.
const copyJobs = 4

// Copy copies what ref names, an image or an index with all that it holds, and writes
// tag (or, for "", the digest) last. Digests stay as they are. Within one registry blobs
// are mounted, where the registry can; within one repository only the tag is written.
// Layers that may not be distributed are left where they are.
func (c *Client) Copy(ctx context.Context, from Repository, ref string, to Repository, tag string) (Descriptor, error) {
	m, err := c.Get(ctx, from, ref)
	if err != nil {
		return Descriptor{}, err
	}
	cp, err := c.copier(from, to)
	if err != nil {
		return Descriptor{}, err
	}
	return m.Descriptor, cp.manifest(ctx, m, tag)
}

type copier struct {
	client    *Client
	from, to  Repository
	mountFrom string // the source repository's name when both are in one registry
	mu        sync.Mutex
	done      map[Digest]bool
}

func (c *Client) copier(from, to Repository) (*copier, error) {
	source, err := c.parse(from)
	if err != nil {
		return nil, err
	}
	target, err := c.parse(to)
	if err != nil {
		return nil, err
	}
	cp := &copier{client: c, from: from, to: to, done: map[Digest]bool{}}
	if source.RegistryStr() == target.RegistryStr() {
		cp.mountFrom = source.RepositoryStr()
	}
	return cp, nil
}

// content is what an OCI manifest of any kind refers to.
type content struct {
	Config    *linked  `json:"config"`
	Layers    []linked `json:"layers"`
	Manifests []linked `json:"manifests"`
}

type linked struct {
	Descriptor
	URLs []string `json:"urls"`
}

// external reports a layer that is to be had elsewhere, not from registries.
func (l linked) external() bool {
	return len(l.URLs) > 0 || strings.Contains(l.MediaType, "foreign") || strings.Contains(l.MediaType, "nondistributable")
}

func (l linked) isManifest() bool {
	switch l.MediaType {
	case MediaTypeManifest, MediaTypeIndex, MediaTypeDockerManifest, MediaTypeDockerList:
		return true
	}
	return false // an index of BuildKit's cache lists its layers
}

// manifest copies m's parts, then m.
func (cp *copier) manifest(ctx context.Context, m Manifest, ref string) error {
	if cp.from != cp.to {
		if err := cp.parts(ctx, m); err != nil {
			return err
		}
	}
	_, err := cp.client.Put(ctx, cp.to, ref, m.MediaType, m.Bytes)
	return err
}

func (cp *copier) parts(ctx context.Context, m Manifest) error {
	var has content
	if err := json.Unmarshal(m.Bytes, &has); err != nil {
		return err
	}
	blobs := has.Layers
	if has.Config != nil {
		blobs = append(blobs, *has.Config)
	}
	for _, child := range has.Manifests {
		if !child.isManifest() {
			blobs = append(blobs, child)
		} else if err := cp.child(ctx, child.Digest); err != nil {
			return err
		}
	}
	return cp.blobs(ctx, blobs)
}

func (cp *copier) child(ctx context.Context, d Digest) error {
	if !cp.first(d) {
		return nil
	}
	m, err := cp.client.Get(ctx, cp.from, string(d))
	if err != nil {
		return partMissing(err)
	}
	return cp.manifest(ctx, m, string(d))
}

// partMissing keeps the absence of a part from reading as the absence of the whole.
func partMissing(err error) error {
	var f *Fault
	if !errors.As(err, &f) || !f.absent {
		return err
	}
	part := *f
	part.absent = false
	part.hint = "the registry holds the image, but not all of its parts: build or push it again"
	return &part
}

func (cp *copier) blobs(ctx context.Context, blobs []linked) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(copyJobs)
	for _, blob := range blobs {
		if !blob.external() && cp.first(blob.Digest) {
			group.Go(func() error { return cp.blob(ctx, blob.Descriptor) })
		}
	}
	return group.Wait()
}

func (cp *copier) first(d Digest) bool {
	cp.mu.Lock()
	defer cp.mu.Unlock()
	first := !cp.done[d]
	cp.done[d] = true
	return first
}

func (cp *copier) blob(ctx context.Context, d Descriptor) error {
	key := sessionKey{repo: cp.to, actions: push}
	if cp.mountFrom != "" {
		key.from = cp.from
	}
	s, err := cp.client.session(ctx, key)
	if err != nil {
		return err
	}
	if cp.mountFrom == "" {
		if there, err := s.hasBlob(ctx, d.Digest); err != nil || there {
			return err
		}
	}
	source, err := cp.client.blobSession(ctx, cp.from, d.Digest)
	if err != nil {
		return err
	}
	body := func() io.ReadCloser { return &remoteBlob{ctx: ctx, session: source, digest: d.Digest} }
	return cp.client.withRepository(ctx, cp.to, func() error { return s.upload(ctx, d, cp.mountFrom, body) })
}

// remoteBlob is a blob that is asked for when it is first read.
type remoteBlob struct {
	ctx     context.Context //nolint:containedctx // an io.Reader has nowhere else to have it
	session *session
	digest  Digest
	body    io.ReadCloser
}

func (b *remoteBlob) Read(p []byte) (int, error) {
	if b.body == nil {
		resp, err := b.session.send(b.ctx, call{method: http.MethodGet, url: b.session.at("blobs", string(b.digest))}) //nolint:bodyclose // by Close
		if err != nil {
			return 0, partMissing(err)
		}
		b.body = resp.Body
	}
	return b.body.Read(p)
}

func (b *remoteBlob) Close() error {
	if b.body == nil {
		return nil
	}
	return b.body.Close()
}
