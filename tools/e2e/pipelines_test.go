package e2e

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// pipelines are histories in which a CI builds each project in a job of its own.
func pipelines() []story {
	return []story{
		{"matrix pipeline", func(h *history) {
			other := h.elsewhere()
			h.Matrix(other, everything...)
			h.Matrix(other)
			h.change("libs/lib", "two")
			other.Pull("main")
			h.NoDeps("app", "lib")
			h.Matrix(other, "lib", "app")
			h.Revert("HEAD")
			other.Pull("main")
			h.Matrix(other)
		}},
	}
}

// job is one of the matrix that plan gives to a CI.
type job struct {
	Project string
	Level   int
}

// Matrix plans for a CI that has to build these projects, builds each in a job of
// its own, a level after the other, on two machines, and records the commit.
func (h *history) Matrix(other *machine, names ...string) {
	h.tb.Helper()
	jobs := h.jobs(len(names) > 0)
	slices.SortStableFunc(jobs, func(a, b job) int { return a.Level - b.Level })
	var planned []string
	for i, job := range jobs {
		m := []*machine{h.machine, other}[i%2]
		h.finishes(m, m.only("--no-deps", job.Project), []string{job.Project})
		planned = append(planned, job.Project)
	}
	slices.Sort(planned)
	if want := slices.Sorted(slices.Values(names)); !slices.Equal(planned, want) {
		h.tb.Errorf("the matrix has %q, not %q", planned, want)
	}
	if len(names) > 0 {
		h.unrecorded()
	}
	h.Builds()
	if !strings.Contains(h.hint(), h.Head()) {
		h.tb.Errorf("step %d: the commit is not recorded", h.tally.steps)
	}
}

// jobs asks for the matrix, as lines that GitHub reads.
func (h *history) jobs(work bool) []job {
	h.tb.Helper()
	said := map[string]string{}
	for line := range strings.Lines(string(h.slipway("plan", "--format=github"))) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		said[key] = value
	}
	var matrix struct{ Include []job }
	check(h.tb, json.Unmarshal([]byte(said["matrix"]), &matrix))
	if said["has_work"] != strconv.FormatBool(work) {
		h.tb.Errorf("has_work is %s, with the matrix %s", said["has_work"], said["matrix"])
	}
	return matrix.Include
}

// NoDeps builds a project alone, before what it is made from: that is refused,
// with the name of what is missing.
func (h *history) NoDeps(name, missing string) {
	h.tb.Helper()
	p := h.only("--no-deps", name)
	p.wants(1)
	if said := p.stderr.String(); !strings.Contains(said, missing) {
		h.tb.Errorf("nothing is said of %s:\n%s", missing, said)
	}
}
