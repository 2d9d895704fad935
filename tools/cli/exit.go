package cli

import (
	"context"
	"errors"
	"fmt"

	"slipway/manifest"
	"slipway/tools/console"
)

// The exit codes of every command; docs/scripting.md explains them.
const (
	CodeOK          = 0
	CodeFailed      = 1
	CodeUsage       = 2
	CodeTryAgain    = 75
	CodeInterrupted = 130
)

// UsageError is a fault in how a command was called.
type UsageError struct {
	Err  error
	Help string
}

// Usagef returns a UsageError with a hint ("" for none).
func Usagef(hint, format string, args ...any) error {
	return &UsageError{Err: fmt.Errorf(format, args...), Help: hint}
}

func (e *UsageError) Error() string { return e.Err.Error() }
func (e *UsageError) Unwrap() error { return e.Err }

// Hint says how to call the command.
func (e *UsageError) Hint() string { return e.Help }

// Exit ends the program with a code and no message: what there is to say has
// been said.
type Exit struct{ Code int }

func (e *Exit) Error() string { return fmt.Sprintf("exit code %d", e.Code) }

// temporary is an error of ours that may be gone when the command is run again.
// Those of the standard library have no hints: a timeout of theirs says nothing of
// the kind.
type temporary interface {
	console.Hinter
	Temporary() bool
}

var errInterrupted = errors.New("interrupted")

// Code is the exit code for what a command returned.
func Code(err error) int {
	var (
		exit     *Exit
		usage    *UsageError
		faults   manifest.Faults
		misuse   interface{ Usage() bool }
		location *manifest.LocationError
		later    temporary
	)
	switch {
	case err == nil:
		return CodeOK
	case errors.As(err, &exit):
		return exit.Code
	case errors.Is(err, errInterrupted), errors.Is(err, context.Canceled):
		return CodeInterrupted
	case errors.As(err, &usage), errors.As(err, &faults), errors.As(err, &location),
		errors.As(err, &misuse) && misuse.Usage():
		return CodeUsage
	case errors.As(err, &later) && later.Temporary():
		return CodeTryAgain
	default:
		return CodeFailed
	}
}
