package registry_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"slipway/tools/internal/retry"
	"slipway/tools/internal/testkit/regtest"
	"slipway/tools/registry"
)

// patient is a policy that never waits.
func patient() retry.Policy {
	return retry.Policy{Attempts: 3, Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }}
}

func newClient(tb testing.TB) *registry.Client {
	tb.Helper()
	return registry.New(registry.Options{Retry: patient()})
}

func repository(r *regtest.Registry, name string) registry.Repository {
	return registry.Repository(r.Repository(name))
}

// image is an OCI manifest with the blobs it names.
type image struct {
	body  []byte
	blobs [][]byte
}

const (
	configType = "application/vnd.oci.image.config.v1+json"
	layerType  = "application/vnd.oci.image.layer.v1.tar"
)

func newImage(tb testing.TB, config string, layers ...string) image {
	tb.Helper()
	img := image{blobs: [][]byte{[]byte(config)}}
	manifest := map[string]any{
		"schemaVersion": 2, "mediaType": registry.MediaTypeManifest,
		"config": describe(configType, []byte(config)),
	}
	var described []registry.Descriptor
	for _, layer := range layers {
		described = append(described, describe(layerType, []byte(layer)))
		img.blobs = append(img.blobs, []byte(layer))
	}
	manifest["layers"] = described
	img.body = marshal(tb, manifest)
	return img
}

func describe(kind string, body []byte) registry.Descriptor {
	return registry.Descriptor{MediaType: kind, Digest: digest(body), Size: int64(len(body))}
}

func marshal(tb testing.TB, v any) []byte {
	tb.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// push stores img under ref.
func push(tb testing.TB, c *registry.Client, repo registry.Repository, ref string, img image) registry.Descriptor {
	tb.Helper()
	for _, blob := range img.blobs {
		if _, err := c.PutBlob(tb.Context(), repo, layerType, blob); err != nil {
			tb.Fatalf("pushing a blob: %v", err)
		}
	}
	d, err := c.Put(tb.Context(), repo, ref, registry.MediaTypeManifest, img.body)
	if err != nil {
		tb.Fatalf("pushing an OCI manifest: %v", err)
	}
	return d
}

func TestPutAndGet(t *testing.T) {
	for name, o := range map[string]regtest.Options{
		"anonymous": {}, "pages": {Pages: 2}, "open tokens": {Bearer: true},
	} {
		t.Run(name, func(t *testing.T) {
			r := regtest.NewWith(t, o)
			c, repo := newClient(t), repository(r, "acme/web")
			img := newImage(t, "{}", "layer")
			want := push(t, c, repo, "v1", img)
			for _, ref := range []string{"v1", string(want.Digest)} {
				if got, err := c.Head(t.Context(), repo, ref); err != nil || got != want {
					t.Errorf("Head(%s) = %v, %v, want %v", ref, got, err, want)
				}
				got, err := c.Get(t.Context(), repo, ref)
				if err != nil || string(got.Bytes) != string(img.body) || got.Descriptor != want {
					t.Errorf("Get(%s) = %v, %v, want %s", ref, got, err, img.body)
				}
			}
			blob, err := c.Blob(t.Context(), repo, digest([]byte("layer")), 5)
			if err != nil || string(blob) != "layer" {
				t.Errorf("Blob() = %q, %v", blob, err)
			}
		})
	}
}

func TestPutByDigest(t *testing.T) {
	r := regtest.New(t)
	c, repo := newClient(t), repository(r, "acme/web")
	d := push(t, c, repo, "", newImage(t, "{}"))
	if _, err := c.Head(t.Context(), repo, string(d.Digest)); err != nil {
		t.Errorf("Head by digest: %v", err)
	}
	r.Reset()
	if _, err := c.Put(t.Context(), repo, string(digest([]byte("other"))), d.MediaType, []byte("{}")); err == nil {
		t.Error("Put under another digest = nil, want an error")
	}
	r.Budget(t, regtest.Budget{})
}

func TestAbsent(t *testing.T) {
	r := regtest.New(t)
	c, repo := newClient(t), repository(r, "acme/web")
	checkAbsent := func(when string) {
		t.Helper()
		for name, verb := range readingVerbs(c, repo) {
			if err := verb(t.Context()); !errors.Is(err, registry.ErrNotFound) {
				t.Errorf("%s, %s = %v, want ErrNotFound", name, when, err)
			}
		}
	}
	checkAbsent("no such repository")
	r.Budget(t, regtest.Budget{Handshakes: 1, Others: 6})
}

// readingVerbs read things of which repo holds at most the tag v1.
func readingVerbs(c *registry.Client, repo registry.Repository) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"Head": func(ctx context.Context) error { _, err := c.Head(ctx, repo, "v1"); return err },
		"Get":  func(ctx context.Context) error { _, err := c.Get(ctx, repo, "v1"); return err },
		"Blob": func(ctx context.Context) error { _, err := c.Blob(ctx, repo, digest([]byte("layer")), 5); return err },
		"Tags": func(ctx context.Context) error { _, err := c.Tags(ctx, repo); return err },
		"Copy": func(ctx context.Context) error { _, err := c.Copy(ctx, repo, "v1", repo+"-copy", "v1"); return err },
		"Files": func(ctx context.Context) error {
			files, err := c.Files(ctx, repo, "v1", "")
			if err == nil {
				err = files.Close()
			}
			return err
		},
	}
}

// writingVerbs change something in repo.
func writingVerbs(c *registry.Client, repo registry.Repository) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"Put": func(ctx context.Context) error {
			_, err := c.Put(ctx, repo, "v2", registry.MediaTypeManifest, []byte(`{"schemaVersion":2}`))
			return err
		},
		"PutBlob":   func(ctx context.Context) error { _, err := c.PutBlob(ctx, repo, layerType, []byte("new")); return err },
		"DeleteTag": func(ctx context.Context) error { return c.DeleteTag(ctx, repo, "v1") },
	}
}

func TestHandshakeIsSharedByRepositories(t *testing.T) {
	tests := map[string]struct {
		options    regtest.Options
		handshakes int
	}{
		"anonymous": {regtest.Options{}, 1},
		"basic":     {regtest.Options{Username: "u", Password: "p"}, 1},
		"bearer":    {regtest.Options{Username: "u", Password: "p", Bearer: true}, 1 + 5}, // a token's scope is a repository
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := regtest.NewWith(t, test.options)
			c := registry.New(registry.Options{Retry: patient(), DockerAuthConfig: authConfig(r.Host, "p")})
			for i := range 20 {
				repo := repository(r, fmt.Sprintf("acme/p%d", i%5))
				if _, err := c.Head(t.Context(), repo, "v1"); !errors.Is(err, registry.ErrNotFound) {
					t.Fatalf("Head() = %v, want ErrNotFound", err)
				}
			}
			r.Budget(t, regtest.Budget{Handshakes: test.handshakes, Others: 20})
		})
	}
}

// authConfig is a docker config for the user u.
func authConfig(host, password string) string {
	return fmt.Sprintf(`{"auths":{%q:{"username":"u","password":%q}}}`, host, password)
}
