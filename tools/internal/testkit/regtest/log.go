package regtest

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// Class is what a request is about.
type Class string

// The classes.
const (
	Handshake Class = "handshake" // GET /v2/ and tokens
	Manifests Class = "manifests"
	Blobs     Class = "blobs"
	Uploads   Class = "uploads"
	Tags      Class = "tags"
	Other     Class = "other"
)

// ClassOf tells a request's class from its path.
func ClassOf(r *http.Request) Class {
	path := r.URL.Path
	switch {
	case path == "/v2/" || path == "/v2" || path == tokenPath:
		return Handshake
	case strings.Contains(path, "/manifests/"):
		return Manifests
	case strings.Contains(path, "/blobs/uploads/"):
		return Uploads
	case strings.Contains(path, "/blobs/"):
		return Blobs
	case strings.HasSuffix(path, "/tags/list"):
		return Tags
	}
	return Other
}

// Request is one that arrived.
type Request struct {
	Method string
	Path   string
	Query  string
	Class  Class
	Header http.Header
	Status int // 0 when the connection was cut before an answer
}

func (r Request) String() string {
	s := fmt.Sprintf("%s %s", r.Method, r.Path)
	if r.Query != "" {
		s += "?" + r.Query
	}
	return fmt.Sprintf("%s -> %d", s, r.Status)
}

// Log is a handler that notes every request and passes it on.
type Log struct {
	next http.Handler
	mu   sync.Mutex
	all  []Request
}

// NewLog returns a log in front of next.
func NewLog(next http.Handler) *Log { return &Log{next: next} }

// ServeHTTP passes r on, and notes it when it was answered.
func (l *Log) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	seen := &statusWriter{ResponseWriter: w}
	entry := Request{Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, Class: ClassOf(r), Header: r.Header.Clone()}
	l.mu.Lock()
	index := len(l.all)
	l.all = append(l.all, entry)
	l.mu.Unlock()
	seen.told = func(status int) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if index < len(l.all) {
			l.all[index].Status = status
		}
	}
	l.next.ServeHTTP(seen, r)
}

// Requests returns what has arrived since the start or the last Reset.
func (l *Log) Requests() []Request {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]Request(nil), l.all...)
}

// Reset forgets the requests. None may be on its way.
func (l *Log) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = nil
}

// Count is how many requests there were with the method ("" is any) and class.
func (l *Log) Count(method string, class Class) int {
	n := 0
	for _, r := range l.Requests() {
		if r.Class == class && (method == "" || r.Method == method) {
			n++
		}
	}
	return n
}

// Budget is how many requests a path may cost.
type Budget struct {
	Handshakes int // GET /v2/ and tokens
	Others     int
}

// Budget fails the test when more requests than b allows have come since the last
// Reset, and shows them.
func (l *Log) Budget(tb testing.TB, b Budget) {
	tb.Helper()
	var spent Budget
	var lines []string
	for _, r := range l.Requests() {
		if r.Class == Handshake {
			spent.Handshakes++
		} else {
			spent.Others++
		}
		lines = append(lines, r.String())
	}
	if spent.Handshakes > b.Handshakes || spent.Others > b.Others {
		tb.Errorf("the path cost %+v requests, its budget is %+v:\n%s", spent, b, strings.Join(lines, "\n"))
	}
}

// statusWriter tells the status as soon as it is known.
type statusWriter struct {
	http.ResponseWriter
	told func(int)
	done bool
}

func (s *statusWriter) WriteHeader(status int) {
	if !s.done {
		s.done = true
		s.told(status)
	}
	s.ResponseWriter.WriteHeader(status)
}

func (s *statusWriter) Write(p []byte) (int, error) {
	if !s.done {
		s.WriteHeader(http.StatusOK)
	}
	return s.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController flush.
func (s *statusWriter) Unwrap() http.ResponseWriter { return s.ResponseWriter }
