package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// Blob returns a blob of at most limit bytes; it matches its digest.
func (c *Client) Blob(ctx context.Context, repo Repository, d Digest, limit int64) ([]byte, error) {
	s, err := c.blobSession(ctx, repo, d)
	if err != nil {
		return nil, err
	}
	resp, body, err := s.read(ctx, call{method: http.MethodGet, url: s.at("blobs", string(d)), limit: limit})
	if err != nil {
		return nil, err
	}
	if int64(len(body)) > limit {
		return nil, answerFault(resp, tooLarge(limit))
	}
	if got := DigestOf(body); got != d {
		return nil, answerFault(resp, wrongDigest{want: d, got: got})
	}
	return body, nil
}

func (c *Client) blobSession(ctx context.Context, repo Repository, d Digest) (*session, error) {
	if !d.Valid() {
		return nil, fmt.Errorf("reading digest %q: not a sha256 digest", d)
	}
	return c.session(ctx, sessionKey{repo: repo, actions: pull})
}

// PutBlob stores a blob, unless it is there.
func (c *Client) PutBlob(ctx context.Context, repo Repository, kind string, body []byte) (Descriptor, error) {
	d := Descriptor{MediaType: kind, Digest: DigestOf(body), Size: int64(len(body))}
	s, err := c.session(ctx, sessionKey{repo: repo, actions: push})
	if err != nil {
		return Descriptor{}, err
	}
	there, err := s.hasBlob(ctx, d.Digest)
	if err != nil || there {
		return d, err
	}
	return d, c.withRepository(ctx, repo, func() error { return s.upload(ctx, d, "", bytesBody(body)) })
}

func (s *session) hasBlob(ctx context.Context, d Digest) (bool, error) {
	resp, err := s.send(ctx, call{method: http.MethodHead, url: s.at("blobs", string(d))})
	if err != nil {
		// An unclear 404 is no harm here: what follows is an upload, which either works or says why not.
		if errors.Is(err, ErrNotFound) || unclear(err) {
			return false, nil
		}
		return false, err
	}
	return true, resp.Body.Close()
}

// upload stores a blob, by mounting it from another repository of the registry when
// one is given and the registry can. A try whose answer was lost leaves no upload to go
// on with, though the blob may be there: then it looks, and begins once more.
func (s *session) upload(ctx context.Context, d Descriptor, from string, body func() io.ReadCloser) error {
	for again := false; ; again = true {
		to, done, err := s.startUpload(ctx, d.Digest, from)
		if err != nil || done {
			return err
		}
		err = s.finishUpload(ctx, to, d, body)
		var f *Fault
		if !errors.As(err, &f) || f.Status != http.StatusNotFound || again {
			return err
		}
		if there, headErr := s.hasBlob(ctx, d.Digest); headErr != nil || there {
			return headErr
		}
	}
}

// startUpload returns where to put the blob, or that it was mounted.
func (s *session) startUpload(ctx context.Context, d Digest, from string) (to *url.URL, mounted bool, err error) {
	u := s.at("blobs", "uploads/")
	if from != "" {
		u.RawQuery = url.Values{"mount": {string(d)}, "from": {from}}.Encode()
	}
	resp, _, err := s.read(ctx, call{method: http.MethodPost, url: u, limit: errorLimit})
	var f *Fault
	if from != "" && errors.As(err, &f) && f.Status < http.StatusInternalServerError && f.Status != http.StatusTooManyRequests {
		return s.startUpload(ctx, d, "") // some refuse a mount that they cannot do
	}
	if err != nil {
		return nil, false, err
	}
	if from != "" && resp.StatusCode == http.StatusCreated {
		return nil, true, nil
	}
	to, err = resp.Location()
	if err != nil {
		return nil, false, answerFault(resp, err)
	}
	return to, false, nil
}

func (s *session) finishUpload(ctx context.Context, to *url.URL, d Descriptor, body func() io.ReadCloser) error {
	u := *to
	query := u.Query()
	query.Set("digest", string(d.Digest))
	u.RawQuery = query.Encode()
	_, _, err := s.read(ctx, call{
		method: http.MethodPut, url: u, body: body, size: d.Size, limit: errorLimit,
		header: http.Header{"Content-Type": {"application/octet-stream"}},
	})
	return err
}
