package e2e

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// gate is a web server that RUN instructions ask while they run, so that a test
// knows that a build is going on, and says how it goes on.
type gate struct {
	url     string
	arrived chan struct{} // one for each RUN that has come
	answers chan int      // what each gets: an HTTP status
	gone    chan struct{} // one for each that went away without
}

// newGate starts a gate that answers nobody yet.
func newGate(tb testing.TB) *gate {
	tb.Helper()
	g := &gate{arrived: make(chan struct{}), answers: make(chan int), gone: make(chan struct{}, 8)}
	server := httptest.NewServer(g)
	g.url = server.URL
	tb.Cleanup(server.Close)
	return g
}

// ServeHTTP holds a RUN until it gets its answer, or goes away.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	select {
	case g.arrived <- struct{}{}:
	case <-r.Context().Done():
		return
	}
	select {
	case status := <-g.answers:
		w.WriteHeader(status)
	case <-r.Context().Done():
		g.gone <- struct{}{}
	}
}

// run is a RUN instruction that asks the gate. A status of 500 fails it.
func (g *gate) run() string { return "RUN wget -q -O /dev/null " + g.url + "\n" }

// wait waits until a RUN has come.
func (g *gate) wait(tb testing.TB) {
	tb.Helper()
	select {
	case <-g.arrived:
	case <-time.After(patience):
		tb.Fatal("no RUN came to the gate")
	}
}

// answer gives one RUN, which has come, its status.
func (g *gate) answer(tb testing.TB, status int) {
	tb.Helper()
	select {
	case g.answers <- status:
	case <-time.After(patience):
		tb.Fatal("no RUN waits at the gate")
	}
}

// left waits until a RUN has ended before its answer.
func (g *gate) left(tb testing.TB) {
	tb.Helper()
	select {
	case <-g.gone:
	case <-time.After(patience):
		tb.Fatal("the RUN goes on")
	}
}

// pass answers the next RUN.
func (g *gate) pass(tb testing.TB, status int) {
	tb.Helper()
	g.wait(tb)
	g.answer(tb, status)
}
