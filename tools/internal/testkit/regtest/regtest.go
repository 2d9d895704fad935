// Package regtest is an OCI registry for tests, in the test's own process: empty, on
// 127.0.0.1 over plain http, stricter than most (blobs belong to a repository, and an OCI
// manifest is refused before its parts are there).
//
// Around it, and usable around any http.Handler such as a reverse proxy to a real
// registry, are a log of requests with budgets ([Log]) and injected faults ([Faults]).
package regtest

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
)

// Options make a registry that differs from the plain one.
type Options struct {
	// Username and Password are demanded when they are set.
	Username, Password string
	// Bearer makes clients fetch a token for each repository, with the password if there is one.
	Bearer bool
	// Pages, when not 0, is how many tags a page has at most, with a Link to the next one.
	// Otherwise the registry respects n, and sends no Link.
	Pages int
	// TLS serves https; [Registry.Transport] then trusts the certificate.
	TLS bool
}

// Registry is a running registry.
type Registry struct {
	// Host is its address, e.g. "127.0.0.1:43210".
	Host string
	*Log
	*Faults
	tokens *tokens
	server *httptest.Server
}

// New starts a registry that wants no credentials; it ends with the test.
func New(tb testing.TB) *Registry {
	tb.Helper()
	return NewWith(tb, Options{})
}

// NewWith starts a registry as o says.
func NewWith(tb testing.TB, o Options) *Registry {
	tb.Helper()
	store := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	handler := strict(paged(o.Pages, errorType(store)))
	r := &Registry{tokens: &tokens{}}
	switch {
	case o.Bearer:
		handler = r.tokens.demand(o, handler)
	case o.Username != "":
		handler = demandBasic(o, handler)
	}
	r.Faults = NewFaults(handler)
	r.Log = NewLog(r.Faults)
	r.server = httptest.NewUnstartedServer(r.Log)
	r.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	if o.TLS {
		r.server.StartTLS()
	} else {
		r.server.Start()
	}
	tb.Cleanup(r.server.Close)
	u, err := url.Parse(r.server.URL)
	if err != nil {
		tb.Fatalf("starting the registry: %v", err)
	}
	r.Host = u.Host
	return r
}

// Repository is the full name of a repository there, e.g. "127.0.0.1:43210/acme/web".
func (r *Registry) Repository(name string) string { return r.Host + "/" + name }

// Transport reaches the registry, trusting its certificate.
func (r *Registry) Transport() http.RoundTripper { return r.server.Client().Transport }

// ExpireTokens makes every bearer token given so far worthless.
func (r *Registry) ExpireTokens() { r.tokens.expire() }

// apiVersion is the header by which registries make themselves known.
const apiVersion = "Docker-Distribution-Api-Version"

// errorType gives answers the header, and errors the type, that registries give them;
// the store leaves them out.
func errorType(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(apiVersion, "registry/2.0")
		next.ServeHTTP(&typed{ResponseWriter: w}, r)
	})
}

type typed struct{ http.ResponseWriter }

func (t *typed) WriteHeader(status int) {
	if status >= http.StatusBadRequest {
		t.Header().Set("Content-Type", "application/json")
	}
	t.ResponseWriter.WriteHeader(status)
}
