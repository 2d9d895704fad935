package regtest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
)

const tokenPath = "/token"

// demandBasic lets through only requests with the password.
func demandBasic(o Options, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !known(o, r) {
			w.Header().Set("WWW-Authenticate", `Basic realm="regtest"`)
			refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")
			return
		}
		next.ServeHTTP(w, r)
	})
}

func known(o Options, r *http.Request) bool {
	user, password, _ := r.BasicAuth()
	return o.Username == "" || user == o.Username && password == o.Password
}

// tokens gives and checks bearer tokens. A token's text is what it allows.
type tokens struct {
	mu         sync.Mutex
	generation int
}

type token struct {
	Generation int
	Scopes     []string // "repository:acme/web:pull,push"
}

func (t *tokens) expire() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.generation++
}

func (t *tokens) current() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.generation
}

func (t *tokens) demand(o Options, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == tokenPath && !known(o, r):
			refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "wrong password")
		case r.URL.Path == tokenPath:
			t.give(w, r)
		case !t.allow(r):
			challenge(w, r)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func (t *tokens) give(w http.ResponseWriter, r *http.Request) {
	text, err := json.Marshal(token{Generation: t.current(), Scopes: r.URL.Query()["scope"]})
	if err != nil {
		panic(err) // strings always marshal
	}
	_, _ = fmt.Fprintf(w, `{"token":%q}`, base64.RawURLEncoding.EncodeToString(text))
}

func (t *tokens) allow(r *http.Request) bool {
	encoded, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	text, err := base64.RawURLEncoding.DecodeString(encoded)
	var shown token
	if !ok || err != nil || json.Unmarshal(text, &shown) != nil || shown.Generation != t.current() {
		return false
	}
	repo, action := wanted(r)
	from := r.URL.Query().Get("from")
	return (repo == "" || shown.covers(repo, action)) && (from == "" || shown.covers(from, "pull"))
}

func (t token) covers(repo, action string) bool {
	for _, scope := range t.Scopes {
		actions, ok := strings.CutPrefix(scope, "repository:"+repo+":")
		if ok && slices.Contains(strings.Split(actions, ","), action) {
			return true
		}
	}
	return false
}

// wanted is the repository and the action on it that a request needs.
func wanted(r *http.Request) (repo, action string) {
	if ClassOf(r) == Handshake {
		return "", ""
	}
	repo, _ = split(r.URL.Path)
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		return repo, "pull"
	case http.MethodDelete:
		return repo, "delete"
	}
	return repo, "push"
}

func challenge(w http.ResponseWriter, r *http.Request) {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	value := fmt.Sprintf(`Bearer realm="%s://%s%s",service="regtest"`, scheme, r.Host, tokenPath)
	if repo, action := wanted(r); repo != "" {
		value += fmt.Sprintf(`,scope="repository:%s:%s"`, repo, action)
	}
	w.Header().Set("WWW-Authenticate", value)
	refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")
}
