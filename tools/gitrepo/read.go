package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Commit returns the commit that a revision expression names; "" is HEAD.
// Without a git program, expressions are what go-git understands.
func (r *Repo) Commit(ctx context.Context, rev string) (Commit, error) {
	if rev == "" {
		rev = "HEAD"
	}
	if strings.ContainsAny(rev, "\n\x00") {
		return Commit{}, r.unknown(rev, nil)
	}
	o, err := r.objects.resolve(ctx, rev)
	if err != nil {
		return Commit{}, r.unresolved(ctx, rev, err)
	}
	c, err := parseCommit(o)
	if err != nil {
		return Commit{}, fmt.Errorf("reading commit %s: %w", o.id, err)
	}
	return c, nil
}

// unresolved finds out why rev names no commit.
func (r *Repo) unresolved(ctx context.Context, rev string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var absent *absentError
	if !errors.As(err, &absent) {
		return r.wrap(err)
	}
	if unborn, _ := r.isUnborn(ctx); unborn && (strings.HasPrefix(rev, "HEAD") || strings.HasPrefix(rev, "@")) {
		return r.unborn()
	}
	if id := r.idOf(ctx, rev); id != "" {
		if here, herr := r.objects.has(ctx, id); herr == nil && !here {
			return r.missing(string(id), cause(err))
		}
	}
	return r.unknown(rev, cause(err))
}

// idOf returns the id that rev stands for whether or not that object is here.
func (r *Repo) idOf(ctx context.Context, rev string) ObjectID {
	if validID(rev) {
		return ObjectID(rev)
	}
	if r.program == nil || strings.HasPrefix(rev, "-") {
		return ""
	}
	id, err := r.program.line(ctx, "rev-parse", "--verify", "--quiet", "--end-of-options", rev)
	if err != nil || !validID(id) {
		return ""
	}
	return ObjectID(id)
}

// cause leaves out what only repeats that something is absent.
func cause(err error) error {
	var absent *absentError
	if errors.As(err, &absent) && absent.why == "missing" {
		return nil
	}
	return err
}

// Ancestors returns the commit from and its first parents, newest first, at
// most limit. It ends early at the root, and where a shallow clone ends.
func (r *Repo) Ancestors(ctx context.Context, from ObjectID, limit int) ([]Commit, error) {
	var line []Commit
	for id := from; len(line) < limit; {
		c, err := r.commit(ctx, id)
		if len(line) > 0 && r.Shallow() && errors.Is(err, ErrMissing) {
			break
		}
		if err != nil {
			return nil, err
		}
		line = append(line, c)
		if len(c.Parents) == 0 {
			break
		}
		id = c.Parents[0]
	}
	return line, nil
}

func (r *Repo) commit(ctx context.Context, id ObjectID) (c Commit, err error) {
	err = r.read(ctx, []ObjectID{id}, kindCommit, func(_ int, o object) error {
		c, err = parseCommit(o)
		return err
	})
	return c, err
}

// Tree returns the entries of a tree in git's order. The answer is cached:
// callers do not modify it.
func (r *Repo) Tree(ctx context.Context, id ObjectID) ([]Entry, error) {
	trees, err := r.Trees(ctx, []ObjectID{id})
	if err != nil {
		return nil, err
	}
	return trees[0], nil
}

// Trees is [Repo.Tree] for many trees at once, which is several times faster
// than one by one. The answers are in the order of ids.
func (r *Repo) Trees(ctx context.Context, ids []ObjectID) ([][]Entry, error) {
	trees := make([][]Entry, len(ids))
	var absent []ObjectID
	var at []int
	for i, id := range ids {
		if known, ok := r.trees.Load(id); ok {
			trees[i] = known.([]Entry)
			continue
		}
		absent, at = append(absent, id), append(at, i)
	}
	if len(absent) == 0 {
		return trees, nil
	}
	err := r.read(ctx, absent, kindTree, func(i int, o object) error {
		entries, err := parseTree(o.body, r.conf.idLen())
		if err != nil {
			return fmt.Errorf("reading tree %s: %w", o.id, err)
		}
		trees[at[i]] = entries
		r.trees.Store(o.id, entries)
		return nil
	})
	return trees, err
}

// Lookup finds a path, slash-separated from the root, in a tree; false when
// there is no such path. The path "" is the tree itself.
func (r *Repo) Lookup(ctx context.Context, tree ObjectID, path string) (Entry, bool, error) {
	found := Entry{Mode: ModeTree, ID: tree}
	if path == "" {
		return found, true, nil
	}
	for name := range strings.SplitSeq(path, "/") {
		if !found.Mode.IsTree() {
			return Entry{}, false, nil
		}
		entries, err := r.Tree(ctx, found.ID)
		if err != nil {
			return Entry{}, false, fmt.Errorf("looking up %q: %w", path, err)
		}
		var ok bool
		if found, ok = find(entries, name); !ok {
			return Entry{}, false, nil
		}
	}
	return found, true, nil
}

// Blob returns the content of a file or the target of a symbolic link. It is
// not cached.
func (r *Repo) Blob(ctx context.Context, id ObjectID) (content []byte, err error) {
	err = r.read(ctx, []ObjectID{id}, kindBlob, func(_ int, o object) error {
		content = o.body
		return nil
	})
	return content, err
}

// BlobSize returns the size of a blob. A partial clone fetches the blob for it.
func (r *Repo) BlobSize(ctx context.Context, id ObjectID) (int64, error) {
	sizes, err := r.BlobSizes(ctx, []ObjectID{id})
	if err != nil {
		return 0, err
	}
	return sizes[0], nil
}

// BlobSizes is [Repo.BlobSize] for many blobs at once, in the order of ids.
func (r *Repo) BlobSizes(ctx context.Context, ids []ObjectID) ([]int64, error) {
	sizes := make([]int64, len(ids))
	err := r.objects.sizes(ctx, names(ids), func(i int, o object) error {
		sizes[i] = o.size
		return o.is(kindBlob)
	})
	return sizes, r.wrap(err)
}

// Has says whether an object is on this machine; it never fetches. In a
// partial clone it costs a pass over the ids of all objects.
func (r *Repo) Has(ctx context.Context, id ObjectID) (bool, error) {
	if !validID(string(id)) {
		return false, fmt.Errorf("object id %q: not 40 or 64 hex digits", id)
	}
	return r.objects.has(ctx, id)
}

// read reads objects that must all be of one kind.
func (r *Repo) read(ctx context.Context, ids []ObjectID, want kind, visit func(int, object) error) error {
	for _, id := range ids {
		if len(id) != 2*r.conf.idLen() || !validID(string(id)) {
			return fmt.Errorf("object id %q: not %d hex digits", id, 2*r.conf.idLen())
		}
	}
	err := r.objects.read(ctx, names(ids), func(i int, o object) error {
		if err := o.is(want); err != nil {
			return err
		}
		return visit(i, o)
	})
	return r.wrap(err)
}

// wrap makes an absence a [Fault]; the error of a partial clone that could not
// fetch is one too.
func (r *Repo) wrap(err error) error {
	var absent *absentError
	if errors.As(err, &absent) {
		return r.missing(absent.name, cause(err))
	}
	var broken *brokenError
	var known *Fault
	if r.Partial() && errors.As(err, &broken) && !errors.As(err, &known) { // git ends when it cannot fetch
		return r.missing(broken.name, broken.cause)
	}
	return err
}

func names(ids []ObjectID) []string {
	s := make([]string, len(ids))
	for i, id := range ids {
		s[i] = string(id)
	}
	return s
}
