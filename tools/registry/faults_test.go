package registry_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"slipway/tools/internal/retry"
	"slipway/tools/internal/testkit/regtest"
	"slipway/tools/registry"
)

const webRepo = "acme/web"

// withImage starts a registry whose acme/web holds one image as v1.
func withImage(tb testing.TB) *regtest.Registry {
	tb.Helper()
	r := regtest.New(tb)
	push(tb, newClient(tb), repository(r, webRepo), "v1", newImage(tb, "{}", "layer"))
	r.Reset()
	return r
}

func allVerbs(c *registry.Client, repo registry.Repository) map[string]func(context.Context) error {
	verbs := readingVerbs(c, repo)
	for name, verb := range writingVerbs(c, repo) {
		verbs[name] = verb
	}
	return verbs
}

func TestFaultClassesAtEveryVerb(t *testing.T) {
	tests := map[string]struct {
		fault     regtest.Fault
		status    int
		temporary bool
		tries     int
	}{
		"400":          {regtest.Status(400), 400, false, 1},
		"401":          {regtest.Status(401), 401, false, 1},
		"403":          {regtest.Status(403), 403, false, 1},
		"405":          {regtest.Status(405), 405, false, 1},
		"409":          {regtest.Status(409), 409, false, 1},
		"429":          {regtest.Status(429), 429, true, 3},
		"429 for long": {regtest.Throttle("86400"), 429, true, 1},
		"500":          {regtest.Status(500), 500, false, 3},
		"501":          {regtest.Status(501), 501, false, 1},
		"502":          {regtest.Status(502), 502, false, 3},
		"503":          {regtest.Status(503), 503, true, 3},
		"504":          {regtest.Status(504), 504, false, 3},
		"no answer":    {regtest.CutBefore(), 0, false, 3},
		"lost answer":  {regtest.CutAnswer(), 0, false, 3},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := withImage(t)
			hits := r.Inject(regtest.Rule{Path: webRepo, Do: test.fault})
			for verb, call := range allVerbs(newClient(t), repository(r, webRepo)) {
				before := hits()
				checkFault(t, verb, call(t.Context()), test.status, test.temporary)
				// The transport of net/http itself sends a GET again when a kept connection broke.
				if tries := hits() - before; tries < test.tries || test.status != 0 && tries != test.tries {
					t.Errorf("%s was tried %d times, want %d", verb, tries, test.tries)
				}
			}
		})
	}
}

func checkFault(t *testing.T, verb string, err error, status int, temporary bool) {
	t.Helper()
	var f *registry.Fault
	if !errors.As(err, &f) {
		t.Errorf("%s = %v, want a Fault", verb, err)
		return
	}
	if f.Status != status || f.Temporary() != temporary || errors.Is(err, registry.ErrNotFound) {
		t.Errorf("%s = status %d, temporary %t, absent %t, want status %d, temporary %t", verb,
			f.Status, f.Temporary(), errors.Is(err, registry.ErrNotFound), status, temporary)
	}
	if !strings.Contains(err.Error(), f.Method+" http://") {
		t.Errorf("%s = %q, which does not name the request", verb, err)
	}
}

func TestEveryVerbGetsOverPassingFaults(t *testing.T) {
	faults := map[string]regtest.Fault{
		"429": regtest.Throttle("0"), "500": regtest.Status(500), "503": regtest.Status(503),
		"no answer": regtest.CutBefore(), "lost answer": regtest.CutAnswer(), "cut body": regtest.CutBody(),
	}
	for name, fault := range faults {
		for verb := range allVerbs(newClient(t), "example.com/x") {
			t.Run(name+"/"+verb, func(t *testing.T) {
				r := withImage(t)
				call := allVerbs(newClient(t), repository(r, webRepo))[verb]
				r.Inject(regtest.Rule{Path: webRepo, Times: 1, Do: fault})
				err := call(t.Context())
				if verb == "DeleteTag" && (name == "lost answer" || name == "cut body") && errors.Is(err, registry.ErrNotFound) {
					return // it is gone, by the first try
				}
				if err != nil {
					t.Errorf("%s = %v, want success", verb, err)
				}
			})
		}
	}
}

func TestPassingFaultsInTheHandshake(t *testing.T) {
	for name, fault := range map[string]regtest.Fault{
		"429": regtest.Throttle("0"), "503": regtest.Status(503), "no answer": regtest.CutBefore(), "cut body": regtest.CutBody(),
	} {
		for skip := range 2 { // the ping, the token
			t.Run(name, func(t *testing.T) {
				r := regtest.NewWith(t, regtest.Options{Bearer: true})
				r.Inject(regtest.Rule{Class: regtest.Handshake, Skip: skip, Times: 1, Do: fault})
				_, err := newClient(t).Head(t.Context(), repository(r, webRepo), "v1")
				if !errors.Is(err, registry.ErrNotFound) {
					t.Errorf("Head() = %v, want ErrNotFound", err)
				}
			})
		}
	}
}

