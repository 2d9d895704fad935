package workspace

import (
	"testing"

	"slipway/tools/gitrepo"
	"slipway/tools/internal/testkit/gittest"
)

func TestSourceURL(t *testing.T) {
	const one = "https://github.com/acme/mono"
	for remote, want := range map[string]string{
		"https://github.com/acme/mono":               one,
		"https://github.com/acme/mono.git":           one,
		"https://user:secret@GitHub.com/acme/mono/":  one,
		"http://github.com/acme/mono.git":            one,
		"git@github.com:acme/mono.git":               one,
		"github.com:acme/mono":                       one,
		"ssh://git@github.com/acme/mono.git":         one,
		"ssh://git@github.com:22/acme/mono.git":      one,
		"git://github.com/acme/mono.git":             one,
		"https://git.example.com:8443/acme/mono.git": "https://git.example.com:8443/acme/mono",
		"git@host:group/sub/mono.git":                "https://host/group/sub/mono",
		"/srv/git/mono.git":                          "",
		"../mono":                                    "",
		"file:///srv/git/mono.git":                   "",
		`C:\git\mono`:                                "",
		"https://github.com":                         "",
		"":                                           "",
		"https://%zz":                                "",
	} {
		if got := sourceURL(remote); got != want {
			t.Errorf("sourceURL(%q) = %q, want %q", remote, got, want)
		}
	}
}

func TestTheManifestsSourceGoesBeforeTheRemotes(t *testing.T) {
	r := gittest.New(t)
	r.Write("build_manifest.json", `{"version": 1, "name": "acme", "source": "https://example.com/acme", "projects": {}}`)
	r.Commit("manifest")
	r.Git("remote", "add", "origin", "git@github.com:acme/mono.git")
	repo, err := gitrepo.Open(t.Context(), gitrepo.Options{Dir: r.Dir, Env: r.Env()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = repo.Close() }()
	w, err := Open(t.Context(), repo, Options{})
	if err != nil || w.Source != "https://example.com/acme" {
		t.Errorf("Open gives source %q, %v", w.Source, err)
	}
}
