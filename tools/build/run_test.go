package build

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"slipway/manifest"
	"slipway/tools/console"
	"slipway/tools/contenthash"
	"slipway/tools/engine"
	"slipway/tools/internal/testkit/gittest"
	"slipway/tools/records"
	"slipway/tools/registry"
	"slipway/tools/workspace"
)

// solving is one call of Solve that waits for its answer.
type solving struct {
	name   string
	events func(engine.Event)
	answer chan<- error
}

// fakeEngine lets a test answer every Solve, or answers as it was told.
type fakeEngine struct {
	started chan solving        // nil: answer is asked instead
	answer  func(solving) error // nil builds everything
	close   error

	mu       sync.Mutex
	requests map[string]engine.Request
	running  int
	most     int
	closed   int
}

func (e *fakeEngine) String() string { return "fake" }

func (e *fakeEngine) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed++
	return e.close
}

func (e *fakeEngine) enter(r engine.Request) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	name := path.Base(r.Repository)
	e.requests[name] = r
	e.running++
	e.most = max(e.most, e.running)
	return name
}

func (e *fakeEngine) leave() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.running--
}

func (e *fakeEngine) Solve(ctx context.Context, r engine.Request, events func(engine.Event)) (engine.Result, error) {
	name := e.enter(r)
	defer e.leave()
	return engine.Result{Digest: string(digestOf(name)), Ran: 2, Cached: 1}, e.wait(ctx, name, events)
}