func TestLastingFaultsInTheHandshake(t *testing.T) {
	for _, status := range []int{401, 403, 404, 429, 500, 503} {
		r := regtest.NewWith(t, regtest.Options{Bearer: true})
		r.Inject(regtest.Rule{Class: regtest.Handshake, Path: "/token", Do: regtest.Status(status)})
		for verb, call := range allVerbs(newClient(t), repository(r, webRepo)) {
			checkFault(t, verb, call(t.Context()), status, status == 429 || status == 503)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	date := time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
	throttled := func(retryAfter string) regtest.Fault {
		return regtest.Answer(429, http.Header{
			"Retry-After": {retryAfter}, "Date": {date.Format(http.TimeFormat)},
		}, "")
	}
	tests := map[string]struct {
		value string
		want  time.Duration // at least
	}{
		"seconds":  {"7", 7 * time.Second},
		"date":     {date.Add(9 * time.Second).Format(http.TimeFormat), 9 * time.Second},
		"past":     {date.Add(-time.Hour).Format(http.TimeFormat), time.Millisecond},
		"negative": {"-5", time.Millisecond},
		"nonsense": {"soon", time.Millisecond},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := withImage(t)
			r.Inject(regtest.Rule{Path: webRepo, Times: 1, Do: throttled(test.value)})
			var waits []time.Duration
			c := registry.New(registry.Options{Retry: retry.Policy{Sleep: func(_ context.Context, d time.Duration) error {
				waits = append(waits, d)
				return nil
			}}})
			if _, err := c.Head(t.Context(), repository(r, webRepo), "v1"); err != nil {
				t.Fatal(err)
			}
			if len(waits) != 1 || waits[0] < test.want || waits[0] > test.want+time.Second {
				t.Errorf("waited %v, want once for %v or a little more", waits, test.want)
			}
		})
	}
}

func TestUnusableAnswers(t *testing.T) {
	other := newImage(t, `{"other":1}`)
	wrong := string(digest([]byte("wrong")))
	tests := map[string]struct {
		verbs string
		fault regtest.Fault
	}{
		"cut bodies":           {"Get Blob Tags Copy Files", regtest.CutBody()},
		"truncated":            {"Get Blob Tags Copy Files", regtest.Truncate()},
		"empty":                {"Get Blob Tags Copy Files", regtest.Rewrite(func([]byte) []byte { return nil })},
		"another's manifest":   {"Get Copy Files Blob Tags", regtest.Rewrite(func([]byte) []byte { return other.body })},
		"wrong digest header":  {"Get Copy Files", regtest.Header("Docker-Content-Digest", wrong)},
		"told another was put": {"Put", regtest.Header("Docker-Content-Digest", wrong)},
		"a page of HTML":       {"Get Blob Tags Copy Files", regtest.Answer(200, http.Header{"Content-Type": {"text/html"}}, "<html>")},
		"no upload location":   {"PutBlob", regtest.Header("Location", "")},
	}
	for name, test := range tests {
		for _, verb := range strings.Fields(test.verbs) {
			t.Run(name+"/"+verb, func(t *testing.T) {
				r := withImage(t)
				method := ""
				if verb == "PutBlob" {
					method = http.MethodPost // the look before finds nothing as it should
				}
				r.Inject(regtest.Rule{Method: method, Path: webRepo, Do: test.fault})
				err := allVerbs(newClient(t), repository(r, webRepo))[verb](t.Context())
				var f *registry.Fault
				if !errors.As(err, &f) || errors.Is(err, registry.ErrNotFound) || f.Temporary() {
					t.Errorf("%s = %v, want a Fault that is neither absence nor temporary", verb, err)
				}
			})
		}
	}
}

func TestHeadByDigestIsVerified(t *testing.T) {
	r := withImage(t)
	c, repo := newClient(t), repository(r, webRepo)
	d, err := c.Head(t.Context(), repo, "v1")
	if err != nil {
		t.Fatal(err)
	}
	r.Inject(regtest.Rule{Do: regtest.Header("Docker-Content-Digest", string(digest([]byte("wrong"))))})
	_, err = c.Head(t.Context(), repo, string(d.Digest))
	checkFault(t, "Head", err, 200, false)
}

