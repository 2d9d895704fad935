package engine

import (
	"bytes"
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/moby/buildkit/client"
)

// dockerfileStep matches the names that the frontend gives to steps of the
// Dockerfile: "[2/3] RUN make", "[linux/arm64 web 2/3] RUN make".
var dockerfileStep = regexp.MustCompile(`^\[([^\]]+ )?\d+/\d+\] (\w+)`)

// logTail is how much of a step's output goes into the error when it fails.
const logTail = 4 << 10

// progress turns BuildKit's status messages into events and counts.
type progress struct {
	emit  func(Event)
	steps map[string]*step
	order []*step // as they started
}

type step struct {
	name          string
	started, over bool
	failed        bool
	cached        bool // a cached step is told again when its files are fetched
	log           []byte
}

func newProgress(emit func(Event)) *progress {
	if emit == nil {
		emit = func(Event) {}
	}
	return &progress{emit: emit, steps: map[string]*step{}}
}

// watch consumes statuses until the channel is closed. ctx is the solve's.
func (p *progress) watch(ctx context.Context, statuses <-chan *client.SolveStatus) {
	for s := range statuses {
		for _, v := range s.Vertexes {
			if !stopped(ctx, v) {
				p.vertex(v)
			}
		}
		for _, l := range s.Logs {
			p.log(l)
		}
		for _, w := range s.Warnings {
			p.emit(Event{Step: w.Vertex.String(), State: StepWarning, Log: append(bytes.Clone(w.Short), '\n')})
		}
	}
}

// stopped tells a step that ended only because the build did, of itself or for
// another step's failure; BuildKit says the latter in no other way.
func stopped(ctx context.Context, v *client.Vertex) bool {
	return v.Completed != nil && v.Error != "" &&
		(ctx.Err() != nil || strings.HasSuffix(v.Error, context.Canceled.Error()))
}

func (p *progress) vertex(v *client.Vertex) {
	id := v.Digest.String()
	s := p.step(id, v.Name)
	if (v.Started != nil || v.Completed != nil) && !s.started {
		s.started = true
		p.order = append(p.order, s)
		if !v.Cached {
			p.emit(Event{Step: id, Name: v.Name, Own: isOwn(v.Name), State: StepStarted})
		}
	}
	if v.Completed == nil {
		return
	}
	s.cached = s.cached || v.Cached
	if first := !s.over; first || v.Error != "" && !s.failed {
		s.over, s.failed = true, v.Error != ""
		p.emit(endEvent(id, v))
	}
}

func endEvent(id string, v *client.Vertex) Event {
	e := Event{Step: id, Name: v.Name, Own: isOwn(v.Name), State: StepDone, Err: v.Error}
	switch {
	case isFirstImport(v):
		e.Err = ""
	case v.Error != "" && isCacheStep(v.Name):
		e.State, e.Log = StepWarning, []byte(v.Name+": "+v.Error+"\n")
	case v.Error != "":
		e.State = StepFailed
	case v.Cached:
		e.State = StepCached
	}
	return e
}

func isOwn(name string) bool { return dockerfileStep.MatchString(name) }

// isCacheStep tells the steps whose failure does not fail the build.
func isCacheStep(name string) bool {
	return strings.HasPrefix(name, importing) || strings.HasPrefix(name, "exporting cache to ")
}

const importing = "importing cache manifest from "

// isFirstImport tells a cache that is not there yet, which is no trouble: so it is
// before every branch's first build. BuildKit says no more of it than this text.
func isFirstImport(v *client.Vertex) bool {
	return strings.HasPrefix(v.Name, importing) && strings.HasSuffix(v.Error, ": not found")
}

// exporting tells whether all steps are done, and the image is on its way out.
func (p *progress) exporting() bool {
	return slices.ContainsFunc(p.order, func(s *step) bool { return strings.HasPrefix(s.name, "exporting to image") })
}

func (p *progress) log(l *client.VertexLog) {
	id := l.Vertex.String()
	s := p.step(id, "")
	s.log = append(s.log, l.Data...)
	if len(s.log) > 2*logTail {
		s.log = bytes.Clone(s.log[len(s.log)-logTail:])
	}
	p.emit(Event{Step: id, Name: s.name, Own: isOwn(s.name), Log: l.Data})
}

func (p *progress) step(id, name string) *step {
	s := p.steps[id]
	if s == nil {
		s = &step{}
		p.steps[id] = s
	}
	if name != "" {
		s.name = name
	}
	return s
}

// count fills in what became of the Dockerfile's own steps; taking a base image
// is not one.
func (p *progress) count(r *Result) {
	for _, s := range p.order {
		m := dockerfileStep.FindStringSubmatch(s.name)
		if m == nil || m[2] == "FROM" || !s.over {
			continue
		}
		if s.cached {
			r.Cached++
			continue
		}
		r.Ran++
		if r.FirstMiss == "" {
			r.FirstMiss = s.name
		}
	}
}
