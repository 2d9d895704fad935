package servers

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"
)

// Server is a running registry.
type Server struct {
	// Host is its address, e.g. "127.0.0.1:43210".
	Host string
	// URL is its root, e.g. "http://127.0.0.1:43210".
	URL string
	// Storage is the folder that holds its content.
	Storage string
	// Certificates are those it works with, when it speaks TLS.
	Certificates Certificates

	process *process
	roots   *x509.CertPool
}

// RegistryOptions make a registry that differs from the plain one.
type RegistryOptions struct {
	// Username and Password are demanded (Basic) when they are set.
	Username, Password string
	// TLS makes it speak https, with a certificate of the test's own.
	TLS bool
	// ReadOnly makes it refuse every write with 405.
	ReadOnly bool
	// Storage is a folder with content to start on; none means an empty one.
	Storage string
}

// Registry starts an empty distribution v3 that allows deletion.
func Registry(tb testing.TB) *Server {
	tb.Helper()
	return RegistryWith(tb, RegistryOptions{})
}

// RegistryWith starts distribution v3 as o says.
func RegistryWith(tb testing.TB, o RegistryOptions) *Server {
	tb.Helper()
	return startRegistry(tb, tool(tb, "registry"), o)
}

// OldRegistry starts Debian's docker-registry 2.8, empty: it knows no referrers
// and deletes by digest only.
func OldRegistry(tb testing.TB) *Server {
	tb.Helper()
	return OldRegistryWith(tb, RegistryOptions{})
}

// OldRegistryWith starts Debian's docker-registry 2.8 as o says.
func OldRegistryWith(tb testing.TB, o RegistryOptions) *Server {
	tb.Helper()
	return startRegistry(tb, packaged(tb, "docker-registry"), o)
}

// Stop ends the registry before the test does; its storage stays.
func (s *Server) Stop(tb testing.TB) {
	tb.Helper()
	s.process.end(tb)
}

// Log is what the registry has said, one line for each request among it.
func (s *Server) Log() string { return s.process.log.String() }

// Transport trusts the registry's certificate.
func (s *Server) Transport() *http.Transport {
	return &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.roots, MinVersion: tls.VersionTLS12}}
}

var listeningOn = regexp.MustCompile(`listening on (127\.0\.0\.1:[0-9]+)`)

func startRegistry(tb testing.TB, program string, o RegistryOptions) *Server {
	tb.Helper()
	dir := tb.TempDir()
	s := &Server{Storage: o.Storage, URL: "http://"}
	if s.Storage == "" {
		s.Storage = filepath.Join(dir, "storage")
	}
	if o.TLS {
		s.Certificates, s.URL = NewCertificates(tb), "https://"
		s.roots = s.Certificates.roots(tb)
	}
	config := filepath.Join(dir, "config.yml")
	write(tb, config, s.configuration(tb, dir, o), 0o600)
	s.process = start(tb, dir, program, "serve", config)
	s.Host = s.process.announced(tb, listeningOn)
	s.URL += s.Host
	s.process.await(tb, s.answers)
	return s
}

// answers tells whether the registry serves its API, to whomever.
func (s *Server) answers() bool {
	transport := s.Transport()
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: patience}
	response, err := client.Get(s.URL + "/v2/") //nolint:noctx // bounded by the client
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK || response.StatusCode == http.StatusUnauthorized
}

func (s *Server) configuration(tb testing.TB, dir string, o RegistryOptions) string {
	tb.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "version: 0.1\nlog: {level: info}\n")
	fmt.Fprintf(&b, "storage:\n  filesystem: {rootdirectory: %q}\n  delete: {enabled: true}\n", s.Storage)
	fmt.Fprintf(&b, "  maintenance: {readonly: {enabled: %t}, uploadpurging: {enabled: false}}\n", o.ReadOnly)
	fmt.Fprintf(&b, "http:\n  addr: 127.0.0.1:0\n")
	if o.TLS {
		fmt.Fprintf(&b, "  tls: {certificate: %q, key: %q}\n", s.Certificates.Cert, s.Certificates.Key)
	}
	if o.Username != "" {
		fmt.Fprintf(&b, "auth: {htpasswd: {realm: test, path: %q}}\n", passwordFile(tb, dir, o))
	}
	return b.String()
}

func passwordFile(tb testing.TB, dir string, o RegistryOptions) string {
	tb.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(o.Password), bcrypt.MinCost)
	if err != nil {
		tb.Fatal(err)
	}
	file := filepath.Join(dir, "htpasswd")
	write(tb, file, fmt.Sprintf("%s:%s\n", o.Username, hash), 0o600)
	return file
}