func TestHeadFallsBackToGet(t *testing.T) {
	for header, value := range map[string]string{
		"Docker-Content-Digest": "", "Content-Length": "", "Content-Type": "",
	} {
		t.Run(header, func(t *testing.T) {
			r := withImage(t)
			c, repo := newClient(t), repository(r, webRepo)
			want, err := c.Head(t.Context(), repo, "v1")
			if err != nil {
				t.Fatal(err)
			}
			r.Reset()
			r.Inject(regtest.Rule{Method: http.MethodHead, Do: regtest.Header(header, value)})
			if got, err := c.Head(t.Context(), repo, "v1"); err != nil || got != want {
				t.Errorf("Head() = %v, %v, want %v", got, err, want)
			}
			r.Budget(t, regtest.Budget{Others: 2})
		})
	}
}

// A 404 that the registry did not say is not absence.
func TestForeign404(t *testing.T) {
	html := regtest.Answer(404, http.Header{"Content-Type": {"text/html; charset=utf-8"}}, "<html>no such site</html>")
	text := regtest.Answer(404, http.Header{"Content-Type": {"text/plain"}}, "404 page not found")
	wrongJSON := regtest.Answer(404, http.Header{"Content-Type": {"application/json"}}, `{"message":"no route"}`)
	empty := regtest.Answer(404, nil, "")
	emptyJSON := regtest.Answer(404, http.Header{"Content-Type": {"application/json"}}, "")
	for name, fault := range map[string]regtest.Fault{"html": html, "text": text, "json": wrongJSON, "empty": empty, "empty json": emptyJSON} {
		t.Run(name, func(t *testing.T) {
			r := withImage(t)
			r.Inject(regtest.Rule{Path: webRepo, Do: fault})
			for verb, call := range readingVerbs(newClient(t), repository(r, webRepo)) {
				err := call(t.Context())
				checkFault(t, verb, err, 404, false)
				var hinted interface{ Hint() string }
				if !errors.As(err, &hinted) || !strings.Contains(hinted.Hint(), "proxy") {
					t.Errorf("%s: the hint does not mention a proxy: %v", verb, err)
				}
			}
		})
	}
}

// A HEAD whose 404 is unclear costs a GET, and is absence if that says so.
func TestUnclearHead(t *testing.T) {
	for name, test := range map[string]struct {
		header http.Header
		cost   int
	}{
		"text":              {http.Header{"Content-Type": {"text/plain"}}, 2},
		"json":              {http.Header{"Content-Type": {"application/json"}}, 2},
		"nothing":           {nil, 2},
		"a registry's mark": {http.Header{"Docker-Distribution-Api-Version": {"registry/2.0"}}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			r := regtest.New(t)
			r.Inject(regtest.Rule{Method: http.MethodHead, Do: regtest.Answer(404, test.header, "")})
			if _, err := newClient(t).Head(t.Context(), repository(r, webRepo), "v1"); !errors.Is(err, registry.ErrNotFound) {
				t.Errorf("Head() = %v, want ErrNotFound", err)
			}
			r.Budget(t, regtest.Budget{Handshakes: 1, Others: test.cost})
		})
	}
}

// A registry's 404 to a write is not absence: nobody asked.
func TestWriteTo404(t *testing.T) {
	r := withImage(t)
	r.Inject(regtest.Rule{Path: webRepo, Do: regtest.Status(404)})
	for verb, call := range writingVerbs(newClient(t), repository(r, webRepo)) {
		if verb != "DeleteTag" {
			checkFault(t, verb, call(t.Context()), 404, false)
		}
	}
}

func TestDeleteUnsupported(t *testing.T) {
	r := withImage(t)
	r.Inject(regtest.Rule{Method: http.MethodDelete, Do: regtest.Status(405)})
	err := newClient(t).DeleteTag(t.Context(), repository(r, webRepo), "v1")
	if !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("DeleteTag() = %v, want ErrUnsupported", err)
	}
}

// An upload whose answer was lost cannot be finished again; the blob is there.
func TestLostUpload(t *testing.T) {
	r := regtest.New(t)
	c, repo := newClient(t), repository(r, webRepo)
	r.Inject(regtest.Rule{Method: http.MethodPut, Class: regtest.Uploads, Times: 1, Do: regtest.CutAnswer()})
	r.Inject(regtest.Rule{Method: http.MethodPut, Class: regtest.Uploads, Times: 1, Do: regtest.Status(404)})
	if _, err := c.PutBlob(t.Context(), repo, layerType, []byte("layer")); err != nil {
		t.Errorf("PutBlob() = %v", err)
	}
	if got := r.Count(http.MethodPost, regtest.Uploads); got != 1 {
		t.Errorf("began %d uploads, want 1", got)
	}
}

