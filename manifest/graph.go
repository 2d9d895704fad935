package manifest

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Order gives every project, each after all that it needs to be built. It is the
// same for the same manifest, however the file orders its projects.
func (m *Manifest) Order() []string { return slices.Clone(m.order) }

// Closure gives projects and everything in this manifest that is needed to build
// them (scopes build and compile), dependencies first. Names that are not in the
// manifest are left out.
func (m *Manifest) Closure(names ...string) []string {
	needed := setOf(names)
	for _, name := range slices.Backward(m.order) {
		if needed[name] {
			m.eachInput(name, func(input string) { needed[input] = true })
		}
	}
	return m.inOrder(needed)
}

// Dependents gives the projects that are built again when any of some projects
// changes, without these themselves, dependencies first.
func (m *Manifest) Dependents(names ...string) []string {
	changed := setOf(names)
	for _, name := range m.order {
		m.eachInput(name, func(input string) { changed[name] = changed[name] || changed[input] })
	}
	for _, name := range names {
		delete(changed, name)
	}
	return m.inOrder(changed)
}

func (m *Manifest) inOrder(chosen map[string]bool) []string {
	var names []string
	for _, name := range m.order {
		if chosen[name] {
			names = append(names, name)
		}
	}
	return names
}

// eachInput calls back for each project of this manifest whose image a build sees.
func (m *Manifest) eachInput(name string, visit func(input string)) {
	deps := &m.Projects[name].Dependencies
	for _, scope := range [][]Dependency{deps.Build, deps.Compile} {
		for _, d := range scope {
			if d.Interface == "" && m.Projects[d.Name] != nil {
				visit(d.Name)
			}
		}
	}
}

// sortProjects orders all projects and reports cycles. Only build and compile
// dependencies count: services may well need each other when they run.
func (c *checker) sortProjects() []string {
	needs := func(name string) []string {
		var inputs []string
		c.m.eachInput(name, func(input string) { inputs = append(inputs, input) })
		return inputs
	}
	return sortByNeed(c.names, needs, func(cycle []string) {
		last := cycle[len(cycle)-1]
		c.at(c.m.edge(last, Dependency{Name: cycle[0]}), "take out one of these, or make it a runtime or test dependency if no build needs it",
			"projects need each other to be built: %s", strings.Join(append(cycle, cycle[0]), " -> "))
	})
}

// edge gives the path of a dependency that a project is built from.
func (m *Manifest) edge(from string, to Dependency) path {
	deps := &m.Projects[from].Dependencies
	if i := slices.Index(deps.Build, to); i >= 0 {
		return path{"projects", from, "dependencies", "build", strconv.Itoa(i)}
	}
	return path{"projects", from, "dependencies", "compile", strconv.Itoa(slices.Index(deps.Compile, to))}
}

// sortByNeed orders names so that each comes after what it needs. It reports
// cycles, {a, b} for a needs b needs a, beginning with the first name of each;
// of cycles that share a name it reports one.
func sortByNeed(names []string, needs func(string) []string, report func(cycle []string)) []string {
	s := &sorter{needs: needs, report: report, depth: map[string]int{}, tangled: map[string]bool{}}
	for _, name := range names {
		if s.depth[name] == 0 {
			s.visit(name)
		}
	}
	return s.order
}

type sorter struct {
	needs   func(string) []string
	report  func([]string)
	stack   []string       // from the first name visited to the one that is
	depth   map[string]int // from 1 in the stack; -1 when done; 0 when not seen yet
	tangled map[string]bool
	order   []string
}

func (s *sorter) visit(name string) {
	s.stack = append(s.stack, name)
	s.depth[name] = len(s.stack)
	for _, needed := range s.needs(name) {
		switch depth := s.depth[needed]; {
		case depth == 0:
			s.visit(needed)
		case depth > 0:
			s.cycle(s.stack[depth-1:])
		}
	}
	s.stack = s.stack[:len(s.stack)-1]
	s.depth[name] = -1
	s.order = append(s.order, name)
}

func (s *sorter) cycle(names []string) {
	if slices.ContainsFunc(names, func(name string) bool { return s.tangled[name] }) {
		return
	}
	for _, name := range names {
		s.tangled[name] = true
	}
	first := slices.Index(names, slices.Min(names))
	s.report(slices.Concat(names[first:], names[:first]))
}

func setOf(names []string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, name := range names {
		set[name] = true
	}
	return set
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
