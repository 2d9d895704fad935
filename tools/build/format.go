package build

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"slipway/tools/console"
)

// Format is a way to write a plan: the values of plan --format.
type Format string

// The formats of a plan. Those for a CI system are valid, and say so, when there
// is nothing to do.
const (
	Text     Format = "text"
	JSON     Format = "json"
	Dot      Format = "dot"      // a graph for Graphviz
	Mermaid  Format = "mermaid"  // a graph for Markdown
	GitHub   Format = "github"   // lines for GITHUB_OUTPUT: has_work and a matrix
	GitLab   Format = "gitlab"   // a child pipeline
	CircleCI Format = "circleci" // pipeline parameters as JSON
)

// Write writes the plan in a format.
func (p Plan) Write(w io.Writer, f Format) error {
	var text string
	switch f {
	case JSON:
		return console.JSON(w, p)
	case Dot:
		text = p.dot()
	case Mermaid:
		text = p.mermaid()
	case GitHub:
		return p.github(w)
	case GitLab:
		text = p.gitlab()
	case CircleCI:
		return p.circleci(w)
	case Text:
		return p.Text(w)
	default:
		return fmt.Errorf("writing the plan: format %q is not known", f)
	}
	if _, err := io.WriteString(w, text); err != nil {
		return fmt.Errorf("writing the plan: %w", err)
	}
	return nil
}

// pending reports whether a step is to be done.
func (s Step) pending() bool { return s.Action == Build || s.Action == Changed }

// edges calls visit for each dependency between projects of the plan.
func (p Plan) edges(visit func(from, to string)) {
	there := map[string]bool{}
	for _, s := range p.Projects {
		there[s.Name] = true
		for _, dep := range s.Dependencies {
			if there[dep] {
				visit(dep, s.Name)
			}
		}
	}
}

func (p Plan) dot() string {
	var b strings.Builder
	b.WriteString("digraph plan {\n  rankdir=LR;\n  node [shape=box];\n")
	for _, s := range p.Projects {
		style := ""
		if s.pending() {
			style = ", style=bold"
		}
		fmt.Fprintf(&b, "  %q [label=%q%s];\n", s.Name, s.Name+"\n"+string(s.Action), style)
	}
	p.edges(func(from, to string) { fmt.Fprintf(&b, "  %q -> %q;\n", from, to) })
	b.WriteString("}\n")
	return b.String()
}

func (p Plan) mermaid() string {
	var b strings.Builder
	b.WriteString("graph LR\n")
	id := map[string]string{} // names may hold what Mermaid takes as syntax
	for i, s := range p.Projects {
		id[s.Name] = fmt.Sprintf("p%d", i)
		fmt.Fprintf(&b, "  %s[\"%s: %s\"]\n", id[s.Name], s.Name, s.Action)
	}
	p.edges(func(from, to string) { fmt.Fprintf(&b, "  %s --> %s\n", id[from], id[to]) })
	return b.String()
}

// entry is one line of a CI's matrix.
type entry struct {
	Project     string `json:"project"`
	Level       int    `json:"level"`
	ContentHash string `json:"contentHash"`
}

// matrix lists what is to be done; never nil.
func (p Plan) matrix() []entry {
	entries := []entry{}
	levels := p.Levels()
	for _, s := range p.Projects {
		if s.pending() {
			entries = append(entries, entry{s.Name, levels[s.Name], string(s.ContentHash)})
		}
	}
	return entries
}

func (p Plan) github(w io.Writer) error {
	matrix, err := json.Marshal(map[string]any{"include": p.matrix()})
	if err == nil {
		_, err = fmt.Fprintf(w, "has_work=%t\nmatrix=%s\n", p.HasWork(), matrix)
	}
	if err != nil {
		return fmt.Errorf("writing the plan: %w", err)
	}
	return nil
}

// gitlab is a pipeline with a job for each build, started as soon as those it
// needs are done, and a last one that records the commit. A child pipeline must
// have a job, so there is one that does nothing.
func (p Plan) gitlab() string {
	if !p.HasWork() {
		return "# has_work: false\nnothing to build:\n  script:\n    - \"true\"\n"
	}
	var b strings.Builder
	b.WriteString("# has_work: true\n")
	levels := p.Levels()
	var jobs []string
	for _, s := range p.Projects {
		if !s.pending() {
			continue
		}
		jobs = append(jobs, fmt.Sprintf("%q", "build "+s.Name))
		fmt.Fprintf(&b, "\"build %s\":\n  needs: [%s]\n  script:\n    - slipway build --no-deps %s\n", s.Name, needs(s, levels), s.Name)
	}
	fmt.Fprintf(&b, "record:\n  needs: [%s]\n  script:\n    - slipway build --all\n", strings.Join(jobs, ", "))
	return b.String()
}

func needs(s Step, levels map[string]int) string {
	var jobs []string
	for _, dep := range s.Dependencies {
		if _, pending := levels[dep]; pending {
			jobs = append(jobs, fmt.Sprintf("%q", "build "+dep))
		}
	}
	return strings.Join(jobs, ", ")
}

func (p Plan) circleci(w io.Writer) error {
	var names []string
	for _, e := range p.matrix() {
		names = append(names, e.Project)
	}
	return console.JSON(w, map[string]any{"has_work": p.HasWork(), "projects": strings.Join(names, " ")})
}
