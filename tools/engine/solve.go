package engine

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/moby/buildkit/client"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"slipway/tools/internal/retry"
)

// builder is an endpoint that is connected.
type builder struct {
	*endpoint
	client *client.Client
}

// pushAttempts is how often an image is pushed in all where that is refused. Image
// and build cache are pushed side by side, and registries are met that trip over
// the layers that both have.
const pushAttempts = 3

// solve builds r on b. Where the push fails, or a registry asks for patience, it is
// tried again: the steps then come out of the builder's own cache.
func (b *builder) solve(ctx context.Context, r Request, opts Options, events func(Event)) (Result, Descriptor, error) {
	var result Result
	var image Descriptor
	tries := 0
	err := opts.Retry.Do(ctx, func(ctx context.Context) (err error) {
		tries++
		p := newProgress(events)
		image, err = b.once(ctx, r, opts.Credentials, p)
		if result.Cached+result.Ran == 0 { // what a second try finds in the cache, the first has run
			p.count(&result)
		}
		if err != nil && ctx.Err() == nil && mayPass(err, p.exporting() && tries < pushAttempts) {
			return retry.Again(err)
		}
		return err
	})
	result.Digest = image.Digest
	return result, image, err
}

// mayPass reports whether another try may help against err: always where a registry
// asks for patience, never where it refuses the credentials, else as pushing says.
func mayPass(err error, pushing bool) bool {
	var refused *RefusedError
	if !errors.As(err, &refused) {
		return pushing
	}
	return refused.Temporary() || pushing && !refused.final()
}

// once is one try.
func (b *builder) once(ctx context.Context, r Request, credentials credentialsFunc, p *progress) (Descriptor, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	opt, err := solveOpt(ctx, r, credentials, cancel)
	if err != nil {
		return Descriptor{}, err
	}
	statuses := make(chan *client.SolveStatus)
	var watching sync.WaitGroup
	watching.Go(func() { p.watch(ctx, statuses) })
	response, err := b.client.Solve(ctx, nil, opt, statuses)
	watching.Wait()
	switch {
	case ctx.Err() != nil:
		return Descriptor{}, context.Cause(ctx)
	case err != nil:
		return Descriptor{}, explain(err, p)
	}
	return pushed(response)
}

// pushed reads what was exported, if anything was.
func pushed(response *client.SolveResponse) (Descriptor, error) {
	encoded := response.ExporterResponse["containerimage.descriptor"]
	if encoded == "" {
		return Descriptor{Digest: response.ExporterResponse["containerimage.digest"]}, nil
	}
	b, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return Descriptor{}, fmt.Errorf("reading BuildKit's answer: %w", err)
	}
	var d ocispecs.Descriptor
	if err := json.Unmarshal(b, &d); err != nil {
		return Descriptor{}, fmt.Errorf("reading BuildKit's answer: %w", err)
	}
	return Descriptor{Digest: d.Digest.String(), MediaType: d.MediaType, Size: d.Size}, nil
}

// Solve builds r, each platform on a builder that is there for it.
func (e *engine) Solve(ctx context.Context, r Request, events func(Event)) (Result, error) {
	builders, err := e.assign(r)
	if err != nil {
		return Result{}, err
	}
	if len(builders) > 1 {
		return e.solveApart(ctx, r, builders, events)
	}
	b := builders[0].builder
	result, image, err := b.solve(ctx, r, e.opts, events)
	if err != nil || image.Digest == "" {
		return result, err
	}
	result.Platforms, err = b.platformDigests(ctx, r, image)
	return result, err
}

// solveApart builds every platform alone and joins the images by an index.
func (e *engine) solveApart(ctx context.Context, r Request, parts []assignment, events func(Event)) (Result, error) {
	results, images := make([]Result, len(parts)), make([]Descriptor, len(parts))
	emit := oneAtATime(events)
	group, groupCtx := errgroup.WithContext(ctx)
	for i, part := range parts {
		group.Go(func() error {
			one := r
			one.Platforms = []string{part.platform}
			var err error
			results[i], images[i], err = part.builder.solve(groupCtx, one, e.opts, tagged(emit, part.platform))
			images[i].Platform = part.platform
			if err != nil {
				return fmt.Errorf("%s on %s: %w", part.platform, part.builder.name, err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return total(results), err
	}
	return e.join(ctx, r, results, images)
}

// total adds up the steps.
func total(results []Result) Result {
	var all Result
	for _, one := range results {
		all.Cached += one.Cached
		all.Ran += one.Ran
		all.FirstMiss = cmp.Or(all.FirstMiss, one.FirstMiss)
	}
	return all
}

func (e *engine) join(ctx context.Context, r Request, results []Result, images []Descriptor) (Result, error) {
	joined := total(results)
	joined.Platforms = map[string]string{}
	for i, one := range results {
		joined.Platforms[images[i].Platform] = one.Digest
	}
	if r.Repository == "" {
		return joined, nil
	}
	var err error
	joined.Digest, err = e.opts.PushIndex(ctx, r.Repository, images, r.Annotations)
	if err != nil {
		return total(results), fmt.Errorf("joining %d platforms: %w", len(images), err)
	}
	return joined, nil
}

// oneAtATime lets several solves share one receiver of events.
func oneAtATime(events func(Event)) func(Event) {
	if events == nil {
		return func(Event) {}
	}
	var mu sync.Mutex
	return func(e Event) {
		mu.Lock()
		defer mu.Unlock()
		events(e)
	}
}

// tagged keeps steps of different platforms apart.
func tagged(events func(Event), platform string) func(Event) {
	return func(e Event) {
		e.Step = platform + " " + e.Step
		events(e)
	}
}
