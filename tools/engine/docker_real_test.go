package engine

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path"
	"strings"
	"sync"
	"testing"

	"slipway/tools/internal/testkit/servers"
)

// dockerEngine is an engine on what dockerEndpoint finds; unlike Open, it does
// not go on to other ways.
func dockerEngine(tb testing.TB, o Options) Engine {
	tb.Helper()
	at, err := dockerEndpoint(tb.Context(), o)
	if err != nil {
		tb.Fatal(err)
	}
	e, err := connect(tb.Context(), o, []*endpoint{at})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := e.Close(); err != nil {
			tb.Error(err)
		}
	})
	return e
}

// web is an image that uses what differs most between BuildKits: a dependency
// as named context, a secret, files with times, a cache in the registry.
func web(base, repository, network string) Request {
	return Request{
		Context: []File{file("a.txt", "A"), executable("bin/b", []byte("B"))},
		Dockerfile: []byte("FROM base AS all\nWORKDIR /w\nCOPY . .\n" +
			"RUN --mount=type=secret,id=key wc -c /run/secrets/key >size\n" +
			"FROM base\nCOPY --from=all /w /w\n"),
		NamedContexts: map[string]string{"base": base},
		Secrets:       map[string][]byte{"key": []byte("hidden")},
		Network:       network,
		Repository:    repository,
		CacheFrom:     []string{repository + ":cache"},
		CacheTo:       repository + ":cache",
	}
}

// TestDockerDigests builds the same on all that a Docker Engine offers and on a
// buildkitd: who builds cannot be seen in the image.
func TestDockerDigests(t *testing.T) {
	realServers(t)
	host := newRegistry(t)
	plain := local(t)
	from := base(t, plain, host)
	want := solve(t, plain, web(from, host+"/plain", "")).Digest
	old := Options{DockerHost: servers.OldDocker(t).Host, BuildKitImage: servers.BuildKitImage(t, host+"/buildkit")}
	modern := Options{DockerHost: servers.NewDocker(t).Host}
	for _, c := range []struct {
		name, engine, network string
		options               Options
	}{
		{"own BuildKit", "BuildKit of Docker Engine", "none", modern}, // the test's Engine has no bridge
		{"own BuildKit without upgrade", "BuildKit of Docker Engine", "none", withoutUpgrade(t, modern)},
		{"container", "BuildKit container slipway-buildkit-", "", old},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := dockerEngine(t, c.options)
			if !strings.HasPrefix(e.String(), c.engine) {
				t.Errorf("engine is %q, want a %q", e, c.engine)
			}
			if again := base(t, e, host); again != from {
				t.Errorf("base image is %s, a buildkitd makes %s", again, from)
			}
			repository := host + "/" + strings.ToLower(path.Base(t.Name()))
			if got := solve(t, e, web(from, repository, c.network)).Digest; got != want {
				t.Errorf("image is %s, a buildkitd makes %s", got, want)
			}
		})
	}
}

// withoutUpgrade puts a proxy before an Engine that leaves out what Engines to
// come leave out: POST /grpc.
func withoutUpgrade(tb testing.TB, o Options) Options {
	tb.Helper()
	api, err := newDockerAPI(o.DockerHost)
	if err != nil {
		tb.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "http", Host: "docker"}) },
		Transport:     h2cTransport(api.dial),
		FlushInterval: -1,
	}
	return Options{DockerHost: serveDocker(tb, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/grpc" || r.URL.Path == "/session" {
			http.Error(w, `{"message":"page not found"}`, http.StatusNotFound)
			return
		}
		proxy.ServeHTTP(w, r)
	}))}
}

