package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tonistiigi/fsutil"
	"github.com/tonistiigi/fsutil/types"
)

// walk lists what fsutil sends of f to a daemon.
func walk(t *testing.T, f fsutil.FS, target string, opt *fsutil.FilterOpt) []string {
	t.Helper()
	filtered, err := fsutil.NewFilterFS(f, opt)
	if err != nil {
		return []string{"no filter"}
	}
	var seen []string
	err = filtered.Walk(t.Context(), target, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		s := info.Sys().(*types.Stat)
		seen = append(seen, fmt.Sprintf("%s %v %d %q", p, fs.FileMode(s.Mode), s.Size, s.Linkname))
		return nil
	})
	if err != nil {
		seen = append(seen, "error")
	}
	return seen
}

// onDisk writes files to a folder, as a plain build would have them.
func onDisk(t *testing.T, files []File) fsutil.FS {
	t.Helper()
	dir := t.TempDir()
	for _, f := range files {
		p := filepath.Join(dir, f.Path)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		switch {
		case f.Mode.IsDir():
			err = os.Mkdir(p, f.Mode.Perm())
		case f.Mode.IsRegular():
			err = os.WriteFile(p, make([]byte, f.Size), f.Mode.Perm())
		default:
			err = os.Symlink(f.Linkname, p)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	d, err := fsutil.NewFS(dir)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestContextFSWalksLikeADisk compares with fsutil's own view of real folders,
// over random trees, targets and patterns.
func TestContextFSWalksLikeADisk(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	names := []string{"a", "b", "a.txt", "a-b", "B", "ä", "x y", "n\nl", "0", "z"}
	pick := func() string { return names[r.IntN(len(names))] }
	for range 60 {
		var files []File
		taken := map[string]bool{}
		for range r.IntN(30) {
			p := pick()
			for range r.IntN(3) {
				p += "/" + pick()
			}
			if f, ok := place(r.IntN(8), p, taken); ok {
				files = append(files, f)
			}
		}
		ours, err := newContextFS(t.Context(), files, func(error) {})
		if err != nil {
			t.Fatal(err)
		}
		disk := onDisk(t, files)
		for _, target := range []string{"/", "a", "a/b", "z"} {
			for _, opt := range []*fsutil.FilterOpt{
				nil, {ExcludePatterns: []string{"a", "!a/b"}}, {ExcludePatterns: []string{"**/b", "x*"}},
				{IncludePatterns: []string{"a/b", "z"}}, {FollowPaths: []string{"a", "b/*"}}, {FollowPaths: []string{"z", "0/a"}},
			} {
				if d := cmp.Diff(walk(t, disk, target, opt), walk(t, ours, target, opt)); d != "" {
					t.Fatalf("target %q, filter %+v, disk against ours:\n%s", target, opt, d)
				}
			}
		}
	}
}

// place makes p a file, a link or a folder, where that does not clash.
func place(kind int, p string, taken map[string]bool) (File, bool) {
	if taken[p] || taken["dir:"+p] {
		return File{}, false
	}
	for dir := path.Dir(p); dir != "."; dir = path.Dir(dir) {
		if taken[dir] {
			return File{}, false
		}
	}
	for dir := path.Dir(p); dir != "."; dir = path.Dir(dir) {
		taken["dir:"+dir] = true
	}
	switch kind {
	case 0:
		taken[p] = true
		return File{Path: p, Mode: fs.ModeSymlink | 0o777, Linkname: "../a/b"}, true
	case 1:
		taken["dir:"+p] = true
		return File{Path: p, Mode: fs.ModeDir | 0o755}, true
	default:
		taken[p] = true
		return File{Path: p, Mode: 0o644, Size: int64(kind)}, true
	}
}

func TestContextFSRefuses(t *testing.T) {
	for _, files := range [][]File{
		{file("", "")}, {file("/a", "")}, {file("../a", "")}, {file("a//b", "")}, {file("a/", "")}, {file(".", "")},
		{file("..", "")}, {file("a/../b", "")}, {file("bad\xff", "")}, {file("nul\x00", "")},
		{file("a", ""), file("a", "")}, {file("a", ""), file("a/b", "")},
	} {
		if _, err := newContextFS(t.Context(), files, func(error) {}); err == nil {
			t.Errorf("%q: no error", files[0].Path)
		}
	}
}

// TestContextFSOpen: fsutil takes an error of Open for an empty file, so errors
// must come from reading.
func TestContextFSOpen(t *testing.T) {
	boom := errors.New("boom")
	sized := func(f File, n int64) File { f.Size = n; return f }
	var told error
	files, err := newContextFS(t.Context(), []File{
		file("good", "content"),
		{Path: "bad", Open: func(context.Context) (io.ReadCloser, error) { return nil, boom }},
		sized(file("short", "content"), 8), sized(file("long", "content"), 6),
	}, func(err error) { told = err })
	if err != nil {
		t.Fatal(err)
	}
	read := func(p string) (string, error) {
		r, err := files.Open(p)
		if err != nil {
			t.Fatalf("%s: Open failed: %v", p, err)
		}
		defer func() { _ = r.Close() }()
		b, err := io.ReadAll(r)
		return string(b), err
	}
	if got, err := read("good"); got != "content" || err != nil || told != nil {
		t.Errorf("good: %q, %v, %v", got, err, told)
	}
	if _, err := read("bad"); !errors.Is(err, boom) || !errors.Is(told, boom) {
		t.Errorf("bad: %v, %v", err, told)
	}
	for _, p := range []string{"short", "long", "absent"} {
		if _, err := read(p); err == nil || !strings.Contains(err.Error(), p) {
			t.Errorf("%s: %v", p, err)
		}
	}
}
