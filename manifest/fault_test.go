package manifest

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// faulty are manifests that are not sound, with all their faults as [short] gives them.
var faulty = []struct {
	name    string
	content string // without a first line break; of YAML when it has one
	want    []string
	// hidden says that the JSON Schema cannot tell: what matters lies between
	// values, or outside of what a schema sees.
	hidden bool
}{
	{name: "empty file", content: "", want: []string{"1 : the file is empty"}, hidden: true},
	{name: "blank file", content: " \n", want: []string{"1  : the file is empty"}, hidden: true},
	{name: "only a comment", content: "\n# nothing\n", want: []string{"1 : the file is empty"}, hidden: true},
	{name: "not an object", content: "[1]", want: []string{"1 [: a manifest must be an object, not a list"}},
	{name: "nothing said", content: "{}", want: []string{
		`1 {: the field "version" is missing`,
		`1 {: the field "name" is missing`,
		`1 {: the field "projects" is missing`,
	}},
	{name: "other version", content: `{"version": 2, "name": "acme", "projects": {}}`, want: []string{"1 2: version 2 is not known"}},
	{name: "version as text", content: `{"version": "1", "name": "acme", "projects": {}}`, want: []string{`1 "1": "version" must be a number, not a string`}},
	{name: "version as fraction", content: `{"version": 1.5, "name": "acme", "projects": {}}`, want: []string{`1 1: "version" must be a whole number, not 1.5`}},
	{name: "trailing data", content: newForm("{}") + "}", want: []string{"1 }: expected the end of the file, found '}'"}, hidden: true},
	{name: "trailing comma", content: `{"version": 1,}`, want: []string{"1 ,: a comma without a value after it"}, hidden: true},
	{name: "comment", content: "{ // no\n}", want: []string{"1 /: expected a name in double quotes, found '/'"}, hidden: true},
	{name: "cut off", content: `{"version":`, want: []string{"1 : expected a value, found the end of the file"}, hidden: true},
	{name: "string without end", content: "{\"version\n", want: []string{"1 : a string must end on its line"}, hidden: true},
	{name: "wrong escape", content: `{"version": "é\x"}`, want: []string{`1 "é\x": a string with an escape that JSON does not have`}, hidden: true},
	{name: "wrong number", content: `{"version": 01}`, want: []string{`1 01: "01" is not a number as JSON writes it`}, hidden: true},
	{name: "not UTF-8", content: "{\n\"é\xff\"}", want: []string{"2 �: a byte that is not UTF-8"}, hidden: true},
	{name: "deep nesting", content: strings.Repeat("[", 100_000), want: []string{"1 [: values nest too deeply"}, hidden: true},
	{name: "deep nesting in YAML", content: "\n" + strings.Repeat("[", 5000) + strings.Repeat("]", 5000), want: []string{"2 [: values nest too deeply"}, hidden: true},
	{name: "unknown fields", content: newForm(`{"web": {"builddir": "web", "x": 1}}`), want: []string{
		`1 {: the field "buildDir" is missing`,
		`1 "builddir": unknown field "builddir"`,
		`1 "x": unknown field "x"`,
	}},
	{name: "key twice", content: newForm(`{"web": {"buildDir": "web", "buildDir": "web2"}}`), want: []string{`1 "buildDir": "buildDir" is defined twice, first on line 1`}, hidden: true},
	{name: "project twice", content: newForm("{\"web\": {\"buildDir\": \"web\"},\n\"web\": {\"buildDir\": \"w\"}}"), want: []string{`2 "web": "web" is defined twice, first on line 1`}, hidden: true},
	{name: "key twice in YAML", content: "\nversion: 1\nname: acme\nname: acme\nprojects: {}", want: []string{`4 name: "name" is defined twice, first on line 3`}, hidden: true},
	{name: "wrong types", content: newForm(`{"web": {"buildDir": 1, "dependencies": "x", "jobs": [], "hermetic": "yes", "rebuildPatterns": {}, "secrets": null}, "base": []}`), want: []string{
		`1 1: "buildDir" must be a string, not a number`,
		`1 "x": "dependencies" must be a list, or an object of lists by scope, not a string`,
		`1 [: "jobs" must be an object, not a list`,
		`1 "yes": "hermetic" must be true or false, not a string`,
		`1 {: "rebuildPatterns" must be a list, not an object`,
		`1 null: "secrets" must be an object, not null`,
		`1 [: "base" must be an object, not a list`,
	}},
	{name: "paths", content: newForm(`{
"a": {"buildDir": "/a"},
"b": {"buildDir": "b", "dockerfile": "../../Dockerfile"},
"c": {"buildDir": "a/../.."},
"d": {"buildDir": "d\\e", "projectDir": "d\u0000"},
"e": {"buildDir": ""}}`), want: []string{
		`2 "/a": "/a" is absolute`,
		`3 "../../Dockerfile": "../../Dockerfile" leaves the repository`,
		`4 "a/../..": "a/../.." leaves the repository`,
		`5 "d\\e": "d\\e" has a backslash`,
		`5 "d\u0000": "d\x00" has a control character`,
		`6 "": "buildDir" is empty`,
	}, hidden: true},
	{name: "separators in names", content: newForm(`{"a..b": {"buildDir": "a"}, "a._b": {"buildDir": "a"}, "a___b": {"buildDir": "a"}, "a-_b": {"buildDir": "a"}, "a-": {"buildDir": "a"}}`), want: []string{
		`1 "a..b": "a..b" cannot be the name of an image repository`,
		`1 "a._b": "a._b" cannot be the name of an image repository`,
		`1 "a___b": "a___b" cannot be the name of an image repository`,
		`1 "a-_b": "a-_b" cannot be the name of an image repository`,
		`1 "a-": "a-" cannot be the name of an image repository`,
	}},
	{name: "source", content: `{"version": 1, "name": "acme", "source": "https://user:secret@example.com/acme", "projects": {}}`, want: []string{
		`1 "https://user:secret@example.com/acme": "source" must be an http or https address without a user, a query or a fragment`,
	}},
	{name: "project names", content: newForm(`{"Web": {"buildDir": "w"}, "web_": {"buildDir": "w"}, "": {"buildDir": "w"}, "slipway--x": {"buildDir": "w"}}`), want: []string{
		`1 "Web": "Web" cannot be the name of an image repository`,
		`1 "web_": "web_" cannot be the name of an image repository`,
		`1 "": a project without a name`,
		`1 "slipway--x": "slipway--x" is kept for slipway's own records`,
	}},
	{name: "long name", content: newForm(`{"` + strings.Repeat("a", 129) + `": {"buildDir": "w"}}`), want: []string{`1 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa": a name of 129 characters; 128 are allowed`}},
	{name: "interface", content: newForm(`{"a": {"buildDir": "a", "interface": "1"}, "b": {"buildDir": "b", "interface": "01.0"}}`), want: []string{
		`1 "1": "1" does not have the right form`,
		`1 "01.0": "01.0" does not have the right form`,
	}},
	{name: "interface in YAML without quotes", content: "\nversion: 1\nname: acme\nprojects:\n  a:\n    buildDir: a\n    interface: 1.0", want: []string{`7 1: "interface" must be a string, not a number`}},
	{name: "patterns", content: newForm(`{"a": {"buildDir": "a", "rebuildPatterns": ["(", "^ok$", "a(?!b)"]}, "b": {"buildDir": "b", "rebuildPatterns": []}}`), want: []string{
		`1 "(": "(" is not a regular expression: missing closing )`,
		`1 "a(?!b)": "a(?!b)" is not a regular expression: invalid or unsupported Perl syntax`,
		"1 [: without a pattern, no file would rebuild the project",
	}},
	{name: "platforms", content: newForm(`{"a": {"buildDir": "a", "platforms": ["amd64", "linux/x86_64", "linux/arm64", "linux/arm64"]}}`), want: []string{
		`1 "amd64": "amd64" does not have the right form`,
		`1 "linux/x86_64": "linux/x86_64" is not what images call this platform`,
		`1 "linux/arm64": "linux/arm64" is there twice`,
	}},
	{name: "build arguments", content: newForm(`{"base": {"buildDir": "b"}, "a": {"buildDir": "a", "dependencies": ["base"], "buildArgs": {"BASE_IMAGE": "x", "1": "", "SOURCE_DATE_EPOCH": "0", "N": 1}}}`), want: []string{
		`1 "BASE_IMAGE": the build argument BASE_IMAGE is set by the dependency base`,
		`1 "1": "1" cannot be the name of a build argument`,
		`1 "SOURCE_DATE_EPOCH": slipway sets the build argument SOURCE_DATE_EPOCH itself`,
		`1 1: "N" must be a string, not a number`,
	}},
	{name: "secrets", content: newForm(`{"a": {"buildDir": "a", "secrets": {"x": {}, "y": {"env": "A", "file": "b"}, "z": {"env": "A B"}, "/": {"env": "A"}}}}`), want: []string{
		"1 {: a secret has exactly one of env and file",
		"1 {: a secret has exactly one of env and file",
		`1 "A B": "A B" does not have the right form`,
		`1 "/": "/" cannot be the id of a secret`,
	}},
	{name: "network", content: newForm(`{"a": {"buildDir": "a", "network": "host"}}`), want: []string{`1 "host": "network" cannot be "host"`}},
	{name: "dependencies", content: newForm(`{"a": {"buildDir": "a", "dependencies": ["b", "", "x@", "x@1", "y@1.0", "c", "c"]}, "c": {"buildDir": "c", "dependencies": {"runtime": ["c"]}}}`), want: []string{
		`1 "b": there is no project "b"`,
		`1 "": a dependency without a name`,
		`1 "x@": "x@" is not a dependency`,
		`1 "x@1": "x@1" is not a dependency`,
		`1 "c": "c" is there twice`,
		`1 "c": "c" depends on itself`,
	}},
	{name: "dependency missing", content: newForm(`{"a": {"buildDir": "a", "dependencies": ["b"]}}`), want: []string{`1 "b": there is no project "b"`}, hidden: true},
	{name: "same argument", content: newForm(`{"a-b": {"buildDir": "a"}, "a.b": {"buildDir": "a"}, "c": {"buildDir": "c", "dependencies": {"build": ["a-b"], "compile": ["a.b", "a-b"]}}}`), want: []string{`1 "a.b": a-b and a.b both set the build argument A_B_IMAGE`}, hidden: true},
	{name: "cycle", content: newForm(`{"c": {"buildDir": "c", "dependencies": ["a"]}, "a": {"buildDir": "a", "dependencies": ["b"]}, "b": {"buildDir": "b", "dependencies": {"build": ["c"]}}}`), want: []string{`1 "a": projects need each other to be built: a -> b -> c -> a`}, hidden: true},
	{name: "cycle of one", content: newForm(`{"a": {"buildDir": "a", "dependencies": ["a"]}}`), want: []string{`1 "a": projects need each other to be built: a -> a`}, hidden: true},
	{name: "jobs", content: newForm(`{"a": {"buildDir": "a", "jobs": {
"none": {},
"both": {"command": "x", "file": "y"},
"hollow": {"command": []},
"container": {"kind": "container", "file": "x"},
"compose": {"kind": "compose", "command": "x"},
"kind": {"kind": "conteiner"},
"stage": {"command": "x", "stage": "never"},
"time": {"command": "x", "timeout": "10"}, "time2": {"command": "x", "timeout": 10},
"retry": {"command": "x", "retries": 11},
"need": {"command": "x", "needs": ["stge"]},
"out": {"file": "../../x"},
"no/good": {"command": 1}}}}`), want: []string{
		"2 {: a job of kind script has exactly one of command and file",
		"3 {: a job of kind script has exactly one of command and file",
		"4 [: an empty command",
		`5 "x": a job of kind container has no file`,
		"6 {: a job of kind compose has a file",
		`7 "conteiner": "kind" cannot be "conteiner"`,
		`8 "never": "stage" cannot be "never"`,
		`9 "10": "timeout" cannot be "10"`,
		`9 10: "timeout" must be a string, not a number`,
		"10 11: retries must be from 0 to 10, not 11",
		`11 "stge": there is no job "stge" in "a"`,
		`12 "../../x": "../../x" leaves the repository`,
		`13 "no/good": "no/good" cannot be the name of a job`,
		`13 1: "command" must be a string or a list, not a number`,
	}},
	{name: "job order", content: newForm(`{"a": {"buildDir": "a", "jobs": {"x": {"command": "x", "needs": ["y", "z"]}, "y": {"command": "y", "needs": ["x"]}, "z": {"command": "z", "stage": "full"}}}}`), want: []string{
		`1 "z": an acceptance job cannot wait for "z", which is of the stage full`,
		`1 "x": jobs wait for each other: x -> y -> x`,
	}, hidden: true},
	{name: "registry", content: `{"version": 1, "name": "Acme", "defaultBranch": "a..b", "registry": {"cache": "https://ghcr.io", "deploy": "acme/{name}/{name}"}, "projects": {}}`, want: []string{
		`1 "Acme": "Acme" does not have the right form`,
		`1 "https://ghcr.io": a registry is written without its scheme`,
		`1 "acme/{name}/{name}": not a registry's host with a prefix`,
	}},
	{name: "long registry", content: `{"version": 1, "name": "acme", "registry": {"cache": "` + strings.Repeat("a", 120) + `:1"}, "projects": {}}`, want: []string{`1 "` + strings.Repeat("a", 120) + `:1": longer than 120 characters`}, hidden: true},
	{name: "registry without host", content: `{"version": 1, "name": "acme", "registry": {"cache": "acme/images"}, "projects": {}}`, want: []string{`1 "acme/images": not a registry's host with a prefix`}},
	{name: "base images", content: `{"version": 1, "name": "acme", "baseImages": {"Debian": "debian:12", "a": "sha256:12", "b": "{registry}/B", "c": "{other}/x", "d": "{registry}/sha256:12"}, "projects": {}}`, want: []string{
		`1 "Debian": "Debian" is not an image reference`,
		`1 "sha256:12": "sha256:12" is neither an image reference nor a digest`,
		`1 "{registry}/B": "{registry}/B" is neither an image reference nor a digest`,
		`1 "{other}/x": "{other}/x" is neither an image reference nor a digest`,
		`1 "{registry}/sha256:12": "{registry}/sha256:12" is neither an image reference nor a digest`,
	}},
	{name: "aliases", content: "\nversion: 1\nname: &n acme\nprojects: {web: {buildDir: *n}}", want: []string{"4 *: an alias"}, hidden: true},
	{name: "alias to itself", content: "\nversion: 1\nname: acme\nprojects: &p {web: *p}", want: []string{"4 *: an alias"}, hidden: true},
	{name: "merge key", content: "\nversion: 1\nprojects: {web: {<<: {buildDir: x}}}", want: []string{"3 <: a merge key"}, hidden: true},
	{name: "tag", content: "\nversion: !one 1\n", want: []string{`2 !: the tag "!one"`}, hidden: true},
	{name: "number of YAML", content: "\nversion: 0x1\n", want: []string{`2 0x1: "0x1" is not a number as JSON writes it`}, hidden: true},
	{name: "alias as key", content: "\n? &k a\n: 1\n? *k\n: 2\n", want: []string{"4 *: an alias"}, hidden: true},
	{name: "list as key", content: "\n? [a]\n: 1\n", want: []string{"2 [: a key that is not a string"}, hidden: true},
	{name: "null as key", content: "\n~: 1\n", want: []string{"2 ~: a key that is not a string"}, hidden: true},
	{name: "tag on an object", content: "\nversion: !one {}\n", want: []string{`2 !: the tag "!one"`}, hidden: true},
	{name: "tag that does not fit", content: "\nversion: !!bool 1\n", want: []string{`2 !: "1" is neither true nor false`}, hidden: true},
	{name: "unknown anchor", content: "\nversion: *a\n", want: []string{"1 : unknown anchor 'a' referenced"}, hidden: true},
	{name: "fault in a second document", content: "\na: 1\n---\n[\n", want: []string{"4 [: did not find expected node content"}, hidden: true},
	{name: "second document", content: "\nversion: 1\nname: acme\nprojects: {}\n---\nversion: 1\n", want: []string{"5 -: a second document"}, hidden: true},
	{name: "YAML syntax", content: "\nversion: 1\n  name: acme\n", want: []string{"3  : mapping values are not allowed in this context"}, hidden: true},
	{name: "new form misspelt", content: `{"verison": 1, "project": {}}`, want: []string{
		`1 1: "verison" must be an object, not a number`,
		`1 {: the field "buildDir" is missing`,
	}},
	{name: "legacy field unknown", content: `{"web": {"buildDir": "web", "jobs": {}}}`, want: []string{`1 "jobs": unknown field "jobs"`}},
	{name: "legacy without folder", content: `{"web": {"dockerfile": "x"}}`, want: []string{`1 {: the field "buildDir" is missing`}},
	{name: "legacy values", content: `{"a": {"buildDir": 1, "dependencies": ["x", {}], "runDependencies": ["y"], "run": {"t": {"dependencies": ["z"]}}, "multiarch": "both"}}`, want: []string{
		`1 1: "buildDir" must be a string, not a number`,
		`1 "x": there is no project "x"`,
		`1 {: each of "dependencies" must be a string, not an object`,
		`1 "y": there is no project "y"`,
		`1 "z": there is no project "z"`,
		`1 "both": "multiarch" cannot be "both"`,
	}},
	{name: "legacy key twice in JSON", content: "{\"a\": {\"buildDir\": \"a\"},\n\"a\": {\"buildDir\": \"b\"}}", want: []string{`2 "a": "a" is defined twice, first on line 1`}, hidden: true},
}

