// Package gittest builds real temporary git repositories with the git program.
// Authors, committers and dates are fixed, so equal steps give equal commit
// ids on every machine; the caller's configuration and environment are left out.
// A step that fails ends the test.
package gittest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Epoch is the commit time of a repository's first commit, in Unix seconds.
// Each further commit is a minute later.
const Epoch = 1700000000

const config = `[user]
	name = Tester
	email = tester@example.com
[init]
	defaultBranch = main
[protocol "file"]
	allow = always
[uploadpack]
	allowFilter = true
	allowAnySHA1InWant = true
[advice]
	detachedHead = false
[gc]
	auto = 0
[maintenance]
	auto = false
`

// Repo is a repository on disk. Clones, worktrees and submodules made from it
// are removed with the test that owns it.
type Repo struct {
	Dir string // work tree, or the git folder of a bare repository

	tb      testing.TB
	env     []string
	commits int // made so far: the clock of the next one
}

// Env returns an environment in which the git program finds no configuration
// but what tests need: file transport for submodules, and partial clones.
func Env(tb testing.TB) []string {
	tb.Helper()
	home := tb.TempDir()
	file := filepath.Join(home, "gitconfig")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		tb.Fatal(err)
	}
	return []string{
		"PATH=" + path(), "HOME=" + home, "LC_ALL=C", "TZ=UTC",
		"GIT_CONFIG_GLOBAL=" + file, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
	}
}

func path() string {
	for _, kv := range new(exec.Cmd).Environ() {
		if value, ok := strings.CutPrefix(kv, "PATH="); ok {
			return value
		}
	}
	return ""
}

// New makes an empty repository on the unborn branch main. Arguments are
// git init's, e.g. "--object-format=sha256".
func New(tb testing.TB, args ...string) *Repo {
	tb.Helper()
	r := &Repo{Dir: filepath.Join(tb.TempDir(), "repo"), tb: tb, env: Env(tb)}
	r.run("", append(append([]string{"init", "-q"}, args...), "--", r.Dir)...)
	return r
}

// at returns a repository that shares r's settings and clock.
func (r *Repo) at(dir string) *Repo {
	return &Repo{Dir: dir, tb: r.tb, env: r.env, commits: r.commits}
}

// Env is the environment that r's own git commands run in, without dates.
func (r *Repo) Env() []string { return append([]string(nil), r.env...) }

// URL is the address of r as a remote that goes through git's transport, as
// shallow and partial clones need.
func (r *Repo) URL() string { return "file://" + r.Dir }

// Git runs git in r and returns its standard output without the last newline.
func (r *Repo) Git(args ...string) string {
	r.tb.Helper()
	return r.run(r.Dir, args...)
}

// Input is Git with a standard input.
func (r *Repo) Input(stdin string, args ...string) string {
	r.tb.Helper()
	return r.exec(r.Dir, stdin, args)
}

func (r *Repo) run(dir string, args ...string) string {
	r.tb.Helper()
	return r.exec(dir, "", args)
}

func (r *Repo) exec(dir, stdin string, args []string) string {
	r.tb.Helper()
	date := strconv.Itoa(Epoch+60*r.commits) + " +0000"
	cmd := exec.CommandContext(r.tb.Context(), "git", args...)
	cmd.Dir = dir
	cmd.Env = append(r.Env(), "GIT_AUTHOR_DATE="+date, "GIT_COMMITTER_DATE="+date)
	cmd.Stdin = strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		r.tb.Fatalf("git %q in %s: %v\n%s%s", args, dir, err, stdout.String(), stderr.String())
	}
	return strings.TrimSuffix(stdout.String(), "\n")
}

// Head returns the id of HEAD's commit.
func (r *Repo) Head() string { r.tb.Helper(); return r.ID("HEAD^{commit}") }

// ID returns the object id that a revision expression names.
func (r *Repo) ID(rev string) string {
	r.tb.Helper()
	return r.Git("rev-parse", "--verify", rev)
}

// Commit records the whole work tree, ignored files left out, and returns the
// new commit's id. A commit without changes is made too.
func (r *Repo) Commit(message string) string {
	r.tb.Helper()
	r.Git("add", "-A")
	return r.committed("commit", "-q", "--allow-empty", "-m", message)
}

// Amend replaces HEAD's commit by one of the work tree as it is.
func (r *Repo) Amend(message string) string {
	r.tb.Helper()
	r.Git("add", "-A")
	return r.committed("commit", "-q", "--allow-empty", "--amend", "-m", message)
}

// committed runs a git command that makes a commit, and moves the clock on.
func (r *Repo) committed(args ...string) string {
	r.tb.Helper()
	r.Git(args...)
	r.commits++
	return r.Head()
}
