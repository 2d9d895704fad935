package engine

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"slipway/tools/internal/retry"
	"slipway/tools/internal/testkit/regtest"
)

// TestPushRefused: some refusals pass. One is what a registry on a plain file
// system does now and then (docker-registry 2.8): the image and the build cache
// push the same layer at the same time, and the image's manifest is refused for a
// blob that is there.
func TestPushRefused(t *testing.T) {
	realServers(t)
	page := regtest.Answer(http.StatusTooManyRequests, nil, "<html>")
	for name, test := range map[string]struct {
		fault     regtest.Fault
		refused   int
		tries     int
		status    int // of the error; -1 where it has none
		temporary bool
	}{
		"once":               {regtest.Status(http.StatusBadRequest), 1, 2, 0, false},
		"throttled":          {regtest.Status(http.StatusTooManyRequests), 6, 2, 0, false}, // BuildKit itself tries five times, at once
		"always":             {regtest.Status(http.StatusBadRequest), 0, pushAttempts, -1, false},
		"throttled for long": {regtest.Status(http.StatusTooManyRequests), 0, retry.DefaultAttempts, 429, true},
		"by a proxy":         {page, 0, retry.DefaultAttempts, 429, true},
		"unauthorized":       {regtest.Status(http.StatusUnauthorized), 0, 1, 401, false},
		"denied":             {regtest.Status(http.StatusForbidden), 0, 1, 403, false},
	} {
		t.Run(name, func(t *testing.T) {
			opts, waits := localOptions(t), 0
			opts.Retry.Sleep = func(context.Context, time.Duration) error { waits++; return nil }
			e, r := open(t, opts), regtest.New(t)
			hits := r.Inject(regtest.Rule{Method: http.MethodPut, Path: "/web/manifests/sha256:", Times: test.refused, Do: test.fault})
			result, rec, err := trySolve(t.Context(), e, Request{
				Context: []File{file("a", "1")}, Dockerfile: []byte("FROM scratch\nCOPY a /\n"),
				Repository: r.Repository("web"), CacheTo: r.Repository("web:cache"),
			})
			if (err == nil) != (test.status == 0) {
				t.Fatalf("error = %v\n%s", err, rec.log())
			}
			var got RefusedError
			if found := new(RefusedError); errors.As(err, &found) {
				got = *found
			}
			if got.Status != max(test.status, 0) || got.Temporary() != test.temporary {
				t.Errorf("status %d, temporary %t: %v", got.Status, got.Temporary(), err)
			}
			if hits() == 0 || waits != test.tries-1 {
				t.Errorf("refused %d times, waited %d times, want %d", hits(), waits, test.tries-1)
			}
			if result.Ran != 1 || result.Cached != 0 || (result.Digest != "") != (err == nil) {
				t.Errorf("result = %+v", result)
			}
		})
	}
}
