package build

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"slipway/tools/console"
	"slipway/tools/engine"
	"slipway/tools/registry"
)

// run is one execution of a plan: every build waits for its dependencies, then
// for a free place.
type run struct {
	Job
	engine engine.Engine
	plan   Plan
	places chan struct{}
	ready  map[string]chan struct{} // closed when the project's result is final

	mu      sync.Mutex
	results map[string]*Result
}

func newRun(j Job, e engine.Engine, plan Plan) *run {
	r := &run{
		Job: j, engine: e, plan: plan, places: make(chan struct{}, max(1, j.Jobs)),
		ready: map[string]chan struct{}{}, results: map[string]*Result{},
	}
	for _, s := range plan.Projects {
		r.ready[s.Name] = make(chan struct{})
	}
	return r
}

// all carries out every step and returns the results in the plan's order.
// Unless the job keeps going, the first failure stops all others.
func (r *run) all(ctx context.Context) []Result {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var wg sync.WaitGroup
	for _, s := range r.plan.Projects {
		wg.Go(func() {
			result := r.step(ctx, s)
			if result.Outcome == Failed && !r.KeepGoing {
				stop()
			}
			r.mu.Lock()
			r.results[s.Name] = &result
			r.mu.Unlock()
			close(r.ready[s.Name])
		})
	}
	wg.Wait()
	results := make([]Result, 0, len(r.plan.Projects))
	for _, s := range r.plan.Projects {
		results = append(results, *r.results[s.Name])
	}
	return results
}

func (r *run) step(ctx context.Context, s Step) Result {
	result := newResult(s)
	if s.Action != Build {
		return result
	}
	images, outcome, why := r.dependencies(s)
	if outcome != "" {
		result.Outcome, result.Error = outcome, why
		return result
	}
	if r.fromDirty(s) { // a workspace says so itself: this is the second belt
		s.ContentHash = s.ContentHash.AsDirty()
		result.ContentHash = s.ContentHash
	}
	select {
	case r.places <- struct{}{}:
		defer func() { <-r.places }()
	case <-ctx.Done():
		result.Outcome = Cancelled
		return result
	}
	if ctx.Err() != nil { // a select chooses freely among what is ready
		result.Outcome = Cancelled
		return result
	}
	return r.timed(ctx, s, images, result)
}

// dependencies waits for the images that s is built from; outcome is "" when all
// are there. Every step ends when the context does, so there is nothing else to
// wait for.
func (r *run) dependencies(s Step) (images map[string]string, outcome Outcome, why string) {
	images = map[string]string{}
	for _, name := range s.Dependencies {
		<-r.ready[name]
		r.mu.Lock()
		dep := r.results[name]
		r.mu.Unlock()
		switch dep.Outcome {
		case Built, Reused:
			images[name] = dep.Reference()
		case Cancelled:
			return nil, Cancelled, ""
		case Failed, Skipped:
			return nil, Skipped, fmt.Sprintf("dependency %s failed", name)
		}
	}
	return images, "", ""
}

// fromDirty reports whether an image that s is built from is of no commit. The
// dependencies are final by now.
func (r *run) fromDirty(s Step) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(s.Dependencies, func(name string) bool { return r.results[name].ContentHash.Dirty() })
}

// timed builds s and says so.
func (r *run) timed(ctx context.Context, s Step, images map[string]string, result Result) Result {
	began := r.Now()
	task := r.Progress.Start(s.Name, s.Reason)
	solved, err := r.build(ctx, s, images, task)
	result.Seconds = r.Now().Sub(began).Round(time.Millisecond).Seconds()
	result.Cached, result.Ran, result.FirstMiss = solved.Cached, solved.Ran, solved.FirstMiss
	switch {
	case err == nil:
		result.Outcome, result.Digest = Built, registry.Digest(solved.Digest)
		task.Done("built " + shortDigest(result.Digest))
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		result.Outcome = Cancelled
		task.Drop()
	default:
		result.err = redacted(err, r.Redact) // it may quote what a step printed
		result.Outcome, result.Error = Failed, result.err.text
		task.Fail(result.err.brief)
	}
	return result
}

// build makes one image and, where it is of a commit, records it: first the image
// by digest, then the tag that says so.
func (r *run) build(ctx context.Context, s Step, images map[string]string, task *console.Task) (engine.Result, error) {
	if err := r.Ensure(ctx, s.Repository); err != nil {
		return engine.Result{}, err
	}
	request, err := r.request(ctx, s, images)
	if err != nil {
		return engine.Result{}, err
	}
	solved, err := r.engine.Solve(ctx, request, func(e engine.Event) { show(task, e) })
	if err != nil || s.ContentHash.Dirty() {
		return solved, err
	}
	return solved, r.Records.MarkBuilt(ctx, s.Name, s.ContentHash, registry.Digest(solved.Digest))
}

// show passes an event of the engine on to the display.
func show(task *console.Task, e engine.Event) {
	step := console.Step{ID: e.Step, Name: e.Name, Minor: !e.Own}
	if len(e.Log) > 0 {
		task.Log(step, e.Log)
	}
	switch e.State {
	case engine.StepStarted:
		task.Begin(step)
	case engine.StepCached:
		task.End(step, console.Cached)
	case engine.StepDone:
		task.End(step, console.Done)
	case engine.StepFailed:
		task.End(step, console.Failed)
	case engine.StepWarning:
	}
}
