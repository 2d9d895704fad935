package contenthash_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"slipway/manifest"
	"slipway/tools/contenthash"
	"slipway/tools/internal/testkit/gittest"
)

// change is what a test does to the sample, in the work tree and in the manifest.
type change struct {
	tb   testing.TB
	repo *gittest.Repo
	manifest.Manifest
	platform string
	aliases  map[string]string
}

func (c *change) web() *manifest.Project { return c.Projects["web"] }

// newSample has projects that use each other in all scopes, a Dockerfile outside of
// all patterns, one behind a symbolic link, and a submodule.
func newSample(tb testing.TB) *gittest.Repo {
	tb.Helper()
	lib := gittest.New(tb)
	lib.Write("a.c", "1\n")
	lib.Commit("one")
	r := gittest.New(tb)
	for _, path := range []string{
		"base/Dockerfile", "side/Dockerfile", "apps/web/main.go", "apps/web/other.go", "apps/api/main.go", "libs/a", "README",
		"docker/web", "docker/api", "docker/new",
	} {
		r.Write(path, "content of "+path)
	}
	r.Symlink("main.go", "apps/web/link")
	r.Symlink("../../docker/api", "apps/api/Dockerfile")
	r.AddSubmodule(lib.URL(), "libs/sub")
	r.Commit("sample")
	return r
}

func sampleManifest() manifest.Manifest {
	need := func(names ...string) (deps []manifest.Dependency) {
		for _, name := range names {
			deps = append(deps, manifest.Dependency{Name: name})
		}
		return deps
	}
	projects := map[string]*manifest.Project{
		"base": {BuildDir: "base", Dockerfile: "base/Dockerfile", RebuildPatterns: []string{"^base/"}},
		"side": {BuildDir: "side", Dockerfile: "side/Dockerfile", RebuildPatterns: []string{"^side/"}},
		"web": {
			BuildDir: ".", Dockerfile: "docker/web", RebuildPatterns: []string{"^apps/web/", "^libs/"}, Hermetic: true,
			Dependencies: manifest.Dependencies{Compile: need("base"), Runtime: need("side"), Test: need("side")},
		},
		"api": {
			BuildDir: "apps/api", Dockerfile: "apps/api/Dockerfile", RebuildPatterns: []string{"^apps/api/main"},
			Dependencies: manifest.Dependencies{Build: need("base")},
		},
	}
	for name, p := range projects {
		p.Name, p.Network, p.Interface = name, "default", "1.0"
	}
	return manifest.Manifest{Projects: projects, Registry: manifest.Registry{Deploy: "ghcr.io/acme"}}
}

// pins says which of the aliases a Dockerfile of the sample uses.
func (c *change) pins(dockerfile []byte) ([]contenthash.Pin, error) {
	var pins []contenthash.Pin
	for from, to := range c.aliases {
		if bytes.Contains(dockerfile, []byte(from)) {
			pins = append(pins, contenthash.Pin{Reference: from, Target: to})
		}
	}
	return pins, nil
}

// hashes gives the content hash of every project at HEAD.
func (c *change) hashes(tb testing.TB) map[string]contenthash.Hash {
	tb.Helper()
	tree, _ := snapshot(tb, c.repo)
	h := contenthash.NewHasher(tree, &c.Manifest, contenthash.Options{HostPlatform: c.platform, Pins: c.pins})
	all := map[string]contenthash.Hash{}
	for name := range c.Projects {
		hash, err := h.Hash(tb.Context(), name)
		if err != nil {
			tb.Fatal(err)
		}
		all[name] = hash
	}
	return all
}

