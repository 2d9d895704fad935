package engine

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/distribution/reference"
)

// serveDocker serves h on a unix socket, with HTTP/2 as an Engine has it, and
// returns its address.
func serveDocker(tb testing.TB, h http.Handler) string {
	tb.Helper()
	dir, err := os.MkdirTemp("", "docker") //nolint:usetesting // a socket needs a short path
	if err != nil {
		tb.Fatal(err)
	}
	socket := filepath.Join(dir, "docker.sock")
	listener, err := new(net.ListenConfig).Listen(tb.Context(), "unix", socket)
	if err != nil {
		tb.Fatal(err)
	}
	s := httptest.NewUnstartedServer(h)
	_ = s.Listener.Close()
	s.Listener = listener
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetHTTP1(true)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	tb.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
		_ = os.RemoveAll(dir)
	})
	return "unix://" + socket
}

// h2cTransport speaks HTTP/2 to those who were asked in it, HTTP/1 to others.
func h2cTransport(dial dialFunc) http.RoundTripper {
	one, two := &http.Transport{}, &http.Transport{Protocols: new(http.Protocols)}
	two.Protocols.SetUnencryptedHTTP2(true)
	for _, t := range []*http.Transport{one, two} {
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) }
	}
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		if r.Header.Get("Content-Type") == "application/grpc" {
			return two.RoundTrip(r)
		}
		return one.RoundTrip(r)
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func hintOf(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

func TestEngineInfoExports(t *testing.T) {
	containerd := [][2]string{{"driver-type", "io.containerd.snapshotter.v1"}}
	for _, c := range []struct {
		name string
		info engineInfo
		want bool
	}{
		{"containerd store", engineInfo{APIVersion: "1.52", DriverStatus: containerd}, true},
		{"first that rewrites timestamps", engineInfo{APIVersion: "1.45", DriverStatus: containerd}, true},
		{"too old", engineInfo{APIVersion: "1.44", DriverStatus: containerd}, false},
		{"no version", engineInfo{DriverStatus: containerd}, false},
		{"graph driver", engineInfo{APIVersion: "1.52", DriverStatus: [][2]string{{"Backing Filesystem", "extfs"}}}, false},
	} {
		if got := c.info.exports(); got != c.want {
			t.Errorf("%s: exports is %v, want %v", c.name, got, c.want)
		}
	}
}

func TestExactImage(t *testing.T) {
	digest := "sha256:" + strings.Repeat("a", 64)
	for in, want := range map[string]string{
		"moby/buildkit":                     "docker.io/moby/buildkit:latest",
		"moby/buildkit:v1":                  "docker.io/moby/buildkit:v1",
		"moby/buildkit:v1@" + digest:        "docker.io/moby/buildkit@" + digest,
		"127.0.0.1:5000/buildkit@" + digest: "127.0.0.1:5000/buildkit@" + digest,
	} {
		named, err := reference.ParseNormalizedNamed(in)
		if err != nil {
			t.Fatal(err)
		}
		if got := exactImage(named); got != want {
			t.Errorf("%s is %s, want %s", in, got, want)
		}
	}
}

// TestBuilderName holds that a container is found again, and never taken for
// one with another image.
func TestBuilderName(t *testing.T) {
	name := func(image string) string {
		b, err := newDockerBuilder(&dockerAPI{}, engineInfo{}, Options{BuildKitImage: image})
		if err != nil {
			t.Fatal(err)
		}
		return b.name
	}
	if name("") != name(defaultBuildKitImage) || name("a") != name("docker.io/library/a:latest") {
		t.Error("the same image gives different names")
	}
	if name("a") == name("b") {
		t.Error("different images give one name")
	}
	if _, err := newDockerBuilder(&dockerAPI{}, engineInfo{}, Options{BuildKitImage: "UPPER"}); err == nil {
		t.Error("a bad image name is taken")
	}
}

func TestBuilderSpec(t *testing.T) {
	b := &dockerBuilder{name: "n", image: "i"}
	got, err := json.Marshal(b.spec())
	if err != nil {
		t.Fatal(err)
	}
	want := `{"Image":"i","Cmd":["--allow-insecure-entitlement=network.host"],"Labels":{"slipway.buildkit":"1"},` +
		`"HostConfig":{"Privileged":true,"Init":true,"UsernsMode":"host","NetworkMode":"host",` +
		`"Mounts":[{"Type":"volume","Source":"n","Target":"/var/lib/buildkit"}]}}`
	if string(got) != want {
		t.Errorf("body is\n%s\nwant\n%s", got, want)
	}
}

func TestDockerFaults(t *testing.T) {
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	for _, c := range []struct {
		name, address, want, hint string
	}{
		{"refused", serveDocker(t, answer(500, `{"message":"out of order"}`)), "GET /info: 500 Internal Server Error: out of order", ""},
		{"not an engine", serveDocker(t, answer(200, `<html>`)), "GET /info: reading the answer", ""},
		{"windows", serveDocker(t, answer(200, `{"OSType":"windows"}`)), "images for linux are needed", ""},
		{"nobody", "unix:///nonexistent/docker.sock", "GET /info: dial unix", "no Docker Engine runs there"},
		{"scheme", "npipe:////./pipe/docker", "unknown scheme", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := dockerEndpoint(t.Context(), Options{DockerHost: c.address})
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.address) {
				t.Errorf("error is %v, want %q and the address in it", err, c.want)
			}
			if got := hintOf(err); !strings.HasPrefix(got, c.hint) || c.hint == "" && got != "" {
				t.Errorf("hint is %q, want %q", got, c.hint)
			}
		})
	}
}

