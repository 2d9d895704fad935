package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/util/grpcerrors"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
)

// defaultDialTimeout lets a daemon start while a build already waits for it.
const defaultDialTimeout = 20 * time.Second

// pollInterval is how often a daemon that is starting is asked again.
const pollInterval = 20 * time.Millisecond

// endpoint is a BuildKit that can be dialled, whoever runs it.
type endpoint struct {
	name      string             // for people: "buildkitd unix:///run/b.sock"
	opts      []client.ClientOpt // dialers, certificates
	address   string             // as client.New takes it
	platforms []string           // that it is to build; none means any
	// close ends what was started for this endpoint; nil when that is nothing.
	// It gets a context that outlives the run's.
	close func(context.Context) error
	// alive is an error when what was started has ended; nil when unknown.
	alive func() error
}

// dial connects to the endpoint and waits until it answers.
func (e *endpoint) dial(ctx context.Context, timeout time.Duration) (*client.Client, error) {
	if timeout <= 0 {
		timeout = defaultDialTimeout
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("no answer within %s", timeout))
	defer cancel()
	c, err := client.New(ctx, e.address, append(slices.Clip(e.opts), client.WithGRPCDialOption(quickRetries()))...)
	if err != nil {
		return nil, fmt.Errorf("connecting to %s: %w", e.name, err)
	}
	if err := e.await(ctx, c); err != nil {
		return nil, errors.Join(fmt.Errorf("connecting to %s: %w", e.name, err), c.Close())
	}
	return c, nil
}

// quickRetries has a connection tried again soon: gRPC's own first pause, a
// second, is longer than a daemon takes to start.
func quickRetries() grpc.DialOption {
	pause := backoff.Config{BaseDelay: pollInterval, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second}
	return grpc.WithConnectParams(grpc.ConnectParams{Backoff: pause, MinConnectTimeout: defaultDialTimeout})
}

// await asks until there is an answer, the context ends or the daemon is dead.
// The last refusal says more than the context's end.
func (e *endpoint) await(ctx context.Context, c *client.Client) error {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		_, err := c.ListWorkers(ctx)
		if e.alive != nil {
			if dead := e.alive(); dead != nil {
				return dead
			}
		}
		if err == nil || grpcerrors.Code(err) != codes.Unavailable && ctx.Err() == nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		case <-ticker.C:
		}
	}
}
