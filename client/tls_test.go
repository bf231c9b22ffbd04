package client

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// writePEM writes blocks into one file and returns its path.
func writePEM(t *testing.T, name string, blocks ...*pem.Block) string {
	t.Helper()
	var text []byte
	for _, b := range blocks {
		text = append(text, pem.EncodeToMemory(b)...)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// ownCertificate returns a certificate of a client and its key, each as PEM.
func ownCertificate(t *testing.T) (cert, key *pem.Block) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "desk-1"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, form, form, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return &pem.Block{Type: "CERTIFICATE", Bytes: der}, &pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}
}

func TestTLSChecksTheDaemonAndShowsTheClient(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.TLS.PeerCertificates) != 1 || r.TLS.PeerCertificates[0].SerialNumber.Int64() != 7 {
			t.Errorf("shown: %v", r.TLS.PeerCertificates)
		}
		_, _ = fmt.Fprint(w, `{"seq":42,"ok":true,"time":9}`)
	}))
	server.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes that must fail
	server.StartTLS()
	t.Cleanup(server.Close)
	root := writePEM(t, "root.pem", &pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	cert, key := ownCertificate(t)
	certFile, keyFile, both := writePEM(t, "cert.pem", cert), writePEM(t, "key.pem", key), writePEM(t, "both.pem", cert, key)
	for _, c := range []struct {
		name  string
		files *TLSFiles
		isIn  bool
	}{
		{"two files", &TLSFiles{RootCA: root, Cert: certFile, Key: keyFile}, true},
		{"one file", &TLSFiles{RootCA: root, Cert: both}, true},
		{"another name", &TLSFiles{RootCA: root, Cert: both, ServerName: "example.com"}, true},
		{"a name that the daemon does not have", &TLSFiles{RootCA: root, Cert: both, ServerName: "example.org"}, false},
		{"no certificate", &TLSFiles{RootCA: root}, false},
		{"the system's roots", &TLSFiles{Cert: both}, false},
		{"nothing", nil, false},
	} {
		client, err := New(server.URL, Options{TLS: c.files, RetriesMax: -1})
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.Do(t.Context(), Halt{All: true})
		if (err == nil) != c.isIn {
			t.Errorf("%s: %v, want in: %v", c.name, err, c.isIn)
		}
		client.Close()
	}
}

func TestTLSFilesThatAreWrongAreToldAtOnce(t *testing.T) {
	cert, key := ownCertificate(t)
	_, other := ownCertificate(t)
	certFile, keyFile, otherFile := writePEM(t, "cert.pem", cert), writePEM(t, "key.pem", key), writePEM(t, "other.pem", other)
	for _, c := range []struct {
		files TLSFiles
		want  string
	}{
		{TLSFiles{RootCA: "/nowhere"}, "root CA"},
		{TLSFiles{RootCA: keyFile}, "holds no certificate"},
		{TLSFiles{Cert: certFile}, "certificate"},
		{TLSFiles{Cert: certFile, Key: otherFile}, "match"},
		{TLSFiles{Key: keyFile}, "a key without"},
	} {
		if _, err := New("https://127.0.0.1:1", Options{TLS: &c.files}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.files, err, c.want)
		}
	}
}

func TestTokensMayChange(t *testing.T) {
	tokens := []string{"one", "two"}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer one" {
			fail(w, 503, "not_ready")
			return
		}
		if got := r.Header.Get("Authorization"); got != "Bearer two" {
			t.Errorf("the second try carries %q", got)
		}
		_, _ = fmt.Fprint(w, `{"seq":42,"ok":true,"time":9}`)
	}))
	t.Cleanup(server.Close)
	broken := errors.New("the vault is shut")
	c, err := New(server.URL, Options{
		Token: "never", PauseMin: time.Microsecond, PauseMax: time.Millisecond, RetriesMax: 1,
		TokenFrom: func() (string, error) {
			if len(tokens) == 0 {
				return "", broken
			}
			token := tokens[0]
			tokens = tokens[1:]
			return token, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Do(t.Context(), Halt{All: true}); err != nil {
		t.Error(err)
	}
	if _, err := c.Do(t.Context(), Halt{All: true}); !errors.Is(err, broken) {
		t.Errorf("%v, want the vault's", err)
	}
}

// A token is for the daemon that it was given for.
func TestRedirectsAreNotFollowed(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("followed") }))
	t.Cleanup(other.Close)
	c := daemon(t, func(_ int, w http.ResponseWriter, r *http.Request, _ string) {
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	})
	var e *Error
	if _, err := c.Do(t.Context(), Halt{All: true}); !errors.As(err, &e) || e.Status != http.StatusTemporaryRedirect {
		t.Errorf("%v, want the redirect as an error", err)
	}
}
