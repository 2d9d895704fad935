package registry

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func FuzzRetryAfter(f *testing.F) {
	f.Add("120", "")
	f.Add("Thu, 02 Jan 2020 03:04:15 GMT", "Thu, 02 Jan 2020 03:04:05 GMT")
	f.Add("99999999999999999999", "x")
	f.Fuzz(func(t *testing.T, value, date string) {
		if d := retryAfter(http.Header{"Retry-After": {value}, "Date": {date}}); d < 0 {
			t.Errorf("retryAfter(%q, %q) = %v", value, date, d)
		}
	})
}

// Whatever a Link header says, it leads nowhere but to the same host.
func FuzzNextPage(f *testing.F) {
	f.Add(`</v2/x/tags/list?last=a>; rel="next"`)
	f.Add(`<//evil.example/v2/>; rel=next`)
	f.Fuzz(func(t *testing.T, link string) {
		resp := &http.Response{
			Header:  http.Header{"Link": {link}},
			Request: httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://registry.example/v2/x/tags/list", nil),
		}
		next, err := nextPage(resp)
		if err == nil && next != nil && !strings.EqualFold(next.Host, "registry.example") {
			t.Errorf("nextPage(%q) = %v", link, next)
		}
	})
}
