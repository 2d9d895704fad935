package workspace_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"slipway/manifest"
	"slipway/tools/gitrepo"
	"slipway/tools/internal/testkit/gittest"
	"slipway/tools/workspace"
)

const sampleManifest = `{"version": 1, "name": "acme", "projects": {
	"base": {"buildDir": "base"},
	"web": {"buildDir": "web", "dependencies": ["base"]},
	"side": {"buildDir": "side"}
}}`

const legacyManifest = `{
	"old": {"buildDir": "old", "dependencies": "deps.sh"},
	"base": {"buildDir": "base", "rebuildPatterns": ["^base/Dockerfile"]}
}`

// newRepo has a folder with a Dockerfile for each project.
func newRepo(tb testing.TB, text string) *gittest.Repo {
	tb.Helper()
	r := gittest.New(tb)
	for _, name := range []string{"base", "web", "side", "old"} {
		r.Write(name+"/Dockerfile", "FROM debian:12\n")
	}
	r.WriteMode("old/deps.sh", "#!/bin/sh\necho base\n", 0o755)
	if text != "" {
		r.Write("build_manifest.json", text)
	}
	r.Commit("sample")
	return r
}

func open(tb testing.TB, r *gittest.Repo, o workspace.Options) (*workspace.Workspace, error) {
	tb.Helper()
	repo, err := gitrepo.Open(tb.Context(), gitrepo.Options{Dir: r.Dir, Env: r.Env()})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = repo.Close() })
	return workspace.Open(tb.Context(), repo, o)
}

func mustOpen(tb testing.TB, r *gittest.Repo, o workspace.Options) *workspace.Workspace {
	tb.Helper()
	w, err := open(tb, r, o)
	if err != nil {
		tb.Fatal(err)
	}
	return w
}

// dirtyOnes names the projects whose hash is marked dirty, and holds the others to
// the commit's.
func dirtyOnes(tb testing.TB, r *gittest.Repo) string {
	tb.Helper()
	dirty, clean := mustOpen(tb, r, workspace.Options{Dirty: true}), mustOpen(tb, r, workspace.Options{})
	var names []string
	for _, name := range dirty.Manifest.Order() {
		hash, err := dirty.Hash(tb.Context(), name)
		if err != nil {
			tb.Fatal(err)
		}
		if hash.Dirty() {
			names = append(names, name)
			continue
		}
		if committed, err := clean.Hash(tb.Context(), name); err != nil || committed != hash {
			tb.Errorf("%s has the hash %s, and in its commit %s, %v", name, hash, committed, err)
		}
	}
	return strings.Join(names, " ")
}

func TestDirty(t *testing.T) {
	tests := map[string]struct {
		change func(*gittest.Repo)
		want   string // projects with a dirty hash
	}{
		"nothing":                      {func(*gittest.Repo) {}, ""},
		"a file of nobody":             {func(r *gittest.Repo) { r.Write("README", "x") }, ""},
		"a file":                       {func(r *gittest.Repo) { r.Write("web/Dockerfile", "FROM x\n") }, "web"},
		"a mode":                       {func(r *gittest.Repo) { r.Chmod("web/Dockerfile", 0o755) }, "web"},
		"an untracked file":            {func(r *gittest.Repo) { r.Write("web/new", "") }, "web"},
		"a staged file":                {func(r *gittest.Repo) { r.Write("web/new", ""); r.Git("add", "-A") }, "web"},
		"a file removed":               {func(r *gittest.Repo) { r.Remove("web/Dockerfile") }, "web"},
		"an ignored file":              {func(r *gittest.Repo) { r.Write(".git/info/exclude", "*.o\n"); r.Write("web/x.o", "") }, ""},
		"a dependency":                 {func(r *gittest.Repo) { r.Write("base/x", "") }, "base web"},
		"the manifest":                 {func(r *gittest.Repo) { edit(r, `"buildDir": "side"`, `"buildDir": "side", "target": "x"`) }, "side"},
		"the manifest, but no meaning": {func(r *gittest.Repo) { edit(r, "\t", "  ") }, ""},
		"a new project": {func(r *gittest.Repo) {
			edit(r, `"side":`, `"new": {"buildDir": "new"}, "side":`)
			r.Write("new/Dockerfile", "FROM x\n")
		}, "new"},
		"a commit whose manifest is broken": {func(r *gittest.Repo) {
			edit(r, `"version": 1`, `"version": 7`)
			r.Commit("broken")
			edit(r, `"version": 7`, `"version": 1`)
		}, "base side web"},
		"a commit without a manifest": {func(r *gittest.Repo) {
			r.Git("rm", "-q", "--cached", "build_manifest.json")
			r.Git("commit", "-q", "-m", "gone")
		}, "base side web"},
		"a commit one of whose projects is broken": {func(r *gittest.Repo) {
			r.Remove("side/Dockerfile")
			r.Symlink("../../outside", "side/Dockerfile")
			r.Commit("broken")
			r.Remove("side/Dockerfile")
			r.Write("side/Dockerfile", "FROM x\n")
		}, "side"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRepo(t, sampleManifest)
			test.change(r)
			if strings.HasPrefix(name, "a commit") { // there is no clean workspace to compare with
				w := mustOpen(t, r, workspace.Options{Dirty: true})
				for _, project := range w.Manifest.Order() {
					hash, err := w.Hash(t.Context(), project)
					if err != nil || hash.Dirty() != strings.Contains(test.want, project) {
						t.Errorf("%s has the hash %s, %v", project, hash, err)
					}
				}
				return
			}
			if got := dirtyOnes(t, r); got != test.want {
				t.Errorf("the dirty projects are %q, want %q", got, test.want)
			}
		})
	}
}

