package registry_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"slipway/tools/internal/testkit/regtest"
	"slipway/tools/registry"
)

// elsewhere sends every request to one server, whatever host it names.
type elsewhere struct {
	to   string
	mu   sync.Mutex // https and http may be tried at once
	seen []string
}

func (e *elsewhere) RoundTrip(req *http.Request) (*http.Response, error) {
	e.mu.Lock()
	e.seen = append(e.seen, req.URL.Scheme+"://"+req.URL.Host)
	e.mu.Unlock()
	if req.URL.Scheme == "https" {
		return nil, errors.New("nothing listens for https")
	}
	out := req.Clone(req.Context())
	out.URL.Host = e.to
	resp, err := http.DefaultTransport.RoundTrip(out)
	if err == nil {
		resp.Request = req
	}
	return resp, err
}

func TestPlainHTTP(t *testing.T) {
	tests := map[string]struct {
		insecure []string
		allowed  bool
	}{
		"127.0.0.1:5000":   {nil, true},
		"127.8.9.10:5000":  {nil, true},
		"[::1]:5000":       {nil, true},
		"localhost":        {nil, true},
		"localhost:5000":   {nil, true},
		"my.localhost:80":  {nil, true},
		"10.0.0.5:5000":    {nil, false}, // go-containerregistry would
		"192.168.1.2":      {nil, false}, // and here
		"ci.local":         {nil, false}, // and here
		"ci.local:5000":    {[]string{"ci.local"}, false},
		"registry.example": {nil, false},
		"10.0.0.5":         {[]string{"10.0.0.5"}, true},
		"nas.example:5000": {[]string{"nas.example:5000"}, true},
	}
	for host, test := range tests {
		t.Run(host, func(t *testing.T) {
			r := regtest.New(t)
			way := &elsewhere{to: r.Host}
			policy := patient()
			policy.Attempts = 1
			c := registry.New(registry.Options{Transport: way, Insecure: test.insecure, Retry: policy})
			_, err := c.Head(t.Context(), registry.Repository(host+"/acme/web"), "v1")
			if test.allowed {
				if !errors.Is(err, registry.ErrNotFound) {
					t.Errorf("Head() = %v, want an answer over plain http", err)
				}
				return
			}
			if len(r.Requests()) != 0 || err == nil {
				t.Errorf("Head() = %v after %v, want a refusal", err, r.Requests())
			}
			for _, seen := range way.seen {
				if strings.HasPrefix(seen, "http://") {
					t.Errorf("a request went to %s", seen)
				}
			}
		})
	}
}

func TestPlainHTTPHint(t *testing.T) {
	// What net/http gives for a server that speaks plain http.
	c := registry.New(registry.Options{Retry: patient(), Transport: mismatch{}})
	for _, host := range []string{"registry.example", "10.0.0.5:5000"} {
		_, err := c.Head(t.Context(), registry.Repository(host+"/acme/web"), "v1")
		var f *registry.Fault
		if !errors.As(err, &f) || !strings.Contains(f.Hint(), "allow it with --insecure-registry") {
			t.Errorf("Head() = %v, want a Fault with a hint", err)
		}
	}
}

type mismatch struct{}

func (mismatch) RoundTrip(*http.Request) (*http.Response, error) { return nil, http.ErrSchemeMismatch }

func TestTLS(t *testing.T) {
	r := regtest.NewWith(t, regtest.Options{TLS: true})
	c := registry.New(registry.Options{Transport: r.Transport(), Retry: patient()})
	repo := repository(r, webRepo)
	push(t, c, repo, "v1", newImage(t, "{}", "layer"))
	for _, request := range r.Requests() {
		if request.Status == 0 || request.Status == http.StatusBadRequest {
			t.Errorf("unexpected %v", request)
		}
	}
	// Another client does not know the certificate, and does not try again or without it.
	r.Reset()
	_, err := newClient(t).Head(t.Context(), repo, "v1")
	var f *registry.Fault
	if !errors.As(err, &f) || errors.Is(err, registry.ErrNotFound) {
		t.Errorf("Head() = %v, want a Fault", err)
	}
	r.Budget(t, regtest.Budget{})
}

