package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"slipway/tools/internal/testkit/gittest"
	"slipway/tools/internal/testkit/servers"
)

// history is one sequence of commits and builds, in a corner of a registry that
// is its own.
type history struct {
	*machine          // where it is told
	host     string   // of the registry
	spare    []string // builders of further machines
	definition
	legacy map[string]*legacyProject // the manifest, while it is of the old form
	yaml   bool                      // it is written as YAML
	*ledger
	gate *gate
}

// ledger is what a history's runs came to, and what they are judged by.
type ledger struct {
	recorded map[string]map[string]bool   // project -> keys built and recorded
	verified map[string]string            // image -> the files found in it
	held     map[string]map[string]string // image -> the files that it was built of
	tally    tally
}

// tally is a row of the table.
type tally struct{ steps, builds, reuses, falseSkips, needless int }

func (t *tally) add(u tally) {
	t.steps += u.steps
	t.builds += u.builds
	t.reuses += u.reuses
	t.falseSkips += u.falseSkips
	t.needless += u.needless
}

// newHistory begins with four projects: app is made from lib, lib with tool, and
// solo of nothing but itself.
func newHistory(tb testing.TB, host, prefix string, builders ...string) *history {
	tb.Helper()
	h := &history{
		machine: &machine{Repo: gittest.New(tb), tb: tb, builder: builders[0], registry: host + "/" + prefix},
		host:    host, spare: builders[1:], gate: newGate(tb),
		ledger: &ledger{recorded: map[string]map[string]bool{}, verified: map[string]string{}, held: map[string]map[string]string{}},
		definition: definition{Version: 1, Name: "history", Projects: map[string]*project{
			"tool": {BuildDir: "tools/tool"},
			"lib":  {BuildDir: "libs/lib", Dependencies: map[string][]string{"build": {"tool"}}},
			"app":  {BuildDir: "services/app", Dependencies: map[string][]string{"compile": {"lib"}}},
			"solo": {BuildDir: "solo"},
		}},
	}
	h.define()
	h.dockerfile("tools/tool/Dockerfile", "scratch", "tool", "")
	h.dockerfile("libs/lib/Dockerfile", "tool", "lib", "")
	h.dockerfile("services/app/Dockerfile", "lib", "app", "")
	h.dockerfile("solo/Dockerfile", "scratch", "solo", "")
	for _, p := range h.Projects {
		h.Write(p.BuildDir+"/main.txt", "one\n")
	}
	h.Write("README.md", "one\n")
	h.Commit("begin")
	return h
}

// dockerfile writes one that copies its whole context to /src/<name>.
func (h *history) dockerfile(file, from, name, more string) {
	h.Write(file, fmt.Sprintf("FROM %s\nCOPY . /src/%s\n%s", from, name, more))
}

// define writes the manifest as it is in memory.
func (h *history) define() {
	h.tb.Helper()
	var content any = h.definition
	if h.legacy != nil {
		content = h.legacy
	}
	if h.yaml {
		text, err := asYAML(content)
		check(h.tb, err)
		h.Write(yamlManifest, "# the projects\n"+string(text))
		return
	}
	text, err := json.MarshalIndent(content, "", "  ")
	check(h.tb, err)
	h.Write(jsonManifest, string(text)+"\n")
}

// linux gives the history a base image that can RUN.
func (h *history) linux() {
	h.tb.Helper()
	_, prefix, _ := strings.Cut(h.registry, "/")
	servers.BaseImage(h.tb, h.host, prefix+"/base/busybox")
	h.BaseImages = map[string]string{"busybox:1.36": "{registry}/base/busybox"}
	h.define()
}

// gated makes solo one that asks the gate while it is built.
func (h *history) gated() {
	h.tb.Helper()
	h.linux()
	h.dockerfile("solo/Dockerfile", "busybox:1.36", "solo", h.gate.run())
}

// elsewhere is another machine with a clone of the history and another builder.
func (h *history) elsewhere(cloneArgs ...string) *machine {
	h.tb.Helper()
	return h.checkout(h.Clone(cloneArgs...))
}

// checkout is another machine with a repository that is there already.
func (h *history) checkout(repo *gittest.Repo) *machine {
	return &machine{Repo: repo, tb: h.tb, builder: h.spare[0], registry: h.registry}
}

// Builds runs `build --all` here, which has to build exactly these projects.
func (h *history) Builds(names ...string) { h.tb.Helper(); h.BuildsOn(h.machine, names...) }

// BuildsOn is Builds on another machine.
func (h *history) BuildsOn(m *machine, names ...string) {
	h.tb.Helper()
	h.finishes(m, m.build(), names)
}

// BuildsAs runs "build" with these arguments in place of --all.
func (h *history) BuildsAs(args []string, names ...string) {
	h.tb.Helper()
	h.finishes(h.machine, h.only(args...), names)
}

// finishes waits for a build of the head, which has to build exactly these
// projects.
func (h *history) finishes(m *machine, p *process, names []string) {
	h.tb.Helper()
	p.wants(0)
	h.judge(m, consult(h.tb, m.Repo, "HEAD"), p.report(), names)
}

// BuildsWhile is Builds of a run that asks the gate, which answers.
func (h *history) BuildsWhile(status int, names ...string) {
	h.tb.Helper()
	p := h.build()
	h.gate.pass(h.tb, status)
	h.finishes(h.machine, p, names)
}

// Fails runs a build that asks the gate, is refused, and so fails.
func (h *history) Fails(failed string, built ...string) {
	h.tb.Helper()
	p := h.build("--keep-going")
	h.gate.pass(h.tb, http.StatusInternalServerError)
	p.wants(1)
	if got := p.report().named("failed"); !slices.Equal(got, []string{failed}) {
		h.tb.Errorf("failed are %q, not %s", got, failed)
	}
	h.judge(h.machine, consult(h.tb, h.Repo, "HEAD"), p.report(), built)
	h.unrecorded()
}

