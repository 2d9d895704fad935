package regtest_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"slipway/tools/internal/testkit/regtest"
)

func send(tb testing.TB, method, url, body string) (status int, answer string, err error) {
	tb.Helper()
	req, err := http.NewRequestWithContext(tb.Context(), method, url, strings.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // a reused connection is tried twice
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

// recorder notes failures instead of failing.
type recorder struct {
	testing.TB
	said string
}

func (r *recorder) Helper()                        {}
func (r *recorder) Errorf(format string, a ...any) { r.said += fmt.Sprintf(format, a...) }

func TestBudget(t *testing.T) {
	r := regtest.New(t)
	for _, path := range []string{"/v2/", "/v2/x/manifests/v1", "/v2/x/tags/list?n=5"} {
		if _, _, err := send(t, http.MethodGet, "http://"+r.Host+path, ""); err != nil {
			t.Fatal(err)
		}
	}
	for budget, within := range map[regtest.Budget]bool{
		{Handshakes: 1, Others: 2}: true, {Handshakes: 9, Others: 9}: true,
		{Handshakes: 0, Others: 2}: false, {Handshakes: 1, Others: 1}: false,
	} {
		var tb recorder
		r.Budget(&tb, budget)
		if (tb.said == "") != within {
			t.Errorf("Budget(%+v) said %q", budget, tb.said)
		}
		if !within && !strings.Contains(tb.said, "GET /v2/x/tags/list?n=5 -> 404") {
			t.Errorf("Budget(%+v) does not show the requests: %s", budget, tb.said)
		}
	}
	r.Reset()
	r.Budget(t, regtest.Budget{})
}

func TestStrictness(t *testing.T) {
	r := regtest.New(t)
	status, answer, err := send(t, http.MethodPut, "http://"+r.Host+"/v2/x/manifests/v1",
		`{"config":{"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"}}`)
	if err != nil || status != http.StatusBadRequest || !strings.Contains(answer, "MANIFEST_BLOB_UNKNOWN") {
		t.Errorf("an OCI manifest without its blobs: %d %s %v", status, answer, err)
	}
}

// The faults work the same in front of a reverse proxy to another registry.
func TestFaultsBeforeAProxy(t *testing.T) {
	behind := regtest.New(t)
	target := &url.URL{Scheme: "http", Host: behind.Host}
	faults := regtest.NewFaults(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }})
	log := regtest.NewLog(faults)
	server := httptest.NewServer(log)
	t.Cleanup(server.Close)
	path := server.URL + "/v2/x/manifests/v1"
	if status, _, err := send(t, http.MethodPut, path, "{}"); err != nil || status != http.StatusCreated {
		t.Fatalf("PUT = %d, %v", status, err)
	}
	tests := map[string]struct {
		fault   regtest.Fault
		status  int
		answer  string
		broken  bool
		arrives bool
	}{
		"none":       {nil, 200, "{}", false, true},
		"status":     {regtest.Status(503), 503, `{"errors":[{"code":"UNKNOWN","message":"injected"}]}`, false, false},
		"cut before": {regtest.CutBefore(), 0, "", true, false},
		"cut answer": {regtest.CutAnswer(), 0, "", true, true},
		"cut body":   {regtest.CutBody(), 200, "{", true, true},
		"truncate":   {regtest.Truncate(), 200, "{", false, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			faults.Mend()
			behind.Reset()
			if test.fault != nil {
				faults.Inject(regtest.Rule{Method: http.MethodGet, Class: regtest.Manifests, Do: test.fault})
			}
			status, answer, err := send(t, http.MethodGet, path, "")
			if status != test.status || answer != test.answer || (err != nil) != test.broken {
				t.Errorf("GET = %d %q %v, want %d %q, broken %t", status, answer, err, test.status, test.answer, test.broken)
			}
			if arrived := len(behind.Requests()) > 0; arrived != test.arrives {
				t.Errorf("the request arrived: %t, want %t", arrived, test.arrives)
			}
		})
	}
}

func TestRulesAreUsedUp(t *testing.T) {
	r := regtest.New(t)
	hits := r.Inject(regtest.Rule{Class: regtest.Tags, Skip: 1, Times: 2, Do: regtest.Status(503)})
	r.Inject(regtest.Rule{Class: regtest.Tags, Skip: 1, Do: regtest.Throttle("3")})
	var got []int
	for range 5 {
		status, _, err := send(t, http.MethodGet, "http://"+r.Host+"/v2/x/tags/list", "")
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, status)
	}
	if want := "[404 503 503 429 429]"; fmt.Sprint(got) != want || hits() != 2 {
		t.Errorf("got %v and %d hits, want %s and 2", got, hits(), want)
	}
}

func TestHideTags(t *testing.T) {
	r := regtest.New(t)
	for _, tag := range []string{"a", "b", "c"} {
		if status, _, err := send(t, http.MethodPut, "http://"+r.Host+"/v2/x/manifests/"+tag, "{}"); err != nil || status != http.StatusCreated {
			t.Fatalf("PUT = %d, %v", status, err)
		}
	}
	r.Inject(regtest.Rule{Class: regtest.Tags, Do: regtest.HideTags("b")})
	_, got, err := send(t, http.MethodGet, "http://"+r.Host+"/v2/x/tags/list", "")
	if want := `{"name":"x","tags":["a","c"]}`; err != nil || got != want {
		t.Errorf("list = %s, %v, want %s", got, err, want)
	}
}
