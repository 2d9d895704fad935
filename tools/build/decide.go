package build

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"slipway/manifest"
	"slipway/tools/console"
	"slipway/tools/contenthash"
	"slipway/tools/gitrepo"
	"slipway/tools/records"
	"slipway/tools/registry"
	"slipway/tools/workspace"
)

// Records answers what has been built, and takes down what was.
type Records interface {
	Image(project string) registry.Repository
	Branch(ctx context.Context, branch string) (*records.Commit, error)
	Built(ctx context.Context, project string, h contenthash.Hash) (registry.Digest, bool, error)
	MarkBuilt(ctx context.Context, project string, h contenthash.Hash, d registry.Digest) error
	WriteCommit(ctx context.Context, c records.Commit, branch string) error
}

// Question is what a plan is made for.
type Question struct {
	Workspace     *workspace.Workspace
	Records       Records
	Projects      []string // what to build; none is every project
	NoDeps        bool     // dependencies must be there already
	Verify        bool     // ask the registry about every project, also where a record has it
	Branch        string   // whose record is the first hint; "" is none
	DefaultBranch string   // whose record is the hint where Branch has none
	// Open returns the workspace of another commit of the same repository, to
	// compare with. nil leaves comparisons out of the reasons.
	Open func(ctx context.Context, rev string) (*workspace.Workspace, error)
	Warn func(format string, args ...any)
}

// lookups is how many questions the registry is asked at once.
const lookups = 16

// Decide finds out what has to be built: one read of the branch's commit record,
// and one HEAD for each project that the record does not answer, or that is
// doubted all the same.
func Decide(ctx context.Context, q Question) (Decision, error) {
	d := &decider{Question: q, known: map[string]facts{}, asked: map[string]bool{}}
	chosen, err := q.chosen(ctx)
	if err != nil {
		return Decision{}, err
	}
	if d.hint, err = q.readHint(ctx); err != nil {
		return Decision{}, err
	}
	if err := d.askAll(ctx, chosen); err != nil {
		return Decision{}, err
	}
	w := q.Workspace
	plan := Plan{Schema: schema, Commit: w.Commit.ID, Dirty: w.Dirty}
	plan.Projects = arrange(w.Manifest, w.Manifest.Order(), chosen, d.known)
	for i := range plan.Projects {
		plan.Projects[i].Repository = q.Records.Image(plan.Projects[i].Name)
	}
	if err := d.explain(ctx, &plan); err != nil {
		return Decision{}, err
	}
	decision := Decision{Plan: plan, hint: d.hint, whole: len(q.Projects) == 0}
	if err := q.check(ctx, plan, chosen); err != nil {
		return decision, err
	}
	return decision, q.warnUnmatched(ctx, chosen)
}

// Decision is a plan with what is needed to carry it out.
type Decision struct {
	Plan
	hint  *records.Commit
	whole bool // the plan is for every project of the manifest
}

// chosen resolves the names that were asked for. In a legacy manifest, projects
// whose folder is gone are left out of "every project".
func (q Question) chosen(ctx context.Context) ([]string, error) {
	m := q.Workspace.Manifest
	if len(q.Projects) > 0 {
		for _, name := range q.Projects {
			if m.Projects[name] == nil {
				return nil, &UnknownProjectError{Name: name, Known: m.Order(), File: m.File}
			}
		}
		return q.Projects, nil
	}
	var names []string
	for _, name := range m.Order() {
		there, err := q.exists(ctx, m.Projects[name])
		if err != nil {
			return nil, err
		}
		if !there && m.Legacy {
			q.Warn("project %q is left out: its folder %s does not exist", name, m.Projects[name].BuildDir)
			continue
		}
		names = append(names, name)
	}
	return names, nil
}

func (q Question) exists(ctx context.Context, p *manifest.Project) (bool, error) {
	entry, ok, err := q.Workspace.Tree.Lookup(ctx, p.BuildDir)
	return ok && (entry.Mode.IsTree() || entry.Mode.IsSubmodule()), err
}

// readHint reads the record of the branch, or else of the default branch. A
// damaged one is worth a warning: it only saves requests.
func (q Question) readHint(ctx context.Context) (*records.Commit, error) {
	for _, branch := range slices.Compact([]string{q.Branch, q.DefaultBranch}) {
		if branch == "" {
			continue
		}
		hint, err := q.Records.Branch(ctx, branch)
		if errors.Is(err, records.ErrDamaged) {
			q.Warn("%v; going on without it", err)
			continue
		}
		if err != nil || hint != nil {
			return hint, err
		}
	}
	return nil, nil //nolint:nilnil // no hint is a value
}

// decider gathers facts.
type decider struct {
	Question
	hint *records.Commit

	mu    sync.Mutex
	known map[string]facts
	asked map[string]bool // the registry itself has answered, not the hint
}

// askAll finds the facts of the chosen projects, then of the dependencies of
// those that must be built, and so on. What a build will use is asked of the
// registry even where the hint has it; and when one image turns out to be gone,
// the hint is not believed about any.
func (d *decider) askAll(ctx context.Context, chosen []string) error {
	if err := d.askWave(ctx, chosen, d.doubted(chosen)); err != nil {
		return err
	}
	if d.lost() {
		rest := d.unasked(chosen)
		if err := d.askWave(ctx, rest, rest); err != nil {
			return err
		}
	}
	for wave := d.next(chosen); len(wave) > 0; wave = d.next(wave) {
		if err := d.askWave(ctx, wave, wave); err != nil {
			return err
		}
	}
	return nil
}

