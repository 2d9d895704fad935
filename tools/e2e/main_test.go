package e2e

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	// The program is built by a process that go test knows nothing of: these make
	// its cache of results notice when the program has changed.
	_ "slipway/cmd/build"
	_ "slipway/cmd/image"
	_ "slipway/cmd/plan"
)

// suite is what the tests of this package share.
type suite struct {
	program string // the slipway binary, built once
	update  bool   // write docs/histories.md
}

// shared is set by TestMain, which has no other way to hand something on.
var shared suite

func TestMain(m *testing.M) {
	flag.BoolVar(&shared.update, "update", false, "write docs/histories.md")
	flag.Parse()
	code, err := 0, sideBySide()
	if err == nil {
		code, err = run(m)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// sideBySide lets more tests run at a time, unless -parallel says how many: they
// wait for servers and disks rather than compute.
func sideBySide() error {
	const parallel, each = "test.parallel", 2
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == parallel })
	if chosen {
		return nil
	}
	return flag.Set(parallel, strconv.Itoa(each*runtime.GOMAXPROCS(0)))
}

func run(m *testing.M) (code int, err error) {
	if testing.Short() {
		return m.Run(), nil
	}
	dir, err := os.MkdirTemp("", "slipway-e2e")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	shared.program = filepath.Join(dir, "slipway")
	build := exec.CommandContext(context.Background(), "go", "build", "-o", shared.program, "slipway/cmd/slipway")
	if out, err := build.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("building slipway: %w\n%s", err, out)
	}
	return m.Run(), nil
}

// realServers leaves a test out of quick runs.
func realServers(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("real servers: left out by -short")
	}
}

func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