// Dirty builds the work tree as it is; what is not committed is never recorded. It
// returns what was said.
func (h *history) Dirty(names ...string) (said string) {
	h.tb.Helper()
	p := h.build("--dirty")
	p.wants(0)
	h.Git("add", "-A")
	tree := h.Git("write-tree")
	h.Git("reset", "-q")
	h.judge(h.machine, consultDirty(h.tb, h.Repo, tree), p.report(), names)
	if p.report().Recorded && tree != h.ID("HEAD^{tree}") {
		h.tb.Error("uncommitted content is recorded as a commit's")
	}
	return p.stderr.String()
}

// judge compares what a run did with what the oracle says.
func (h *history) judge(m *machine, o *oracle, r report, built []string) {
	h.tb.Helper()
	h.tally.steps++
	for _, p := range r.Projects {
		h.weigh(p, o.key(p.Name))
		if p.Outcome == "built" && !o.uncommitted(p.Name) {
			h.remember(p.Name, o.key(p.Name))
		}
		if p.Digest != "" {
			h.held[p.reference()] = h.holds(o, r, p)
			h.verify(m, p, h.held[p.reference()])
		}
	}
	if got := r.named("built"); !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(built))) {
		h.tb.Errorf("step %d built %q, not %q", h.tally.steps, got, built)
	}
	h.compareTags()
}

// holds are the files that have to be in an image. Where no hash has all of them,
// they are those that it was built of, and not those of today.
func (h *history) holds(o *oracle, r report, p outcome) map[string]string {
	held := h.held[p.reference()]
	switch {
	case o.pure(p.Name):
		return o.image(p.Name)
	case p.Outcome == "reused" && held != nil:
		return held
	}
	want := o.own(p.Name)
	for _, dep := range r.Projects { // dependencies come before
		if slices.Contains(o.m.Projects[p.Name].inputs(), dep.Name) {
			maps.Copy(want, h.held[dep.reference()])
		}
	}
	return want
}

// weigh counts one project's outcome.
func (h *history) weigh(p outcome, key string) {
	h.tb.Helper()
	known := h.recorded[p.Name][key]
	switch {
	case p.Outcome == "reused":
		h.tally.reuses++
		if !known {
			h.tally.falseSkips++
			h.tb.Errorf("step %d: %s is reused (%s), and was never built from this content", h.tally.steps, p.Name, p.Reason)
		}
	case p.Outcome == "built":
		h.tally.builds++
		if known {
			h.tally.needless++
			h.tb.Errorf("step %d: %s is built (%s), and was recorded as built from this content", h.tally.steps, p.Name, p.Reason)
		}
	}
}

func (h *history) remember(name, key string) {
	if h.recorded[name] == nil {
		h.recorded[name] = map[string]bool{}
	}
	h.recorded[name][key] = true
}

// compareTags counts the contents recorded in the registry: no more and no fewer
// than the oracle knows of.
func (h *history) compareTags() {
	h.tb.Helper()
	for name, keys := range h.recorded {
		if tags := h.contents(name); len(tags) != len(keys) {
			h.tb.Errorf("step %d: %d contents of %s are recorded, not %d: %q", h.tally.steps, len(tags), name, len(keys), tags)
		}
	}
}

// contents are the tags that say that a content of the project is built.
func (h *history) contents(name string) []string {
	h.tb.Helper()
	return recording(tags(h.tb, h.registry+"/"+name))
}

// unrecorded checks that nothing says that the head is built.
func (h *history) unrecorded() {
	h.tb.Helper()
	if all := tags(h.tb, h.registry+"/slipway/commits"); slices.Contains(all, "k-"+h.Head()) {
		h.tb.Errorf("step %d: the commit is recorded as built", h.tally.steps)
	}
}

// verify unpacks an image, once, and compares with the files that the commit has.
func (h *history) verify(m *machine, p outcome, want map[string]string) {
	h.tb.Helper()
	reference, print := p.reference(), fmt.Sprint(want)
	if h.verified[reference] == print {
		return
	}
	dir := filepath.Join(h.tb.TempDir(), "image")
	m.slipway("image", "extract", reference, "/src", dir)
	if diff := cmp.Diff(want, onDisk(h.tb, dir)); diff != "" {
		h.tb.Errorf("step %d: the %s image of %s does not hold the commit's files (-commit +image):\n%s",
			h.tally.steps, p.Outcome, p.Name, diff)
	}
	h.verified[reference] = print
}

// tags lists a repository's tags; one that does not exist has none.
func tags(tb testing.TB, repository string) []string {
	tb.Helper()
	host, name, _ := strings.Cut(repository, "/")
	var list struct{ Tags []string }
	if body := ask(tb, http.MethodGet, "http://"+host+"/v2/"+name+"/tags/list", "", nil); body != nil {
		check(tb, json.Unmarshal(body, &list))
	}
	return list.Tags
}

// ask calls a registry as these tests do: nil is a 404, and anything but success
// besides fails the test.
func ask(tb testing.TB, method, url, mediaType string, body io.Reader) []byte {
	tb.Helper()
	request, err := http.NewRequestWithContext(tb.Context(), method, url, body)
	check(tb, err)
	request.Header.Set("Content-Type", mediaType)
	request.Header.Set("Accept", "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json")
	response, err := http.DefaultClient.Do(request)
	check(tb, err)
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	check(tb, err)
	switch {
	case response.StatusCode == http.StatusNotFound:
		return nil
	case response.StatusCode >= http.StatusBadRequest:
		tb.Fatalf("%s %s answered %d:\n%s", method, url, response.StatusCode, text)
	}
	return text
}
