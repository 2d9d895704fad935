package engine

import (
	"context"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"slipway/tools/internal/testkit/servers"
)

// realServers leaves a test on real programs out of short runs.
func realServers(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("real servers: left out by -short")
	}
}

// localOptions start a buildkitd with an empty root.
func localOptions(tb testing.TB) Options {
	tb.Helper()
	return Options{BuildKitd: servers.Tool(tb, "buildkitd"), DockerHost: "unix:///nonexistent", UID: os.Getuid(), Temp: tb.TempDir()}
}

// open opens an engine that the test closes.
func open(tb testing.TB, opts Options) Engine {
	tb.Helper()
	e, err := Open(tb.Context(), opts)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := e.Close(); err != nil {
			tb.Error(err)
		}
	})
	return e
}

// local is an engine on a buildkitd of its own.
func local(tb testing.TB) Engine {
	tb.Helper()
	return open(tb, localOptions(tb))
}

// newRegistry is the host of a registry of the test's own.
func newRegistry(tb testing.TB) string {
	tb.Helper()
	return servers.Registry(tb).Host
}

// file is a file of a build context.
func file(path, content string) File { return memoryFile(path, []byte(content)) }

func executable(path string, content []byte) File {
	f := memoryFile(path, content)
	f.Mode = 0o755
	return f
}

func link(path, target string) File {
	return File{Path: path, Mode: fs.ModeSymlink | 0o777, Linkname: target}
}

// base pushes an image with a shell and returns its reference by digest.
func base(tb testing.TB, e Engine, host string) string {
	tb.Helper()
	busybox, err := os.ReadFile("/bin/busybox")
	if err != nil {
		tb.Fatalf("%v: install busybox-static", err)
	}
	files := []File{executable("bin/busybox", busybox)}
	for _, name := range []string{"sh", "cat", "echo", "sleep", "ls", "test", "wc", "wget", "stat", "sha256sum"} {
		files = append(files, link("bin/"+name, "busybox"))
	}
	r := solve(tb, e, Request{Context: files, Dockerfile: []byte("FROM scratch\nCOPY . /\nENV PATH=/bin\n"), Repository: host + "/base"})
	return host + "/base@" + r.Digest
}

func solve(tb testing.TB, e Engine, r Request) Result {
	tb.Helper()
	result, rec, err := trySolve(tb.Context(), e, r)
	if err != nil {
		tb.Fatalf("%v\n%s", err, rec.log())
	}
	return result
}

func trySolve(ctx context.Context, e Engine, r Request) (Result, *recorder, error) {
	rec := &recorder{}
	result, err := e.Solve(ctx, r, rec.add)
	return result, rec, err
}

// recorder keeps events.
type recorder struct {
	mu     sync.Mutex
	events []Event
}

func (r *recorder) add(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e.Log = slices.Clone(e.Log)
	r.events = append(r.events, e)
}

func (r *recorder) log() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var b strings.Builder
	for _, e := range r.events {
		b.WriteString(string(e.State) + " " + e.Name + " " + e.Err + "\n")
		b.Write(e.Log)
	}
	return b.String()
}

// image reads what was pushed.
func image(tb testing.TB, repository, digest string) v1.Image {
	tb.Helper()
	ref, err := name.NewDigest(repository+"@"+digest, name.Insecure)
	if err != nil {
		tb.Fatal(err)
	}
	img, err := remote.Image(ref)
	if err != nil {
		tb.Fatal(err)
	}
	return img
}

// contents lists an image's regular files.
func contents(tb testing.TB, img v1.Image) map[string]string {
	tb.Helper()
	found := map[string]string{}
	for h, body := range tarFiles(tb, mutate.Extract(img)) {
		found[h.Name] = body
	}
	return found
}

// pushIndexOf joins images that are in repository.
func pushIndexOf(repository string, manifests []Descriptor, annotations map[string]string) (string, error) {
	repo, err := name.NewRepository(repository, name.Insecure)
	if err != nil {
		return "", err
	}
	index := mutate.IndexMediaType(mutate.Annotations(empty.Index, annotations).(v1.ImageIndex), types.OCIImageIndex)
	for _, m := range manifests {
		img, err := remote.Image(repo.Digest(m.Digest))
		if err != nil {
			return "", err
		}
		platform, err := v1.ParsePlatform(m.Platform)
		if err != nil {
			return "", err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: platform, MediaType: types.MediaType(m.MediaType), Size: m.Size}})
	}
	digest, err := index.Digest()
	if err != nil {
		return "", err
	}
	return digest.String(), remote.WriteIndex(repo.Digest(digest.String()), index)
}
