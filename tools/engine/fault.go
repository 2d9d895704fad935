package engine

import (
	"errors"
	"fmt"
	"strings"

	pb "github.com/moby/buildkit/frontend/gateway/pb"
	"github.com/moby/buildkit/solver/errdefs"
)

// StepError says that a step of a Dockerfile failed.
type StepError struct {
	Step     string // "[web 2/3] RUN make"
	Position string // "Dockerfile:12", "" when BuildKit did not say
	Log      string // the last lines that the step wrote, as it wrote them: there may be secrets in it
	ExitCode int    // of the process that failed, 0 where it was something else
	Err      error  // what BuildKit said
}

func (e *StepError) Error() string {
	s := "building step " + e.Step
	if e.Position != "" {
		s += " (" + e.Position + ")"
	}
	s += ": " + e.Err.Error()
	if e.Log != "" {
		s += "\n" + e.Log
	}
	return s
}

// Brief says in one line what failed, for a reader who has seen the log.
func (e *StepError) Brief() string {
	where := e.Position
	if where == "" {
		where = e.Step
	}
	if e.ExitCode != 0 {
		return fmt.Sprintf("%s: exit code %d", where, e.ExitCode)
	}
	return where + ": " + e.Err.Error()
}

// Unwrap gives BuildKit's error.
func (e *StepError) Unwrap() error { return e.Err }

// explain makes a step's error out of what BuildKit returned, where it names one.
func explain(err error, p *progress) error {
	var vertex *errdefs.VertexError
	if !errors.As(err, &vertex) {
		return fmt.Errorf("building: %w", refused(err))
	}
	s := p.step(vertex.Digest, "")
	if s.name == "" {
		return fmt.Errorf("building: %w", refused(err))
	}
	return &StepError{
		Step: s.name, Position: position(err), ExitCode: exitCode(err),
		Log: lastLines(s.log), Err: refused(innermost(err)),
	}
}

func exitCode(err error) int {
	var exit *pb.ExitError
	if errors.As(err, &exit) {
		return int(exit.ExitCode)
	}
	return 0
}

// innermost drops BuildKit's wrappings, which say the step's name again.
func innermost(err error) error {
	var vertex *errdefs.VertexError
	for errors.As(err, &vertex) {
		inner := errors.Unwrap(error(vertex))
		if inner == nil {
			break
		}
		err = inner
	}
	return err
}

// position is where in the Dockerfile err comes from.
func position(err error) string {
	for _, s := range errdefs.Sources(err) {
		if s.Info != nil && len(s.Ranges) > 0 && s.Ranges[0].Start != nil {
			return fmt.Sprintf("%s:%d", s.Info.Filename, s.Ranges[0].Start.Line)
		}
	}
	return ""
}

func lastLines(log []byte) string {
	const most = 20
	lines := strings.Split(strings.TrimRight(string(log), "\n"), "\n")
	if len(lines) > most {
		lines = lines[len(lines)-most:]
	}
	return strings.Join(lines, "\n")
}
