package engine

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"

	"github.com/docker/cli/cli/connhelper"
)

// defaultDockerSocket is where an Engine listens when nobody says otherwise.
const defaultDockerSocket = "unix:///var/run/docker.sock"

// DockerSettings are what a user's Docker tools are set up with.
type DockerSettings struct {
	Host      string // DOCKER_HOST, wins over a context
	Context   string // DOCKER_CONTEXT, wins over the current one of the configuration
	CertPath  string // DOCKER_CERT_PATH, used with Host when TLSVerify
	TLSVerify bool   // DOCKER_TLS_VERIFY is not empty
	ConfigDir string // DOCKER_CONFIG or ~/.docker; "" reads no configuration
}

// DockerAddress resolves settings to one address for [Options.DockerHost], as
// the docker program would: "unix:///run/user/1000/docker.sock",
// "tcp://10.0.0.5:2376?certs=/home/ci/.docker" (the folder with ca.pem, cert.pem
// and key.pem), "ssh://ci@builder". It is "" when nothing is set up, which
// means the default socket. Only files are read; nothing is dialled.
func DockerAddress(s DockerSettings) (string, error) {
	if s.Host != "" {
		if s.TLSVerify && s.CertPath != "" {
			return withCerts(s.Host, s.CertPath), nil
		}
		return s.Host, nil
	}
	name, err := contextName(s)
	if err != nil || name == "" || name == "default" {
		return "", err
	}
	return contextAddress(s.ConfigDir, name)
}

func contextName(s DockerSettings) (string, error) {
	if s.Context != "" || s.ConfigDir == "" {
		return s.Context, nil
	}
	var config struct {
		CurrentContext string `json:"currentContext"`
	}
	err := readJSON(filepath.Join(s.ConfigDir, "config.json"), &config)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return config.CurrentContext, err
}

// contextID is the name of the folder in which docker keeps a context.
func contextID(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:])
}

func contextAddress(configDir, name string) (string, error) {
	id := contextID(name)
	var meta struct {
		Endpoints map[string]struct{ Host string }
	}
	if err := readJSON(filepath.Join(configDir, "contexts", "meta", id, "meta.json"), &meta); err != nil {
		return "", fmt.Errorf("reading docker context %q: %w", name, err)
	}
	host := meta.Endpoints["docker"].Host
	certs := filepath.Join(configDir, "contexts", "tls", id, "docker")
	if _, err := os.Stat(filepath.Join(certs, "ca.pem")); err == nil {
		return withCerts(host, certs), nil
	}
	return host, nil
}

func withCerts(host, dir string) string {
	return host + "?" + url.Values{"certs": {dir}}.Encode()
}

func readJSON(file string, into any) error {
	body, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("reading %s: %w", file, err)
	}
	return nil
}

// dialFunc opens one connection to an Engine.
type dialFunc func(ctx context.Context) (net.Conn, error)

// dockerDialer turns an address into a way to reach the Engine there.
func dockerDialer(address string) (dialFunc, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("reading docker address: %w", err)
	}
	switch u.Scheme {
	case "unix":
		return netDialer("unix", u.Path), nil
	case "tcp", "http", "https":
		return tcpDialer(u)
	case "ssh":
		return sshDialer(address)
	}
	return nil, fmt.Errorf("docker address %q: unknown scheme, want unix, tcp or ssh", address)
}

func netDialer(network, address string) dialFunc {
	return func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, address)
	}
}

func tcpDialer(u *url.URL) (dialFunc, error) {
	dir := u.Query().Get("certs")
	if dir == "" && u.Scheme != "https" {
		return netDialer("tcp", u.Host), nil
	}
	config, err := dockerTLS(dir)
	if err != nil {
		return nil, fmt.Errorf("docker address %s: %w", u.Redacted(), err)
	}
	return func(ctx context.Context) (net.Conn, error) {
		return (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", u.Host)
	}, nil
}

// dockerTLS reads the three files that docker keeps for an Engine behind TLS.
func dockerTLS(dir string) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if dir == "" {
		return config, nil
	}
	ca, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil {
		return nil, err
	}
	config.RootCAs = x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM(ca) {
		return nil, fmt.Errorf("%s holds no certificate", filepath.Join(dir, "ca.pem"))
	}
	cert, err := tls.LoadX509KeyPair(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	if errors.Is(err, fs.ErrNotExist) {
		return config, nil // the server asks for none
	}
	config.Certificates = []tls.Certificate{cert}
	return config, err
}

// sshDialer reaches the Engine of another machine with the user's own ssh, so
// that keys, agents and known hosts are those that ssh is set up with.
func sshDialer(address string) (dialFunc, error) {
	helper, err := connhelper.GetConnectionHelper(address)
	if err != nil {
		return nil, fmt.Errorf("docker address %s: %w", address, err)
	}
	return func(ctx context.Context) (net.Conn, error) {
		// The process is the connection, and outlives the context of dialling.
		return helper.Dialer(context.WithoutCancel(ctx), "", "")
	}, nil
}
