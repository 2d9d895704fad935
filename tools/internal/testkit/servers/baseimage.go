package servers

import (
	"archive/tar"
	"bytes"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// BaseImage pushes a small Linux to host ("127.0.0.1:43210"), which wants no
// password, as repository ("base"), and returns its reference by digest. It is
// busybox with all its commands in /bin, /etc/passwd, /root and /tmp, for this
// machine's processor; equal in every run.
func BaseImage(tb testing.TB, host, repository string) string {
	tb.Helper()
	ref, err := name.NewRepository(host+"/"+repository, name.Insecure)
	if err != nil {
		tb.Fatal(err)
	}
	image := baseImage(tb)
	digest, err := image.Digest()
	if err != nil {
		tb.Fatal(err)
	}
	if err := remote.Write(ref.Tag("latest"), image, remote.WithContext(tb.Context())); err != nil {
		tb.Fatal(err)
	}
	return ref.Digest(digest.String()).String()
}

func baseImage(tb testing.TB) v1.Image {
	tb.Helper()
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err := mutate.AppendLayers(image, static.NewLayer(baseFiles(tb), types.OCIUncompressedLayer))
	if err != nil {
		tb.Fatal(err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		tb.Fatal(err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", runtime.GOARCH
	config.Config.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"} // as busybox has it
	config.Config.Cmd = []string{"/bin/sh"}
	if image, err = mutate.ConfigFile(image, config); err != nil {
		tb.Fatal(err)
	}
	return image
}

// baseFiles is the image's layer, a tar file.
func baseFiles(tb testing.TB) []byte {
	tb.Helper()
	const folderMode, anyoneMode = 0o755, 0o1777
	busybox := packaged(tb, "busybox")
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	for _, dir := range []string{"bin/", "etc/", "root/"} {
		addFolder(tb, w, dir, folderMode)
	}
	addFolder(tb, w, "tmp/", anyoneMode)
	addFile(tb, w, "bin/busybox", busybox)
	for _, command := range commands(tb, busybox) {
		addEntry(tb, w, &tar.Header{Typeflag: tar.TypeSymlink, Name: "bin/" + command, Linkname: "busybox"}, nil)
	}
	addText(tb, w, "etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n")
	addText(tb, w, "etc/group", "root:x:0:\nnogroup:x:65534:\n")
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return layer.Bytes()
}

// commands are the names that busybox answers to, less its own.
func commands(tb testing.TB, busybox string) []string {
	tb.Helper()
	out, err := exec.CommandContext(tb.Context(), busybox, "--list").Output()
	if err != nil {
		tb.Fatalf("asking busybox for its commands: %v; run scripts/setup", err)
	}
	var names []string
	for name := range strings.FieldsSeq(string(out)) {
		if name != "busybox" {
			names = append(names, name)
		}
	}
	return names
}

func addText(tb testing.TB, w *tar.Writer, path, text string) {
	tb.Helper()
	const mode = 0o644
	addEntry(tb, w, &tar.Header{Typeflag: tar.TypeReg, Name: path, Mode: mode, Size: int64(len(text))}, []byte(text))
}

func addEntry(tb testing.TB, w *tar.Writer, h *tar.Header, body []byte) {
	tb.Helper()
	if err := w.WriteHeader(h); err != nil {
		tb.Fatal(err)
	}
	if _, err := w.Write(body); err != nil {
		tb.Fatal(err)
	}
}
