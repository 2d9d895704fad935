package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"
)

func TestDaemonArgs(t *testing.T) {
	p := programs{buildkitd: "/b/buildkitd", runc: "/b/runc"}
	want := "/b/buildkitd --config d/buildkitd.toml --root r --addr unix://d/buildkitd.sock --otel-socket-path d/otel.sock --oci-worker-binary /b/runc --containerd-worker=false"
	if got := strings.Join(daemonArgs(p, "r", "d"), " "); got != want {
		t.Errorf("root:\n%s\nwant\n%s", got, want)
	}
	p.rootlesskit = "/b/rootlesskit"
	want = "/b/rootlesskit --state-dir d/rootlesskit " + want + " --rootless --oci-worker-no-process-sandbox"
	if got := strings.Join(daemonArgs(p, "r", "d"), " "); got != want {
		t.Errorf("rootless:\n%s\nwant\n%s", got, want)
	}
	if d := cmp.Diff("[registry.\"r:5000\"]\n  http = true\n", daemonConfig([]string{"r:5000"})); d != "" {
		t.Error(d)
	}
}

// onlyThese finds the named programs, as if nothing else were installed.
func onlyThese(names ...string) func(string) (string, error) {
	return func(name string) (string, error) {
		for _, n := range names {
			if n == name {
				return "/bin/" + filepath.Base(n), nil
			}
		}
		return "", fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
}

func TestFindPrograms(t *testing.T) {
	tests := []struct {
		name    string
		opts    Options
		want    programs
		wantErr string
	}{
		{"root", Options{LookPath: onlyThese("buildkitd", "runc")}, programs{"/bin/buildkitd", "/bin/runc", ""}, ""},
		{"given", Options{BuildKitd: "/x/b", LookPath: onlyThese("runc")}, programs{"/x/b", "/bin/runc", ""}, ""},
		{"runc off PATH", Options{LookPath: onlyThese("buildkitd", "/usr/sbin/runc")}, programs{"/bin/buildkitd", "/bin/runc", ""}, ""},
		{"rootless", Options{UID: 7, LookPath: onlyThese("buildkitd", "runc", "rootlesskit")}, programs{"/bin/buildkitd", "/bin/runc", "/bin/rootlesskit"}, ""},
		{"nothing", Options{LookPath: onlyThese()}, programs{}, "buildkitd: "},
		{"no runc", Options{LookPath: onlyThese("buildkitd")}, programs{}, "runc, which"},
		{"no rootlesskit", Options{UID: 7, LookPath: onlyThese("buildkitd", "runc")}, programs{}, "rootlesskit, which"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := findPrograms(tt.opts)
			switch {
			case tt.wantErr != "":
				if err == nil || !strings.Contains(err.Error(), tt.wantErr) {
					t.Errorf("error = %v", err)
				}
			case err != nil || got != tt.want:
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

func TestQuickest(t *testing.T) {
	tests := []struct {
		m    machine
		want string
	}{
		{machine{linux: true, docker: true}, "start the Docker Engine"},
		{machine{linux: true, root: true, buildkitd: true, apt: true}, "apt-get install runc"},
		{machine{linux: true, root: true, buildkitd: true}, "install runc"},
		{machine{linux: true, buildkitd: true, runc: true, apt: true}, "apt-get install rootlesskit"},
		{machine{linux: true, root: true, buildkitd: true, runc: true}, "see why buildkitd"},
		{machine{linux: true, root: true}, "scripts/setup"},
		{machine{}, "install Docker"},
	}
	for _, tt := range tests {
		got := quickest(tt.m)
		if !strings.HasPrefix(got, "the quickest here: "+tt.want) {
			t.Errorf("%+v: %s", tt.m, got)
		}
		for _, way := range []string{"BUILDKIT_HOST", "containerd image store", "BuildKit container", "on PATH"} {
			if !strings.Contains(got, way) {
				t.Errorf("%+v: %q is not among the ways of %s", tt.m, way, got)
			}
		}
	}
}

func TestNoEngine(t *testing.T) {
	_, err := Open(t.Context(), Options{DockerHost: "unix:///nonexistent", LookPath: onlyThese("apt-get")})
	var none *NoEngineError
	if !errors.As(err, &none) || len(none.Reasons) != 2 || !strings.Contains(none.Hint(), "scripts/setup") {
		t.Errorf("error = %v", err)
	}
}

func TestDaemonThatFails(t *testing.T) {
	opts := Options{DockerHost: "unix:///nonexistent", Temp: t.TempDir(), LookPath: onlyThese("runc")}
	opts.BuildKitd = filepath.Join(t.TempDir(), "buildkitd")
	writeScript(t, opts.BuildKitd, "#!/bin/sh\necho 'no kernel for me' >&2\nexit 3\n")
	if _, err := Open(t.Context(), opts); err == nil || !strings.Contains(err.Error(), "no kernel for me") {
		t.Errorf("error = %v", err)
	}
	opts.BuildKitd = "/nonexistent/buildkitd"
	if _, err := Open(t.Context(), opts); err == nil || !strings.Contains(err.Error(), "/nonexistent/buildkitd") {
		t.Errorf("error = %v", err)
	}
	checkEmpty(t, opts.Temp)
}

// checkEmpty: nothing is left in dir, nor mounted below it.
func checkEmpty(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 0 {
		t.Errorf("left in the temporary folder: %v, %v", left, err)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil || strings.Contains(string(mounts), dir) {
		t.Errorf("left mounted: %v\n%s", err, mounts)
	}
}

// TestLocalDaemons: two at once, each gone without a trace at its end, whether
// it was idle, building, or killed.
func TestLocalDaemons(t *testing.T) {
	realServers(t)
	opts, host := localOptions(t), newRegistry(t)
	var group errgroup.Group
	engines := make([]Engine, 2)
	for i := range engines {
		group.Go(func() (err error) { engines[i], err = Open(t.Context(), opts); return err })
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	req := Request{Dockerfile: []byte("FROM base\nRUN echo running; sleep 1000\n"), NamedContexts: map[string]string{"base": base(t, engines[0], host)}}
	ctx, cancel := context.WithCancel(t.Context())
	_, err := engines[0].Solve(ctx, req, func(e Event) {
		if strings.Contains(string(e.Log), "running") {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v", err)
	}
	kill(t, engines[1])
	for _, e := range engines {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
	checkEmpty(t, opts.Temp)
}

// TestDaemonLeavesNobody: when the process that was started is killed, what it
// started itself does not live on.
func TestDaemonLeavesNobody(t *testing.T) {
	opts := Options{DockerHost: "unix:///nonexistent", Temp: t.TempDir(), LookPath: onlyThese("runc"), BuildKitd: filepath.Join(t.TempDir(), "buildkitd")}
	held := filepath.Join(t.TempDir(), "held") // open for writing as long as anybody lives
	if err := syscall.Mkfifo(held, 0o600); err != nil {
		t.Fatal(err)
	}
	gone := make(chan error)
	go func() { _, err := os.ReadFile(held); gone <- err }()
	writeScript(t, opts.BuildKitd, "#!/bin/sh\nexec 3>"+held+"\nsleep 1000 &\nkill -9 $$\n")
	if _, err := Open(t.Context(), opts); err == nil {
		t.Error("no error")
	}
	if err := <-gone; err != nil {
		t.Error(err)
	}
}

// kill ends the daemon of e as a machine short of memory would.
func kill(t *testing.T, e Engine) {
	t.Helper()
	socket := address(t, e)
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range lines {
		if b, err := os.ReadFile(f); err != nil || !strings.Contains(string(b), socket) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(f)))
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Fatalf("no process listens on %s", socket)
}
