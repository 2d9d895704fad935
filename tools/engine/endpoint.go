package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/moby/buildkit/client"
)

// defaultDialTimeout lets a daemon start while a build already waits for it.
const defaultDialTimeout = 20 * time.Second

// endpoint is a BuildKit that can be dialled, whoever runs it.
type endpoint struct {
	name      string             // for people: "buildkitd unix:///run/b.sock"
	opts      []client.ClientOpt // dialers, certificates
	address   string             // as client.New takes it
	platforms []string           // that it is to build; none means any
	// close ends what was started for this endpoint; nil when that is nothing.
	// It gets a context that outlives the run's.
	close func(context.Context) error
}

// dial connects to the endpoint and waits until it answers.
func (e *endpoint) dial(ctx context.Context, timeout time.Duration) (*client.Client, error) {
	if timeout <= 0 {
		timeout = defaultDialTimeout
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("no answer within %s", timeout))
	defer cancel()
	c, err := client.New(ctx, e.address, e.opts...)
	if err != nil {
		return nil, fmt.Errorf("connecting to %s: %w", e.name, err)
	}
	if err := c.Wait(ctx); err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("waiting for %s: %w", e.name, err)
	}
	return c, nil
}
