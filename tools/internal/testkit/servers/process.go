package servers

import (
	"bytes"
	"context"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	patience = 60 * time.Second      // for a server to answer, or to end
	interval = 20 * time.Millisecond // between two questions whether it is ready
)

// process is a running server.
type process struct {
	name string
	log  *output
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
}

// start starts a server, which ends with the test: interrupted, waited for, and
// killed when it does not end by itself. It leads a process group, so that
// nothing of it is left, and the kernel ends it when this process is killed.
func start(tb testing.TB, home string, argv ...string) *process {
	tb.Helper()
	p := &process{name: filepath.Base(argv[0]), log: &output{}, done: make(chan struct{})}
	p.cmd = exec.CommandContext(context.WithoutCancel(tb.Context()), argv[0], argv[1:]...)
	p.cmd.Env, p.cmd.Dir = environment(home), home
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	p.cmd.WaitDelay = patience
	if err := p.cmd.Start(); err != nil {
		tb.Fatalf("starting %s: %v", p.name, err)
	}
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait()
	}()
	tb.Cleanup(func() { p.end(tb) })
	return p
}

// await asks until the answer is yes. A server that ends before, or that takes
// too long, fails the test.
func (p *process) await(tb testing.TB, ready func() bool) {
	tb.Helper()
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	limit := time.After(patience)
	for !ready() {
		select {
		case <-p.done:
			tb.Fatalf("%s ended before it was ready", p.name)
		case <-limit:
			tb.Fatalf("%s was not ready after %s", p.name, patience)
		case <-ticker.C:
		}
	}
}

// announced waits until the log matches, and returns the pattern's first group.
func (p *process) announced(tb testing.TB, pattern *regexp.Regexp) string {
	tb.Helper()
	var found []string
	p.await(tb, func() bool {
		found = pattern.FindStringSubmatch(p.log.String())
		return found != nil
	})
	return found[1]
}

// end ends the server, once or again, and shows its log when the test failed.
func (p *process) end(tb testing.TB) {
	tb.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(patience):
		tb.Errorf("%s did not end by itself after %s", p.name, patience)
	}
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.done
	if tb.Failed() {
		tb.Logf("log of %s:\n%s", p.name, p.log)
	}
}

// output keeps what a server prints.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
