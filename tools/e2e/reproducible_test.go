package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"slipway/tools/internal/testkit/gittest"
	"slipway/tools/internal/testkit/servers"
)

// TestIdenticalDigests builds one commit of the example twice, each time from a
// clone of its own, on an empty builder, into an empty registry.
func TestIdenticalDigests(t *testing.T) {
	realServers(t)
	t.Parallel()
	origin := gittest.New(t)
	check(t, os.CopyFS(origin.Dir, os.DirFS("../../examples/monorepo")))
	origin.Commit("the example")
	first, second := buildAnew(t, origin), buildAnew(t, origin)
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("two machines built one commit to different images (-first +second):\n%s", diff)
	}
	t.Logf("identical digests: %v", first)
}

// TestDigestsDoNotDependOnTheRemote builds one commit from clones of which each
// writes the address of the same repository in its own way, or has none to share.
func TestDigestsDoNotDependOnTheRemote(t *testing.T) {
	realServers(t)
	t.Parallel()
	host, builder := servers.Registry(t).Host, servers.BuildKit(t)
	origin, told := twoProjects(t), twoProjects(t)
	const address, other = "https://git.example.com/acme/shop", "git@git.example.com:fork/shop.git"
	told.Write(jsonManifest, strings.Replace(told.Git("show", "HEAD:"+jsonManifest), `"version": 1,`, `"version": 1, "source": "`+address+`",`, 1))
	told.Commit("where it is")
	for name, c := range map[string]struct {
		origin  *gittest.Repo
		remotes []string
		source  string
	}{
		"one address": {origin, []string{
			address, address + ".git", "https://user:secret@git.example.com/acme/shop.git",
			"git@git.example.com:acme/shop.git", "ssh://git@git.example.com/acme/shop.git",
		}, address},
		"of this machine":      {origin, []string{"", origin.URL(), origin.Dir, "../elsewhere"}, ""},
		"told by the manifest": {told, []string{"", address, other, told.URL()}, address},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			digests := map[string]string{} // of web, each with a remote that led to it
			for n, remote := range c.remotes {
				m := &machine{Repo: c.origin.Clone(), tb: t, builder: builder, registry: fmt.Sprintf("%s/%s-%d", host, prefixOf(name), n)}
				m.remote(remote)
				digest, source := m.web()
				digests[digest] = remote
				if source != c.source {
					t.Errorf("with the remote %q, the image's source is %q, not %q", remote, source, c.source)
				}
			}
			if len(digests) != 1 {
				t.Errorf("remotes of one repository lead to different images: %q", digests)
			}
		})
	}
}

// remote makes url the only remote; "" is none.
func (m *machine) remote(url string) {
	m.tb.Helper()
	m.Git("remote", "remove", "origin")
	if url != "" {
		m.Git("remote", "add", "origin", url)
	}
}

// web builds everything, and returns web's digest and where it says that it is
// from.
func (m *machine) web() (digest, source string) {
	m.tb.Helper()
	p := m.build()
	p.wants(0)
	for _, project := range p.report().Projects {
		if project.Name != "web" {
			continue
		}
		host, name, _ := strings.Cut(project.Image, "/")
		var image struct{ Annotations map[string]string }
		check(m.tb, json.Unmarshal(ask(m.tb, http.MethodGet, "http://"+host+"/v2/"+name+"/manifests/"+project.Digest, "", nil), &image))
		return project.Digest, image.Annotations["org.opencontainers.image.source"]
	}
	m.tb.Fatal("web is not built")
	return "", ""
}

// buildAnew returns the digests of all projects.
func buildAnew(t *testing.T, origin *gittest.Repo) map[string]string {
	t.Helper()
	host := servers.Registry(t).Host
	m := &machine{Repo: origin.Clone(), tb: t, builder: servers.BuildKit(t), registry: host + "/acme"}
	base, _, _ := strings.Cut(servers.BaseImage(t, host, "acme/base/busybox"), "@")
	m.slipway("image", "tag", base+":latest", "1.36")
	p := m.build()
	p.wants(0)
	digests := map[string]string{}
	for _, project := range p.report().Projects {
		if project.Outcome != "built" || project.Digest == "" {
			t.Errorf("%s is %s as %q, not built", project.Name, project.Outcome, project.Digest)
		}
		digests[project.Name] = project.Digest
	}
	if len(digests) == 0 {
		t.Fatal("nothing was built")
	}
	return digests
}
