package build

import (
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"slipway/tools/internal/testkit/gittest"
	"slipway/tools/workspace"
)

// contextRepo has two levels of submodules, links, modes, and files that no pattern names.
func contextRepo(tb testing.TB, project string) *gittest.Repo {
	tb.Helper()
	inner, lib, r := gittest.New(tb), gittest.New(tb), gittest.New(tb)
	inner.Write("inner.c", "inner")
	inner.Commit("inner")
	lib.Write("lib.c", "lib")
	lib.WriteMode("tool", "#!/bin/sh\n", 0o755)
	lib.AddSubmodule(inner.URL(), "deep/inner")
	lib.Commit("lib")
	r.Write("apps/web/main.go", "main")
	r.Write("apps/web/sub/x.go", "x")
	r.Write("apps/web/empty", "")
	r.Write("apps/web/secret.txt", "not in a pattern")
	r.Write("apps/webs/y", "y")
	r.Write("apps/README", "readme")
	r.WriteMode("apps/web/run", "#!/bin/sh\n", 0o755)
	r.Symlink("../../outside", "apps/web/link")
	r.Write("docker/Dockerfile", "FROM scratch\n")
	r.Write("a b/\xff\n", "odd")
	r.AddSubmodule(lib.URL(), "libs/sub")
	r.Write("build_manifest.json", `{"version": 1, "name": "acme", "projects": {"p": `+project+`}}`)
	r.Commit("files")
	r.UpdateSubmodules()
	return r
}

func TestContext(t *testing.T) {
	lib := map[string]string{
		"libs/sub/lib.c": "-rw-r--r-- lib", "libs/sub/tool": "-rwxr-xr-x #!/bin/sh\n", "libs/sub/deep/inner/inner.c": "-rw-r--r-- inner",
		"libs/sub/.gitmodules": "",
	}
	web := map[string]string{
		"apps/web/main.go": "-rw-r--r-- main", "apps/web/sub/x.go": "-rw-r--r-- x", "apps/web/run": "-rwxr-xr-x #!/bin/sh\n",
		"apps/web/link": "Lrwxrwxrwx -> ../../outside", "apps/web/empty": "-rw-r--r-- ", "apps/web/secret.txt": "-rw-r--r-- not in a pattern",
	}
	tests := map[string]struct {
		project string
		want    map[string]string
	}{
		"exactly the hashed files": {`{"buildDir": ".", "rebuildPatterns": ["^apps/.*\\.go$", "^apps/README$"]}`,
			map[string]string{"apps/web/main.go": web["apps/web/main.go"], "apps/web/sub/x.go": web["apps/web/sub/x.go"], "apps/README": "-rw-r--r-- readme"}},
		"a whole folder":              {`{"buildDir": ".", "rebuildPatterns": ["^apps/web/"]}`, web},
		"buildDir is the folder":      {`{"buildDir": "apps/web"}`, below("apps/web/", web)},
		"buildDir is above it":        {`{"buildDir": "apps", "rebuildPatterns": ["^apps/web/"]}`, below("apps/", web)},
		"buildDir is below it":        {`{"buildDir": "apps/web/sub", "rebuildPatterns": ["^apps/"], "dockerfile": "Dockerfile"}`, map[string]string{"x.go": web["apps/web/sub/x.go"]}},
		"buildDir is beside it":       {`{"buildDir": "apps/webs", "rebuildPatterns": ["^apps/web/"]}`, map[string]string{}},
		"submodules, nested":          {`{"buildDir": ".", "rebuildPatterns": ["^libs/"]}`, lib},
		"a submodule by its path":     {`{"buildDir": "libs", "rebuildPatterns": ["^libs/sub$"]}`, below("libs/", lib)},
		"a submodule in part":         {`{"buildDir": ".", "rebuildPatterns": ["^libs/sub/deep/"]}`, lib},
		"the same by a file's name":   {`{"buildDir": "libs", "rebuildPatterns": ["lib\\.c$"]}`, below("libs/", lib)},
		"a submodule as buildDir":     {`{"buildDir": "libs/sub"}`, below("libs/sub/", lib)},
		"the same, not hermetic":      {`{"buildDir": "libs/sub", "hermetic": false}`, below("libs/sub/", lib)},
		"odd names":                   {`{"buildDir": "a b"}`, map[string]string{"\xff\n": "-rw-r--r-- odd"}},
		"not hermetic":                {`{"buildDir": "apps/web", "rebuildPatterns": ["main"], "hermetic": false}`, below("apps/web/", web)},
		"not hermetic, nothing named": {`{"buildDir": "libs", "rebuildPatterns": ["^none$"], "hermetic": false}`, below("libs/", lib)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := contextRepo(t, test.project)
			r.Write("apps/web/main.go", "uncommitted")
			r.Write("apps/web/untracked.go", "uncommitted")
			w := openAt(t, r, workspace.Options{})
			got := contextOf(t, w)
			delete(got, ".gitmodules") // holds the path of a temporary folder, as below
			delete(test.want, ".gitmodules")
			for path := range got {
				if strings.HasSuffix(path, "/.gitmodules") {
					got[path] = ""
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("context (-want +got):\n%s", diff)
			}
		})
	}
}

