// Package cli sets up the command line: parsing, signals, and the one place
// where an error becomes an exit code. Commands live in cmd, one folder each;
// they are structs with flags and a Run method, which gets at most a context,
// [console.Streams] and the [ci.Event] it was started for.
package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"slipway/tools/ci"
	"slipway/tools/console"
)

// Program is one run of the program.
type Program struct {
	Commands    any // the struct of all commands
	Name        string
	Description string
	Streams     console.Streams
	Event       ci.Event
}

// Run parses argv (the program's name first), runs the command that it names,
// says what went wrong, and returns the exit code. Where argv[0] is itself the
// name of a command, as with a link named "build", that command runs.
func (p Program) Run(ctx context.Context, argv []string) int {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	err := p.run(ctx, argv)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = errInterrupted
	}
	if said := new(Exit); err != nil && !errors.As(err, &said) {
		p.Streams.Fail(err)
	}
	return Code(err)
}

func (p Program) run(ctx context.Context, argv []string) error {
	done := false
	parser, err := p.Parser(kong.Exit(func(int) { done = true }))
	if err != nil {
		return err
	}
	if done, err := complete(parser); done || err != nil {
		return err
	}
	args := arguments(parser, argv)
	if len(args) == 0 {
		args = []string{"--help"}
	}
	command, err := parser.Parse(args)
	if done { // help or the version was asked for, and printed
		return nil
	}
	if err != nil {
		return usage(parser, err)
	}
	command.BindTo(ctx, (*context.Context)(nil))
	return command.Run(p.Streams, p.Event)
}

// Parser returns the parser of the command line, also for its documentation.
func (p Program) Parser(options ...kong.Option) (*kong.Kong, error) {
	options = append([]kong.Option{
		kong.Name(p.Name),
		kong.Description(p.Description),
		kong.Writers(p.Streams.Out, p.Streams.Err),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
		kong.Vars{"version": p.Name + " " + Version()},
	}, options...)
	parser, err := kong.New(p.Commands, options...)
	if err != nil {
		return nil, fmt.Errorf("setting up the command line: %w", err)
	}
	return parser, nil
}

// arguments drops the program's name, unless it is that of a command.
func arguments(parser *kong.Kong, argv []string) []string {
	name := filepath.Base(argv[0])
	called := slices.ContainsFunc(parser.Model.Children, func(n *kong.Node) bool { return n.Name == name })
	if called && name != parser.Model.Name {
		return append([]string{name}, argv[1:]...)
	}
	return argv[1:]
}

// usage turns a fault of the command line into a [UsageError] with a hint.
func usage(parser *kong.Kong, err error) error {
	what := parser.Model.Name
	var parse *kong.ParseError
	if errors.As(err, &parse) && parse.Context != nil {
		if selected := parse.Context.Selected(); selected != nil {
			what = strings.TrimSpace(what + " " + selected.Path())
		}
	}
	return &UsageError{Err: err, Help: fmt.Sprintf("%s --help shows what it takes", what)}
}
