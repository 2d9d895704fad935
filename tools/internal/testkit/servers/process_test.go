package servers

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// double is a test that fails without failing.
type double struct {
	testing.TB
	failed bool
	logged strings.Builder
	undo   []func()
}

func (d *double) Helper()          {}
func (d *double) Failed() bool     { return d.failed }
func (d *double) Cleanup(f func()) { d.undo = append(d.undo, f) }
func (d *double) Logf(format string, args ...any) {
	fmt.Fprintf(&d.logged, format+"\n", args...)
}

func (d *double) Errorf(format string, args ...any) {
	d.failed = true
	d.Logf(format, args...)
}

// stopped is what Fatalf throws.
type stopped struct{}

func (d *double) Fatalf(format string, args ...any) {
	d.Errorf(format, args...)
	panic(stopped{})
}

// play runs f on a double to its end, with its clean-up, and returns the double.
func play(t *testing.T, f func(testing.TB)) (d *double) {
	t.Helper()
	d = &double{TB: t}
	defer func() {
		if r := recover(); r != nil && r != (stopped{}) {
			panic(r)
		}
		for _, f := range d.undo {
			f()
		}
	}()
	f(d)
	return
}

func TestFailures(t *testing.T) {
	never := regexp.MustCompile(`will (never) be said`)
	tests := map[string]struct {
		run  func(testing.TB)
		want []string
	}{
		"ends early": {
			func(tb testing.TB) {
				start(tb, t.TempDir(), "/bin/sh", "-c", "echo no room >&2; exit 3").announced(tb, never)
			},
			[]string{"sh ended before it was ready", "log of sh:\nno room"},
		},
		"not there":  {func(tb testing.TB) { start(tb, t.TempDir(), "/nonexistent/server") }, []string{"starting server"}},
		"no tool":    {func(tb testing.TB) { tool(tb, "nonesuch") }, []string{"looking for nonesuch", "run scripts/setup"}},
		"no package": {func(tb testing.TB) { packaged(tb, "nonesuch") }, []string{"looking for nonesuch", "run scripts/setup"}},
		"later fault": {func(tb testing.TB) {
			start(tb, t.TempDir(), "/bin/sh", "-c", "echo hello; exec sleep 100")
			tb.Errorf("a fault")
		}, []string{"a fault", "log of sh:"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := play(t, tt.run)
			for _, want := range tt.want {
				if !d.failed || !strings.Contains(d.logged.String(), want) {
					t.Errorf("failed: %t, log %q, want %q in it", d.failed, &d.logged, want)
				}
			}
		})
	}
}

func TestEnvironmentIsNotInherited(t *testing.T) {
	t.Setenv("REGISTRY_HTTP_ADDR", "0.0.0.0:1")
	found := start(t, t.TempDir(), "/bin/sh", "-c", `echo "is<$REGISTRY_HTTP_ADDR>"; exec sleep 100`).announced(t, regexp.MustCompile(`is<(.*)>`))
	if found != "" {
		t.Errorf("a server saw %q", found)
	}
}
