package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"strings"

	contentapi "github.com/containerd/containerd/api/services/content/v1"
	"github.com/containerd/platforms"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// assignment is one platform and who builds it; platform is "" when everything
// is built by one builder.
type assignment struct {
	platform string
	builder  *builder
}

// assign chooses a builder for every platform of r. One assignment means that
// one solve does it all.
func (e *engine) assign(r Request) ([]assignment, error) {
	if len(r.Platforms) == 0 {
		b, err := e.builderFor("", r.Repository)
		return []assignment{{builder: b}}, err
	}
	parts, same := make([]assignment, 0, len(r.Platforms)), true
	for _, p := range r.Platforms {
		b, err := e.builderFor(p, r.Repository)
		if err != nil {
			return nil, err
		}
		parts = append(parts, assignment{normalPlatform(p), b})
		same = same && b == parts[0].builder
	}
	if same {
		return []assignment{{builder: parts[0].builder}}, nil
	}
	if e.opts.PushIndex == nil && r.Repository != "" {
		return nil, errors.New("several builders for one image, and no way to push their index")
	}
	return parts, nil
}

// builderFor prefers builders that were named for the platform. Among equals, a
// repository always meets the same one, whose local cache knows it.
func (e *engine) builderFor(platform, repository string) (*builder, error) {
	var named, open []*builder
	for _, b := range e.builders {
		switch {
		case len(b.platforms) == 0:
			open = append(open, b)
		case platform == "" || has(b.platforms, platform):
			named = append(named, b)
		}
	}
	candidates := named
	if len(named) == 0 || platform == "" && len(open) > 0 {
		candidates = open
	}
	if len(candidates) == 0 {
		return nil, fmt.Errorf("no builder for platform %s: give one as %q", platform, platform+"=ADDRESS")
	}
	h := fnv.New32a()
	_, _ = io.WriteString(h, repository)
	return candidates[int(h.Sum32()%uint32(len(candidates)))], nil //nolint:gosec // a small count
}

func has(all []string, platform string) bool {
	for _, p := range all {
		if normalPlatform(p) == normalPlatform(platform) {
			return true
		}
	}
	return false
}

// normalPlatform writes a platform as images do: "linux/arm64" for "linux/arm64/v8".
func normalPlatform(p string) string {
	parsed, err := platforms.Parse(p)
	if err != nil {
		return strings.ToLower(p)
	}
	return platforms.Format(platforms.Normalize(parsed))
}

// platformDigests lists the images that were pushed: the one, or those of the
// index.
func (b *builder) platformDigests(ctx context.Context, r Request, image Descriptor) (map[string]string, error) {
	if len(r.Platforms) <= 1 {
		return b.onePlatform(ctx, r, image)
	}
	raw, err := b.blob(ctx, image)
	if err != nil {
		return nil, fmt.Errorf("reading the pushed index: %w", err)
	}
	var index ocispecs.Index
	if err := json.Unmarshal(raw, &index); err != nil {
		return nil, fmt.Errorf("reading the pushed index: %w", err)
	}
	digests := map[string]string{}
	for _, m := range index.Manifests {
		if m.Platform != nil {
			digests[platforms.Format(platforms.Normalize(*m.Platform))] = m.Digest.String()
		}
	}
	return digests, nil
}

// onePlatform names the platform as asked, or as the builder's own.
func (b *builder) onePlatform(ctx context.Context, r Request, image Descriptor) (map[string]string, error) {
	if len(r.Platforms) == 1 {
		return map[string]string{normalPlatform(r.Platforms[0]): image.Digest}, nil
	}
	workers, err := b.client.ListWorkers(ctx)
	if err != nil {
		return nil, fmt.Errorf("asking %s for its platform: %w", b.name, err)
	}
	if len(workers) == 0 || len(workers[0].Platforms) == 0 {
		return nil, fmt.Errorf("asking %s for its platform: it names none", b.name)
	}
	return map[string]string{platforms.Format(platforms.Normalize(workers[0].Platforms[0])): image.Digest}, nil
}

// blob reads from the daemon's own store what it has just pushed.
func (b *builder) blob(ctx context.Context, d Descriptor) ([]byte, error) {
	stream, err := b.client.ContentClient().Read(ctx, &contentapi.ReadContentRequest{Digest: d.Digest})
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	for {
		part, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return out.Bytes(), nil
		}
		if err != nil {
			return nil, err
		}
		out.Write(part.Data)
	}
}
