package registry_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"slipway/tools/internal/testkit/regtest"
	"slipway/tools/registry"
)

func writeFile(tb testing.TB, path, text string, mode os.FileMode) {
	tb.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		tb.Fatal(err)
	}
}

// helper puts a credential helper on PATH that knows one host.
// The result counts its runs.
func helper(tb testing.TB, name, host, answer string) (runs func() int) {
	tb.Helper()
	dir := tb.TempDir()
	script := fmt.Sprintf("#!/bin/sh\necho run >>"+dir+"/runs\nread -r host\nif [ \"$host\" = '%s' ]; then echo '%s'; exit 0; fi\n"+
		"echo 'credentials not found in native keychain'\nexit 1\n", host, answer)
	writeFile(tb, filepath.Join(dir, "docker-credential-"+name), script, 0o700)
	setenv(tb, "PATH", dir+":"+os.Getenv("PATH"))
	return func() int {
		text, err := os.ReadFile(filepath.Join(dir, "runs"))
		if err != nil {
			tb.Fatal(err)
		}
		return strings.Count(string(text), "run")
	}
}

func setenv(tb testing.TB, key, value string) {
	tb.Helper()
	tb.(interface{ Setenv(string, string) }).Setenv(key, value)
}

func TestCredential(t *testing.T) {
	helper(t, "slipwaytest", "helped.example", `{"ServerURL":"helped.example","Username":"h","Secret":"s"}`)
	dir := t.TempDir()
	config, podman := filepath.Join(dir, "config.json"), filepath.Join(dir, "auth.json")
	writeFile(t, config, `{
		"auths": {
			"plain.example": {"auth": "dTpw"},
			"https://index.docker.io/v1/": {"auth": "aHViOnB3"},
			"slash.example/": {"auth": "dTpw"},
			"scoped.example": {"auth": "dTpw"},
			"scoped.example/acme": {"auth": "YTpi"},
			"token.example": {"identitytoken": "it"},
			"empty.example": {}
		},
		"credHelpers": {"helped.example": "slipwaytest", "unhelped.example": "slipwaytest"}
	}`, 0o600)
	writeFile(t, podman, `{"auths": {"podman.example": {"auth": "dTpw"}, "plain.example": {"auth": "YTpi"}}}`, 0o600)
	c := registry.New(registry.Options{
		DockerConfigDir: dir, AuthFiles: []string{filepath.Join(dir, "missing.json"), podman},
		GitHub: registry.GitHub{Actor: "octocat", Token: "ghs"},
	})
	inConfig := "docker config " + config
	up := registry.Credential{Username: "u", Password: "p", Source: inConfig}
	tests := map[string]registry.Credential{
		"plain.example":               up,
		"plain.example/acme/web":      up,
		"slash.example":               up,
		"scoped.example":              up,
		"scoped.example/other":        up,
		"scoped.example/acme":         {Username: "a", Password: "b", Source: inConfig},
		"scoped.example/acme/web":     {Username: "a", Password: "b", Source: inConfig},
		"docker.io":                   {Username: "hub", Password: "pw", Source: inConfig},
		"index.docker.io/acme/web":    {Username: "hub", Password: "pw", Source: inConfig},
		"https://index.docker.io/v1/": {Username: "hub", Password: "pw", Source: inConfig},
		"registry-1.docker.io":        {Username: "hub", Password: "pw", Source: inConfig},
		"token.example":               {IdentityToken: "it", Source: inConfig},
		"helped.example":              {Username: "h", Password: "s", Source: "credential helper docker-credential-slipwaytest"},
		"helped.example/acme":         {Username: "h", Password: "s", Source: "credential helper docker-credential-slipwaytest"},
		"podman.example":              {Username: "u", Password: "p", Source: "auth file " + podman},
		"ghcr.io":                     {Username: "octocat", Password: "ghs", Source: "GITHUB_TOKEN"},
		"unhelped.example":            {Source: "none"},
		"empty.example":               {Source: "none"},
		"example":                     {Source: "none"},
	}
	for target, want := range tests {
		got, err := c.Credential(t.Context(), target)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("Credential(%s): %v (-want +got):\n%s", target, err, diff)
		}
	}
}

