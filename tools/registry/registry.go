// Package registry speaks to OCI registries: the verbs (HEAD, GET and PUT of OCI
// manifests, blobs, tag lists, copies) with exact fault classes, and the credentials
// of the systems people use (docker's and podman's files and helpers, GHCR, ECR).
//
// Its rule is that only a registry's own 404 means absent ([ErrNotFound]). A refused
// credential, throttling, a broken or cut answer, a web page in place of a registry
// are all errors ([*Fault]), after as many further tries as deserve it. Whatever has a
// digest is verified before it is returned. It refuses plain http except to loopback
// addresses and to hosts that the caller named, and it reads no environment variables.
package registry

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"

	"slipway/tools/internal/retry"
)

// Repository is a registry's host and a repository there, e.g. "127.0.0.1:5000/acme/web".
// As everywhere, a name without a host is Docker Hub's.
type Repository string

// Digest is the identity of a blob or OCI manifest, e.g. "sha256:9f86d0...".
type Digest string

// Media types of OCI manifests.
const (
	MediaTypeManifest       = "application/vnd.oci.image.manifest.v1+json"
	MediaTypeIndex          = "application/vnd.oci.image.index.v1+json"
	MediaTypeDockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	MediaTypeDockerList     = "application/vnd.docker.distribution.manifest.list.v2+json"
)

// Descriptor names a blob or an OCI manifest.
type Descriptor struct {
	MediaType string `json:"mediaType"`
	Digest    Digest `json:"digest"`
	Size      int64  `json:"size"` // bytes
}

// Manifest is an OCI manifest or index as the registry holds it, byte for byte.
type Manifest struct {
	Descriptor
	Bytes []byte
}

// Options are what a [Client] needs to know. The zero value reaches public
// registries over https, without credentials.
type Options struct {
	// Insecure lists the hosts, with their port as in the repository's name, that may
	// be spoken to over plain http or https. Loopback hosts always may.
	Insecure []string
	// Transport sends the requests; nil means one with net/http's defaults.
	Transport http.RoundTripper
	// Retry is for 429, 5xx and broken connections.
	Retry     retry.Policy
	UserAgent string
	// Now tells when an ECR token is about to expire; nil keeps the first for good.
	Now func() time.Time

	// DockerAuthConfig is the text of a docker config file; it goes before all others.
	DockerAuthConfig string
	// DockerConfigDir is the folder of docker's config.json, e.g. "/home/x/.docker".
	DockerConfigDir string
	// AuthFiles are further files of that form (podman's auth.json), tried in order;
	// those that do not exist are passed over.
	AuthFiles []string
	// HelperEnv is the environment of docker's credential helpers; nil means this process's.
	HelperEnv []string
	GitHub    GitHub
	AWS       AWS
}

// Client speaks to any number of registries, and shakes hands once with each. It is safe
// for concurrent use.
type Client struct {
	insecure    map[string]bool
	chain       http.RoundTripper
	credentials *keyring
	sessions    sessions
	ecr         *ecrAPI
}

// New returns a client; it sends nothing yet.
func New(o Options) *Client {
	c := &Client{insecure: map[string]bool{}, ecr: newECR(o.AWS, o.Now)}
	for _, host := range o.Insecure {
		c.insecure[host] = true
	}
	c.credentials = newKeyring(o, c.ecr)
	c.chain = c.transport(o)
	return c
}

// transport stacks the wrappers, the outermost last.
func (c *Client) transport(o Options) http.RoundTripper {
	t := o.Transport
	if t == nil {
		t = defaultTransport()
	}
	t = plainGuard{next: t, allowed: c.plainAllowed}
	t = wholeBodies{next: t}
	t = retrying{next: t, policy: o.Retry}
	t = &pings{next: t}
	return userAgent{next: t, name: o.UserAgent}
}

// parse checks a repository's name and decides which schemes it may be reached by.
func (c *Client) parse(repo Repository) (name.Repository, error) {
	parsed, err := name.NewRepository(string(repo))
	if err != nil {
		return parsed, fmt.Errorf("reading repository name %q: %w", repo, err)
	}
	if c.plainAllowed(parsed.RegistryStr()) {
		return name.NewRepository(string(repo), name.Insecure)
	}
	return parsed, nil
}

// DigestOf is body's digest as a registry computes it.
func DigestOf(body []byte) Digest {
	sum := sha256.Sum256(body)
	return Digest("sha256:" + hex.EncodeToString(sum[:]))
}

// Valid reports whether d is a well-formed sha256 digest, the only kind used here.
func (d Digest) Valid() bool {
	hexa, ok := strings.CutPrefix(string(d), "sha256:")
	if !ok || len(hexa) != 2*sha256.Size {
		return false
	}
	return strings.Trim(hexa, "0123456789abcdef") == ""
}

// tagForm is the distribution specification's.
const tagForm = `^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`

// checkRef refuses what is neither a tag nor a digest, before it gets into a URL.
func checkRef(ref string) error {
	if Digest(ref).Valid() {
		return nil
	}
	if ok, err := regexp.MatchString(tagForm, ref); err != nil || !ok {
		return fmt.Errorf("reading reference %q: neither a tag nor a sha256 digest", ref)
	}
	return nil
}

// Credential returns what would be used for a host ("ghcr.io"), as docker names it
// ("https://index.docker.io/v1/"), or for a repository there. No
// credential is not an error: the result's Source is then "none".
func (c *Client) Credential(ctx context.Context, target string) (Credential, error) {
	return c.credentials.find(ctx, plainKey(target))
}
