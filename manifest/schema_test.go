package manifest

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/invopop/jsonschema"
	validator "github.com/santhosh-tekuri/jsonschema/v6"
)

//go:generate go test -run TestSchemaIsUpToDate -update .
var update = flag.Bool("update", false, "write schema.json from the types")

const schemaFile = "schema.json"

// scopes is how Dependencies look when they are written as an object.
type scopes Dependencies

// schema makes the JSON Schema of both forms: fields, types and descriptions come
// from the types and their comments, patterns from the grammar.
func schema(tb testing.TB) *jsonschema.Schema {
	tb.Helper()
	comments := &jsonschema.Reflector{}
	if err := comments.AddGoComments("slipway", "./", jsonschema.WithFullComment()); err != nil {
		tb.Fatal(err)
	}
	r := &jsonschema.Reflector{Anonymous: true, Mapper: special, Namer: title, LookupComment: func(t reflect.Type, field string) string {
		if t == reflect.TypeFor[scopes]() {
			t = reflect.TypeFor[Dependencies]()
		}
		key := strings.TrimSuffix("slipway."+t.Name()+"."+field, ".")
		return strings.ReplaceAll(comments.CommentMap[key], "\n", " ")
	}}
	defs := jsonschema.Definitions{}
	for _, v := range []any{Manifest{}, scopes{}, legacyProject{}} {
		for name, def := range r.Reflect(v).Definitions {
			defs[name] = def
		}
	}
	refine(defs)
	newForm := []*jsonschema.Schema{{Required: []string{"version"}}, {Required: []string{"projects"}}, {MaxProperties: number64(0)}}
	return &jsonschema.Schema{
		Version:     jsonschema.Version,
		Title:       "slipway build manifest",
		Type:        "object",
		If:          &jsonschema.Schema{AnyOf: newForm},
		Then:        ref("Manifest"),
		Else:        &jsonschema.Schema{AdditionalProperties: ref("LegacyProject"), PropertyNames: projectName()},
		Definitions: defs,
	}
}

// special gives the schemas of types that are not written as Go holds them.
func special(t reflect.Type) *jsonschema.Schema {
	if c, ok := reflect.Zero(t).Interface().(chooser); ok {
		s := &jsonschema.Schema{Type: "string"}
		for _, choice := range c.choices() {
			s.Enum = append(s.Enum, choice)
		}
		return s
	}
	texts := &jsonschema.Schema{Type: "array", Items: &jsonschema.Schema{Type: "string"}}
	switch t {
	case reflect.TypeFor[json.RawMessage]():
		return jsonschema.TrueSchema
	case reflect.TypeFor[time.Duration]():
		return pattern(`\+?(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+`)
	case reflect.TypeFor[Location]():
		return pattern(hostPattern + `(/[a-z0-9{}._-]+)*`)
	case reflect.TypeFor[Dependency]():
		return pattern(dependencyPattern)
	case reflect.TypeFor[[]Dependency]():
		return &jsonschema.Schema{Type: "array", Items: pattern(dependencyPattern), UniqueItems: true}
	case reflect.TypeFor[Dependencies]():
		return either(special(reflect.TypeFor[[]Dependency]()), ref("Scopes"))
	case reflect.TypeFor[Command]():
		return either(&jsonschema.Schema{Type: "string", MinLength: number64(1)}, &jsonschema.Schema{Type: "array", Items: texts.Items, MinItems: number64(1)})
	case reflect.TypeFor[legacyPatterns]():
		return either(texts, texts.Items)
	case reflect.TypeFor[legacyDependencies]():
		return either(texts, texts.Items)
	}
	return nil
}