func TestWhatChangesAHash(t *testing.T) {
	const all = "api base side web"
	tests := map[string]struct {
		change func(*change)
		want   string // the projects whose hash becomes another, sorted
	}{
		"nothing":                              {func(*change) {}, ""},
		"an unrelated file":                    {func(c *change) { c.repo.Write("README", "new") }, ""},
		"a file":                               {func(c *change) { c.repo.Write("apps/web/main.go", "new") }, "web"},
		"a new file":                           {func(c *change) { c.repo.Write("apps/web/new.go", "new") }, "web"},
		"an empty new file":                    {func(c *change) { c.repo.Write("libs/ ", "") }, "web"},
		"a file removed":                       {func(c *change) { c.repo.Remove("apps/web/other.go") }, "web"},
		"a rename":                             {func(c *change) { c.repo.Rename("apps/web/main.go", "apps/web/x.go") }, "web"},
		"a chmod":                              {func(c *change) { c.repo.Chmod("apps/web/main.go", 0o755) }, "web"},
		"a link's target":                      {func(c *change) { c.repo.Remove("apps/web/link"); c.repo.Symlink("other.go", "apps/web/link") }, "web"},
		"a link made a file":                   {func(c *change) { c.repo.Remove("apps/web/link"); c.repo.Write("apps/web/link", "main.go") }, "web"},
		"a submodule's commit":                 {func(c *change) { c.submodule() }, "web"},
		"a file to another folder":             {func(c *change) { c.repo.Rename("apps/web/other.go", "libs/other.go") }, "web"},
		"a dependency":                         {func(c *change) { c.repo.Write("base/x", "") }, "api base web"},
		"a runtime dependency":                 {func(c *change) { c.repo.Write("side/x", "") }, "side"},
		"a Dockerfile outside of all patterns": {func(c *change) { c.repo.Write("docker/web", "new") }, "web"},
		"a Dockerfile behind a link":           {func(c *change) { c.repo.Write("docker/api", "new") }, "api"},
		"a Dockerfile's link": {func(c *change) {
			c.repo.Remove("apps/api/Dockerfile")
			c.repo.Symlink("../../docker/new", "apps/api/Dockerfile")
		}, "api"},
		"another Dockerfile":                {func(c *change) { c.web().Dockerfile = "docker/new" }, "web"},
		"no Dockerfile":                     {func(c *change) { c.repo.Remove("docker/web") }, "web"},
		"an ignore file":                    {func(c *change) { c.repo.Write(".dockerignore", "x") }, "web"},
		"an ignore file of another context": {func(c *change) { c.repo.Write("apps/api/.dockerignore", "x") }, "api"},
		"an ignore file of the Dockerfile":  {func(c *change) { c.repo.Write("docker/web.dockerignore", "x") }, "web"},
		"an ignore file that nobody reads":  {func(c *change) { c.repo.Write("docker/.dockerignore", "x") }, ""},
		"an empty ignore file":              {func(c *change) { c.repo.Write(".dockerignore", "") }, "web"},
		"buildDir":                          {func(c *change) { c.web().BuildDir = "apps" }, "web"},
		"hermetic":                          {func(c *change) { c.web().Hermetic = false }, "web"},
		"target":                            {func(c *change) { c.web().Target = "run" }, "web"},
		"network":                           {func(c *change) { c.web().Network = "none" }, "web"},
		"a build argument":                  {func(c *change) { c.web().BuildArgs = map[string]string{"A": ""} }, "web"},
		"platforms":                         {func(c *change) { c.web().Platforms = []string{"linux/arm64"} }, "web"},
		"platforms that are the host's":     {func(c *change) { c.web().Platforms = []string{"linux/amd64"} }, ""},
		"the host's platform":               {func(c *change) { c.platform = "linux/arm64" }, all},
		"a secret's id":                     {func(c *change) { c.web().Secrets["b"] = manifest.Secret{Env: "A"} }, "web"},
		"a secret's source":                 {func(c *change) { c.web().Secrets["a"] = manifest.Secret{File: "a"} }, ""},
		"a new dependency":                  {func(c *change) { c.web().Dependencies.Build = []manifest.Dependency{{Name: "side"}} }, "web"},
		"a dependency's scope": {func(c *change) {
			d := &c.web().Dependencies
			d.Build, d.Compile = d.Compile, nil
		}, ""},
		"no test dependency":        {func(c *change) { c.web().Dependencies.Test = nil }, ""},
		"no runtime dependency":     {func(c *change) { c.web().Dependencies.Runtime = nil }, ""},
		"a job":                     {func(c *change) { c.web().Jobs = map[string]*manifest.Job{"test": {}} }, ""},
		"a pattern of no file":      {func(c *change) { c.web().RebuildPatterns = append(c.web().RebuildPatterns, "^none/") }, ""},
		"a pattern inside another":  {func(c *change) { c.web().RebuildPatterns = append(c.web().RebuildPatterns, "^apps/web/main") }, ""},
		"patterns in another order": {func(c *change) { c.web().RebuildPatterns = []string{"^libs/", "^apps/web/"} }, ""},
		"where images go":           {func(c *change) { c.Registry.Cache = "ghcr.io/other" }, ""},
		"the names of dependencies": {func(c *change) { c.Registry.Deploy = "ghcr.io/other" }, "api web"},
		"a base image":              {func(c *change) { c.aliases["docker/web"] = "debian:13" }, "web"},
		"a base image less":         {func(c *change) { delete(c.aliases, "docker/web") }, "web"},
		"a base image of nobody":    {func(c *change) { c.aliases["unused"] = "debian:13" }, ""},
	}
	repo := newSample(t)
	base := repo.Head()
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			repo.Reset(base)
			c := &change{tb: t, repo: repo, Manifest: sampleManifest(), platform: "linux/amd64", aliases: map[string]string{"docker/web": "debian:12"}}
			c.web().Secrets = map[string]manifest.Secret{"a": {Env: "A"}}
			before := c.hashes(t)
			test.change(c)
			repo.Commit("change")
			var changed []string
			after := c.hashes(t)
			for _, project := range strings.Fields(all) {
				if before[project] != after[project] {
					changed = append(changed, project)
				}
			}
			if got := strings.Join(changed, " "); got != test.want {
				t.Errorf("the hashes of %q changed, want %q", got, test.want)
			}
		})
	}
}

