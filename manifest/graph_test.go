package manifest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const graph = `{
  "web":   {"buildDir": "web", "dependencies": {"compile": ["lib", "ext@1.0"], "build": ["tool"], "runtime": ["db"], "test": ["e2e"]}},
  "lib":   {"buildDir": "lib", "dependencies": {"build": ["base"], "compile": ["base"]}},
  "tool":  {"buildDir": "tool", "dependencies": ["base"]},
  "db":    {"buildDir": "db", "dependencies": {"runtime": ["web"]}},
  "e2e":   {"buildDir": "e2e", "dependencies": ["web"]},
  "base":  {"buildDir": "base"},
  "alone": {"buildDir": "alone"}
}`

func TestGraph(t *testing.T) {
	m := mustLoad(t, "m.json", newForm(graph))
	for _, test := range []struct {
		name      string
		got, want []string
	}{
		{"order", m.Order(), []string{"alone", "base", "db", "tool", "lib", "web", "e2e"}},
		{"closure of a leaf", m.Closure("base"), []string{"base"}},
		{"closure", m.Closure("web"), []string{"base", "tool", "lib", "web"}},
		{"closure of two", m.Closure("tool", "alone"), []string{"alone", "base", "tool"}},
		{"closure of none", m.Closure("nobody"), nil},
		{"dependents", m.Dependents("base"), []string{"tool", "lib", "web", "e2e"}},
		{"dependents of two", m.Dependents("tool", "web"), []string{"e2e"}},
		{"dependents by runtime", m.Dependents("db"), nil},
	} {
		if diff := cmp.Diff(test.want, test.got); diff != "" {
			t.Errorf("%s differs (-want +got):\n%s", test.name, diff)
		}
	}
	for name, want := range map[string][]Dependency{
		"web":  {{Name: "tool"}, {Name: "lib"}, {"ext", "1.0"}},
		"lib":  {{Name: "base"}},
		"base": nil,
	} {
		if diff := cmp.Diff(want, m.Projects[name].ImageInputs()); diff != "" {
			t.Errorf("inputs of %s differ (-want +got):\n%s", name, diff)
		}
	}
}

func TestOrderDoesNotDependOnTheFile(t *testing.T) {
	lines := strings.Split(graph, "\n")
	reversed := []string{lines[0]}
	for i := len(lines) - 2; i > 0; i-- {
		reversed = append(reversed, strings.TrimSuffix(lines[i], ",")+",")
	}
	other := strings.TrimSuffix(strings.Join(reversed, "\n"), ",") + "}"
	a, b := mustLoad(t, "m.json", newForm(graph)), mustLoad(t, "m.json", newForm(other))
	if diff := cmp.Diff(a.Order(), b.Order()); diff != "" {
		t.Error(diff)
	}
}

func TestOneCycleOfEachTangleIsNamed(t *testing.T) {
	needs := map[string][]string{
		"a": {"b", "c"}, "b": {"c"}, "c": {"a", "b"}, // a tangle
		"d": {"a", "e"}, "e": {"d"}, // another, which needs the first
		"f": {"d"},
	}
	var cycles []string
	sortByNeed(sortedKeys(needs), func(n string) []string { return needs[n] }, func(c []string) { cycles = append(cycles, fmt.Sprint(c)) })
	if diff := cmp.Diff([]string{"[a b c]", "[d e]"}, cycles); diff != "" {
		t.Error(diff)
	}
}

func TestLongChain(t *testing.T) {
	const n = 20_000
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"p%d": {"buildDir": "p", "dependencies": ["p%d"]},`, i, i+1)
	}
	m := mustLoad(t, "m.json", newForm(fmt.Sprintf(`{%s "p%d": {"buildDir": "p"}}`, b.String(), n)))
	if order := m.Order(); order[0] != fmt.Sprintf("p%d", n) || order[n] != "p0" {
		t.Errorf("order begins with %s and ends with %s", order[0], order[n])
	}
	if closure := m.Closure("p1"); len(closure) != n {
		t.Errorf("closure of %d", len(closure))
	}
}
