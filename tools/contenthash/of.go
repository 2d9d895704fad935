package contenthash

import (
	"context"
	"fmt"
	"path"

	"slipway/manifest"
	"slipway/tools/gitrepo"
)

// Options completes what a commit and its manifest say.
type Options struct {
	// HostPlatform is what a project without platforms is built for, e.g.
	// "linux/amd64".
	HostPlatform string
	// Pins returns the base images of a Dockerfile that are replaced by others.
	// It is called once for each different Dockerfile; nil means that none is.
	Pins func(dockerfile []byte) ([]Pin, error)
	// External returns what pins a package from a version set: its digest.
	// nil makes every such dependency an error.
	External func(dep manifest.Dependency) (string, error)
}

func (o Options) platforms(p *manifest.Project) []string {
	if len(p.Platforms) == 0 && o.HostPlatform != "" {
		return []string{o.HostPlatform}
	}
	return p.Platforms
}

// Hasher finds the inputs and hashes of a manifest's projects in one tree. Each
// project is worked out once. Not safe for concurrent use.
type Hasher struct {
	tree     *Snapshot
	manifest *manifest.Manifest
	options  Options
	inputs   map[string]Inputs
	hashes   map[string]Hash
	pins     map[gitrepo.ObjectID][]Pin

	unmatched map[string][]string // patterns that take nothing, by project
}

// NewHasher returns a Hasher for the projects of m in tree.
func NewHasher(tree *Snapshot, m *manifest.Manifest, o Options) *Hasher {
	return &Hasher{
		tree: tree, manifest: m, options: o,
		inputs: map[string]Inputs{}, hashes: map[string]Hash{}, pins: map[gitrepo.ObjectID][]Pin{},
		unmatched: map[string][]string{},
	}
}

// Hash returns the content hash of a project of the manifest.
func (h *Hasher) Hash(ctx context.Context, project string) (Hash, error) {
	if hash, ok := h.hashes[project]; ok {
		return hash, nil
	}
	in, err := h.Inputs(ctx, project)
	if err != nil {
		return "", err
	}
	h.hashes[project] = in.Hash()
	return h.hashes[project], nil
}

// Inputs returns what the project's content hash is made of.
func (h *Hasher) Inputs(ctx context.Context, project string) (Inputs, error) {
	if in, ok := h.inputs[project]; ok {
		return in, nil
	}
	in, err := h.collect(ctx, h.manifest.Projects[project])
	if err != nil {
		return Inputs{}, fmt.Errorf("hashing project %q: %w", project, err)
	}
	h.inputs[project] = in
	return in, nil
}

// Unmatched returns the project's rebuild patterns that take nothing of the tree:
// usually they are mistakes.
func (h *Hasher) Unmatched(ctx context.Context, project string) ([]string, error) {
	_, err := h.Inputs(ctx, project)
	return h.unmatched[project], err
}

func (h *Hasher) collect(ctx context.Context, p *manifest.Project) (Inputs, error) {
	in := Inputs{
		Context: p.BuildDir, Hermetic: p.Hermetic, Target: p.Target, Network: string(p.Network),
		Platforms: h.options.platforms(p), BuildArgs: p.BuildArgs,
	}
	for id := range p.Secrets {
		in.Secrets = append(in.Secrets, id)
	}
	var err error
	if in.Files, err = h.files(ctx, p); err != nil {
		return in, err
	}
	if in.Dockerfile, err = h.tree.Follow(ctx, p.Dockerfile); err != nil {
		return in, err
	}
	if in.Dockerignore, err = h.dockerignore(ctx, p); err != nil {
		return in, err
	}
	if in.BaseImages, err = h.baseImages(ctx, in.Dockerfile); err != nil {
		return in, err
	}
	if in.Dependencies, err = h.dependencies(ctx, p); len(in.Dependencies) > 0 {
		in.DeployNames = string(h.manifest.Registry.Deploy)
	}
	return in, err
}

func (h *Hasher) files(ctx context.Context, p *manifest.Project) ([]Entry, error) {
	patterns := make([]*Pattern, len(p.RebuildPatterns))
	for i, expr := range p.RebuildPatterns {
		var err error
		if patterns[i], err = CompilePattern(expr); err != nil {
			return nil, err
		}
	}
	found, unmatched, err := h.tree.Match(ctx, patterns)
	h.unmatched[p.Name] = nil
	for _, pattern := range unmatched {
		h.unmatched[p.Name] = append(h.unmatched[p.Name], pattern.String())
	}
	return found, err
}

// dockerignore finds the ignore file as BuildKit does: the Dockerfile's own
// before the context's.
func (h *Hasher) dockerignore(ctx context.Context, p *manifest.Project) ([]Entry, error) {
	own, err := h.tree.Follow(ctx, p.Dockerfile+".dockerignore")
	if err != nil || own != nil {
		return own, err
	}
	return h.tree.Follow(ctx, path.Join(p.BuildDir, ".dockerignore"))
}

func (h *Hasher) baseImages(ctx context.Context, dockerfile []Entry) ([]Pin, error) {
	if h.options.Pins == nil || len(dockerfile) == 0 {
		return nil, nil
	}
	file := dockerfile[len(dockerfile)-1]
	if pins, ok := h.pins[file.ID]; ok {
		return pins, nil
	}
	text, err := h.tree.objects.Blob(ctx, file.ID)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", file.Path, err)
	}
	pins, err := h.options.Pins(text)
	if err != nil {
		return nil, fmt.Errorf("reading base images of %s: %w", file.Path, err)
	}
	h.pins[file.ID] = pins
	return pins, nil
}

func (h *Hasher) dependencies(ctx context.Context, p *manifest.Project) ([]Dependency, error) {
	var deps []Dependency
	for _, dep := range p.ImageInputs() {
		hash, err := h.dependency(ctx, dep)
		if err != nil {
			return nil, err
		}
		deps = append(deps, Dependency{Name: dep.Name, Hash: hash})
	}
	return deps, nil
}

func (h *Hasher) dependency(ctx context.Context, dep manifest.Dependency) (Hash, error) {
	if dep.Interface == "" {
		return h.Hash(ctx, dep.Name)
	}
	if h.options.External == nil {
		return "", &ExternalError{Dependency: dep}
	}
	pin, err := h.options.External(dep)
	return Hash(pin), err
}

// ExternalError says that a package from a version set is needed where no
// version set was given.
type ExternalError struct{ Dependency manifest.Dependency }

func (e *ExternalError) Error() string {
	return fmt.Sprintf("resolving %s@%s: no version set is given", e.Dependency.Name, e.Dependency.Interface)
}

// Hint says what can be named instead.
func (*ExternalError) Hint() string {
	return "version sets are not supported yet: name a project of this manifest"
}