// submodule checks another commit out in the submodule, until the test's end.
func (c *change) submodule() {
	base := c.repo.Head()
	c.tb.Cleanup(func() {
		c.repo.Reset(base)
		c.repo.UpdateSubmodules()
	})
	c.repo.UpdateSubmodules() // a test before may have removed it
	c.repo.Git("-C", "libs/sub", "commit", "-q", "--allow-empty", "-m", "two")
}

// A submodule's files are not in the tree: its commit stands for all that a pattern
// may take of them.
func TestSubmoduleCountsWhereAPatternReaches(t *testing.T) {
	tests := map[string]bool{
		"^libs/": true, "^libs/sub$": true, "^libs/sub/": true, "^libs/sub/a.c$": true, "^libs/sub/src/deep/": true, `\.c$`: true, "sub": true,
		"^libs/subs/": false, "^libs/a$": false, "^apps/": false, "^src/": false,
	}
	repo := newSample(t)
	for expr, want := range tests {
		t.Run(expr, func(t *testing.T) {
			c := &change{tb: t, repo: repo, Manifest: sampleManifest()}
			c.web().RebuildPatterns = []string{expr}
			before := c.hashes(t)["web"]
			c.submodule()
			repo.Commit("submodule")
			if changed := c.hashes(t)["web"] != before; changed != want {
				t.Errorf("another commit of the submodule changes the hash: %v, want %v", changed, want)
			}
		})
	}
}

func TestUnmatchedPatterns(t *testing.T) {
	tree, objects := snapshot(t, newSample(t))
	m := sampleManifest()
	m.Projects["web"].RebuildPatterns = []string{"^nothing/", "^apps/", "^apps/web/", `\.rs$`, "^libs/sub/src/", "^README$", "^readme$"}
	h := contenthash.NewHasher(tree, &m, contenthash.Options{})
	if _, err := h.Hash(t.Context(), "web"); err != nil {
		t.Fatal(err)
	}
	read := objects.trees.Load()
	for project, want := range map[string][]string{"web": {"^nothing/", "^readme$"}, "base": nil} {
		got, err := h.Unmatched(t.Context(), project)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s, %v (-want +got):\n%s", project, err, diff)
		}
	}
	if now := objects.trees.Load(); now != read {
		t.Errorf("%d trees were read again", now-read)
	}
}

