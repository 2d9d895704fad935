package e2e

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"slipway/tools/internal/testkit/gittest"
)

const (
	interruptedCode = 130
	indexType       = "application/vnd.oci.image.index.v1+json"
	manifestType    = "application/vnd.oci.image.manifest.v1+json"
	junk            = `{"schemaVersion":2,"mediaType":"` + indexType + `","manifests":[]}`
)

// change commits a new text in a project's folder.
func (h *history) change(dir, text string) string {
	h.tb.Helper()
	h.Write(dir+"/main.txt", text+"\n")
	return h.Commit("change " + dir)
}

// paint commits a build argument of solo.
func (h *history) paint(color string) {
	h.tb.Helper()
	h.Projects["solo"].BuildArgs = map[string]string{"COLOR": color}
	h.define()
	h.Commit(color)
}

// newModule makes a repository to be a submodule.
func (h *history) newModule() *gittest.Repo {
	h.tb.Helper()
	module := gittest.New(h.tb)
	module.Write("part.txt", "one\n")
	module.WriteMode("bin/run", "#!/bin/sh\n", 0o755)
	module.Commit("module")
	return module
}

// reformatted writes a manifest with other white space, its fields in another order.
func reformatted(tb testing.TB, d definition) string {
	tb.Helper()
	text, err := json.Marshal(d)
	check(tb, err)
	var sorted map[string]any
	check(tb, json.Unmarshal(text, &sorted))
	text, err = json.MarshalIndent(sorted, "", "\t\t")
	check(tb, err)
	return "\n" + string(text) + "\n\n"
}

// reasoned builds nothing, and checks why everything is reused.
func (h *history) reasoned(m *machine, reason string) {
	h.tb.Helper()
	p := m.build()
	h.finishes(m, p, nil)
	for _, p := range p.report().Projects {
		if p.Reason != reason {
			h.tb.Errorf("%s is reused because %q, not %q", p.Name, p.Reason, reason)
		}
	}
}

// verifies plans with --verify, which has to find exactly these to build.
func (h *history) verifies(names ...string) {
	h.tb.Helper()
	var plan struct {
		Projects []struct{ Name, Action string }
	}
	check(h.tb, json.Unmarshal(h.slipway("plan", "--verify", "--format=json"), &plan))
	var builds []string
	for _, p := range plan.Projects {
		if p.Action == "build" {
			builds = append(builds, p.Name)
		}
	}
	if slices.Sort(builds); !slices.Equal(builds, names) {
		h.tb.Errorf("the plan is to build %q, not %q", builds, names)
	}
}

// stopped begins a build and stops it while a RUN goes on, which ends then.
func (h *history) stopped(how func(*process), code int) {
	h.tb.Helper()
	p := h.build()
	h.gate.wait(h.tb)
	how(p)
	p.wants(code)
	h.gate.left(h.tb)
	h.judge(h.machine, consult(h.tb, h.Repo, "HEAD"), p.report(), nil)
	h.unrecorded()
}

// failsBeside runs a build in which one project fails while another, at a gate of
// its own, is still built: that is stopped, and neither is recorded.
func (h *history) failsBeside(other *gate, failed, stopped string) {
	h.tb.Helper()
	p := h.build()
	h.gate.wait(h.tb)
	other.wait(h.tb)
	h.gate.answer(h.tb, http.StatusInternalServerError)
	other.left(h.tb)
	p.wants(1)
	r := p.report()
	if f, c := r.named("failed"), r.named("cancelled"); !slices.Equal(f, []string{failed}) || !slices.Equal(c, []string{stopped}) {
		h.tb.Errorf("%q failed and %q were stopped, not %s and %s", f, c, failed, stopped)
	}
	h.judge(h.machine, consult(h.tb, h.Repo, "HEAD"), r, nil)
	h.unrecorded()
}

// race builds a project here and elsewhere at the same time: both are at a RUN of
// the same content before either goes on, so that neither build is needless.
func (h *history) race(other *machine, name string) {
	h.tb.Helper()
	here, there := h.build(), other.build()
	h.gate.wait(h.tb)
	h.gate.wait(h.tb)
	h.gate.answer(h.tb, http.StatusOK)
	h.gate.answer(h.tb, http.StatusOK)
	h.finishes(h.machine, here, []string{name})
	delete(h.recorded[name], consult(h.tb, h.Repo, "HEAD").key(name))
	h.finishes(other, there, []string{name})
}

// manifestURL is where a registry has an OCI manifest of this history.
func (h *history) manifestURL(repository, ref string) string {
	host, prefix, _ := strings.Cut(h.registry, "/")
	return "http://" + host + "/v2/" + prefix + "/" + repository + "/manifests/" + ref
}

// put writes a tag behind slipway's back.
func (h *history) put(repository, tag, body string) {
	h.tb.Helper()
	var about struct{ MediaType string }
	check(h.tb, json.Unmarshal([]byte(body), &about))
	ask(h.tb, http.MethodPut, h.manifestURL(repository, tag), about.MediaType, strings.NewReader(body))
}

// hint is the record that main's hint holds.
func (h *history) hint() string {
	h.tb.Helper()
	return string(ask(h.tb, http.MethodGet, h.manifestURL("slipway/commits", "branch-main"), "", nil))
}

// deleteHint removes main's hint.
func (h *history) deleteHint() {
	h.tb.Helper()
	ask(h.tb, http.MethodDelete, h.manifestURL("slipway/commits", "branch-main"), "", nil)
	if h.hint() != "" {
		h.tb.Fatal("the hint is still there")
	}
}

// deleteImage removes every image of a project that is recorded as built.
func (h *history) deleteImage(name string) {
	h.tb.Helper()
	for _, tag := range h.contents(name) {
		digest := headDigest(h.tb, h.manifestURL(name, tag))
		ask(h.tb, http.MethodDelete, h.manifestURL(name, digest), "", nil)
	}
	if left := h.contents(name); len(left) > 0 {
		h.tb.Fatalf("%q are still there", left)
	}
	clear(h.recorded[name])
}

func headDigest(tb testing.TB, url string) string {
	tb.Helper()
	request, err := http.NewRequestWithContext(tb.Context(), http.MethodHead, url, nil)
	check(tb, err)
	request.Header.Set("Accept", manifestType+", "+indexType)
	response, err := http.DefaultClient.Do(request)
	check(tb, err)
	check(tb, response.Body.Close())
	return response.Header.Get("Docker-Content-Digest")
}
