// Package proc runs other programs. It owns one rule: a program gets an argv
// (never a shell string), and when its context ends it is interrupted, waited
// for, and only then killed.
package proc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// Grace is how long an interrupted program may take to end before it is killed.
const Grace = 10 * time.Second

// Cmd is a program to run. The zero values of Env, Dir and the streams mean
// what they mean in [exec.Cmd]: this process's environment and folder, no input,
// output thrown away.
type Cmd struct {
	Args   []string // program and arguments, e.g. {"git", "rev-parse", "HEAD"}
	Dir    string
	Env    []string
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
}

// Error says that a program ran and ended badly.
type Error struct {
	Args   []string // what was run
	Code   int      // exit code, -1 when a signal ended it
	Stderr string   // the last lines it printed there, when they were not sent elsewhere
}

func (e *Error) Error() string {
	s := fmt.Sprintf("running %s: exit code %d", strings.Join(e.Args, " "), e.Code)
	if e.Stderr != "" {
		s += ": " + e.Stderr
	}
	return s
}

// Prepare returns the exec.Cmd for c, to be started by the caller, with the
// package's rule about ending set up.
func (c Cmd) Prepare(ctx context.Context) *exec.Cmd {
	cmd := exec.CommandContext(ctx, c.Args[0], c.Args[1:]...) //nolint:gosec // an argv, no shell
	cmd.Dir, cmd.Env = c.Dir, c.Env
	cmd.Stdin, cmd.Stdout, cmd.Stderr = c.Stdin, c.Stdout, c.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = Grace
	return cmd
}

// Run runs c to its end. A bad end is an [*Error]; a program that could not be
// started is the error of [exec.Cmd.Run]; a cancelled one is the context's.
func (c Cmd) Run(ctx context.Context) error {
	var tail bytes.Buffer
	if c.Stderr == nil {
		c.Stderr = &tail
	}
	err := c.Prepare(ctx).Run()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return &Error{Args: c.Args, Code: exit.ExitCode(), Stderr: lastLines(tail.String())}
	}
	return err
}

// Output runs c and returns what it printed on its standard output.
func (c Cmd) Output(ctx context.Context) ([]byte, error) {
	var out bytes.Buffer
	c.Stdout = &out
	err := c.Run(ctx)
	return out.Bytes(), err
}

// lastLines keeps what a person needs of a long error output.
func lastLines(s string) string {
	const limit = 2000
	s = strings.TrimSpace(s)
	if len(s) > limit {
		s = "..." + s[len(s)-limit:]
	}
	return s
}
