package servers

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// Builder is a running buildkitd.
type Builder struct {
	// Address is what clients call, "unix:///tmp/..." or "tcp://127.0.0.1:43210".
	Address string
	// Certificates are what a client needs when it demands TLS on both sides.
	Certificates Certificates

	process *process
}

// BuilderOptions make a buildkitd that differs from the plain one.
type BuilderOptions struct {
	// MutualTLS makes it listen on tcp and demand a client certificate.
	MutualTLS bool
	// Config is the content of its configuration file (TOML).
	Config string
	// Args are more arguments for it, e.g. "--oci-worker-snapshotter=native".
	Args []string
}

// BuildKit starts an empty buildkitd and returns its address, a unix socket.
func BuildKit(tb testing.TB) (address string) {
	tb.Helper()
	return BuildKitWith(tb, BuilderOptions{}).Address
}

// BuildKitWith starts an empty buildkitd as o says.
func BuildKitWith(tb testing.TB, o BuilderOptions) *Builder {
	tb.Helper()
	dir := shortDir(tb)
	b := &Builder{Address: "unix://" + filepath.Join(dir, "bk.sock")}
	if o.MutualTLS {
		b.Address, b.Certificates = "tcp://127.0.0.1:0", NewCertificates(tb)
	}
	config := filepath.Join(dir, "buildkitd.toml")
	write(tb, config, o.Config, 0o600)
	b.process = start(tb, dir, b.argv(tb, dir, config, o)...)
	if o.MutualTLS {
		b.Address = "tcp://" + b.process.announced(tb, runningOn)
	}
	b.process.await(tb, func() bool { return b.answers(tb) })
	return b
}

// Stop ends the builder before the test does, as on a machine that goes away.
func (b *Builder) Stop(tb testing.TB) {
	tb.Helper()
	b.process.end(tb)
}

// Log is what the builder has said.
func (b *Builder) Log() string { return b.process.log.String() }

var runningOn = regexp.MustCompile(`running server on (127\.0\.0\.1:[0-9]+)`)

// argv is the command line; without root, buildkitd runs in rootlesskit's
// user namespace, on the machine's own network.
func (b *Builder) argv(tb testing.TB, dir, config string, o BuilderOptions) []string {
	tb.Helper()
	var argv []string
	if os.Getuid() != 0 {
		argv = []string{packaged(tb, "rootlesskit"), "--net=host", "--state-dir=" + filepath.Join(dir, "rootlesskit")}
	}
	argv = append(argv, tool(tb, "buildkitd"), "--addr="+b.Address, "--root="+filepath.Join(dir, "root"),
		"--config="+config, "--oci-worker=true", "--containerd-worker=false")
	if os.Getuid() != 0 {
		argv = append(argv, "--rootless", "--oci-worker-no-process-sandbox")
	}
	if c := b.Certificates; c.CA != "" {
		argv = append(argv, "--tlscacert="+c.CA, "--tlscert="+c.Cert, "--tlskey="+c.Key)
	}
	return append(argv, o.Args...)
}

// Client is the command line of buildctl for this builder.
func (b *Builder) Client(tb testing.TB, args ...string) []string {
	tb.Helper()
	argv := []string{tool(tb, "buildctl"), "--addr=" + b.Address}
	if c := b.Certificates; c.CA != "" {
		argv = append(argv, "--tlscacert="+c.CA, "--tlscert="+c.ClientCert, "--tlskey="+c.ClientKey)
	}
	return append(argv, args...)
}

// answers tells whether the builder lists its workers to a client.
func (b *Builder) answers(tb testing.TB) bool {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	argv := b.Client(tb, "debug", "workers")
	return exec.CommandContext(ctx, argv[0], argv[1:]...).Run() == nil
}
