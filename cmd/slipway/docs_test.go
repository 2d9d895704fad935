package main

import (
	"encoding/json"
	"io/fs"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"slipway/manifest"
	"slipway/tools/build"
	"slipway/tools/cli"
)

const docs = "../../docs/"

func compileSchema(name string) (*jsonschema.Schema, error) {
	return jsonschema.NewCompiler().Compile(docs + "schemas/" + name + ".schema.json")
}

func read(tb testing.TB, file string) string {
	tb.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	return string(content)
}

// example is a fenced block of a document, and the paragraph before it.
type example struct{ language, before, text string }

func examples(tb testing.TB, file string) []example {
	tb.Helper()
	fence := regexp.MustCompile("(?ms)([^\n]*)\n\n?```([a-z]+)\n(.*?)^```$")
	var found []example
	for _, m := range fence.FindAllStringSubmatch(read(tb, file), -1) {
		found = append(found, example{language: m[2], before: m[1], text: m[3]})
	}
	if len(found) == 0 {
		tb.Fatalf("%s has no examples", file)
	}
	return found
}

// files is a tree that has every path; a manifest's example needs no more.
type files map[string]string

func (f files) ReadFile(path string) ([]byte, error) {
	if text, ok := f[path]; ok {
		return []byte(text), nil
	}
	return nil, fs.ErrNotExist
}

func (f files) Stat(path string) (manifest.Kind, error) {
	if _, ok := f[path]; ok {
		return manifest.File, nil
	}
	return manifest.Directory, nil
}

func (files) RunScript(string) ([]byte, error) { return nil, fs.ErrNotExist }

func TestReadmeManifest(t *testing.T) {
	loaded := 0
	for _, e := range examples(t, "../../README.md") {
		if e.language != "json" {
			continue
		}
		loaded++
		if _, warnings, err := manifest.Load(files{"build_manifest.json": e.text}, "build_manifest.json"); err != nil || len(warnings) > 0 {
			t.Errorf("the example of a manifest: %v %v", err, warnings)
		}
	}
	if loaded == 0 {
		t.Error("the README shows no manifest")
	}
}

// TestCommandsOfDocuments holds every "slipway ..." that a document tells people
// to run to the commands and flags that there are.
func TestCommandsOfDocuments(t *testing.T) {
	model := parser(t).Model
	said := regexp.MustCompile("(?m)(?:^\\s*\\$ |^|[`(])slipway ((?:[a-z][a-z-]*|--?[a-z]).*?)(?:$|[`|)]|  +| #|>)")
	seen := 0
	for _, file := range []string{"../../README.md", docs + "scripting.md", docs + "design.md", docs + "manifest.md"} {
		for _, m := range said.FindAllStringSubmatch(read(t, file), -1) {
			seen++
			if err := known(model.Node, strings.Fields(m[1])); err != "" {
				t.Errorf("%s: slipway %s: %s", file, m[1], err)
			}
		}
	}
	if seen == 0 {
		t.Error("no document shows a command")
	}
}

// known says what of a command line does not exist, or "".
func known(node *kong.Node, words []string) string {
	for _, word := range words {
		word = strings.Trim(word, `[],"'`)
		switch {
		case strings.HasPrefix(word, "-"):
			name, _, _ := strings.Cut(strings.TrimLeft(word, "-"), "=")
			if !slices.ContainsFunc(flags(node), func(f *kong.Flag) bool { return f.Name == name || string(f.Short) == name }) {
				return "no flag " + word
			}
		case len(node.Children) > 0:
			i := slices.IndexFunc(node.Children, func(n *kong.Node) bool { return n.Name == word })
			if i < 0 {
				return "no command " + word
			}
			if node = node.Children[i]; len(node.Children) > 0 && len(words) > 2 {
				return "" // a list of commands, as in "image exists, tag"
			}
		}
	}
	return ""
}

func flags(node *kong.Node) []*kong.Flag {
	var all []*kong.Flag
	for _, group := range node.AllFlags(false) {
		all = append(all, group...)
	}
	return all
}

