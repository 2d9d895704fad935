package clitest

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"runtime"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"slipway/tools/registry"
)

// push REPOSITORY:TAG [PATH=TEXT...] pushes an image with these files to $HOST.
func push(ts *testscript.TestScript, args []string) {
	name, tag, _ := strings.Cut(args[0], ":")
	files := map[string]string{}
	for _, arg := range args[1:] {
		path, text, _ := strings.Cut(arg, "=")
		files[path] = text
	}
	pushImage(ts, registry.Repository(stateOf(ts).registry.Repository(name)), tag, files)
}

// built PROJECT... pushes an image for each project's content at HEAD, as if it
// had been built.
func built(ts *testscript.TestScript, args []string) {
	ts.Check(ts.Exec("slipway", append([]string{"plan", "-o", "json"}, args...)...))
	var plan struct {
		Projects []struct {
			Name, ContentHash string
			Image             registry.Repository
		}
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &plan))
	for _, p := range plan.Projects {
		pushImage(ts, p.Image, "c-"+p.ContentHash, map[string]string{"etc/name": p.Name})
	}
}

func pushImage(ts *testscript.TestScript, repo registry.Repository, tag string, files map[string]string) {
	ctx := context.Background() // a script has none
	client := registry.New(registry.Options{})
	layer, err := client.PutBlob(ctx, repo, "application/vnd.oci.image.layer.v1.tar", archive(ts, files))
	ts.Check(err)
	config, err := client.PutBlob(ctx, repo, "application/vnd.oci.image.config.v1+json", marshal(ts, map[string]any{
		"os": "linux", "architecture": runtime.GOARCH, "config": map[string]any{},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []registry.Digest{layer.Digest}},
	}))
	ts.Check(err)
	const kind = "application/vnd.oci.image.manifest.v1+json"
	_, err = client.Put(ctx, repo, tag, kind, marshal(ts, map[string]any{
		"schemaVersion": 2, "mediaType": kind,
		"config": descriptor(config), "layers": []any{descriptor(layer)},
	}))
	ts.Check(err)
}

func descriptor(d registry.Descriptor) map[string]any {
	return map[string]any{"mediaType": d.MediaType, "digest": d.Digest, "size": d.Size}
}

func marshal(ts *testscript.TestScript, value any) []byte {
	text, err := json.Marshal(value)
	ts.Check(err)
	return text
}

func archive(ts *testscript.TestScript, files map[string]string) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for path, text := range files {
		ts.Check(w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: path, Mode: 0o644, Size: int64(len(text))}))
		_, err := w.Write([]byte(text))
		ts.Check(err)
	}
	ts.Check(w.Close())
	return b.Bytes()
}