// An upload that the registry forgot is begun again, once.
func TestForgottenUpload(t *testing.T) {
	r := regtest.New(t)
	c, repo := newClient(t), repository(r, webRepo)
	forget := regtest.Rule{Method: http.MethodPut, Class: regtest.Uploads, Times: 1, Do: regtest.Status(404)}
	r.Inject(forget)
	if _, err := c.PutBlob(t.Context(), repo, layerType, []byte("layer")); err != nil {
		t.Errorf("PutBlob() = %v", err)
	}
	if blob, err := c.Blob(t.Context(), repo, digest([]byte("layer")), 10); err != nil || string(blob) != "layer" {
		t.Errorf("Blob() = %q, %v", blob, err)
	}
	forget.Times = 0
	r.Inject(forget)
	_, err := c.PutBlob(t.Context(), repo, layerType, []byte("other"))
	checkFault(t, "PutBlob", err, 404, false)
}

func TestBlobLimit(t *testing.T) {
	r := withImage(t)
	c, repo := newClient(t), repository(r, webRepo)
	_, err := c.Blob(t.Context(), repo, digest([]byte("layer")), 4)
	checkFault(t, "Blob", err, 200, false)
	large := strings.Repeat("x", 1<<20)
	push(t, c, repo, "v2", newImage(t, "{}", large))
	r.Reset()
	_, err = c.Blob(t.Context(), repo, digest([]byte(large)), 1<<19)
	checkFault(t, "Blob", err, 0, false) // not read to its end
	if got := r.Count(http.MethodGet, regtest.Blobs); got != 1 {
		t.Errorf("asked %d times for what is too large, want once", got)
	}
}

func TestCancelledBeforeTheRequest(t *testing.T) {
	r := withImage(t)
	c := newClient(t)
	if _, err := c.Head(t.Context(), repository(r, webRepo), "v1"); err != nil {
		t.Fatal(err)
	}
	r.Reset()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for verb, call := range allVerbs(c, repository(r, webRepo)) {
		if err := call(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%s = %v, want the context's error", verb, err)
		}
	}
	r.Budget(t, regtest.Budget{})
}

func TestCancelledDuringTheRequest(t *testing.T) {
	r := withImage(t)
	arrived, release := make(chan struct{}), make(chan struct{})
	defer close(release)
	r.Inject(regtest.Rule{Path: webRepo, Do: regtest.Hold(arrived, release)})
	for verb, call := range allVerbs(newClient(t), repository(r, webRepo)) {
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-arrived; cancel() }()
		if err := call(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%s = %v, want the context's error", verb, err)
		}
	}
}

func TestFilesReportsCutLayers(t *testing.T) {
	r := regtest.New(t)
	c, repo := newClient(t), repository(r, webRepo)
	push(t, c, repo, "v1", tarImage(t, "etc/motd", strings.Repeat("x", 1<<16)))
	r.Inject(regtest.Rule{Class: regtest.Blobs, Do: regtest.CutBody()})
	files, err := c.Files(t.Context(), repo, "v1", "")
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close() //nolint:errcheck // only read
	if _, err := io.Copy(io.Discard, files); err == nil {
		t.Error("reading a cut layer gave no error")
	}
}

func TestFaultsSayWhatToDo(t *testing.T) {
	r := withImage(t)
	c := registry.New(registry.Options{Retry: patient(), DockerAuthConfig: authConfig(r.Host, "p")})
	ask := func(c *registry.Client, status int) error {
		r.Mend()
		r.Inject(regtest.Rule{Path: webRepo, Do: regtest.Status(status)})
		_, err := c.Head(t.Context(), repository(r, webRepo), "v1")
		return err
	}
	url := "HEAD http://" + r.Host + "/v2/acme/web/manifests/v1: "
	tests := map[string]struct {
		err        error
		text, hint string
	}{
		"401 anonymous": {ask(newClient(t), 401), url + "401 Unauthorized (credentials: none)",
			"no credentials for " + r.Host + " were found: run `docker login " + r.Host + "`"},
		"401": {ask(c, 401), url + "401 Unauthorized (credentials: DOCKER_AUTH_CONFIG)",
			"the credentials from DOCKER_AUTH_CONFIG were refused, they may have expired: run `docker login " + r.Host + "`"},
		"403": {ask(c, 403), url + "403 Forbidden (credentials: DOCKER_AUTH_CONFIG)",
			"the credentials used (DOCKER_AUTH_CONFIG) may not do this in this repository"},
		"503": {ask(c, 503), url + "503 Service Unavailable", r.Host + " is throttling or unavailable: try again later"},
	}
	for name, test := range tests {
		var f *registry.Fault
		if !errors.As(test.err, &f) {
			t.Errorf("%s: %v is no Fault", name, test.err)
			continue
		}
		if diff := cmp.Diff([]string{test.text, test.hint}, []string{f.Error(), f.Hint()}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
