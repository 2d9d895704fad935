package servers

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Docker is a Docker Engine of the test's own, without a bridge or firewall
// rules: containers use the network of the machine or none.
type Docker struct {
	Host string // "unix:///tmp/engine123/docker.sock"
	Dir  string // where it keeps everything
}

// OldDocker starts Debian's Docker Engine 20.10, whose images are in a graph driver's store.
func OldDocker(tb testing.TB) *Docker {
	tb.Helper()
	return startDocker(tb, packaged(tb, "dockerd"), `{"runtimes": {"test": {"path": "DIR/runtime"}}, "default-runtime": "test"}`)
}

// NewDocker starts the Docker Engine that scripts/setup builds, whose images are
// in containerd's store.
func NewDocker(tb testing.TB) *Docker {
	tb.Helper()
	return startDocker(tb, tool(tb, "dockerd"), `{}`)
}

// runtimeScript is runc, less a capability that machines for tests often withhold
// from all their processes, and that a privileged container asks for.
const runtimeScript = `#!/bin/sh
before=
for word; do
	case $before in
	--bundle) sed -i 's/"CAP_SYS_RESOURCE",//g' "$word/config.json" ;;
	--process) sed -i 's/"CAP_SYS_RESOURCE",//g' "$word" ;;
	esac
	before=$word
done
exec runc "$@"
`

// startDocker starts an Engine with a configuration in which DIR is its folder.
func startDocker(tb testing.TB, program, configuration string) *Docker {
	tb.Helper()
	dir := shortDir(tb)
	d := &Docker{Host: "unix://" + filepath.Join(dir, "docker.sock"), Dir: dir}
	write(tb, filepath.Join(dir, "daemon.json"), strings.ReplaceAll(configuration, "DIR", dir), 0o600)
	write(tb, filepath.Join(dir, "runtime"), runtimeScript, 0o700)
	p := start(tb, dir, append([]string{program}, dockerArgs(dir, d.Host)...)...)
	p.announced(tb, apiListens)
	return d
}

var apiListens = regexp.MustCompile(`(API listen on)`)

func dockerArgs(dir, host string) []string {
	return []string{
		"--bridge=none", "--iptables=false", "--shutdown-timeout=5",
		"--data-root", filepath.Join(dir, "data"), "--exec-root", filepath.Join(dir, "exec"),
		"--pidfile", filepath.Join(dir, "pid"), "--host", host, "--config-file", filepath.Join(dir, "daemon.json"),
	}
}
