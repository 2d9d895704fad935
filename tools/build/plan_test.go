package build

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"slipway/tools/registry"
)

func diamond() projects {
	return projects{"tool": {}, "left": {"tool"}, "right": {"tool"}, "top": {"left", "right"}, "alone": {}}
}

func TestArrange(t *testing.T) {
	tests := map[string]struct {
		chosen []string
		there  string // projects that are built
		want   string
		levels map[string]int
	}{
		"everything is missing": {[]string{"tool", "left", "right", "top", "alone"}, "", "alone+ tool+ left+ right+ top+",
			map[string]int{"alone": 0, "tool": 0, "left": 1, "right": 1, "top": 2}},
		"everything is there":                             {[]string{"tool", "left", "right", "top", "alone"}, "tool left right top alone", "alone tool left right top", map[string]int{}},
		"one that is there needs nobody":                  {[]string{"top"}, "top", "top", map[string]int{}},
		"one with what it needs":                          {[]string{"top"}, "tool left", "tool left right+ top+", map[string]int{"right": 0, "top": 1}},
		"what it needs needs more":                        {[]string{"top"}, "right", "tool+ left+ right top+", map[string]int{"tool": 0, "left": 1, "top": 2}},
		"a dependency that is gone, of one that is there": {[]string{"top"}, "top left right", "top", map[string]int{}},
		"nothing chosen":                                  {nil, "", "", map[string]int{}},
	}
	m, order := manifestOf(diamond())
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			known := map[string]facts{}
			for _, p := range strings.Fields(test.there) {
				known[p] = facts{digest: digestOf(p)}
			}
			plan := Plan{Projects: arrange(m, order, test.chosen, known)}
			var got []string
			for _, s := range plan.Projects {
				mark := ""
				if s.Action == Build {
					mark = "+"
				}
				got = append(got, s.Name+mark)
			}
			if strings.Join(got, " ") != test.want {
				t.Errorf("arrange = %q, want %q", got, test.want)
			}
			if diff := cmp.Diff(test.levels, plan.Levels()); diff != "" {
				t.Errorf("Levels (-want +got):\n%s", diff)
			}
			if plan.HasWork() != (len(test.levels) > 0) || len(plan.Builds()) != len(test.levels) {
				t.Errorf("HasWork = %v, Builds = %v", plan.HasWork(), plan.Builds())
			}
		})
	}
}

func samplePlan(there ...string) Plan {
	m, order := manifestOf(diamond())
	known := map[string]facts{}
	for _, name := range order {
		known[name] = facts{hash: "1111111111111111111111111111111111111111"}
	}
	for _, name := range there {
		known[name] = facts{hash: "1111111111111111111111111111111111111111", digest: digestOf(name), where: "built before"}
	}
	plan := Plan{Schema: schema, Commit: "2222222222222222222222222222222222222222", Projects: arrange(m, order, order, known)}
	for i := range plan.Projects {
		plan.Projects[i].Repository = registry.Repository("registry.test/acme/" + plan.Projects[i].Name)
	}
	return plan
}

func TestFormats(t *testing.T) {
	some, none := samplePlan("tool", "right", "alone"), samplePlan("tool", "left", "right", "top", "alone")
	tests := []struct {
		format Format
		plan   Plan
		want   string
	}{
		{GitHub, some, `has_work=true
matrix={"include":[{"project":"left","level":0,"contentHash":"1111111111111111111111111111111111111111"},{"project":"top","level":1,"contentHash":"1111111111111111111111111111111111111111"}]}
`},
		{GitHub, none, "has_work=false\nmatrix={\"include\":[]}\n"},
		{GitLab, some, `# has_work: true
"build left":
  needs: []
  script:
    - slipway build --no-deps left
"build top":
  needs: ["build left"]
  script:
    - slipway build --no-deps top
record:
  needs: ["build left", "build top"]
  script:
    - slipway build --all
`},
		{GitLab, none, "# has_work: false\nnothing to build:\n  script:\n    - \"true\"\n"},
		{CircleCI, some, "{\n  \"has_work\": true,\n  \"projects\": \"left top\"\n}\n"},
		{CircleCI, none, "{\n  \"has_work\": false,\n  \"projects\": \"\"\n}\n"},
		{Mermaid, some, `graph LR
  p0["alone: reuse"]
  p1["tool: reuse"]
  p2["left: build"]
  p3["right: reuse"]
  p4["top: build"]
  p1 --> p2
  p1 --> p3
  p2 --> p4
  p3 --> p4
`},
		{Dot, samplePlan("tool", "right", "alone"), "digraph plan {\n  rankdir=LR;\n  node [shape=box];\n" +
			`  "alone" [label="alone\nreuse"];
  "tool" [label="tool\nreuse"];
  "left" [label="left\nbuild", style=bold];
  "right" [label="right\nreuse"];
  "top" [label="top\nbuild", style=bold];
  "tool" -> "left";
  "tool" -> "right";
  "left" -> "top";
  "right" -> "top";
}
`},
	}
	for _, test := range tests {
		t.Run(string(test.format), func(t *testing.T) {
			var b bytes.Buffer
			if err := test.plan.Write(&b, test.format); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, b.String()); diff != "" {
				t.Errorf("Write (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEveryFormatWritesAnyPlan(t *testing.T) {
	broken := errors.New("broken")
	for _, format := range []Format{Text, JSON, Dot, Mermaid, GitHub, GitLab, CircleCI} {
		for _, plan := range []Plan{samplePlan(), {Projects: []Step{}}} {
			var b bytes.Buffer
			if err := plan.Write(&b, format); err != nil || b.Len() == 0 {
				t.Errorf("Write as %s = %q, %v", format, b.String(), err)
			}
			if err := plan.Write(failing{broken}, format); !errors.Is(err, broken) {
				t.Errorf("Write as %s to a broken pipe = %v", format, err)
			}
		}
	}
	if err := samplePlan().Write(&bytes.Buffer{}, "xml"); err == nil {
		t.Error("an unknown format gives no error")
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestPlanAsJSONKeepsItsNames(t *testing.T) {
	var b bytes.Buffer
	if err := samplePlan("tool").Write(&b, JSON); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Schema   int
		Projects []map[string]any
	}
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	want := []map[string]any{
		{"name": "alone", "contentHash": "1111111111111111111111111111111111111111", "action": "build", "reason": "",
			"image": "registry.test/acme/alone", "changed": []any{}, "dependencies": []any{}},
		{"name": "tool", "contentHash": "1111111111111111111111111111111111111111", "action": "reuse", "reason": "built before",
			"image": "registry.test/acme/tool", "digest": string(digestOf("tool")), "changed": []any{}, "dependencies": []any{}},
	}
	if diff := cmp.Diff(want, got.Projects[:2]); diff != "" || got.Schema != 1 {
		t.Errorf("schema %d (-want +got):\n%s", got.Schema, diff)
	}
}

func TestReferencesOfChosenProjects(t *testing.T) {
	r := Report{Projects: []Result{
		{Name: "base", Repository: "r.test/base", Digest: "sha256:1"}, {Name: "web", Repository: "r.test/web", Digest: "sha256:2"}, {Name: "failed"},
	}}
	for want, names := range map[string][]string{
		"base r.test/base@sha256:1\nweb r.test/web@sha256:2\n": nil,
		"web r.test/web@sha256:2\n":                            {"web", "failed"},
	} {
		var b strings.Builder
		if err := r.References(&b, names...); err != nil || b.String() != want {
			t.Errorf("References(%q) = %q, %v, want %q", names, b.String(), err, want)
		}
	}
}
