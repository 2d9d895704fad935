package e2e

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"slipway/tools/internal/testkit/regtest"
)

// forward is a handler that passes everything on to a registry.
func forward(tb testing.TB, host string) http.Handler {
	tb.Helper()
	target, err := url.Parse("http://" + host)
	check(tb, err)
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host // uploads go on here, not there
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
}

// serve listens on loopback, and returns the address.
func serve(tb testing.TB, h http.Handler) (host string) {
	tb.Helper()
	server := httptest.NewServer(h)
	tb.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// bill is what requests came to.
type bill struct{ Handshakes, Slipway, BuildKit int }

// billed sums up what a log has noted since its last reset.
func billed(l *regtest.Log) bill {
	var b bill
	for _, r := range l.Requests() {
		switch {
		case r.Class == regtest.Handshake:
			b.Handshakes++
		case strings.HasPrefix(r.Header.Get("User-Agent"), "slipway/"):
			b.Slipway++
		default:
			b.BuildKit++
		}
	}
	return b
}

// trap is a handler before a registry that does something at the n-th write.
type trap struct {
	next http.Handler

	mu     sync.Mutex
	writes []string // those seen, as "PUT /v2/..."
	at     int      // the write to spring at, from 1; 0 is none
	late   bool     // spring when the write is done, before its answer
	spring func()
	sprung bool // nothing is passed on any more
}

// set arms the trap anew.
func (t *trap) set(at int, late bool, spring func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.writes, t.at, t.late, t.spring, t.sprung = nil, at, late, spring, false
}

// seen returns the writes since the trap was set, and whether it has sprung.
func (t *trap) seen() (writes []string, sprung bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]string(nil), t.writes...), t.sprung
}

// ServeHTTP passes requests on until the trap has sprung; then it cuts them.
func (t *trap) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch t.judge(r) {
	case cutNow:
		panic(http.ErrAbortHandler)
	case cutLater:
		t.next.ServeHTTP(httptest.NewRecorder(), r)
		t.close()
		panic(http.ErrAbortHandler)
	case pass:
		t.next.ServeHTTP(w, r)
	}
}

type verdict int

const (
	pass verdict = iota
	cutNow
	cutLater
)

func (t *trap) judge(r *http.Request) verdict {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sprung {
		return cutNow
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return pass
	}
	t.writes = append(t.writes, r.Method+" "+r.URL.Path)
	switch {
	case len(t.writes) != t.at:
		return pass
	case t.late:
		return cutLater
	}
	t.sprung = true
	t.spring()
	return cutNow
}

// close springs after a write.
func (t *trap) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sprung = true
	t.spring()
}
