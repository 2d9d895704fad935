package registry

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
)

const (
	pageSize  = 1000
	listLimit = 64 << 20
)

var (
	errNotList  = errors.New("the answer is not a tag list")
	errLinkLoop = errors.New("the tag list links back to a page that was read")
	errLinkAway = errors.New("the tag list links to another host")
)

// Tags returns every tag of a repository, once, in the registry's order. A registry may
// not list yet what was just written.
func (c *Client) Tags(ctx context.Context, repo Repository) ([]string, error) {
	s, err := c.session(ctx, sessionKey{repo: repo, actions: pull})
	if err != nil {
		return nil, err
	}
	l := lister{session: s, pages: map[string]bool{}, seen: map[string]bool{}}
	first := s.at("tags", "list")
	first.RawQuery = url.Values{"n": {strconv.Itoa(pageSize)}}.Encode()
	cut, err := l.follow(ctx, first)
	if cut && err == nil {
		_, err = l.follow(ctx, s.at("tags", "list"))
	}
	if err != nil {
		return nil, err // never a part of the list
	}
	return l.tags, nil
}

// lister gathers pages.
type lister struct {
	session *session
	pages   map[string]bool
	seen    map[string]bool
	tags    []string
}

// follow reads pages to the end. It reports whether the last one may have been cut: it
// was full, and without a link to more, as from registries that know n but not Link.
func (l *lister) follow(ctx context.Context, u url.URL) (cut bool, err error) {
	for {
		if l.pages[u.String()] {
			return false, &Fault{Method: http.MethodGet, URL: bare(&u), host: u.Host, Status: http.StatusOK, err: errLinkLoop}
		}
		l.pages[u.String()] = true
		next, n, err := l.page(ctx, u)
		if err != nil {
			return false, err
		}
		if next == nil {
			return n >= pageSize && u.Query().Has("n"), nil
		}
		u = *next
	}
}

// page reads one page: the link to the next, or nil, and how many tags it had.
func (l *lister) page(ctx context.Context, u url.URL) (next *url.URL, n int, err error) {
	resp, body, err := l.session.read(ctx, call{method: http.MethodGet, url: u, limit: listLimit}) //nolint:bodyclose // read closes it
	if err != nil {
		return nil, 0, err
	}
	var list struct {
		Name string   `json:"name"`
		Tags []string `json:"tags"`
	}
	if json.Unmarshal(body, &list) != nil || list.Name == "" && list.Tags == nil {
		return nil, 0, answerFault(resp, errNotList)
	}
	for _, tag := range list.Tags {
		if !l.seen[tag] {
			l.seen[tag] = true
			l.tags = append(l.tags, tag)
		}
	}
	if next, err = nextPage(resp); err != nil {
		return nil, 0, answerFault(resp, err)
	}
	return next, len(list.Tags), nil
}

// nextPage reads the Link header, whose target may be relative; nil is the end.
func nextPage(resp *http.Response) (*url.URL, error) {
	link := regexp.MustCompile(`<([^>]*)>[^,]*;\s*rel="?next"?`)
	for _, value := range resp.Header.Values("Link") {
		match := link.FindStringSubmatch(value)
		if match == nil {
			continue
		}
		next, err := resp.Request.URL.Parse(match[1])
		if err != nil {
			return nil, err
		}
		if !sameHost(next, resp.Request.URL) {
			return nil, errLinkAway
		}
		return next, nil
	}
	return nil, nil
}
