package registry_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"fmt"
	"testing"

	"slipway/tools/registry"
)

// digest is computed apart from the package's own.
func digest(body []byte) registry.Digest {
	return registry.Digest(fmt.Sprintf("sha256:%x", sha256.Sum256(body)))
}

// tarImage is an image of one layer with one file.
func tarImage(tb testing.TB, path, content string) image {
	tb.Helper()
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	header := &tar.Header{Name: path, Mode: 0o644, Size: int64(len(content)), Typeflag: tar.TypeReg}
	if err := w.WriteHeader(header); err != nil {
		tb.Fatal(err)
	}
	if _, err := w.Write([]byte(content)); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	config := fmt.Sprintf(`{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[%q]}}`, digest(layer.Bytes()))
	return newImage(tb, config, layer.String())
}
