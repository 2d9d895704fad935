package workspace

import (
	"net/url"
	"regexp"
	"strings"
)

// scpForm is a remote as ssh writes it: "git@github.com:acme/mono.git".
var scpForm = regexp.MustCompile(`^(?:[^@/:]+@)?([^@/:]{2,}):([^:].*)$`)

// sourceURL is the address of the repository that a remote's URL names, in one form
// however it is written, so that clones by https and by ssh say the same:
// "https://github.com/acme/mono". It is "" for a path, which means something on
// one machine only.
func sourceURL(remote string) string {
	if m := scpForm.FindStringSubmatch(remote); m != nil && !strings.Contains(remote, "://") {
		return address(m[1], m[2])
	}
	u, err := url.Parse(remote)
	if err != nil {
		return ""
	}
	switch u.Scheme {
	case "http", "https":
		return address(u.Host, u.Path)
	case "ssh", "git", "git+ssh":
		return address(u.Hostname(), u.Path)
	default:
		return ""
	}
}

func address(host, path string) string {
	path = strings.TrimSuffix(strings.Trim(path, "/"), ".git")
	if host == "" || path == "" {
		return ""
	}
	return "https://" + strings.ToLower(host) + "/" + path
}
