package build

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"slipway/manifest"
	"slipway/tools/gitrepo"
	"slipway/tools/internal/testkit/gittest"
	"slipway/tools/internal/testkit/regtest"
	"slipway/tools/records"
	"slipway/tools/registry"
	"slipway/tools/workspace"
)

func TestDecide(t *testing.T) {
	type world struct {
		*gittest.Repo
		*memory
		q       *Question
		warned  *[]string
		at      *workspace.Workspace // of the commit that everything was built at
		rebuild func()               // asks about HEAD as it is now
	}
	const reuse = "reuse"
	all := map[string]string{"tool": reuse, "left": reuse, "right": reuse, "top": reuse, "alone": reuse}
	with := func(changes map[string]string) map[string]string {
		want := map[string]string{}
		for name, action := range all {
			want[name] = action
		}
		for name, action := range changes {
			want[name] = action
		}
		return want
	}
	tests := map[string]struct {
		change func(w world)
		want   map[string]string // action and reason of each
		asked  []string          // of the registry, sorted
		warned bool
	}{
		"nothing to do": {func(world) {}, all, []string{"branch main"}, false},
		"a file changed": {func(w world) { w.Write("left/x", ""); w.rebuild() },
			with(map[string]string{"left": "build: changed: left/x added", "top": "build: changed: dependency left"}),
			[]string{"branch main", "built left", "built right", "built tool", "built top"}, false},
		"a file changed, and its content was built elsewhere": {func(w world) {
			w.Write("alone/x", "")
			w.rebuild()
			hash, _ := w.q.Workspace.Hash(t.Context(), "alone")
			w.built["alone@"+string(hash)] = digestOf("other")
		}, all, []string{"branch main", "built alone"}, false},
		"no record at all": {func(w world) { clear(w.branches) }, all,
			[]string{"branch main", "built alone", "built left", "built right", "built tool", "built top"}, false},
		"a new repository": {func(w world) { clear(w.branches); clear(w.built) }, map[string]string{
			"tool": "build: never built", "left": "build: never built", "right": "build: never built", "top": "build: never built", "alone": "build: never built",
		}, []string{"branch main", "built alone", "built left", "built right", "built tool", "built top"}, false},
		"a feature branch falls back to the default branch": {func(w world) { w.q.Branch = "feature" }, all, []string{"branch feature", "branch main"}, false},
		"a detached head asks the default branch":           {func(w world) { w.q.Branch = "" }, all, []string{"branch main"}, false},
		"no branch": {func(w world) { w.q.Branch, w.q.DefaultBranch = "", "" }, all,
			[]string{"built alone", "built left", "built right", "built tool", "built top"}, false},
		"a damaged hint": {func(w world) {
			w.branches["main"] = nil
			w.fail["branch main"] = fmt.Errorf("x: %w", records.ErrDamaged)
		}, all,
			[]string{"branch main", "built alone", "built left", "built right", "built tool", "built top"}, true},
		"a damaged hint of a feature branch": {func(w world) {
			w.q.Branch = "feature"
			w.fail["branch feature"] = records.ErrDamaged
		}, all, []string{"branch feature", "branch main"}, true},
		"one project":                            {func(w world) { w.q.Projects = []string{"alone"} }, map[string]string{"alone": reuse}, []string{"branch main", "built alone"}, false},
		"an image is gone that nobody needs now": {func(w world) { w.forget(w.at, "tool") }, all, []string{"branch main"}, false},
		"an image is gone that a build needs": {func(w world) { w.forget(w.at, "tool"); w.Write("left/x", ""); w.rebuild() },
			with(map[string]string{
				"tool": "build: its image is gone from the registry", "left": "build: changed: left/x added", "top": "build: changed: dependency left",
			}), []string{"branch main", "built left", "built right", "built tool", "built top"}, false},
		"the manifest changed": {func(w world) { edit(w.Repo, `"buildDir":"alone"`, `"buildDir":"alone","target":"x"`); w.rebuild() },
			with(map[string]string{"alone": "build: changed: definition target"}), []string{"branch main", "built alone"}, false},
		"a new project": {func(w world) {
			edit(w.Repo, `"projects":{`, `"projects":{"new":{"buildDir":"new"},`)
			w.Write("new/Dockerfile", "FROM scratch\n")
			w.rebuild()
		}, with(map[string]string{"new": "build: never built"}), []string{"branch main", "built new"}, false},
		"the record's commit is not here": {func(w world) {
			w.Write("alone/x", "")
			w.rebuild()
			w.branches["main"].Commit = "9999999999999999999999999999999999999999"
		}, with(map[string]string{"alone": "build: content differs from 99999999"}), []string{"branch main", "built alone"}, false},
		"the record's commit cannot be read": {func(w world) {
			w.Write("alone/x", "")
			w.rebuild()
			w.q.Open = func(context.Context, string) (*workspace.Workspace, error) { return nil, errors.New("broken") }
		}, with(map[string]string{"alone": "build: content differs from " + "COMMIT"}), []string{"branch main", "built alone"}, false},
		"the record's commit cannot be hashed": {func(w world) {
			broken := gittest.New(t)
			diamond().write(broken)
			broken.Remove("alone/Dockerfile")
			broken.Symlink("../../outside", "alone/Dockerfile")
			broken.Commit("broken")
			w.Write("alone/x", "")
			w.rebuild()
			w.q.Open = func(context.Context, string) (*workspace.Workspace, error) {
				return openAt(t, broken, workspace.Options{}), nil
			}
		}, with(map[string]string{"alone": "build: content differs from " + "COMMIT"}), []string{"branch main", "built alone"}, false},
		"nothing to compare with": {func(w world) { w.Write("alone/x", ""); w.rebuild(); w.q.Open = nil },
			with(map[string]string{"alone": "build: content differs from " + "COMMIT"}), []string{"branch main", "built alone"}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r, m := newRepo(t, diamond()), newMemory()
			var warned []string
			q := question(t, r, m)
			w := world{Repo: r, memory: m, q: &q, warned: &warned, at: q.Workspace}
			w.rebuild = func() {
				r.Commit("change")
				q = question(t, r, m)
			}
			m.remember(t, q.Workspace)
			test.change(w)
			q.Warn = func(format string, args ...any) { warned = append(warned, fmt.Sprintf(format, args...)) }
			got := actions(decide(t, q).Plan)
			for name, action := range got {
				got[name] = strings.Replace(action, short(w.at.Commit.ID), "COMMIT", 1)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("Decide (-want +got):\n%s", diff)
			}
			want := test.asked
			if hint := m.branches["main"]; hint != nil && hint.Commit != q.Workspace.Commit.ID && len(q.Projects) == 0 {
				for _, name := range sample(q.Workspace.Manifest.Order(), q.Workspace.Commit.ID) {
					want = append(want, "built "+name)
				}
			}
			asked := m.take()
			slices.Sort(asked)
			slices.Sort(want)
			if diff := cmp.Diff(slices.Compact(want), asked); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
			if (len(warned) > 0) != test.warned {
				t.Errorf("warnings: %q", warned)
			}
		})
	}
}

