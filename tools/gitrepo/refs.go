package gitrepo

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Branch returns the branch that is checked out, e.g. "feature/x"; "" when the
// head is detached. The branch may be unborn.
func (r *Repo) Branch(ctx context.Context) (string, error) {
	ref, err := r.headRef(ctx)
	return strings.TrimPrefix(ref, "refs/heads/"), err
}

// headRef returns the reference that HEAD stands for, "" when detached.
func (r *Repo) headRef(ctx context.Context) (string, error) {
	content, err := os.ReadFile(filepath.Join(r.place.gitDir, "HEAD"))
	if err != nil {
		return "", fmt.Errorf("reading HEAD: %w", err)
	}
	ref, ok := strings.CutPrefix(strings.TrimSpace(string(content)), "ref:")
	if !ok {
		return "", nil
	}
	ref = strings.TrimSpace(ref)
	if ref == "refs/heads/.invalid" && r.program != nil { // a reftable repository
		return r.program.line(ctx, "symbolic-ref", "--quiet", "HEAD")
	}
	return ref, nil
}

func (r *Repo) isUnborn(ctx context.Context) (bool, error) {
	ref, err := r.headRef(ctx)
	if err != nil || ref == "" {
		return false, err
	}
	found, err := r.objects.refs(ctx, ref)
	return err == nil && found[ref] == "", err
}

// DefaultBranch returns the branch that origin's HEAD names, as clone records
// it; else main or master, whichever there is; else "".
func (r *Repo) DefaultBranch(ctx context.Context) (string, error) {
	const origin, local = "refs/remotes/origin/", "refs/heads/"
	found, err := r.objects.refs(ctx, origin+"HEAD", origin+"main", local+"main", origin+"master", local+"master")
	if err != nil {
		return "", fmt.Errorf("looking for the default branch: %w", err)
	}
	if name, ok := strings.CutPrefix(found[origin+"HEAD"], origin); ok {
		return name, nil
	}
	for _, name := range []string{"main", "master"} {
		if found[origin+name] != "" || found[local+name] != "" {
			return name, nil
		}
	}
	return "", nil
}

// RemoteURL returns the address of origin, or of the only remote, as configured
// but without credentials; "" when there is none.
func (r *Repo) RemoteURL(context.Context) (string, error) {
	if url, ok := r.conf.remotes["origin"]; ok || len(r.conf.remotes) != 1 {
		return stripCredentials(url), nil
	}
	var only string
	for _, url := range r.conf.remotes {
		only = stripCredentials(url)
	}
	return only, nil
}

// stripCredentials works on text, because a password in an address need not be
// encoded as the rules want it. The user of ssh is no secret.
func stripCredentials(url string) string {
	scheme, rest, ok := strings.Cut(url, "://")
	if !ok {
		return url
	}
	host, path, _ := cutBefore(rest, "/?#")
	at := strings.LastIndex(host, "@")
	if at < 0 {
		return url
	}
	user, _, _ := strings.Cut(host[:at], ":")
	if !strings.HasSuffix(strings.ToLower(scheme), "ssh") {
		return scheme + "://" + host[at+1:] + path
	}
	return scheme + "://" + user + host[at:] + path
}

// cutBefore splits s before the first of the given characters.
func cutBefore(s, chars string) (head, tail string, found bool) {
	if i := strings.IndexAny(s, chars); i >= 0 {
		return s[:i], s[i:], true
	}
	return s, "", false
}
