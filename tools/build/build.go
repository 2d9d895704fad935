// Package build decides which projects of a commit must be built and builds
// them: plan first, then execute. It owns the order of things: what is asked of
// the registry, what may run side by side, what a failure stops, and that
// success is recorded last. It is told everything else: the commit, the records,
// the engine.
package build

import (
	"context"
	"errors"
	"slices"
	"time"

	"slipway/manifest"
	"slipway/tools/console"
	"slipway/tools/contenthash"
	"slipway/tools/engine"
	"slipway/tools/records"
	"slipway/tools/registry"
)

// Job is what carrying out a decision needs.
type Job struct {
	Question
	// OpenEngine is called once, and only when there is something to build. The
	// engine is closed before Execute returns.
	OpenEngine func(ctx context.Context) (engine.Engine, error)
	// Ensure makes a repository where the registry wants that done first.
	Ensure func(ctx context.Context, repo registry.Repository) error
	// Secret reads a secret's value.
	Secret    func(s manifest.Secret) ([]byte, error)
	Redact    *console.Redactor
	Progress  *console.Progress
	Now       func() time.Time
	Jobs      int      // builds at the same time; less than 1 is 1
	KeepGoing bool     // a failure stops only what depends on it
	Insecure  []string // hosts of registries that may be spoken to over plain http
}

// Outcome is what became of a project.
type Outcome string

// The outcomes of a project.
const (
	Built     Outcome = "built"
	Reused    Outcome = "reused"
	Failed    Outcome = "failed"
	Skipped   Outcome = "skipped"   // a dependency failed
	Cancelled Outcome = "cancelled" // stopped, or never begun
)

// Report is what became of a plan. Its JSON form is documented in
// docs/scripting.md.
type Report struct {
	Schema   int      `json:"schema"` // 1
	Commit   string   `json:"commit"`
	Recorded bool     `json:"recorded"` // the commit's record says that everything is built
	Projects []Result `json:"projects"`
}

// Result is what became of one project.
type Result struct {
	Name        string              `json:"name"`
	Outcome     Outcome             `json:"outcome"`
	Reason      string              `json:"reason"`
	ContentHash contenthash.Hash    `json:"contentHash"`
	Repository  registry.Repository `json:"image"`
	Digest      registry.Digest     `json:"digest,omitempty"`
	Seconds     float64             `json:"seconds"`
	Cached      int                 `json:"cachedSteps"`
	Ran         int                 `json:"ranSteps"`
	FirstMiss   string              `json:"firstMiss,omitempty"` // first step of the Dockerfile not found in the cache
	Error       string              `json:"error,omitempty"`

	err *redactedError
}

// Reference is the image by digest.
func (r Result) Reference() string { return string(r.Repository) + "@" + string(r.Digest) }

func (r Result) dirty() bool { return r.ContentHash.Dirty() }

// Execute carries out a decision. The report is complete whatever happens; the
// error is nil when every project is built.
func Execute(ctx context.Context, d Decision, j Job) (Report, error) {
	results, err := j.builds(ctx, d.Plan)
	report := Report{Schema: schema, Commit: string(d.Commit), Projects: results}
	if err := failure(ctx, results); err != nil {
		return report, err
	}
	if allThere(results) && d.whole && !d.Dirty {
		recorded := j.record(ctx, d, results)
		if errors.Is(recorded, records.ErrTooLarge) {
			j.Warn("%v; the next run asks for each project", recorded)
			return report, err
		}
		report.Recorded = recorded == nil
		err = errors.Join(recorded, err)
	}
	return report, err
}

// allThere reports whether every project has an image that is the commit's.
func allThere(results []Result) bool {
	return !slices.ContainsFunc(results, func(r Result) bool { return r.Outcome != Built && r.Outcome != Reused || r.dirty() })
}

// failure makes one error of the results, nil when all are well.
func failure(ctx context.Context, results []Result) error {
	var failed FailedError
	for _, r := range results {
		if r.Outcome != Failed {
			continue
		}
		failed.Failed = append(failed.Failed, r.Name)
		if failed.Cause == nil || temporary(failed.Cause) && !temporary(r.err) {
			failed.Cause, failed.brief = r.err, r.err.brief
		}
	}
	if failed.Cause != nil {
		return &failed
	}
	return ctx.Err()
}

// temporary reports whether a failure may pass: then trying the whole again can
// help, but only when that is true of all that failed.
func temporary(err error) bool {
	var t interface{ Temporary() bool }
	return errors.As(err, &t) && t.Temporary()
}

// builds carries out the steps, with an engine only if one is needed.
func (j Job) builds(ctx context.Context, plan Plan) (results []Result, err error) {
	var e engine.Engine
	if len(plan.Builds()) > 0 {
		if e, err = j.OpenEngine(ctx); err != nil {
			return cancelled(plan), err
		}
		defer func() { err = errors.Join(err, e.Close()) }()
	}
	return newRun(j, e, plan).all(ctx), nil
}

// record writes the commit record, the last word of a successful run. Where the
// hint says the same already there is nothing to write.
func (j Job) record(ctx context.Context, d Decision, results []Result) error {
	w := j.Workspace
	c := records.Commit{Commit: d.Commit, Time: w.Commit.Time, Source: w.Source, Projects: map[string]records.Built{}}
	for _, r := range results {
		c.Projects[r.Name] = records.Built{ContentHash: r.ContentHash, Digest: r.Digest}
	}
	if d.hint.Says(c) {
		return nil
	}
	return j.Records.WriteCommit(ctx, c, j.Branch)
}

// cancelled is the result of a plan that was not begun.
func cancelled(plan Plan) []Result {
	results := make([]Result, len(plan.Projects))
	for i, s := range plan.Projects {
		results[i] = newResult(s)
		if s.Action == Build {
			results[i].Outcome = Cancelled
		}
	}
	return results
}

func newResult(s Step) Result {
	return Result{
		Name: s.Name, Outcome: Reused, Reason: s.Reason,
		ContentHash: s.ContentHash, Repository: s.Repository, Digest: s.Digest,
	}
}