// A build that is not hermetic sees the whole folder. What was built from a folder
// with uncommitted changes must not be recorded for the commit's hash.
func TestDirtyFolderOfABuildThatIsNotHermetic(t *testing.T) {
	r := newRepo(t, legacyManifest)
	script := func(context.Context, string, string) ([]byte, error) { return nil, nil }
	r.Write("base/not-in-a-pattern", "x")
	w := mustOpen(t, r, workspace.Options{Dirty: true, Script: script})
	if hash, err := w.Hash(t.Context(), "base"); err != nil || !hash.Dirty() {
		t.Errorf("Hash = %s, %v, want a dirty one", hash, err)
	}
	if hash, err := w.Hash(t.Context(), "old"); err != nil || hash.Dirty() {
		t.Errorf("Hash = %s, %v, want a clean one", hash, err)
	}
}

// A build sees the images of its dependencies: what goes into one from
// uncommitted changes goes into all that are made from it, also where no hash
// tells.
func TestDirtyDependencyOfACleanProject(t *testing.T) {
	const text = `{
		"base": {"buildDir": "base", "rebuildPatterns": ["^base/Dockerfile"]},
		"web": {"buildDir": "web", "dependencies": ["base"]},
		"old": {"buildDir": "old", "dependencies": ["side", "web"]},
		"side": {"buildDir": "side", "runDependencies": ["base"]}
	}`
	r := newRepo(t, text)
	r.Write("base/extra", "clean")
	r.Commit("extra")
	r.Write("base/extra", "dirty")
	if got := dirtyOnes(t, r); got != "base web old" {
		t.Errorf("the dirty projects are %q, want base and what is made from it", got)
	}
	r.Write("base/extra", "clean")
	if got := dirtyOnes(t, r); got != "" {
		t.Errorf("the dirty projects of a clean work tree are %q", got)
	}
}

// Every project is looked at once, however many ways lead to it.
func TestDirtyLadder(t *testing.T) {
	projects := []string{`"p0": {"buildDir": "base"}`, `"q0": {"buildDir": "base"}`}
	for i := range 40 {
		projects = append(projects, fmt.Sprintf(`"p%d": {"buildDir": "web", "dependencies": ["p%d", "q%d"]}`, i+1, i, i),
			fmt.Sprintf(`"q%d": {"buildDir": "web", "dependencies": ["p%d", "q%d"]}`, i+1, i, i))
	}
	r := newRepo(t, "{"+strings.Join(projects, ",")+"}")
	r.Write("README", "x")
	if got := dirtyOnes(t, r); got != "" {
		t.Errorf("the dirty projects are %q", got)
	}
}

func edit(r *gittest.Repo, from, to string) {
	content := r.Git("cat-file", "blob", "HEAD:build_manifest.json")
	r.Write("build_manifest.json", strings.ReplaceAll(content, from, to))
}

