package registry_test

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"

	"slipway/tools/internal/testkit/regtest"
	"slipway/tools/registry"
)

// pushIndex stores an index of two platforms as v1, with an attestation as BuildKit adds it.
func pushIndex(tb testing.TB, c *registry.Client, repo registry.Repository) registry.Descriptor {
	tb.Helper()
	type child struct {
		registry.Descriptor
		Platform map[string]string `json:"platform"`
	}
	var children []child
	for _, arch := range []string{"amd64", "arm64", "unknown"} {
		d := push(tb, c, repo, "", tarImage(tb, "arch", arch))
		os := "linux"
		if arch == "unknown" {
			os = arch
		}
		children = append(children, child{d, map[string]string{"os": os, "architecture": arch}})
	}
	body := marshal(tb, map[string]any{"schemaVersion": 2, "mediaType": registry.MediaTypeIndex, "manifests": children})
	d, err := c.Put(tb.Context(), repo, "v1", registry.MediaTypeIndex, body)
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

func TestCopy(t *testing.T) {
	r, other := regtest.NewWith(t, regtest.Options{Bearer: true}), regtest.New(t)
	c, from := newClient(t), repository(r, webRepo)
	want := pushIndex(t, c, from)
	tests := map[string]struct {
		to       registry.Repository
		ref, tag string
		uploads  int // that were not mounts
		pulls    int
	}{
		"within the repository": {from, "v1", "v2", 0, 0},
		"within the registry":   {repository(r, "acme/released"), "v1", "v2", 0, 0},
		"by digest":             {repository(r, "acme/digested"), string(want.Digest), "", 0, 0},
		"to another registry":   {repository(other, "mirror/web"), "v1", "v2", 6, 6},
		"again":                 {repository(other, "mirror/web"), "v1", "v3", 6, 6}, // nothing more
	}
	for _, name := range []string{"within the repository", "within the registry", "by digest", "to another registry", "again"} {
		test := tests[name]
		t.Run(name, func(t *testing.T) {
			r.Reset()
			got, err := c.Copy(t.Context(), from, test.ref, test.to, test.tag)
			if err != nil || got != want {
				t.Fatalf("Copy() = %v, %v, want %v", got, err, want)
			}
			if got := r.Count(http.MethodPut, regtest.Uploads) + other.Count(http.MethodPut, regtest.Uploads); got != test.uploads {
				t.Errorf("%d blobs were uploaded, want %d", got, test.uploads)
			}
			checkSame(t, c, from, test.to, want.Digest)
			if test.tag != "" {
				if got, err := c.Head(t.Context(), test.to, test.tag); err != nil || got != want {
					t.Errorf("the tag names %v, %v, want %v", got, err, want)
				}
			}
		})
	}
}

// checkSame reads every platform of both copies.
func checkSame(t *testing.T, c *registry.Client, from, to registry.Repository, d registry.Digest) {
	t.Helper()
	for _, platform := range []string{"linux/amd64", "linux/arm64"} {
		want := readFiles(t, c, from, string(d), platform)
		if got := readFiles(t, c, to, string(d), platform); got["arch"] != want["arch"] || "linux/"+got["arch"] != platform {
			t.Errorf("the copy for %s holds %v, want %v", platform, got, want)
		}
	}
}

func readFiles(t *testing.T, c *registry.Client, repo registry.Repository, ref, platform string) map[string]string {
	t.Helper()
	stream, err := c.Files(t.Context(), repo, ref, platform)
	if err != nil {
		t.Fatalf("Files(%s, %s) = %v", repo, platform, err)
	}
	defer stream.Close() //nolint:errcheck // only read
	files := map[string]string{}
	for in := tar.NewReader(stream); ; {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatalf("reading the files: %v", err)
		}
		text, err := io.ReadAll(in)
		if err != nil {
			t.Fatalf("reading %s: %v", header.Name, err)
		}
		files[header.Name] = string(text)
	}
}

func TestFilesChoosesTheImage(t *testing.T) {
	r := regtest.New(t)
	c, repo := newClient(t), repository(r, webRepo)
	pushIndex(t, c, repo)
	push(t, c, repo, "amd64", tarImage(t, "etc/motd", "hello"))
	push(t, c, repo, "none", newImage(t, "{}"))
	ours := slices.Contains([]string{"amd64", "arm64"}, runtime.GOARCH)
	tests := []struct {
		ref, platform string
		wants         bool
	}{
		{"v1", "linux/amd64", true}, {"v1", "linux/s390x", false}, {"v1", "windows", false}, {"v1", "linux/amd64/v9/v9", false},
		{"v1", "", ours},
		{"amd64", "", true}, {"amd64", "linux", true}, {"amd64", "linux/amd64", true},
		{"amd64", "linux/arm64", false}, {"amd64", "linux/amd64/v9/v9", false},
		{"none", "", true}, {"none", "linux/amd64", false},
	}
	for _, test := range tests {
		files, err := c.Files(t.Context(), repo, test.ref, test.platform)
		if err == nil {
			_ = files.Close()
		}
		if (err == nil) != test.wants {
			t.Errorf("Files(%s, %q) = %v, want success %t", test.ref, test.platform, err, test.wants)
		}
	}
	if !ours {
		return
	}
	if got := readFiles(t, c, repo, "v1", ""); got["arch"] != runtime.GOARCH {
		t.Errorf("Files(v1) holds %v, want those for %s", got, runtime.GOARCH)
	}
}