// TestScriptingExamples decodes every example strictly into the type that the
// program prints, and holds it to its schema.
func TestScriptingExamples(t *testing.T) {
	for name, value := range map[string]any{"plan": &build.Plan{}, "report": &build.Report{}} {
		t.Run(name, func(t *testing.T) {
			text := exampleOf(t, name)
			decoder := json.NewDecoder(strings.NewReader(text))
			decoder.DisallowUnknownFields()
			if err := decoder.Decode(value); err != nil {
				t.Fatalf("decoding: %v", err)
			}
			var plain any
			if err := json.Unmarshal([]byte(text), &plain); err != nil {
				t.Fatal(err)
			}
			schema, err := compileSchema(name)
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(plain); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestImageExample holds the example of what image commands print to its schema.
func TestImageExample(t *testing.T) {
	var plain any
	if err := json.Unmarshal([]byte(exampleOf(t, "image")), &plain); err != nil {
		t.Fatal(err)
	}
	schema, err := compileSchema("image")
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(plain); err != nil {
		t.Error(err)
	}
}

// exampleOf finds the example that stands below the link to its schema.
func exampleOf(tb testing.TB, schema string) string {
	tb.Helper()
	for _, e := range examples(tb, docs+"scripting.md") {
		if strings.Contains(e.before, "(schemas/"+schema+".schema.json)") {
			return e.text
		}
	}
	tb.Fatalf("docs/scripting.md has no example of %s", schema)
	return ""
}

// TestSchemasHaveEveryField holds the schemas to the types that are printed.
func TestSchemasHaveEveryField(t *testing.T) {
	type object struct {
		Properties map[string]any `json:"properties"`
		Defs       map[string]struct {
			Properties map[string]any `json:"properties"`
		} `json:"$defs"`
	}
	for name, types := range map[string][2]any{"plan": {build.Plan{}, build.Step{}}, "report": {build.Report{}, build.Result{}}} {
		var schema object
		if err := json.Unmarshal([]byte(read(t, docs+"schemas/"+name+".schema.json")), &schema); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(fields(types[0]), sortedKeys(schema.Properties)); diff != "" {
			t.Errorf("%s (-printed +schema):\n%s", name, diff)
		}
		if diff := cmp.Diff(fields(types[1]), sortedKeys(schema.Defs["project"].Properties)); diff != "" {
			t.Errorf("%s, projects (-printed +schema):\n%s", name, diff)
		}
	}
}

// fields are the JSON names of a struct's exported fields.
func fields(value any) []string {
	var names []string
	for f := range reflect.TypeOf(value).Fields() {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); f.IsExported() && name != "-" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func sortedKeys(m map[string]any) []string {
	var keys []string
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// TestEnvironmentTable holds docs/scripting.md to the flags' variables, both ways.
func TestEnvironmentTable(t *testing.T) {
	want := map[string]string{} // variable -> flag
	visit(parser(t).Model.Node, func(n *kong.Node) {
		for _, f := range n.Flags {
			for _, variable := range f.Envs {
				want["`"+variable+"`"] = "`--" + f.Name + "`"
			}
		}
	})
	got := map[string]string{}
	row := regexp.MustCompile("(?m)^\\| (`[^|]*) \\| ([^|]*) \\| [^|]+ \\|$")
	for _, m := range row.FindAllStringSubmatch(read(t, docs+"scripting.md"), -1) {
		variables, flags := strings.Split(m[1], ", "), strings.Split(strings.TrimSpace(m[2]), ", ")
		for i, variable := range variables {
			if len(flags) == len(variables) && strings.HasPrefix(flags[i], "`--") {
				got[variable] = flags[i]
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("docs/scripting.md (-flags +documented):\n%s", diff)
	}
}

// TestExitCodeTable holds docs/scripting.md to the codes there are.
func TestExitCodeTable(t *testing.T) {
	row := regexp.MustCompile(`(?m)^\| ([0-9]+) \|`)
	var got []string
	for _, m := range row.FindAllStringSubmatch(read(t, docs+"scripting.md"), -1) {
		got = append(got, m[1])
	}
	want := []string{"0", "1", "2", "75", "130"}
	if !slices.Equal(got, want) || cli.CodeTryAgain != 75 || cli.CodeInterrupted != 130 {
		t.Errorf("documented exit codes %v, want %v", got, want)
	}
}
