// Package servers starts real programs for tests, each on loopback, on a port or
// socket that is free, in a folder of its own: registries, BuildKit, Docker
// Engines. A function returns when its server answers; the server ends with the
// test, by its process id, and a failed test shows what it logged.
//
// The programs are those of scripts/setup. One that is missing fails the test:
// nothing is skipped.
package servers

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Tool is the path of a program that scripts/setup builds, e.g. "buildctl".
func Tool(tb testing.TB, name string) string {
	tb.Helper()
	return tool(tb, name)
}

func tool(tb testing.TB, name string) string {
	tb.Helper()
	path := filepath.Join(toolsDir(tb), "bin", name)
	if _, err := os.Stat(path); err != nil {
		tb.Fatalf("looking for %s: %v; run scripts/setup", name, err)
	}
	return path
}

// toolsDir is where scripts/setup puts what it builds.
func toolsDir(tb testing.TB) string {
	tb.Helper()
	if dir := os.Getenv("SLIPWAY_TOOLS"); dir != "" {
		return dir
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		tb.Fatalf("looking for the tools: %v; set SLIPWAY_TOOLS", err)
	}
	return filepath.Join(cache, "slipway", "tools")
}

// packaged is the path of a program of a Debian package; folders of the system's
// own programs are looked in too, which a user's PATH may lack.
func packaged(tb testing.TB, name string) string {
	tb.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	for _, dir := range []string{"/usr/local/sbin", "/usr/sbin", "/sbin"} {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path
		}
	}
	tb.Fatalf("looking for %s: not installed; run scripts/setup", name)
	return ""
}

// environment is what a server gets to see of this process's: its options come
// from the test alone.
func environment(home string) []string {
	const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	return []string{path, "HOME=" + home, "TMPDIR=" + os.TempDir(), "XDG_RUNTIME_DIR=" + home, "OTEL_TRACES_EXPORTER=none"}
}
