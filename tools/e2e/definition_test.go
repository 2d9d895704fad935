package e2e

import (
	"encoding/json"
	"maps"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

const (
	jsonManifest = "build_manifest.json"
	yamlManifest = "build_manifest.yaml"
)

// definition is a build manifest as these tests write and read it: with no code
// of slipway's.
type definition struct {
	Version    int                 `json:"version"`
	Name       string              `json:"name"`
	BaseImages map[string]string   `json:"baseImages,omitempty"`
	Projects   map[string]*project `json:"projects"`
}

type project struct {
	BuildDir        string              `json:"buildDir"`
	Dockerfile      string              `json:"dockerfile,omitempty"` // from BuildDir
	RebuildPatterns []string            `json:"rebuildPatterns,omitempty"`
	BuildArgs       map[string]string   `json:"buildArgs,omitempty"`
	Dependencies    map[string][]string `json:"dependencies,omitempty"`
	Platforms       []string            `json:"platforms,omitempty"`
	Hermetic        *bool               `json:"hermetic,omitempty"` // nil is true
}

// inputs are the projects whose images p's build uses.
func (p *project) inputs() []string {
	return append(slices.Clone(p.Dependencies["build"]), p.Dependencies["compile"]...)
}

func (p *project) dockerfile() string {
	if p.Dockerfile == "" {
		return path.Join(p.BuildDir, "Dockerfile")
	}
	return path.Join(p.BuildDir, p.Dockerfile)
}

func (p *project) hermetic() bool { return p.Hermetic == nil || *p.Hermetic }

// legacyProject is a project as manifests had it before there were versions: the
// manifest is all projects, by name.
type legacyProject struct {
	BuildDir        string `json:"buildDir"`
	ProjectDir      string `json:"projectDir,omitempty"`
	RebuildPatterns any    `json:"rebuildPatterns,omitempty"` // a list, or a file of them in ProjectDir
	Dependencies    any    `json:"dependencies,omitempty"`    // a list, or a script in ProjectDir that echoes them
}

// asYAML writes a value by its JSON fields.
func asYAML(value any) ([]byte, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	var plain any
	if err := json.Unmarshal(text, &plain); err != nil {
		return nil, err
	}
	return yaml.Marshal(plain)
}

// fromYAML reads a value by its JSON fields; JSON is YAML too.
func fromYAML(text string, value any) error {
	var plain any
	if err := yaml.Unmarshal([]byte(text), &plain); err != nil {
		return err
	}
	asJSON, err := json.Marshal(plain)
	if err != nil {
		return err
	}
	return json.Unmarshal(asJSON, value)
}

// manifest reads the tree's own, of either form.
func (o *oracle) manifest() definition {
	o.tb.Helper()
	file := jsonManifest
	if o.files[file] == "" {
		file = yamlManifest
	}
	var d definition
	check(o.tb, fromYAML(o.text(file), &d))
	if d.Version > 0 {
		return d
	}
	var legacy map[string]*legacyProject
	check(o.tb, fromYAML(o.text(file), &legacy))
	d.Projects = map[string]*project{}
	for name, l := range legacy {
		d.Projects[name] = o.translate(l)
	}
	maps.DeleteFunc(d.Projects, func(_ string, p *project) bool { return p == nil })
	return d
}

// translate gives a legacy project in today's terms; nil when its folder is gone.
func (o *oracle) translate(l *legacyProject) *project {
	o.tb.Helper()
	dir := l.ProjectDir
	if dir == "" {
		dir = l.BuildDir
	}
	below, err := filepath.Rel(l.BuildDir, dir)
	check(o.tb, err)
	p := &project{BuildDir: l.BuildDir, Hermetic: new(bool), Dockerfile: "Dockerfile"}
	if o.files[p.dockerfile()] == "" {
		p.Dockerfile = path.Join(below, "Dockerfile")
	}
	if o.files[p.dockerfile()] == "" {
		return nil
	}
	p.RebuildPatterns = o.listed(dir, l.RebuildPatterns)
	if len(p.RebuildPatterns) == 0 {
		p.RebuildPatterns = []string{"^" + regexp.QuoteMeta(dir) + "/"}
	}
	p.Dependencies = map[string][]string{"compile": o.listed(dir, l.Dependencies)}
	return p
}

// listed is what a legacy field comes to: a list without its empty strings, the
// lines of a file without its comments, or what a script echoes.
func (o *oracle) listed(dir string, field any) []string {
	o.tb.Helper()
	var list []string
	switch field := field.(type) {
	case []any:
		for _, item := range field {
			list = append(list, item.(string))
		}
	case string:
		for line := range strings.Lines(o.text(path.Join(dir, field))) {
			list = append(list, strings.TrimPrefix(strings.TrimSpace(line), "echo "))
		}
	}
	return slices.DeleteFunc(list, func(item string) bool { return item == "" || item[0] == '#' })
}
