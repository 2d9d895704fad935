package engine

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"slipway/tools/internal/testkit/servers"
)

// webApp has everything that tends to bring a clock into an image.
func webApp(b string) Request {
	return Request{
		Context: []File{file("src/a", "A"), file("src/b", "B"), link("src/l", "a")},
		Dockerfile: []byte("FROM base AS make\nWORKDIR /src\nCOPY src .\nRUN mkdir out; cat a b > out/ab; echo x > out/x\n" +
			"FROM base\nWORKDIR /app\nRUN echo installed > /tool\nCOPY --from=make /src/out /app/\nENV A=b\nCMD [\"/app/ab\"]\n"),
		NamedContexts: map[string]string{"base": b},
		Annotations:   map[string]string{"org.opencontainers.image.revision": "0123"},
	}
}

// TestReproducible: the same request gives the same digest on any daemon, with
// and without anything cached, locally or in a registry.
func TestReproducible(t *testing.T) {
	realServers(t)
	host := newRegistry(t)
	first, second, third := local(t), local(t), local(t)
	r := webApp(base(t, first, host))
	r.Repository, r.CacheTo = host+"/web", host+"/web:cache"
	digests := map[string]string{}
	digests["empty daemon"] = solve(t, first, r).Digest
	digests["same daemon"] = solve(t, first, r).Digest
	r.CacheTo = ""
	digests["another empty daemon"] = solve(t, second, r).Digest
	r.CacheFrom = []string{host + "/web:cache"}
	cached := solve(t, third, r)
	digests["daemon with a registry cache"] = cached.Digest
	if cached.Ran != 0 || cached.Cached == 0 {
		t.Errorf("with a registry cache: %+v", cached)
	}
	t.Logf("digest %s", digests["empty daemon"]) // TestRootless reads it
	for how, d := range digests {
		if d != digests["empty daemon"] {
			t.Errorf("%s: %s, on the first daemon %s", how, d, digests["empty daemon"])
		}
	}
	m, err := image(t, r.Repository, cached.Digest).Manifest()
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(r.Annotations, m.Annotations); d != "" {
		t.Error(d)
	}
}

// TestRegistryCache: a daemon that knows nothing runs only what changed, also
// when the best cache does not exist.
func TestRegistryCache(t *testing.T) {
	realServers(t)
	host := newRegistry(t)
	first := local(t)
	r := webApp(base(t, first, host))
	r.Repository, r.CacheTo = host+"/web", host+"/web:buildcache-main"
	if got := solve(t, first, r); got.Ran != 6 || got.Cached != 0 {
		t.Errorf("first: %+v", got)
	}
	r.CacheTo, r.CacheFrom = "", []string{host + "/web:buildcache-topic", host + "/web:buildcache-main"}
	if got := solve(t, local(t), r); got.Ran != 0 || got.Cached != 6 {
		t.Errorf("unchanged: %+v", got)
	}
	r.Context[1] = file("src/b", "C")
	got := solve(t, local(t), r)
	if got.Ran != 3 || got.Cached != 3 || got.FirstMiss != "[make 2/4] COPY src ." {
		t.Errorf("one file changed: %+v", got)
	}
	if ab := contents(t, image(t, r.Repository, got.Digest))["app/ab"]; ab != "AC" {
		t.Errorf("app/ab = %q", ab)
	}
}

// TestCacheTrouble: a cache that can be neither read nor written costs a warning.
func TestCacheTrouble(t *testing.T) {
	realServers(t)
	host := newRegistry(t)
	e := local(t)
	r := webApp(base(t, e, host))
	r.Repository = host + "/web"
	broken := brokenFor(t, host, "/v2/cache/")
	r.CacheFrom, r.CacheTo = []string{broken + "/cache:a"}, broken+"/cache:a"
	result, rec, err := trySolve(t.Context(), e, r)
	if err != nil || result.Ran != 6 {
		t.Fatalf("%+v, %v", result, err)
	}
	warnings := 0
	for _, ev := range rec.events {
		if ev.State == StepWarning && strings.Contains(string(ev.Log), broken) {
			warnings++
		}
		if ev.State == StepFailed {
			t.Errorf("%s: %s", ev.Name, ev.Err)
		}
	}
	if warnings != 2 {
		t.Errorf("%d warnings in\n%s", warnings, rec.log())
	}
}

