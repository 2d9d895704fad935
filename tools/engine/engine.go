// Package engine builds images with BuildKit. It owns the choice of a BuildKit,
// the translation of a [Request] into a BuildKit solve, and what is read back
// from it: digests, steps, logs. It decides nothing about what to build, writes
// no tag, and keeps nothing on disk after [Engine.Close].
package engine

import (
	"context"
	"io"
	"io/fs"
	"time"

	"slipway/tools/internal/retry"
)

// Engine builds images. It is safe for concurrent use; Close ends whatever
// [Open] started and is called once, after the last Solve has returned.
type Engine interface {
	// Solve builds and pushes one image, or one index for several platforms.
	// events gets one call at a time, in order, and may be nil. A step that fails
	// is a [*StepError]; a cancelled context ends the build, and its cause is the
	// returned error. With an error the result still counts the steps until then.
	Solve(ctx context.Context, r Request, events func(Event)) (Result, error)
	// Close ends the daemons started for this engine and removes their files.
	Close() error
	// String names the engine for people, e.g. "buildkitd tcp://builder:1234".
	String() string
}

// Descriptor is one platform's image, as an index lists it.
type Descriptor struct {
	Digest    string // "sha256:..."
	MediaType string
	Size      int64
	Platform  string // "linux/arm64"
}

// Options say which BuildKit to use and how. Nothing is read from the
// environment: programs that are started get Env.
type Options struct {
	// Builders are addresses of running BuildKit daemons, as in BUILDKIT_HOST,
	// each optionally for one platform: "unix:///run/buildkit/buildkitd.sock",
	// "linux/arm64=tcp://arm:1234?cacert=ca.pem&cert=c.pem&key=k.pem",
	// "ssh://ci@host", "kube-pod://buildkitd", "docker-container://buildkit",
	// "podman-container://buildkit". When there is one, nothing else is tried.
	Builders []string
	// DockerHost is the Docker Engine's address, e.g. "unix:///var/run/docker.sock";
	// "" is the default socket.
	DockerHost string
	// BuildKitImage is the image of the BuildKit container for a Docker Engine
	// that cannot export; "" is the pinned default.
	BuildKitImage string
	// BuildKitd is the path of the buildkitd to start; "" is the one on PATH.
	BuildKitd string
	// Root is the state folder of a started buildkitd, kept between runs and
	// used by one at a time; "" is a temporary one, removed at the end.
	Root string
	// Temp is where temporary folders are made; "" is the system's.
	Temp string
	// LookPath finds a program; nil is [exec.LookPath].
	LookPath func(name string) (string, error)
	// Env is the environment of programs that are started; nil is this process's.
	Env []string
	// UID is the user that the process runs as: rootless unless 0.
	UID int
	// DialTimeout is how long a builder may take to answer; 0 is 20 seconds.
	DialTimeout time.Duration
	// Retry is for what a registry refuses only for now, and for pushes that break.
	Retry retry.Policy
	// Insecure are registry hosts, "registry:5000", that a started daemon may
	// reach over plain http; loopback needs no mention.
	Insecure []string
	// Credentials answers for one registry host ("docker.io" for Docker Hub);
	// empty strings are anonymous, a password without user is an identity token.
	// nil is anonymous everywhere. It is called from several goroutines.
	Credentials func(ctx context.Context, host string) (user, password string, err error)
	// PushIndex pushes an image index of manifests that are in repository already,
	// by digest, and returns its digest. Needed only when the platforms of a
	// request are built by several builders.
	PushIndex func(ctx context.Context, repository string, manifests []Descriptor, annotations map[string]string) (string, error)
}

// Request is one image to build and push.
type Request struct {
	Context        []File // sorted by path; parents are implied
	Dockerfile     []byte
	DockerfileName string // shown in messages, "Dockerfile" when empty
	Dockerignore   []byte
	Target         string // "" is the last stage
	BuildArgs      map[string]string
	Platforms      []string // "linux/amd64"; none is the builder's own
	Network        string   // "" or "default", "none", "host"
	// Secrets are handed out to RUN --mount=type=secret by id. They are never in
	// the image, in arguments or on disk.
	Secrets map[string][]byte
	// NamedContexts replace names in FROM and COPY --from with an image:
	// "base" -> "registry:5000/acme/base@sha256:...". Names are matched as the
	// Dockerfile frontend does, after normalisation: "debian:12" also answers
	// for docker.io/library/debian:12.
	NamedContexts map[string]string
	// Repository is where the image is pushed, by digest: "registry:5000/acme/web".
	Repository  string
	CacheFrom   []string          // references of registry caches, best first
	CacheTo     string            // reference of the registry cache to write, "" is none
	Annotations map[string]string // on every manifest, and on the index when there is one
	Insecure    bool              // push over plain http to a registry that is not on loopback
}

// File is one file of a build context.
type File struct {
	Path     string      // slash-separated, relative, clean: "cmd/web/main.go"
	Mode     fs.FileMode // permissions; type bits for folders and symbolic links
	Size     int64
	Linkname string // a symbolic link's target
	// Open reads the content. It is called only for files that BuildKit asks
	// for, from several goroutines, and not at all for links and folders.
	Open func(context.Context) (io.ReadCloser, error)
}

// StepState says what became of a step.
type StepState string

// The states of a step; "" in an event means that only a log came.
const (
	StepStarted StepState = "started"
	StepCached  StepState = "cached"
	StepDone    StepState = "done"
	StepFailed  StepState = "failed"
	StepWarning StepState = "warning" // Log holds the warning
)

// Event is one piece of news of a running solve.
type Event struct {
	Step  string // identifies the step within this solve
	Name  string // "[web 2/3] RUN make"
	State StepState
	// Own is whether the step is one of the Dockerfile's; others load, export and
	// keep the cache.
	Own bool
	Log []byte // output as the step wrote it, not redacted
	Err string // why it failed
}

// Result is what a solve made.
type Result struct {
	Digest    string            // of the image, or of the index for several platforms
	Platforms map[string]string // "linux/amd64" -> the platform's image digest
	Cached    int               // steps of the Dockerfile that came from a cache
	Ran       int               // steps of the Dockerfile that were carried out
	FirstMiss string            // name of the first step that was carried out
}
