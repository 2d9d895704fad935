package contenthash

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"

	"slipway/tools/gitrepo"
)

// Objects reads git objects. Answers are not modified by this package, and a
// Snapshot may ask from several goroutines.
type Objects interface {
	Tree(ctx context.Context, id gitrepo.ObjectID) ([]gitrepo.Entry, error)
	Blob(ctx context.Context, id gitrepo.ObjectID) ([]byte, error)
}

// Snapshot is one tree of a repository, usually a commit's. It remembers the
// folders it has read. Safe for concurrent use.
type Snapshot struct {
	objects Objects
	root    gitrepo.ObjectID

	mu      sync.Mutex
	folders map[gitrepo.ObjectID]map[string]gitrepo.Entry
}

// NewSnapshot returns the tree whose id is root.
func NewSnapshot(objects Objects, root gitrepo.ObjectID) *Snapshot {
	return &Snapshot{objects: objects, root: root, folders: map[gitrepo.ObjectID]map[string]gitrepo.Entry{}}
}

// Lookup finds the entry at p, a path from the root. The root itself is "" or, as
// manifests write it, ".". Absence is not an error. Symbolic links are not followed.
func (s *Snapshot) Lookup(ctx context.Context, p string) (Entry, bool, error) {
	at, whole, err := s.walk(ctx, p)
	if err != nil || !whole {
		return Entry{}, false, err
	}
	return at, true, nil
}

// walk goes down to p as far as there are entries, and says whether that is all
// the way.
func (s *Snapshot) walk(ctx context.Context, p string) (at Entry, whole bool, err error) {
	at = Entry{Mode: gitrepo.ModeTree, ID: s.root}
	for name := range strings.SplitSeq(p, "/") {
		if name == "" || name == "." {
			continue
		}
		if !at.Mode.IsTree() {
			return at, false, nil
		}
		folder, err := s.folder(ctx, at.ID)
		if err != nil {
			return Entry{}, false, fmt.Errorf("looking up %q: %w", p, err)
		}
		child, ok := folder[name]
		if !ok {
			return at, false, nil
		}
		at = Entry{Path: join(at.Path, name), Mode: child.Mode, ID: child.ID}
	}
	return at, true, nil
}

