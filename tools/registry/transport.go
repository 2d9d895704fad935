package registry

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"slipway/tools/internal/retry"
)

// defaultTransport is net/http's, with room for parallel work on one host and an end
// to the wait for a server that took a request and went silent.
func defaultTransport() http.RoundTripper {
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport
	}
	t = t.Clone()
	t.MaxIdleConnsPerHost = 32
	t.ResponseHeaderTimeout = 5 * time.Minute
	return t
}

// userAgent names the program, in place of the name that lower libraries put there.
type userAgent struct {
	next http.RoundTripper
	name string
}

func (u userAgent) RoundTrip(req *http.Request) (*http.Response, error) {
	if u.name != "" {
		req = req.Clone(req.Context())
		req.Header.Set("User-Agent", u.name)
	}
	return u.next.RoundTrip(req)
}

// plainGuard refuses plain http where it was not allowed, and sends nothing for an
// ended context.
type plainGuard struct {
	next    http.RoundTripper
	allowed func(host string) bool
}

func (g plainGuard) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := req.Context().Err(); err != nil {
		closeBody(req)
		return nil, err
	}
	if req.URL.Scheme != "https" && !g.allowed(req.URL.Host) {
		closeBody(req)
		return nil, plainRefused(req.URL.Host)
	}
	return g.next.RoundTrip(req)
}

type plainRefused string

func (host plainRefused) Error() string {
	return "plain http to " + string(host) + " is not allowed"
}

// Hint says how to allow it.
func (host plainRefused) Hint() string { return allowPlain(string(host)) }

func allowPlain(host string) string {
	return "if " + host + " really speaks plain http, allow it with --insecure-registry " + host
}

// plainAllowed reports whether host, with or without a port, is a loopback address or
// was named by the caller.
func (c *Client) plainAllowed(host string) bool {
	if c.insecure[host] {
		return true
	}
	bare := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		bare = h
	}
	if bare == "localhost" || strings.HasSuffix(bare, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(strings.Trim(bare, "[]"))
	return err == nil && addr.Unmap().IsLoopback()
}

// wholeBodies reads the answers to requests marked with [withLimit] before handing
// them on, so that a cut one is a broken connection to whoever retries.
type wholeBodies struct{ next http.RoundTripper }

type limitKey struct{}

// withLimit marks requests whose answers are to be read whole, up to limit bytes. A
// token may have to be fetched on the way, so the limit is never less than one's size.
func withLimit(ctx context.Context, limit int64) context.Context {
	return context.WithValue(ctx, limitKey{}, max(limit, errorLimit))
}

func (w wholeBodies) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := w.next.RoundTrip(req)
	limit, marked := req.Context().Value(limitKey{}).(int64)
	if err != nil || !marked {
		return resp, err
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	body, err := readAnswer(resp, limit)
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// errorLimit is how much of an error's text, a token or a ping's answer is read.
const errorLimit = 64 << 10

func readAnswer(resp *http.Response, limit int64) ([]byte, error) {
	if resp.StatusCode >= http.StatusMultipleChoices {
		return io.ReadAll(io.LimitReader(resp.Body, errorLimit))
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	if int64(len(body)) > limit {
		return nil, tooLarge(limit)
	}
	return body, nil
}

type tooLarge int64

func (limit tooLarge) Error() string {
	return fmt.Sprintf("the answer is larger than the %d bytes allowed", int64(limit))
}

// retrying sends a request again after 429, 5xx and broken connections. The last
// answer is returned as it is. Requests whose body cannot be had again are sent once.
type retrying struct {
	next   http.RoundTripper
	policy retry.Policy
}

// errBusy stands for an answer that deserves another try.
var errBusy = errors.New("the registry is busy")

func (r retrying) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil && req.Body != http.NoBody && req.GetBody == nil {
		return r.next.RoundTrip(req)
	}
	defer closeBody(req) // each try has its own
	var resp *http.Response
	err := r.policy.Do(req.Context(), func(ctx context.Context) error {
		discard(resp)
		attempt, err := fresh(ctx, req)
		if err != nil {
			return err
		}
		resp, err = r.next.RoundTrip(attempt) //nolint:bodyclose // closed by discard or by the caller
		return verdict(req, resp, err)
	})
	if err == errBusy { //nolint:errorlint // our own, unwrapped
		return resp, nil
	}
	if err != nil {
		discard(resp)
		return nil, err
	}
	return resp, nil
}

// fresh is req with a body that nobody has read yet: also for the first try, because
// the bearer transport above sends one request twice when its token has expired.
func fresh(ctx context.Context, req *http.Request) (*http.Request, error) {
	attempt := req.Clone(ctx)
	if req.GetBody == nil {
		return attempt, nil
	}
	body, err := req.GetBody()
	attempt.Body = body
	return attempt, err
}

func verdict(req *http.Request, resp *http.Response, err error) error {
	switch {
	case err != nil && req.Context().Err() == nil && transient(err):
		return retry.Again(err)
	case err != nil:
		return err
	case resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= 500 && resp.StatusCode != http.StatusNotImplemented:
		return retry.AgainAfter(errBusy, retryAfter(resp.Header))
	}
	return nil
}

// transient tells a connection that broke from one that will never work.
func transient(err error) bool {
	var (
		plain       plainRefused
		large       tooLarge
		record      tls.RecordHeaderError
		alert       tls.AlertError
		certificate *tls.CertificateVerificationError
		authority   x509.UnknownAuthorityError
		name        *net.DNSError
		source      *Fault // of a blob that was to be sent on; it had its own tries
	)
	switch {
	case errors.As(err, &plain), errors.As(err, &large), errors.As(err, &record), errors.As(err, &alert),
		errors.As(err, &certificate), errors.As(err, &authority), errors.As(err, &source):
		return false
	case errors.As(err, &name):
		return !name.IsNotFound
	}
	return true
}

// retryAfter reads both forms of the header. A date counts from the server's own
// clock, which the answer tells.
func retryAfter(h http.Header) time.Duration {
	value := h.Get("Retry-After")
	if seconds, err := strconv.Atoi(value); err == nil {
		return time.Duration(min(max(seconds, 0), 1<<30)) * time.Second
	}
	until, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return 0
	}
	return max(until.Sub(now), 0)
}

func discard(resp *http.Response) {
	if resp == nil {
		return
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, errorLimit)) // so that the connection can be used again
	_ = resp.Body.Close()
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}
