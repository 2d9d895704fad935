package engine

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"slipway/tools/internal/proc"
	"slipway/tools/internal/testkit/servers"
)

func TestParseBuilder(t *testing.T) {
	tests := []struct {
		in, address string
		platforms   []string
		opts        int
		wantErr     string
	}{
		{"unix:///run/b.sock", "unix:///run/b.sock", nil, 0, ""},
		{"tcp://h:1234", "tcp://h:1234", nil, 0, ""},
		{"tcp://h:1234?tls", "tcp://h:1234", nil, 1, ""},
		{"tcp://h:1?cacert=a&cert=b&key=c&servername=s", "tcp://h:1", nil, 2, ""},
		{"linux/arm64=tcp://h:1?cacert=a", "tcp://h:1", []string{"linux/arm64"}, 1, ""},
		{"linux/arm64,linux/arm/v7=ssh://u@h:22", "ssh://u@h:22", []string{"linux/arm64", "linux/arm/v7"}, 0, ""},
		{"kube-pod://p?namespace=n", "kube-pod://p?namespace=n", nil, 0, ""},
		{"docker-container://b", "docker-container://b", nil, 0, ""},
		{"podman-container://b", "podman-container://b", nil, 0, ""},
		{"tcp://h:1?cert=b", "", nil, 0, "cert and key go together"},
		{"tcp://h:1?cart=b", "", nil, 0, `unknown parameter "cart"`},
		{"h:1", "", nil, 0, "want an address with one of"},
		{"", "", nil, 0, "want an address with one of"},
		{"http://h", "", nil, 0, "want an address with one of"},
		{"linux/arm64=", "", nil, 0, "want an address with one of"},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			e, err := parseBuilder(tt.in)
			if tt.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wantErr) {
					t.Errorf("error = %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if e.address != tt.address || len(e.opts) != tt.opts || cmp.Diff(tt.platforms, e.platforms) != "" {
				t.Errorf("%+v", e)
			}
			if !strings.Contains(e.name, tt.address) {
				t.Errorf("name %q", e.name)
			}
		})
	}
}

// TestBuilders builds through every kind of address, all leading to one daemon.
// There is no cluster, Docker or podman here: their programs are stand-ins that
// run buildctl as the real ones would, and record how they were called.
func TestBuilders(t *testing.T) {
	realServers(t)
	plain, secure := servers.BuildKit(t), servers.BuildKitWith(t, servers.BuilderOptions{MutualTLS: true})
	certs := secure.Certificates
	tls, client := secure.Address+"?cacert="+certs.CA, "&cert="+certs.ClientCert+"&key="+certs.ClientKey
	host := newRegistry(t)
	calls := fakePrograms(t, plain)
	tests := []struct{ name, builder, call string }{
		{"unix", plain, ""},
		{"tcp with mTLS", tls + client, ""},
		{"tcp with mTLS, by name", tls + client + "&servername=localhost", ""},
		{"ssh", startSSHD(t, strings.TrimPrefix(plain, "unix://")), ""},
		{"kube-pod", "kube-pod://builder-0?namespace=ci&container=bk", "kubectl --context= --namespace=ci exec --container=bk -i builder-0 -- buildctl dial-stdio"},
		{"docker-container", "docker-container://bk", "docker exec -i bk buildctl dial-stdio"},
		{"podman-container", "podman-container://bk", "podman exec -i bk buildctl dial-stdio"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := open(t, Options{Builders: []string{tt.builder}})
			r := solve(t, e, Request{Context: []File{file("f", tt.name)}, Dockerfile: []byte("FROM scratch\nCOPY f /f\n"), Repository: host + "/web"})
			if got := contents(t, image(t, host+"/web", r.Digest))["f"]; got != tt.name {
				t.Errorf("f = %q", got)
			}
			if tt.call == "" {
				return
			}
			if b, err := os.ReadFile(calls); err != nil || !strings.Contains(string(b), tt.call+"\n") {
				t.Errorf("%v, calls:\n%swant %s", err, b, tt.call)
			}
		})
	}
	refused := map[string]string{
		"no certificate": tls,
		"no TLS":         secure.Address,
		"wrong name":     tls + client + "&servername=other.test",
		"nobody there":   "unix:///nonexistent/buildkitd.sock",
	}
	for name, builder := range refused {
		t.Run(name, func(t *testing.T) {
			e, err := Open(t.Context(), Options{Builders: []string{builder}, DialTimeout: time.Second})
			address, _, _ := strings.Cut(builder, "?")
			if err == nil || !strings.Contains(err.Error(), address) {
				t.Errorf("engine %v, error = %v", e, err)
			}
		})
	}
}

