package engine

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
)

// dockerAPI speaks to one Docker Engine. Docker's own client would add some
// forty modules for the ten requests that are made here. Requests carry no API
// version, so that the Engine answers in its own: only fields that are the same
// in all versions since 1.40 are used.
type dockerAPI struct {
	address string
	dial    dialFunc
	http    *http.Client
}

func newDockerAPI(address string) (*dockerAPI, error) {
	if address == "" {
		address = defaultDockerSocket
	}
	dial, err := dockerDialer(address)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
		// One connection a request: a handful are made, and none is left open
		// behind an ssh process.
		DisableKeepAlives: true,
	}
	return &dockerAPI{address: address, dial: dial, http: &http.Client{Transport: transport}}, nil
}

// dockerFault is a request that the Engine did not carry out.
type dockerFault struct {
	address string
	request string // "POST /containers/create"
	status  int    // 0 when no answer came
	message string // the Engine's own words
	err     error  // why no answer came
	hint    string // overrides the one that follows from the rest
}

func (f *dockerFault) Error() string {
	s := "docker engine " + f.address + ": " + f.request + ": "
	if f.err != nil {
		return s + f.err.Error()
	}
	return s + fmt.Sprintf("%d %s: %s", f.status, http.StatusText(f.status), f.message)
}

func (f *dockerFault) Unwrap() error { return f.err }

// Hint says what to do about it, "" when there is nothing better than the error.
func (f *dockerFault) Hint() string {
	switch {
	case f.hint != "":
		return f.hint
	case errors.Is(f.err, fs.ErrPermission):
		return "this user may not use the Docker socket: join its group (docker), use a rootless Engine, or name a BuildKit with --builder"
	case errors.Is(f.err, fs.ErrNotExist), errors.Is(f.err, syscall.ECONNREFUSED):
		return "no Docker Engine runs there: start it, set DOCKER_HOST, or name a BuildKit with --builder"
	}
	return ""
}

// dockerStatus is the status that the Engine answered with, 0 when err is
// something else.
func dockerStatus(err error) int {
	var f *dockerFault
	if errors.As(err, &f) {
		return f.status
	}
	return 0
}

func (d *dockerAPI) get(ctx context.Context, path string, query url.Values, out any) error {
	return d.call(ctx, d.request(http.MethodGet, path, query, nil), out)
}

func (d *dockerAPI) post(ctx context.Context, path string, query url.Values, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	return d.call(ctx, d.request(http.MethodPost, path, query, body), out)
}

func (d *dockerAPI) request(method, path string, query url.Values, body []byte) *http.Request {
	r := &http.Request{
		Method: method,
		URL:    &url.URL{Scheme: "http", Host: "docker", Path: path, RawQuery: query.Encode()},
		Header: http.Header{},
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
		r.ContentLength = int64(len(body))
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	return r
}

// call makes a request whose answer is one JSON value; out may be nil.
func (d *dockerAPI) call(ctx context.Context, r *http.Request, out any) error {
	body, err := d.open(ctx, r)
	if err != nil {
		return err
	}
	defer body.Close() //nolint:errcheck // read only
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(body).Decode(out); err != nil {
		return d.fault(r, fmt.Errorf("reading the answer: %w", err))
	}
	return nil
}

// open makes a request and returns the body of a good answer, for the caller to close.
func (d *dockerAPI) open(ctx context.Context, r *http.Request) (io.ReadCloser, error) {
	answer, err := d.http.Do(r.WithContext(ctx))
	if err != nil {
		var outer *url.Error // says again what the fault says
		if errors.As(err, &outer) {
			err = outer.Err
		}
		return nil, d.fault(r, err)
	}
	if answer.StatusCode >= http.StatusMultipleChoices && answer.StatusCode != http.StatusNotModified {
		defer answer.Body.Close() //nolint:errcheck // read only
		return nil, d.refusal(r, answer)
	}
	return answer.Body, nil
}

func (d *dockerAPI) fault(r *http.Request, err error) *dockerFault {
	return &dockerFault{address: d.address, request: r.Method + " " + r.URL.Path, err: err}
}

func (d *dockerAPI) refusal(r *http.Request, answer *http.Response) *dockerFault {
	const limit = 64 << 10
	body, _ := io.ReadAll(io.LimitReader(answer.Body, limit))
	var said struct{ Message string }
	if json.Unmarshal(body, &said) != nil || said.Message == "" {
		said.Message = strings.TrimSpace(string(body))
	}
	f := d.fault(r, nil)
	f.status, f.message = answer.StatusCode, said.Message
	return f
}

// hijack makes a request that turns its connection into a stream of another
// protocol, and returns that stream. ctx ends the attempt, not the stream.
func (d *dockerAPI) hijack(ctx context.Context, path, protocol string, body []byte) (net.Conn, error) {
	r := d.request(http.MethodPost, path, nil, body)
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", protocol)
	conn, err := d.dial(ctx)
	if err != nil {
		return nil, d.fault(r, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	stream, err := d.upgrade(r, conn)
	if !stop() { // the connection is closed, which err only follows from
		err = d.fault(r, context.Cause(ctx))
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return stream, nil
}

func (d *dockerAPI) upgrade(r *http.Request, conn net.Conn) (net.Conn, error) {
	if err := r.Write(conn); err != nil {
		return nil, d.fault(r, err)
	}
	buffered := bufio.NewReader(conn)
	answer, err := http.ReadResponse(buffered, r)
	if err != nil {
		return nil, d.fault(r, err)
	}
	if answer.StatusCode != http.StatusSwitchingProtocols {
		defer answer.Body.Close() //nolint:errcheck // read only
		return nil, d.refusal(r, answer)
	}
	return &hijacked{Conn: conn, reader: buffered}, nil
}

// hijacked is a connection of which the first bytes may have been read already.
type hijacked struct {
	net.Conn
	reader io.Reader
}

func (h *hijacked) Read(p []byte) (int, error) { return h.reader.Read(p) }
