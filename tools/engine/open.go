package engine

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// closeTimeout bounds the end of what was started.
const closeTimeout = 30 * time.Second

// engine is one or several connected builders.
type engine struct {
	opts     Options
	builders []*builder
}

// Open finds a BuildKit and connects to it: the builders that opts names; else
// the Docker Engine's, or a BuildKit container on it; else a buildkitd that is
// started for this engine. A builder that does not answer is an error; of the
// rest, the first that works is taken, and when none does the error is a
// [*NoEngineError].
func Open(ctx context.Context, opts Options) (Engine, error) {
	if len(opts.Builders) == 0 {
		return openFound(ctx, opts)
	}
	endpoints, err := builderEndpoints(opts.Builders)
	if err != nil {
		return nil, err
	}
	return connect(ctx, opts, endpoints)
}

// openFound tries what may be on this machine.
func openFound(ctx context.Context, opts Options) (Engine, error) {
	missing := &NoEngineError{}
	for _, way := range []func(context.Context, Options) (*endpoint, error){dockerEndpoint, localEndpoint} {
		e, err := way(ctx, opts)
		if err == nil {
			return connect(ctx, opts, []*endpoint{e})
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		missing.Reasons = append(missing.Reasons, err)
	}
	missing.hint = quickest(look(opts))
	return nil, missing
}

// connect dials every endpoint, and closes all of them when one fails.
func connect(ctx context.Context, opts Options, endpoints []*endpoint) (Engine, error) {
	e := &engine{opts: opts}
	for _, p := range endpoints {
		e.builders = append(e.builders, &builder{endpoint: p})
	}
	for _, b := range e.builders {
		c, err := b.dial(ctx, opts.DialTimeout)
		if err != nil {
			return nil, errors.Join(err, e.Close())
		}
		b.client = c
	}
	return e, nil
}

// Close ends the connections and whatever was started.
func (e *engine) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	var errs []error
	for _, b := range e.builders {
		if b.client != nil {
			errs = append(errs, b.client.Close())
		}
		if b.close != nil {
			errs = append(errs, b.close(ctx))
		}
	}
	return errors.Join(errs...)
}

// String names every builder.
func (e *engine) String() string {
	names := make([]string, 0, len(e.builders))
	for _, b := range e.builders {
		names = append(names, b.name)
	}
	return strings.Join(names, ", ")
}

// NoEngineError says that there is no BuildKit to build with, and why not.
type NoEngineError struct {
	Reasons []error // one for each way that was tried
	hint    string
}

func (e *NoEngineError) Error() string {
	s := "finding a BuildKit: none of the four ways works here"
	for _, r := range e.Reasons {
		s += "; " + r.Error()
	}
	return s
}

// Unwrap gives the reasons.
func (e *NoEngineError) Unwrap() []error { return e.Reasons }

// Hint names the four ways, the quickest for this machine first.
func (e *NoEngineError) Hint() string { return e.hint }

// machine is what the hint depends on.
type machine struct {
	linux, root                               bool
	docker, buildkitd, runc, rootlesskit, apt bool // programs found
}

// look finds out what machine this is, as far as the hint goes.
func look(opts Options) machine {
	find := opts.LookPath
	if find == nil {
		find = exec.LookPath
	}
	has := func(name string) bool { _, err := findSystem(find, name); return err == nil }
	return machine{
		linux: runtime.GOOS == "linux", root: opts.UID == 0,
		docker: has("dockerd"), buildkitd: opts.BuildKitd != "" || has("buildkitd"),
		runc: has("runc"), rootlesskit: has("rootlesskit"), apt: has("apt-get"),
	}
}

// quickest tells what to do on m to get a BuildKit.
func quickest(m machine) string {
	return fmt.Sprintf("the quickest here: %s. The four ways: BUILDKIT_HOST or --builder with the address of a running buildkitd (%s); "+
		"a Docker Engine 26 or newer with the containerd image store; any other Docker Engine, which runs a BuildKit container; "+
		"buildkitd and runc on PATH (and rootlesskit when not root)", first(m), schemes)
}

func first(m machine) string {
	switch {
	case m.docker:
		return "start the Docker Engine, or give this user access to its socket"
	case !m.linux:
		return "install Docker, or name a remote builder"
	case m.buildkitd && !m.runc:
		return install(m, "runc")
	case m.buildkitd && !m.root && !m.rootlesskit:
		return install(m, "rootlesskit uidmap slirp4netns")
	case m.buildkitd:
		return "see why buildkitd does not start"
	default:
		return "scripts/setup, which builds buildkitd, then put it on PATH"
	}
}

func install(m machine, packages string) string {
	if m.apt {
		return "apt-get install " + packages
	}
	return "install " + packages
}
