package servers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// needsServers leaves a test out of quick runs.
func needsServers(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("real servers: left out by -short")
	}
}

func tagIn(tb testing.TB, s *Server) name.Tag {
	tb.Helper()
	var options []name.Option
	if strings.HasPrefix(s.URL, "http://") {
		options = append(options, name.Insecure)
	}
	tag, err := name.NewTag(s.Host+"/acme/web:v1", options...)
	if err != nil {
		tb.Fatal(err)
	}
	return tag
}

func someImage(tb testing.TB) v1.Image {
	tb.Helper()
	image, err := random.Image(1000, 2)
	if err != nil {
		tb.Fatal(err)
	}
	return image
}

func TestRegistries(t *testing.T) {
	needsServers(t)
	login := RegistryOptions{Username: "ci", Password: "s3cret", TLS: true}
	tests := map[string]struct {
		start func(testing.TB) *Server
		auth  authn.Authenticator
	}{
		"new":           {Registry, authn.Anonymous},
		"old":           {OldRegistry, authn.Anonymous},
		"new with TLS":  {func(tb testing.TB) *Server { return RegistryWith(tb, login) }, &authn.Basic{Username: "ci", Password: "s3cret"}},
		"old with TLS":  {func(tb testing.TB) *Server { return OldRegistryWith(tb, login) }, &authn.Basic{Username: "ci", Password: "s3cret"}},
		"new, no login": {func(tb testing.TB) *Server { return RegistryWith(tb, login) }, nil},
		"old, no login": {func(tb testing.TB) *Server { return OldRegistryWith(tb, login) }, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := tt.start(t)
			if tt.auth == nil {
				checkRefused(t, s, http.StatusUnauthorized)
				return
			}
			checkStores(t, s, tt.auth)
		})
	}
}

// checkStores pushes, reads and deletes an image.
func checkStores(t *testing.T, s *Server, auth authn.Authenticator) {
	t.Helper()
	tag, image := tagIn(t, s), someImage(t)
	options := []remote.Option{remote.WithAuth(auth), remote.WithTransport(s.Transport()), remote.WithContext(t.Context())}
	if err := remote.Write(tag, image, options...); err != nil {
		t.Fatal(err)
	}
	got, err := remote.Head(tag, options...)
	if err != nil {
		t.Fatal(err)
	}
	want, err := image.Digest()
	if err != nil || got.Digest != want {
		t.Fatalf("digest %v, want %v (%v)", got.Digest, want, err)
	}
	if err := remote.Delete(tag.Digest(want.String()), options...); err != nil {
		t.Fatal(err)
	}
	if _, err := remote.Head(tag, options...); statusOf(err) != http.StatusNotFound {
		t.Errorf("after the deletion: %v, want 404", err)
	}
}

// checkRefused sees a push turned down.
func checkRefused(t *testing.T, s *Server, status int) {
	t.Helper()
	err := remote.Write(tagIn(t, s), someImage(t), remote.WithTransport(s.Transport()), remote.WithContext(t.Context()))
	if statusOf(err) != status {
		t.Errorf("push: %v, want status %d", err, status)
	}
}

func statusOf(err error) int {
	var fault *transport.Error
	if errors.As(err, &fault) {
		return fault.StatusCode
	}
	return 0
}

func TestRegistryReadOnly(t *testing.T) {
	needsServers(t)
	s := Registry(t)
	checkPush(t, s)
	s.Stop(t)
	checkRefused(t, RegistryWith(t, RegistryOptions{Storage: s.Storage, ReadOnly: true}), http.StatusMethodNotAllowed)
	old := RegistryWith(t, RegistryOptions{Storage: s.Storage})
	if _, err := remote.Head(tagIn(t, old)); err != nil {
		t.Errorf("a registry started on kept storage: %v", err)
	}
}

func checkPush(t *testing.T, s *Server) {
	t.Helper()
	if err := remote.Write(tagIn(t, s), someImage(t)); err != nil {
		t.Fatal(err)
	}
}

func TestBaseImage(t *testing.T) {
	needsServers(t)
	first, second := Registry(t), OldRegistry(t)
	a, b := BaseImage(t, first.Host, "base"), BaseImage(t, second.Host, "base")
	if !strings.HasPrefix(a, first.Host+"/base@sha256:") || strings.TrimPrefix(a, first.Host) != strings.TrimPrefix(b, second.Host) {
		t.Errorf("references %s and %s", a, b)
	}
}

