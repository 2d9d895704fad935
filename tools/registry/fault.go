package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// ErrNotFound means that the registry itself said that a repository, tag, OCI manifest
// or blob is absent.
var ErrNotFound = errors.New("not found in the registry")

// Fault is a request that went wrong: it was refused, or its answer was unusable, or
// there was none.
type Fault struct {
	Method string
	URL    string // without its query, which may hold a signature
	Status int    // 0 when no whole answer came
	Codes  []string
	Detail string // the registry's own words
	// Credential is the source of the credentials that were tried, or "none".
	Credential string

	host   string
	absent bool
	hint   string
	err    error
}

func (f *Fault) Error() string {
	s := f.Method + " " + f.URL + ":"
	if f.Status != 0 {
		s += fmt.Sprintf(" %d %s", f.Status, http.StatusText(f.Status))
	}
	for _, part := range []string{strings.Join(f.Codes, ", "), f.Detail, errorText(f.err)} {
		if part != "" {
			s = strings.TrimSuffix(s, ":") + ": " + part
		}
	}
	if f.refused() && f.Credential != "" {
		s += " (credentials: " + f.Credential + ")"
	}
	return s
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// Unwrap returns what went wrong below the registry's protocol, such as a network error.
func (f *Fault) Unwrap() error { return f.err }

// Is makes errors.Is(err, ErrNotFound) and errors.Is(err, errors.ErrUnsupported) work.
func (f *Fault) Is(target error) bool {
	switch target {
	case ErrNotFound:
		return f.absent
	case errors.ErrUnsupported:
		// distribution 2.8 takes the tag to be deleted for a digest.
		return f.Status == http.StatusMethodNotAllowed || f.has("UNSUPPORTED") ||
			f.Method == http.MethodDelete && f.has("DIGEST_INVALID")
	}
	return false
}

// Temporary reports whether the same request may well succeed later: the registry
// throttled (429) or was unavailable (503) even after the retries. Other 5xx are plain
// failures.
func (f *Fault) Temporary() bool {
	return f.Status == http.StatusTooManyRequests || f.Status == http.StatusServiceUnavailable
}

func (f *Fault) refused() bool {
	return f.Status == http.StatusUnauthorized || f.Status == http.StatusForbidden
}

func (f *Fault) has(code string) bool {
	for _, c := range f.Codes {
		if c == code {
			return true
		}
	}
	return false
}

// Hint says what a person can do about it, or nothing.
func (f *Fault) Hint() string {
	switch {
	case f.hint != "":
		return f.hint
	case f.Status == http.StatusNotFound && !f.absent && isRead(f.Method):
		return f.host + " answered, but not as a registry does: is the name right, and is a proxy in between?"
	case f.Status == http.StatusUnauthorized && f.Credential == noCredential:
		return "no credentials for " + f.host + " were found: " + howToLogIn(f.host)
	case f.Status == http.StatusUnauthorized:
		return "the credentials from " + f.Credential + " were refused, they may have expired: " + howToLogIn(f.host)
	case f.Status == http.StatusForbidden:
		return "the credentials used (" + f.Credential + ") may not do this in this repository"
	case f.Temporary():
		return f.host + " is throttling or unavailable: try again later"
	}
	return ""
}

func howToLogIn(host string) string {
	if host == gitHubHost {
		return "set GITHUB_TOKEN, or run `docker login " + host + "`"
	}
	if _, ok := parseECR(host); ok {
		return "give AWS credentials that may call ecr:GetAuthorizationToken"
	}
	return "run `docker login " + host + "`"
}

func isRead(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodDelete
}

// errorBody is what a registry says of an error.
type errorBody struct {
	Errors []struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"errors"`
}

// refusal makes the fault of an answer that is not a success.
func refusal(resp *http.Response, body []byte, s *session) *Fault {
	f := answerFault(resp, nil)
	f.Credential, f.host = s.source, s.host
	var said errorBody
	parsed := json.Unmarshal(body, &said) == nil
	for _, e := range said.Errors {
		f.Codes = append(f.Codes, e.Code)
		f.Detail = e.Message
	}
	f.absent = resp.StatusCode == http.StatusNotFound && isRead(f.Method) &&
		resp.Request.URL.Host == s.url.Host && registrySpoke(resp, parsed && len(said.Errors) > 0)
	return f
}

// registrySpoke tells a registry's 404 from that of a proxy or web server on the way,
// which says nothing about what the registry holds. A registry says so with its own
// header or with its error document; an empty answer is anyone's.
func registrySpoke(resp *http.Response, document bool) bool {
	return document || resp.Header.Get("Docker-Distribution-Api-Version") != ""
}

// answerFault is the fault of an answer that cannot be used because of err.
func answerFault(resp *http.Response, err error) *Fault {
	return &Fault{
		Method: resp.Request.Method, URL: bare(resp.Request.URL), host: resp.Request.URL.Host,
		Status: resp.StatusCode, err: err,
	}
}

// requestFault is the fault of a request that had no whole answer. Its context's end is
// not a fault.
func requestFault(req *http.Request, host string, err error) error {
	if ctxErr := req.Context().Err(); ctxErr != nil {
		return ctxErr
	}
	var outer *url.Error
	if errors.As(err, &outer) {
		err = outer.Err // the outer one prints the URL with its query
	}
	return &Fault{Method: req.Method, URL: bare(req.URL), host: host, hint: hintOf(err, host), err: err}
}

// handshakeFault is what the exchange of credentials ended in.
func handshakeFault(req *http.Request, s *session, err error) error {
	var refused *transport.Error
	if !errors.As(err, &refused) || req.Context().Err() != nil {
		return requestFault(req, s.host, err)
	}
	f := &Fault{Method: req.Method, URL: bare(req.URL), host: s.host, Status: refused.StatusCode, Credential: s.source}
	if refused.Request != nil {
		f.Method, f.URL = refused.Request.Method, bare(refused.Request.URL)
	}
	for _, e := range refused.Errors {
		f.Codes = append(f.Codes, string(e.Code))
		f.Detail = e.Message
	}
	if f.Status == http.StatusNotFound {
		f.hint = s.host + " does not answer as a registry does: is the name right?"
	}
	return f
}

func hintOf(err error, host string) string {
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) {
		return hinted.Hint()
	}
	if errors.Is(err, http.ErrSchemeMismatch) {
		return allowPlain(host)
	}
	return ""
}

// bare is the URL without user, query and fragment.
func bare(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}
