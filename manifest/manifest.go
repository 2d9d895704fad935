// Package manifest reads the build manifest: the one file that says which
// projects a monorepo holds, how each is built, and what it needs.
//
// It owns the manifest's types, its two forms (the form with a version, and the
// legacy form whose top level is the projects), JSON and YAML, every rule on the
// values, and the dependency graph. It reads strictly: whatever it does not
// understand is a fault with file, line and column, and all faults of a file are
// reported at once. It never changes a name to make it fit, and it does not look
// whether projects' folders exist: whoever builds them finds out.
package manifest

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode"
)

// Manifest is a sound build manifest: every rule has been checked, every default
// filled in, and its projects can be built in the order that [Manifest.Order] gives.
//
// The tags hold the names in the file; a field without omitempty must be there.
type Manifest struct {
	// Where a JSON Schema of this file lies, for editors.
	Schema string `json:"$schema,omitempty"`
	// The version of this form: 1. It is 0 in a manifest of the legacy form.
	Version int `json:"version"`
	// What the repository is called, e.g. "acme". Empty in the legacy form.
	Name string `json:"name"`
	// The repository's address for people, e.g. "https://github.com/acme/mono": images say
	// that they come from there. By default git's remote tells.
	Source string `json:"source,omitempty"`
	// The branch whose build cache others fall back to. By default git tells.
	DefaultBranch string `json:"defaultBranch,omitempty"`
	// Where images and records are kept. Flags and the environment can say it instead.
	Registry Registry `json:"registry,omitempty"`
	// Images to use in place of others in FROM and COPY --from: reference to reference
	// or digest. A reference that begins with {registry}/ lies where the projects' images do.
	BaseImages map[string]string `json:"baseImages,omitempty"`
	// The projects by name. A name is a component of an image repository.
	Projects map[string]*Project `json:"projects"`
	// Where projects are deployed.
	Environments json.RawMessage `json:"environments,omitempty"`
	// Named sets of builds that go together.
	VersionSets json.RawMessage `json:"versionSets,omitempty"`

	// File is where the manifest was read, from the root of the repository.
	File string `json:"-"`
	// Legacy says that the file is of the legacy form.
	Legacy bool `json:"-"`

	order []string
}

// Registry says where images and records are kept.
type Registry struct {
	// Where images, records and the build cache go, e.g. "ghcr.io/acme".
	Cache Location `json:"cache,omitempty"`
	// Where released images go (the same as cache).
	Deploy Location `json:"deploy,omitempty"`
}

// Project is an entry of the manifest: it builds one image, or one image index
// when it has several platforms. All paths are from the root of the repository,
// clean, with slashes; "." is the root.
type Project struct {
	// Name is the project's key in the manifest.
	Name string `json:"-"`
	// The build context, from the root of the repository.
	BuildDir string `json:"buildDir"`
	// The project's own folder (the same as buildDir).
	ProjectDir string `json:"projectDir,omitempty"`
	// The Dockerfile, from buildDir (Dockerfile).
	Dockerfile string `json:"dockerfile,omitempty"`
	// The stage to build (the last one).
	Target string `json:"target,omitempty"`
	// Regular expressions (RE2) on paths from the root: files that can change the build (^<projectDir>/).
	RebuildPatterns []string `json:"rebuildPatterns,omitempty"`
	// The interface version, raised by hand on a breaking change (1.0).
	Interface string `json:"interface,omitempty"`
	// What the project needs.
	Dependencies Dependencies `json:"dependencies,omitempty"`
	// Platforms to build for, e.g. linux/arm64. When absent, that of the machine that builds.
	Platforms []string `json:"platforms,omitempty"`
	// Build arguments: constants that are part of the content hash.
	BuildArgs map[string]string `json:"buildArgs,omitempty"`
	// Secrets by id: only the id is part of the content hash.
	Secrets map[string]Secret `json:"secrets,omitempty"`
	// Whether the build sees only the files that rebuildPatterns name (true; false in the legacy form).
	Hermetic bool `json:"hermetic,omitempty"`
	// The network that RUN instructions have (default).
	Network Network `json:"network,omitempty"`
	// Tests and checks by name.
	Jobs map[string]*Job `json:"jobs,omitempty"`
	// Where the project is deployed, in order.
	Deploy json.RawMessage `json:"deploy,omitempty"`
}

