package registry

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// actions is what a session may do in its repository, in the words of token servers.
type actions string

const (
	pull      = actions(transport.PullScope)
	push      = actions(transport.PushScope)
	deletions = actions(transport.DeleteScope)
)

// session is an authenticated way to one repository.
type session struct {
	repo   name.Repository
	host   string
	url    url.URL // of the repository, up to "/v2/<name>/"
	source string  // of the credentials
	http   *http.Client
	auth   http.RoundTripper

	turn turn
}

// turn is a mutex that a context can give up waiting for.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

func (t turn) take(ctx context.Context) error {
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t turn) give() { <-t }

type sessionKey struct {
	repo    Repository
	actions actions
	from    Repository // the source of mounts, or ""
}

type sessions struct {
	mu  sync.Mutex
	all map[sessionKey]*session
}

func (s *sessions) get(key sessionKey) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[sessionKey]*session{}
	}
	if s.all[key] == nil {
		s.all[key] = &session{turn: newTurn()}
	}
	return s.all[key]
}

// session returns the session for key, shaking hands if nobody has yet. A handshake
// that failed is not remembered, and one caller's end does not fail another's.
func (c *Client) session(ctx context.Context, key sessionKey) (*session, error) {
	s := c.sessions.get(key)
	if err := s.turn.take(ctx); err != nil {
		return nil, err
	}
	defer s.turn.give()
	if s.http != nil {
		return s, nil
	}
	return s, c.shakeHands(ctx, s, key)
}

func (c *Client) shakeHands(ctx context.Context, s *session, key sessionKey) error {
	repo, err := c.parse(key.repo)
	if err != nil {
		return err
	}
	scopes := []string{repo.Scope(string(key.actions))}
	if key.from != "" {
		from, err := c.parse(key.from)
		if err != nil {
			return err
		}
		scopes = append(scopes, from.Scope(transport.PullScope))
	}
	credential, err := c.credentials.find(ctx, repo.Name())
	if err != nil {
		return err
	}
	s.repo, s.host, s.source = repo, repo.RegistryStr(), credential.Source
	s.url = url.URL{Scheme: repo.Scheme(), Host: s.host, Path: "/v2/" + repo.RepositoryStr() + "/"}
	auth := authn.Anonymous
	if credential.Source != noCredential {
		auth = credentialOf{c.credentials, repo.Name()}
	}
	ping, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url.Scheme+"://"+s.host+"/v2/", nil)
	if err != nil {
		return err
	}
	rt, err := transport.NewWithContext(withLimit(ctx, errorLimit), repo.Registry, auth, c.chain, scopes)
	if err != nil {
		return handshakeFault(ping, s, err)
	}
	s.auth = rt
	s.http = &http.Client{Transport: rt, CheckRedirect: checkRedirect}
	return nil
}

// checkRedirect follows a registry to its blob store, but never from https to http.
func checkRedirect(req *http.Request, via []*http.Request) error {
	if len(via) >= 10 {
		return errors.New("stopped after 10 redirects")
	}
	if via[len(via)-1].URL.Scheme == "https" && req.URL.Scheme != "https" {
		return plainRefused(req.URL.Host)
	}
	return nil
}

// credentialOf asks for the credential at each use: ECR's expire.
type credentialOf struct {
	keyring *keyring
	target  string
}

func (c credentialOf) Authorization() (*authn.AuthConfig, error) {
	return c.AuthorizationContext(context.Background())
}

func (c credentialOf) AuthorizationContext(ctx context.Context) (*authn.AuthConfig, error) {
	found, err := c.keyring.find(ctx, c.target)
	if err != nil {
		return nil, err
	}
	return &authn.AuthConfig{
		Username: found.Username, Password: found.Password,
		IdentityToken: found.IdentityToken, RegistryToken: found.RegistryToken,
	}, nil
}

// pings answers the handshake's GET /v2/ from memory: once for each host, however many
// repositories there are. Only useful answers (200 and 401) are kept.
type pings struct {
	next http.RoundTripper
	mu   sync.Mutex
	all  map[string]*ping
}

type ping struct {
	turn turn
	resp *http.Response
	body []byte
}

// errPlainHost answers the https attempt at a host that is known to speak plain http.
var errPlainHost = errors.New("the registry speaks plain http")

func (p *pings) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method != http.MethodGet || req.URL.Path != "/v2/" || req.URL.RawQuery != "" || req.Header.Get("Authorization") != "" {
		return p.next.RoundTrip(req)
	}
	if req.URL.Scheme == "https" && p.of("http", req.URL.Host).known() {
		return nil, errPlainHost
	}
	kept := p.of(req.URL.Scheme, req.URL.Host)
	if err := kept.turn.take(req.Context()); err != nil {
		return nil, err
	}
	defer kept.turn.give()
	if kept.resp == nil {
		return kept.ask(p.next, req)
	}
	return kept.answer(req), nil
}

func (p *pings) of(scheme, host string) *ping {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.all == nil {
		p.all = map[string]*ping{}
	}
	key := scheme + "://" + host
	if p.all[key] == nil {
		p.all[key] = &ping{turn: newTurn()}
	}
	return p.all[key]
}

// known reports whether an answer is kept, without waiting for one on its way.
func (p *ping) known() bool {
	select {
	case p.turn <- struct{}{}:
		defer p.turn.give()
		return p.resp != nil
	default:
		return false
	}
}

func (p *ping) ask(next http.RoundTripper, req *http.Request) (*http.Response, error) {
	resp, err := next.RoundTrip(req)
	if err != nil || resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusUnauthorized {
		return resp, err
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	p.body, err = io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	p.resp = resp
	return p.answer(req), nil
}

func (p *ping) answer(req *http.Request) *http.Response {
	resp := *p.resp
	resp.Header = p.resp.Header.Clone()
	resp.Request = req
	resp.Body = io.NopCloser(bytes.NewReader(p.body))
	return &resp
}

// sameHost reports whether a link stays with the registry it came from.
func sameHost(a, b *url.URL) bool { return strings.EqualFold(a.Host, b.Host) }
