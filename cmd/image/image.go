// Package image is the command "image": the fine-grained tools for images.
package image

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"slipway/tools/ci"
	"slipway/tools/cli"
	"slipway/tools/console"
	"slipway/tools/records"
	"slipway/tools/registry"
)

// Command groups the tools.
type Command struct {
	Exists  Exists  `cmd:"" help:"Say whether an image exists: exit code 0, or 1 when the registry says it does not."`
	Tag     Tag     `cmd:"" help:"Give an image one more tag."`
	Untag   Untag   `cmd:"" help:"Remove a tag, where the registry can."`
	Copy    Copy    `cmd:"" help:"Copy an image, or an index with all its images, keeping digests."`
	Extract Extract `cmd:"" help:"Unpack files of an image into a folder."`
}

// Target are the flags for naming an image: a reference, or a project's name.
type Target struct {
	cli.Source
	cli.Registry
}

// image is one that was named: a repository, and a tag or digest in it.
type image struct {
	repo registry.Repository
	ref  string
}

func (i image) String() string {
	if strings.Contains(i.ref, ":") {
		return string(i.repo) + "@" + i.ref
	}
	return string(i.repo) + ":" + i.ref
}

// parse reads "registry/repository:tag" or "...@sha256:...".
func parse(text string) (image, error) {
	repo, ref, err := registry.ParseReference(text)
	if err != nil {
		return image{}, &cli.UsageError{Err: err, Help: "write it as in ghcr.io/acme/web:v1, or give a project's name for its image at HEAD"}
	}
	return image{repo, ref}, nil
}

// resolve reads a reference, or takes a name without a slash as that of a
// project: its image at HEAD.
func (t Target) resolve(ctx context.Context, s console.Streams, text string) (i image, err error) {
	if strings.ContainsAny(text, "/:@") {
		return parse(text)
	}
	repo, err := t.OpenRepo(ctx)
	if err != nil {
		return image{}, err
	}
	defer func() { err = errors.Join(err, repo.Close()) }()
	w, err := t.Open(ctx, s, repo, "", false)
	if err != nil {
		return image{}, err
	}
	if w.Manifest.Projects[text] == nil {
		return image{}, cli.Usagef("a reference has a slash, as in ghcr.io/acme/web:v1", "no project %q in %s", text, w.Manifest.File)
	}
	layout, err := t.Layout(w)
	if err != nil {
		return image{}, err
	}
	hash, err := w.Hash(ctx, text)
	return image{layout.Image(text), records.ContentTag(hash)}, err
}

// Exists asks for an image.
type Exists struct {
	Target
	Image string `arg:"" predictor:"project" help:"A reference, or a project for its image at HEAD."`
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
		return &cli.Exit{Code: cli.CodeFailed}
	}
	if err != nil {
		return err
	}
	return printReference(s, i.repo, d)
}

// Tag adds a tag.
type Tag struct {
	Target
	Image string `arg:"" predictor:"project" help:"A reference, or a project for its image at HEAD."`
	Tag   string `arg:"" help:"The new tag, e.g. v1.2.3."`
}

// Run adds the tag and prints the image by digest.
func (c *Tag) Run(ctx context.Context, s console.Streams, e ci.Event) error {
	i, err := c.resolve(ctx, s, c.Image)
	if err != nil {
		return err
	}
	d, err := c.Client(s, e).Copy(ctx, i.repo, i.ref, i.repo, c.Tag)
	if err != nil {
		return fmt.Errorf("tagging %s: %w", i, err)
	}
	return printReference(s, i.repo, d)
}

// Untag removes a tag.
type Untag struct {
	cli.Registry
	Image string `arg:"" help:"A reference with a tag."`
}

// Run removes the tag; one that is not there is removed already.
func (c *Untag) Run(ctx context.Context, s console.Streams, e ci.Event) error {
	i, err := parse(c.Image)
	if err != nil {
		return err
	}
	if strings.Contains(i.ref, ":") {
		return cli.Usagef("", "%s names a digest, not a tag", i)
	}
	err = c.Client(s, e).DeleteTag(ctx, i.repo, i.ref)
	switch {
	case errors.Is(err, registry.ErrNotFound):
		s.Note("%s does not exist", i)
		return nil
	case errors.Is(err, errors.ErrUnsupported):
		return console.Hinted(fmt.Errorf("removing %s: %w", i, err), "this registry cannot remove tags; slipway never depends on it")
	case err != nil:
		return fmt.Errorf("removing %s: %w", i, err)
	}
	return nil
}

// Copy copies an image.
type Copy struct {
	Target
	From string `arg:"" predictor:"project" help:"A reference, or a project for its image at HEAD."`
	To   string `arg:"" help:"The reference to write."`
}

// Run copies and prints the copy by digest.
func (c *Copy) Run(ctx context.Context, s console.Streams, e ci.Event) error {
	from, err := c.resolve(ctx, s, c.From)
	if err != nil {
		return err
	}
	to, err := parse(c.To)
	if err != nil {
		return err
	}
	client := c.Client(s, e)
	if err := client.Ensure(ctx, to.repo); err != nil {
		return err
	}
	tag := to.ref
	if strings.Contains(tag, ":") { // written by its digest, which cannot be chosen
		return cli.Usagef("the copy has the same digest anyway", "%s names a digest: give a tag", to)
	}
	d, err := client.Copy(ctx, from.repo, from.ref, to.repo, tag)
	if err != nil {
		return fmt.Errorf("copying %s to %s: %w", from, to, err)
	}
	return printReference(s, to.repo, d)
}

func printReference(s console.Streams, repo registry.Repository, d registry.Descriptor) error {
	_, err := fmt.Fprintf(s.Out, "%s@%s\n", repo, d.Digest)
	return err
}
