package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"slipway/tools/internal/proc"
)

// programs are what a local buildkitd needs.
type programs struct {
	buildkitd, runc string
	rootlesskit     string // "" when it runs as root
}

// localEndpoint starts a buildkitd of this engine's own.
func localEndpoint(ctx context.Context, opts Options) (*endpoint, error) {
	if runtime.GOOS != "linux" {
		return nil, fmt.Errorf("buildkitd: it does not run on %s", runtime.GOOS)
	}
	p, err := findPrograms(opts)
	if err != nil {
		return nil, err
	}
	dir, err := makeFolder(opts.Temp)
	if err != nil {
		return nil, err
	}
	d, err := startDaemon(ctx, opts, p, dir)
	if err != nil {
		return nil, errors.Join(err, d.remove(context.WithoutCancel(ctx)))
	}
	return &endpoint{name: "buildkitd started for this run", address: "unix://" + filepath.Join(dir, socketName), close: d.close, alive: d.alive}, nil
}

func findPrograms(opts Options) (programs, error) {
	look := opts.LookPath
	if look == nil {
		look = exec.LookPath
	}
	p := programs{buildkitd: opts.BuildKitd}
	var err error
	if p.buildkitd == "" {
		if p.buildkitd, err = look("buildkitd"); err != nil {
			return p, fmt.Errorf("buildkitd: %w", err)
		}
	}
	if p.runc, err = findSystem(look, "runc"); err != nil {
		return p, fmt.Errorf("runc, which buildkitd needs: %w", err)
	}
	if opts.UID != 0 {
		if p.rootlesskit, err = look("rootlesskit"); err != nil {
			return p, fmt.Errorf("rootlesskit, which buildkitd needs when not root: %w", err)
		}
	}
	return p, nil
}

// findSystem also looks where only root's PATH leads.
func findSystem(look func(string) (string, error), name string) (string, error) {
	found, err := look(name)
	for _, dir := range []string{"/usr/local/sbin", "/usr/sbin", "/sbin"} {
		if err == nil {
			break
		}
		if f, dirErr := look(filepath.Join(dir, name)); dirErr == nil {
			return f, nil
		}
	}
	return found, err
}

// makeFolder makes a daemon's folder. The kernel allows a socket's path 107 bytes.
func makeFolder(temp string) (string, error) {
	dir, err := os.MkdirTemp(temp, "slipway-bk-")
	if err != nil {
		return "", fmt.Errorf("making a folder for buildkitd: %w", err)
	}
	const longest = 107 - len("/rootlesskit/api.sock")
	if len(dir) > longest {
		return "", errors.Join(fmt.Errorf("buildkitd: no room for a socket's path below %s: set TMPDIR to a shorter one", filepath.Dir(dir)), os.Remove(dir))
	}
	return dir, nil
}

// daemon is a running buildkitd and the folder made for it.
type daemon struct {
	programs programs
	env      []string
	dir      string // removed at the end; holds the socket, and the state unless it is kept
	stop     context.CancelFunc
	ended    chan struct{} // closed when the process is gone
}

// Names in a daemon's folder.
const (
	socketName = "buildkitd.sock"
	configName = "buildkitd.toml"
	logName    = "buildkitd.log"
)

