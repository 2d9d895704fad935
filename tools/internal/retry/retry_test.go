package retry_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"slipway/tools/internal/retry"
)

var errBusy = errors.New("busy")

// recorded is a policy without jitter that notes its waits instead of waiting.
func recorded(waits *[]time.Duration) retry.Policy {
	return retry.Policy{
		Attempts: 4, Base: time.Second, Max: 3 * time.Second,
		Jitter: func(d time.Duration) time.Duration { return d },
		Sleep: func(_ context.Context, d time.Duration) error {
			*waits = append(*waits, d)
			return nil
		},
	}
}

func TestDo(t *testing.T) {
	tests := map[string]struct {
		answers []error
		want    error
		waits   []time.Duration
		tries   int
	}{
		"success":           {answers: []error{nil}, tries: 1},
		"permanent":         {answers: []error{errBusy}, want: errBusy, tries: 1},
		"second try":        {answers: []error{retry.Again(errBusy), nil}, waits: seconds(1), tries: 2},
		"used up, bounded":  {answers: repeat(retry.Again(errBusy), 4), want: errBusy, waits: seconds(1, 2, 3), tries: 4},
		"then permanent":    {answers: []error{retry.Again(errBusy), errBusy}, want: errBusy, waits: seconds(1), tries: 2},
		"asked-for delay":   {answers: []error{retry.AgainAfter(errBusy, 2*time.Second), nil}, waits: []time.Duration{2250 * time.Millisecond}, tries: 2},
		"asks for too much": {answers: []error{retry.AgainAfter(errBusy, 4*time.Second)}, want: errBusy, tries: 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var waits []time.Duration
			tries := 0
			err := recorded(&waits).Do(t.Context(), func(context.Context) error {
				tries++
				return test.answers[tries-1]
			})
			if err != test.want { //nolint:errorlint // the mark must be gone
				t.Errorf("Do() = %v, want %v", err, test.want)
			}
			if tries != test.tries {
				t.Errorf("tried %d times, want %d", tries, test.tries)
			}
			if diff := cmp.Diff(test.waits, waits); diff != "" {
				t.Errorf("waits (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDoStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	tries := 0
	err := retry.Policy{Base: time.Hour, Max: time.Hour}.Do(ctx, func(context.Context) error {
		tries++
		cancel()
		return retry.Again(errBusy)
	})
	if !errors.Is(err, context.Canceled) || !errors.Is(err, errBusy) || tries != 1 {
		t.Errorf("Do() = %v after %d tries, want a cancelled context and its last error after 1", err, tries)
	}
}

func TestDefaultJitterStaysWithinTheWait(t *testing.T) {
	var waits []time.Duration
	p := recorded(&waits)
	p.Jitter = nil
	for range 200 {
		waits = nil
		_ = p.Do(t.Context(), func(context.Context) error { return retry.Again(errBusy) })
		for i, full := range seconds(1, 2, 3) {
			if waits[i] < full/2 || waits[i] > full {
				t.Fatalf("wait %d = %v, want from %v to %v", i, waits[i], full/2, full)
			}
		}
	}
}

func seconds(ns ...int) (out []time.Duration) {
	for _, n := range ns {
		out = append(out, time.Duration(n)*time.Second)
	}
	return out
}

func repeat(err error, n int) (out []error) {
	for range n {
		out = append(out, err)
	}
	return out
}
