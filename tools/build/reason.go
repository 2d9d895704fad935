package build

import (
	"context"
	"errors"
	"fmt"

	"slipway/tools/contenthash"
	"slipway/tools/gitrepo"
	"slipway/tools/workspace"
)

// explain gives the steps that build something their reasons: what differs from
// the commit that the hint was recorded for.
func (d *decider) explain(ctx context.Context, plan *Plan) error {
	var before *workspace.Workspace
	if d.hint != nil && len(plan.Builds()) > 0 {
		var err error
		if before, err = d.before(ctx); err != nil {
			return err
		}
	}
	if before != nil {
		plan.Base = before.Commit.ID
	}
	for i := range plan.Projects {
		s := &plan.Projects[i]
		if s.Action != Build {
			continue
		}
		if err := d.explainStep(ctx, s, before); err != nil {
			return err
		}
	}
	return nil
}

// before opens the commit of the hint; nil where it is not on this machine, as in
// a shallow clone, or not readable any more.
func (d *decider) before(ctx context.Context) (*workspace.Workspace, error) {
	if d.Open == nil {
		return nil, nil //nolint:nilnil // nothing to compare with
	}
	there, err := d.Workspace.Repo.Has(ctx, d.hint.Commit)
	if err != nil || !there {
		return nil, ctx.Err() //nolint:nilerr // reasons are a courtesy: no build fails for them
	}
	w, err := d.Open(ctx, string(d.hint.Commit))
	if err != nil {
		return nil, ctx.Err()
	}
	return w, nil
}

func (d *decider) explainStep(ctx context.Context, s *Step, before *workspace.Workspace) error {
	switch _, recorded := d.recorded(s.Name); {
	case d.known[s.Name].gone:
		s.Reason = "its image is gone from the registry"
	case d.hint == nil || !recorded:
		s.Reason = "never built"
	case before == nil || before.Manifest.Projects[s.Name] == nil:
		s.Reason = "content differs from " + short(d.hint.Commit)
	default:
		d.explainChanges(ctx, s, before)
	}
	return ctx.Err()
}

// explainChanges is a courtesy, as all reasons are: where the older commit cannot
// be read or hashed, the build goes on without them.
func (d *decider) explainChanges(ctx context.Context, s *Step, before *workspace.Workspace) {
	changes, err := compare(ctx, s.Name, before, d.Workspace)
	switch {
	case err != nil:
		s.Reason = "content differs from " + short(d.hint.Commit)
	case len(changes) == 0:
		s.Reason = "not built at " + short(d.hint.Commit)
	default:
		s.Reason, s.Changed = summarize(changes), paths(changes)
	}
}

func (d *decider) recorded(name string) (contenthash.Hash, bool) {
	if d.hint == nil {
		return "", false
	}
	built, ok := d.hint.Projects[name]
	return built.ContentHash, ok
}

// compare says what differs in a project between two workspaces of a repository.
func compare(ctx context.Context, project string, before, after *workspace.Workspace) ([]contenthash.Change, error) {
	old, err := before.Inputs(ctx, project)
	if err != nil {
		return nil, err
	}
	now, err := after.Inputs(ctx, project)
	if err != nil {
		return nil, err
	}
	changes, err := contenthash.Diff(ctx, after.Repo, old, now)
	if errors.Is(err, gitrepo.ErrMissing) { // a shallow or partial clone
		return []contenthash.Change{{Kind: contenthash.FileChanged, What: "files that this clone does not have"}}, nil
	}
	return changes, err
}

// summarize makes one short line of the changes.
func summarize(changes []contenthash.Change) string {
	switch len(changes) {
	case 0:
		return ""
	case 1:
		return "changed: " + changes[0].String()
	default:
		return fmt.Sprintf("changed: %s and %d more", changes[0], len(changes)-1)
	}
}

func paths(changes []contenthash.Change) []string {
	list := []string{}
	for _, c := range changes {
		if c.IsFile() {
			list = append(list, c.What)
		}
	}
	return list
}

// Compare plans without a registry: which projects of the commit after differ
// from the commit before, each read with its own manifest.
func Compare(ctx context.Context, before, after *workspace.Workspace, projects []string) (Plan, error) {
	plan := Plan{Schema: schema, Commit: after.Commit.ID, Base: before.Commit.ID, Projects: []Step{}}
	if len(projects) == 0 {
		projects = after.Manifest.Order()
	}
	for _, name := range projects {
		p := after.Manifest.Projects[name]
		if p == nil {
			return plan, &UnknownProjectError{Name: name, Known: after.Manifest.Order(), File: after.Manifest.File}
		}
		hash, err := after.Hash(ctx, name)
		if err != nil {
			return plan, err
		}
		s := newStep(p, facts{hash: hash})
		if err := s.compare(ctx, before, after); err != nil {
			return plan, err
		}
		plan.Projects = append(plan.Projects, s)
	}
	return plan, nil
}

func (s *Step) compare(ctx context.Context, before, after *workspace.Workspace) error {
	s.Action, s.Reason = Changed, "new project"
	if before.Manifest.Projects[s.Name] == nil {
		return nil
	}
	old, err := before.Hash(ctx, s.Name)
	if err != nil {
		return err
	}
	if old == s.ContentHash {
		s.Action, s.Reason = Same, "nothing it is built from changed"
		return nil
	}
	changes, err := compare(ctx, s.Name, before, after)
	s.Reason, s.Changed = summarize(changes), paths(changes)
	return err
}