func TestHashIsTheSameInEveryRepositoryOfTheContent(t *testing.T) {
	m := sampleManifest()
	one := (&change{repo: newSample(t), Manifest: m}).hashes(t)
	other := (&change{repo: newSample(t), Manifest: m}).hashes(t)
	if diff := cmp.Diff(one, other); diff != "" {
		t.Errorf("two repositories (-one +other):\n%s", diff)
	}
}

func TestInputsReadEachDockerfileOnce(t *testing.T) {
	m := sampleManifest()
	m.Projects["base"].Dockerfile = "docker/web"
	calls := 0
	tree, objects := snapshot(t, newSample(t))
	h := contenthash.NewHasher(tree, &m, contenthash.Options{Pins: func([]byte) ([]contenthash.Pin, error) {
		calls++
		return nil, nil
	}})
	for range 2 {
		if _, err := h.Hash(t.Context(), "web"); err != nil {
			t.Fatal(err)
		}
	}
	if calls != 1 || objects.blobs.Load() != 1 {
		t.Errorf("one Dockerfile was read %d times and parsed %d times", objects.blobs.Load(), calls)
	}
}

func TestExternalDependencies(t *testing.T) {
	m := sampleManifest()
	m.Projects["web"].Dependencies.Compile = []manifest.Dependency{{Name: "base", Interface: "1.0"}}
	tree, _ := snapshot(t, newSample(t))
	_, err := contenthash.NewHasher(tree, &m, contenthash.Options{}).Hash(t.Context(), "web")
	var external *contenthash.ExternalError
	if !errors.As(err, &external) || external.Dependency.Name != "base" {
		t.Errorf("without a version set: %v, want an ExternalError", err)
	}
	hash := func(digest string) contenthash.Hash {
		pin := func(manifest.Dependency) (string, error) { return digest, nil }
		h, err := contenthash.NewHasher(tree, &m, contenthash.Options{External: pin}).Hash(t.Context(), "web")
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	if hash("sha256:1") == hash("sha256:2") {
		t.Error("two digests of a dependency give one hash")
	}
	broken := errors.New("broken")
	fail := func(manifest.Dependency) (string, error) { return "", broken }
	if _, err := contenthash.NewHasher(tree, &m, contenthash.Options{External: fail}).Hash(t.Context(), "web"); !errors.Is(err, broken) {
		t.Errorf("Hash = %v, want %v", err, broken)
	}
}

func TestHashTellsWhatIsWrong(t *testing.T) {
	broken := errors.New("broken")
	tests := map[string]struct {
		change func(*manifest.Manifest)
		pins   func([]byte) ([]contenthash.Pin, error)
		want   string
	}{
		"a pattern":     {func(m *manifest.Manifest) { m.Projects["web"].RebuildPatterns = []string{"("} }, nil, `hashing project "web": compiling pattern "("`},
		"a dependency":  {func(m *manifest.Manifest) { m.Projects["base"].RebuildPatterns = []string{"("} }, nil, `hashing project "base"`},
		"a Dockerfile":  {func(*manifest.Manifest) {}, func([]byte) ([]contenthash.Pin, error) { return nil, broken }, "reading base images of docker/web"},
		"a link astray": {func(m *manifest.Manifest) { m.Projects["web"].Dockerfile = "astray" }, nil, "leads out of the repository"},
	}
	repo := newSample(t)
	repo.Symlink("../outside", "astray")
	repo.Commit("astray")
	tree, _ := snapshot(t, repo)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m := sampleManifest()
			test.change(&m)
			hash, err := contenthash.NewHasher(tree, &m, contenthash.Options{Pins: test.pins}).Hash(t.Context(), "web")
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Hash = %q, %v, want the error %q", hash, err, test.want)
			}
		})
	}
}