// TestDockerContainer holds what is said about the container: made once by
// whoever is first, kept with its cache, and clear when it does not work.
func TestDockerContainer(t *testing.T) {
	realServers(t)
	host := newRegistry(t)
	o := Options{DockerHost: servers.OldDocker(t).Host, BuildKitImage: servers.BuildKitImage(t, host+"/buildkit")}
	openAtOnce(t, o, 3)
	first := containers(t, o)
	if len(first) != 1 {
		t.Fatalf("three runs at once left %d containers, want 1: %v", len(first), first)
	}
	from := base(t, dockerEngine(t, o), host)
	r := web(from, host+"/web", "")
	r.CacheFrom, r.CacheTo = nil, ""
	solve(t, dockerEngine(t, o), r)

	t.Run("started when stopped", func(t *testing.T) {
		stop(t, o, first[0])
		if again := solve(t, dockerEngine(t, o), r); again.Ran != 0 || again.Cached == 0 {
			t.Errorf("after a stop, %d steps ran and %d were cached; want all cached", again.Ran, again.Cached)
		}
		if now := containers(t, o); len(now) != 1 || now[0] != first[0] {
			t.Errorf("containers are %v, want the first, %v", now, first)
		}
	})
	t.Run("ends at once", func(t *testing.T) {
		bad := solve(t, dockerEngine(t, o), Request{
			Dockerfile:    []byte("FROM base\nENTRYPOINT [\"sh\", \"-c\", \"echo out of luck >&2; exit 3\"]\n"),
			NamedContexts: map[string]string{"base": from}, Repository: host + "/bad",
		})
		_, err := dockerEndpoint(t.Context(), Options{DockerHost: o.DockerHost, BuildKitImage: host + "/bad@" + bad.Digest})
		if err == nil || !strings.Contains(err.Error(), "ended with code 3: out of luck") {
			t.Errorf("error is %v, want the container's code and last words", err)
		}
	})
	t.Run("no image", func(t *testing.T) {
		_, err := dockerEndpoint(t.Context(), Options{DockerHost: o.DockerHost, BuildKitImage: host + "/none:v1"})
		if err == nil || !strings.Contains(hintOf(err), host+"/none:v1") {
			t.Errorf("error is %v with hint %q, want one that names the image", err, hintOf(err))
		}
	})
	t.Run("image behind a password", func(t *testing.T) {
		locked := behindPassword(t, host, "ci", "pass word")
		private := Options{DockerHost: o.DockerHost, BuildKitImage: strings.Replace(o.BuildKitImage, host, locked, 1)}
		if _, err := dockerEndpoint(t.Context(), private); err == nil {
			t.Error("the image was pulled without the password")
		}
		private.Credentials = func(_ context.Context, asked string) (string, string, error) {
			if asked != locked {
				t.Errorf("credentials were asked for %s, want %s", asked, locked)
			}
			return "ci", "pass word", nil
		}
		dockerEngine(t, private)
	})
}

// openAtOnce has several runs look for their container at the same time.
func openAtOnce(tb testing.TB, o Options, runs int) {
	tb.Helper()
	var all sync.WaitGroup
	for range runs {
		all.Go(func() {
			if _, err := dockerEndpoint(tb.Context(), o); err != nil {
				tb.Error(err)
			}
		})
	}
	all.Wait()
	if tb.Failed() {
		tb.FailNow()
	}
}

func stop(tb testing.TB, o Options, container string) {
	tb.Helper()
	api, err := newDockerAPI(o.DockerHost)
	if err != nil {
		tb.Fatal(err)
	}
	if err := api.post(tb.Context(), "/containers/"+container+"/stop", nil, struct{}{}, nil); err != nil {
		tb.Fatal(err)
	}
}

// behindPassword serves the registry at host again, to those who know the password.
func behindPassword(tb testing.TB, host, user, password string) string {
	tb.Helper()
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: host})
	}}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if u, p, _ := r.BasicAuth(); u != user || p != password {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			http.Error(w, "who are you", http.StatusUnauthorized)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	tb.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// containers lists the ids of all containers that slipway made.
func containers(tb testing.TB, o Options) []string {
	tb.Helper()
	api, err := newDockerAPI(o.DockerHost)
	if err != nil {
		tb.Fatal(err)
	}
	var found []struct{ ID string }
	query := url.Values{"all": {"1"}, "filters": {`{"label":["slipway.buildkit"]}`}}
	if err := api.get(tb.Context(), "/containers/json", query, &found); err != nil {
		tb.Fatal(err)
	}
	ids := make([]string, 0, len(found))
	for _, c := range found {
		ids = append(ids, c.ID)
	}
	return ids
}