func TestCredentialStore(t *testing.T) {
	helper(t, "slipwaystore", "https://index.docker.io/v1/", `{"Username":"<token>","Secret":"t"}`)
	c := registry.New(registry.Options{DockerAuthConfig: `{"credsStore": "slipwaystore"}`})
	for target, want := range map[string]registry.Credential{
		"docker.io/acme/web": {IdentityToken: "t", Source: "credential helper docker-credential-slipwaystore"},
		"other.example/web":  {Source: "none"},
	} {
		if got, err := c.Credential(t.Context(), target); err != nil || got != want {
			t.Errorf("Credential(%s) = %v, %v, want %v", target, got, err, want)
		}
	}
}

func TestHelpersRunOnceForAHost(t *testing.T) {
	runs := helper(t, "slipwayonce", "helped.example", `{"Username":"u","Secret":"s"}`)
	c := registry.New(registry.Options{DockerAuthConfig: `{"credHelpers": {"helped.example": "slipwayonce"}}`})
	for i := range 10 {
		if _, err := c.Credential(t.Context(), fmt.Sprintf("helped.example/p%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	if runs() != 1 {
		t.Errorf("the helper ran %d times, want once", runs())
	}
}

// Credentials that cannot be read are an error, not anonymous.
func TestBrokenCredentials(t *testing.T) {
	helper(t, "slipwaybroken", "x.example", `not json`)
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "config.json"), `{"auths": `, 0o600)
	tests := map[string]struct {
		options registry.Options
		names   string
	}{
		"file":    {registry.Options{DockerConfigDir: dir}, filepath.Join(dir, "config.json")},
		"helper":  {registry.Options{DockerAuthConfig: `{"credHelpers": {"x.example": "slipwaybroken"}}`}, "docker-credential-slipwaybroken"},
		"no such": {registry.Options{DockerAuthConfig: `{"credHelpers": {"x.example": "slipwaymissing"}}`}, "docker-credential-slipwaymissing"},
	}
	for name, test := range tests {
		c := registry.New(test.options)
		_, err := c.Head(t.Context(), "x.example/acme/web", "v1")
		if err == nil || !strings.Contains(err.Error(), test.names) || errors.Is(err, registry.ErrNotFound) {
			t.Errorf("%s: Head() = %v, want an error that names %s", name, err, test.names)
		}
	}
}

func TestCredentialsAreUsed(t *testing.T) {
	for name, o := range map[string]regtest.Options{
		"basic": {Username: "u", Password: "p"}, "bearer": {Username: "u", Password: "p", Bearer: true},
	} {
		t.Run(name, func(t *testing.T) {
			r := regtest.NewWith(t, o)
			right := registry.New(registry.Options{Retry: patient(), DockerAuthConfig: authConfig(r.Host, "p")})
			push(t, right, repository(r, webRepo), "v1", newImage(t, "{}", "layer"))
			if err := right.DeleteTag(t.Context(), repository(r, webRepo), "v1"); err != nil {
				t.Errorf("DeleteTag() = %v", err)
			}
			for _, c := range []*registry.Client{
				newClient(t),
				registry.New(registry.Options{Retry: patient(), DockerAuthConfig: authConfig(r.Host, "wrong")}),
			} {
				for verb, call := range allVerbs(c, repository(r, webRepo)) {
					checkFault(t, verb, call(t.Context()), 401, false)
				}
			}
		})
	}
}

func TestFromEnvironment(t *testing.T) {
	environment := map[string]string{
		"HOME": "/home/x", "REGISTRY_AUTH_FILE": "/auth.json", "XDG_RUNTIME_DIR": "/run/user/1",
		"GITHUB_ACTOR": "octocat", "GITHUB_TOKEN": "ghs",
	}
	got := registry.FromEnvironment(func(key string) string { return environment[key] })
	want := registry.Options{
		DockerConfigDir: "/home/x/.docker",
		AuthFiles:       []string{"/auth.json", "/run/user/1/containers/auth.json", "/home/x/.config/containers/auth.json"},
		GitHub:          registry.GitHub{Actor: "octocat", Token: "ghs"},
	}
	if diff := cmp.Diff(want.AuthFiles, got.AuthFiles); diff != "" || got.DockerConfigDir != want.DockerConfigDir || got.GitHub != want.GitHub {
		t.Errorf("FromEnvironment() = %+v, want %+v", got, want)
	}
}