func TestDockerPermission(t *testing.T) {
	f := &dockerFault{err: &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.EACCES)}}
	if !strings.Contains(f.Hint(), "group") {
		t.Errorf("hint is %q", f.Hint())
	}
}

// TestHijackEnds holds that a stream that is never granted does not hold a build.
func TestHijackEnds(t *testing.T) {
	asked := make(chan struct{})
	api, err := newDockerAPI(serveDocker(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
	})))
	if err != nil {
		t.Fatal(err)
	}
	stop := errors.New("stopped by the test")
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() { <-asked; cancel(stop) }()
	if _, err = api.hijack(ctx, "/grpc", "h2c", nil); !errors.Is(err, stop) {
		t.Errorf("error is %v, want the context's", err)
	}
}

func TestDockerTLS(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"OSType":"plan9"}`)
	}))
	t.Cleanup(s.Close)
	dir := t.TempDir()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(filepath.Join(dir, "ca.pem"), ca, 0o600); err != nil {
		t.Fatal(err)
	}
	address := "tcp://" + s.Listener.Addr().String()
	if _, err := dockerEndpoint(t.Context(), Options{DockerHost: withCerts(address, dir)}); err == nil || !strings.Contains(err.Error(), "plan9") {
		t.Errorf("with the authority's certificate: %v", err)
	}
	if _, err := dockerEndpoint(t.Context(), Options{DockerHost: address}); err == nil || strings.Contains(err.Error(), "plan9") {
		t.Errorf("without TLS: %v", err)
	}
}

// TestDockerSSH holds the words that reach ssh, and that its streams are the Engine's.
func TestDockerSSH(t *testing.T) {
	dir := t.TempDir()
	script := fmt.Sprintf("#!/bin/sh\necho \"$@\" >%s/argv\nread -r request\nprintf 'HTTP/1.0 503 Busy\\r\\n\\r\\nlater'\n", dir)
	if err := os.WriteFile(filepath.Join(dir, "ssh"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	_, err := dockerEndpoint(t.Context(), Options{DockerHost: "ssh://ci@builder:2222"})
	if dockerStatus(err) != http.StatusServiceUnavailable {
		t.Errorf("error is %v, want what came through ssh", err)
	}
	argv, err := os.ReadFile(filepath.Join(dir, "argv"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"-l ci", "-p 2222", "builder docker system dial-stdio"} {
		if !strings.Contains(string(argv), want) {
			t.Errorf("ssh was called with %q, want %q in it", argv, want)
		}
	}
}

func TestDockerAddress(t *testing.T) {
	dir := t.TempDir()
	put := func(name, body string) {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("config.json", `{"currentContext":"rootless"}`)
	put("contexts/meta/"+contextID("rootless")+"/meta.json", `{"Endpoints":{"docker":{"Host":"unix:///run/user/1000/docker.sock"}}}`)
	put("contexts/meta/"+contextID("far")+"/meta.json", `{"Endpoints":{"docker":{"Host":"tcp://far:2376"}}}`)
	put("contexts/tls/"+contextID("far")+"/docker/ca.pem", `x`)
	for _, c := range []struct {
		name     string
		settings DockerSettings
		want     string
	}{
		{"nothing", DockerSettings{}, ""},
		{"no configuration", DockerSettings{ConfigDir: filepath.Join(dir, "none")}, ""},
		{"host", DockerSettings{Host: "tcp://a:1", Context: "far", ConfigDir: dir}, "tcp://a:1"},
		{"host with TLS", DockerSettings{Host: "tcp://a:1", TLSVerify: true, CertPath: "/c d"}, "tcp://a:1?certs=%2Fc+d"},
		{"current context", DockerSettings{ConfigDir: dir}, "unix:///run/user/1000/docker.sock"},
		{"default context", DockerSettings{Context: "default", ConfigDir: dir}, ""},
		{"context with TLS", DockerSettings{Context: "far", ConfigDir: dir},
			withCerts("tcp://far:2376", filepath.Join(dir, "contexts/tls", contextID("far"), "docker"))},
	} {
		if got, err := DockerAddress(c.settings); err != nil || got != c.want {
			t.Errorf("%s: address is %q, %v; want %q", c.name, got, err, c.want)
		}
	}
	if _, err := DockerAddress(DockerSettings{Context: "gone", ConfigDir: dir}); err == nil || !strings.Contains(err.Error(), `"gone"`) {
		t.Errorf("a context that is not there: %v", err)
	}
}

func frame(origin byte, body string) string {
	header := make([]byte, frameHeader)
	header[0] = origin
	binary.BigEndian.PutUint32(header[4:], uint32(len(body)))
	return string(header) + body
}

func TestFrames(t *testing.T) {
	for _, c := range []struct{ name, stream, want, err string }{
		{"empty", "", "", ""},
		{"output", frame(1, "ab") + frame(1, "") + frame(1, "c"), "abc", ""},
		{"complaint", frame(1, "a") + frame(2, "no such file\n"), "a", "no such file"},
		{"cut in a header", frame(1, "a") + "\x01\x00", "a", "unexpected EOF"},
		{"cut in a piece", frame(1, "abc")[:9], "a", "unexpected EOF"},
		{"not framed", "HTTP/1.1", "", "unknown origin 72"},
	} {
		got, err := io.ReadAll(&frames{reader: strings.NewReader(c.stream)})
		if string(got) != c.want || c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%s: read %q, %v; want %q, %q", c.name, got, err, c.want, c.err)
		}
	}
}

func FuzzFrames(f *testing.F) {
	f.Add([]byte(frame(1, "ab")+frame(2, "c")), 1)
	f.Fuzz(func(t *testing.T, stream []byte, step int) {
		r := &frames{reader: bytes.NewReader(stream)}
		p := make([]byte, max(1, step%64))
		for total := 0; ; {
			n, err := r.Read(p)
			if total += n; total > len(stream) || r.stderr.Len() > maxFrameStderr {
				t.Fatalf("read more than there was")
			}
			if err != nil {
				return
			}
		}
	})
}
