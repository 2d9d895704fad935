package image

import (
	"context"
	"fmt"

	"slipway/tools/ci"
	"slipway/tools/cli"
	"slipway/tools/console"
)

// Tag adds a tag.
type Tag struct {
	Image string `arg:"" predictor:"project" help:"A reference, or a project for its image at HEAD."`
	Tag   string `arg:"" help:"The new tag, e.g. v1.2.3."`
	Change
	cli.Output
	Target
}

// Help is the long help.
func (Tag) Help() string {
	return `A tag that exists is moved.

    slipway image tag web v1.2.3                        web as it is at HEAD
    slipway image tag ghcr.io/acme/web:v1.2.3 latest    the image of another tag`
}

// Run adds the tag and prints the image by digest.
func (c *Tag) Run(ctx context.Context, s console.Streams, e ci.Event) error {
	from, err := c.resolve(ctx, s, c.Image)
	if err != nil {
		return err
	}
	to, err := parse(string(from.repo) + ":" + c.Tag)
	if err != nil {
		return cli.Usagef("a tag has letters, digits, dots, dashes and underscores, as in v1.2.3", "%q cannot be a tag", c.Tag)
	}
	done, err := copyTo(ctx, c.Client(s, e), from, to, c.DryRun)
	if err != nil {
		return fmt.Errorf("tagging %s: %w", from, err)
	}
	if c.DryRun {
		s.Note("would tag %s as %s", from, c.Tag)
	}
	return done.print(s, c.Output)
}