func (e *fakeEngine) wait(ctx context.Context, name string, events func(engine.Event)) error {
	if e.started == nil {
		if e.answer == nil {
			return nil
		}
		return e.answer(solving{name: name, events: events})
	}
	answer := make(chan error)
	select {
	case e.started <- solving{name, events, answer}:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// site is a repository with its records, an engine, and what people see.
type site struct {
	*gittest.Repo
	*memory
	engine *fakeEngine
	shown  bytes.Buffer
	Job
}

func newSite(tb testing.TB, p projects) *site {
	tb.Helper()
	r, m := newRepo(tb, p), newMemory()
	s := &site{Repo: r, memory: m, engine: &fakeEngine{requests: map[string]engine.Request{}}}
	s.Job = Job{
		Question:   question(tb, r, m),
		OpenEngine: func(context.Context) (engine.Engine, error) { return s.engine, nil },
		Ensure:     func(context.Context, registry.Repository) error { return nil },
		Secret:     func(s manifest.Secret) ([]byte, error) { return []byte("value of " + s.Env), nil },
		Redact:     &console.Redactor{},
		Now:        func() time.Time { return time.Unix(0, 0) },
		Jobs:       4,
	}
	return s
}

// reread asks about HEAD as it is now.
func (s *site) reread(tb testing.TB) {
	tb.Helper()
	s.Question = question(tb, s.Repo, s.memory)
}

// execute decides and carries out.
func (s *site) execute(ctx context.Context, tb testing.TB) (Report, error) {
	tb.Helper()
	d := decide(tb, s.Question)
	s.take()
	s.Progress = console.NewProgress(console.Streams{Err: &s.shown, Now: s.Now}, console.Plain, s.Redact)
	defer s.Progress.Close()
	return Execute(ctx, d, s.Job)
}

// begin is execute with an engine whose answers the test gives.
func (s *site) begin(ctx context.Context, tb testing.TB) (started <-chan solving, end func() (Report, error)) {
	tb.Helper()
	s.engine.started = make(chan solving)
	type outcome struct {
		Report
		error
	}
	done := make(chan outcome, 1)
	go func() {
		r, err := s.execute(ctx, tb)
		done <- outcome{r, err}
	}()
	return s.engine.started, func() (Report, error) { o := <-done; return o.Report, o.error }
}

// takeAll receives n solves, by name.
func takeAll(started <-chan solving, n int) map[string]solving {
	all := map[string]solving{}
	for range n {
		s := <-started
		all[s.name] = s
	}
	return all
}

func names[V any](m map[string]V) string { return strings.Join(slices.Sorted(maps.Keys(m)), " ") }

func outcomes(r Report) map[string]Outcome {
	all := map[string]Outcome{}
	for _, p := range r.Projects {
		all[p.Name] = p.Outcome
	}
	return all
}

func TestBuildsEverythingThenNothing(t *testing.T) {
	s := newSite(t, diamond())
	report, err := s.execute(t.Context(), t)
	if err != nil || !report.Recorded {
		t.Fatalf("Execute = %+v, %v", report, err)
	}
	log := s.take()
	want := []string{"mark tool", "mark left", "mark right", "mark top", "mark alone", "commit main"}
	if log[len(log)-1] != "commit main" || len(log) != len(want) || slices.Index(log, "mark tool") > slices.Index(log, "mark left") ||
		slices.Index(log, "mark top") < max(slices.Index(log, "mark left"), slices.Index(log, "mark right")) {
		t.Errorf("written: %q, want %q, the commit last", log, want)
	}
	for _, p := range report.Projects {
		if p.Outcome != Built || p.Digest != digestOf(p.Name) || p.Cached != 1 || p.Ran != 2 {
			t.Errorf("result %+v", p)
		}
	}
	s.reread(t)
	s.OpenEngine = func(context.Context) (engine.Engine, error) {
		return nil, errors.New("an engine was opened for nothing")
	}
	report, err = s.execute(t.Context(), t)
	if err != nil || !report.Recorded || len(s.take()) > 0 {
		t.Errorf("a second run: %+v, %v", report, err)
	}
	if s.engine.closed != 1 {
		t.Errorf("the engine was closed %d times", s.engine.closed)
	}
}

func TestIndependentProjectsInParallelUpToJobs(t *testing.T) {
	s := newSite(t, projects{"a": nil, "b": nil, "c": nil, "d": nil, "e": nil})
	s.Jobs = 2
	started, end := s.begin(t.Context(), t)
	for left := 5; left > 0; left-- {
		if left == 1 {
			(<-started).answer <- nil
			break
		}
		both := takeAll(started, min(2, left))
		for _, one := range both {
			one.answer <- nil
		}
		left--
	}
	if _, err := end(); err != nil || s.engine.most != 2 {
		t.Errorf("%d builds went on at once, want 2; %v", s.engine.most, err)
	}
}

func TestDependentsStartAsSoonAsTheirDependenciesAreUp(t *testing.T) {
	s := newSite(t, diamond())
	started, end := s.begin(t.Context(), t)
	first := takeAll(started, 2)
	if names(first) != "alone tool" {
		t.Fatalf("%s began first", names(first))
	}
	first["tool"].answer <- nil
	second := takeAll(started, 2) // alone is still running
	if names(second) != "left right" {
		t.Fatalf("%s began behind tool", names(second))
	}
	if log := s.take(); !slices.Equal(log, []string{"mark tool"}) {
		t.Errorf("before its dependents began, %q was written", log)
	}
	second["left"].answer <- nil
	second["right"].answer <- nil
	third := takeAll(started, 1)
	third["top"].answer <- nil
	first["alone"].answer <- nil
	if report, err := end(); err != nil || !report.Recorded {
		t.Errorf("Execute = %+v, %v", report, err)
	}
}

func TestFailureStopsEverything(t *testing.T) {
	s, broken := newSite(t, diamond()), errors.New("broken")
	started, end := s.begin(t.Context(), t)
	takeAll(started, 2)["tool"].answer <- broken
	report, err := end()
	var failed *FailedError
	if !errors.As(err, &failed) || !errors.Is(err, broken) || !slices.Equal(failed.Failed, []string{"tool"}) {
		t.Errorf("Execute = %v", err)
	}
	got := outcomes(report)
	for _, dependent := range []string{"left", "right", "top"} {
		if got[dependent] != Skipped && got[dependent] != Cancelled {
			t.Errorf("%s was %s", dependent, got[dependent])
		}
	}
	if got["tool"] != Failed || got["alone"] != Cancelled || report.Recorded || len(s.take()) > 0 || s.engine.closed != 1 {
		t.Errorf("outcomes %v, recorded %v, engine closed %d times", got, report.Recorded, s.engine.closed)
	}
}

func TestFailureWithKeepGoingStopsItsDependents(t *testing.T) {
	s, broken := newSite(t, diamond()), errors.New("broken")
	s.KeepGoing = true
	s.engine.answer = func(one solving) error {
		if one.name == "left" {
			return broken
		}
		return nil
	}
	report, err := s.execute(t.Context(), t)
	want := map[string]Outcome{"tool": Built, "left": Failed, "right": Built, "top": Skipped, "alone": Built}
	if diff := cmp.Diff(want, outcomes(report)); diff != "" || !errors.Is(err, broken) || report.Recorded {
		t.Errorf("Execute = %v, recorded %v (-want +got):\n%s", err, report.Recorded, diff)
	}
	log := s.take()
	slices.Sort(log)
	if diff := cmp.Diff([]string{"mark alone", "mark right", "mark tool"}, log); diff != "" {
		t.Errorf("written (-want +got):\n%s", diff)
	}
	// What was built stays built: the next run does the rest.
	s.engine.answer = nil
	s.reread(t)
	report, err = s.execute(t.Context(), t)
	want = map[string]Outcome{"tool": Reused, "left": Built, "right": Reused, "top": Built, "alone": Reused}
	if diff := cmp.Diff(want, outcomes(report)); diff != "" || err != nil || !report.Recorded {
		t.Errorf("the next run: %v (-want +got):\n%s", err, diff)
	}
}

func TestCancellationLeavesNothingRecorded(t *testing.T) {
	t.Run("while projects are built", func(t *testing.T) {
		s := newSite(t, diamond())
		ctx, cancel := context.WithCancel(t.Context())
		started, end := s.begin(ctx, t)
		takeAll(started, 2)
		cancel()
		report, err := end()
		for name, outcome := range outcomes(report) {
			if outcome != Cancelled {
				t.Errorf("%s was %s", name, outcome)
			}
		}
		if !errors.Is(err, context.Canceled) || len(s.take()) > 0 || s.engine.closed != 1 {
			t.Errorf("Execute = %v, engine closed %d times", err, s.engine.closed)
		}
	})
	t.Run("when the image is up", func(t *testing.T) {
		s := newSite(t, projects{"one": nil})
		ctx, cancel := context.WithCancel(t.Context())
		s.engine.answer = func(solving) error { cancel(); return nil }
		if report, err := s.execute(ctx, t); !errors.Is(err, context.Canceled) || len(s.take()) > 0 || report.Recorded {
			t.Errorf("Execute = %+v, %v", report, err)
		}
	})
	t.Run("when all is built", func(t *testing.T) {
		s := newSite(t, projects{"one": nil})
		ctx, cancel := context.WithCancel(t.Context())
		s.Records = cancelling{s.memory, cancel}
		if report, err := s.execute(ctx, t); !errors.Is(err, context.Canceled) || report.Recorded || !slices.Equal(s.take(), []string{"mark one"}) {
			t.Errorf("Execute = %+v, %v", report, err)
		}
	})
}

// cancelling ends the context as soon as a project is marked.
type cancelling struct {
	*memory
	cancel func()
}

func (c cancelling) MarkBuilt(ctx context.Context, project string, h contenthash.Hash, d registry.Digest) error {
	defer c.cancel()
	return c.memory.MarkBuilt(ctx, project, h, d)
}

func TestDirtyIsBuiltAndNeverRecorded(t *testing.T) {
	s := newSite(t, diamond())
	s.remember(t, s.Workspace)
	s.Write("left/x", "new")
	s.Workspace = openAt(t, s.Repo, workspace.Options{Dirty: true})
	report, err := s.execute(t.Context(), t)
	want := map[string]Outcome{"tool": Reused, "left": Built, "right": Reused, "top": Built, "alone": Reused}
	if diff := cmp.Diff(want, outcomes(report)); diff != "" || err != nil || report.Recorded || len(s.take()) > 0 {
		t.Errorf("Execute = %v, recorded %v (-want +got):\n%s", err, report.Recorded, diff)
	}
	for name, r := range s.engine.requests {
		if r.CacheTo != "" {
			t.Errorf("%s was written to the cache %s", name, r.CacheTo)
		}
	}
}

// Whatever a plan says, an image made from a dirty one is of no commit.
func TestWhatIsMadeFromDirtyIsNotRecorded(t *testing.T) {
	s := newSite(t, projects{"base": nil, "mid": {"base"}, "web": {"mid"}})
	d := decide(t, s.Question)
	d.Projects[0].ContentHash = d.Projects[0].ContentHash.AsDirty()
	s.take()
	s.Progress = console.NewProgress(console.Streams{Err: &s.shown, Now: s.Now}, console.Plain, s.Redact)
	defer s.Progress.Close()
	report, err := Execute(t.Context(), d, s.Job)
	want := map[string]Outcome{"base": Built, "mid": Built, "web": Built}
	if diff := cmp.Diff(want, outcomes(report)); diff != "" || err != nil || report.Recorded {
		t.Errorf("Execute = %v, recorded %v (-want +got):\n%s", err, report.Recorded, diff)
	}
	if log := s.take(); len(log) > 0 {
		t.Errorf("records were written: %q", log)
	}
}

func TestWhenTheCommitIsRecorded(t *testing.T) {
	tests := map[string]struct {
		change func(*site)
		want   bool // that it is written
	}{
		"the hint says the same":     {func(*site) {}, false},
		"the hint is of another":     {func(s *site) { s.Commit("empty"); s.reread(t) }, true},
		"no hint":                    {func(s *site) { clear(s.branches) }, true},
		"only some projects":         {func(s *site) { clear(s.branches); s.Projects = []string{"tool"} }, false},
		"every project by its name":  {func(s *site) { clear(s.branches); s.Projects = names0(diamond()) }, false},
		"an image is another by now": {func(s *site) { s.forget(s.Workspace, "alone"); delete(s.branches["main"].Projects, "alone") }, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, diamond())
			s.remember(t, s.Workspace)
			test.change(s)
			if _, err := s.execute(t.Context(), t); err != nil {
				t.Fatal(err)
			}
			if got := slices.Contains(s.take(), "commit main"); got != test.want {
				t.Errorf("the commit was written: %v, want %v", got, test.want)
			}
		})
	}
}

