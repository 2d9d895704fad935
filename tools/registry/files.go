package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Files returns the file system of the image that ref names as one tar, its layers
// flattened. For an index platform ("linux/arm64") picks the image; "" will do when it
// holds only one. Errors of the layers come from reading. The caller closes it.
func (c *Client) Files(ctx context.Context, repo Repository, ref, platform string) (io.ReadCloser, error) {
	m, err := c.Get(ctx, repo, ref)
	if err != nil {
		return nil, err
	}
	d, err := imageFor(m, platform)
	if err != nil {
		return nil, fmt.Errorf("choosing an image of %s: %w", m.Digest, err)
	}
	img, err := c.image(ctx, repo, d)
	if err != nil {
		return nil, err
	}
	return mutate.Extract(img), nil
}

// image is read through this package's transport; that is go-containerregistry's sign
// not to add retries or a handshake of its own.
func (c *Client) image(ctx context.Context, repo Repository, d Digest) (v1.Image, error) {
	s, err := c.session(ctx, sessionKey{repo: repo, actions: pull})
	if err != nil {
		return nil, err
	}
	img, err := remote.Image(s.repo.Digest(string(d)), remote.WithContext(ctx),
		remote.WithTransport(s.auth), remote.WithAuth(authn.Anonymous))
	if err != nil {
		return nil, fmt.Errorf("reading image %s@%s: %w", repo, d, err)
	}
	return img, nil
}

var (
	errNoPlatform    = errors.New("no image for the platform")
	errManyPlatforms = errors.New("images for several platforms, and none was asked for")
)

// imageFor returns the digest of m itself, or of its only child for platform.
func imageFor(m Manifest, platform string) (Digest, error) {
	if m.MediaType != MediaTypeIndex && m.MediaType != MediaTypeDockerList {
		return m.Digest, nil
	}
	index, err := v1.ParseIndexManifest(bytes.NewReader(m.Bytes))
	if err != nil {
		return "", err
	}
	want := v1.Platform{}
	if platform != "" {
		parsed, err := v1.ParsePlatform(platform)
		if err != nil {
			return "", err
		}
		want = *parsed
	}
	var found []Digest
	for _, child := range index.Manifests {
		if isImage(child) && (child.Platform == nil || child.Platform.Satisfies(want)) {
			found = append(found, Digest(child.Digest.String()))
		}
	}
	switch {
	case len(found) == 0:
		return "", fmt.Errorf("%w %s", errNoPlatform, platform)
	case len(found) > 1 && platform == "":
		return "", errManyPlatforms
	}
	return found[0], nil
}

// isImage leaves out BuildKit's attestations, whose platform is unknown.
func isImage(d v1.Descriptor) bool {
	return d.MediaType.IsImage() && (d.Platform == nil || d.Platform.OS != "unknown")
}
