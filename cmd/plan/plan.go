// Package plan is the command "plan".
package plan

import (
	"context"
	"errors"

	"slipway/tools/build"
	"slipway/tools/ci"
	"slipway/tools/cli"
	"slipway/tools/console"
	"slipway/tools/gitrepo"
)

// Command prints what would be built, and why.
type Command struct {
	Projects []string `arg:"" optional:"" name:"project" predictor:"project" help:"Projects to plan for (all)."`
	Verify   bool     `help:"Ask the registry about every image, also where a record says that it is there."`
	Commit   string   `placeholder:"REV" help:"The commit to plan for (HEAD). Its own manifest is read."`
	Against  string   `placeholder:"REV" help:"Compare with another commit instead of the registry: which projects changed."`
	Format   string   `short:"f" enum:"text,json,dot,mermaid,github,gitlab,circleci" default:"text" help:"What to print: ${enum}."`
	Output   string   `short:"o" enum:"text,json" default:"text" help:"The same as --format for text and json."`

	cli.Source
	cli.Registry
	cli.Branches
}

// Help is the long help.
func (Command) Help() string {
	return `Says for each project whether it would be built or reused, and why. Nothing is
built or written.

  slipway plan                         what is missing in the registry
  slipway plan --against origin/main   what a branch changed; needs no registry
  slipway plan --format github >> "$GITHUB_OUTPUT"`
}

// Run plans.
func (c *Command) Run(ctx context.Context, s console.Streams, e ci.Event) (err error) {
	format, err := c.format()
	if err != nil {
		return err
	}
	repo, err := c.OpenRepo(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, repo.Close()) }()
	plan, err := c.plan(ctx, s, e, repo)
	if err != nil {
		return err
	}
	return plan.Write(s.Out, format)
}

// format is what --format and --output say together.
func (c *Command) format() (build.Format, error) {
	format := build.Format(c.Format)
	if c.Output == string(build.Text) || format == build.JSON {
		return format, nil
	}
	if format != build.Text {
		return "", cli.Usagef("give one of them", "--format %s and --output %s exclude each other", c.Format, c.Output)
	}
	return build.JSON, nil
}

func (c *Command) plan(ctx context.Context, s console.Streams, e ci.Event, repo *gitrepo.Repo) (build.Plan, error) {
	w, err := c.Open(ctx, s, repo, c.Commit, false)
	if err != nil {
		return build.Plan{}, err
	}
	if c.Against != "" {
		before, err := c.Open(ctx, s, repo, c.Against, false)
		if err != nil {
			return build.Plan{}, err
		}
		return build.Compare(ctx, before, w, c.Projects)
	}
	q, _, err := cli.Ask(ctx, s, e, w, c.Source, c.Registry, c.Branches)
	if err != nil {
		return build.Plan{}, err
	}
	q.Projects, q.Verify = c.Projects, c.Verify
	decision, err := build.Decide(ctx, q)
	return decision.Plan, err
}
