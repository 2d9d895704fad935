package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/go-git/go-billy/v5/osfs"
	git "github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/storage/filesystem"
	"github.com/go-git/go-git/v5/storage/filesystem/dotgit"
)

// library reads objects with go-git, where there is no git program. It cannot
// fetch what a partial clone lacks.
type library struct {
	mu      sync.Mutex // go-git's storage is not safe for concurrent reads
	storage *filesystem.Storage
}

func newLibrary(p place) *library {
	fs := dotgit.NewRepositoryFilesystem(osfs.New(p.gitDir), osfs.New(p.commonDir))
	small := cache.NewObjectLRU(16 * cache.MiByte)
	options := filesystem.Options{KeepDescriptors: true, AlternatesFS: osfs.New("/")}
	return &library{storage: filesystem.NewStorageWithOptions(fs, small, options)}
}

func (l *library) read(ctx context.Context, names []string, visit func(int, object) error) error {
	return l.each(ctx, names, visit, readBody)
}

func (l *library) sizes(ctx context.Context, names []string, visit func(int, object) error) error {
	return l.each(ctx, names, visit, func(plumbing.EncodedObject) ([]byte, error) { return nil, nil })
}

func (l *library) each(ctx context.Context, names []string, visit func(int, object) error, body func(plumbing.EncodedObject) ([]byte, error)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, name := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		raw, err := l.storage.EncodedObject(plumbing.AnyObject, plumbing.NewHash(name))
		if errors.Is(err, plumbing.ErrObjectNotFound) {
			return &absentError{name, "missing"}
		}
		if err != nil {
			return fmt.Errorf("reading object %s: %w", name, err)
		}
		content, err := body(raw)
		if err != nil {
			return fmt.Errorf("reading object %s: %w", name, err)
		}
		if err := visit(i, object{ObjectID(name), kind(raw.Type().String()), raw.Size(), content}); err != nil {
			return err
		}
	}
	return nil
}

func readBody(raw plumbing.EncodedObject) ([]byte, error) {
	r, err := raw.Reader()
	if err != nil {
		return nil, err
	}
	defer r.Close() //nolint:errcheck // only read
	body := make([]byte, raw.Size())
	_, err = io.ReadFull(r, body)
	return body, err
}

func (l *library) resolve(ctx context.Context, rev string) (object, error) {
	id, err := l.lookUp(rev)
	if err != nil {
		return object{}, err
	}
	var found object
	err = l.read(ctx, []string{id}, func(_ int, o object) error {
		found = o
		return nil
	})
	if err == nil && found.kind != kindCommit {
		err = &absentError{rev, "a " + string(found.kind)}
	}
	return found, err
}

func (l *library) lookUp(rev string) (string, error) {
	if validID(rev) {
		return rev, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	r, err := git.Open(l.storage, nil)
	if err != nil {
		return "", fmt.Errorf("resolving %q without a git program: %w", rev, err)
	}
	id, err := r.ResolveRevision(plumbing.Revision(rev))
	if err != nil {
		return "", &absentError{rev, "unknown"}
	}
	return id.String(), nil
}

func (l *library) has(_ context.Context, id ObjectID) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, err := l.storage.EncodedObject(plumbing.AnyObject, plumbing.NewHash(string(id)))
	if errors.Is(err, plumbing.ErrObjectNotFound) {
		return false, nil
	}
	return err == nil, err
}

func (l *library) refs(_ context.Context, names ...string) (map[string]string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	found := map[string]string{}
	for _, name := range names {
		ref, err := l.storage.Reference(plumbing.ReferenceName(name))
		switch {
		case errors.Is(err, plumbing.ErrReferenceNotFound):
		case err != nil:
			return nil, fmt.Errorf("reading reference %s: %w", name, err)
		case ref.Type() == plumbing.SymbolicReference:
			found[name] = ref.Target().String()
		default:
			found[name] = ref.Hash().String()
		}
	}
	return found, nil
}

func (l *library) extend(string) {} // only a git program makes snapshots

func (l *library) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.storage.Close()
}
