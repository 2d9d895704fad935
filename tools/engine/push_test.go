package engine

import (
	"net/http"
	"testing"

	"slipway/tools/internal/testkit/regtest"
)

// TestPushRefusedForOnce is what a registry on a plain file system does now and
// then (docker-registry 2.8): the image and the build cache push the same layer
// at the same time, and the image's manifest is refused for a blob that is there.
func TestPushRefusedForOnce(t *testing.T) {
	realServers(t)
	for name, test := range map[string]struct {
		path    string
		status  int
		refused int
		wants   bool
	}{
		"once":      {"/web/manifests/sha256:", http.StatusBadRequest, 1, true},
		"throttled": {"/web/manifests/sha256:", http.StatusTooManyRequests, 1, true},
		"always":    {"/web/manifests/sha256:", http.StatusBadRequest, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			e, r := local(t), regtest.New(t)
			hits := r.Inject(regtest.Rule{Method: http.MethodPut, Path: test.path, Times: test.refused, Do: regtest.Status(test.status)})
			result, rec, err := trySolve(t.Context(), e, Request{
				Context: []File{file("a", "1")}, Dockerfile: []byte("FROM scratch\nCOPY a /\n"),
				Repository: r.Repository("web"), CacheTo: r.Repository("web:cache"),
			})
			if (err == nil) != test.wants {
				t.Fatalf("error = %v\n%s", err, rec.log())
			}
			if hits() == 0 || hits() > 2*pushAttempts {
				t.Errorf("refused %d times", hits())
			}
			if test.wants && (result.Ran != 1 || result.Cached != 0 || result.Digest == "") {
				t.Errorf("result = %+v", result)
			}
		})
	}
}
