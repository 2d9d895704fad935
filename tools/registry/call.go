package registry

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
)

// call is one request to a registry. Its body, when it has one, can be had any number
// of times.
type call struct {
	method string
	url    url.URL
	header http.Header
	body   func() io.ReadCloser
	size   int64
	limit  int64 // of the answer; 0 leaves it unread
}

// at is the URL of something in the session's repository, e.g. at("manifests", "latest").
func (s *session) at(kind, rest string) url.URL {
	u := s.url
	u.Path += kind + "/" + rest
	return u
}

// send returns the successful answer (2xx), which the caller closes, or an error:
// a [*Fault], or the context's.
func (s *session) send(ctx context.Context, c call) (*http.Response, error) {
	if c.limit > 0 {
		ctx = withLimit(ctx, c.limit)
	}
	req, err := c.request(ctx)
	if err != nil {
		return nil, err
	}
	resp, err := s.http.Do(req)
	if err != nil {
		return nil, handshakeFault(req, s, err) // a token may have been asked for again
	}
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		return resp, nil
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	body, err := readAnswer(resp, errorLimit)
	if err != nil {
		body = nil
	}
	return nil, refusal(resp, body, s)
}

func (c call) request(ctx context.Context) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, c.method, c.url.String(), nil)
	if err != nil {
		return nil, err
	}
	for key, values := range c.header {
		req.Header[key] = values
	}
	if c.body != nil && c.size > 0 {
		req.Body = c.body()
		req.GetBody = func() (io.ReadCloser, error) { return c.body(), nil }
		req.ContentLength = c.size
	}
	return req, nil
}

// read sends c and returns the whole answer.
func (s *session) read(ctx context.Context, c call) (*http.Response, []byte, error) {
	resp, err := s.send(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, nil, answerFault(resp, err)
	}
	return resp, body, nil
}

func bytesBody(b []byte) func() io.ReadCloser {
	return func() io.ReadCloser { return io.NopCloser(bytes.NewReader(b)) }
}
