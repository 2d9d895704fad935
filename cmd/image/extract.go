package image

import (
	"context"
	"errors"
	"fmt"

	"slipway/tools/ci"
	"slipway/tools/console"
	"slipway/tools/unpack"
)

// Extract unpacks files of an image.
type Extract struct {
	Image    string `arg:"" predictor:"project" help:"A reference, or a project for its image at HEAD."`
	Path     string `arg:"" help:"The file or folder in the image, e.g. /usr/share/app."`
	To       string `arg:"" optional:"" default:"." type:"path" help:"The folder to unpack into."`
	Platform string `placeholder:"OS/ARCH" help:"Which image of an index to take (this machine's architecture on linux)."`
	Target
}

// Run unpacks, and prints how many files there were.
func (c *Extract) Run(ctx context.Context, s console.Streams, e ci.Event) (err error) {
	i, err := c.resolve(ctx, s, c.Image)
	if err != nil {
		return err
	}
	archive, err := c.Client(s, e).Files(ctx, i.repo, i.ref, c.Platform)
	if err != nil {
		return fmt.Errorf("reading %s: %w", i, i.explain(err))
	}
	defer func() { err = errors.Join(err, archive.Close()) }()
	count, err := unpack.Tar(archive, c.Path, c.To)
	if err != nil {
		return fmt.Errorf("unpacking %s of %s: %w", c.Path, i, err)
	}
	if count == 0 {
		return fmt.Errorf("no %s in %s", c.Path, i)
	}
	files := "1 file"
	if count > 1 {
		files = fmt.Sprintf("%d files", count)
	}
	s.Note("%s of %s unpacked into %s", files, i, c.To)
	return nil
}