// blobStore is a server that keeps what it was sent of credentials.
func blobStore(tb testing.TB, body string) (base string, authorizations *[]string) {
	tb.Helper()
	var seen []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Header.Get("Authorization"))
		_, _ = w.Write([]byte(body))
	}))
	tb.Cleanup(server.Close)
	return server.URL, &seen
}

func TestRedirectsDoNotLeakCredentials(t *testing.T) {
	for name, o := range map[string]regtest.Options{
		"basic": {Username: "u", Password: "p"}, "bearer": {Username: "u", Password: "p", Bearer: true},
	} {
		t.Run(name, func(t *testing.T) {
			r := regtest.NewWith(t, o)
			base, seen := blobStore(t, "layer")
			r.Inject(regtest.Rule{Class: regtest.Blobs, Do: regtest.Redirect(base)})
			c := registry.New(registry.Options{Retry: patient(), DockerAuthConfig: authConfig(r.Host, "p")})
			blob, err := c.Blob(t.Context(), repository(r, webRepo), digest([]byte("layer")), 10)
			if err != nil || string(blob) != "layer" {
				t.Errorf("Blob() = %q, %v", blob, err)
			}
			if len(*seen) != 1 || (*seen)[0] != "" {
				t.Errorf("the blob store was shown %q, want nothing", *seen)
			}
		})
	}
}

// A presigned URL is as good as a password.
func TestFaultsDoNotPrintSignatures(t *testing.T) {
	r := regtest.New(t)
	server := httptest.NewServer(regtest.Status(403)(nil))
	t.Cleanup(server.Close)
	for name, base := range map[string]string{"refused": server.URL, "gone": "http://127.0.0.1:1"} {
		r.Mend()
		r.Inject(regtest.Rule{Class: regtest.Blobs, Do: regtest.Answer(307, http.Header{"Location": {base + "/x?signature=secret"}}, "")})
		_, err := newClient(t).Blob(t.Context(), repository(r, webRepo), digest([]byte("layer")), 10)
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: Blob() = %v, want an error without the signature", name, err)
		}
	}
}

// What is absent from a blob store behind the registry was promised by the registry.
func TestRedirected404IsNotAbsence(t *testing.T) {
	r := regtest.New(t)
	server := httptest.NewServer(regtest.Status(404)(nil))
	t.Cleanup(server.Close)
	r.Inject(regtest.Rule{Class: regtest.Blobs, Do: regtest.Redirect(server.URL)})
	_, err := newClient(t).Blob(t.Context(), repository(r, webRepo), digest([]byte("layer")), 10)
	checkFault(t, "Blob", err, 404, false)
}

func TestRedirectToPlainHTTPIsRefused(t *testing.T) {
	base, seen := blobStore(t, "layer")
	r := regtest.NewWith(t, regtest.Options{TLS: true})
	r.Inject(regtest.Rule{Class: regtest.Blobs, Do: regtest.Redirect(base)})
	c := registry.New(registry.Options{Transport: r.Transport(), Retry: patient()})
	if _, err := c.Blob(t.Context(), repository(r, webRepo), digest([]byte("layer")), 10); err == nil || len(*seen) != 0 {
		t.Errorf("Blob() = %v after %d requests, want a refusal", err, len(*seen))
	}
}

func TestExpiredTokenIsRenewed(t *testing.T) {
	r := regtest.NewWith(t, regtest.Options{Bearer: true})
	c, repo := newClient(t), repository(r, webRepo)
	push(t, c, repo, "v1", newImage(t, "{}", "layer"))
	r.ExpireTokens()
	r.Reset()
	push(t, c, repo, "v2", newImage(t, "{}", "another layer")) // its bodies are sent twice
	r.ExpireTokens()
	if _, err := c.Head(t.Context(), repo, "v2"); err != nil {
		t.Errorf("Head() = %v", err)
	}
	r.Budget(t, regtest.Budget{Handshakes: 2, Others: 10}) // a token for each, one request of each twice
	r.ExpireTokens()
	if _, err := c.Blob(t.Context(), repo, digest([]byte("{}")), 2); err != nil { // less than a token's size
		t.Errorf("Blob() = %v", err)
	}
}

