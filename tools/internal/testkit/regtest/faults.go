package regtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Faults is a handler that does to some requests what its rules say, and passes the
// others on. Rules may be added at any time.
type Faults struct {
	next  http.Handler
	mu    sync.Mutex
	rules []*rule
}

// NewFaults returns a handler without rules in front of next.
func NewFaults(next http.Handler) *Faults { return &Faults{next: next} }

// Rule says which requests are hit, and how.
type Rule struct {
	Method string // "" is any
	Class  Class  // "" is any
	Path   string // a part of the path; "" is any
	Skip   int    // how many fitting requests are let through first
	Times  int    // how many are hit after those; 0 is all
	Do     Fault
}

// Fault is what happens to a request: it stands in for next, and may call it.
type Fault func(next http.Handler) http.Handler

type rule struct {
	Rule
	seen, hit int
}

// Inject adds a rule. When several rules fit a request, the first one that was
// added and is not used up counts. The result tells how many requests were hit so far.
func (f *Faults) Inject(r Rule) (hits func() int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	added := &rule{Rule: r}
	f.rules = append(f.rules, added)
	return func() int {
		f.mu.Lock()
		defer f.mu.Unlock()
		return added.hit
	}
}

// Mend takes all rules away.
func (f *Faults) Mend() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = nil
}

// ServeHTTP applies the first rule that fits.
func (f *Faults) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	next := f.next
	if do := f.choose(r); do != nil {
		next = do(next)
	}
	next.ServeHTTP(w, r)
}

func (f *Faults) choose(r *http.Request) Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, rule := range f.rules {
		if rule.fits(r) {
			rule.hit++
			return rule.Do
		}
	}
	return nil
}

func (r *rule) fits(req *http.Request) bool {
	if r.Method != "" && r.Method != req.Method || r.Class != "" && r.Class != ClassOf(req) || !strings.Contains(req.URL.Path, r.Path) {
		return false
	}
	if r.Times > 0 && r.hit >= r.Times {
		return false
	}
	r.seen++
	return r.seen > r.Skip
}

// Status answers with a registry's error document and never asks the registry.
func Status(status int) Fault {
	body := fmt.Sprintf(`{"errors":[{"code":"%s","message":"injected"}]}`, codeOf(status))
	return Answer(status, http.Header{"Content-Type": {"application/json"}, apiVersion: {"registry/2.0"}}, body)
}

func codeOf(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "UNAUTHORIZED"
	case http.StatusForbidden:
		return "DENIED"
	case http.StatusNotFound:
		return "NAME_UNKNOWN"
	case http.StatusMethodNotAllowed:
		return "UNSUPPORTED"
	case http.StatusTooManyRequests:
		return "TOOMANYREQUESTS"
	}
	return "UNKNOWN"
}

// Throttle answers 429 with Retry-After, in seconds or as a date.
func Throttle(retryAfter string) Fault {
	return Answer(http.StatusTooManyRequests, http.Header{"Retry-After": {retryAfter}}, "")
}

// Answer answers so and never asks the registry.
func Answer(status int, header http.Header, body string) Fault {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for key, values := range header {
				w.Header()[key] = values
			}
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		})
	}
}

// Redirect sends the client to the same path and query at another base, e.g. another
// server's "http://127.0.0.1:4321".
func Redirect(base string) Fault {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, base+r.URL.RequestURI(), http.StatusTemporaryRedirect)
		})
	}
}

// CutBefore ends the connection; the registry never sees the request.
func CutBefore() Fault {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	}
}

// CutAnswer lets the registry do its work, then ends the connection without an answer.
func CutAnswer() Fault {
	return after(func(http.ResponseWriter, *httptest.ResponseRecorder) { panic(http.ErrAbortHandler) })
}

// CutBody ends the connection in the middle of the answer's body.
func CutBody() Fault {
	return after(func(w http.ResponseWriter, got *httptest.ResponseRecorder) {
		body := got.Body.Bytes()
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(got.Code)
		_, _ = w.Write(body[:len(body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
}

// Rewrite changes the answer's body, and its length to match.
func Rewrite(change func([]byte) []byte) Fault {
	return after(func(w http.ResponseWriter, got *httptest.ResponseRecorder) {
		body := change(got.Body.Bytes())
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(got.Code)
		_, _ = w.Write(body)
	})
}

// Truncate halves the body and says nothing of it.
func Truncate() Fault {
	return Rewrite(func(b []byte) []byte { return b[:len(b)/2] })
}

// Header sets a header of the answer, or for "" takes it away.
func Header(name, value string) Fault {
	return after(func(w http.ResponseWriter, got *httptest.ResponseRecorder) {
		w.Header().Set(name, value)
		if value == "" {
			w.Header()[http.CanonicalHeaderKey(name)] = nil
		}
		w.WriteHeader(got.Code)
		_, _ = w.Write(got.Body.Bytes())
	})
}

// HideTags leaves tags out of lists, as a registry does whose lists lag behind.
func HideTags(tags ...string) Fault {
	return Rewrite(func(body []byte) []byte {
		var list tagList
		if json.Unmarshal(body, &list) != nil {
			return body
		}
		list.Tags = slices.DeleteFunc(list.Tags, func(tag string) bool { return slices.Contains(tags, tag) })
		return list.bytes()
	})
}

// Hold tells arrived, then waits for release (or for the client to go) before it
// passes the request on.
func Hold(arrived chan<- struct{}, release <-chan struct{}) Fault {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			select {
			case arrived <- struct{}{}:
			case <-r.Context().Done():
			}
			select {
			case <-release:
				next.ServeHTTP(w, r)
			case <-r.Context().Done():
			}
		})
	}
}

// after runs the registry, then lets finish write its answer, whose headers are set.
func after(finish func(http.ResponseWriter, *httptest.ResponseRecorder)) Fault {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			got := httptest.NewRecorder()
			next.ServeHTTP(got, r)
			for key, values := range got.Header() {
				w.Header()[key] = values
			}
			finish(w, got)
		})
	}
}
