package registry_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"slipway/tools/internal/testkit/regtest"
	"slipway/tools/internal/testkit/servers"
	"slipway/tools/registry"
)

// What the rest builds on, held against every registry there is to test with.
func TestContract(t *testing.T) {
	hosts := map[string]func(testing.TB) string{
		"in process": func(tb testing.TB) string { return regtest.New(tb).Host },
		"pages":      func(tb testing.TB) string { return regtest.NewWith(tb, regtest.Options{Pages: 3}).Host },
	}
	for name, host := range hosts {
		t.Run(name, func(t *testing.T) { contract(t, host(t)) })
	}
}

func TestContractOnRealServers(t *testing.T) {
	if testing.Short() {
		t.Skip("real servers: left out by -short")
	}
	t.Run("distribution", func(t *testing.T) { contract(t, servers.Registry(t).Host) })
	t.Run("docker-registry", func(t *testing.T) { contract(t, servers.OldRegistry(t).Host) })
}

func contract(t *testing.T, host string) {
	t.Helper()
	c := newClient(t)
	repo := registry.Repository(host + "/acme/web")
	t.Run("absent", func(t *testing.T) {
		for verb, call := range readingVerbs(c, repo) {
			if err := call(t.Context()); !errors.Is(err, registry.ErrNotFound) {
				t.Errorf("%s = %v, want ErrNotFound", verb, err)
			}
		}
	})
	index := pushIndex(t, c, repo)
	t.Run("read back", func(t *testing.T) {
		for _, ref := range []string{"v1", string(index.Digest)} {
			if got, err := c.Head(t.Context(), repo, ref); err != nil || got != index {
				t.Errorf("Head(%s) = %v, %v, want %v", ref, got, err, index)
			}
			if got, err := c.Get(t.Context(), repo, ref); err != nil || got.Descriptor != index {
				t.Errorf("Get(%s) = %v, %v, want %v", ref, got.Descriptor, err, index)
			}
		}
	})
	t.Run("absent tag", func(t *testing.T) {
		if _, err := c.Head(t.Context(), repo, "v2"); !errors.Is(err, registry.ErrNotFound) {
			t.Errorf("Head() = %v, want ErrNotFound", err)
		}
		if _, err := c.Get(t.Context(), repo, string(digest(nil))); !errors.Is(err, registry.ErrNotFound) {
			t.Errorf("Get() = %v, want ErrNotFound", err)
		}
		if _, err := c.Blob(t.Context(), repo, digest([]byte("no such")), 10); !errors.Is(err, registry.ErrNotFound) {
			t.Errorf("Blob() = %v, want ErrNotFound", err)
		}
	})
	t.Run("parts must be there", func(t *testing.T) {
		_, err := c.Put(t.Context(), repo, "v3", registry.MediaTypeManifest, newImage(t, `{"not":"pushed"}`).body)
		var f *registry.Fault
		if !errors.As(err, &f) || errors.Is(err, registry.ErrNotFound) {
			t.Errorf("Put() = %v, want a Fault", err)
		}
	})
	t.Run("copy", func(t *testing.T) {
		to := registry.Repository(host + "/acme/released")
		if got, err := c.Copy(t.Context(), repo, "v1", to, "v1"); err != nil || got != index {
			t.Fatalf("Copy() = %v, %v, want %v", got, err, index)
		}
		checkSame(t, c, repo, to, index.Digest)
	})
	t.Run("record", func(t *testing.T) { contractRecord(t, c, registry.Repository(host+"/slipway/commits")) })
	t.Run("tags", func(t *testing.T) { contractTags(t, c, registry.Repository(host+"/acme/tags")) })
	t.Run("delete", func(t *testing.T) {
		err := c.DeleteTag(t.Context(), repo, "v1")
		if err != nil && !errors.Is(err, errors.ErrUnsupported) {
			t.Fatalf("DeleteTag() = %v, want success or ErrUnsupported", err)
		}
		if _, headErr := c.Head(t.Context(), repo, "v1"); (err == nil) != errors.Is(headErr, registry.ErrNotFound) {
			t.Errorf("after DeleteTag() = %v the tag gives %v", err, headErr)
		}
	})
}

// contractRecord stores a record as slipway writes them: its own artifact type, and the
// empty descriptor for a layer.
func contractRecord(t *testing.T, c *registry.Client, repo registry.Repository) {
	t.Helper()
	const kind = "application/vnd.slipway.commit.v1+json"
	empty := []byte("{}")
	config, err := c.PutBlob(t.Context(), repo, kind, []byte(`{"schema":1}`))
	if err != nil {
		t.Fatal(err)
	}
	layer, err := c.PutBlob(t.Context(), repo, "application/vnd.oci.empty.v1+json", empty)
	if err != nil {
		t.Fatal(err)
	}
	body := marshal(t, map[string]any{
		"schemaVersion": 2, "mediaType": registry.MediaTypeManifest, "artifactType": kind,
		"config": config, "layers": []registry.Descriptor{layer},
		"annotations": map[string]string{"org.opencontainers.image.created": "2020-01-02T03:04:05Z"},
	})
	for range 2 { // a second time changes nothing
		want, err := c.Put(t.Context(), repo, "k-0123", registry.MediaTypeManifest, body)
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.Get(t.Context(), repo, "k-0123")
		if err != nil || got.Descriptor != want || string(got.Bytes) != string(body) {
			t.Errorf("Get() = %v, %v, want %v", got, err, want)
		}
	}
	for d, want := range map[registry.Digest]string{config.Digest: `{"schema":1}`, layer.Digest: "{}"} {
		if got, err := c.Blob(t.Context(), repo, d, 1<<20); err != nil || string(got) != want {
			t.Errorf("Blob(%s) = %q, %v, want %q", d, got, err, want)
		}
	}
}

func contractTags(t *testing.T, c *registry.Client, repo registry.Repository) {
	t.Helper()
	img := newImage(t, "{}")
	var want []string
	for i := range 7 {
		want = append(want, fmt.Sprintf("t-%d", i))
		push(t, c, repo, want[i], img)
	}
	got, err := c.Tags(t.Context(), repo)
	slices.Sort(got)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("Tags() = %v, %v, want %v", got, err, want)
	}
}
