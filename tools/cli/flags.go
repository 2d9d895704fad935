package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"slipway/manifest"
	"slipway/tools/build"
	"slipway/tools/ci"
	"slipway/tools/console"
	"slipway/tools/engine"
	"slipway/tools/gitrepo"
	"slipway/tools/internal/proc"
	"slipway/tools/records"
	"slipway/tools/registry"
	"slipway/tools/workspace"
)

// Source are the flags that say what is read: commands embed it.
type Source struct {
	Directory string `short:"C" default:"." placeholder:"DIR" help:"Work in the repository that DIR is in."`
	Manifest  string `env:"SLIPWAY_MANIFEST" placeholder:"PATH" help:"The manifest's path from the repository's root (build_manifest.json, .yaml or .yml)."`
}

// OpenRepo opens the repository. The caller closes it.
func (f Source) OpenRepo(ctx context.Context) (*gitrepo.Repo, error) {
	return gitrepo.Open(ctx, gitrepo.Options{Dir: f.Directory})
}

// Open reads a commit ("" is HEAD) with its manifest, and shows the manifest's
// warnings.
func (f Source) Open(ctx context.Context, s console.Streams, repo *gitrepo.Repo, rev string, dirty bool) (*workspace.Workspace, error) {
	w, err := workspace.Open(ctx, repo, workspace.Options{
		Manifest: f.Manifest, Rev: rev, Dirty: dirty,
		HostPlatform: "linux/" + runtime.GOARCH,
		References:   engine.BaseImages,
		Script:       runScript,
	})
	if err != nil {
		return nil, err
	}
	for _, warning := range w.Warnings {
		s.Warn("%v", warning)
	}
	return w, nil
}

// runScript runs a dependency script of a legacy manifest in its own folder.
func runScript(ctx context.Context, workTree, path string) ([]byte, error) {
	script := filepath.Join(workTree, filepath.FromSlash(path))
	return proc.Cmd{Args: []string{script}, Dir: filepath.Dir(script)}.Output(ctx)
}

// Registry are the flags that say where images and records are.
type Registry struct {
	Registry         string   `env:"SLIPWAY_REGISTRY" placeholder:"HOST/PATH" help:"Where images and records are kept; the manifest's registry.cache otherwise."`
	InsecureRegistry []string `env:"SLIPWAY_INSECURE_REGISTRY" placeholder:"HOST" help:"A registry that may be spoken to over plain http (loopback always may)."`
}

// Client returns a client with the credentials that this machine has.
func (f Registry) Client(s console.Streams, e ci.Event) *registry.Client {
	o := registry.FromEnvironment(e.Getenv)
	o.Insecure, o.UserAgent, o.Now = f.InsecureRegistry, "slipway/"+Version(), s.Now
	return registry.New(o)
}

// Layout says where in the registry the workspace's images are.
func (f Registry) Layout(w *workspace.Workspace) (records.Layout, error) {
	location := w.Manifest.Registry.Cache
	if f.Registry != "" {
		var err error
		if location, err = manifest.ParseLocation(f.Registry); err != nil {
			return records.Layout{}, &UsageError{Err: fmt.Errorf("--registry: %w", err)}
		}
	}
	if location == "" {
		return records.Layout{}, Usagef(`give --registry HOST/PATH, set SLIPWAY_REGISTRY, or write "registry": {"cache": "HOST/PATH"} into the manifest`,
			"no registry is named")
	}
	return records.NewLayout(location), nil
}

// Engine are the flags that choose a BuildKit.
type Engine struct {
	Builder       []string `env:"BUILDKIT_HOST" sep:" " placeholder:"ADDRESS" help:"A running buildkitd: unix://, tcp://, ssh://, kube-pod://, docker-container:// or podman-container://; PLATFORM=ADDRESS for one of several."`
	BuildkitImage string   `env:"SLIPWAY_BUILDKIT_IMAGE" placeholder:"IMAGE" help:"The image of the BuildKit container, where a Docker Engine needs one."`
	BuildkitRoot  string   `env:"SLIPWAY_BUILDKIT_ROOT" placeholder:"DIR" help:"Keep the state of a buildkitd that is started for the run here (a temporary folder)."`
}

// Open finds and connects to a BuildKit. client answers for registries, and
// insecure are those that may be spoken to over plain http.
func (f Engine) Open(
	ctx context.Context, s console.Streams, e ci.Event, client *registry.Client, insecure []string,
) (engine.Engine, error) {
	docker, err := engine.DockerAddress(engine.DockerSettings{
		Host: e.Getenv("DOCKER_HOST"), Context: e.Getenv("DOCKER_CONTEXT"), CertPath: e.Getenv("DOCKER_CERT_PATH"),
		TLSVerify: e.Getenv("DOCKER_TLS_VERIFY") != "", ConfigDir: registry.FromEnvironment(e.Getenv).DockerConfigDir,
	})
	if err != nil {
		return nil, err
	}
	slow := time.AfterFunc(silence, func() { s.Note("waiting for BuildKit to answer") })
	defer slow.Stop()
	opened, err := engine.Open(ctx, engine.Options{
		Builders: f.Builder, DockerHost: docker, BuildKitImage: f.BuildkitImage, Root: f.BuildkitRoot,
		UID: os.Getuid(), Insecure: insecure, Credentials: credentials(client), PushIndex: build.PushIndex(client),
	})
	if err == nil {
		s.Note("building with %s", opened)
	}
	return opened, err
}

// silence is how long a person is left without a word.
const silence = 2 * time.Second

func credentials(client *registry.Client) func(context.Context, string) (string, string, error) {
	return func(ctx context.Context, host string) (string, string, error) {
		c, err := client.Credential(ctx, host)
		return c.Username, c.Password, err
	}
}

// Branches are the flags about the branch that is built.
type Branches struct {
	Branch        string `env:"SLIPWAY_BRANCH" placeholder:"NAME" help:"The branch that is built, when neither git nor the CI tells."`
	DefaultBranch string `env:"SLIPWAY_DEFAULT_BRANCH" placeholder:"NAME" help:"The branch whose records and build cache others fall back to."`
}

// Resolve fills in what was not given, from the CI, the manifest and git.
func (f Branches) Resolve(ctx context.Context, e ci.Event, w *workspace.Workspace) (branch, fallback string, err error) {
	if branch = first(f.Branch, e.Branch); branch == "" && e.Tag == "" {
		if branch, err = w.Repo.Branch(ctx); err != nil {
			return "", "", err
		}
	}
	if fallback = first(f.DefaultBranch, w.Manifest.DefaultBranch, e.DefaultBranch); fallback == "" {
		fallback, err = w.Repo.DefaultBranch(ctx)
	}
	return branch, fallback, err
}

func first(values ...string) string {
	if i := slices.IndexFunc(values, func(v string) bool { return v != "" }); i >= 0 {
		return values[i]
	}
	return ""
}

// Output is the flag for commands that report.
type Output struct {
	Output string `short:"o" enum:"text,json" default:"text" help:"What to print: text or json."`
}

// JSON reports whether JSON was asked for.
func (f Output) JSON() bool { return f.Output == "json" }

// Progress is the flag for commands that take long.
type Progress struct {
	Progress console.Mode `enum:"auto,tty,plain,quiet" default:"auto" help:"How to show progress: auto, tty, plain or quiet."`
}
