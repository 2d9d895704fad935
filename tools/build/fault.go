package build

import (
	"fmt"
	"strings"
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
}

func (e *FailedError) Error() string {
	return fmt.Sprintf("building %s: %s", strings.Join(e.Failed, ", "), brief(e.Cause))
}

func (e *FailedError) Unwrap() error { return e.Cause }

// redactedError is an error with the secrets in its text blotted out.
type redactedError struct {
	err  error
	text string
}

func (e *redactedError) Error() string { return e.text }

func (e *redactedError) Unwrap() error { return e.err }
