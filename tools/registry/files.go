package registry

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"

	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Files returns the file system of the image that ref names as one tar, its layers
// flattened. platform ("linux/arm64") picks an index's image, and a plain image has to
// be for it; "" takes this machine's architecture on linux of an index, and a plain
// image whatever it is for. Errors of the layers come from reading. The caller closes it.
func (c *Client) Files(ctx context.Context, repo Repository, ref, platform string) (io.ReadCloser, error) {
	m, err := c.Get(ctx, repo, ref)
	if err != nil {
		return nil, err
	}
	img, err := c.imageFor(ctx, repo, m, platform)
	if err != nil {
		return nil, fmt.Errorf("choosing an image of %s: %w", m.Digest, err)
	}
	return mutate.Extract(img), nil
}

// imageFor is m itself, or its child for platform.
func (c *Client) imageFor(ctx context.Context, repo Repository, m Manifest, platform string) (v1.Image, error) {
	if m.MediaType == MediaTypeIndex || m.MediaType == MediaTypeDockerList {
		child, err := childFor(m, cmp.Or(platform, "linux/"+runtime.GOARCH))
		if err != nil {
			return nil, err
		}
		return c.image(ctx, repo, child)
	}
	img, err := c.image(ctx, repo, m.Digest)
	if err != nil || platform == "" {
		return img, err
	}
	return img, checkPlatform(img, platform)
}

// checkPlatform holds what a plain image says of itself against platform.
func checkPlatform(img v1.Image, platform string) error {
	want, err := v1.ParsePlatform(platform)
	if err != nil {
		return err
	}
	config, err := img.ConfigFile()
	if err != nil {
		return fmt.Errorf("reading its platform: %w", err)
	}
	if own := cmp.Or(config.Platform(), &v1.Platform{}); !own.Satisfies(*want) {
		return fmt.Errorf("%w %s: it is one image, for %q", errNoPlatform, platform, own)
	}
	return nil
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

var errNoPlatform = errors.New("no image for the platform")

// childFor returns the digest of the index m's first image for platform.
func childFor(m Manifest, platform string) (Digest, error) {
	want, err := v1.ParsePlatform(platform)
	if err != nil {
		return "", err
	}
	index, err := v1.ParseIndexManifest(bytes.NewReader(m.Bytes))
	if err != nil {
		return "", err
	}
	for _, child := range index.Manifests {
		if isImage(child) && (child.Platform == nil || child.Platform.Satisfies(*want)) {
			return Digest(child.Digest.String()), nil
		}
	}
	return "", fmt.Errorf("%w %s", errNoPlatform, platform)
}

// isImage leaves out BuildKit's attestations, whose platform is unknown.
func isImage(d v1.Descriptor) bool {
	return d.MediaType.IsImage() && (d.Platform == nil || d.Platform.OS != "unknown")
}