// startDaemon returns as soon as the process runs; dialling waits for it.
func startDaemon(ctx context.Context, opts Options, p programs, dir string) (*daemon, error) {
	d := &daemon{programs: p, env: opts.Env, dir: dir, ended: make(chan struct{}), stop: func() {}}
	if err := os.WriteFile(filepath.Join(dir, configName), []byte(daemonConfig(opts.Insecure)), 0o600); err != nil {
		return d, fmt.Errorf("writing buildkitd's configuration: %w", err)
	}
	// A file and no pipe, which would be waited for as long as anybody holds it.
	stderr, err := os.Create(filepath.Join(dir, logName))
	if err != nil {
		return d, fmt.Errorf("making buildkitd's log: %w", err)
	}
	defer func() { _ = stderr.Close() }()
	root := opts.Root
	if root == "" {
		root = filepath.Join(dir, "root")
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	d.stop = stop
	cmd := d.command(run, root, stderr)
	if err := startOnOwnThread(cmd, d.ended); err != nil {
		stop()
		close(d.ended)
		return d, fmt.Errorf("starting %s: %w", p.buildkitd, err)
	}
	return d, nil
}

func (d *daemon) command(ctx context.Context, root string, stderr io.Writer) *exec.Cmd {
	cmd := proc.Cmd{Args: daemonArgs(d.programs, root, d.dir), Env: d.env, Dir: d.dir, Stderr: stderr}.Prepare(ctx)
	confine(cmd, d.programs.rootlesskit == "")
	if d.programs.rootlesskit != "" {
		// Where runc keeps its state, unless USER is root: /run is not ours.
		cmd.Env = append(cmd.Environ(), "XDG_RUNTIME_DIR="+d.dir, "USER=slipway")
	}
	return cmd
}

// daemonArgs is the command line of a daemon with its state in root and all else
// in dir: what is not said lies where every daemon of the machine has it. Without
// --net rootlesskit leaves the host's network, so that rootless builds see the
// same one as root's.
func daemonArgs(p programs, root, dir string) []string {
	args := []string{
		p.buildkitd, "--config", filepath.Join(dir, configName), "--root", root, "--addr", "unix://" + filepath.Join(dir, socketName),
		"--otel-socket-path", filepath.Join(dir, "otel.sock"), "--oci-worker-binary", p.runc, "--containerd-worker=false",
	}
	if p.rootlesskit == "" {
		return args
	}
	args = append(args, "--rootless", "--oci-worker-no-process-sandbox")
	return append([]string{p.rootlesskit, "--state-dir", filepath.Join(dir, "rootlesskit")}, args...)
}

// daemonConfig keeps the machine's own configuration out, so that a build does
// not depend on it, and lets plain http registries be pulled from.
func daemonConfig(insecure []string) string {
	var b strings.Builder
	for _, host := range insecure {
		fmt.Fprintf(&b, "[registry.%q]\n  http = true\n", host)
	}
	return b.String()
}

// startOnOwnThread starts cmd on a thread that lives as long as it does: the
// kernel ends cmd with the thread that started it (see confine), and Go may end
// any other thread at any time.
func startOnOwnThread(cmd *exec.Cmd, ended chan struct{}) error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := cmd.Start(); err != nil {
			started <- err
			return
		}
		started <- nil
		_ = cmd.Wait()
		endGroup(cmd.Process.Pid)
		close(ended)
	}()
	return <-started
}

// alive is nil while the process runs, then an error with what it said last.
func (d *daemon) alive() error {
	select {
	case <-d.ended:
		said, _ := os.ReadFile(filepath.Join(d.dir, logName))
		return fmt.Errorf("buildkitd ended: %s", lastWords(string(said)))
	default:
		return nil
	}
}

// lastWords is the daemon's own account of its end, without the stack below it.
func lastWords(stderr string) string {
	for line := range strings.Lines(stderr) {
		if words, ok := strings.CutPrefix(line, "buildkitd: "); ok {
			return strings.TrimSpace(words)
		}
	}
	return lastLines([]byte(stderr))
}

// close interrupts the daemon, waits for its end (it is killed when that takes
// too long) and removes what it made.
func (d *daemon) close(ctx context.Context) error {
	d.stop()
	select {
	case <-d.ended:
	case <-ctx.Done():
		return fmt.Errorf("waiting for the end of buildkitd: %w", ctx.Err())
	}
	return d.remove(ctx)
}

// remove deletes the folder. Rootless, its files belong to users that only
// rootlesskit may touch.
func (d *daemon) remove(ctx context.Context) error {
	err := os.RemoveAll(d.dir)
	if err != nil && d.programs.rootlesskit != "" {
		err = proc.Cmd{Args: []string{d.programs.rootlesskit, "rm", "-rf", d.dir}, Env: d.env}.Run(ctx)
	}
	if err != nil {
		return fmt.Errorf("removing buildkitd's folder: %w", err)
	}
	return nil
}
