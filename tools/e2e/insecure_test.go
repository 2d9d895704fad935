package e2e

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"slipway/tools/internal/testkit/gittest"
	"slipway/tools/internal/testkit/servers"
)

// TestInsecureRegistry builds into a registry that speaks plain http and is not on
// loopback, where nobody takes that for granted: it is one of this machine all the
// same, on an address of its network. Without the flag nothing is sent to it.
func TestInsecureRegistry(t *testing.T) {
	realServers(t)
	t.Parallel()
	host := outside(t, forward(t, servers.Registry(t).Host))
	trusting := servers.BuildKitWith(t, servers.BuilderOptions{Config: "[registry.\"" + host + "\"]\n  http = true\n"})
	for name, c := range map[string]struct {
		repo    *gittest.Repo
		builder string
	}{
		"a builder that knows nothing of it": {twoPlatforms(t), servers.BuildKit(t)},
		"images from there":                  {twoProjects(t), trusting.Address},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := &machine{Repo: c.repo, tb: t, builder: c.builder, registry: host + "/" + prefixOf(name)}
			refused := m.build()
			refused.wants(1)
			if said := refused.stderr.String(); !strings.Contains(said, "--insecure-registry") {
				t.Errorf("nothing is said of the flag:\n%s", said)
			}
			p := m.build("--insecure-registry=" + host)
			p.wants(0)
			if r := p.report(); !r.Recorded || len(r.named("built")) != len(r.Projects) {
				t.Errorf("it came to %+v", r)
			}
			if cached := tags(t, m.registry+"/web"); !strings.Contains(strings.Join(cached, " "), "buildcache-main") {
				t.Errorf("web has the tags %q, and no cache", cached)
			}
			again := m.build("--insecure-registry=" + host)
			again.wants(0)
			if built := again.report().named("built"); len(built) > 0 {
				t.Errorf("%q are built again", built)
			}
		})
	}
}

// outside listens on an address of this machine that is not loopback, and returns
// it with its port.
func outside(tb testing.TB, h http.Handler) (host string) {
	tb.Helper()
	addresses, err := net.InterfaceAddrs()
	check(tb, err)
	for _, address := range addresses {
		network, ok := address.(*net.IPNet)
		if !ok || network.IP.To4() == nil || !network.IP.IsGlobalUnicast() {
			continue
		}
		var listen net.ListenConfig
		listener, err := listen.Listen(tb.Context(), "tcp4", net.JoinHostPort(network.IP.String(), "0"))
		check(tb, err)
		server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: h, ReadHeaderTimeout: patience}}
		server.Start()
		tb.Cleanup(server.Close)
		return listener.Addr().String()
	}
	tb.Fatalf("this machine has no address but loopback: %v; give it one: ip link add slipway0 type dummy, "+
		"ip address add 192.0.2.1/32 dev slipway0, ip link set slipway0 up", addresses)
	return ""
}
