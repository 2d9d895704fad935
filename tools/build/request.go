package build

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"slipway/manifest"
	"slipway/tools/contenthash"
	"slipway/tools/engine"
	"slipway/tools/records"
	"slipway/tools/registry"
)

// request says to the engine how a project is built. images are those of its
// dependencies, by digest.
func (r *run) request(ctx context.Context, s Step, images map[string]string) (engine.Request, error) {
	p := r.Workspace.Manifest.Projects[s.Name]
	in, err := r.Workspace.Inputs(ctx, s.Name)
	if err != nil {
		return engine.Request{}, err
	}
	req := engine.Request{
		DockerfileName: p.Dockerfile,
		Target:         p.Target,
		BuildArgs:      maps.Clone(p.BuildArgs),
		Platforms:      in.Platforms,
		Network:        in.Network,
		NamedContexts:  map[string]string{},
		Repository:     string(s.Repository),
		Annotations:    r.annotations(p, s),
		Insecure:       r.plain(s.Repository),
	}
	r.nameImages(&req, in, images)
	r.cache(&req, s)
	if req.Context, err = buildContext(ctx, r.Workspace, in); err != nil {
		return req, err
	}
	if req.Dockerfile, err = r.last(ctx, in.Dockerfile); err != nil {
		return req, err
	}
	if req.Dockerignore, err = r.last(ctx, in.Dockerignore); err != nil {
		return req, err
	}
	req.Secrets, err = r.secrets(p)
	return req, err
}

// plain reports whether a repository's host may be spoken to over plain http.
func (r *run) plain(repo registry.Repository) bool {
	host, _, _ := strings.Cut(string(repo), "/")
	return slices.Contains(r.Insecure, host)
}

// nameImages makes each dependency known under its project's name, under the
// name that legacy Dockerfiles use, and as a build argument; and base images
// under the names that are replaced.
func (r *run) nameImages(req *engine.Request, in contenthash.Inputs, images map[string]string) {
	for _, pin := range in.BaseImages {
		req.NamedContexts[pin.Reference] = r.baseImage(pin)
	}
	if req.BuildArgs == nil {
		req.BuildArgs = map[string]string{}
	}
	deploy := r.Workspace.Manifest.Registry.Deploy
	for name, image := range images {
		req.NamedContexts[name] = image
		req.NamedContexts[string(r.Records.Image(name))] = image
		if deploy != "" {
			req.NamedContexts[deploy.Repository(name)] = image
		}
		req.BuildArgs[manifest.ImageArg(name)] = image
	}
}

// baseImage is the full reference of what replaces a base image: a digest alone
// is one of the same repository, and {registry} is where the projects' images are.
func (r *run) baseImage(pin contenthash.Pin) string {
	if strings.HasPrefix(pin.Target, "sha256:") {
		return withoutTag(pin.Reference) + "@" + pin.Target
	}
	path, here := strings.CutPrefix(pin.Target, manifest.RegistryPlaceholder)
	if !here {
		return pin.Target
	}
	name := withoutTag(path)
	return string(r.Records.Image(name)) + strings.TrimPrefix(path, name)
}

// withoutTag cuts the tag and digest off a reference.
func withoutTag(reference string) string {
	reference, _, _ = strings.Cut(reference, "@")
	if i := strings.LastIndexByte(reference, ':'); i > strings.LastIndexByte(reference, '/') {
		reference = reference[:i]
	}
	return reference
}

// cache names the registry caches: the branch's own, then the default branch's.
// Uncommitted content is not written to one.
func (r *run) cache(req *engine.Request, s Step) {
	repo := string(s.Repository)
	for _, branch := range slices.Compact([]string{r.Branch, r.DefaultBranch}) {
		if branch != "" {
			req.CacheFrom = append(req.CacheFrom, repo+":"+records.CacheTag(branch))
		}
	}
	if r.Branch != "" && !s.ContentHash.Dirty() {
		req.CacheTo = repo + ":" + records.CacheTag(r.Branch)
	}
}

// annotations link an image to what it was made from. Nothing in them depends on
// the machine or the hour, so that building a commit twice gives one digest.
func (r *run) annotations(p *manifest.Project, s Step) map[string]string {
	commit := r.Workspace.Commit
	a := map[string]string{
		"org.opencontainers.image.title":    p.Name,
		"org.opencontainers.image.revision": string(commit.ID),
		"org.opencontainers.image.created":  commit.Time.UTC().Format(time.RFC3339),
		"org.opencontainers.image.version":  version(p, commit.Time, s.ContentHash),
		"vnd.slipway.content-hash":          string(s.ContentHash),
	}
	if source := r.Workspace.Source; source != "" {
		a["org.opencontainers.image.source"] = source
	}
	return a
}

// version is the build version, e.g. "1.0.1593214096-3f9a01bc".
func version(p *manifest.Project, committed time.Time, h contenthash.Hash) string {
	return p.Interface + "." + strconv.FormatInt(committed.Unix(), 10) + "-" + h.Short()
}

// last reads the file at the end of a chain of symbolic links; nil for none.
func (r *run) last(ctx context.Context, chain []contenthash.Entry) ([]byte, error) {
	if len(chain) == 0 {
		return nil, nil
	}
	file := chain[len(chain)-1]
	text, err := r.Workspace.Repo.Blob(ctx, file.ID)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", file.Path, err)
	}
	return text, nil
}

func (r *run) secrets(p *manifest.Project) (map[string][]byte, error) {
	values := map[string][]byte{}
	for id, s := range p.Secrets {
		value, err := r.Secret(s)
		if err != nil {
			return nil, fmt.Errorf("reading secret %q: %w", id, err)
		}
		r.Redact.Add(string(value))
		values[id] = value
	}
	return values, nil
}
