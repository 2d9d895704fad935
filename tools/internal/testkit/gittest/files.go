package gittest

import (
	"os"
	"path/filepath"
)

// Path returns the place on disk of a path of r.
func (r *Repo) Path(path string) string { return filepath.Join(r.Dir, filepath.FromSlash(path)) }

// Write writes a file with mode 0644, and the folders above it.
func (r *Repo) Write(path, content string) {
	r.tb.Helper()
	r.WriteMode(path, content, 0o644)
}

// WriteMode is Write with a mode.
func (r *Repo) WriteMode(path, content string, mode os.FileMode) {
	r.tb.Helper()
	r.parent(path)
	r.check(os.WriteFile(r.Path(path), []byte(content), mode))
	r.Chmod(path, mode) // the mode of a file that was there, whatever the umask
}

// Chmod changes a file's mode.
func (r *Repo) Chmod(path string, mode os.FileMode) {
	r.tb.Helper()
	r.check(os.Chmod(r.Path(path), mode))
}

// Symlink makes path a symbolic link to target.
func (r *Repo) Symlink(target, path string) {
	r.tb.Helper()
	r.parent(path)
	r.check(os.Symlink(target, r.Path(path)))
}

// Remove deletes a file or a whole folder.
func (r *Repo) Remove(path string) {
	r.tb.Helper()
	r.check(os.RemoveAll(r.Path(path)))
}

// Rename moves a file or a folder.
func (r *Repo) Rename(from, to string) {
	r.tb.Helper()
	r.parent(to)
	r.check(os.Rename(r.Path(from), r.Path(to)))
}

func (r *Repo) parent(path string) {
	r.tb.Helper()
	r.check(os.MkdirAll(filepath.Dir(r.Path(path)), 0o755))
}

func (r *Repo) check(err error) {
	r.tb.Helper()
	if err != nil {
		r.tb.Fatal(err)
	}
}