func (s *Snapshot) folder(ctx context.Context, id gitrepo.ObjectID) (map[string]gitrepo.Entry, error) {
	s.mu.Lock()
	folder, ok := s.folders[id]
	s.mu.Unlock()
	if ok {
		return folder, nil
	}
	entries, err := s.objects.Tree(ctx, id)
	if err != nil {
		return nil, err
	}
	folder = make(map[string]gitrepo.Entry, len(entries))
	for _, e := range entries {
		folder[e.Name] = e
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.folders[id] = folder
	return folder, nil
}

// maxLinks bounds the symbolic links followed on the way to one file, as
// Linux does.
const maxLinks = 40

// Follow finds the file at p through symbolic links, also those among its
// folders, and returns the links it passed and then the file: what decides
// about its content. Nothing is returned when there is no file at p. A link that
// leaves the repository, or goes in circles, is an error.
func (s *Snapshot) Follow(ctx context.Context, p string) ([]Entry, error) {
	var passed []Entry
	for range maxLinks {
		link, rest, err := s.firstLink(ctx, p)
		if err != nil {
			return nil, err
		}
		if link == nil {
			entry, ok, err := s.Lookup(ctx, p)
			if err != nil || !ok || entry.Mode.IsTree() || entry.Mode.IsSubmodule() {
				return nil, err
			}
			return append(passed, entry), nil
		}
		passed = append(passed, *link)
		target, err := s.objects.Blob(ctx, link.ID)
		if err != nil {
			return nil, fmt.Errorf("reading symbolic link %q: %w", link.Path, err)
		}
		p = path.Join(path.Dir(link.Path), string(target), rest)
		if path.IsAbs(string(target)) || p == ".." || strings.HasPrefix(p, "../") {
			return nil, fmt.Errorf("symbolic link %q leads out of the repository, to %q", link.Path, target)
		}
	}
	return nil, fmt.Errorf("following %q: %w", p, errTooManyLinks)
}

var errTooManyLinks = errors.New("too many symbolic links")

// firstLink returns the first symbolic link on the way to p, and the rest of p
// behind it; nil when there is none.
func (s *Snapshot) firstLink(ctx context.Context, p string) (*Entry, string, error) {
	parts := strings.Split(p, "/")
	for i := range parts {
		entry, ok, err := s.Lookup(ctx, strings.Join(parts[:i+1], "/"))
		if err != nil || !ok {
			return nil, "", err
		}
		if entry.Mode.IsSymlink() {
			return &entry, strings.Join(parts[i+1:], "/"), nil
		}
	}
	return nil, "", nil
}

// Match returns what any of the patterns takes of the tree, sorted by path: a
// folder that is taken whole as one entry, files otherwise. Folders that the
// patterns rule out by their name are not read. A submodule is taken whole where
// a pattern could match anything inside: its files are not in the tree. unmatched
// are the patterns that take nothing.
func (s *Snapshot) Match(ctx context.Context, patterns []*Pattern) (found []Entry, unmatched []*Pattern, err error) {
	for _, p := range patterns {
		before := len(found)
		at, whole, err := s.walk(ctx, p.Root())
		if err == nil && (whole || at.Mode.IsSubmodule()) {
			found, err = s.match(ctx, p, at, found)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("matching %q: %w", p, err)
		}
		if len(found) == before {
			unmatched = append(unmatched, p)
		}
	}
	return outermost(found), unmatched, nil
}

func (s *Snapshot) match(ctx context.Context, p *Pattern, at Entry, found []Entry) ([]Entry, error) {
	switch {
	case at.Mode.IsTree():
		return s.matchFolder(ctx, p, at, found)
	case p.Match(at.Path), at.Mode.IsSubmodule() && p.reaches(at.Path):
		found = append(found, at)
	}
	return found, nil
}

func (s *Snapshot) matchFolder(ctx context.Context, p *Pattern, at Entry, found []Entry) ([]Entry, error) {
	switch p.Covers(at.Path) {
	case None:
		return found, nil
	case All:
		return append(found, at), nil
	case Some:
	}
	children, err := s.objects.Tree(ctx, at.ID)
	if err != nil {
		return nil, err
	}
	for _, child := range children {
		entry := Entry{Path: join(at.Path, child.Name), Mode: child.Mode, ID: child.ID}
		if found, err = s.match(ctx, p, entry, found); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// outermost sorts entries by path and drops repetitions and those inside a
// folder that is there as well.
func outermost(entries []Entry) []Entry {
	slices.SortFunc(entries, func(a, b Entry) int { return comparePaths(a.Path, b.Path) })
	kept := entries[:0]
	for _, e := range entries {
		if n := len(kept); n > 0 && covers(kept[n-1], e) {
			continue
		}
		kept = append(kept, e)
	}
	return kept
}

// covers reports whether e is outer itself, or lies inside it.
func covers(outer, e Entry) bool {
	if outer.Path == e.Path {
		return true
	}
	return outer.Mode.IsTree() && (outer.Path == "" || strings.HasPrefix(e.Path, outer.Path+"/"))
}

// comparePaths orders paths so that a folder comes right before what it holds:
// by bytes, with the slash before everything else.
func comparePaths(a, b string) int {
	for i := 0; i < len(a) && i < len(b); i++ {
		switch {
		case a[i] == b[i]:
		case a[i] == '/':
			return -1
		case b[i] == '/':
			return 1
		case a[i] < b[i]:
			return -1
		default:
			return 1
		}
	}
	return len(a) - len(b)
}

func join(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}
