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
	origin := twoProjects(t)
	host, builder := servers.Registry(t).Host, servers.BuildKit(t)
	for want, remotes := range map[string][]string{
		"https://git.example.com/acme/shop": {
			"https://git.example.com/acme/shop", "https://git.example.com/acme/shop.git",
			"https://user:secret@git.example.com/acme/shop.git", "git@git.example.com:acme/shop.git",
			"ssh://git@git.example.com/acme/shop.git", "ssh://git@git.example.com:22/acme/shop",
		},
		"": {"", origin.URL(), origin.Dir, "../elsewhere"},
	} {
		digests := map[string]string{} // of web -> a remote that led to it
		for n, remote := range remotes {
			m := &machine{Repo: origin.Clone(), tb: t, builder: builder, registry: fmt.Sprintf("%s/%d-%d", host, len(want), n)}
			m.Git("remote", "remove", "origin")
			if remote != "" {
				m.Git("remote", "add", "origin", remote)
			}
			digest, source := m.web()
			digests[digest] = remote
			if source != want {
				t.Errorf("with the remote %q, the image's source is %q, not %q", remote, source, want)
			}
		}
		if len(digests) != 1 {
			t.Errorf("remotes of one repository lead to different images: %q", digests)
		}
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