func TestTooManyProjectsForARecordIsNoFailure(t *testing.T) {
	s := newSite(t, projects{"one": nil})
	var warned []string
	s.Warn = func(format string, args ...any) { warned = append(warned, fmt.Sprintf(format, args...)) }
	s.fail["commit main"] = records.ErrTooLarge
	report, err := s.execute(t.Context(), t)
	if err != nil || report.Recorded || len(warned) != 1 || outcomes(report)["one"] != Built {
		t.Errorf("Execute = %+v, %v, with warnings %q", report, err, warned)
	}
}

func names0(p projects) []string { return slices.Sorted(maps.Keys(p)) }

func TestWhatElseGoesWrong(t *testing.T) {
	broken := errors.New("broken")
	tests := map[string]struct {
		change   func(*site)
		outcome  Outcome
		recorded bool
	}{
		"no engine":                   {func(s *site) { s.OpenEngine = func(context.Context) (engine.Engine, error) { return nil, broken } }, Cancelled, false},
		"no repository":               {func(s *site) { s.Ensure = func(context.Context, registry.Repository) error { return broken } }, Failed, false},
		"no secret":                   {func(s *site) { s.Secret = func(manifest.Secret) ([]byte, error) { return nil, broken } }, Failed, false},
		"a mark that is not written":  {func(s *site) { s.fail["mark one"] = broken }, Failed, false},
		"a commit that is not":        {func(s *site) { s.fail["commit main"] = broken }, Built, false},
		"an engine that does not end": {func(s *site) { s.engine.close = broken }, Built, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, projects{"one": nil})
			edit(s.Repo, `"buildDir":"one"`, `"buildDir":"one","secrets":{"token":{"env":"TOKEN"}}`)
			s.Repo.Commit("secret")
			s.reread(t)
			test.change(s)
			report, err := s.execute(t.Context(), t)
			if !errors.Is(err, broken) || outcomes(report)["one"] != test.outcome || report.Recorded != test.recorded {
				t.Errorf("Execute = %+v, %v", report, err)
			}
		})
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	s := newSite(t, projects{"one": nil})
	edit(s.Repo, `"buildDir":"one"`, `"buildDir":"one","secrets":{"token":{"env":"TOKEN"}}`)
	s.Repo.Commit("secret")
	s.reread(t)
	s.Secret = func(manifest.Secret) ([]byte, error) { return []byte("hunter2\n"), nil }
	s.engine.answer = func(one solving) error {
		one.events(engine.Event{Step: "1", Name: "RUN echo hunter2", State: engine.StepStarted, Own: true})
		one.events(engine.Event{Step: "1", Log: []byte("it is hunt")})
		one.events(engine.Event{Step: "1", Log: []byte("er2, really\nhunter2")})
		one.events(engine.Event{Step: "1", Name: "RUN echo hunter2", State: engine.StepFailed, Own: true, Err: "hunter2"})
		return &engine.StepError{Step: "RUN echo hunter2", Log: "hunter2", Err: errors.New("echo hunter2: not done")}
	}
	report, err := s.execute(t.Context(), t)
	if string(s.engine.requests["one"].Secrets["token"]) != "hunter2\n" {
		t.Errorf("the engine was given %q", s.engine.requests["one"].Secrets)
	}
	var b bytes.Buffer
	if err := report.Table(&b); err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{
		"progress": s.shown.String(), "report": report.Projects[0].Error + b.String(), "error": err.Error(),
	} {
		if text == "" || strings.Contains(text, "hunter2") {
			t.Errorf("the %s is %q", what, text)
		}
	}
	if !strings.Contains(s.shown.String(), "really") {
		t.Errorf("the log is not shown: %q", s.shown.String())
	}
}

