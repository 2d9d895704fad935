package records

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"slipway/tools/contenthash"
	"slipway/tools/gitrepo"
	"slipway/tools/registry"
)

// Commit is the record of one commit: what every project was built to.
type Commit struct {
	Schema   int              `json:"schema"` // 1
	Commit   gitrepo.ObjectID `json:"commit"`
	Time     time.Time        `json:"time"`             // of the commit, UTC, whole seconds
	Source   string           `json:"source,omitempty"` // the repository's URL, without credentials
	Projects map[string]Built `json:"projects"`
}

// Built is one project's image.
type Built struct {
	ContentHash contenthash.Hash `json:"contentHash"`
	Digest      registry.Digest  `json:"digest"`
}

// Says reports whether c, which may be nil, is a record of the same commit with
// the same projects.
func (c *Commit) Says(other Commit) bool {
	return c != nil && c.Commit == other.Commit && maps.Equal(c.Projects, other.Projects)
}

const (
	schema       = 1
	commitType   = "application/vnd.slipway.commit.v1+json"
	manifestType = "application/vnd.oci.image.manifest.v1+json"
	emptyType    = "application/vnd.oci.empty.v1+json"
	// maxSize bounds a record, as registries bound an OCI manifest.
	maxSize = 1 << 20
)

// ErrTooLarge says that a commit has too many projects for one record (about
// 6,500). Everything is decided without one as well, only with more requests.
var ErrTooLarge = errors.New("record too large")

// encode gives the canonical form of a record: the same bytes in every retry.
func encode(c Commit) ([]byte, error) {
	c.Schema, c.Time = schema, wholeSeconds(c.Time)
	config, err := json.Marshal(c) // map keys are sorted
	if err != nil {
		return nil, err
	}
	if len(config) > maxSize {
		return nil, fmt.Errorf("%w: %d bytes of at most %d", ErrTooLarge, len(config), maxSize)
	}
	return config, nil
}

func wholeSeconds(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

// decode reads a record. What is in it goes into git and the registry as names,
// so whatever could not have been written by [encode] is refused.
func decode(config []byte) (Commit, error) {
	var c Commit
	if err := json.Unmarshal(config, &c); err != nil {
		return c, fmt.Errorf("decoding the config: %w", err)
	}
	if c.Schema != schema {
		return c, fmt.Errorf("schema %d is not known to this version", c.Schema)
	}
	if !isHex(string(c.Commit), 40) && !isHex(string(c.Commit), 64) {
		return c, fmt.Errorf("commit %q", c.Commit)
	}
	for name, b := range c.Projects {
		if !b.Digest.Valid() || !isHex(string(b.ContentHash), 40) {
			return c, fmt.Errorf("project %q: content %q, digest %q", name, b.ContentHash, b.Digest)
		}
	}
	return c, nil
}

func isHex(s string, digits int) bool {
	return len(s) == digits && strings.Trim(s, "0123456789abcdef") == ""
}

// ociManifest is an OCI image manifest that carries a record.
type ociManifest struct {
	SchemaVersion int                   `json:"schemaVersion"`
	MediaType     string                `json:"mediaType"`
	ArtifactType  string                `json:"artifactType"`
	Config        registry.Descriptor   `json:"config"`
	Layers        []registry.Descriptor `json:"layers"`
	Annotations   map[string]string     `json:"annotations,omitempty"`
}

// manifestOf gives the OCI manifest of a record whose config and empty layer are
// in the registry.
func manifestOf(c Commit, config, empty registry.Descriptor) ([]byte, error) {
	return json.Marshal(ociManifest{
		SchemaVersion: 2, MediaType: manifestType, ArtifactType: commitType,
		Config: config, Layers: []registry.Descriptor{empty}, Annotations: c.annotations(),
	})
}

// annotations come from the commit alone, so that a retry writes the same bytes.
func (c Commit) annotations() map[string]string {
	a := map[string]string{
		"org.opencontainers.image.created":  wholeSeconds(c.Time).Format(time.RFC3339),
		"org.opencontainers.image.revision": string(c.Commit),
	}
	if c.Source != "" {
		a["org.opencontainers.image.source"] = c.Source
	}
	return a
}

// configOf finds the config blob of a record's OCI manifest.
func configOf(m registry.Manifest) (registry.Digest, error) {
	var oci ociManifest
	if err := json.Unmarshal(m.Bytes, &oci); err != nil {
		return "", fmt.Errorf("decoding the OCI manifest: %w", err)
	}
	switch {
	case oci.ArtifactType != commitType:
		return "", fmt.Errorf("artifact type %q is not %q", oci.ArtifactType, commitType)
	case !oci.Config.Digest.Valid():
		return "", fmt.Errorf("digest %q of the config", oci.Config.Digest)
	case oci.Config.Size > maxSize:
		return "", errors.New("the config is larger than a record may be")
	}
	return oci.Config.Digest, nil
}