// below gives the files below a folder by their names there.
func below(dir string, files map[string]string) map[string]string {
	inside := map[string]string{}
	for path, what := range files {
		if name, ok := strings.CutPrefix(path, dir); ok {
			inside[name] = what
		}
	}
	return inside
}

// contextOf reads the context of project p: modes with contents or targets.
func contextOf(tb testing.TB, w *workspace.Workspace) map[string]string {
	tb.Helper()
	in, err := w.Inputs(tb.Context(), "p")
	if err != nil {
		tb.Fatal(err)
	}
	files, err := buildContext(tb.Context(), w, in)
	if err != nil {
		tb.Fatal(err)
	}
	all, last := map[string]string{}, ""
	for _, f := range files {
		if f.Path <= last {
			tb.Errorf("%q comes behind %q", f.Path, last)
		}
		last = f.Path
		if f.Mode&fs.ModeSymlink != 0 {
			all[f.Path] = fmt.Sprintf("%v -> %s", f.Mode, f.Linkname)
			continue
		}
		r, err := f.Open(tb.Context())
		if err != nil {
			tb.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil || int64(len(content)) != f.Size {
			tb.Errorf("%q has %d bytes, not %d: %v", f.Path, len(content), f.Size, err)
		}
		all[f.Path] = fmt.Sprintf("%v %s", f.Mode, content)
	}
	return all
}

func TestContextOfADirtyWorkTree(t *testing.T) {
	r := contextRepo(t, `{"buildDir": "apps/web", "rebuildPatterns": ["^apps/web/"]}`)
	r.Write("apps/web/main.go", "uncommitted")
	r.Write("apps/web/untracked.go", "new")
	r.Remove("apps/web/sub")
	got := contextOf(t, openAt(t, r, workspace.Options{Dirty: true}))
	if _, there := got["sub/x.go"]; there || got["main.go"] != "-rw-r--r-- uncommitted" || got["untracked.go"] != "-rw-r--r-- new" {
		t.Errorf("context %q", got)
	}
}

func TestContextNeedsItsSubmodules(t *testing.T) {
	r := contextRepo(t, `{"buildDir": ".", "rebuildPatterns": ["^libs/"]}`).Clone()
	w := openAt(t, r, workspace.Options{})
	in, err := w.Inputs(t.Context(), "p")
	if err != nil {
		t.Fatal(err) // hashing needs the commit's id alone
	}
	if _, err := buildContext(t.Context(), w, in); err == nil || !strings.Contains(err.Error(), "libs/sub") {
		t.Errorf("a submodule that was not fetched: %v", err)
	}
}

func TestContextWithoutItsFolder(t *testing.T) {
	w := openAt(t, contextRepo(t, `{"buildDir": "absent", "hermetic": false}`), workspace.Options{})
	in, err := w.Inputs(t.Context(), "p")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := buildContext(t.Context(), w, in); err == nil || !strings.Contains(err.Error(), "absent") {
		t.Errorf("a folder that does not exist: %v", err)
	}
}
