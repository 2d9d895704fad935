package gittest

import "path/filepath"

// Clone clones r through git's transport. Arguments are git clone's, e.g.
// "--depth=1", "--filter=blob:none", "--filter=tree:0", "--recurse-submodules".
func (r *Repo) Clone(args ...string) *Repo {
	r.tb.Helper()
	c := r.at(filepath.Join(r.tb.TempDir(), "clone"))
	c.run("", append(append([]string{"clone", "-q"}, args...), "--", r.URL(), c.Dir)...)
	return c
}

// Bare makes a bare clone, for others to push to.
func (r *Repo) Bare() *Repo {
	r.tb.Helper()
	return r.Clone("--bare")
}

// Worktree adds a linked work tree with a revision checked out, head detached.
func (r *Repo) Worktree(rev string) *Repo {
	r.tb.Helper()
	w := r.at(filepath.Join(r.tb.TempDir(), "worktree"))
	r.Git("worktree", "add", "-q", "--detach", w.Dir, rev)
	return w
}

// AddSubmodule adds the repository at url, which may be relative to r's
// origin, as a submodule at path, and returns its checkout. It is not committed.
func (r *Repo) AddSubmodule(url, path string) *Repo {
	r.tb.Helper()
	r.Git("submodule", "--quiet", "add", "--", url, path)
	return r.at(r.Path(path))
}

// UpdateSubmodules fetches and checks out all submodules, nested ones too.
func (r *Repo) UpdateSubmodules() {
	r.tb.Helper()
	r.Git("submodule", "--quiet", "update", "--init", "--recursive")
}