// One caller's end does not fail another who waits for the same handshake.
func TestHandshakeSurvivesACaller(t *testing.T) {
	r := regtest.New(t)
	c, repo := newClient(t), repository(r, webRepo)
	arrived, release := make(chan struct{}), make(chan struct{})
	r.Inject(regtest.Rule{Class: regtest.Handshake, Times: 1, Do: regtest.Hold(arrived, release)})
	ctx, cancel := context.WithCancel(t.Context())
	first, second := make(chan error), make(chan error)
	go func() { _, err := c.Head(ctx, repo, "v1"); first <- err }()
	<-arrived
	go func() { _, err := c.Head(t.Context(), repo, "v1"); second <- err }()
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("the cancelled caller got %v", err)
	}
	if err := <-second; !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("the other caller got %v, want ErrNotFound", err)
	}
	close(release)
}

func TestUserAgent(t *testing.T) {
	r := regtest.NewWith(t, regtest.Options{Bearer: true})
	c := registry.New(registry.Options{Retry: patient(), UserAgent: "slipway/1"})
	_, _ = c.Head(t.Context(), repository(r, webRepo), "v1")
	for _, request := range r.Requests() {
		if got := request.Header.Get("User-Agent"); got != "slipway/1" {
			t.Errorf("%v came from %q", request, got)
		}
	}
}

func TestNamesAreChecked(t *testing.T) {
	r := regtest.New(t)
	c := newClient(t)
	for _, ref := range []string{"", "a/b", "..", "?n=1", "sha256:12", strings.Repeat("x", 129), "v1\n"} {
		if _, err := c.Head(t.Context(), repository(r, webRepo), ref); err == nil {
			t.Errorf("Head(%q) = nil, want an error", ref)
		}
	}
	for _, repo := range []registry.Repository{"", repository(r, "UPPER"), repository(r, "a b"), registry.Repository(r.Host + "/")} {
		if _, err := c.Head(t.Context(), repo, "v1"); err == nil {
			t.Errorf("Head in %q = nil, want an error", repo)
		}
	}
	r.Budget(t, regtest.Budget{})
}

func FuzzDigestValid(f *testing.F) {
	f.Add(string(digest(nil)))
	f.Add("sha256:")
	f.Fuzz(func(t *testing.T, s string) {
		if registry.Digest(s).Valid() && url.PathEscape(s) != s {
			t.Errorf("%q is valid and needs escaping", s)
		}
	})
}

// A host that was found to speak plain http is not asked for https again, and nothing at
// all is sent for an ended context, whatever the transport would do.
func TestWhatIsNotSent(t *testing.T) {
	r := regtest.New(t)
	way := &elsewhere{to: r.Host}
	policy := patient()
	policy.Attempts = 1
	c := registry.New(registry.Options{Transport: way, Retry: policy})
	ctx, cancel := context.WithCancel(t.Context())
	for _, name := range []string{"acme/a", "acme/b", "acme/c"} {
		if _, err := c.Head(ctx, repository(r, name), "v1"); !errors.Is(err, registry.ErrNotFound) {
			t.Fatalf("Head() = %v, want ErrNotFound", err)
		}
	}
	if got := strings.Count(strings.Join(way.seen, " "), "https://"); got != 1 {
		t.Errorf("https was tried %d times, want once: %v", got, way.seen)
	}
	sent := len(way.seen)
	cancel()
	if _, err := c.Put(ctx, repository(r, "acme/a"), "v1", registry.MediaTypeManifest, []byte("{}")); !errors.Is(err, context.Canceled) {
		t.Errorf("Put() = %v, want the context's error", err)
	}
	if _, err := c.Head(ctx, repository(r, "acme/a"), "v1"); !errors.Is(err, context.Canceled) || len(way.seen) != sent {
		t.Errorf("Head() = %v, and %v was sent", err, way.seen[sent:])
	}
}
