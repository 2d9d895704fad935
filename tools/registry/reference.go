package registry

import (
	"fmt"

	"github.com/google/go-containerregistry/pkg/name"
)

// ParseReference splits a reference to an image, such as "ghcr.io/acme/web:v1" or
// "ghcr.io/acme/web@sha256:...", into its repository and the tag or digest there. A
// reference without either is one to the tag latest.
func ParseReference(text string) (Repository, string, error) {
	ref, err := name.ParseReference(text)
	if err != nil {
		return "", "", fmt.Errorf("parsing reference %q: %w", text, err)
	}
	return Repository(ref.Context().Name()), ref.Identifier(), nil
}
