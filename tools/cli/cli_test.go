package cli_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"slipway/manifest"
	"slipway/tools/ci"
	"slipway/tools/cli"
	"slipway/tools/console"
)

// commands are a program's, each of which does what the test says.
type commands struct {
	Build  act `cmd:"" help:"Build."`
	Plan   act `cmd:"" help:"Plan."`
	Nested struct {
		Inner act `cmd:"" help:"Inner."`
	} `cmd:"" help:"Nested."`
}

// act is a command with the three things that a command may ask for.
type act struct {
	Names []string `arg:"" optional:"" help:"Names."`
	Count int      `help:"Count."`

	run func(ctx context.Context, s console.Streams, e ci.Event) error
}

func (a *act) Run(ctx context.Context, s console.Streams, e ci.Event) error {
	if a.run != nil {
		return a.run(ctx, s, e)
	}
	_, err := fmt.Fprintf(s.Out, "%v %d %s", a.Names, a.Count, e.Branch)
	return err
}

// run runs the program, with build doing what the test wants (nil: it prints).
func run(tb testing.TB, build func(context.Context, console.Streams, ci.Event) error, argv ...string) (code int, out, said string) {
	tb.Helper()
	var stdout, stderr bytes.Buffer
	c := &commands{}
	c.Build.run = build
	p := cli.Program{
		Commands: c, Name: "prog", Description: "A program.",
		Streams: console.Streams{Out: &stdout, Err: &stderr, Now: time.Now}, Event: ci.Event{Branch: "main"},
	}
	code = p.Run(tb.Context(), argv)
	return code, stdout.String(), stderr.String()
}

func TestDispatch(t *testing.T) {
	for name, tt := range map[string]struct {
		argv []string
		code int
		out  string // all of it, or with "..." its beginning
		said string
	}{
		"a command":               {[]string{"prog", "build", "a", "--count=2"}, 0, "[a] 2 main", ""},
		"with the program's path": {[]string{"/usr/bin/prog", "plan"}, 0, "[] 0 main", ""},
		"a link":                  {[]string{"/usr/bin/build", "a", "b"}, 0, "[a b] 0 main", ""},
		"a link's help":           {[]string{"plan", "--help"}, 0, "Usage: prog plan...", ""},
		"a link without words":    {[]string{"plan"}, 0, "[] 0 main", ""},
		"a link to a group":       {[]string{"nested", "inner"}, 0, "[] 0 main", ""},
		"another name":            {[]string{"renamed", "build"}, 0, "[] 0 main", ""},
		"nothing":                 {[]string{"prog"}, 0, "Usage: prog...", ""},
		"help":                    {[]string{"prog", "--help"}, 0, "Usage: prog...", ""},
		"no such command":         {[]string{"prog", "bild"}, 2, "", "error: unexpected argument bild, did you mean \"build\"?\nhint: prog --help shows what it takes\n"},
		"no such flag":            {[]string{"prog", "build", "--cuont"}, 2, "", "error: unknown flag --cuont, did you mean \"--count\"?\nhint: prog build --help shows what it takes\n"},
		"no such flag of a link":  {[]string{"build", "--cuont"}, 2, "", "error: unknown flag --cuont, did you mean \"--count\"?\nhint: prog build --help shows what it takes\n"},
		"no number":               {[]string{"prog", "nested", "inner", "--count=x"}, 2, "", "error: --count: expected a valid 64 bit int but got \"x\"\nhint: prog nested inner --help shows what it takes\n"},
		"half a command":          {[]string{"prog", "nested"}, 2, "", "error: expected \"inner\"\nhint: prog nested --help shows what it takes\n"},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, said := run(t, nil, tt.argv...)
			if begin, cut := strings.CutSuffix(tt.out, "..."); cut && strings.HasPrefix(out, begin) {
				out = tt.out
			}
			if code != tt.code || out != tt.out || said != tt.said {
				t.Errorf("exit code %d, %q, %q; want %d, %q, %q", code, out, said, tt.code, tt.out, tt.said)
			}
		})
	}
}