// fakePrograms puts kubectl, docker and podman first on PATH: they write down
// their arguments and carry out the buildctl command among them.
func fakePrograms(t *testing.T, address string) (calls string) {
	t.Helper()
	dir := t.TempDir()
	calls = filepath.Join(dir, "calls")
	script := "#!/bin/sh\necho \"${0##*/} $*\" >> " + calls + "\nwhile [ \"$1\" != buildctl ]; do shift; done\nshift\nexec " + servers.Tool(t, "buildctl") + " \"$@\"\n"
	for _, name := range []string{"kubectl", "docker", "podman"} {
		writeScript(t, filepath.Join(dir, name), script)
	}
	t.Setenv("BUILDKIT_HOST", address)
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	return calls
}

func writeScript(t *testing.T, path, script string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
}

// startSSHD returns an ssh address of this machine that leads to socket. Each
// connection gets an sshd of its own; the ssh on PATH reads only the test's
// configuration.
func startSSHD(t *testing.T, socket string) (builder string) {
	t.Helper()
	dir := t.TempDir()
	for _, key := range []string{"host", "user"} {
		run(t, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(dir, key))
	}
	public, err := os.ReadFile(filepath.Join(dir, "user.pub"))
	if err != nil {
		t.Fatal(err)
	}
	hostKey, err := os.ReadFile(filepath.Join(dir, "host.pub"))
	if err != nil {
		t.Fatal(err)
	}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	port := listener.Addr().(*net.TCPAddr).Port
	for name, content := range map[string]string{
		"authorized_keys": string(public),
		"known_hosts":     fmt.Sprintf("[127.0.0.1]:%d %s", port, hostKey),
		"sshd_config": "HostKey " + dir + "/host\nAuthorizedKeysFile " + dir + "/authorized_keys\nStrictModes no\nUsePAM no\n" +
			"PermitRootLogin prohibit-password\nPasswordAuthentication no\nSetEnv PATH=" + filepath.Dir(servers.Tool(t, "buildctl")) + ":/usr/bin:/bin\n",
		"ssh_config": "IdentityFile " + dir + "/user\nIdentitiesOnly yes\nUserKnownHostsFile " + dir + "/known_hosts\nBatchMode yes\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
		t.Fatal(err)
	}
	go serveSSH(t, listener, filepath.Join(dir, "sshd_config"))
	ssh, err := exec.LookPath("ssh")
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	writeScript(t, filepath.Join(bin, "ssh"), "#!/bin/sh\nexec "+ssh+" -F "+dir+"/ssh_config \"$@\"\n")
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("ssh://%s@127.0.0.1:%d%s", me.Username, port, socket)
}

func run(t *testing.T, args ...string) {
	t.Helper()
	if err := (proc.Cmd{Args: args}).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// serveSSH hands every connection to an sshd, as inetd does.
func serveSSH(t *testing.T, listener net.Listener, config string) {
	t.Helper()
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		f, err := conn.(*net.TCPConn).File()
		_ = conn.Close()
		if err != nil {
			return
		}
		go func() {
			defer func() { _ = f.Close() }()
			cmd := proc.Cmd{Args: []string{"/usr/sbin/sshd", "-i", "-e", "-f", config}, Stdin: f, Stdout: f}.Prepare(t.Context())
			_ = cmd.Run()
		}()
	}
}
