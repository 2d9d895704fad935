package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"
)

// manifestLimit is what registries accept at most, and more.
const manifestLimit = 8 << 20

var errNotJSON = errors.New("the answer is not an OCI manifest: it is not whole JSON")

func acceptManifests() http.Header {
	return http.Header{"Accept": {strings.Join([]string{
		MediaTypeIndex, MediaTypeManifest, MediaTypeDockerList, MediaTypeDockerManifest,
	}, ", ")}}
}

// Head returns the descriptor of the OCI manifest that ref, a tag or digest, names.
// It costs one request, and a second one with a registry that does not tell the
// digest or size in answer to a HEAD, or whose 404 cannot be told from a proxy's.
func (c *Client) Head(ctx context.Context, repo Repository, ref string) (Descriptor, error) {
	d, whole, err := c.head(ctx, repo, ref)
	if whole || err != nil && !unclear(err) {
		return d, err
	}
	m, err := c.Get(ctx, repo, ref)
	return m.Descriptor, err
}

// unclear reports a 404 that the registry may not have given; a GET brings its text.
func unclear(err error) bool {
	var f *Fault
	return errors.As(err, &f) && f.Status == http.StatusNotFound && !f.absent
}

func (c *Client) head(ctx context.Context, repo Repository, ref string) (d Descriptor, whole bool, err error) {
	s, err := c.sessionFor(ctx, repo, ref, pull)
	if err != nil {
		return d, false, err
	}
	resp, err := s.send(ctx, call{method: http.MethodHead, url: s.at("manifests", ref), header: acceptManifests()})
	if err != nil {
		return d, false, err
	}
	defer resp.Body.Close() //nolint:errcheck // empty
	d = Descriptor{MediaType: mediaType(resp.Header), Digest: toldDigest(resp.Header), Size: resp.ContentLength}
	if Digest(ref).Valid() && d.Digest != "" && d.Digest != Digest(ref) {
		return d, false, answerFault(resp, wrongDigest{want: Digest(ref), got: d.Digest})
	}
	return d, d.Digest != "" && d.Size > 0 && d.MediaType != "", nil
}

// sessionFor checks ref, then gives the session.
func (c *Client) sessionFor(ctx context.Context, repo Repository, ref string, may actions) (*session, error) {
	if err := checkRef(ref); err != nil {
		return nil, err
	}
	return c.session(ctx, sessionKey{repo: repo, actions: may})
}

// Get returns the OCI manifest that ref names. Its bytes match the digest asked for or,
// for a tag, the one that the registry told, if it did.
func (c *Client) Get(ctx context.Context, repo Repository, ref string) (Manifest, error) {
	s, err := c.sessionFor(ctx, repo, ref, pull)
	if err != nil {
		return Manifest{}, err
	}
	resp, body, err := s.read(ctx, call{
		method: http.MethodGet, url: s.at("manifests", ref), header: acceptManifests(), limit: manifestLimit,
	})
	if err != nil {
		return Manifest{}, err
	}
	m := Manifest{Bytes: body, Descriptor: Descriptor{
		MediaType: mediaType(resp.Header), Digest: DigestOf(body), Size: int64(len(body)),
	}}
	if err := verify(resp, ref, &m); err != nil {
		return Manifest{}, answerFault(resp, err)
	}
	return m, nil
}

// verify holds m against what was asked and told, and completes its media type.
func verify(resp *http.Response, ref string, m *Manifest) error {
	for _, want := range []Digest{Digest(ref), toldDigest(resp.Header)} {
		if want.Valid() && want != m.Digest {
			return wrongDigest{want: want, got: m.Digest}
		}
	}
	var self struct {
		MediaType string `json:"mediaType"`
	}
	if json.Unmarshal(m.Bytes, &self) != nil {
		return errNotJSON
	}
	if self.MediaType != "" {
		m.MediaType = self.MediaType // inside the digest, and so worth more than the header
	}
	return nil
}

type wrongDigest struct{ want, got Digest }

func (w wrongDigest) Error() string {
	return fmt.Sprintf("the answer has the digest %s, not %s", w.got, w.want)
}

// toldDigest is the digest that the registry told, or "".
func toldDigest(h http.Header) Digest {
	d := Digest(h.Get("Docker-Content-Digest"))
	if !d.Valid() {
		return ""
	}
	return d
}

func mediaType(h http.Header) string {
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return kind
}

// Put stores an OCI manifest under ref: a tag, the body's digest, or "" for that digest.
// The blobs and children that it names must be there already. On an error it may or may
// not have been stored; to do it again is harmless.
func (c *Client) Put(ctx context.Context, repo Repository, ref, kind string, body []byte) (Descriptor, error) {
	d := Descriptor{MediaType: kind, Digest: DigestOf(body), Size: int64(len(body))}
	if ref == "" {
		ref = string(d.Digest)
	}
	if asked := Digest(ref); asked.Valid() && asked != d.Digest {
		return Descriptor{}, fmt.Errorf("putting an OCI manifest by digest: %w", wrongDigest{want: asked, got: d.Digest})
	}
	s, err := c.sessionFor(ctx, repo, ref, push)
	if err != nil {
		return Descriptor{}, err
	}
	return d, c.withRepository(ctx, repo, func() error { return s.put(ctx, ref, d, body) })
}

func (s *session) put(ctx context.Context, ref string, d Descriptor, body []byte) error {
	resp, _, err := s.read(ctx, call{
		method: http.MethodPut, url: s.at("manifests", ref), limit: errorLimit,
		header: http.Header{"Content-Type": {d.MediaType}}, body: bytesBody(body), size: d.Size,
	})
	if err != nil {
		return err
	}
	if told := toldDigest(resp.Header); told != "" && told != d.Digest {
		return answerFault(resp, wrongDigest{want: d.Digest, got: told})
	}
	return nil
}

// DeleteTag removes a tag. Registries that cannot are told by errors.ErrUnsupported, and
// nothing may depend on it: many cannot.
func (c *Client) DeleteTag(ctx context.Context, repo Repository, tag string) error {
	s, err := c.sessionFor(ctx, repo, tag, deletions)
	if err != nil {
		return err
	}
	_, _, err = s.read(ctx, call{method: http.MethodDelete, url: s.at("manifests", tag), limit: errorLimit})
	return err
}
