package servers

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// dockerPatience bounds the start of an Engine, and its end.
const dockerPatience = 60 * time.Second

// Docker is a Docker Engine of the test's own, without a bridge or firewall
// rules: containers use the network of the machine or none.
type Docker struct {
	Host string // "unix:///tmp/engine123/docker.sock"
	Dir  string // where it keeps everything
	log  *dockerLog
}

// OldDocker starts Debian's Docker Engine 20.10, whose images are in a graph driver's store.
func OldDocker(tb testing.TB) *Docker {
	tb.Helper()
	program, err := exec.LookPath("dockerd")
	if err != nil {
		program = "/usr/sbin/dockerd" // not on every user's PATH
	}
	if _, err := os.Stat(program); err != nil {
		tb.Fatalf("no dockerd here: %v; run scripts/setup", err)
	}
	return startDocker(tb, program, `{"runtimes": {"test": {"path": "DIR/runtime"}}, "default-runtime": "test"}`)
}

// NewDocker starts the Docker Engine that scripts/setup builds, whose images are
// in containerd's store.
func NewDocker(tb testing.TB) *Docker {
	tb.Helper()
	return startDocker(tb, dockerTool(tb, "dockerd"), `{}`)
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

// dockerTool is the path of a program that scripts/setup builds.
func dockerTool(tb testing.TB, name string) string {
	tb.Helper()
	dir := os.Getenv("SLIPWAY_TOOLS")
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			tb.Fatal(err)
		}
		dir = filepath.Join(cache, "slipway", "tools")
	}
	file := filepath.Join(dir, "bin", name)
	if _, err := os.Stat(file); err != nil {
		tb.Fatalf("%v; run scripts/setup", err)
	}
	return file
}

// startDocker starts an Engine with a configuration in which DIR is its folder.
func startDocker(tb testing.TB, program, configuration string) *Docker {
	tb.Helper()
	dir, err := os.MkdirTemp("", "engine") // short: it holds sockets
	if err != nil {
		tb.Fatal(err)
	}
	d := &Docker{Host: "unix://" + filepath.Join(dir, "docker.sock"), Dir: dir, log: newDockerLog()}
	tb.Cleanup(func() { removeDocker(tb, dir) })
	write(tb, filepath.Join(dir, "daemon.json"), strings.ReplaceAll(configuration, "DIR", dir), 0o600)
	write(tb, filepath.Join(dir, "runtime"), runtimeScript, 0o700)
	cmd := exec.Command(program, dockerArgs(dir, d.Host)...) //nolint:gosec,noctx // ended by stopDocker
	cmd.Stdout, cmd.Stderr = d.log, d.log
	cmd.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	exited := make(chan struct{})
	go func() { _ = cmd.Wait(); close(exited) }()
	tb.Cleanup(func() { stopDocker(tb, cmd.Process, exited, d.log) })
	d.await(tb, exited)
	return d
}

func write(tb testing.TB, file, body string, mode os.FileMode) {
	tb.Helper()
	if err := os.WriteFile(file, []byte(body), mode); err != nil {
		tb.Fatal(err)
	}
}

func dockerArgs(dir, host string) []string {
	return []string{
		"--bridge=none", "--iptables=false", "--shutdown-timeout=5",
		"--data-root", filepath.Join(dir, "data"), "--exec-root", filepath.Join(dir, "exec"),
		"--pidfile", filepath.Join(dir, "pid"), "--host", host, "--config-file", filepath.Join(dir, "daemon.json"),
	}
}

func (d *Docker) await(tb testing.TB, exited <-chan struct{}) {
	tb.Helper()
	select {
	case <-d.log.listening:
	case <-exited:
		tb.Fatalf("dockerd ended:\n%s", d.log)
	case <-time.After(dockerPatience):
		tb.Fatalf("dockerd does not listen after %s:\n%s", dockerPatience, d.log)
	}
}

// stopDocker lets the Engine stop its containers and its containerd.
func stopDocker(tb testing.TB, process *os.Process, exited <-chan struct{}, log *dockerLog) {
	tb.Helper()
	_ = process.Signal(syscall.SIGTERM)
	select {
	case <-exited:
	case <-time.After(dockerPatience):
		_ = process.Kill()
		<-exited
		tb.Errorf("dockerd did not end by itself:\n%s", log)
	}
	if tb.Failed() {
		tb.Logf("dockerd:\n%s", log)
	}
}

// removeDocker removes an Engine's folder, and what it left mounted below.
func removeDocker(tb testing.TB, dir string) {
	tb.Helper()
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		tb.Error(err)
	}
	for _, point := range mountsBelow(table, dir) {
		_ = syscall.Unmount(point, syscall.MNT_DETACH)
	}
	if err := os.RemoveAll(dir); err != nil {
		tb.Error(err)
	}
}

// mountsBelow lists the mount points below dir, those made last first.
func mountsBelow(table []byte, dir string) []string {
	var points []string
	for line := range strings.Lines(string(table)) {
		fields := strings.Fields(line)
		const mountPoint = 4
		if len(fields) > mountPoint && strings.HasPrefix(fields[mountPoint], dir+"/") {
			points = append(points, fields[mountPoint])
		}
	}
	slices.Reverse(points)
	return points
}

// dockerLog keeps what dockerd says, and notices that it listens.
type dockerLog struct {
	listening chan struct{}
	once      sync.Once
	mu        sync.Mutex
	text      bytes.Buffer
}

func newDockerLog() *dockerLog { return &dockerLog{listening: make(chan struct{})} }

func (l *dockerLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Write(p)
	if bytes.Contains(l.text.Bytes(), []byte("API listen on")) {
		l.once.Do(func() { close(l.listening) })
	}
	return len(p), nil
}

func (l *dockerLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