// Dependencies are what a project needs, by scope. A plain list in the file
// means the compile scope.
type Dependencies struct {
	// Tools that build this project. A change rebuilds it.
	Build []Dependency `json:"build,omitempty"`
	// What this project is made from. A change rebuilds it.
	Compile []Dependency `json:"compile,omitempty"`
	// What runs beside this project. A change neither rebuilds nor retests it.
	Runtime []Dependency `json:"runtime,omitempty"`
	// What this project's tests need. A change runs its jobs again.
	Test []Dependency `json:"test,omitempty"`
}

// Dependency names a project of this manifest, as in "base", or a package from a
// version set, as in "base@1.0".
type Dependency struct {
	Name      string
	Interface string // e.g. "1.0"; empty for a project of this manifest
}

// String gives the dependency as the manifest writes it.
func (d Dependency) String() string {
	if d.Interface == "" {
		return d.Name
	}
	return d.Name + "@" + d.Interface
}

// Secret says where the value of a build secret comes from: one of the two is set.
type Secret struct {
	// The environment variable that holds it.
	Env string `json:"env,omitempty"`
	// The file that holds it, on the machine that runs the build.
	File string `json:"file,omitempty"`
}

// Network is what RUN instructions can reach: "default" or "none".
type Network string

func (Network) choices() []string { return []string{"default", "none"} }

// Job is a test or check of a project.
type Job struct {
	// Name is the job's key in the project.
	Name string `json:"-"`
	// How it runs (script).
	Kind JobKind `json:"kind,omitempty"`
	// The command. A text is run by /bin/sh -c, a list as it is.
	Command Command `json:"command,omitempty"`
	// The script or compose file, from projectDir.
	File string `json:"file,omitempty"`
	// When it runs: all acceptance jobs come before all full ones (acceptance).
	Stage Stage `json:"stage,omitempty"`
	// Jobs of the same project that must pass first.
	Needs []string `json:"needs,omitempty"`
	// How long it may take, e.g. 10m or 1h30m. When absent, as long as it likes.
	Timeout time.Duration `json:"timeout,omitempty"`
	// How often it is tried again when it fails (0).
	Retries int `json:"retries,omitempty"`
	// Projects whose images the job runs.
	Dependencies []Dependency `json:"dependencies,omitempty"`
	// Whether publishing waits for it (true).
	Required bool `json:"required,omitempty"`
}

// JobKind is how a job runs: "script" on this machine in the project's folder,
// "container" in the project's image, or "compose" in several.
type JobKind string

// The kinds of jobs.
const (
	Script    JobKind = "script"
	Container JobKind = "container"
	Compose   JobKind = "compose"
)

func (JobKind) choices() []string {
	return []string{string(Script), string(Container), string(Compose)}
}

// Stage is when a job runs: "acceptance" or, after all of those, "full".
type Stage string

// The stages of jobs, in their order.
const (
	Acceptance Stage = "acceptance"
	Full       Stage = "full"
)

func (Stage) choices() []string { return []string{string(Acceptance), string(Full)} }

// Command is the argv of a job, e.g. {"/bin/sh", "-c", "make test"}.
type Command []string

// ImageInputs are the dependencies whose images the build sees: build, then
// compile, each once.
func (p *Project) ImageInputs() []Dependency {
	inputs := slices.Clone(p.Dependencies.Build)
	for _, d := range p.Dependencies.Compile {
		if !slices.Contains(p.Dependencies.Build, d) {
			inputs = append(inputs, d)
		}
	}
	return inputs
}

// ImageArg is the build argument that holds a dependency's image: "MY_BASE_IMAGE"
// for "my-base".
func ImageArg(project string) string {
	return strings.Map(variableRune, project) + "_IMAGE"
}

func variableRune(r rune) rune {
	if r == '-' || r == '.' {
		return '_'
	}
	return unicode.ToUpper(r)
}
