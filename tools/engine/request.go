package engine

import (
	"context"
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/identity"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/secrets/secretsprovider"
	"github.com/tonistiigi/fsutil"
)

// sourceDateEpoch is the time that every image is made at, and that no file in
// it is younger than: 2020-01-01T00:00:00Z. It is one constant because it is
// part of BuildKit's cache keys: a commit's time would miss the cache at every
// commit. A build argument SOURCE_DATE_EPOCH takes its place.
const sourceDateEpoch = 1577836800

// Names under which the Dockerfile frontend asks for its two folders.
const (
	localContext    = "context"
	localDockerfile = "dockerfile"
)

// solveOpt translates r. Files are read under ctx, and fail is told of one that
// cannot be.
func solveOpt(ctx context.Context, r Request, credentials credentialsFunc, fail context.CancelCauseFunc) (client.SolveOpt, error) {
	attrs, err := frontendAttrs(r)
	if err != nil {
		return client.SolveOpt{}, err
	}
	files, err := newContextFS(ctx, r.Context, fail)
	if err != nil {
		return client.SolveOpt{}, err
	}
	definition, err := newContextFS(ctx, definitionFiles(r), fail)
	if err != nil {
		return client.SolveOpt{}, err
	}
	return client.SolveOpt{
		Frontend:            "dockerfile.v0",
		FrontendAttrs:       attrs,
		LocalMounts:         map[string]fsutil.FS{localContext: files, localDockerfile: definition},
		SharedKey:           identity.NewID(), // a daemon compares with what it has by size and time only
		Session:             []session.Attachable{secretsprovider.FromMap(r.Secrets), authServer{credentials: credentials}},
		AllowedEntitlements: entitlements(r),
		Exports:             exports(r),
		CacheImports:        cacheImports(r),
		CacheExports:        cacheExports(r),
	}, nil
}

// frontendAttrs are the options of the Dockerfile frontend.
func frontendAttrs(r Request) (map[string]string, error) {
	stages, err := parseDockerfile(r.Dockerfile)
	if err != nil {
		return nil, err
	}
	attrs, err := namedContexts(r.NamedContexts, findStages(stages))
	if err != nil {
		return nil, err
	}
	attrs["filename"] = dockerfileName(r)
	attrs["build-arg:SOURCE_DATE_EPOCH"] = strconv.Itoa(sourceDateEpoch)
	for name, value := range r.BuildArgs {
		attrs["build-arg:"+name] = value
	}
	if builtinSyntax(r.Dockerfile) {
		attrs["cmdline"] = "dockerfile.v0"
	}
	setUnlessEmpty(attrs, "target", r.Target)
	setUnlessEmpty(attrs, "platform", strings.Join(r.Platforms, ","))
	switch r.Network {
	case "", "default":
	case "none", "host":
		attrs["force-network-mode"] = r.Network
	default:
		return nil, fmt.Errorf("network %q: want default, none or host", r.Network)
	}
	return attrs, nil
}

func setUnlessEmpty(m map[string]string, key, value string) {
	if value != "" {
		m[key] = value
	}
}

// builtinSyntax reports a "# syntax" line that asks for the stable frontend,
// which every BuildKit has built in: no image is pulled for it.
func builtinSyntax(b []byte) bool {
	ref, _, _, ok := parser.DetectSyntax(b)
	if !ok {
		return false
	}
	key, err := contextKey(ref)
	if err != nil {
		return false
	}
	name, tag, _ := strings.Cut(key, ":")
	return name == "docker/dockerfile" && strings.Trim(tag, "0123456789.") == ""
}

// dockerfileName is a name that the frontend does not take for a pattern.
func dockerfileName(r Request) string {
	name := strings.TrimPrefix(path.Clean("/"+r.DockerfileName), "/")
	if name == "" || strings.ContainsAny(name, `*?[]^\`) || checkPath(name) != nil {
		return "Dockerfile"
	}
	return name
}

// definitionFiles are the Dockerfile and the ignore file that belongs to it.
// Where neither the request nor its context has one, an empty one spares the
// frontend a look into the context.
func definitionFiles(r Request) []File {
	name, ignore := dockerfileName(r), r.Dockerignore
	if ignore == nil && !hasFile(r.Context, ".dockerignore") {
		ignore = []byte("# none\n")
	}
	files := []File{memoryFile(name, r.Dockerfile)}
	if ignore != nil {
		files = append(files, memoryFile(name+".dockerignore", ignore))
	}
	return files
}

func hasFile(files []File, path string) bool {
	for _, f := range files {
		if f.Path == path {
			return true
		}
	}
	return false
}

func entitlements(r Request) []string {
	if r.Network == "host" {
		return []string{"network.host"}
	}
	return nil
}

// exports pushes by digest, the same bytes whoever builds.
func exports(r Request) []client.ExportEntry {
	if r.Repository == "" {
		return nil
	}
	attrs := map[string]string{
		"name":              r.Repository,
		"push":              "true",
		"push-by-digest":    "true",
		"oci-mediatypes":    "true",
		"rewrite-timestamp": "true",
		"store":             "false", // a Docker Engine would keep every image, without a name
	}
	if r.Insecure {
		attrs["registry.insecure"] = "true"
	}
	for key, value := range r.Annotations {
		attrs["annotation."+key] = value
		if len(r.Platforms) > 1 {
			attrs["annotation-index."+key] = value
		}
	}
	return []client.ExportEntry{{Type: client.ExporterImage, Attrs: attrs}}
}

func cacheImports(r Request) []client.CacheOptionsEntry {
	entries := make([]client.CacheOptionsEntry, 0, len(r.CacheFrom))
	for _, ref := range r.CacheFrom {
		entries = append(entries, registryCache(r, ref, nil))
	}
	return entries
}

// cacheExports writes every step's result, so that a change near the end finds
// all that comes before it; a failure to write is told and forgiven.
func cacheExports(r Request) []client.CacheOptionsEntry {
	if r.CacheTo == "" {
		return nil
	}
	return []client.CacheOptionsEntry{registryCache(r, r.CacheTo, map[string]string{
		"mode": "max", "image-manifest": "true", "oci-mediatypes": "true", "ignore-error": "true",
	})}
}

func registryCache(r Request, ref string, attrs map[string]string) client.CacheOptionsEntry {
	all := map[string]string{"ref": ref}
	for k, v := range attrs {
		all[k] = v
	}
	if r.Insecure {
		all["registry.insecure"] = "true"
	}
	return client.CacheOptionsEntry{Type: "registry", Attrs: all}
}
