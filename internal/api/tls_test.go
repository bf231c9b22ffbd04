package api

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// authority signs certificates of tests.
type authority struct {
	t    testing.TB
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t testing.TB, name string) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir(), pool: x509.NewCertPool()}
	a.key = newKey(t)
	form := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, form, form, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.pool.AddCert(a.cert)
	a.write("ca.pem", "CERTIFICATE", der)
	return a
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (a *authority) path(name string) string { return filepath.Join(a.dir, name) }

func (a *authority) write(name, kind string, der []byte) {
	a.t.Helper()
	if err := os.WriteFile(a.path(name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		a.t.Fatal(err)
	}
}

// issue writes NAME.pem and NAME.key for localhost, valid for a time.
func (a *authority) issue(name string, serial int64, valid time.Duration) {
	a.t.Helper()
	key := newKey(a.t)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name}, DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(valid),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, a.cert, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	a.write(name+".pem", "CERTIFICATE", der)
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	a.write(name+".key", "EC PRIVATE KEY", keyDER)
}

// pair reads what issue has written.
func (a *authority) pair(name string) tls.Certificate {
	a.t.Helper()
	pair, err := tls.LoadX509KeyPair(a.path(name+".pem"), a.path(name+".key"))
	if err != nil {
		a.t.Fatal(err)
	}
	return pair
}

// newEncrypted is a house behind TLS.
func newEncrypted(t testing.TB, files TLSFiles, more func(*Config)) (*guarded, *TLS) {
	t.Helper()
	x, err := NewTLS(files)
	if err != nil {
		t.Fatal(err)
	}
	g := newGuarded(t, func(c *Config) {
		c.TLS = x.Config()
		if more != nil {
			more(c)
		}
	})
	return g, x
}

// healthOver asks /healthz over a connection of its own.
func (g *guarded) healthOver(c *tls.Config) (int, error) {
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: c, DisableKeepAlives: true}}
	resp, err := client.Get("https://" + g.listen.Addr().String() + "/healthz")
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

func TestTLSIsSpokenAndNothingOlder(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, "ours")
	a.issue("server", 2, time.Hour)
	for _, c := range []struct {
		min    string
		client uint16 // newest version that the client speaks
		isIn   bool
	}{
		{"1.2", tls.VersionTLS13, true},
		{"1.2", tls.VersionTLS12, true},
		{"1.2", tls.VersionTLS11, false},
		{"1.3", tls.VersionTLS13, true},
		{"1.3", tls.VersionTLS12, false},
	} {
		g, _ := newEncrypted(t, TLSFiles{Cert: a.path("server.pem"), Key: a.path("server.key"), Min: c.min}, nil)
		status, err := g.healthOver(&tls.Config{RootCAs: a.pool, MinVersion: tls.VersionTLS10, MaxVersion: c.client})
		if (status == http.StatusOK) != c.isIn {
			t.Errorf("oldest %s, client %x: %d %v, want in: %v", c.min, c.client, status, err, c.isIn)
		}
		if _, err := g.healthOver(&tls.Config{}); err == nil {
			t.Error("a client that does not know the authority is content")
		}
		resp, err := g.client.Get(g.url() + "/healthz") // without TLS
		if err == nil {
			t.Errorf("a request in the clear is answered with %d", resp.StatusCode)
			_ = resp.Body.Close()
		}
	}
}

func TestClientsShowACertificateWhereItIsAskedFor(t *testing.T) {
	t.Parallel()
	ours, others := newAuthority(t, "ours"), newAuthority(t, "others")
	ours.issue("server", 2, time.Hour)
	ours.issue("desk", 3, time.Hour)
	ours.issue("late", 4, -time.Minute)
	others.issue("desk", 3, time.Hour)
	files := TLSFiles{Cert: ours.path("server.pem"), Key: ours.path("server.key"), ClientCA: ours.path("ca.pem"), Min: "1.2"}
	g, x := newEncrypted(t, files, func(c *Config) { c.Tokens = tokensOf(t, "desk read") })
	if x.ClientRoots() != 1 {
		t.Errorf("%d roots, want 1", x.ClientRoots())
	}
	for _, c := range []struct {
		name  string
		certs []tls.Certificate
		isIn  bool
	}{
		{"none", nil, false},
		{"one of ours", []tls.Certificate{ours.pair("desk")}, true},
		{"one of others", []tls.Certificate{others.pair("desk")}, false},
		{"one that has expired", []tls.Certificate{ours.pair("late")}, false},
	} {
		for _, newest := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			config := &tls.Config{RootCAs: ours.pool, Certificates: c.certs, MaxVersion: newest}
			if status, err := g.healthOver(config); (status == http.StatusOK) != c.isIn {
				t.Errorf("%s: %d %v, want in: %v", c.name, status, err, c.isIn)
			}
		}
	}
	g.client = &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: ours.pool, Certificates: []tls.Certificate{ours.pair("desk")}}, DisableKeepAlives: true,
	}}
	for _, c := range []struct {
		auth string
		want int
	}{{"", 401}, {"Bearer " + secretOf("desk"), 200}} { // a certificate stands for no token
		req, err := http.NewRequest(http.MethodGet, "https://"+g.listen.Addr().String()+"/v1/status", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", c.auth)
		if status, reply := g.send(req); status != c.want {
			t.Errorf("%q: %d %s, want %d", c.auth, status, reply, c.want)
		}
	}
}