// verdict is an error with the marks that are looked for.
type verdict struct{ temporary, usage bool }

func (verdict) Error() string     { return "verdict" }
func (verdict) Hint() string      { return "" }
func (v verdict) Temporary() bool { return v.temporary }
func (v verdict) Usage() bool     { return v.usage }

func TestExitCodes(t *testing.T) {
	plain := errors.New("it broke")
	for name, tt := range map[string]struct {
		err  error
		code int
		said string // "" where nothing may be said
	}{
		"done":               {nil, 0, ""},
		"failed":             {plain, 1, "error: it broke\n"},
		"usage":              {cli.Usagef("like this", "not like %s", "that"), 2, "error: not like that\nhint: like this\n"},
		"usage of below":     {fmt.Errorf("a: %w", verdict{usage: true}), 2, "error: a: verdict\n"},
		"faults":             {fmt.Errorf("a: %w", manifest.Faults{}), 2, "error: a: \n"},
		"location":           {locationError(t), 2, "..."},
		"try again":          {fmt.Errorf("a: %w", verdict{temporary: true}), 75, "error: a: verdict\n"},
		"marked, but not so": {verdict{}, 1, "error: verdict\n"},
		"said already":       {&cli.Exit{Code: 3}, 3, ""},
		"said already, in":   {fmt.Errorf("a: %w", &cli.Exit{Code: 3}), 3, ""},
		"cancelled":          {fmt.Errorf("a: %w", context.Canceled), 130, "error: a: context canceled\n"},
		"too late":           {context.DeadlineExceeded, 1, "error: context deadline exceeded\n"},
		"joined":             {errors.Join(plain, verdict{temporary: true}), 75, "error: it broke\nverdict\n"},
	} {
		t.Run(name, func(t *testing.T) {
			code, _, said := run(t, func(context.Context, console.Streams, ci.Event) error { return tt.err }, "prog", "build")
			if tt.said == "..." {
				tt.said = said
			}
			if code != tt.code || said != tt.said {
				t.Errorf("exit code %d, %q; want %d, %q", code, said, tt.code, tt.said)
			}
		})
	}
}

func locationError(tb testing.TB) error {
	tb.Helper()
	_, err := manifest.ParseLocation("not a location")
	if err == nil {
		tb.Fatal("it is one")
	}
	return err
}

// TestInterrupt sends this process the signal, which the program has asked for.
func TestInterrupt(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		code, _, said := run(t, func(ctx context.Context, _ console.Streams, _ ci.Event) error {
			if err := syscall.Kill(os.Getpid(), signal); err != nil {
				return err
			}
			<-ctx.Done()
			return fmt.Errorf("asking: %w", ctx.Err())
		}, "prog", "build")
		if code != cli.CodeInterrupted || said != "error: interrupted\n" {
			t.Errorf("%v: exit code %d, %q", signal, code, said)
		}
	}
}

// TestFailureDuringInterrupt shows what else went wrong.
func TestFailureDuringInterrupt(t *testing.T) {
	code, _, said := run(t, func(ctx context.Context, _ console.Streams, _ ci.Event) error {
		if err := syscall.Kill(os.Getpid(), syscall.SIGINT); err != nil {
			return err
		}
		<-ctx.Done()
		return errors.New("the disk is full")
	}, "prog", "build")
	if code != cli.CodeFailed || said != "error: the disk is full\n" {
		t.Errorf("exit code %d, %q", code, said)
	}
}

func TestParserRefusesBrokenCommands(t *testing.T) {
	p := cli.Program{Commands: &struct {
		A string `arg:"" help:"An argument."`
		B act    `cmd:"" help:"Beside a command."`
	}{}, Name: "prog"}
	if _, err := p.Parser(); err == nil || !strings.HasPrefix(err.Error(), "setting up the command line: ") {
		t.Errorf("Parser() = %v", err)
	}
}
