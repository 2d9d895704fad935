package regtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
)

// strict makes blobs belong to the repository that they were pushed to or mounted in,
// and refuses OCI manifests whose blobs are not there. The store behind it has one
// heap of blobs, knows no mounts and checks only an index's children.
func strict(next http.Handler) http.Handler {
	s := &strictStore{next: next, blobs: map[string]bool{}}
	return http.HandlerFunc(s.serve)
}

type strictStore struct {
	next  http.Handler
	mu    sync.Mutex
	blobs map[string]bool // "repository@digest"
}

func (s *strictStore) serve(w http.ResponseWriter, r *http.Request) {
	switch repo, rest := split(r.URL.Path); ClassOf(r) {
	case Uploads:
		s.upload(w, r, repo)
	case Blobs:
		if !s.has(repo, rest) {
			refuse(w, http.StatusNotFound, "BLOB_UNKNOWN", rest)
			return
		}
		s.next.ServeHTTP(w, r)
	case Manifests:
		s.manifest(w, r, repo)
	default:
		s.next.ServeHTTP(w, r)
	}
}

// split cuts "/v2/acme/web/blobs/sha256:..." into "acme/web" and "sha256:...".
func split(path string) (repo, rest string) {
	path = strings.TrimPrefix(path, "/v2/")
	for _, kind := range []string{"/manifests/", "/blobs/uploads/", "/blobs/", "/tags/"} {
		if repo, rest, ok := strings.Cut(path, kind); ok {
			return repo, rest
		}
	}
	return path, ""
}

func (s *strictStore) has(repo, digest string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.blobs[repo+"@"+digest]
}

func (s *strictStore) add(repo, digest string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blobs[repo+"@"+digest] = true
}

func (s *strictStore) upload(w http.ResponseWriter, r *http.Request, repo string) {
	query := r.URL.Query()
	if mount := query.Get("mount"); r.Method == http.MethodPost && s.has(query.Get("from"), mount) {
		s.add(repo, mount)
		w.Header().Set("Location", "/v2/"+repo+"/blobs/"+mount)
		w.Header().Set("Docker-Content-Digest", mount)
		w.WriteHeader(http.StatusCreated)
		return
	}
	// The store holds its lock while it reads a body, which may be coming from itself.
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	seen := &statusWriter{ResponseWriter: w, told: func(status int) {
		if status == http.StatusCreated {
			s.add(repo, query.Get("digest"))
		}
	}}
	s.next.ServeHTTP(seen, r)
}

func (s *strictStore) manifest(w http.ResponseWriter, r *http.Request, repo string) {
	if r.Method != http.MethodPut {
		s.next.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	var m struct {
		Config *struct{ Digest string }
		Layers []struct{ Digest string }
	}
	if err != nil || json.Unmarshal(body, &m) != nil {
		refuse(w, http.StatusBadRequest, "MANIFEST_INVALID", "not JSON")
		return
	}
	if m.Config != nil {
		m.Layers = append(m.Layers, *m.Config)
	}
	for _, blob := range m.Layers {
		if !s.has(repo, blob.Digest) {
			refuse(w, http.StatusBadRequest, "MANIFEST_BLOB_UNKNOWN", blob.Digest)
			return
		}
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	s.next.ServeHTTP(w, r)
}

// refuse answers as a registry does.
func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set(apiVersion, "registry/2.0")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"errors":[{"code":%q,"message":%q}]}`, code, message)
}

type tagList struct {
	Name string   `json:"name"`
	Tags []string `json:"tags"`
}

func (l tagList) bytes() []byte {
	b, err := json.Marshal(l)
	if err != nil {
		panic(err) // strings always marshal
	}
	return b
}

// paged cuts tag lists into pages of size, linked as the specification says.
func paged(size int, next http.Handler) http.Handler {
	if size == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ClassOf(r) != Tags {
			next.ServeHTTP(w, r)
			return
		}
		page(w, r, size, next)
	})
}

func page(w http.ResponseWriter, r *http.Request, size int, next http.Handler) {
	query := r.URL.Query()
	all := r.Clone(r.Context())
	all.URL.RawQuery = ""
	got := httptest.NewRecorder()
	next.ServeHTTP(got, all)
	var list tagList
	if got.Code != http.StatusOK || json.Unmarshal(got.Body.Bytes(), &list) != nil {
		w.WriteHeader(got.Code)
		_, _ = w.Write(got.Body.Bytes())
		return
	}
	for len(list.Tags) > 0 && list.Tags[0] <= query.Get("last") {
		list.Tags = list.Tags[1:]
	}
	if n, err := strconv.Atoi(query.Get("n")); err == nil {
		size = min(size, n)
	}
	if len(list.Tags) > size {
		list.Tags = list.Tags[:size]
		more := url.Values{"n": {strconv.Itoa(size)}, "last": {list.Tags[size-1]}}
		w.Header().Set("Link", fmt.Sprintf(`<%s?%s>; rel="next"`, r.URL.Path, more.Encode()))
	}
	_, _ = w.Write(list.bytes())
}
