package image

import (
	"context"
	"fmt"

	"slipway/tools/ci"
	"slipway/tools/cli"
	"slipway/tools/console"
)

// Copy copies an image.
type Copy struct {
	From string `arg:"" predictor:"project" help:"A reference, or a project for its image at HEAD."`
	To   string `arg:"" help:"The reference to write, with a tag."`
	Change
	cli.Output
	Target
}

// Help is the long help.
func (Copy) Help() string {
	return `What the target has already is not sent again. The tag is written last.

    slipway image copy web registry.example.com/acme/web:v1.2.3`
}

// Run copies and prints the copy by digest.
func (c *Copy) Run(ctx context.Context, s console.Streams, e ci.Event) error {
	to, err := parseTagged(c.To)
	if err != nil {
		return err
	}
	from, err := c.resolve(ctx, s, c.From)
	if err != nil {
		return err
	}
	client := c.Client(s, e)
	if !c.DryRun {
		if err := client.Ensure(ctx, to.repo); err != nil {
			return err
		}
	}
	done, err := copyTo(ctx, client, from, to, c.DryRun)
	if err != nil {
		return fmt.Errorf("copying %s to %s: %w", from, to, err)
	}
	if c.DryRun {
		s.Note("would copy %s to %s", from, to)
	}
	return done.print(s, c.Output)
}
