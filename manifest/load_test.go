package manifest

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// repository is a Source in memory: path to content. Scripts print their content.
type repository map[string]string

func (r repository) ReadFile(name string) ([]byte, error) {
	content, ok := r[name]
	if !ok {
		return nil, fmt.Errorf("opening %s: %w", name, fs.ErrNotExist)
	}
	return []byte(content), nil
}

func (r repository) Stat(name string) (Kind, error) {
	if _, ok := r[name]; ok {
		return File, nil
	}
	for file := range r {
		if strings.HasPrefix(file, name+"/") {
			return Directory, nil
		}
	}
	return "", fmt.Errorf("looking for %s: %w", name, fs.ErrNotExist)
}

func (r repository) RunScript(name string) ([]byte, error) { return r.ReadFile(name) }

// mustLoad loads a manifest of an otherwise empty repository.
func mustLoad(tb testing.TB, name, content string) *Manifest {
	tb.Helper()
	m, warnings, err := Load(repository{name: content}, name)
	if err != nil {
		tb.Fatal(err)
	}
	if len(warnings) > 0 {
		tb.Fatalf("warnings: %v", warnings)
	}
	return m
}

// newForm makes a manifest around projects.
func newForm(projects string) string {
	return `{"version": 1, "name": "acme", "projects": ` + projects + `}`
}

func sameManifest(tb testing.TB, got, want *Manifest) {
	tb.Helper()
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Manifest{}), cmpopts.EquateEmpty()); diff != "" {
		tb.Errorf("manifest differs (-want +got):\n%s", diff)
	}
}

const everything = `{
  "$schema": "manifest/schema.json",
  "version": 1,
  "name": "acme",
  "source": "https://git.example.com:8443/acme/mono",
  "defaultBranch": "main",
  "registry": {"cache": "ghcr.io/acme", "deploy": "docker.io/acme/mono-{name}"},
  "baseImages": {"debian:12": "mirror.example.com:5000/debian:12"},
  "projects": {
    "base": {"buildDir": "images/base/"},
    "tool": {"buildDir": "."},
    "web": {
      "buildDir": "services",
      "projectDir": "services/web",
      "dockerfile": "../docker/web.Dockerfile",
      "target": "runtime",
      "rebuildPatterns": ["^services/web/", "^go\\.(mod|sum)$"],
      "interface": "2.1",
      "dependencies": {"build": ["tool"], "compile": ["base", "libs@1.0"], "runtime": ["base"], "test": ["tool"]},
      "platforms": ["linux/amd64", "linux/arm/v7"],
      "buildArgs": {"EMPTY": "", "LEVEL": "\u00e9"},
      "secrets": {"npm": {"env": "NPM_TOKEN"}, "netrc": {"file": "/root/.netrc"}},
      "hermetic": false,
      "network": "none",
      "jobs": {
        "unit": {"command": "make test", "timeout": "1h30m", "required": false},
        "smoke": {"kind": "container", "command": ["web", "--check"], "needs": ["unit"], "retries": 2},
        "e2e": {"kind": "compose", "file": "e2e.yml", "stage": "full", "dependencies": ["base"]}
      },
      "deploy": [{"host": "web-1"}]
    }
  },
  "environments": {"prod": {"gates": [1.50]}}
}`

// separated has a name with all that may stand between letters.
const separated = `{"a.b_c__d-e---f": {"buildDir": "x", "dependencies": ["g--h"]}, "g--h": {"buildDir": "x"}}`

func TestSeparatorsInNames(t *testing.T) {
	m := mustLoad(t, "build_manifest.json", newForm(separated))
	if diff := cmp.Diff([]string{"g--h", "a.b_c__d-e---f"}, m.Order()); diff != "" {
		t.Errorf("projects (-want +got):\n%s", diff)
	}
}

func TestSource(t *testing.T) {
	with := func(source string) string {
		return `{"version": 1, "name": "acme", "source": "` + source + `", "projects": {}}`
	}
	s := compiledSchema(t)
	for source, sound := range map[string]bool{
		"https://github.com/acme/mono": true, "http://gitea/acme": true, "https://example.com": true, "https://[::1]:8443/a@b/~c%20d/": true,
		"https://user@example.com/a": false, "https://user:secret@example.com/a": false, "https://:@example.com": false,
		"git@github.com:acme/mono.git": false, "ssh://git@github.com/acme/mono": false, "github.com/acme/mono": false, "/acme/mono": false,
		"https://": false, "https:///acme": false, "https://example.com/a?token=x": false, "https://example.com/a#b": false,
		"https://example.com/a b": false, "https://example.com/é": false, "https://example.com:x/a": false, "HTTPS://example.com": false,
	} {
		_, _, err := Load(repository{"m.json": with(source)}, "m.json")
		if invalid := validate(t, s, with(source)); (err == nil) != sound || (invalid == nil) != sound {
			t.Errorf("%q: Load says %v, the schema %v", source, err, invalid)
		}
	}
}