func TestCertificatesAreReadAgain(t *testing.T) {
	t.Parallel()
	ours, others := newAuthority(t, "ours"), newAuthority(t, "others")
	ours.issue("server", 2, 40*24*time.Hour)
	ours.issue("desk", 3, time.Hour)
	files := TLSFiles{Cert: ours.path("server.pem"), Key: ours.path("server.key"), ClientCA: ours.path("ca.pem"), Min: "1.2"}
	g, x := newEncrypted(t, files, nil)
	config := &tls.Config{RootCAs: ours.pool, Certificates: []tls.Certificate{ours.pair("desk")}}
	serial := func() int64 {
		t.Helper()
		nc, err := g.dialTLS(config)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		return nc.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	if got := serial(); got != 2 || x.Warning(time.Now()) != "" {
		t.Errorf("serial %d, warning %q; want 2 and none", got, x.Warning(time.Now()))
	}
	ours.issue("server", 5, time.Hour)
	if got := serial(); got != 2 {
		t.Errorf("serial %d before a reload, want 2", got)
	}
	if err := x.Reload(); err != nil {
		t.Fatal(err)
	}
	if got := serial(); got != 5 || !strings.Contains(x.Warning(time.Now()), "expires at") {
		t.Errorf("serial %d, warning %q; want 5 and one", got, x.Warning(time.Now()))
	}
	if err := os.WriteFile(ours.path("server.pem"), []byte("half a fi"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := x.Reload(); err == nil || serial() != 5 {
		t.Errorf("a broken file: %v, want an error and the former certificate", err)
	}
	ours.issue("server", 6, time.Hour)
	text, err := os.ReadFile(others.path("ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(ours.path("ca.pem"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := x.Reload(); err != nil {
		t.Fatal(err)
	}
	if status, err := g.healthOver(config); err == nil {
		t.Errorf("a certificate of an authority that is gone: %d, want none", status)
	}
}

func TestTLSFilesThatAreWrong(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, "ours")
	a.issue("one", 2, time.Hour)
	a.issue("two", 3, time.Hour)
	a.write("key-only.pem", "PRIVATE KEY", []byte{1})
	a.write("bad.pem", "CERTIFICATE", []byte{1, 2, 3})
	for _, c := range []struct {
		files TLSFiles
		want  string
	}{
		{TLSFiles{Cert: a.path("one.pem"), Key: a.path("two.key"), Min: "1.2"}, "does not match"},
		{TLSFiles{Cert: a.path("none.pem"), Key: a.path("one.key"), Min: "1.2"}, "no such file"},
		{TLSFiles{Cert: a.path("one.pem"), Min: "1.2"}, "belong together"},
		{TLSFiles{Cert: a.path("one.pem"), Key: a.path("one.key"), Min: "1.1"}, "1.2 or 1.3"},
		{TLSFiles{Cert: a.path("one.pem"), Key: a.path("one.key"), Min: "1.2", ClientCA: a.path("none")}, "client CA"},
		{TLSFiles{Cert: a.path("one.pem"), Key: a.path("one.key"), Min: "1.2", ClientCA: a.path("key-only.pem")}, "holds no certificate"},
		{TLSFiles{Cert: a.path("one.pem"), Key: a.path("one.key"), Min: "1.2", ClientCA: a.path("bad.pem")}, "certificate 1"},
	} {
		if _, err := NewTLS(c.files); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.files, err, c.want)
		}
	}
	a.issue("late", 4, -time.Minute)
	x, err := NewTLS(TLSFiles{Cert: a.path("late.pem"), Key: a.path("late.key"), Min: "1.2"})
	if err != nil || !strings.Contains(x.Warning(time.Now()), "has expired") {
		t.Errorf("%v, want a warning that it has expired", err)
	}
}

// A peer that connects and does not shake hands holds a connection for the read timeout only.
func TestAHandshakeThatDoesNotEndIsCutOff(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, "ours")
	a.issue("server", 2, time.Hour)
	g, _ := newEncrypted(t, TLSFiles{Cert: a.path("server.pem"), Key: a.path("server.key"), Min: "1.2"}, func(c *Config) {
		c.Limits = shortLimits()
	})
	for _, c := range []struct{ name, sent string }{
		{"silence", ""}, {"half a hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"}, {"clear text", "GET / HTTP/1.1\r\n\r\n"},
	} {
		nc := g.dial()
		if _, err := nc.Write([]byte(c.sent)); err != nil {
			t.Fatal(err)
		}
		if _, after := endOf(t, nc); after > slack {
			t.Errorf("%s: closed after %s", c.name, after)
		}
	}
	if n := g.openConnections(); n != 0 {
		t.Errorf("%d connections are still counted", n)
	}
}

// Streams write and look for the end of their reader at the same time, through TLS as well.
func TestEventsOverTLS(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, "ours")
	a.issue("server", 2, time.Hour)
	g, _ := newEncrypted(t, TLSFiles{Cert: a.path("server.pem"), Key: a.path("server.key"), Min: "1.3"}, nil)
	g.server.listeners.beatEvery = 10 * time.Millisecond
	nc, err := g.dialTLS(&tls.Config{RootCAs: a.pool})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := nc.Write([]byte("GET /v1/events HTTP/1.1\r\nHost: x\r\nAccept: application/x-ndjson\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	_ = nc.SetReadDeadline(time.Now().Add(slack))
	seen := 0
	for buffer := make([]byte, 1024); seen < 1000; { // the head and some heartbeats
		n, err := nc.Read(buffer)
		if err != nil {
			t.Fatalf("after %d bytes: %v", seen, err)
		}
		if seen += n; n < 10 {
			seen += 100
		}
	}
	_ = nc.Close()
	if n := g.openConnections(); n != 0 {
		t.Errorf("%d connections are still counted after the reader has gone", n)
	}
}
