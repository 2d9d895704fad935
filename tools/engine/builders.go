package engine

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/moby/buildkit/client"
	_ "github.com/moby/buildkit/client/connhelper/dockercontainer" // docker-container://
	_ "github.com/moby/buildkit/client/connhelper/kubepod"         // kube-pod://
	_ "github.com/moby/buildkit/client/connhelper/podmancontainer" // podman-container://
	_ "github.com/moby/buildkit/client/connhelper/ssh"             // ssh://
)

// schemes are the ways to reach a running BuildKit.
const schemes = "unix, tcp, ssh, kube-pod, docker-container, podman-container"

// builderEndpoints reads [Options.Builders].
func builderEndpoints(builders []string) ([]*endpoint, error) {
	endpoints := make([]*endpoint, 0, len(builders))
	for _, b := range builders {
		e, err := parseBuilder(b)
		if err != nil {
			return nil, err
		}
		endpoints = append(endpoints, e)
	}
	return endpoints, nil
}

// parseBuilder reads "[PLATFORM[,PLATFORM...]=]ADDRESS".
func parseBuilder(s string) (*endpoint, error) {
	e := &endpoint{address: s}
	if before, after, ok := strings.Cut(s, "="); ok && !strings.Contains(before, "://") {
		e.address, e.platforms = after, strings.Split(before, ",")
	}
	u, err := url.Parse(e.address)
	if err != nil {
		return nil, fmt.Errorf("builder %q: %w", s, err)
	}
	switch u.Scheme {
	case "unix", "ssh", "kube-pod", "docker-container", "podman-container":
	case "tcp":
		e.opts, err = tlsOptions(u)
		u.RawQuery = ""
		e.address = u.String()
	default:
		err = fmt.Errorf("want an address with one of %s", schemes)
	}
	if err != nil {
		return nil, fmt.Errorf("builder %q: %w", s, err)
	}
	e.name = "buildkitd " + e.address
	return e, nil
}

// tlsOptions reads "?cacert=FILE&cert=FILE&key=FILE&servername=NAME". Without
// cacert the system's authorities count; "?tls" alone asks for just that.
func tlsOptions(u *url.URL) ([]client.ClientOpt, error) {
	q := u.Query()
	for key := range q {
		switch key {
		case "cacert", "cert", "key", "servername", "tls":
		default:
			return nil, fmt.Errorf("unknown parameter %q: want cacert, cert, key, servername or tls", key)
		}
	}
	if len(q) == 0 {
		return nil, nil
	}
	if (q.Get("cert") == "") != (q.Get("key") == "") {
		return nil, fmt.Errorf("cert and key go together")
	}
	name := q.Get("servername")
	if name == "" {
		name = u.Hostname()
	}
	opts := []client.ClientOpt{client.WithServerConfigSystem(name)}
	if ca := q.Get("cacert"); ca != "" {
		opts = []client.ClientOpt{client.WithServerConfig(name, ca)}
	}
	if q.Get("cert") != "" {
		opts = append(opts, client.WithCredentials(q.Get("cert"), q.Get("key")))
	}
	return opts, nil
}