// Where mounts are refused or ignored, blobs are copied through here.
func TestCopyWithoutMounts(t *testing.T) {
	for name, fault := range map[string]regtest.Fault{
		"refused": regtest.Status(403), "unknown": regtest.Status(405),
	} {
		t.Run(name, func(t *testing.T) {
			r := regtest.New(t)
			c, from := newClient(t), repository(r, webRepo)
			want := push(t, c, from, "v1", newImage(t, "{}", "a", "b"))
			r.Inject(regtest.Rule{Method: http.MethodPost, Class: regtest.Uploads, Do: onMount(fault)})
			to := repository(r, "acme/released")
			if _, err := c.Copy(t.Context(), from, "v1", to, "v1"); err != nil {
				t.Fatal(err)
			}
			if got, err := c.Head(t.Context(), to, "v1"); err != nil || got != want {
				t.Errorf("Head() = %v, %v, want %v", got, err, want)
			}
		})
	}
}

// onMount hits only requests to mount.
func onMount(fault regtest.Fault) regtest.Fault {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Has("mount") {
				fault(next).ServeHTTP(w, r)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// The tag is written last: a copy that fails leaves none.
func TestFailedCopyLeavesNoTag(t *testing.T) {
	for name, rule := range map[string]regtest.Rule{
		"blob":      {Method: http.MethodPost, Class: regtest.Uploads, Skip: 1, Do: regtest.Status(500)},
		"child":     {Method: http.MethodPut, Class: regtest.Manifests, Skip: 1, Do: regtest.Status(500)},
		"source":    {Method: http.MethodGet, Class: regtest.Manifests, Skip: 2, Do: regtest.Status(404)},
		"no answer": {Method: http.MethodPost, Class: regtest.Uploads, Do: regtest.CutBefore()},
	} {
		t.Run(name, func(t *testing.T) {
			r := regtest.New(t)
			c, from, to := newClient(t), repository(r, webRepo), repository(r, "acme/released")
			pushIndex(t, c, from)
			r.Inject(rule)
			var f *registry.Fault
			if _, err := c.Copy(t.Context(), from, "v1", to, "v1"); !errors.As(err, &f) || errors.Is(err, registry.ErrNotFound) {
				t.Errorf("Copy() = %v, want a Fault that is not absence", err)
			}
			r.Mend()
			if _, err := c.Head(t.Context(), to, "v1"); !errors.Is(err, registry.ErrNotFound) {
				t.Errorf("Head() = %v, want ErrNotFound", err)
			}
		})
	}
}

func TestCancelledCopyWritesNothingMore(t *testing.T) {
	r := regtest.New(t)
	c, from := newClient(t), repository(r, webRepo)
	pushIndex(t, c, from)
	r.Reset()
	ctx, cancel := context.WithCancel(t.Context())
	r.Inject(regtest.Rule{Method: http.MethodPost, Class: regtest.Uploads, Do: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			cancel()
			next.ServeHTTP(w, q)
		})
	}})
	if _, err := c.Copy(ctx, from, "v1", repository(r, "acme/released"), "v1"); !errors.Is(err, context.Canceled) {
		t.Errorf("Copy() = %v, want the context's error", err)
	}
	if got := r.Count(http.MethodPut, regtest.Manifests); got != 0 {
		t.Errorf("%d OCI manifests were put after the end", got)
	}
}

// A part that the source lost is not the absence of the image, and is asked for once.
func TestCopyOfAnIncompleteImage(t *testing.T) {
	r, other := regtest.New(t), regtest.New(t)
	c, from := newClient(t), repository(r, webRepo)
	push(t, c, from, "v1", newImage(t, "{}", "layer"))
	hits := r.Inject(regtest.Rule{Method: http.MethodGet, Path: string(digest([]byte("layer"))), Do: regtest.Status(404)})
	_, err := c.Copy(t.Context(), from, "v1", repository(other, webRepo), "v1")
	var f *registry.Fault
	if !errors.As(err, &f) || errors.Is(err, registry.ErrNotFound) || !strings.Contains(f.Hint(), "parts") {
		t.Errorf("Copy() = %v, want a Fault that is not absence, with a hint", err)
	}
	if hits() != 1 {
		t.Errorf("the missing blob was asked for %d times, want once", hits())
	}
}