func TestManifestIsTheCommits(t *testing.T) {
	r := newRepo(t, sampleManifest)
	clean := mustOpen(t, r, workspace.Options{})
	first := r.Head()
	edit(r, `"side"`, `"other"`)
	if diff := cmp.Diff(clean.Manifest.Order(), mustOpen(t, r, workspace.Options{}).Manifest.Order()); diff != "" {
		t.Errorf("an uncommitted manifest was read (-want +got):\n%s", diff)
	}
	if mustOpen(t, r, workspace.Options{Dirty: true}).Manifest.Projects["other"] == nil {
		t.Error("--dirty does not read the work tree's manifest")
	}
	r.Commit("other")
	if mustOpen(t, r, workspace.Options{Rev: first}).Manifest.Projects["side"] == nil {
		t.Error("an older commit is not read with its own manifest")
	}
	r.Remove("build_manifest.json")
	if mustOpen(t, r, workspace.Options{}).Manifest.Projects["other"] == nil {
		t.Error("a manifest removed from the work tree is not read from the commit")
	}
}

func TestWhichManifest(t *testing.T) {
	tests := map[string]struct {
		files  []string
		choose string
		want   string // the file, or a part of the error
		usage  bool
	}{
		"the usual one": {files: []string{"build_manifest.json"}, want: "build_manifest.json"},
		"in YAML":       {files: []string{"build_manifest.yaml"}, want: "build_manifest.yaml"},
		"in YML":        {files: []string{"build_manifest.yml"}, want: "build_manifest.yml"},
		"another":       {files: []string{"ci/m.json"}, choose: "./ci/m.json", want: "ci/m.json"},
		"one of two":    {files: []string{"build_manifest.json", "m.json"}, choose: "m.json", want: "m.json"},
		"a link":        {files: []string{"link"}, want: "build_manifest.json"},
		"none":          {want: "no manifest in commit", usage: true},
		"two":           {files: []string{"build_manifest.json", "build_manifest.yml"}, want: "build_manifest.json and build_manifest.yml are both there", usage: true},
		"not that one":  {files: []string{"build_manifest.json"}, choose: "m.json", want: "looked for m.json", usage: true},
		"a folder":      {files: []string{"build_manifest.json/x"}, want: "no manifest in commit", usage: true},
		"outside":       {files: []string{"build_manifest.json"}, choose: "../m.json", want: `manifest "../m.json": the path leaves the repository`, usage: true},
		"far outside":   {files: []string{"build_manifest.json"}, choose: "ci/../../../etc/passwd", want: "leaves the repository", usage: true},
		"absolute":      {files: []string{"build_manifest.json"}, choose: "/build_manifest.json", want: `manifest "/build_manifest.json": the path is absolute`, usage: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := gittest.New(t)
			r.Write("README", "x")
			for _, file := range test.files {
				if file == "link" {
					r.Symlink("elsewhere.json", "build_manifest.json")
					file = "elsewhere.json"
				}
				r.Write(file, sampleManifest)
			}
			r.Commit("manifests")
			w, err := open(t, r, workspace.Options{Manifest: test.choose})
			if !test.usage {
				if err != nil || w.Manifest.File != test.want {
					t.Errorf("Open = %v, %v, want the manifest %s", w, err, test.want)
				}
				return
			}
			var usage interface{ Usage() bool }
			if err == nil || !strings.Contains(err.Error(), test.want) || !errors.As(err, &usage) || !usage.Usage() {
				t.Errorf("Open = %v, want a usage error with %q", err, test.want)
			}
		})
	}
}

func TestFaultsOfTheManifestCome(t *testing.T) {
	r := newRepo(t, `{"version": 1, "name": "acme", "projects": {"web": {}}}`)
	_, err := open(t, r, workspace.Options{})
	var faults manifest.Faults
	if !errors.As(err, &faults) {
		t.Errorf("Open = %v, want Faults", err)
	}
}

func TestBareRepository(t *testing.T) {
	r := newRepo(t, sampleManifest)
	bare := r.Bare()
	want, err := mustOpen(t, r, workspace.Options{}).Hash(t.Context(), "web")
	if err != nil {
		t.Fatal(err)
	}
	w := mustOpen(t, bare, workspace.Options{})
	if got, err := w.Hash(t.Context(), "web"); err != nil || got != want {
		t.Errorf("Hash = %s, %v, want %s", got, err, want)
	}
	if _, err := open(t, bare, workspace.Options{Dirty: true}); !errors.Is(err, gitrepo.ErrBare) {
		t.Errorf("a dirty work tree of a bare repository: %v, want ErrBare", err)
	}
	legacy := newRepo(t, legacyManifest).Bare()
	if _, err := open(t, legacy, workspace.Options{Script: runNothing}); err == nil || !strings.Contains(err.Error(), "no work tree") {
		t.Errorf("a script of a bare repository: %v", err)
	}
}