// brokenFor is a registry that refuses what begins with prefix.
func brokenFor(t *testing.T, host, prefix string) string {
	t.Helper()
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: host})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, prefix) {
			http.Error(w, "no", http.StatusForbidden)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

// TestPlatforms: several platforms are one index, with nothing emulated.
func TestPlatforms(t *testing.T) {
	realServers(t)
	e, host := local(t), newRegistry(t)
	r := Request{
		Context:     []File{file("f", "x")},
		Dockerfile:  []byte("FROM scratch\nARG TARGETARCH\nCOPY f /f.${TARGETARCH}\n"),
		Platforms:   []string{"linux/amd64", "linux/arm64"},
		Repository:  host + "/web",
		Annotations: map[string]string{"a": "b"},
	}
	one := solve(t, e, r)
	checkPlatforms(t, r, one)
	if again := solve(t, local(t), r); again.Digest != one.Digest {
		t.Errorf("%s on a second daemon, not %s", again.Digest, one.Digest)
	}
	t.Run("one builder each", func(t *testing.T) {
		opts := Options{
			Builders:  []string{"linux/amd64=" + address(t, e), "linux/arm64=" + address(t, local(t))},
			PushIndex: pushIndex,
		}
		apart := solve(t, open(t, opts), r)
		checkPlatforms(t, r, apart)
		if d := cmp.Diff(one.Platforms, apart.Platforms); d != "" {
			t.Errorf("one builder against two:\n%s", d)
		}
	})
	t.Run("index refused", func(t *testing.T) {
		refused := errors.New("refused")
		opts := Options{
			Builders:  []string{"linux/amd64=" + address(t, e), "linux/arm64=" + address(t, local(t))},
			PushIndex: func(context.Context, string, []Descriptor, map[string]string) (string, error) { return "", refused },
		}
		got, _, err := trySolve(t.Context(), open(t, opts), r)
		if !errors.Is(err, refused) || got.Ran+got.Cached != 2 || got.Digest != "" {
			t.Errorf("result = %+v, error = %v", got, err)
		}
	})
	t.Run("no builder", func(t *testing.T) {
		e := open(t, Options{Builders: []string{"linux/amd64=" + address(t, e)}})
		if _, _, err := trySolve(t.Context(), e, r); err == nil || !strings.Contains(err.Error(), "linux/arm64=") {
			t.Errorf("error = %v", err)
		}
	})
}

func checkPlatforms(t *testing.T, r Request, got Result) {
	t.Helper()
	if got.Ran+got.Cached != 2 || len(got.Platforms) != 2 {
		t.Errorf("%+v", got)
	}
	ref, err := name.NewDigest(r.Repository+"@"+got.Digest, name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	index, err := remote.Index(ref)
	if err != nil {
		t.Fatal(err)
	}
	m, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Manifests) != 2 || m.Annotations["a"] != "b" {
		t.Errorf("index %+v", m)
	}
	for platform, digest := range got.Platforms {
		path := "f." + strings.TrimPrefix(platform, "linux/")
		if c := contents(t, image(t, r.Repository, digest))[path]; c != "x" {
			t.Errorf("%s: %s = %q", platform, path, c)
		}
	}
}

// address is where the daemon of e listens.
func address(t *testing.T, e Engine) string {
	t.Helper()
	return e.(*engine).builders[0].address
}

// pushIndex stands in for the registry client.
func pushIndex(_ context.Context, repository string, manifests []Descriptor, annotations map[string]string) (string, error) {
	return pushIndexOf(repository, manifests, annotations)
}

// TestCredentials: the daemon gets them from the session, for pull and push.
func TestCredentials(t *testing.T) {
	realServers(t)
	host := servers.RegistryWith(t, servers.RegistryOptions{Username: "ci", Password: "pass-word"}).Host
	opts := localOptions(t)
	var asked sync.Map
	opts.Credentials = func(_ context.Context, host string) (string, string, error) {
		asked.Store(host, true)
		return "ci", "pass-word", nil
	}
	e := open(t, opts)
	r := Request{Context: []File{file("f", "x")}, Dockerfile: []byte("FROM scratch\nCOPY f /f\n"), Repository: host + "/a", CacheTo: host + "/a:cache"}
	first := solve(t, e, r)
	from := Request{Dockerfile: []byte("FROM a\n"), NamedContexts: map[string]string{"a": host + "/a@" + first.Digest}, Repository: host + "/b"}
	solve(t, e, from)
	if _, ok := asked.Load(host); !ok {
		t.Errorf("not asked for %s", host)
	}
	anonymous := local(t)
	if _, _, err := trySolve(t.Context(), anonymous, from); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("without credentials: error = %v", err)
	}
}