func edit(r *gittest.Repo, from, to string) {
	r.Write("build_manifest.json", strings.Replace(r.Git("cat-file", "blob", "HEAD:build_manifest.json"), from, to, 1))
}

func TestLostImages(t *testing.T) {
	gone := "build: its image is gone from the registry"
	tests := map[string]struct {
		ask  func(*Question)
		lost []string // whose images are gone
		new  bool     // the hint is another commit's
		want []string // what is found to be gone
	}{
		"nobody asks":                     {nil, []string{"alone"}, false, nil},
		"it is named":                     {func(q *Question) { q.Projects = []string{"alone"} }, []string{"alone"}, false, []string{"alone"}},
		"another is named":                {func(q *Question) { q.Projects = []string{"top"} }, []string{"alone"}, false, nil},
		"all are to be verified":          {func(q *Question) { q.Verify = true }, []string{"alone", "left"}, false, []string{"alone", "left"}},
		"one of a new commit's sample is": {nil, []string{"alone", "left", "right", "tool", "top"}, true, []string{"alone", "left", "right", "tool", "top"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r, m := newRepo(t, diamond()), newMemory()
			at := question(t, r, m).Workspace
			m.remember(t, at)
			for _, name := range test.lost {
				m.forget(at, name)
			}
			if test.new {
				r.Write("README", "")
				r.Commit("docs")
			}
			q := question(t, r, m)
			if test.ask != nil {
				test.ask(&q)
			}
			var found []string
			for name, action := range actions(decide(t, q).Plan) {
				if action == gone {
					found = append(found, name)
				}
			}
			slices.Sort(found)
			if diff := cmp.Diff(test.want, found); diff != "" {
				t.Errorf("found to be gone (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSample(t *testing.T) {
	names := []string{"f", "e", "d", "c", "b", "a"}
	for commit, want := range map[gitrepo.ObjectID][]string{
		"00000000aa": {"a", "b", "c", "d"}, "00000001aa": {"b", "c", "d", "e"}, "00000005aa": {"f", "a", "b", "c"}, "00000006aa": {"a", "b", "c", "d"},
	} {
		if diff := cmp.Diff(want, sample(names, commit)); diff != "" {
			t.Errorf("sample at %s (-want +got):\n%s", commit, diff)
		}
	}
	if few := sample(names[:2], "00000001aa"); len(few) != 2 {
		t.Errorf("sample of two = %v", few)
	}
}

func TestDecideRefusesWhatCannotBeCarriedOut(t *testing.T) {
	tests := map[string]struct {
		change func(*gittest.Repo)
		ask    func(*Question, *memory)
		want   string // in the error; "" is none
	}{
		"an unknown project": {nil, func(q *Question, _ *memory) { q.Projects = []string{"wbe"} }, `no project "wbe" in build_manifest.json`},
		"without dependencies, one missing": {nil, func(q *Question, _ *memory) { q.Projects, q.NoDeps = []string{"left"}, true },
			`dependency "tool" is not built`},
		"without dependencies, all there": {nil, func(q *Question, m *memory) {
			q.Projects, q.NoDeps = []string{"left"}, true
			hash, _ := q.Workspace.Hash(t.Context(), "tool")
			m.built["tool@"+string(hash)] = digestOf("tool")
		}, ""},
		"without dependencies, all chosen":   {nil, func(q *Question, _ *memory) { q.NoDeps = true }, ""},
		"without dependencies, those chosen": {nil, func(q *Question, _ *memory) { q.Projects, q.NoDeps = []string{"left", "tool"}, true }, ""},
		"a folder that is gone":              {func(r *gittest.Repo) { r.Remove("left") }, nil, `project "left": its folder left does not exist at commit`},
		"a platform that a dependency lacks": {func(r *gittest.Repo) {
			edit(r, `"buildDir":"left"`, `"buildDir":"left","platforms":["linux/amd64","linux/arm64"]`)
		}, nil,
			`project "left" is built for linux/arm64, and "tool", which it is made from, is not`},
		"a platform that a tool lacks": {func(r *gittest.Repo) {
			edit(r, `"buildDir":"left","dependencies":["tool"]`, `"buildDir":"left","platforms":["linux/arm64"],"dependencies":{"build":["tool"]}`)
		}, func(q *Question, _ *memory) { q.Projects = []string{"left"} }, ""},
		"a folder that is a file":             {func(r *gittest.Repo) { r.Remove("left"); r.Write("left", "") }, nil, "its folder left does not exist"},
		"a Dockerfile that is gone":           {func(r *gittest.Repo) { r.Remove("left/Dockerfile"); r.Write("left/x", "") }, nil, "its Dockerfile left/Dockerfile does not exist"},
		"a folder that is gone, nobody's":     {func(r *gittest.Repo) { r.Remove("alone") }, func(q *Question, _ *memory) { q.Projects = []string{"top"} }, ""},
		"a registry that refuses":             {nil, func(_ *Question, m *memory) { m.fail["built right"] = &registry.Fault{Status: 403} }, "403"},
		"a registry that refuses to be asked": {nil, func(_ *Question, m *memory) { m.fail["branch main"] = &registry.Fault{Status: 503} }, "503"},
		"a project that cannot be hashed": {func(r *gittest.Repo) { r.Remove("left/Dockerfile"); r.Symlink("/x", "left/Dockerfile") }, nil,
			`hashing project "left"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r, m := newRepo(t, diamond()), newMemory()
			if test.change != nil {
				test.change(r)
				r.Commit("change")
			}
			q := question(t, r, m)
			if test.ask != nil {
				test.ask(&q, m)
			}
			_, err := Decide(t.Context(), q)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("Decide = %v, want %q", err, test.want)
			}
		})
	}
}

func TestProjectsInSubmodules(t *testing.T) {
	for project, want := range map[string]string{
		`{"buildDir": "libs/sub", "dockerfile": "../../docker/Dockerfile"}`: "",
		`{"buildDir": "libs/sub"}`:      "its Dockerfile libs/sub/Dockerfile is inside the submodule libs/sub",
		`{"buildDir": "libs/sub/deep"}`: "its folder libs/sub/deep is inside the submodule libs/sub",
	} {
		_, err := Decide(t.Context(), question(t, contextRepo(t, project), newMemory()))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("Decide of %s = %v, want %q", project, err, want)
		}
	}
}

func TestLegacyProjectsWithoutTheirFolder(t *testing.T) {
	r := gittest.New(t)
	r.Write("build_manifest.json", `{"here": {"buildDir": "here"}, "gone": {"buildDir": "gone"}, "needy": {"buildDir": "here", "dependencies": ["gone"]}}`)
	r.Write("here/Dockerfile", "FROM scratch\n")
	r.Commit("legacy")
	m := newMemory()
	q := question(t, r, m)
	var warned []string
	q.Warn = func(format string, args ...any) { warned = append(warned, fmt.Sprintf(format, args...)) }
	if _, err := Decide(t.Context(), q); err == nil || !strings.Contains(err.Error(), `project "gone"`) {
		t.Errorf("Decide where one that is built needs it = %v", err)
	}
	hash, err := q.Workspace.Hash(t.Context(), "needy")
	if err != nil {
		t.Fatal(err)
	}
	m.built["needy@"+string(hash)] = digestOf("needy")
	plan := decide(t, q).Plan
	if diff := cmp.Diff(map[string]string{"here": "build: never built", "needy": "reuse"}, actions(plan)); diff != "" || len(warned) != 2 {
		t.Errorf("warnings %q, Decide (-want +got):\n%s", warned, diff)
	}
	q.Projects = []string{"gone"}
	if _, err := Decide(t.Context(), q); err == nil {
		t.Error("building a project without a folder gives no error")
	}
}

func TestDirtyIsNeverAskedFor(t *testing.T) {
	r, m := newRepo(t, diamond()), newMemory()
	m.remember(t, openAt(t, r, workspace.Options{}))
	r.Write("left/x", "")
	q := question(t, r, m)
	q.Workspace = openAt(t, r, workspace.Options{Dirty: true})
	d := decide(t, q)
	want := map[string]string{
		"tool": "reuse", "right": "reuse", "alone": "reuse", "left": "build: changed: left/x added", "top": "build: changed: dependency left",
	}
	if diff := cmp.Diff(want, actions(d.Plan)); diff != "" || !d.Dirty {
		t.Errorf("dirty %v, Decide (-want +got):\n%s", d.Dirty, diff)
	}
	for _, what := range m.take() {
		if what == "built left" || what == "built top" {
			t.Errorf("the registry was asked for a dirty content: %s", what)
		}
	}
}

func TestCompare(t *testing.T) {
	r := newRepo(t, diamond())
	before := openAt(t, r, workspace.Options{})
	r.Write("left/x", "")
	edit(r, `"projects":{`, `"projects":{"new":{"buildDir":"new"},`)
	r.Commit("change")
	plan, err := Compare(t.Context(), before, openAt(t, r, workspace.Options{}), nil)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, s := range plan.Projects {
		got[s.Name] = fmt.Sprintf("%s: %s", s.Action, s.Reason)
	}
	const same = "same: nothing it is built from changed"
	want := map[string]string{
		"alone": same, "tool": same, "right": same, "new": "changed: new project", "left": "changed: changed: left/x added", "top": "changed: changed: dependency left",
	}
	if diff := cmp.Diff(want, got); diff != "" || plan.Base != before.Commit.ID {
		t.Errorf("Compare with %s (-want +got):\n%s", plan.Base, diff)
	}
	if _, err := Compare(t.Context(), before, before, []string{"absent"}); err == nil {
		t.Error("comparing an unknown project gives no error")
	}
}

// TestRequests holds the whole decision, through real records, to its budget.
func TestRequests(t *testing.T) {
	const count = 1000
	all := projects{}
	for i := range count {
		all[fmt.Sprintf("p%d", i)] = nil
	}
	r := newRepo(t, all)
	reg := regtest.New(t)
	layout := records.NewLayout(manifest.Location(reg.Repository("acme")))
	fresh := func() *records.Store { return records.NewStore(registry.New(registry.Options{}), layout) }
	q := question(t, r, fresh())
	c := records.Commit{Commit: q.Workspace.Commit.ID, Time: q.Workspace.Commit.Time, Projects: map[string]records.Built{}}
	for _, name := range q.Workspace.Manifest.Order() {
		hash, err := q.Workspace.Hash(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		c.Projects[name] = records.Built{ContentHash: hash, Digest: pushIndex(t, layout.Image(name), records.ContentTag(hash))}
	}
	if err := fresh().WriteCommit(t.Context(), c, "main"); err != nil {
		t.Fatal(err)
	}
	ask := func(branch string, builds int, budget regtest.Budget) {
		t.Helper()
		q := question(t, r, fresh())
		q.Branch = branch
		reg.Reset()
		if got := len(decide(t, q).Builds()); got != builds {
			t.Errorf("%d projects are built, want %d", got, builds)
		}
		reg.Budget(t, budget)
	}
	ask("main", 0, regtest.Budget{Handshakes: 1, Others: 2})
	ask("feature", 0, regtest.Budget{Handshakes: 1, Others: 3})
	for i := range 5 {
		r.Write(fmt.Sprintf("p%d/x", i), "")
	}
	r.Commit("five")
	// Beside each changed project a few are asked about in any case. Each repository
	// of an image is a handshake of its own.
	ask("main", 5, regtest.Budget{Handshakes: 1 + 5 + samples, Others: 2 + 5 + samples})
}

// pushIndex pushes an empty index.
func pushIndex(tb testing.TB, repo registry.Repository, tag string) registry.Digest {
	tb.Helper()
	body := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"manifests":[]}`, registry.MediaTypeIndex)
	d, err := registry.New(registry.Options{}).Put(tb.Context(), repo, tag, registry.MediaTypeIndex, []byte(body))
	if err != nil {
		tb.Fatal(err)
	}
	return d.Digest
}

func TestShort(t *testing.T) {
	if short("") != "" || short(gitrepo.ObjectID("123456789")) != "12345678" {
		t.Error("short does not cut at 8 digits")
	}
}

func TestPatternsThatMatchNothingAreWarnedAbout(t *testing.T) {
	const modern, legacy = `{"version": 1, "name": "acme", "projects": {%s}}`, `{%s}`
	tests := map[string]struct {
		form, projects string
		chosen         []string
		want           []string
	}{
		"all match": {modern, `"web": {"buildDir": "web", "rebuildPatterns": ["^web/", "^go"]}`, nil, nil},
		"one does not": {modern, `"web": {"buildDir": "web", "rebuildPatterns": ["^web/", "^nothing/"]}`, nil,
			[]string{`project "web": no file matches "^nothing/"`}},
		"two do not": {legacy, `"web": {"buildDir": "web", "rebuildPatterns": ["^absent$", "^web/x\\.go$"]}`, nil,
			[]string{`project "web": no file matches "^absent$", "^web/x\\.go$"`}},
		"named twice": {modern, `"web": {"buildDir": "web", "rebuildPatterns": ["^no"]}`, []string{"web", "web"},
			[]string{`project "web": no file matches "^no"`}},
		"of a dependency": {modern, `"base": {"buildDir": "base", "rebuildPatterns": ["^no"]}, "web": {"buildDir": "web", "dependencies": ["base"]}`, []string{"web"}, nil},
		"a legacy folder is gone": {legacy, `"web": {"buildDir": "web", "projectDir": "old"}, "gone": {"buildDir": "gone"}`, nil,
			[]string{`project "gone" is left out: its folder gone does not exist`}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRepo(t, projects{"web": nil, "base": nil})
			r.Write("go.mod", "module x\n")
			r.Write("build_manifest.json", fmt.Sprintf(test.form, test.projects))
			r.Commit("manifest")
			q := question(t, r, newMemory())
			var got []string
			q.Projects, q.Warn = test.chosen, func(format string, args ...any) { got = append(got, fmt.Sprintf(format, args...)) }
			decide(t, q)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		})
	}
}
