package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"sort"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/tonistiigi/fsutil"
	"github.com/tonistiigi/fsutil/types"
)

// contextFS serves files to BuildKit as they are asked for. Every file has the
// same time and owner, so that nothing but content, mode and path counts.
type contextFS struct {
	entries []entry // in fsutil's order: a folder comes right before its children
	open    func(File) (io.ReadCloser, error)
	fail    context.CancelCauseFunc
}

// entry is a file with its path in the form that sorts as fsutil walks.
type entry struct {
	File
	key string
}

// newContextFS checks files and adds their parent folders. The contents are
// read under ctx. A file that cannot be read is told to fail, which must end the
// solve: fsutil keeps such an error to itself, and both ends would wait for ever.
func newContextFS(ctx context.Context, files []File, fail context.CancelCauseFunc) (*contextFS, error) {
	entries, err := withParents(files)
	if err != nil {
		return nil, err
	}
	sort.Slice(entries, func(i, j int) bool { return entries[i].key < entries[j].key })
	return &contextFS{entries: entries, fail: fail, open: func(f File) (io.ReadCloser, error) { return f.Open(ctx) }}, nil
}

// withParents returns files and every folder that they imply.
func withParents(files []File) ([]entry, error) {
	entries := make([]entry, 0, len(files)+len(files)/8)
	isDir := map[string]bool{".": true, "": true}
	seen := make(map[string]bool, len(files))
	for _, f := range files {
		if err := checkPath(f.Path); err != nil {
			return nil, err
		}
		if seen[f.Path] {
			return nil, fmt.Errorf("build context: %q is there twice", f.Path)
		}
		seen[f.Path] = true
		if f.Mode.IsDir() {
			isDir[f.Path] = true
		}
		entries = append(entries, newEntry(f))
	}
	for _, f := range files {
		for dir := path.Dir(f.Path); !isDir[dir]; dir = path.Dir(dir) {
			if seen[dir] {
				return nil, fmt.Errorf("build context: %q is a file and the folder of %q", dir, f.Path)
			}
			isDir[dir] = true
			entries = append(entries, newEntry(File{Path: dir, Mode: fs.ModeDir | 0o755}))
		}
	}
	return entries, nil
}

func checkPath(p string) error {
	if !utf8.ValidString(p) {
		return fmt.Errorf("build context: path %q is not UTF-8, which BuildKit cannot take", p)
	}
	if p == "" || p == "." || path.IsAbs(p) || path.Clean(p) != p || p == ".." || strings.HasPrefix(p, "../") || strings.ContainsRune(p, 0) {
		return fmt.Errorf("build context: %q is not a clean relative path", p)
	}
	return nil
}

// newEntry makes the key: with the separator below every other character, a
// plain comparison is the order of a depth-first walk.
func newEntry(f File) entry {
	return entry{File: f, key: strings.ReplaceAll(f.Path, "/", "\x00")}
}

// Walk calls fn for target and everything below it; "/" and "." are everything.
// As fsutil expects of a file system, that something is absent ends no walk.
func (c *contextFS) Walk(ctx context.Context, target string, fn fs.WalkDirFunc) error {
	first, end, err := c.span(target)
	if err != nil {
		return skipIsEnd(fn(target, nil, err))
	}
	for i := first; i < end; {
		if err := ctx.Err(); err != nil {
			return err
		}
		e := c.entries[i]
		err := fn(e.Path, &fsutil.DirEntryInfo{Stat: e.stat()}, nil)
		switch {
		case err == nil:
			i++
		case err == fs.SkipAll: //nolint:errorlint // the contract of WalkDirFunc: never wrapped
			return nil
		case skipIsEnd(err) == nil:
			i = c.skip(i, end)
		default:
			return err
		}
	}
	return nil
}

func skipIsEnd(err error) error {
	absent := errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
	if absent || err == fs.SkipDir || err == fs.SkipAll { //nolint:errorlint // as in Walk
		return nil
	}
	return err
}

// span finds the entries of target: itself and its children.
func (c *contextFS) span(target string) (first, end int, err error) {
	target = strings.TrimPrefix(path.Clean("/"+target), "/")
	if target == "" {
		return 0, len(c.entries), nil
	}
	key := strings.ReplaceAll(target, "/", "\x00")
	first = c.search(key)
	if first == len(c.entries) || c.entries[first].key != key {
		return 0, 0, &fs.PathError{Op: "walk", Path: target, Err: fs.ErrNotExist}
	}
	return first, c.after(first), nil
}

func (c *contextFS) search(key string) int {
	return sort.Search(len(c.entries), func(i int) bool { return c.entries[i].key >= key })
}

// after is the index behind entry i and everything below it.
func (c *contextFS) after(i int) int { return c.search(c.entries[i].key + "\x01") }

// skip is where a walk goes on after fn refused entry i: behind the folder, or,
// for a file, behind the rest of the folder that it is in.
func (c *contextFS) skip(i, end int) int {
	if c.entries[i].Mode.IsDir() {
		return c.after(i)
	}
	dir := path.Dir(c.entries[i].Path)
	if dir == "." {
		return end
	}
	return min(end, c.search(strings.ReplaceAll(dir, "/", "\x00")+"\x01"))
}

// stat is a new value for every call: fsutil changes what it gets.
func (e entry) stat() *types.Stat {
	s := &types.Stat{Path: e.Path, Mode: uint32(e.Mode), ModTime: sourceDateEpoch * 1e9}
	switch {
	case e.Mode&fs.ModeSymlink != 0:
		s.Linkname, s.Mode, s.Size = e.Linkname, uint32(fs.ModeSymlink|0o777), int64(len(e.Linkname))
	case e.Mode.IsRegular():
		s.Size = e.Size
	}
	return s
}

// Open never fails for a file of the context: fsutil would send an empty file
// in its place. The reader fails instead, and so does the transfer.
func (c *contextFS) Open(p string) (io.ReadCloser, error) {
	p = strings.TrimPrefix(path.Clean("/"+p), "/")
	key := strings.ReplaceAll(p, "/", "\x00")
	i := c.search(key)
	if i == len(c.entries) || c.entries[i].key != key {
		return &reader{fs: c, path: p, err: os.ErrNotExist}, nil
	}
	e := c.entries[i]
	r, err := c.open(e.File)
	return &reader{fs: c, path: p, r: r, err: err, left: e.Size}, nil
}

// reader holds a file's content to the size that was announced for it.
type reader struct {
	fs   *contextFS
	path string
	r    io.ReadCloser
	left int64
	err  error
}

func (r *reader) Read(b []byte) (int, error) {
	if r.err != nil {
		return 0, r.fault(r.err)
	}
	n, err := r.r.Read(b)
	r.left -= int64(n)
	switch {
	case err == io.EOF && r.left == 0: //nolint:errorlint // the contract of io.Reader: never wrapped
		return n, io.EOF
	case err == io.EOF && r.left > 0: //nolint:errorlint // as above
		err = io.ErrUnexpectedEOF
	case r.left < 0:
		err = fmt.Errorf("longer than its size by %d bytes", -r.left)
	}
	if err != nil {
		return n, r.fault(err)
	}
	return n, nil
}

func (r *reader) fault(err error) error {
	err = fmt.Errorf("reading %q of the build context: %w", r.path, err)
	r.fs.fail(err)
	return err
}

func (r *reader) Close() error {
	if r.r == nil {
		return nil
	}
	return r.r.Close()
}

// memoryFile is a file whose content is at hand.
func memoryFile(path string, content []byte) File {
	return File{Path: path, Mode: 0o644, Size: int64(len(content)), Open: func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content)), nil
	}}
}
