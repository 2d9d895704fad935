package proc_test

import (
	"context"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"

	"slipway/tools/internal/proc"
)

func sh(script string) proc.Cmd { return proc.Cmd{Args: []string{"sh", "-c", script}} }

func TestOutput(t *testing.T) {
	c := sh(`cat; echo "$0 $V"`)
	c.Args = append(c.Args, "a b; $(c)")
	c.Env, c.Stdin = []string{"V=v", "PATH=/usr/bin:/bin"}, strings.NewReader("in ")
	out, err := c.Output(t.Context())
	if err != nil || string(out) != "in a b; $(c) v\n" {
		t.Errorf("%q, %v", out, err)
	}
}

func TestBadEnd(t *testing.T) {
	tests := map[string]struct {
		script, stderr string
		code           int
	}{
		"exit code": {"echo why >&2; exit 3", "why", 3},
		"silent":    {"exit 1", "", 1},
		"signal":    {"kill -9 $$", "", -1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := sh(test.script).Run(t.Context())
			var e *proc.Error
			if !errors.As(err, &e) || e.Code != test.code || e.Stderr != test.stderr {
				t.Errorf("got %#v", err)
			}
		})
	}
}

func TestLongComplaintKeepsItsEnd(t *testing.T) {
	err := sh(`i=0; while [ $i -lt 500 ]; do echo "line $i" >&2; i=$((i+1)); done; exit 1`).Run(t.Context())
	var e *proc.Error
	if !errors.As(err, &e) || !strings.HasSuffix(e.Stderr, "line 499") || len(e.Stderr) > 2100 {
		t.Errorf("got %v", err)
	}
}

func TestMissingProgram(t *testing.T) {
	err := proc.Cmd{Args: []string{"no-such-program-anywhere"}}.Run(t.Context())
	if !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

// TestInterruptComesFirst cancels a program once it says that it is ready, and
// looks whether it could still clean up.
func TestInterruptComesFirst(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	said, write := io.Pipe()
	c := sh(`trap 'echo cleaned; exit 0' INT; echo ready; while :; do read -r line; done`)
	held, hold := io.Pipe()
	defer hold.Close() //nolint:errcheck // never fails
	c.Stdin, c.Stdout = held, write
	done := make(chan error, 1)
	go func() {
		done <- c.Run(ctx)
		_ = write.Close()
	}()
	ready := make([]byte, len("ready\n"))
	if _, err := io.ReadFull(said, ready); err != nil {
		t.Fatal(err)
	}
	cancel()
	rest := make([]byte, len("cleaned\n"))
	if _, err := io.ReadFull(said, rest); err != nil || string(rest) != "cleaned\n" {
		t.Errorf("after the interrupt: %q, %v", rest, err)
	}
	_ = held.Close() // the copy to its standard input ends with it
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
