package build

import (
	"slipway/manifest"
	"slipway/tools/contenthash"
	"slipway/tools/gitrepo"
	"slipway/tools/registry"
)

// Action is what is done about a project: "build" or "reuse"; where two commits
// are compared, "changed" or "same".
type Action string

// The actions of a plan.
const (
	Build   Action = "build"
	Reuse   Action = "reuse"
	Changed Action = "changed"
	Same    Action = "same"
)

// Plan is what is done about a commit, in dependency order. Its JSON form is
// documented in docs/scripting.md.
type Plan struct {
	Schema   int              `json:"schema"` // 1
	Commit   gitrepo.ObjectID `json:"commit"`
	Base     gitrepo.ObjectID `json:"base,omitempty"` // what the reasons compare with
	Dirty    bool             `json:"dirty,omitempty"`
	Projects []Step           `json:"projects"`
}

// Step is what is done about one project.
type Step struct {
	Name         string              `json:"name"`
	ContentHash  contenthash.Hash    `json:"contentHash"`
	Action       Action              `json:"action"`
	Reason       string              `json:"reason"`
	Repository   registry.Repository `json:"image,omitempty"`
	Digest       registry.Digest     `json:"digest,omitempty"` // of the image that is there already
	Changed      []string            `json:"changed"`          // paths that differ from the base
	Dependencies []string            `json:"dependencies"`     // projects whose images the build uses
}

const schema = 1

// Builds returns the steps that build something.
func (p Plan) Builds() []Step {
	var steps []Step
	for _, s := range p.Projects {
		if s.Action == Build {
			steps = append(steps, s)
		}
	}
	return steps
}

// HasWork reports whether there is anything to do.
func (p Plan) HasWork() bool {
	for _, s := range p.Projects {
		if s.pending() {
			return true
		}
	}
	return false
}

// Levels numbers the projects to be built by how many builds must come before
// them: all of one level can go on at once.
func (p Plan) Levels() map[string]int {
	levels := map[string]int{}
	for _, s := range p.Projects { // dependencies come first
		if !s.pending() {
			continue
		}
		level := 0
		for _, dep := range s.Dependencies {
			if l, ok := levels[dep]; ok {
				level = max(level, l+1)
			}
		}
		levels[s.Name] = level
	}
	return levels
}

// facts is what is known about one project when the plan is made.
type facts struct {
	hash   contenthash.Hash
	digest registry.Digest // "" when it has to be built
	gone   bool            // a record named an image that is no longer there
	where  string          // for a reused one: how it is known to be there
}

// arrange makes the steps for the chosen projects and for the dependencies that
// must be built for them, in the order given. It is pure: known holds a fact for
// each of them.
func arrange(m *manifest.Manifest, order, chosen []string, known map[string]facts) []Step {
	wanted := map[string]bool{}
	for _, name := range chosen {
		wanted[name] = true
	}
	for i := len(order) - 1; i >= 0; i-- { // dependents first
		if name := order[i]; wanted[name] && known[name].digest == "" {
			for _, dep := range localInputs(m.Projects[name]) {
				wanted[dep] = true
			}
		}
	}
	var steps []Step
	for _, name := range order {
		if wanted[name] {
			steps = append(steps, newStep(m.Projects[name], known[name]))
		}
	}
	return steps
}

func newStep(p *manifest.Project, f facts) Step {
	s := Step{
		Name: p.Name, ContentHash: f.hash, Action: Build, Digest: f.digest,
		Changed: []string{}, Dependencies: append([]string{}, localInputs(p)...),
	}
	if f.digest != "" {
		s.Action, s.Reason = Reuse, f.where
	}
	return s
}

// localInputs names the projects of this manifest whose images p's build uses.
func localInputs(p *manifest.Project) []string {
	var names []string
	for _, dep := range p.ImageInputs() {
		if dep.Interface == "" {
			names = append(names, dep.Name)
		}
	}
	return names
}
