package servers

import (
	"archive/tar"
	"bytes"
	"os"
	"os/exec"
	"path"
	"regexp"
	"runtime"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// BuildKitImage makes an image of the tested BuildKit in repository
// ("127.0.0.1:5000/buildkit") and returns its reference by digest. It holds what
// the official one has at the same places, as far as it is used: buildkitd,
// buildctl and runc, here with the libraries that Debian's needs.
func BuildKitImage(tb testing.TB, repository string) string {
	tb.Helper()
	ref, err := name.NewRepository(repository, name.Insecure)
	if err != nil {
		tb.Fatal(err)
	}
	image, err := mutate.AppendLayers(empty.Image, static.NewLayer(buildKitFiles(tb), types.DockerUncompressedLayer))
	if err != nil {
		tb.Fatal(err)
	}
	image, err = mutate.ConfigFile(image, buildKitConfig(tb, image))
	if err != nil {
		tb.Fatal(err)
	}
	digest, err := image.Digest()
	if err != nil {
		tb.Fatal(err)
	}
	if err := remote.Write(ref.Tag("test"), image, remote.WithContext(tb.Context())); err != nil {
		tb.Fatal(err)
	}
	return repository + "@" + digest.String()
}

func buildKitConfig(tb testing.TB, image v1.Image) *v1.ConfigFile {
	tb.Helper()
	config, err := image.ConfigFile()
	if err != nil {
		tb.Fatal(err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", runtime.GOARCH
	config.Config.Entrypoint = []string{"/usr/bin/buildkitd"}
	config.Config.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	return config
}

// buildKitFiles is the layer of the image.
func buildKitFiles(tb testing.TB) []byte {
	tb.Helper()
	runc := packaged(tb, "runc")
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	addFolder(tb, w, "tmp/", 0o1777)
	addFile(tb, w, "usr/bin/buildkitd", tool(tb, "buildkitd"))
	addFile(tb, w, "usr/bin/buildctl", tool(tb, "buildctl"))
	addFile(tb, w, "usr/bin/runc", runc)
	for _, library := range libraries(tb, runc) {
		addFile(tb, w, path.Clean(library)[1:], library)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return layer.Bytes()
}

func addFolder(tb testing.TB, w *tar.Writer, at string, mode int64) {
	tb.Helper()
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: at, Mode: mode}); err != nil {
		tb.Fatal(err)
	}
}

func addFile(tb testing.TB, w *tar.Writer, at, from string) {
	tb.Helper()
	body, err := os.ReadFile(from)
	if err != nil {
		tb.Fatalf("%v; run scripts/setup", err)
	}
	if err := w.WriteHeader(&tar.Header{Name: at, Mode: 0o755, Size: int64(len(body))}); err != nil {
		tb.Fatal(err)
	}
	if _, err := w.Write(body); err != nil {
		tb.Fatal(err)
	}
}

var libraryPath = regexp.MustCompile(`(/\S+) \(0x`)

// libraries are the files that ldd names for a program, none for a static one.
func libraries(tb testing.TB, program string) []string {
	tb.Helper()
	out, _ := exec.CommandContext(tb.Context(), "ldd", program).Output() // 1 for a static one
	var files []string
	for _, found := range libraryPath.FindAllSubmatch(out, -1) {
		files = append(files, string(found[1]))
	}
	return files
}
