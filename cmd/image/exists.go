package image

import (
	"context"
	"errors"

	"slipway/tools/ci"
	"slipway/tools/cli"
	"slipway/tools/console"
	"slipway/tools/registry"
)

// Exists asks for an image.
type Exists struct {
	Image string `arg:"" predictor:"project" help:"A reference, or a project for its image at HEAD."`
	cli.Output
	Target
}

// Run prints the image by digest.
func (c *Exists) Run(ctx context.Context, s console.Streams, e ci.Event) error {
	i, err := c.resolve(ctx, s, c.Image)
	if err != nil {
		return err
	}
	d, err := c.Client(s, e).Head(ctx, i.repo, i.ref)
	if errors.Is(err, registry.ErrNotFound) {
		s.Note("%s does not exist", i)
		return errors.Join(newAnswer(i, false, d).print(s, c.Output), &cli.Exit{Code: cli.CodeFailed})
	}
	if err != nil {
		return err
	}
	return newAnswer(i, true, d).print(s, c.Output)
}
