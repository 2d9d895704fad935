// Package build is the command "build".
package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"slipway/manifest"
	"slipway/tools/build"
	"slipway/tools/ci"
	"slipway/tools/cli"
	"slipway/tools/console"
	"slipway/tools/engine"
	"slipway/tools/registry"
	"slipway/tools/workspace"
)

// Command builds what is missing.
type Command struct {
	Projects    []string `arg:"" optional:"" name:"project" predictor:"project" help:"Projects to build."`
	All         bool     `help:"Build every project of the manifest."`
	NoDeps      bool     `help:"Do not build dependencies: fail when one is missing."`
	Verify      bool     `help:"Ask the registry about every image, also where a record says that it is there."`
	KeepGoing   bool     `short:"k" help:"Go on with what does not depend on a failed project."`
	Dirty       bool     `help:"Build the work tree as it is. What only exists there is pushed, but never recorded as built."`
	SecretsFrom []string `default:"/run/secrets" env:"SLIPWAY_SECRETS_FROM" placeholder:"DIR" help:"Folders that the manifest's secrets may be read from, beside the work tree."`
	Jobs        int      `short:"j" default:"4" env:"SLIPWAY_JOBS" help:"How many projects to build at the same time."`
	DryRun      bool     `short:"n" help:"Print what would be built, and why, and stop."`

	cli.Output
	cli.Progress
	cli.Source
	cli.Registry
	cli.Engine
	cli.Branches
}

// Help is the long help.
func (Command) Help() string {
	return `Compares the commit with the registry, builds what is missing with BuildKit, and
records each success as a tag, so that the next run builds nothing.

Standard output has one line for each project that was asked for: its name and its
image by digest.

  slipway build --all                  everything that is missing
  slipway build web                    web, and what it depends on
  slipway build --all --dry-run        the plan alone`
}

// Run builds.
func (c *Command) Run(ctx context.Context, s console.Streams, e ci.Event) (err error) {
	switch {
	case c.All && len(c.Projects) > 0:
		return cli.Usagef("slipway build web, or slipway build --all", "--all and the names of projects exclude each other")
	case !c.All && len(c.Projects) == 0:
		return cli.Usagef("slipway build web, or slipway build --all", "name the projects to build, or give --all")
	}
	if c.Jobs < 1 {
		return cli.Usagef("", "--jobs is %d, and must be at least 1", c.Jobs)
	}
	repo, err := c.OpenRepo(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, repo.Close()) }()
	w, err := c.Source.Open(ctx, s, repo, "", c.Dirty)
	if err != nil {
		return err
	}
	warn := cli.WarnDirty
	if c.Dirty {
		warn = cli.WarnSubmodules
	}
	if err := warn(ctx, s, repo); err != nil {
		return err
	}
	q, client, err := cli.Ask(ctx, s, e, w, c.Source, c.Registry, c.Branches)
	if err != nil {
		return err
	}
	q.Projects, q.NoDeps, q.Verify = c.Projects, c.NoDeps, c.Verify
	decision, err := build.Decide(ctx, q)
	if err != nil {
		return err
	}
	if c.DryRun {
		return c.printPlan(s, decision.Plan)
	}
	if q.Branch == "" && e.Tag == "" {
		s.Note("no branch is known, so no hint is left for the next run: --branch names one")
	}
	report, err := c.execute(ctx, s, e, q, decision, client)
	return errors.Join(err, c.printReport(s, report))
}

func (c *Command) execute(
	ctx context.Context, s console.Streams, e ci.Event, q build.Question, d build.Decision, client *registry.Client,
) (build.Report, error) {
	redact := &console.Redactor{}
	display := console.NewProgress(s, c.Progress.Progress, redact)
	defer display.Close()
	return build.Execute(ctx, d, build.Job{
		Question: q,
		OpenEngine: func(ctx context.Context) (engine.Engine, error) {
			return c.Engine.Open(ctx, s, e, client, c.InsecureRegistry)
		},
		Ensure:    client.Ensure,
		Secret:    func(secret manifest.Secret) ([]byte, error) { return c.readSecret(e, q.Workspace, secret) },
		Redact:    redact,
		Progress:  display,
		Now:       s.Now,
		Jobs:      c.Jobs,
		KeepGoing: c.KeepGoing,
		Insecure:  c.InsecureRegistry,
	})
}

func (c *Command) printPlan(s console.Streams, plan build.Plan) error {
	if c.JSON() {
		return console.JSON(s.Out, plan)
	}
	return plan.Text(s.Out)
}

// printReport prints the product on standard output, and the table for people.
func (c *Command) printReport(s console.Streams, report build.Report) error {
	if c.JSON() {
		return console.JSON(s.Out, report)
	}
	if c.Progress.Progress != console.Quiet {
		if err := report.Table(s.Err); err != nil {
			return err
		}
	}
	return report.References(s.Out, c.Projects...)
}

// readSecret reads a build secret from where the manifest says it is. A manifest
// is part of a commit, and must not make this machine give away its files: a
// relative path stays in the work tree, an absolute one in the folders of
// --secrets-from.
func (c *Command) readSecret(e ci.Event, w *workspace.Workspace, secret manifest.Secret) ([]byte, error) {
	if secret.Env != "" {
		value := e.Getenv(secret.Env)
		if value == "" {
			return nil, console.Hinted(fmt.Errorf("environment variable %s is not set", secret.Env), "set it for this command")
		}
		return []byte(value), nil
	}
	if !filepath.IsAbs(secret.File) {
		return readInside(w.Repo.WorkTree(), secret.File)
	}
	for _, folder := range c.SecretsFrom {
		if inside, err := filepath.Rel(folder, secret.File); err == nil && filepath.IsLocal(inside) {
			return readInside(folder, inside)
		}
	}
	return nil, console.Hinted(fmt.Errorf("file %s is in none of the folders that secrets may come from", secret.File),
		"--secrets-from "+filepath.Dir(secret.File)+" allows it")
}

// readInside reads a file of a folder; a symbolic link cannot lead out of it.
func readInside(folder, name string) ([]byte, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	return root.ReadFile(name)
}