func runNothing(context.Context, string, string) ([]byte, error) { return nil, nil }

func TestScripts(t *testing.T) {
	var ran []string
	run := func(_ context.Context, workTree, path string) ([]byte, error) {
		content, err := os.ReadFile(filepath.Join(workTree, path))
		ran = append(ran, path+": "+string(content))
		return []byte("base\n"), err
	}
	r := newRepo(t, legacyManifest)
	w := mustOpen(t, r, workspace.Options{Script: run})
	if diff := cmp.Diff([]string{"old/deps.sh: #!/bin/sh\necho base\n"}, ran); diff != "" {
		t.Errorf("scripts that ran (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]manifest.Dependency{{Name: "base"}}, w.Manifest.Projects["old"].Dependencies.Compile); diff != "" {
		t.Errorf("dependencies (-want +got):\n%s", diff)
	}
	if _, err := open(t, r, workspace.Options{}); err == nil {
		t.Error("a script ran though none may")
	}
	// What the work tree has now is not what the commit says.
	first := r.Head()
	for name, change := range map[string]func(){
		"changed": func() { r.Write("old/deps.sh", "#!/bin/sh\necho side\n") },
		"removed": func() { r.Remove("old/deps.sh") },
		"a link":  func() { r.Symlink("../base/Dockerfile", "old/deps.sh") },
	} {
		r.Reset(first)
		r.Remove("old/deps.sh")
		change()
		ran = nil
		if _, err := open(t, r, workspace.Options{Script: run}); err == nil || len(ran) > 0 {
			t.Errorf("%s in the work tree, the script ran: %q, %v", name, ran, err)
		}
	}
	r.Reset(first)
	r.Write("old/deps.sh", "#!/bin/sh\necho side\n")
	if _, err := open(t, r, workspace.Options{Script: run, Dirty: true}); err != nil {
		t.Errorf("a changed script of a dirty work tree: %v", err)
	}
}

func TestBaseImages(t *testing.T) {
	const text = `{"version": 1, "name": "acme", "baseImages": {"debian:12": "TARGET", "alpine": "alpine:3.19"}, "projects": {"web": {"buildDir": "web"}}}`
	tests := map[string]struct {
		references []string
		dynamic    bool
		err        error
		changes    bool // the hash, when debian:12 becomes another
	}{
		"used":              {references: []string{"debian:12"}, changes: true},
		"used by long name": {references: []string{"docker.io/library/debian:12"}, changes: true},
		"used by host":      {references: []string{"index.docker.io/library/debian:12"}, changes: true},
		"not used":          {references: []string{"debian:13", "alpine:latest", "ghcr.io/debian:12", "debian:12@sha256:1"}},
		"none":              {},
		"a variable":        {dynamic: true, changes: true},
		"a broken file":     {err: errors.New("broken"), changes: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			hashOf := func(target string) string {
				r := newRepo(t, strings.Replace(text, "TARGET", target, 1))
				w := mustOpen(t, r, workspace.Options{References: func([]byte) ([]string, bool, error) { return test.references, test.dynamic, test.err }})
				hash, err := w.Hash(t.Context(), "web")
				if err != nil {
					t.Fatal(err)
				}
				return string(hash)
			}
			if changes := hashOf("debian:12.1") != hashOf("debian:12.2"); changes != test.changes {
				t.Errorf("another target changes the hash: %v, want %v", changes, test.changes)
			}
		})
	}
}

func TestStringAndSource(t *testing.T) {
	r := newRepo(t, sampleManifest)
	r.Git("remote", "add", "origin", "https://user:secret@example.com/acme/mono.git")
	w := mustOpen(t, r, workspace.Options{})
	if w.String() != "commit "+r.Head()[:8] || strings.Contains(w.Source, "secret") || !strings.Contains(w.Source, "example.com/acme/mono") {
		t.Errorf("the workspace is %q of %q", w, w.Source)
	}
	r.Write("README", "x")
	if w := mustOpen(t, r, workspace.Options{Dirty: true}); !strings.HasSuffix(w.String(), "with uncommitted changes") {
		t.Errorf("the workspace is %q", w)
	}
	if _, err := open(t, r, workspace.Options{Rev: "absent"}); err == nil {
		t.Error("an unknown revision gives no error")
	}
}
