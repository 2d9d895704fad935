// Package clitest runs testscripts of the program in an environment that is the
// same everywhere: nothing of this machine's settings, a registry of each script's
// own, a real git repository. For tests only.
package clitest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"slipway/tools/internal/testkit/regtest"
	"slipway/tools/internal/testkit/servers"
)

// Options choose scripts.
type Options struct {
	Dir     string // the folder of the scripts, *.txtar
	Schemas string // the folder of the JSON Schemas that the command "valid" checks with
	// Engine puts the tools of scripts/setup on PATH, buildkitd among them, and a
	// small Linux into the registry: $SLIPWAY_REGISTRY/base/busybox:latest.
	Engine bool
}

// Run runs each script of a folder as a test. It begins in the folder repo, a git
// repository whose first commit is what the script has below repo. A registry that
// is empty is at $HOST; $SLIPWAY_REGISTRY is the location acme there.
func Run(t *testing.T, o Options) {
	t.Helper()
	testscript.Run(t, testscript.Params{
		Dir:                o.Dir,
		RequireUniqueNames: true,
		Cmds:               commands(),
		Setup:              func(env *testscript.Env) error { return o.setUp(t, env) },
	})
}

func (o Options) setUp(t *testing.T, env *testscript.Env) error {
	t.Helper()
	r := regtest.New(t)
	schemas, err := filepath.Abs(o.Schemas)
	if err != nil {
		return err
	}
	env.Values[stateKey{}] = &state{registry: r, schemas: schemas}
	env.Setenv("HOST", r.Host)
	env.Setenv("SLIPWAY_REGISTRY", r.Repository("acme"))
	env.Setenv("DOCKER_HOST", "unix://"+filepath.Join(env.WorkDir, "no-docker.sock"))
	if o.Engine {
		servers.BaseImage(t, r.Host, "acme/base/busybox")
		tools := filepath.Dir(servers.Tool(t, "buildkitd"))
		env.Setenv("PATH", tools+":"+env.Getenv("PATH")+":/usr/local/sbin:/usr/sbin:/sbin")
	}
	if err := isolate(env); err != nil {
		return err
	}
	env.Cd = filepath.Join(env.WorkDir, "repo")
	if err := os.MkdirAll(env.Cd, 0o750); err != nil {
		return err
	}
	return firstCommit(env)
}

// isolate keeps this machine's settings away from git and the program.
func isolate(env *testscript.Env) error {
	home := filepath.Join(env.WorkDir, ".home")
	env.Setenv("HOME", home)
	env.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	env.Setenv("GORACE", "atexit_sleep_ms=0") // the race detector's programs otherwise end a second late
	for _, who := range []string{"AUTHOR", "COMMITTER"} {
		env.Setenv("GIT_"+who+"_NAME", "script")
		env.Setenv("GIT_"+who+"_EMAIL", "script@example.com")
		env.Setenv("GIT_"+who+"_DATE", "2026-01-02T03:04:05Z")
	}
	return os.MkdirAll(home, 0o750)
}

// firstCommit makes the folder that a script begins in a repository.
func firstCommit(env *testscript.Env) error {
	for _, args := range [][]string{
		{"init", "--quiet", "--initial-branch=main"},
		{"add", "--all"},
		{"commit", "--quiet", "--allow-empty", "--message=first"},
	} {
		git := exec.CommandContext(context.Background(), "git", args...)
		git.Dir, git.Env = env.Cd, env.Vars
		if out, err := git.CombinedOutput(); err != nil {
			return fmt.Errorf("git %v: %w: %s", args, err, out)
		}
	}
	return nil
}
