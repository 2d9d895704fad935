package manifest

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const legacyYAML = `
base:
  buildDir: images/base
web:
  buildDir: .
  projectDir: web.app
  dockerfile: docker/Dockerfile
  rebuildPatterns: patterns.txt
  dependencies: deps.sh
  multiarch: host
  multiarch: buildx
  runDependencies: [db, "", db]
  run:
    e2e:
      dependencies: [db, web]
db:
  projectDir: db
  dependencies: ["", base, base]
  rebuildPatterns: []
gone:
  buildDir: gone
  dependencies: deps.sh
  rebuildPatterns: patterns.txt
`

var legacyFiles = repository{
	"build_manifest.yaml":       legacyYAML[1:],
	"web.app/patterns.txt":      "^web\\.app/\n\n# shared\n  ^shared/\r\n",
	"web.app/deps.sh":           "base\n db base\n",
	"web.app/docker/Dockerfile": "FROM base\n",
	"db/Dockerfile":             "FROM base\n",
	"images/base/Dockerfile":    "FROM scratch\n",
}

func TestLegacyForm(t *testing.T) {
	m, warnings, err := Load(legacyFiles, "build_manifest.yaml")
	if err != nil {
		t.Fatal(err)
	}
	sameManifest(t, m, &Manifest{
		File: "build_manifest.yaml", Legacy: true,
		Projects: map[string]*Project{
			"base": {
				Name: "base", BuildDir: "images/base", ProjectDir: "images/base", Dockerfile: "images/base/Dockerfile",
				RebuildPatterns: []string{"^images/base/"}, Interface: "1.0", Network: "default",
			},
			"web": {
				Name: "web", BuildDir: ".", ProjectDir: "web.app", Dockerfile: "web.app/docker/Dockerfile",
				RebuildPatterns: []string{`^web\.app/`, "^shared/"}, Interface: "1.0", Network: "default",
				Dependencies: Dependencies{Compile: []Dependency{{Name: "base"}, {Name: "db"}}, Runtime: []Dependency{{Name: "db"}}},
				Platforms:    []string{"linux/amd64", "linux/arm64"},
				Jobs: map[string]*Job{
					"e2e": {Name: "e2e", Kind: Script, Stage: Acceptance, Required: true, Dependencies: []Dependency{{Name: "db"}, {Name: "web"}}},
				},
			},
			"db": {
				Name: "db", BuildDir: "db", ProjectDir: "db", Dockerfile: "db/Dockerfile",
				RebuildPatterns: []string{"^db/"}, Interface: "1.0", Network: "default",
				Dependencies: Dependencies{Compile: []Dependency{{Name: "base"}}},
			},
			"gone": {
				Name: "gone", BuildDir: "gone", ProjectDir: "gone", Dockerfile: "gone/Dockerfile",
				RebuildPatterns: []string{"^gone/"}, Interface: "1.0", Network: "default",
			},
		},
	})
	var got []string
	for _, w := range warnings {
		got = append(got, w.String())
	}
	want := []string{
		`build_manifest.yaml:10:3: "multiarch" is defined twice; this one counts, the one on line 9 does not`,
		`build_manifest.yaml:18:20: an empty list means the default`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("warnings differ (-want +got):\n%s", diff)
	}
	if w := warnings[0]; w.Hint() != "remove one of them" || w.Excerpt() != "   10 |   multiarch: buildx\n      |   ^" {
		t.Errorf("hint %q, excerpt\n%s", w.Hint(), w.Excerpt())
	}
}

func TestLegacyDefaultPatternQuotes(t *testing.T) {
	m := mustLoad(t, "m.json", `{"a": {"buildDir": "a.b+c"}, "root": {"buildDir": "."}}`)
	if got := m.Projects["a"].RebuildPatterns[0]; got != `^a\.b\+c/` {
		t.Errorf("pattern %s", got)
	}
	if got := m.Projects["root"].RebuildPatterns[0]; got != "^" {
		t.Errorf("pattern %s of the root", got)
	}
}

func TestLegacyDockerfileIsTheOneThatExists(t *testing.T) {
	const content = `{"a": {"buildDir": "ctx", "projectDir": "dir", "dockerfile": "D"}}`
	for _, test := range []struct {
		name  string
		files repository
		want  string
	}{
		{"in buildDir", repository{"ctx/D": ""}, "ctx/D"},
		{"in projectDir", repository{"dir/D": ""}, "dir/D"},
		{"in neither", repository{}, "ctx/D"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.files["m.json"] = content
			m, _, err := Load(test.files, "m.json")
			if err != nil {
				t.Fatal(err)
			}
			if got := m.Projects["a"].Dockerfile; got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
	got := short(faultsOf(t, repository{"m.json": content, "ctx/D": "", "dir/D": ""}, "m.json"))
	if diff := cmp.Diff([]string{`1 "D": both "ctx/D" and "dir/D" are there`}, got); diff != "" {
		t.Error(diff)
	}
}

func TestLegacyFilesWithFaults(t *testing.T) {
	src := repository{
		"m.json":     `{"a": {"buildDir": "a", "rebuildPatterns": "p", "dependencies": "d"}, "b": {"buildDir": "a", "rebuildPatterns": "none", "dependencies": "none"}, "c": {"buildDir": "c", "rebuildPatterns": "../../p"}}`,
		"a/p":        "^a/\n  (x\n",
		"a/d":        "b unknown\n",
		"c/anything": "",
	}
	faults := faultsOf(t, src, "m.json")
	if f := faults[0]; f.File != "a/p" || f.Line != 2 || f.Col != 3 {
		t.Errorf("first fault %v, want one in a/p:2:3", f)
	}
	want := []string{
		`2 (: "(x" is not a regular expression: missing closing )`,
		`1 "d": there is no project "unknown"`,
		`1 "none": there is no file "a/none"`,
		`1 "none": running the dependency script "a/none": opening a/none: file does not exist`,
		`1 "../../p": "../../p" leaves the repository`,
	}
	if diff := cmp.Diff(want, short(faults)); diff != "" {
		t.Errorf("faults differ (-want +got):\n%s", diff)
	}
}

// broken is a repository that cannot be asked what it holds.
type broken struct{ repository }

var errBroken = errors.New("broken")

func (broken) Stat(string) (Kind, error) { return "", errBroken }

func TestErrorsOfTheSourceAreNoFaults(t *testing.T) {
	_, _, err := Load(broken{repository{"m.json": `{"a": {"buildDir": "a", "projectDir": "b"}}`}}, "m.json")
	var faults Faults
	if !errors.Is(err, errBroken) || errors.As(err, &faults) {
		t.Errorf("error %v", err)
	}
}
