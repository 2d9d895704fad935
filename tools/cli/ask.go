package cli

import (
	"context"
	"fmt"
	"io"

	"slipway/tools/build"
	"slipway/tools/ci"
	"slipway/tools/console"
	"slipway/tools/gitrepo"
	"slipway/tools/records"
	"slipway/tools/registry"
	"slipway/tools/workspace"
)

// Ask prepares the question what has to be built, for all projects, and the
// registry client that it goes to.
func Ask(
	ctx context.Context, s console.Streams, e ci.Event, w *workspace.Workspace, src Source, reg Registry, branches Branches,
) (build.Question, *registry.Client, error) {
	layout, err := reg.Layout(w)
	if err != nil {
		return build.Question{}, nil, err
	}
	branch, fallback, err := branches.Resolve(ctx, e, w)
	if err != nil {
		return build.Question{}, nil, err
	}
	client := reg.Client(s, e)
	return build.Question{
		Workspace: w, Records: records.NewStore(client, layout), Branch: branch, DefaultBranch: fallback, Warn: s.Warn,
		Open: func(ctx context.Context, rev string) (*workspace.Workspace, error) {
			quiet := s // warnings about an older commit's manifest help nobody
			quiet.Err = io.Discard
			return src.Open(ctx, quiet, w.Repo, rev, false)
		},
	}, client, nil
}

// WarnDirty says so when the work tree differs from the commit that is built.
func WarnDirty(ctx context.Context, s console.Streams, repo *gitrepo.Repo) error {
	changed, err := repo.Changes(ctx)
	if len(changed) > 0 {
		s.Warn("uncommitted changes are not built (%s); --dirty builds them", firstOf(changed))
	}
	return err
}

// WarnSubmodules says so when a work tree that is built as it is has submodules
// with uncommitted changes: a submodule is built as one of its commits.
func WarnSubmodules(ctx context.Context, s console.Streams, repo *gitrepo.Repo) error {
	changed, err := repo.DirtySubmodules(ctx)
	if len(changed) > 0 {
		s.Warn("--dirty does not build what is not committed in submodules (%s)", firstOf(changed))
	}
	return err
}

// firstOf names the first of some paths, and how many more there are.
func firstOf(paths []string) string {
	if len(paths) == 1 {
		return paths[0]
	}
	return fmt.Sprintf("%s and %d more", paths[0], len(paths)-1)
}
