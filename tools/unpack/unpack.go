// Package unpack writes the files of an archive into a folder, and nothing
// outside of it: names and links in an archive are somebody else's words.
package unpack

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
)

// Tar writes what lies at from in a tar (a file, or a folder with all below it)
// into folder to, which is made when absent. A file keeps its base name, a
// folder's content lies directly in to. It returns how many files, links and
// folders were written. Owners and special files are left out. An archive that
// leads out of to, by a name or through a link, is an error; what was written
// until then stays.
func Tar(r io.Reader, from, to string) (int, error) {
	if err := os.MkdirAll(to, 0o755); err != nil { //nolint:gosec // as mkdir does
		return 0, err
	}
	root, err := os.OpenRoot(to)
	if err != nil {
		return 0, err
	}
	defer func() { _ = root.Close() }()
	u := unpacker{root: root, from: clean(from)}
	archive := tar.NewReader(r)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return u.count, nil
		}
		if err != nil {
			return u.count, fmt.Errorf("reading the archive: %w", err)
		}
		if err := u.entry(header, archive); err != nil {
			return u.count, fmt.Errorf("writing %q: %w", header.Name, err)
		}
	}
}

// clean makes a path of an archive relative, without dots.
func clean(p string) string {
	return strings.TrimPrefix(path.Clean("/"+p), "/")
}

type unpacker struct {
	root  *os.Root
	from  string
	count int
}

// target says where an entry goes; ok is false when it is not wanted.
func (u *unpacker) target(name string) (target string, ok bool) {
	name = clean(name)
	switch {
	case u.from == "":
		return name, name != ""
	case name == u.from:
		return path.Base(name), true
	case strings.HasPrefix(name, u.from+"/"):
		return strings.TrimPrefix(name, u.from+"/"), true
	default:
		return "", false
	}
}

func (u *unpacker) entry(h *tar.Header, content io.Reader) error {
	if name := path.Clean(strings.TrimLeft(h.Name, "/")); name == ".." || strings.HasPrefix(name, "../") {
		return errors.New("the name leads out of the archive")
	}
	target, ok := u.target(h.Name)
	if !ok || h.Typeflag == tar.TypeDir && clean(h.Name) == u.from {
		return nil
	}
	if err := u.root.MkdirAll(path.Dir(target), 0o755); err != nil {
		return err
	}
	written, err := u.write(h, target, content)
	if written && err == nil {
		u.count++
	}
	return err
}

func (u *unpacker) write(h *tar.Header, target string, content io.Reader) (bool, error) {
	mode := fs.FileMode(h.Mode) & fs.ModePerm //nolint:gosec // only the permissions are used
	switch h.Typeflag {
	case tar.TypeDir:
		return true, u.root.MkdirAll(target, mode|0o700)
	case tar.TypeReg, tar.TypeGNUSparse:
		return true, u.file(target, mode, content)
	case tar.TypeSymlink:
		return true, u.replace(target, func() error { return u.root.Symlink(h.Linkname, target) })
	case tar.TypeLink:
		old, ok := u.target(h.Linkname)
		if !ok {
			return false, fmt.Errorf("hard link to %q, which is not unpacked", h.Linkname)
		}
		return true, u.replace(target, func() error { return u.root.Link(old, target) })
	default:
		return false, nil // devices and the like
	}
}

func (u *unpacker) file(target string, mode fs.FileMode, content io.Reader) error {
	return u.replace(target, func() (err error) {
		f, err := u.root.OpenFile(target, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		_, err = io.Copy(f, content)
		return err
	})
}

// replace makes a file in the place of what is there, never writing through it.
func (u *unpacker) replace(target string, write func() error) error {
	err := u.root.Remove(target)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return write()
}