// TestBuildKit builds on the base image, with several builders, and compares.
func TestBuildKit(t *testing.T) {
	needsServers(t)
	host := Registry(t).Host
	base := BaseImage(t, host, "base")
	plain := build(t, BuildKitWith(t, BuilderOptions{}), base, host+"/plain")
	for name, o := range map[string]BuilderOptions{
		"native":     {Args: []string{"--oci-worker-snapshotter=native"}},
		"mutual TLS": {MutualTLS: true},
	} {
		if got := build(t, BuildKitWith(t, o), base, host+"/other"); got != plain {
			t.Errorf("%s built %s, want %s", name, got, plain)
		}
	}
}

// build builds a Dockerfile on base, pushes it to repository, and returns its digest.
func build(tb testing.TB, b *Builder, base, repository string) string {
	tb.Helper()
	dir := tb.TempDir()
	dockerfile := fmt.Sprintf("FROM %s\nRUN id -un | grep -x root && ls /bin | grep -q awk && echo built >/tmp/built\n", base)
	write(tb, filepath.Join(dir, "Dockerfile"), dockerfile, 0o600)
	result := filepath.Join(dir, "result.json")
	run(tb, b.Client(tb, "build", "--frontend=dockerfile.v0", "--local=context="+dir, "--local=dockerfile="+dir,
		"--opt=build-arg:SOURCE_DATE_EPOCH=1", "--metadata-file="+result,
		"--output=type=image,push=true,rewrite-timestamp=true,oci-mediatypes=true,name="+repository))
	var metadata struct {
		Digest string `json:"containerimage.digest"`
	}
	body, err := os.ReadFile(result)
	if err != nil {
		tb.Fatal(err)
	}
	if err := json.Unmarshal(body, &metadata); err != nil || metadata.Digest == "" {
		tb.Fatalf("no digest in %s (%v)", body, err)
	}
	return metadata.Digest
}

func run(tb testing.TB, argv []string) {
	tb.Helper()
	if out, err := exec.CommandContext(tb.Context(), argv[0], argv[1:]...).CombinedOutput(); err != nil {
		tb.Fatalf("%v: %v\n%s", argv, err, out)
	}
}

func TestBuildKitWantsCertificate(t *testing.T) {
	needsServers(t)
	b := BuildKitWith(t, BuilderOptions{MutualTLS: true})
	argv := []string{Tool(t, "buildctl"), "--addr=" + b.Address, "--tlscacert=" + b.Certificates.CA, "--timeout=2", "debug", "workers"}
	if out, err := exec.CommandContext(t.Context(), argv[0], argv[1:]...).CombinedOutput(); err == nil {
		t.Errorf("a client without a certificate was let in:\n%s", out)
	}
}

// TestNothingIsLeft ends a builder in the middle of a build.
func TestNothingIsLeft(t *testing.T) {
	needsServers(t)
	var dir string
	var p *process
	t.Run("builder", func(t *testing.T) {
		host := Registry(t).Host
		b := BuildKitWith(t, BuilderOptions{})
		p, dir = b.process, strings.TrimSuffix(strings.TrimPrefix(b.Address, "unix://"), "/bk.sock")
		startBuild(t, b, BaseImage(t, host, "base"))
	})
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its folder: %v, want none", err)
	}
	if processState := p.cmd.ProcessState; processState == nil {
		t.Error("the builder was not waited for")
	}
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil || len(mountsBelow(table, dir)) != 0 {
		t.Errorf("mounts are left: %v (%v)", mountsBelow(table, dir), err)
	}
}

// startBuild starts a build that never ends, and returns when it runs.
func startBuild(t *testing.T, b *Builder, base string) {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "Dockerfile"), "FROM "+base+"\nRUN echo running-$((40+2)); sleep 1000\n", 0o600)
	argv := b.Client(t, "build", "--frontend=dockerfile.v0", "--progress=plain", "--local=context="+dir, "--local=dockerfile="+dir)
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), argv[0], argv[1:]...)
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	waitFor(t, out, "running-42")
}

func waitFor(t *testing.T, out io.Reader, text string) {
	t.Helper()
	var seen bytes.Buffer
	chunk := make([]byte, 1000)
	for !strings.Contains(seen.String(), text) {
		n, err := out.Read(chunk)
		seen.Write(chunk[:n])
		if err != nil {
			t.Fatalf("%v after:\n%s", err, &seen)
		}
	}
}
