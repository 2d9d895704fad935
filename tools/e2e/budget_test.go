package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"slipway/tools/internal/testkit/gittest"
	"slipway/tools/internal/testkit/regtest"
	"slipway/tools/internal/testkit/servers"
)

const (
	many         = 1000 // projects
	nothingToDo  = 3    // requests that such a run may cost, beside the handshake
	samples      = 4    // images that a record names, and that another commit asks for all the same
	newCommit    = 12   // and what recording another commit may cost besides
	eachProject  = 6    // and each project that is built, of slipway's own
	writeAtATime = 8
)

// TestRequestBudget counts what runs of 1,000 projects ask of a registry, in a
// proxy before it.
func TestRequestBudget(t *testing.T) {
	realServers(t)
	t.Parallel()
	host := servers.Registry(t).Host
	log := regtest.NewLog(forward(t, host))
	m := &machine{Repo: manyProjects(t), tb: t, builder: servers.BuildKit(t), registry: serve(t, log) + "/many"}
	seed(m, host)
	spend := func(what string, built int, args ...string) bill {
		t.Helper()
		log.Reset()
		p := m.build(args...)
		p.wants(0)
		if got := p.report().named("built"); len(got) != built {
			t.Fatalf("%s: built %q, not %d", what, got, built)
		}
		b := billed(log)
		t.Logf("%s: %+v", what, b)
		return b
	}
	spend("no hint", 0)
	idle := spend("nothing to do", 0)
	if idle.Slipway+idle.BuildKit > nothingToDo {
		t.Errorf("nothing to do costs %+v", idle)
	}
	if verified := spend("verify", 0, "--verify"); verified.Slipway != idle.Slipway+many {
		t.Errorf("asking for each of %d images costs %+v", many, verified)
	}
	m.Write("README.md", "documents\n")
	m.Commit("documents")
	recorded := spend("new commit", 0)
	if recorded.Slipway > newCommit+samples || recorded.BuildKit > 0 {
		t.Errorf("recording a commit costs %+v", recorded)
	}
	costs := []int{recorded.Slipway}
	for n := 1; n <= 3; n++ {
		costs = append(costs, spend(fmt.Sprintf("%d changed", n), changed(m, n)).Slipway)
		if each := costs[n] - costs[n-1]; each > eachProject || each != costs[1]-costs[0] {
			t.Errorf("the costs of 0 to %d changed projects are %v: not the same for each", n, costs)
		}
	}
}

// changed commits a change of n projects.
func changed(m *machine, n int) int {
	for i := range n {
		m.Write(fmt.Sprintf("p%03d/Dockerfile", i), fmt.Sprintf("FROM scratch\nLABEL n=%d\n", n))
	}
	m.Commit(fmt.Sprintf("change %d", n))
	return n
}

func manyProjects(t *testing.T) *gittest.Repo {
	t.Helper()
	repo := gittest.New(t)
	d := definition{Version: 1, Name: "many", Projects: map[string]*project{}}
	for i := range many {
		dir := fmt.Sprintf("p%03d", i)
		d.Projects[dir] = &project{BuildDir: dir}
		repo.Write(dir+"/Dockerfile", fmt.Sprintf("FROM scratch\nLABEL project=%d\n", i))
	}
	text, err := json.Marshal(d)
	check(t, err)
	repo.Write("build_manifest.json", string(text))
	repo.Commit("many projects")
	return repo
}

// seed puts an image, if an empty one, where that of every project would be: it
// stands for a thousand builds.
func seed(m *machine, host string) {
	m.tb.Helper()
	var plan struct{ Projects []outcome }
	check(m.tb, json.Unmarshal(m.slipway("plan", "--format=json"), &plan))
	if len(plan.Projects) != many {
		m.tb.Fatalf("the plan has %d projects", len(plan.Projects))
	}
	var group errgroup.Group
	group.SetLimit(writeAtATime)
	for _, p := range plan.Projects {
		group.Go(func() error {
			_, name, _ := strings.Cut(p.Image, "/")
			return putJunk(m.tb, "http://"+host+"/v2/"+name+"/manifests/c-"+p.ContentHash)
		})
	}
	check(m.tb, group.Wait())
}

func putJunk(tb testing.TB, url string) error {
	tb.Helper()
	request, err := http.NewRequestWithContext(tb.Context(), http.MethodPut, url, strings.NewReader(junk))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", indexType)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusCreated {
		return fmt.Errorf("PUT %s: %s", url, response.Status)
	}
	return nil
}