func TestLoadGivesEveryField(t *testing.T) {
	sameManifest(t, mustLoad(t, "build_manifest.json", everything), &Manifest{
		Schema: "manifest/schema.json", Version: 1, Name: "acme", Source: "https://git.example.com:8443/acme/mono", DefaultBranch: "main", File: "build_manifest.json",
		Registry:     Registry{Cache: "ghcr.io/acme", Deploy: "docker.io/acme/mono-{name}"},
		BaseImages:   map[string]string{"debian:12": "mirror.example.com:5000/debian:12"},
		Environments: []byte(`{"prod":{"gates":[1.50]}}`),
		Projects: map[string]*Project{
			"base": {
				Name: "base", BuildDir: "images/base", ProjectDir: "images/base", Dockerfile: "images/base/Dockerfile",
				RebuildPatterns: []string{"^images/base/"}, Interface: "1.0", Hermetic: true, Network: "default",
			},
			"tool": {
				Name: "tool", BuildDir: ".", ProjectDir: ".", Dockerfile: "Dockerfile",
				RebuildPatterns: []string{"^"}, Interface: "1.0", Hermetic: true, Network: "default",
			},
			"web": {
				Name: "web", BuildDir: "services", ProjectDir: "services/web", Dockerfile: "docker/web.Dockerfile", Target: "runtime",
				RebuildPatterns: []string{"^services/web/", `^go\.(mod|sum)$`}, Interface: "2.1", Network: "none",
				Dependencies: Dependencies{
					Build: []Dependency{{Name: "tool"}}, Compile: []Dependency{{Name: "base"}, {"libs", "1.0"}},
					Runtime: []Dependency{{Name: "base"}}, Test: []Dependency{{Name: "tool"}},
				},
				Platforms: []string{"linux/amd64", "linux/arm/v7"},
				BuildArgs: map[string]string{"EMPTY": "", "LEVEL": "é"},
				Secrets:   map[string]Secret{"npm": {Env: "NPM_TOKEN"}, "netrc": {File: "/root/.netrc"}},
				Jobs: map[string]*Job{
					"unit":  {Name: "unit", Kind: Script, Command: Command{"/bin/sh", "-c", "make test"}, Stage: Acceptance, Timeout: 5400e9},
					"smoke": {Name: "smoke", Kind: Container, Command: Command{"web", "--check"}, Stage: Acceptance, Needs: []string{"unit"}, Retries: 2, Required: true},
					"e2e":   {Name: "e2e", Kind: Compose, File: "services/web/e2e.yml", Stage: Full, Dependencies: []Dependency{{Name: "base"}}, Required: true},
				},
				Deploy: []byte(`[{"host":"web-1"}]`),
			},
		},
	})
}

// YAML is a superset of JSON: both readers must give the same.
func TestYAMLGivesTheSame(t *testing.T) {
	want := mustLoad(t, "build_manifest.json", everything)
	want.File = "build_manifest.yaml"
	sameManifest(t, mustLoad(t, "build_manifest.yaml", everything), want)
}

func TestYAMLBlocks(t *testing.T) {
	got := mustLoad(t, "m.yml", `
# a comment
version: 1
name: acme
projects:
  web:
    buildDir: web   # another
    interface: "1.0"
    dependencies: [base]
    jobs:
      unit:
        command: |
          make
          make test
  base: {buildDir: base, hermetic: false}
`)
	if command := got.Projects["web"].Jobs["unit"].Command[2]; command != "make\nmake test\n" {
		t.Errorf("command %q", command)
	}
	if diff := cmp.Diff([]string{"base", "web"}, got.Order()); diff != "" {
		t.Error(diff)
	}
}

func TestByteOrderMarkIsSkipped(t *testing.T) {
	m := mustLoad(t, "build_manifest.json", "\ufeff"+newForm("{}"))
	if m.Name != "acme" {
		t.Errorf("name %q", m.Name)
	}
}

func TestFormatIsFoundWithoutExtension(t *testing.T) {
	mustLoad(t, "manifest", " \n"+newForm("{}"))
	mustLoad(t, "manifest", "version: 1\nname: acme\nprojects: {}\n")
}

func TestUnreadableManifestIsNoFault(t *testing.T) {
	_, _, err := Load(repository{}, "build_manifest.json")
	var faults Faults
	if !errors.Is(err, fs.ErrNotExist) || errors.As(err, &faults) {
		t.Errorf("error %v", err)
	}
}

func TestDeployIsCacheWhereNotSaid(t *testing.T) {
	m := mustLoad(t, "m.json", `{"version": 1, "name": "acme", "registry": {"cache": "127.0.0.1:5000/acme"}, "projects": {}}`)
	if m.Registry.Deploy != "127.0.0.1:5000/acme" {
		t.Errorf("deploy %q", m.Registry.Deploy)
	}
}

func TestImageArg(t *testing.T) {
	for name, want := range map[string]string{"base": "BASE_IMAGE", "my-base": "MY_BASE_IMAGE", "a.b_c--d": "A_B_C__D_IMAGE"} {
		if got := ImageArg(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

// large makes a manifest of n projects, about 250 bytes each.
func large(n int) string {
	var b strings.Builder
	b.WriteString("{\n")
	for i := range n {
		dependencies := ""
		if i > 5 {
			dependencies = fmt.Sprintf("\"team-%d-project-%d\", \"team-%d-project-%d\"", (i/2)%50, i/2, (i/3)%50, i/3)
		}
		fmt.Fprintf(&b, `  "team-%d-project-%d": {
    "buildDir": "teams/%d/projects/%d",
    "rebuildPatterns": ["^teams/%d/projects/%d/", "^libs/common-%d/.*\\.go$"],
    "interface": "1.0",
    "platforms": ["linux/amd64"],
    "dependencies": [%s]
  },
`, i%50, i, i%50, i, i%50, i, i%7, dependencies)
	}
	b.WriteString("  \"last\": {\"buildDir\": \"last\"}\n}")
	return newForm(b.String())
}

func BenchmarkLoad5000(b *testing.B) {
	src := repository{"m.json": large(5000)}
	b.SetBytes(int64(len(src["m.json"])))
	for b.Loop() {
		if m, _, err := Load(src, "m.json"); err != nil || len(m.order) != 5001 {
			b.Fatal(len(m.order), err)
		}
	}
}
