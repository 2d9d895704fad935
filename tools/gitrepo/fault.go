package gitrepo

import (
	"errors"
	"fmt"
	"strings"

	"slipway/tools/internal/proc"
)

// What a [Fault] is about, for errors.Is.
var (
	// ErrNotRepository: the folder is in no git repository, or in a broken one.
	ErrNotRepository = errors.New("not a git repository")
	// ErrUnborn: HEAD's branch has no commit yet.
	ErrUnborn = errors.New("no commit yet")
	// ErrMissing: an object is not in this clone, and could not be fetched.
	ErrMissing = errors.New("object missing")
	// ErrRevision: a revision expression names no commit.
	ErrRevision = errors.New("unknown revision")
	// ErrNoGit: the operation needs the git program, and there is none.
	ErrNoGit = errors.New("no git program")
	// ErrBare: the operation needs a work tree.
	ErrBare = errors.New("no work tree")
	// ErrSubmodule: there is no repository for a submodule.
	ErrSubmodule = errors.New("submodule not available")
	// ErrRefused: git does not trust the owner of the repository.
	ErrRefused = errors.New("repository refused")
)

// Fault is an error that a person can mend. It unwraps to one of the Err values.
type Fault struct {
	kind, cause error
	text, hint  string
}

func (f *Fault) Error() string {
	if f.cause != nil {
		return f.text + ": " + f.cause.Error()
	}
	return f.text
}

// Hint says what to do about it.
func (f *Fault) Hint() string { return f.hint }

// Unwrap returns what the fault is about, and its cause if there is one.
func (f *Fault) Unwrap() []error {
	if f.cause == nil {
		return []error{f.kind}
	}
	return []error{f.kind, f.cause}
}

func needsGit(doing string) error {
	return &Fault{kind: ErrNoGit, text: doing + ": no git program on PATH", hint: "install git"}
}

// missing is the error for an object that is not here.
func (r *Repo) missing(id string, cause error) error {
	f := &Fault{kind: ErrMissing, cause: cause, text: "object " + id + " is not in " + r.describe()}
	switch {
	case r.parent != nil:
		f.hint = "git -C " + quote(r.parent.place.root()) + " submodule update --init -- " + quote(r.mount)
	case r.Shallow():
		f.hint = "this clone is shallow: fetch more history (git fetch --unshallow; fetch-depth: 0 in GitHub Actions, GIT_DEPTH: 0 in GitLab)"
	case r.Partial():
		f.hint = "this is a partial clone: git must reach the remote " + quote(r.conf.promisor) + " to fetch what is missing"
	default:
		f.hint = "fetch it, or look for damage with git fsck"
	}
	return f
}

// unknown is the error for a revision expression that names no commit.
func (r *Repo) unknown(rev string, cause error) error {
	f := &Fault{kind: ErrRevision, cause: cause, text: fmt.Sprintf("revision %q names no commit of %s", rev, r.describe())}
	f.hint = "see git log and git branch --all; a branch of the server must be fetched first"
	if r.Shallow() {
		f.hint = "this clone is shallow: fetch more history (git fetch --unshallow), or the branch itself"
	}
	return f
}

func (r *Repo) unborn() error {
	return &Fault{kind: ErrUnborn, text: r.describe() + " has no commit yet", hint: "commit something first: only commits are built"}
}

func (r *Repo) describe() string { return "the repository " + r.place.root() }

// explain turns the complaint of a git program that no option of ours can
// prevent into a Fault; git has no other sign for it than its text.
func explain(err error, dir string) error {
	var failed *proc.Error
	if !errors.As(err, &failed) {
		return err
	}
	if s := failed.Stderr; strings.Contains(s, "dubious ownership") || strings.Contains(s, "unsafe repository") {
		return &Fault{kind: ErrRefused, cause: err, text: "git refuses " + dir + ", because another user owns it",
			hint: "if you trust it: git config --global --add safe.directory " + quote(dir)}
	}
	if strings.Contains(failed.Stderr, "safe.bareRepository") {
		return &Fault{kind: ErrRefused, cause: err, text: "git refuses the bare repository " + dir,
			hint: "set safe.bareRepository to all, or use a clone with a work tree"}
	}
	return err
}

// quote writes s for a hint, so that a shell reads it back as one word.
func quote(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