// file gives a sample the name that says how to read it.
func file(content string) string {
	if strings.HasPrefix(content, "\n") {
		return "m.yaml"
	}
	return "m.json"
}

func faultsOf(tb testing.TB, src Source, name string) Faults {
	tb.Helper()
	m, _, err := Load(src, name)
	var faults Faults
	if !errors.As(err, &faults) || m != nil {
		tb.Fatalf("no faults, but manifest %v and error %v", m, err)
	}
	return faults
}

// short gives faults as their line, what stands at their column, and the message.
func short(faults Faults) []string {
	token := regexp.MustCompile(`^("[^"]*"|[A-Za-z0-9_]+|.?)`)
	var lines []string
	for _, f := range faults {
		rest := string([]rune(f.source)[f.Col-1:])
		lines = append(lines, fmt.Sprintf("%d %s: %s", f.Line, token.FindString(rest), f.Message))
	}
	return lines
}

func TestFaults(t *testing.T) {
	for _, test := range faulty {
		t.Run(test.name, func(t *testing.T) {
			name := file(test.content)
			got := short(faultsOf(t, repository{name: test.content}, name))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("faults differ (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFaultsShowTheLine(t *testing.T) {
	content := "{\n  \"version\": 1, \"name\": \"acme\",\n\t\"projects\": {\"wéb\": {\"buildDir\": \"w\", \"netwrok\": \"none\",\n" +
		`"target": "` + strings.Repeat("x", 200) + `", "dependencies": ["no \u001b project", 7], "target": "` + "\x7f" + strings.Repeat("y", 99) + "\"}}}"
	got := faultsOf(t, repository{"m.json": content}, "m.json").Error()
	want := `m.json:3:15: "wéb" cannot be the name of an image repository
    3 | 	"projects": {"wéb": {"buildDir": "w", "netwrok": "none",
      | 	             ^
  hint: use lower-case letters and digits, with one of . _ __ or any number of - between them
m.json:3:40: unknown field "netwrok"
    3 | 	"projects": {"wéb": {"buildDir": "w", "netwrok": "none",
      | 	                                      ^
  hint: did you mean "network"?
m.json:4:232: there is no project "no \x1b project"
    4 | ...` + strings.Repeat("x", 40) + `", "dependencies": ["no \u001b project", 7], "target": "` + "\ufffd" + strings.Repeat("y", 23) + `...
      |                                                                ^
  hint: allowed here: wéb
m.json:4:253: each of "dependencies" must be a string, not a number
    4 | ...` + strings.Repeat("x", 19) + `", "dependencies": ["no \u001b project", 7], "target": "` + "\ufffd" + strings.Repeat("y", 44) + `...
      |                                                                ^
  hint: write it in quotes: "7"
m.json:4:257: "target" is defined twice, first on line 4
    4 | ...` + strings.Repeat("x", 15) + `", "dependencies": ["no \u001b project", 7], "target": "` + "\ufffd" + strings.Repeat("y", 48) + `...
      |                                                                ^`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("faults differ (-want +got):\n%s", diff)
	}
}

func TestManyFaultsAreCounted(t *testing.T) {
	content := newForm("{" + strings.Repeat("\"A\": 1,\n", 1000) + `"A": 1}`)
	faults := faultsOf(t, repository{"m.json": content}, "m.json")
	if len(faults) < 2000 || !strings.HasSuffix(faults.Error(), fmt.Sprintf("and %d more faults", len(faults)-50)) {
		t.Errorf("%d faults: %s", len(faults), faults.Error())
	}
}

func TestHints(t *testing.T) {
	for _, test := range []struct{ content, want string }{
		{`{"version": 1, "nmae": "acme", "projects": {}}`, `did you mean "name"?`},
		{newForm(`{"a": {"buildDir": "a", "BUILDARGS": {}}}`), `did you mean "buildArgs"?`},
		{newForm(`{"a": {"buildDir": "a", "network": "bridge"}}`), "allowed here: default, none"},
		{newForm(`{"a": {"buildDir": "a", "hermetic": "yes"}}`), "write true or false"},
		{newForm(`{"a": {"buildDir": "a", "rebuildPatterns": ["*.go"]}}`), "these are regular expressions, not globs: write .* for *"},
		{newForm(`{"a": {"buildDir": "a", "platforms": ["linux/aarch64"]}}`), "write linux/arm64"},
		{newForm(`{"my-base": {"buildDir": "a"}, "b": {"buildDir": "b", "dependencies": ["mybase"]}}`), `did you mean "my-base"?`},
		{"\nversion: 1\nname: 8\nprojects: {}", `write it in quotes: "8"`},
		{`{"version": '1'}`, "JSON writes strings in double quotes"},
	} {
		t.Run(test.want, func(t *testing.T) {
			name := file(test.content)
			var hints []string
			for _, f := range faultsOf(t, repository{name: test.content}, name) {
				hints = append(hints, f.Hint())
			}
			if !slices.Contains(hints, test.want) {
				t.Errorf("hints %q", hints)
			}
		})
	}
}
