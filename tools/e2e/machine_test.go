package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os/exec"
	"regexp"
	"syscall"
	"testing"
	"time"

	"slipway/tools/internal/testkit/gittest"
)

// patience bounds whatever a test waits for.
const patience = 2 * time.Minute

// machine is a computer with a checkout: it has a home of its own, no
// credentials, and a BuildKit.
type machine struct {
	*gittest.Repo
	tb       testing.TB
	builder  string // "unix:///tmp/..."
	registry string // "127.0.0.1:43210/prefix"
}

// report is slipway's own, as docs/scripting.md has it.
type report struct {
	Commit   string    `json:"commit"`
	Recorded bool      `json:"recorded"`
	Projects []outcome `json:"projects"`
}

type outcome struct {
	Name        string `json:"name"`
	Outcome     string `json:"outcome"`
	Reason      string `json:"reason"`
	ContentHash string `json:"contentHash"`
	Image       string `json:"image"`
	Digest      string `json:"digest"`
	Error       string `json:"error"`
}

// reference is the image by digest.
func (p outcome) reference() string { return p.Image + "@" + p.Digest }

// named are the projects with an outcome, in the report's order.
func (r report) named(what string) []string {
	names := []string{}
	for _, p := range r.Projects {
		if p.Outcome == what {
			names = append(names, p.Name)
		}
	}
	return names
}

// process is one run of slipway.
type process struct {
	tb             testing.TB
	cmd            *exec.Cmd
	stdout, stderr bytes.Buffer
	done           chan struct{}
	code           int // -1 when it was killed
}

// start runs slipway in the checkout. It is killed with the test.
func (m *machine) start(args ...string) *process {
	m.tb.Helper()
	p := &process{tb: m.tb, done: make(chan struct{})}
	ctx, cancel := context.WithTimeout(m.tb.Context(), patience)
	p.cmd = exec.CommandContext(ctx, shared.program, args...)
	p.cmd.Dir = m.Dir
	p.cmd.Env = append(m.Env(), "BUILDKIT_HOST="+m.builder, "SLIPWAY_REGISTRY="+m.registry)
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	check(m.tb, p.cmd.Start())
	go func() {
		defer close(p.done)
		defer cancel()
		p.code = exitCode(p.cmd.Wait())
	}()
	return p
}

func exitCode(err error) int {
	exit := (*exec.ExitError)(nil)
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	default:
		return -1
	}
}

// build starts "slipway build --all" with its report as JSON.
func (m *machine) build(args ...string) *process {
	m.tb.Helper()
	return m.only(append([]string{"--all"}, args...)...)
}

// only starts "slipway build" for what the arguments name, with its report as JSON.
func (m *machine) only(args ...string) *process {
	m.tb.Helper()
	return m.start(append([]string{"build", "--output=json", "--progress=plain"}, args...)...)
}

// slipway runs slipway, which has to succeed, and returns what it printed.
func (m *machine) slipway(args ...string) []byte {
	m.tb.Helper()
	p := m.start(args...)
	p.wants(0)
	return p.stdout.Bytes()
}

// wants waits for the end, and fails the test on any other exit code.
func (p *process) wants(code int) {
	p.tb.Helper()
	<-p.done
	if p.code != code {
		p.tb.Fatalf("%q ended with %d, not %d:\n%s%s", p.cmd.Args[1:], p.code, code, p.stdout.Bytes(), p.stderr.Bytes())
	}
	if noise := logLine.Find(p.stderr.Bytes()); noise != nil {
		p.tb.Errorf("%q let a library say %q to people", p.cmd.Args[1:], noise)
	}
}

// logLine is what Go's own log package writes.
var logLine = regexp.MustCompile(`(?m)^\d{4}/\d\d/\d\d .*`)

// report waits for the end and reads what was printed; a killed run has none.
func (p *process) report() report {
	p.tb.Helper()
	<-p.done
	var r report
	if p.stdout.Len() == 0 {
		return r
	}
	if err := json.Unmarshal(p.stdout.Bytes(), &r); err != nil {
		p.tb.Fatalf("reading the report: %v\n%s%s", err, p.stdout.Bytes(), p.stderr.Bytes())
	}
	return r
}

// kill ends the run as a machine that goes away does.
func (p *process) kill() { _ = p.cmd.Process.Kill() }

// interrupt is what Ctrl-C does.
func (p *process) interrupt() { _ = p.cmd.Process.Signal(syscall.SIGINT) }