func TestRequest(t *testing.T) {
	s := newSite(t, projects{"my-base": nil, "web": {"my-base"}})
	edit(s.Repo, `"name":"acme"`, `"name":"acme","registry":{"deploy":"ghcr.io/acme"},"baseImages":{"debian:12":"{registry}/base/debian:12","alpine":"sha256:`+
		strings.Repeat("a", 64)+`","unused":"x:1"}`)
	s.Write("web/Dockerfile", "FROM debian:12\nCOPY --from=alpine / /\nCOPY --from=my-base / /\n")
	commit := s.Repo.Commit("base images")
	s.reread(t)
	s.Question.Branch, s.Insecure = "feature/x", []string{"registry.test"}
	if _, err := s.execute(t.Context(), t); err != nil {
		t.Fatal(err)
	}
	base := "registry.test/acme/my-base@" + string(digestOf("my-base"))
	got := s.engine.requests["web"]
	want := engine.Request{
		Dockerfile: []byte("FROM debian:12\nCOPY --from=alpine / /\nCOPY --from=my-base / /\n"), DockerfileName: "web/Dockerfile",
		BuildArgs: map[string]string{"MY_BASE_IMAGE": base}, Platforms: []string{"linux/amd64"}, Network: "default", Insecure: true,
		NamedContexts: map[string]string{
			"my-base": base, "registry.test/acme/my-base": base, "ghcr.io/acme/my-base": base,
			"debian:12": "registry.test/acme/base/debian:12", "alpine": "alpine@sha256:" + strings.Repeat("a", 64),
		},
		Repository: "registry.test/acme/web",
		CacheFrom:  []string{got.CacheTo, "registry.test/acme/web:buildcache-main"}, CacheTo: got.CacheTo,
		Secrets: map[string][]byte{},
	}
	if !strings.HasPrefix(got.CacheTo, "registry.test/acme/web:buildcache-feature-x-") {
		t.Errorf("the cache is written to %q", got.CacheTo)
	}
	if got.Annotations["org.opencontainers.image.revision"] != commit || len(got.Context) != 1 || got.Context[0].Path != "Dockerfile" {
		t.Errorf("annotations %v, context %v", got.Annotations, got.Context)
	}
	got.Annotations, got.Context = nil, nil
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
}
