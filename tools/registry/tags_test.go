package registry_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"slipway/tools/internal/testkit/regtest"
	"slipway/tools/registry"
)

// withTags starts a registry whose acme/web holds n tags.
func withTags(tb testing.TB, o regtest.Options, n int) (*regtest.Registry, []string) {
	tb.Helper()
	r := regtest.NewWith(tb, o)
	c := newClient(tb)
	var tags []string
	for i := range n {
		tags = append(tags, fmt.Sprintf("t-%05d", i))
		if _, err := c.Put(tb.Context(), repository(r, webRepo), tags[i], registry.MediaTypeManifest, []byte(`{}`)); err != nil {
			tb.Fatal(err)
		}
	}
	r.Reset()
	return r, tags
}

func TestTags(t *testing.T) {
	tests := map[string]struct {
		pages, tags, requests int
	}{
		"none":                   {pages: 10, tags: 0, requests: 1},
		"one page":               {pages: 10, tags: 10, requests: 1},
		"linked pages":           {pages: 10, tags: 25, requests: 3},
		"no link, not full":      {tags: 999, requests: 1},
		"no link, full":          {tags: 1000, requests: 2},
		"no link, more than fit": {tags: 1001, requests: 2},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r, want := withTags(t, regtest.Options{Pages: test.pages}, test.tags)
			if test.tags == 0 {
				r.Inject(regtest.Rule{Class: regtest.Tags, Do: regtest.Answer(200, nil, `{"name":"acme/web","tags":null}`)})
			}
			got, err := newClient(t).Tags(t.Context(), repository(r, webRepo))
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("Tags() = %d tags, %v, want %d", len(got), err, len(want))
			}
			r.Budget(t, regtest.Budget{Handshakes: 1, Others: test.requests})
		})
	}
}

func TestTagsLinks(t *testing.T) {
	page := func(link, tag string) regtest.Fault {
		return regtest.Answer(200, http.Header{"Link": {link}}, fmt.Sprintf(`{"name":"x","tags":[%q]}`, tag))
	}
	tests := map[string]struct {
		link string
		fail bool
	}{
		"relative path":        {link: `</v2/acme/web/tags/list?n=1000&last=a>; rel="next"`},
		"relative to the list": {link: `<list?last=a>; rel="next"`},
		"query only":           {link: `<?last=a>; rel="next"`},
		"unquoted relation":    {link: `</v2/acme/web/tags/list?last=a>; rel=next`},
		"with another before":  {link: `<?first>; rel="first", <?last=a>; rel="next"`},
		"loop":                 {link: `</v2/acme/web/tags/list?n=1000>; rel="next"`, fail: true},
		"another host":         {link: `<http://127.0.0.2:1/v2/acme/web/tags/list?last=a>; rel="next"`, fail: true},
		"nonsense":             {link: `<http://[::1>; rel="next"`, fail: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := regtest.New(t)
			r.Inject(regtest.Rule{Class: regtest.Tags, Times: 1, Do: page(test.link, "a")})
			r.Inject(regtest.Rule{Class: regtest.Tags, Do: page("", "b")})
			got, err := newClient(t).Tags(t.Context(), repository(r, webRepo))
			var f *registry.Fault
			if test.fail {
				if !errors.As(err, &f) {
					t.Errorf("Tags() = %v, %v, want a Fault", got, err)
				}
				return
			}
			if err != nil || !slices.Equal(got, []string{"a", "b"}) {
				t.Errorf("Tags() = %v, %v, want [a b]", got, err)
			}
		})
	}
}

func TestTagsAbsoluteLink(t *testing.T) {
	r, want := withTags(t, regtest.Options{Pages: 2}, 3)
	r.Inject(regtest.Rule{Class: regtest.Tags, Times: 1, Do: regtest.Header("Link",
		`<http://`+r.Host+`/v2/acme/web/tags/list?last=t-00001>; rel="next"`)})
	got, err := newClient(t).Tags(t.Context(), repository(r, webRepo))
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("Tags() = %v, %v, want %v", got, err, want)
	}
}

// A fault on a later page is an error, never a shorter list.
func TestTagsFaultOnALaterPage(t *testing.T) {
	for name, fault := range map[string]regtest.Fault{
		"404": regtest.Status(404), "503": regtest.Status(503), "cut": regtest.CutBody(), "truncated": regtest.Truncate(),
	} {
		t.Run(name, func(t *testing.T) {
			r, _ := withTags(t, regtest.Options{Pages: 2}, 5)
			r.Inject(regtest.Rule{Class: regtest.Tags, Skip: 1, Do: fault})
			got, err := newClient(t).Tags(t.Context(), repository(r, webRepo))
			if err == nil || got != nil {
				t.Errorf("Tags() = %v, %v, want an error and nothing", got, err)
			}
		})
	}
}
