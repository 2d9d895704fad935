package gitrepo_test

import (
	"testing"

	"slipway/tools/gitrepo"
	"slipway/tools/internal/testkit/gittest"
)

func TestBranchAndDefaultBranch(t *testing.T) {
	g := sample(t)
	onTopic := g.Clone()
	onTopic.Branch("feature/ü")
	detached := g.Clone()
	detached.Checkout("HEAD~0")
	develop := sample(t)
	develop.Git("branch", "-m", "develop")
	packed := g.Clone()
	packed.Git("pack-refs", "--all")
	master := sample(t)
	master.Git("branch", "-m", "master")
	noHead := g.Clone()
	noHead.Git("remote", "set-head", "origin", "--delete")
	noHead.Checkout("HEAD~0")
	noHead.Git("branch", "-D", "main")
	linked := develop.Clone().Worktree("HEAD")
	tests := map[string]struct {
		repo           *gittest.Repo
		branch, normal string
	}{
		"no remote":           {g, "main", "main"},
		"on another branch":   {onTopic, "feature/ü", "main"},
		"detached":            {detached, "", "main"},
		"origin's head":       {develop.Clone(), "develop", "develop"},
		"packed references":   {packed, "main", "main"},
		"neither of both":     {develop, "develop", ""},
		"master":              {master, "master", "master"},
		"only origin's":       {noHead, "", "main"},
		"linked worktree":     {linked, "", "develop"},
		"bare":                {develop.Bare(), "develop", ""},
		"shallow, no history": {develop.Clone("--depth=1"), "develop", "develop"},
	}
	for name, test := range tests {
		for backend, env := range map[string][]string{"git": test.repo.Env(), "library": noGit(t)} {
			t.Run(name+"/"+backend, func(t *testing.T) {
				r := openEnv(t, test.repo.Dir, env)
				if got, err := r.Branch(t.Context()); err != nil || got != test.branch {
					t.Errorf("branch %q, %v; want %q", got, err, test.branch)
				}
				if got, err := r.DefaultBranch(t.Context()); err != nil || got != test.normal {
					t.Errorf("default branch %q, %v; want %q", got, err, test.normal)
				}
			})
		}
	}
}

func TestRemoteURL(t *testing.T) {
	tests := map[string]struct {
		remotes map[string]string
		want    string
	}{
		"none":        {nil, ""},
		"origin":      {map[string]string{"origin": "https://example.com/a.git", "fork": "https://example.com/b.git"}, "https://example.com/a.git"},
		"the only":    {map[string]string{"upstream": "git@example.com:a/b.git"}, "git@example.com:a/b.git"},
		"no favorite": {map[string]string{"a": "https://example.com/a", "b": "https://example.com/b"}, ""},
		"credentials": {map[string]string{"origin": "https://x-token:s3cr3t@example.com/a.git"}, "https://example.com/a.git"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			g := gittest.New(t)
			for remote, url := range test.remotes {
				g.Git("remote", "add", remote, url)
			}
			for _, r := range []*gitrepo.Repo{open(t, g, g.Dir), openEnv(t, g.Dir, noGit(t))} {
				if got, err := r.RemoteURL(t.Context()); err != nil || got != test.want {
					t.Errorf("%q, %v; want %q", got, err, test.want)
				}
			}
		})
	}
}
