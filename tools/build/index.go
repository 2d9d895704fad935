package build

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"slipway/tools/engine"
	"slipway/tools/registry"
)

// Putter writes an OCI manifest.
type Putter interface {
	Put(ctx context.Context, repo registry.Repository, ref, mediaType string, body []byte) (registry.Descriptor, error)
}

// PushIndex joins the images of several platforms, all in repository already,
// into one index, for [engine.Options]. It returns the index's digest.
func PushIndex(r Putter) func(ctx context.Context, repository string, images []engine.Descriptor, annotations map[string]string) (string, error) {
	return func(ctx context.Context, repository string, images []engine.Descriptor, annotations map[string]string) (string, error) {
		body, err := json.Marshal(newIndex(images, annotations))
		if err != nil {
			return "", fmt.Errorf("encoding the index: %w", err)
		}
		digest := string(registry.DigestOf(body))
		if _, err := r.Put(ctx, registry.Repository(repository), digest, registry.MediaTypeIndex, body); err != nil {
			return "", fmt.Errorf("pushing the index: %w", err)
		}
		return digest, nil
	}
}

// index is an OCI image index.
type index struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	Manifests     []indexed         `json:"manifests"`
	Annotations   map[string]string `json:"annotations,omitempty"`
}

type indexed struct {
	MediaType string   `json:"mediaType"`
	Digest    string   `json:"digest"`
	Size      int64    `json:"size"`
	Platform  platform `json:"platform"`
}

type platform struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
	Variant      string `json:"variant,omitempty"`
}

func newIndex(images []engine.Descriptor, annotations map[string]string) index {
	i := index{SchemaVersion: 2, MediaType: registry.MediaTypeIndex, Annotations: annotations}
	for _, image := range images {
		os, rest, _ := strings.Cut(image.Platform, "/")
		arch, variant, _ := strings.Cut(rest, "/")
		i.Manifests = append(i.Manifests, indexed{
			MediaType: image.MediaType, Digest: image.Digest, Size: image.Size,
			Platform: platform{OS: os, Architecture: arch, Variant: variant},
		})
	}
	return i
}
