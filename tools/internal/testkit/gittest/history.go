package gittest

// Branch makes a branch at HEAD and checks it out.
func (r *Repo) Branch(name string) { r.tb.Helper(); r.Git("checkout", "-q", "-b", name) }

// Checkout checks out a branch, or any other revision with a detached head.
func (r *Repo) Checkout(rev string) { r.tb.Helper(); r.Git("checkout", "-q", rev, "--") }

// Reset moves the branch, the index and the work tree to a revision.
func (r *Repo) Reset(rev string) { r.tb.Helper(); r.Git("reset", "-q", "--hard", rev) }

// Merge merges a branch with a merge commit, and returns that.
func (r *Repo) Merge(branch string) string {
	r.tb.Helper()
	return r.committed("merge", "-q", "--no-ff", "--no-edit", branch)
}

// Squash commits the changes of a branch as one commit with one parent.
func (r *Repo) Squash(branch, message string) string {
	r.tb.Helper()
	r.Git("merge", "-q", "--squash", branch)
	return r.committed("commit", "-q", "-m", message)
}

// Revert commits the opposite of a commit.
func (r *Repo) Revert(rev string) string {
	r.tb.Helper()
	return r.committed("revert", "--no-edit", rev)
}

// Rebase replays the branch that is checked out onto a revision.
func (r *Repo) Rebase(onto string) string {
	r.tb.Helper()
	return r.committed("rebase", "-q", onto)
}

// Push sends a branch to origin.
func (r *Repo) Push(branch string) { r.tb.Helper(); r.Git("push", "-q", "origin", branch) }

// ForcePush sends a branch to origin, whatever that holds.
func (r *Repo) ForcePush(branch string) {
	r.tb.Helper()
	r.Git("push", "-q", "--force", "origin", branch)
}

// Pull makes the branch that is checked out what origin has for it, as CI
// runners do: by fetch and reset.
func (r *Repo) Pull(branch string) {
	r.tb.Helper()
	r.Git("fetch", "-q", "origin", branch)
	r.Reset("FETCH_HEAD")
}
