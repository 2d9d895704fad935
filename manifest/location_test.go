package manifest

import (
	"errors"
	"testing"
)

func TestRepository(t *testing.T) {
	for _, test := range []struct {
		location Location
		name     string
		want     string
	}{
		{"ghcr.io/acme", "web", "ghcr.io/acme/web"},
		{"ghcr.io/acme", "slipway/commits", "ghcr.io/acme/slipway/commits"},
		{"docker.io/acme/mono-{name}", "web", "docker.io/acme/mono-web"},
		{"docker.io/acme/mono-{name}", "slipway/commits", "docker.io/acme/mono-slipway--commits"},
	} {
		if got := test.location.Repository(test.name); got != test.want {
			t.Errorf("%s with %s: %s, want %s", test.name, test.location, got, test.want)
		}
	}
}

func TestParseLocation(t *testing.T) {
	for text, want := range map[string]Location{
		"":                                    "",
		"localhost":                           "localhost",
		"127.0.0.1:5000/":                     "127.0.0.1:5000",
		"[::1]:5000/acme":                     "[::1]:5000/acme",
		"registry:5000/a/b-c":                 "registry:5000/a/b-c",
		"docker.io/acme/mono-{name}":          "docker.io/acme/mono-{name}",
		"1.dkr.ecr.eu-west-1.amazonaws.com/x": "1.dkr.ecr.eu-west-1.amazonaws.com/x",
	} {
		if got, err := ParseLocation(text); err != nil || got != want {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		"http://ghcr.io":      `registry "http://ghcr.io": a registry is written without its scheme`,
		"acme/web":            `registry "acme/web": not a registry's host with a prefix`,
		"ghcr.io/Acme":        `registry "ghcr.io/Acme": not a registry's host with a prefix`,
		"ghcr.io/a..b":        `registry "ghcr.io/a..b": not a registry's host with a prefix`,
		"ghcr.io/{project}":   `registry "ghcr.io/{project}": not a registry's host with a prefix`,
		"ghcr.io//acme":       `registry "ghcr.io//acme": not a registry's host with a prefix`,
		"ghcr.io/acme:latest": `registry "ghcr.io/acme:latest": not a registry's host with a prefix`,
	} {
		_, err := ParseLocation(text)
		var problem *LocationError
		if !errors.As(err, &problem) || err.Error() != want || problem.Hint() == "" {
			t.Errorf("%s: %v", text, err)
		}
	}
}
