// Package gitrepo reads commits and trees of git repositories: normal, bare,
// shallow and partial clones, linked worktrees and submodules.
//
// It owns how git objects are read and what their absence means. It never
// writes to a repository: a snapshot of a work tree lives in temporary folders.
// Objects are read through one git program that stays open; without a git
// program, go-git reads what it can, and the rest is [ErrNoGit]. Replace refs
// and grafts are not followed: an object is what its id says.
package gitrepo

import (
	"context"
	"errors"
	"os/exec"
	"sync"
	"time"
)

// ObjectID is an object's id in lower-case hex: 40 digits, or 64 in a SHA-256 repository.
type ObjectID string

// Entry is one line of a tree.
type Entry struct {
	Name string // as stored: any bytes but "/" and NUL
	Mode Mode
	ID   ObjectID
}

// Commit is what a commit object says.
type Commit struct {
	ID, Tree ObjectID
	Parents  []ObjectID // as recorded, also those that a shallow clone lacks
	Time     time.Time  // the committer's, in UTC
	Message  string     // raw, with its last newline
}

// Options says what to open.
type Options struct {
	// Dir is a folder of the work tree, or a git folder; "" is the current one.
	Dir string
	// Env is the environment that git runs in; nil is this process's own.
	// Variables that would point git at another repository are left out.
	Env []string
}

// Repo reads one repository. It is safe for concurrent use.
type Repo struct {
	place   place
	conf    settings
	env     []string
	program *program // nil without a git program
	objects objects

	trees sync.Map // ObjectID -> []Entry

	mu        sync.Mutex // guards all below
	parent    *Repo      // of a submodule
	mount     string     // where the parent has it
	modules   map[string]*Repo
	temporary string // the folder of snapshots, "" before the first
}

// objects is what differs between the git program and go-git.
type objects interface {
	// read calls visit once for each name, in order, with that object. A name
	// is an id, or for the git program any revision expression of one line.
	read(ctx context.Context, names []string, visit func(i int, o object) error) error
	// sizes is read without the content.
	sizes(ctx context.Context, names []string, visit func(i int, o object) error) error
	// resolve returns the commit that a revision expression names.
	resolve(ctx context.Context, rev string) (object, error)
	// has says whether an object is on this machine.
	has(ctx context.Context, id ObjectID) (bool, error)
	// refs returns what the named references point at: a reference for
	// symbolic ones, an id for others. Absent ones are left out.
	refs(ctx context.Context, names ...string) (map[string]string, error)
	// extend makes the objects of a further object folder readable.
	extend(dir string)
	close() error
}

// Open finds the repository that o.Dir is in. [Repo.Close] ends what it
// started and removes its temporary files.
func Open(ctx context.Context, o Options) (*Repo, error) {
	p, err := discover(o.Dir)
	if err != nil {
		return nil, err
	}
	return open(ctx, p, o.Env)
}

func open(_ context.Context, p place, env []string) (*Repo, error) {
	conf, err := readSettings(p)
	if err != nil {
		return nil, err
	}
	if env == nil {
		env = new(exec.Cmd).Environ()
	}
	r := &Repo{place: p.withWorkTree(conf), conf: conf, env: env, modules: map[string]*Repo{}}
	if r.program = newProgram(env, r.place); r.program != nil {
		r.objects = newCatFile(r.program, conf)
		return r, nil
	}
	if conf.sha256 {
		return nil, needsGit("reading a SHA-256 repository")
	}
	r.objects = newLibrary(r.place)
	return r, nil
}

// Close ends the git programs that r runs and removes its temporary files. It
// closes the submodules that were opened through r.
func (r *Repo) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var errs []error
	for _, m := range r.modules {
		errs = append(errs, m.Close())
	}
	clear(r.modules)
	return errors.Join(append(errs, r.objects.close(), r.removeTemporary())...)
}

// WorkTree returns the absolute path of the work tree, "" when there is none.
func (r *Repo) WorkTree() string { return r.place.workTree }

// Shallow says whether the clone's history was cut.
func (r *Repo) Shallow() bool { return r.place.shallow() }

// Partial says whether the clone lacks objects that git fetches when they are needed.
func (r *Repo) Partial() bool { return r.conf.promisor != "" }
