package engine

import (
	"archive/tar"
	"errors"
	"io"
	"iter"
	"testing"
)

// tarFiles yields a tar's entries with their content.
func tarFiles(tb testing.TB, r io.ReadCloser) iter.Seq2[*tar.Header, string] {
	tb.Helper()
	return func(yield func(*tar.Header, string) bool) {
		defer func() { _ = r.Close() }()
		for t := tar.NewReader(r); ; {
			h, err := t.Next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				tb.Fatal(err)
			}
			body, err := io.ReadAll(t)
			if err != nil {
				tb.Fatal(err)
			}
			if !yield(h, string(body)) {
				return
			}
		}
	}
}

func TestSolve(t *testing.T) {
	realServers(t)
	e, host := local(t), newRegistry(t)
	b := base(t, e, host)
	r := solve(t, e, Request{
		Context:       []File{file("a.txt", "A"), file("dir/b.txt", "B")},
		Dockerfile:    []byte("FROM base\nARG X\nWORKDIR /w\nCOPY . .\nRUN echo $X > x\n"),
		BuildArgs:     map[string]string{"X": "hello"},
		NamedContexts: map[string]string{"base": b},
		Repository:    host + "/web",
	})
	got := contents(t, image(t, host+"/web", r.Digest))
	for path, want := range map[string]string{"w/a.txt": "A", "w/dir/b.txt": "B", "w/x": "hello\n"} {
		if got[path] != want {
			t.Errorf("%s = %q, want %q", path, got[path], want)
		}
	}
	if r.Ran != 3 || r.Cached != 0 || r.FirstMiss != "[1/4] WORKDIR /w" {
		t.Errorf("result = %+v", r)
	}
	if r.Platforms["linux/amd64"] != r.Digest {
		t.Errorf("platforms = %v", r.Platforms)
	}
}
