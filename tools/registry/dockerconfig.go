package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/docker/cli/cli/config"
	"github.com/docker/cli/cli/config/configfile"
	"github.com/docker/cli/cli/config/types"

	"slipway/tools/internal/proc"
)

// authFile is a docker config, or another file of its form.
type authFile struct {
	source string
	read   func() ([]byte, error)
}

func authFiles(o Options) []authFile {
	var files []authFile
	if o.DockerAuthConfig != "" {
		files = append(files, authFile{"DOCKER_AUTH_CONFIG", func() ([]byte, error) { return []byte(o.DockerAuthConfig), nil }})
	}
	if o.DockerConfigDir != "" {
		path := filepath.Join(o.DockerConfigDir, config.ConfigFileName)
		files = append(files, authFile{"docker config " + path, func() ([]byte, error) { return os.ReadFile(path) }})
	}
	for _, path := range o.AuthFiles {
		files = append(files, authFile{"auth file " + path, func() ([]byte, error) { return os.ReadFile(path) }})
	}
	return files
}

// find returns target's credential, or one without Source when the file has none.
func (f authFile) find(ctx context.Context, h *helpers, target string) (Credential, error) {
	text, err := f.read()
	if errors.Is(err, fs.ErrNotExist) {
		return Credential{}, nil
	}
	if err != nil {
		return Credential{}, fmt.Errorf("reading credentials: %w", err)
	}
	parsed, err := config.LoadFromReader(bytes.NewReader(text))
	if err != nil {
		return Credential{}, fmt.Errorf("reading credentials from %s: %w", f.source, err)
	}
	for _, key := range configKeys(target) {
		c, err := f.entry(ctx, h, parsed, key)
		if err != nil || c.Source != "" {
			return c, err
		}
	}
	return Credential{}, nil
}

// entry looks key up: its own helper, then what the file holds, then the store for all.
// A path ("ghcr.io/acme") is only looked for in the file.
func (f authFile) entry(ctx context.Context, h *helpers, parsed *configfile.ConfigFile, key string) (Credential, error) {
	if helper := parsed.CredentialHelpers[key]; helper != "" {
		return h.get(ctx, helper, key)
	}
	for written, auth := range parsed.AuthConfigs {
		if plainKey(written) == key && holdsSecret(auth) {
			return Credential{
				Username: auth.Username, Password: auth.Password,
				IdentityToken: auth.IdentityToken, RegistryToken: auth.RegistryToken, Source: f.source,
			}, nil
		}
	}
	if parsed.CredentialsStore == "" || strings.Contains(key, "/") {
		return Credential{}, nil
	}
	return h.get(ctx, parsed.CredentialsStore, key)
}

// plainKey takes the decoration off a config's key: "https://index.docker.io/v1/".
func plainKey(key string) string {
	key = strings.TrimPrefix(strings.TrimPrefix(key, "https://"), "http://")
	key = strings.TrimSuffix(key, "/")
	return strings.TrimSuffix(strings.TrimSuffix(key, "/v1"), "/v2")
}

func holdsSecret(auth types.AuthConfig) bool {
	return auth.Password != "" || auth.IdentityToken != "" || auth.RegistryToken != ""
}

// helpers runs docker's credential helpers, once for each host: they are slow, and a
// build may look at a thousand repositories of one.
type helpers struct {
	env []string
	mu  sync.Mutex
	all map[string]*helperAnswer // by program and key
}

type helperAnswer struct {
	turn       turn
	known      bool
	credential Credential
}

func (h *helpers) answer(program, key string) *helperAnswer {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.all == nil {
		h.all = map[string]*helperAnswer{}
	}
	if h.all[program+" "+key] == nil {
		h.all[program+" "+key] = &helperAnswer{turn: newTurn()}
	}
	return h.all[program+" "+key]
}

// absentCredential is what helpers print, by their protocol, when they hold none.
const absentCredential = "credentials not found in native keychain"

// get is what the program docker-credential-<helper> says; an error is not kept.
func (h *helpers) get(ctx context.Context, helper, key string) (Credential, error) {
	program := "docker-credential-" + helper
	kept := h.answer(program, key)
	if err := kept.turn.take(ctx); err != nil {
		return Credential{}, err
	}
	defer kept.turn.give()
	if kept.known {
		return kept.credential, nil
	}
	c, err := h.ask(ctx, program, key)
	kept.credential, kept.known = c, err == nil
	return c, err
}

func (h *helpers) ask(ctx context.Context, program, key string) (Credential, error) {
	cmd := proc.Cmd{Args: []string{program, "get"}, Env: h.env, Stdin: strings.NewReader(helperKey(key))}
	out, err := cmd.Output(ctx)
	if err != nil && strings.TrimSpace(string(out)) == absentCredential {
		return Credential{}, nil
	}
	if err != nil {
		return Credential{}, fmt.Errorf("asking for the credentials of %s: %w", key, err)
	}
	var said struct{ Username, Secret string }
	if err := json.Unmarshal(out, &said); err != nil {
		return Credential{}, fmt.Errorf("reading the answer of %s: not the JSON of a credential", program)
	}
	c := Credential{Username: said.Username, Password: said.Secret, Source: "credential helper " + program}
	if said.Username == "<token>" {
		c.Username, c.Password, c.IdentityToken = "", "", said.Secret
	}
	return c, nil
}

// helperKey is the name that Docker Hub has for helpers.
func helperKey(key string) string {
	if key == "index.docker.io" {
		return "https://index.docker.io/v1/"
	}
	return key
}