// askWave finds the facts of the projects in wave; the hint does not count for
// those that are doubted.
func (d *decider) askWave(ctx context.Context, wave, doubted []string) error {
	unsure := map[string]bool{}
	for _, name := range doubted {
		unsure[name] = true
	}
	hashes := map[string]contenthash.Hash{}
	for _, name := range wave { // before anything is asked: what cannot be hashed costs no request
		var err error
		if hashes[name], err = d.Workspace.Hash(ctx, name); err != nil {
			return err
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(lookups)
	for _, name := range wave {
		if digest, ok := d.fromHint(name, hashes[name]); ok && !unsure[name] {
			d.learn(name, facts{hash: hashes[name], digest: digest, where: "recorded on " + short(d.hint.Commit)}, false)
			continue
		}
		group.Go(func() error { return d.ask(ctx, name, hashes[name]) })
	}
	return group.Wait()
}

func (d *decider) fromHint(name string, hash contenthash.Hash) (registry.Digest, bool) {
	if d.hint == nil {
		return "", false
	}
	built, ok := d.hint.Projects[name]
	return built.Digest, ok && built.ContentHash == hash && built.Digest != ""
}

func (d *decider) ask(ctx context.Context, name string, hash contenthash.Hash) error {
	f := facts{hash: hash, where: "built before"}
	if !hash.Dirty() { // nothing is ever recorded for a dirty one
		digest, _, err := d.Records.Built(ctx, name, hash)
		if err != nil {
			return err
		}
		f.digest = digest
	}
	_, hinted := d.fromHint(name, hash)
	f.gone = hinted && f.digest == ""
	d.learn(name, f, true)
	return nil
}

func (d *decider) learn(name string, f facts, asked bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.known[name] = f
	d.asked[name] = d.asked[name] || asked
}

// next returns the dependencies of those in wave that must be built, as far as
// the registry was not asked about them.
func (d *decider) next(wave []string) []string {
	var next []string
	for _, name := range wave {
		if d.known[name].digest != "" {
			continue
		}
		for _, dep := range localInputs(d.Workspace.Manifest.Projects[name]) {
			if !d.asked[dep] && !slices.Contains(next, dep) {
				next = append(next, dep)
			}
		}
	}
	return next
}

// check refuses a plan that cannot be carried out.
func (q Question) check(ctx context.Context, plan Plan, chosen []string) error {
	var errs []error
	for _, s := range plan.Builds() {
		if q.NoDeps && !slices.Contains(chosen, s.Name) {
			errs = append(errs, &NotBuiltError{Project: s.Name})
			continue
		}
		if err := q.buildable(ctx, s.Name); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (q Question) buildable(ctx context.Context, name string) error {
	p := q.Workspace.Manifest.Projects[name]
	there, err := q.exists(ctx, p)
	if err != nil {
		return err
	}
	if !there {
		return q.missing(ctx, name, "folder", p.BuildDir)
	}
	in, err := q.Workspace.Inputs(ctx, name)
	if err != nil {
		return err
	}
	if len(in.Dockerfile) == 0 {
		return q.missing(ctx, name, "Dockerfile", p.Dockerfile)
	}
	return q.platforms(ctx, p, in.Platforms)
}

// platforms refuses a project for a platform that what it is made from does not
// have: BuildKit would silently take another one's. Tools that build it run on
// the builder's own platform, and are not asked.
func (q Question) platforms(ctx context.Context, p *manifest.Project, wanted []string) error {
	for _, dep := range p.Dependencies.Compile {
		if dep.Interface != "" {
			continue
		}
		in, err := q.Workspace.Inputs(ctx, dep.Name)
		if err != nil {
			return err
		}
		for _, platform := range wanted {
			if !slices.Contains(in.Platforms, platform) {
				return console.Hinted(fmt.Errorf("project %q is built for %s, and %q, which it is made from, is not", p.Name, platform, dep.Name),
					fmt.Sprintf("add %s to the platforms of %q; a tool that only takes part in the build belongs in the scope build", platform, dep.Name))
			}
		}
	}
	return nil
}

// missing is the error for a path of a project that is not in the commit, or is
// inside a submodule: there it is not looked for.
func (q Question) missing(ctx context.Context, project, what, where string) error {
	for dir := path.Dir(where); dir != "."; dir = path.Dir(dir) {
		entry, ok, err := q.Workspace.Tree.Lookup(ctx, dir)
		if err != nil {
			return err
		}
		if ok && entry.Mode.IsSubmodule() {
			return console.Hinted(fmt.Errorf("project %q: its %s %s is inside the submodule %s", project, what, where, dir),
				"a submodule can be a project's buildDir, with a Dockerfile that lies in this repository")
		}
	}
	return fmt.Errorf("project %q: its %s %s does not exist at %s", project, what, where, q.Workspace)
}

// warnUnmatched tells of rebuild patterns that match nothing: a slip in one leaves
// files out of the build without a word. A legacy project whose folder is gone has
// nothing to match.
func (q Question) warnUnmatched(ctx context.Context, chosen []string) error {
	m := q.Workspace.Manifest
	for _, name := range slices.Compact(slices.Sorted(slices.Values(chosen))) {
		patterns, err := q.Workspace.Unmatched(ctx, name)
		if err != nil {
			return err
		}
		_, there, err := q.Workspace.Tree.Lookup(ctx, m.Projects[name].ProjectDir)
		if err != nil {
			return err
		}
		if len(patterns) > 0 && (there || !m.Legacy) {
			q.Warn("project %q: no file matches %s", name, quoted(patterns))
		}
	}
	return nil
}

func quoted(texts []string) string {
	list := make([]string, len(texts))
	for i, text := range texts {
		list[i] = strconv.Quote(text)
	}
	return strings.Join(list, ", ")
}

func short(id gitrepo.ObjectID) string { return string(id[:min(8, len(id))]) }
