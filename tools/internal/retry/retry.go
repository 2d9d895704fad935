// Package retry is back-off: it runs something again while that something says
// that another try may help. It owns how long to wait and how often to try; what
// deserves another try is the caller's to say, by returning [Again].
package retry

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// Defaults of a [Policy]: five tries within about eight seconds, and up to a
// minute for a server that names its own delay.
const (
	DefaultAttempts = 5
	DefaultBase     = 500 * time.Millisecond
	DefaultMax      = time.Minute
)

// Policy says how often and how long. The zero value means the defaults.
type Policy struct {
	// Attempts is how many tries there are in all; 1 is no second try.
	Attempts int
	// Base is the wait after the first try; each further wait is twice the last.
	Base time.Duration
	// Max is the longest single wait. Who asks for more ([AgainAfter]) is not
	// waited for: the error is returned at once.
	Max time.Duration
	// Sleep waits, and returns the context's error when that ends first.
	Sleep func(context.Context, time.Duration) error
	// Jitter spreads a back-off wait; it is not applied to a delay that was asked for,
	// beyond lengthening it. It may return anything from 0 to its argument.
	Jitter func(time.Duration) time.Duration
}

type again struct {
	err   error
	after time.Duration
}

func (a *again) Error() string { return a.err.Error() }
func (a *again) Unwrap() error { return a.err }

// Again marks err as worth another try after the policy's own wait.
func Again(err error) error { return &again{err: err} }

// AgainAfter marks err as worth another try, not sooner than after.
func AgainAfter(err error, after time.Duration) error { return &again{err: err, after: after} }

// Do calls try until it returns nil, an error that is not marked with [Again], or
// the attempts are used up. It returns try's last error without the mark, or the
// context's error when that ended during a wait.
func (p Policy) Do(ctx context.Context, try func(context.Context) error) error {
	p = p.withDefaults()
	for n := 1; ; n++ {
		err := try(ctx)
		mark, ok := err.(*again) //nolint:errorlint // only try's own verdict counts, not one from a nested Do
		if !ok {
			return err
		}
		if n >= p.Attempts || mark.after > p.Max {
			return mark.err
		}
		if err := p.Sleep(ctx, p.wait(n, mark.after)); err != nil {
			return errors.Join(err, mark.err)
		}
	}
}

// wait is how long to sleep after try n, the first being 1.
func (p Policy) wait(n int, after time.Duration) time.Duration {
	d := p.Base << min(n-1, 20)
	if d > p.Max || d <= 0 {
		d = p.Max
	}
	spread := d/2 + p.Jitter(d/2)
	if after > 0 {
		return after + spread/4
	}
	return spread
}

func (p Policy) withDefaults() Policy {
	if p.Attempts <= 0 {
		p.Attempts = DefaultAttempts
	}
	if p.Base <= 0 {
		p.Base = DefaultBase
	}
	if p.Max <= 0 {
		p.Max = DefaultMax
	}
	if p.Sleep == nil {
		p.Sleep = Sleep
	}
	if p.Jitter == nil {
		p.Jitter = jitter
	}
	return p
}

// Sleep waits for d, or for the end of ctx, whose error it then returns.
func Sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func jitter(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return rand.N(d + 1) //nolint:gosec // spreading load, not keeping secrets
}
