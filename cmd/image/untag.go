package image

import (
	"context"
	"errors"
	"fmt"

	"slipway/tools/ci"
	"slipway/tools/cli"
	"slipway/tools/console"
	"slipway/tools/registry"
)

// Untag removes a tag.
type Untag struct {
	Image string `arg:"" help:"A reference with a tag."`
	Change
	cli.Output
	cli.Registry
}

// Help is the long help.
func (Untag) Help() string {
	return `The image and its other tags stay. A tag that does not exist is removed already: exit
code 0. Not every registry can remove a tag.`
}

// Run removes the tag.
func (c *Untag) Run(ctx context.Context, s console.Streams, e ci.Event) error {
	i, err := parseTagged(c.Image)
	if err != nil {
		return err
	}
	client := c.Client(s, e)
	if c.DryRun {
		return c.look(ctx, s, client, i)
	}
	err = client.DeleteTag(ctx, i.repo, i.ref)
	switch {
	case errors.Is(err, registry.ErrNotFound):
		s.Note("%s does not exist", i)
	case errors.Is(err, errors.ErrUnsupported):
		return console.Hinted(fmt.Errorf("removing %s: %w", i, err), "this registry cannot remove tags; slipway never depends on it")
	case err != nil:
		return fmt.Errorf("removing %s: %w", i, err)
	}
	return newAnswer(i, false, registry.Descriptor{}).print(s, c.Output)
}

// look says what would be removed.
func (c *Untag) look(ctx context.Context, s console.Streams, client *registry.Client, i image) error {
	d, err := client.Head(ctx, i.repo, i.ref)
	switch {
	case errors.Is(err, registry.ErrNotFound):
		s.Note("%s does not exist", i)
	case err != nil:
		return err
	default:
		s.Note("would remove %s", i)
	}
	return newAnswer(i, err == nil, d).print(s, c.Output)
}
