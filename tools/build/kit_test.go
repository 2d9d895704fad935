package build

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"slipway/manifest"
	"slipway/tools/contenthash"
	"slipway/tools/engine"
	"slipway/tools/gitrepo"
	"slipway/tools/internal/testkit/gittest"
	"slipway/tools/records"
	"slipway/tools/registry"
	"slipway/tools/workspace"
)

// projects is the projects part of a manifest: name to what it is built from.
type projects map[string][]string

// write writes a manifest, and a folder with a Dockerfile for each project.
func (p projects) write(r *gittest.Repo) {
	all := map[string]any{}
	for name, needs := range p {
		all[name] = map[string]any{"buildDir": name, "dependencies": append([]string{}, needs...)}
		r.Write(name+"/Dockerfile", "FROM scratch\n# "+name+"\n")
	}
	text, err := json.Marshal(map[string]any{"version": 1, "name": "acme", "projects": all})
	if err != nil {
		panic(err) // maps of strings always marshal
	}
	r.Write("build_manifest.json", string(text))
}

func newRepo(tb testing.TB, p projects) *gittest.Repo {
	tb.Helper()
	r := gittest.New(tb)
	p.write(r)
	r.Commit("projects")
	return r
}

func openAt(tb testing.TB, r *gittest.Repo, o workspace.Options) *workspace.Workspace {
	tb.Helper()
	repo, err := gitrepo.Open(tb.Context(), gitrepo.Options{Dir: r.Dir, Env: r.Env()})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = repo.Close() })
	if o.HostPlatform == "" {
		o.HostPlatform = "linux/amd64"
	}
	o.References = engine.BaseImages
	w, err := workspace.Open(tb.Context(), repo, o)
	if err != nil {
		tb.Fatal(err)
	}
	return w
}

// question asks about HEAD on main.
func question(tb testing.TB, r *gittest.Repo, rec Records) Question {
	tb.Helper()
	w := openAt(tb, r, workspace.Options{})
	return Question{
		Workspace: w, Records: rec, Branch: "main", DefaultBranch: "main",
		Warn: func(format string, args ...any) { tb.Logf("warning: "+format, args...) },
		Open: func(ctx context.Context, rev string) (*workspace.Workspace, error) {
			return workspace.Open(ctx, w.Repo, workspace.Options{Rev: rev, HostPlatform: "linux/amd64", References: engine.BaseImages})
		},
	}
}

func decide(tb testing.TB, q Question) Decision {
	tb.Helper()
	d, err := Decide(tb.Context(), q)
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

// actions gives each step's action, and of builds the reason.
func actions(p Plan) map[string]string {
	all := map[string]string{}
	for _, s := range p.Projects {
		all[s.Name] = string(s.Action)
		if s.Action == Build {
			all[s.Name] += ": " + s.Reason
		}
	}
	return all
}

// memory is a registry's records in memory. It notes what is asked and written.
type memory struct {
	mu       sync.Mutex
	built    map[string]registry.Digest // by project and content
	branches map[string]*records.Commit
	fail     map[string]error // by what is asked
	log      []string
}

func newMemory() *memory {
	return &memory{built: map[string]registry.Digest{}, branches: map[string]*records.Commit{}, fail: map[string]error{}}
}

// note says what is done, and whether that fails.
func (m *memory) note(format string, args ...any) error {
	what := fmt.Sprintf(format, args...)
	m.log = append(m.log, what)
	return m.fail[what]
}

func (m *memory) take() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	log := m.log
	m.log = nil
	return log
}

func (m *memory) Image(project string) registry.Repository {
	return registry.Repository("registry.test/acme/" + project)
}

func (m *memory) Branch(_ context.Context, branch string) (*records.Commit, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.branches[branch], m.note("branch %s", branch)
}

func (m *memory) Built(_ context.Context, project string, h contenthash.Hash) (registry.Digest, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d, found := m.built[project+"@"+string(h)]
	return d, found, m.note("built %s", project)
}

func (m *memory) MarkBuilt(ctx context.Context, project string, h contenthash.Hash, d registry.Digest) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if ctx.Err() != nil { // as the real one, which reads first
		return ctx.Err()
	}
	if h.Dirty() {
		return errors.New("a dirty content is marked as built")
	}
	if err := m.note("mark %s", project); err != nil {
		return err
	}
	m.built[project+"@"+string(h)] = d
	return nil
}

func (m *memory) WriteCommit(ctx context.Context, c records.Commit, branch string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := m.note("commit %s", branch); err != nil {
		return err
	}
	m.branches[branch] = &c
	return nil
}

// digestOf makes a digest of a name.
func digestOf(name string) registry.Digest {
	return registry.Digest(fmt.Sprintf("sha256:%064x", []byte(name)))
}

// remember takes everything at HEAD as built, as a run on main leaves it.
func (m *memory) remember(tb testing.TB, w *workspace.Workspace) {
	tb.Helper()
	c := records.Commit{Schema: 1, Commit: w.Commit.ID, Time: w.Commit.Time, Projects: map[string]records.Built{}}
	for _, name := range w.Manifest.Order() {
		hash, err := w.Hash(tb.Context(), name)
		if err != nil {
			tb.Fatal(err)
		}
		m.built[name+"@"+string(hash)] = digestOf(name)
		c.Projects[name] = records.Built{ContentHash: hash, Digest: digestOf(name)}
	}
	m.branches["main"] = &c
}

// forget takes a project's images out of the registry, and leaves the records.
func (m *memory) forget(w *workspace.Workspace, name string) {
	hash, _ := w.Hash(context.Background(), name)
	delete(m.built, name+"@"+string(hash))
}

// manifestOf makes projects that need each other, in an order that fits.
func manifestOf(p projects) (*manifest.Manifest, []string) {
	m := &manifest.Manifest{Projects: map[string]*manifest.Project{}}
	for name, needs := range p {
		m.Projects[name] = &manifest.Project{Name: name}
		for _, need := range needs {
			m.Projects[name].Dependencies.Compile = append(m.Projects[name].Dependencies.Compile, manifest.Dependency{Name: need})
		}
	}
	var order []string
	for len(order) < len(p) {
		before := len(order)
		var ready []string
		for name, needs := range p {
			if !slices.Contains(order, name) && !slices.ContainsFunc(needs, func(n string) bool { return p[n] != nil && !slices.Contains(order, n) }) {
				ready = append(ready, name)
			}
		}
		slices.Sort(ready)
		if order = append(order, ready...); len(order) == before {
			panic("projects need each other")
		}
	}
	return m, order
}
