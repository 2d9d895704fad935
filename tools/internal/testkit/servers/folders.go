package servers

import (
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// shortDir makes a temporary folder for unix sockets, whose paths have at most
// 107 bytes, and removes it with the test, with what is still mounted below.
func shortDir(tb testing.TB) string {
	tb.Helper()
	const longest = 60
	parent := os.TempDir()
	if len(parent) > longest {
		parent = "/tmp"
	}
	dir, err := os.MkdirTemp(parent, "slipway") //nolint:usetesting // tb.TempDir is too long for a socket
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { removeMounted(tb, dir) })
	return dir
}

// removeMounted removes a folder, and what a server left mounted below.
func removeMounted(tb testing.TB, dir string) {
	tb.Helper()
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		tb.Error(err)
	}
	for _, point := range mountsBelow(table, dir) {
		_ = syscall.Unmount(point, syscall.MNT_DETACH)
	}
	if err := os.RemoveAll(dir); err != nil {
		tb.Error(err)
	}
}

// mountsBelow lists the mount points below dir, those made last first.
func mountsBelow(table []byte, dir string) []string {
	var points []string
	for line := range strings.Lines(string(table)) {
		fields := strings.Fields(line)
		const mountPoint = 4
		if len(fields) > mountPoint && strings.HasPrefix(fields[mountPoint], dir+"/") {
			points = append(points, fields[mountPoint])
		}
	}
	slices.Reverse(points)
	return points
}

func write(tb testing.TB, file, body string, mode os.FileMode) {
	tb.Helper()
	if err := os.WriteFile(file, []byte(body), mode); err != nil {
		tb.Fatal(err)
	}
}
