package engine

import (
	"errors"
	"testing"

	pb "github.com/moby/buildkit/frontend/gateway/pb"
)

func TestRefused(t *testing.T) {
	const put = "failed to solve: failed to push r:5000/web: unexpected status from PUT request to http://r:5000/v2/web/blobs/uploads/1?digest=sha256%3A60: "
	tests := map[string]struct {
		err       error
		status    int
		temporary bool
		hint      bool
	}{
		"429":              {errors.New(put + "429 Too Many Requests"), 429, true, true},
		"429 with a page":  {errors.New(put + "429 Too Many Requests: <html>"), 429, true, true},
		"503":              {errors.New(put + "503 Service Unavailable"), 503, true, true},
		"500":              {errors.New(put + "500 Internal Server Error"), 500, false, false},
		"401":              {errors.New(put + "401 Unauthorized"), 401, false, true},
		"403":              {errors.New(put + "403 Forbidden"), 403, false, true},
		"throttled pull":   {errors.New("x: failed to resolve source metadata for docker.io/library/x: unexpected status from HEAD request to https://r/v2/x/manifests/1: 429 Too Many Requests\ntoomanyrequests: limit"), 429, true, true},
		"document, 429":    {errors.New("failed to solve: failed to push r:5000/web: toomanyrequests: slow down"), 429, true, true},
		"document, 503":    {errors.New("failed to push r:5000/web: unavailable: later"), 503, true, true},
		"document, 401":    {errors.New("failed to push r:5000/web: unauthorized: no"), 401, false, true},
		"document, 403":    {errors.New("failed to push r:5000/web: denied: no"), 403, false, true},
		"several codes":    {errors.New("failed to push r:5000/web: errors:\ndenied: no\nunknown: x"), 403, false, true},
		"no scope":         {errors.New("failed to push r:5000/web: push access denied, repository does not exist or may require authorization: server message: insufficient_scope"), 401, false, true},
		"document, other":  {errors.New("failed to push r:5000/web: unknown: denied: no"), 0, false, false},
		"something else":   {errors.New("429 Too Many Requests"), 0, false, false},
		"a step's program": {&pb.ExitError{ExitCode: 1, Err: errors.New(`process "echo ` + put + `429 Too"`)}, 0, false, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := refused(test.err)
			if !errors.Is(err, test.err) || err.Error() != test.err.Error() {
				t.Errorf("error = %v", err)
			}
			var got RefusedError
			if found := new(RefusedError); errors.As(err, &found) {
				got = *found
			}
			if got.Status != test.status || got.Temporary() != test.temporary || (got.Hint() != "") != test.hint {
				t.Errorf("status %d, temporary %t, hint %q", got.Status, got.Temporary(), got.Hint())
			}
		})
	}
}
