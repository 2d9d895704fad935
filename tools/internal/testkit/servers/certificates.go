package servers

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Certificates are files in PEM: an authority of the test's own, and what it
// vouches for, a server on loopback and a client.
type Certificates struct {
	CA                    string
	Cert, Key             string // the server's
	ClientCert, ClientKey string
}

// NewCertificates makes an authority and its certificates, for one test.
func NewCertificates(tb testing.TB) Certificates {
	tb.Helper()
	dir := tb.TempDir()
	file := func(name string) string { return filepath.Join(dir, name+".pem") }
	c := Certificates{CA: file("ca"), Cert: file("cert"), Key: file("key"), ClientCert: file("client-cert"), ClientKey: file("client-key")}
	a := newAuthority(tb)
	writePEM(tb, c.CA, "CERTIFICATE", a.cert.Raw)
	server := template("slipway test server", x509.ExtKeyUsageServerAuth)
	server.DNSNames, server.IPAddresses = []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	a.issue(tb, server, c.Cert, c.Key)
	a.issue(tb, template("slipway test client", x509.ExtKeyUsageClientAuth), c.ClientCert, c.ClientKey)
	return c
}

func (c Certificates) roots(tb testing.TB) *x509.CertPool {
	tb.Helper()
	ca, err := os.ReadFile(c.CA)
	if err != nil {
		tb.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	return pool
}

type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(tb testing.TB) authority {
	tb.Helper()
	t := template("slipway test authority")
	t.IsCA, t.BasicConstraintsValid, t.KeyUsage = true, true, x509.KeyUsageCertSign
	key := newKey(tb)
	raw, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		tb.Fatal(err)
	}
	cert, err := x509.ParseCertificate(raw)
	if err != nil {
		tb.Fatal(err)
	}
	return authority{cert: cert, key: key}
}

func (a authority) issue(tb testing.TB, t *x509.Certificate, certFile, keyFile string) {
	tb.Helper()
	key := newKey(tb)
	cert, err := x509.CreateCertificate(rand.Reader, t, a.cert, &key.PublicKey, a.key)
	if err != nil {
		tb.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		tb.Fatal(err)
	}
	writePEM(tb, certFile, "CERTIFICATE", cert)
	writePEM(tb, keyFile, "PRIVATE KEY", secret)
}

func newKey(tb testing.TB) *ecdsa.PrivateKey {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

// template is valid for so long that no clock matters.
func template(name string, usage ...x509.ExtKeyUsage) *x509.Certificate {
	const begin, end = 2000, 2100
	return &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Date(begin, time.January, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:     time.Date(end, time.January, 1, 0, 0, 0, 0, time.UTC),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  usage,
	}
}

func writePEM(tb testing.TB, file, kind string, body []byte) {
	tb.Helper()
	write(tb, file, string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: body})), 0o600)
}
