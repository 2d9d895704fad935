package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Changes returns the paths at which the work tree differs from HEAD, sorted:
// tracked files that changed or went, both names of a rename, submodules with
// another commit or changes inside, and files neither tracked nor ignored. A
// repository without a work tree has none.
func (r *Repo) Changes(ctx context.Context) ([]string, error) {
	return r.status(ctx, func(record) bool { return true })
}

// DirtySubmodules returns the paths of the submodules in which something is not
// committed, in submodules of theirs, too, sorted: no [Repo.Snapshot] has that.
func (r *Repo) DirtySubmodules(ctx context.Context) ([]string, error) {
	return r.status(ctx, record.dirtyInside)
}

// status returns the paths of the changes that are wanted.
func (r *Repo) status(ctx context.Context, wanted func(record) bool) ([]string, error) {
	if r.WorkTree() == "" {
		return nil, nil
	}
	if r.program == nil {
		return nil, needsGit("looking for changes in the work tree")
	}
	out, err := r.program.output(ctx, statusArgs()...)
	if err != nil {
		return nil, fmt.Errorf("looking for changes in the work tree: %w", err)
	}
	records, err := parseStatus(string(out))
	if err != nil {
		return nil, fmt.Errorf("looking for changes in the work tree: %w", err)
	}
	var paths []string
	for _, r := range records {
		if wanted(r) {
			paths = append(paths, r.path)
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths), nil
}

func statusArgs() []string {
	return []string{"status", "--porcelain=v2", "-z", "--no-renames", "--untracked-files=all", "--ignore-submodules=none"}
}

// record is one change of the work tree.
type record struct {
	path string
	sub  string // "S" for a submodule, then C, M, U or dots: another commit, changes, new files
}

func (r record) dirtyInside() bool {
	return strings.HasPrefix(r.sub, "S") && strings.ContainsAny(r.sub, "MU")
}

// parseStatus reads the records of `git status --porcelain=v2 -z --no-renames`.
func parseStatus(out string) ([]record, error) {
	fields := map[byte]int{'1': 9, 'u': 11, '?': 2} // of a record, the path being the last
	var records []record
	for line := range strings.SplitSeq(strings.TrimSuffix(out, "\x00"), "\x00") {
		if line == "" || line[0] == '#' {
			continue
		}
		f := strings.SplitN(line, " ", max(fields[line[0]], 1))
		if len(f) < 2 || len(f) != fields[line[0]] {
			return nil, fmt.Errorf("git answered %q", line)
		}
		r := record{path: f[len(f)-1]}
		if len(f) > 3 {
			r.sub = f[2]
		}
		records = append(records, r)
	}
	return records, nil
}

// Snapshot returns the tree of the work tree as it is: changes and new files
// included, ignored files left out, submodules at the commit that is checked
// out in them (changes inside a submodule are not in it). The objects lie in a
// temporary folder until [Repo.Close], and are read through r like any others;
// the repository and its index stay as they are.
func (r *Repo) Snapshot(ctx context.Context) (ObjectID, error) {
	if r.WorkTree() == "" {
		return "", &Fault{kind: ErrBare, text: r.describe() + " has no work tree to take a snapshot of", hint: "build a commit instead"}
	}
	if r.program == nil {
		return "", needsGit("taking a snapshot of the work tree")
	}
	id, err := r.snapshot(ctx)
	if err != nil {
		return "", fmt.Errorf("taking a snapshot of the work tree: %w", err)
	}
	return id, nil
}

func (r *Repo) snapshot(ctx context.Context) (ObjectID, error) {
	store, err := r.makeTemporary()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(filepath.Dir(store), "index-")
	if err != nil {
		return "", err
	}
	index := filepath.Join(dir, "index")
	if err := copyIndex(filepath.Join(r.place.gitDir, "index"), index); err != nil {
		return "", err
	}
	git := *r.program
	git.env = append(slices.Clip(git.env), "GIT_INDEX_FILE="+index, "GIT_OBJECT_DIRECTORY="+store,
		alternates(filepath.Join(r.place.commonDir, "objects")))
	if _, err := git.output(ctx, "add", "--all"); err != nil {
		return "", err
	}
	// Without --missing-ok, git would fetch every blob that a partial clone lacks.
	id, err := git.line(ctx, "write-tree", "--missing-ok")
	if err != nil {
		return "", err
	}
	r.objects.extend(store)
	return ObjectID(id), nil
}

// copyIndex copies the index, which spares git reading every file again. The
// time is copied too: by it git knows the files that may have changed unseen
// while the index was written.
func copyIndex(from, to string) error {
	content, err := os.ReadFile(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if err := os.WriteFile(to, content, 0o600); err != nil {
		return err
	}
	return os.Chtimes(to, info.ModTime(), info.ModTime())
}

// makeTemporary returns the object folder of r's snapshots.
func (r *Repo) makeTemporary() (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.temporary == "" {
		dir, err := os.MkdirTemp("", "slipway-snapshot-")
		if err != nil {
			return "", err
		}
		r.temporary = dir
	}
	store := filepath.Join(r.temporary, "objects")
	return store, os.MkdirAll(store, 0o700)
}

func (r *Repo) removeTemporary() error {
	if r.temporary == "" {
		return nil
	}
	dir := r.temporary
	r.temporary = ""
	return os.RemoveAll(dir)
}
