package e2e

import (
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
