package registry

import (
	"context"
	"strings"
	"sync"

	"github.com/google/go-containerregistry/pkg/name"
)

// Credential is what a registry is shown. Without Username and tokens it is anonymous.
type Credential struct {
	Username, Password string
	IdentityToken      string // to be exchanged for others (OAuth 2)
	RegistryToken      string // to be sent as it is
	// Source says where it was found, for people: "docker config /home/x/.docker/config.json",
	// "GITHUB_TOKEN", "ECR (AWS default credentials)", "none". It holds no secret.
	Source string
}

const (
	noCredential = "none"
	gitHubHost   = "ghcr.io"
)

// GitHub is the token of a GitHub Actions job, used for ghcr.io.
type GitHub struct{ Actor, Token string }

// keyring finds credentials: docker's and podman's files first, since somebody wrote
// them on purpose, then what the surroundings give.
type keyring struct {
	files  []authFile
	helper *helpers
	github GitHub
	ecr    *ecrAPI

	mu    sync.Mutex
	found map[string]Credential // by target; only what does not expire
}

func newKeyring(o Options, ecr *ecrAPI) *keyring {
	return &keyring{
		files: authFiles(o), helper: &helpers{env: o.HelperEnv}, github: o.GitHub, ecr: ecr,
		found: map[string]Credential{},
	}
}

// find returns the credential for a host or a repository with its host.
func (k *keyring) find(ctx context.Context, target string) (Credential, error) {
	k.mu.Lock()
	found, ok := k.found[target]
	k.mu.Unlock()
	if ok {
		return found, nil
	}
	found, lasting, err := k.search(ctx, target)
	if err != nil || !lasting {
		return found, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.found[target] = found
	return found, nil
}

func (k *keyring) search(ctx context.Context, target string) (c Credential, lasting bool, err error) {
	host, _, _ := strings.Cut(target, "/")
	for _, file := range k.files {
		c, err := file.find(ctx, k.helper, target)
		if err != nil || c.Source != "" {
			return c, err == nil, err
		}
	}
	if host == gitHubHost && k.github.Token != "" {
		user := k.github.Actor
		if user == "" {
			user = "x-access-token"
		}
		return Credential{Username: user, Password: k.github.Token, Source: "GITHUB_TOKEN"}, true, nil
	}
	if registry, ok := parseECR(host); ok {
		c, err := k.ecr.credential(ctx, registry)
		return c, false, err
	}
	return Credential{Source: noCredential}, true, nil
}

// configKeys are the names under which a docker config may hold target's credential,
// the most exact first.
func configKeys(target string) []string {
	host, _, _ := strings.Cut(target, "/")
	var keys []string
	for path := target; path != host; path = path[:strings.LastIndexByte(path, '/')] {
		keys = append(keys, path)
	}
	if host == "docker.io" || host == name.DefaultRegistry || host == "registry-1.docker.io" {
		return append(keys, name.DefaultRegistry, "docker.io", "registry-1.docker.io")
	}
	return append(keys, host)
}
