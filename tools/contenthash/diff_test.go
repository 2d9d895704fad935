package contenthash_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"slipway/manifest"
	"slipway/tools/contenthash"
	"slipway/tools/gitrepo"
)

func TestDiff(t *testing.T) {
	tests := map[string]struct {
		change func(*change)
		want   []string
	}{
		"nothing":            {func(*change) {}, nil},
		"files of a folder":  {func(c *change) { c.repo.Write("apps/web/main.go", "x"); c.repo.Write("apps/web/n/a", "") }, []string{"apps/web/main.go", "apps/web/n added"}},
		"a deep file":        {func(c *change) { c.repo.Write("libs/d/e/f", "x") }, []string{"libs/d added"}},
		"a rename":           {func(c *change) { c.repo.Rename("apps/web/main.go", "apps/web/z") }, []string{"apps/web/main.go removed", "apps/web/z added"}},
		"a mode":             {func(c *change) { c.repo.Chmod("libs/a", 0o755) }, []string{"mode of libs/a"}},
		"a folder as a file": {func(c *change) { c.repo.Remove("libs"); c.repo.Write("libs/sub", "x") }, []string{"libs/a removed", "libs/sub"}},
		"all of a folder":    {func(c *change) { c.repo.Remove("apps/web") }, []string{"apps/web removed"}},
		"a submodule":        {func(c *change) { c.submodule() }, []string{"libs/sub"}},
		"a Dockerfile":       {func(c *change) { c.repo.Write("docker/web", "x docker/web") }, []string{"docker/web"}},
		"a Dockerfile among the files": {func(c *change) {
			c.web().RebuildPatterns = append(c.web().RebuildPatterns, "^docker/web$")
			c.repo.Write("docker/web", "x docker/web")
		}, []string{"docker/web added"}},
		"an ignore file": {func(c *change) { c.repo.Write(".dockerignore", "x") }, []string{".dockerignore added"}},
		"arguments": {func(c *change) { c.web().BuildArgs = map[string]string{"A": "2", "C": ""} },
			[]string{"argument A", "argument B", "argument C"}},
		"definitions": {func(c *change) {
			w := c.web()
			w.BuildDir, w.Hermetic, w.Target, w.Network = "apps", false, "x", "none"
			w.Platforms, w.Secrets, c.Registry.Deploy = []string{"linux/arm64"}, map[string]manifest.Secret{"s": {}}, "ghcr.io/other"
		}, []string{
			"definition buildDir", "definition hermetic", "definition target", "definition network", "definition platforms",
			"definition registry.deploy", "definition secrets",
		}},
		"dependencies": {func(c *change) {
			c.repo.Write("base/x", "")
			c.web().Dependencies.Build = []manifest.Dependency{{Name: "side"}}
		}, []string{"dependency base", "dependency side"}},
		"base images": {func(c *change) { c.aliases["docker/web"] = "debian:13" }, []string{"base image docker/web"}},
	}
	repo := newSample(t)
	base := repo.Head()
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			repo.Reset(base)
			c := &change{tb: t, repo: repo, Manifest: sampleManifest(), aliases: map[string]string{"docker/web": "debian:12"}}
			c.web().BuildArgs = map[string]string{"A": "1", "B": ""}
			before, _ := c.inputs(t)
			test.change(c)
			repo.Commit("change")
			after, objects := c.inputs(t)
			changes, err := contenthash.Diff(t.Context(), objects, before, after)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, change := range changes {
				got = append(got, change.String())
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("Diff (-want +got):\n%s", diff)
			}
		})
	}
}

// inputs are those of web at HEAD.
func (c *change) inputs(tb testing.TB) (contenthash.Inputs, contenthash.Objects) {
	tb.Helper()
	tree, objects := snapshot(tb, c.repo)
	h := contenthash.NewHasher(tree, &c.Manifest, contenthash.Options{Pins: c.pins})
	in, err := h.Inputs(tb.Context(), "web")
	if err != nil {
		tb.Fatal(err)
	}
	return in, objects
}

func TestDiffReadsOnlyFoldersThatDiffer(t *testing.T) {
	repo := bigRepo(t, 30)
	m := &manifest.Manifest{Projects: map[string]*manifest.Project{"all": {Name: "all", RebuildPatterns: []string{""}}}}
	inputs := func() (contenthash.Inputs, *counting) {
		tree, objects := snapshot(t, repo)
		in, err := contenthash.NewHasher(tree, m, contenthash.Options{}).Inputs(t.Context(), "all")
		if err != nil {
			t.Fatal(err)
		}
		return in, objects
	}
	before, _ := inputs()
	repo.Write("apps/p7/src/f0", "x")
	repo.Commit("change")
	after, objects := inputs()
	read := objects.trees.Load()
	changes, err := contenthash.Diff(t.Context(), objects, before, after)
	if err != nil || len(changes) != 1 || !changes[0].IsFile() || changes[0].What != "apps/p7/src/f0" {
		t.Errorf("Diff = %v, %v", changes, err)
	}
	// The root, apps, p7 and src, before and after.
	if read = objects.trees.Load() - read; read != 8 {
		t.Errorf("Diff read %d trees, want 8", read)
	}
}

func TestDiffWithoutTheTreesIsAnError(t *testing.T) {
	tree := func(id gitrepo.ObjectID) contenthash.Inputs {
		return contenthash.Inputs{Files: []contenthash.Entry{{Path: "a", Mode: gitrepo.ModeTree, ID: id}}}
	}
	repo := open(t, bigRepo(t, 1))
	_, err := contenthash.Diff(t.Context(), repo, tree("1111111111111111111111111111111111111111"), tree("2222222222222222222222222222222222222222"))
	if err == nil {
		t.Error("Diff of trees that are not there gives no error")
	}
}
