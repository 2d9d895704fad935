package gitrepo

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"

	"slipway/tools/internal/proc"
)

// batch is one conversation with a `git cat-file --batch` or `--batch-check`.
type batch struct {
	cmd    *exec.Cmd
	bodies bool
	in     io.WriteCloser
	out    io.ReadCloser
	lines  *bufio.Reader
	stderr bytes.Buffer
	cancel context.CancelFunc
}

// startBatch starts the program on a context of its own: it outlives the call
// that happened to need it first.
func startBatch(c proc.Cmd, bodies bool) (*batch, error) {
	ctx, cancel := context.WithCancel(context.Background())
	b := &batch{bodies: bodies, cancel: cancel}
	c.Stderr = &b.stderr
	b.cmd = c.Prepare(ctx)
	var err error
	if b.in, err = b.cmd.StdinPipe(); err == nil {
		b.out, err = b.cmd.StdoutPipe()
	}
	if err == nil {
		err = b.cmd.Start()
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("starting git: %w", err)
	}
	b.lines = bufio.NewReaderSize(b.out, 1<<16)
	return b, nil
}

// ask sends all names and reads all answers, even after a bad one, so that the
// next question gets its own answer; broken says that this did not work out.
func (b *batch) ask(names []string, visit func(int, object) error) (broken bool, first error) {
	sent := make(chan error, 1)
	go func() { sent <- b.send(names) }() // git answers before it has read all
	for i, name := range names {
		o, err := b.answer(name)
		var absent *absentError
		if err != nil && !errors.As(err, &absent) {
			b.kill()
			<-sent //nolint:errcheck // it broke for the same reason
			return true, &brokenError{name, err}
		}
		if first == nil && err == nil {
			err = visit(i, o)
		}
		if first == nil {
			first = err
		}
	}
	return <-sent != nil, first // not sent whole, yet answered: not to be used again
}

func (b *batch) send(names []string) error {
	w := bufio.NewWriter(b.in)
	for _, name := range names {
		_, _ = w.WriteString(name + "\n") // Flush returns its error
	}
	return w.Flush()
}

// answer reads "<id> <type> <size>", and then for contents the body and a
// newline; or "<name> missing", "<name> ambiguous".
func (b *batch) answer(name string) (object, error) {
	line, err := b.lines.ReadString('\n')
	if err != nil {
		return object{}, err
	}
	line = strings.TrimSuffix(line, "\n")
	if why, ok := strings.CutPrefix(line, name+" "); ok && !strings.Contains(why, " ") {
		return object{}, &absentError{name, why}
	}
	o, err := parseHeader(line)
	if err != nil || !b.bodies {
		return o, err
	}
	body := make([]byte, o.size+1)
	_, err = io.ReadFull(b.lines, body)
	o.body = body[:o.size]
	return o, err
}

func parseHeader(line string) (object, error) {
	f := strings.Split(line, " ")
	if len(f) != 3 || !validID(f[0]) {
		return object{}, fmt.Errorf("git answered %q", line)
	}
	size, err := strconv.ParseInt(f[2], 10, 64)
	if err != nil || size < 0 {
		return object{}, fmt.Errorf("git answered %q", line)
	}
	return object{id: ObjectID(f[0]), kind: kind(f[1]), size: size}, nil
}

// kill ends the program now, and with it a read that waits for it: what git
// itself started may hold the other end open for longer.
func (b *batch) kill() {
	b.cancel()
	_ = b.out.Close() // wakes the reader
}

// end lets the program finish and returns how it complained.
func (b *batch) end() error {
	_ = b.in.Close() // its end of input
	err := b.cmd.Wait()
	b.cancel()
	var exit *exec.ExitError
	if errors.As(err, &exit) && b.stderr.Len() > 0 {
		return &proc.Error{Args: b.cmd.Args, Code: exit.ExitCode(), Stderr: strings.TrimSpace(b.stderr.String())}
	}
	return err
}
