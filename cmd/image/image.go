// Package image is the command "image": the fine-grained tools for images.
package image

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"slipway/tools/build"
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

// Change is the flag of commands that write.
type Change struct {
	DryRun bool `short:"n" help:"Say what would be done, and stop."`
}

// image is one that was named: a repository, and a tag or digest in it.
type image struct {
	repo    registry.Repository
	ref     string
	project string // it was named by
}

func (i image) String() string {
	if i.pinned() {
		return string(i.repo) + "@" + i.ref
	}
	return string(i.repo) + ":" + i.ref
}

// pinned reports whether a digest names it.
func (i image) pinned() bool { return strings.Contains(i.ref, ":") }

// parse reads "registry/repository:tag" or "...@sha256:...".
func parse(text string) (image, error) {
	repo, ref, err := registry.ParseReference(text)
	if err != nil {
		return image{}, &cli.UsageError{Err: err, Help: "write it as in ghcr.io/acme/web:v1, or give a project's name for its image at HEAD"}
	}
	return image{repo: repo, ref: ref}, nil
}

// parseTagged reads a reference that has to be one by tag, with its registry: what
// is written or removed is never guessed.
func parseTagged(text string) (image, error) {
	slash := strings.LastIndexByte(text, '/')
	if slash < 0 || !strings.Contains(text[slash:], ":") {
		return image{}, cli.Usagef("write it as in ghcr.io/acme/web:v1", "%q has to be a reference with a registry and a tag", text)
	}
	i, err := parse(text)
	if err == nil && i.pinned() {
		return image{}, cli.Usagef("give a tag, as in ghcr.io/acme/web:v1", "%s names a digest, not a tag", i)
	}
	return i, err
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
	if known := w.Manifest.Order(); !slices.Contains(known, text) {
		return image{}, &build.UnknownProjectError{Name: text, Known: known, File: w.Manifest.File}
	}
	layout, err := t.Layout(w)
	if err != nil {
		return image{}, err
	}
	hash, err := w.Hash(ctx, text)
	return image{layout.Image(text), records.ContentTag(hash), text}, err
}

// explain adds what to do to the error of reading i.
func (i image) explain(err error) error {
	if i.project != "" && errors.Is(err, registry.ErrNotFound) {
		return console.Hinted(err, fmt.Sprintf("%s is not built at HEAD: slipway build %s", i.project, i.project))
	}
	return err
}

// answer is what a command found or did. Its JSON form is documented in
// docs/scripting.md.
type answer struct {
	Schema     int                 `json:"schema"` // 1
	Repository registry.Repository `json:"image"`
	Tag        string              `json:"tag,omitempty"`
	Exists     bool                `json:"exists"` // now, under that tag or digest
	Digest     registry.Digest     `json:"digest,omitempty"`
	MediaType  string              `json:"mediaType,omitempty"`
}

func newAnswer(i image, exists bool, d registry.Descriptor) answer {
	a := answer{Schema: 1, Repository: i.repo, Exists: exists, Digest: d.Digest, MediaType: d.MediaType}
	if !i.pinned() {
		a.Tag = i.ref
	}
	return a
}

// print prints the image by digest, or all of the answer.
func (a answer) print(s console.Streams, o cli.Output) error {
	if o.JSON() {
		return console.JSON(s.Out, a)
	}
	if a.Digest == "" {
		return nil
	}
	_, err := fmt.Fprintf(s.Out, "%s@%s\n", a.Repository, a.Digest)
	return err
}

// copyTo gives from the name to, or tells whether it has it.
func copyTo(ctx context.Context, client *registry.Client, from, to image, dryRun bool) (answer, error) {
	if !dryRun {
		d, err := client.Copy(ctx, from.repo, from.ref, to.repo, to.ref)
		return newAnswer(to, true, d), from.explain(err)
	}
	d, err := client.Head(ctx, from.repo, from.ref)
	if err != nil {
		return answer{}, from.explain(err)
	}
	there, err := client.Head(ctx, to.repo, to.ref)
	if err != nil && !errors.Is(err, registry.ErrNotFound) {
		return answer{}, err
	}
	return newAnswer(to, there.Digest == d.Digest, d), nil
}
