package api

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"
)

// TLSFiles names what encryption is made of, in PEM files.
type TLSFiles struct {
	Cert, Key string // the server's certificate with those between it and its root, and its key
	ClientCA  string // who signs the certificates that clients must show; "" = clients show none
	Min       string // oldest version spoken: "1.2" or "1.3"
}

// TLS is a configuration whose files can be read again while connections are open: each
// handshake uses what was read last.
type TLS struct {
	files   TLSFiles
	current atomic.Pointer[tls.Config] // pairs with Store in Reload
	leaf    atomic.Pointer[x509.Certificate]
	roots   atomic.Int64 // certificates in ClientCA
}

// NewTLS reads the files.
func NewTLS(files TLSFiles) (*TLS, error) {
	t := &TLS{files: files}
	if err := t.Reload(); err != nil {
		return nil, err
	}
	return t, nil
}

// Reload reads the files again. After an error everything is as before.
func (t *TLS) Reload() error {
	f := &t.files
	c := &tls.Config{NextProtos: []string{"http/1.1"}}
	switch f.Min {
	case "1.2":
		c.MinVersion = tls.VersionTLS12
	case "1.3":
		c.MinVersion = tls.VersionTLS13
	default:
		return fmt.Errorf("the oldest version of TLS is 1.2 or 1.3, not %q", f.Min)
	}
	if f.Cert == "" || f.Key == "" {
		return errors.New("a certificate and its key belong together, in two files or in one that is named twice")
	}
	pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
	if err != nil {
		return fmt.Errorf("certificate %s with key %s: %w", f.Cert, f.Key, err)
	}
	c.Certificates = []tls.Certificate{pair}
	roots := 0
	if f.ClientCA != "" {
		if c.ClientCAs, roots, err = readRoots(f.ClientCA); err != nil {
			return err
		}
		c.ClientAuth = tls.RequireAndVerifyClientCert
	}
	t.leaf.Store(pair.Leaf)
	t.roots.Store(int64(roots))
	t.current.Store(c) // pairs with Load in Config
	return nil
}

// readRoots reads the certificates of a PEM file and counts them.
func readRoots(path string) (pool *x509.CertPool, count int, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, 0, fmt.Errorf("client CA: %w", err)
	}
	pool = x509.NewCertPool()
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, 0, fmt.Errorf("client CA %s: certificate %d: %w", path, count+1, err)
		}
		pool.AddCert(cert)
		count++
	}
	if count == 0 {
		return nil, 0, fmt.Errorf("client CA %s: it holds no certificate in PEM form", path)
	}
	return pool, count, nil
}

// Config returns what a server is given: it follows Reload.
func (t *TLS) Config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, // never used: each handshake has its own
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return t.current.Load(), nil // pairs with Store in Reload
		},
	}
}

// Names returns whom the certificate names.
func (t *TLS) Names() []string {
	leaf := t.leaf.Load()
	names := append([]string{}, leaf.DNSNames...)
	for _, ip := range leaf.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		names = append(names, leaf.Subject.String())
	}
	return names
}

// Valid returns between which times the certificate is valid.
func (t *TLS) Valid() (from, to time.Time) {
	leaf := t.leaf.Load()
	return leaf.NotBefore, leaf.NotAfter
}

// ClientRoots returns how many certificates may have signed that of a client; 0 = clients
// show none.
func (t *TLS) ClientRoots() int { return int(t.roots.Load()) }

// expirySoon is how long before its end a certificate is warned of.
const expirySoon = 30 * 24 * time.Hour

// Warning returns what is odd about the certificate at a time, or "".
func (t *TLS) Warning(now time.Time) string {
	from, to := t.Valid()
	switch {
	case now.Before(from):
		return "the certificate is not valid before " + from.UTC().Format(time.RFC3339)
	case now.After(to):
		return "the certificate has expired at " + to.UTC().Format(time.RFC3339)
	case to.Sub(now) < expirySoon:
		return "the certificate expires at " + to.UTC().Format(time.RFC3339)
	default:
		return ""
	}
}
