package build

import (
	"errors"
	"fmt"
	"strings"

	"slipway/tools/console"
	"slipway/tools/engine"
)

// UnknownProjectError names a project that the manifest does not have.
type UnknownProjectError struct {
	Name  string
	Known []string
	File  string
}

func (e *UnknownProjectError) Error() string {
	return fmt.Sprintf("no project %q in %s", e.Name, e.File)
}

// Hint lists the projects there are.
func (e *UnknownProjectError) Hint() string {
	const most = 12
	names := e.Known
	if len(names) > most {
		names = append(append([]string{}, names[:most]...), "...")
	}
	return "its projects are " + strings.Join(names, ", ")
}

// Usage marks the error as one of how the command was called.
func (*UnknownProjectError) Usage() bool { return true }

// NotBuiltError says that a dependency is not built where it should be.
type NotBuiltError struct{ Project string }

func (e *NotBuiltError) Error() string {
	return fmt.Sprintf("dependency %q is not built", e.Project)
}

// Hint says how to build it.
func (*NotBuiltError) Hint() string { return "without --no-deps, dependencies are built as well" }

// FailedError says that projects could not be built; the display has shown why.
type FailedError struct {
	Failed []string // projects, in the plan's order
	Cause  error    // of the first one that trying again would not help
	brief  string   // Cause in one line
}

func (e *FailedError) Error() string {
	return fmt.Sprintf("building %s: %s", strings.Join(e.Failed, ", "), e.brief)
}

func (e *FailedError) Unwrap() error { return e.Cause }

// redactedError is an error with the secrets in its texts blotted out.
type redactedError struct {
	err   error
	text  string
	brief string // without what the display has shown already
}

func redacted(err error, r *console.Redactor) *redactedError {
	brief := err.Error()
	var step *engine.StepError
	if errors.As(err, &step) {
		brief = step.Brief()
	}
	return &redactedError{err: err, text: r.Line(err.Error()), brief: r.Line(brief)}
}

func (e *redactedError) Error() string { return e.text }

func (e *redactedError) Unwrap() error { return e.err }