// refine adds to single fields what their Go types do not tell.
func refine(defs jsonschema.Definitions) {
	for name, def := range defs {
		for p := def.Properties.Oldest(); p != nil; p = p.Next() {
			if p.Value.Type == "string" && p.Value.Pattern == "" && p.Value.Enum == nil && name != "LegacyProject" {
				p.Value.MinLength = number64(1)
			}
		}
	}
	field := func(def, name string) *jsonschema.Schema {
		s, ok := defs[def].Properties.Get(name)
		if !ok {
			panic("no field " + def + "." + name)
		}
		return s
	}
	field("Manifest", "version").Const = 1
	field("Manifest", "name").Pattern = anchored(componentPattern)
	field("Manifest", "source").Pattern = anchored(sourcePattern)
	field("Manifest", "defaultBranch").Pattern = anchored(branchPattern)
	field("Manifest", "baseImages").PropertyNames = pattern(referencePattern)
	field("Manifest", "baseImages").AdditionalProperties = pattern(baseImagePattern)
	field("Manifest", "projects").PropertyNames = projectName()
	field("Project", "interface").Pattern = anchored(interfacePattern)
	field("Project", "rebuildPatterns").MinItems = number64(1)
	field("Project", "platforms").Items = pattern(platformPattern)
	field("Project", "platforms").UniqueItems = true
	field("Project", "buildArgs").PropertyNames = pattern(variablePattern)
	field("Project", "secrets").PropertyNames = pattern(wordPattern)
	field("Project", "jobs").PropertyNames = pattern(wordPattern)
	field("Project", "hermetic").Default = true
	field("Secret", "env").Pattern = anchored(variablePattern)
	defs["Secret"].OneOf = []*jsonschema.Schema{{Required: []string{"env"}}, {Required: []string{"file"}}}
	field("Job", "needs").UniqueItems = true
	field("Job", "required").Default = true
	field("Job", "retries").Minimum = "0"
	field("Job", "retries").Maximum = json.Number("10")
	defs["LegacyProject"].AnyOf = []*jsonschema.Schema{{Required: []string{"buildDir"}}, {Required: []string{"projectDir"}}}
	for _, legacy := range []*jsonschema.Schema{field("LegacyProject", "runDependencies"), field("LegacyJob", "dependencies")} {
		legacy.UniqueItems = false
		legacy.Items = &jsonschema.Schema{Type: "string"}
	}
}

func projectName() *jsonschema.Schema {
	s := pattern(componentPattern)
	s.MaxLength = number64(maxName)
	s.Not = &jsonschema.Schema{Pattern: "^(slipway|untrusted)" + flatSlash}
	return s
}

func pattern(p string) *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Pattern: anchored(p)}
}

func either(schemas ...*jsonschema.Schema) *jsonschema.Schema {
	return &jsonschema.Schema{OneOf: schemas}
}

func ref(def string) *jsonschema.Schema { return &jsonschema.Schema{Ref: "#/$defs/" + def} }

func anchored(p string) string { return "^(" + p + ")$" }

func number64(n uint64) *uint64 { return &n }

func title(t reflect.Type) string {
	name := t.Name()
	if name == "" {
		return "" // not a named type
	}
	return strings.ToUpper(name[:1]) + name[1:]
}

func TestSchemaIsUpToDate(t *testing.T) {
	want, err := json.MarshalIndent(schema(t), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	if *update {
		if err := os.WriteFile(schemaFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("schema.json is not what the types say; run go generate ./manifest (-want +got):\n%s", diff)
	}
}

func compiledSchema(tb testing.TB) *validator.Schema {
	tb.Helper()
	content, err := os.ReadFile(schemaFile)
	if err != nil {
		tb.Fatal(err)
	}
	doc, err := validator.UnmarshalJSON(bytes.NewReader(content))
	if err != nil {
		tb.Fatal(err)
	}
	compiler := validator.NewCompiler()
	if err := compiler.AddResource(schemaFile, doc); err != nil {
		tb.Fatal(err)
	}
	compiled, err := compiler.Compile(schemaFile)
	if err != nil {
		tb.Fatal(err)
	}
	return compiled
}

// validate asks the schema about a sample, which must at least be readable.
func validate(tb testing.TB, s *validator.Schema, content string) error {
	tb.Helper()
	parser := parseJSON
	if file(content) == "m.yaml" {
		parser = parseYAML
	}
	root, err := parser(content)
	if err != nil {
		tb.Fatal(err)
	}
	value, err := validator.UnmarshalJSON(bytes.NewReader(root.appendJSON(nil)))
	if err != nil {
		tb.Fatal(err)
	}
	return s.Validate(value)
}

func TestSchemaRefusesWhatLoadRefuses(t *testing.T) {
	s := compiledSchema(t)
	for _, test := range faulty {
		if !test.hidden && validate(t, s, test.content) == nil {
			t.Errorf("%s: the schema accepts it", test.name)
		}
	}
}

func TestSchemaAcceptsWhatLoadAccepts(t *testing.T) {
	s := compiledSchema(t)
	for _, content := range []string{everything, newForm(graph), newForm("{}"), newForm(separated), legacyYAML, large(100)} {
		if err := validate(t, s, content); err != nil {
			t.Errorf("the schema refuses %.60q: %v", content, err)
		}
	}
}
