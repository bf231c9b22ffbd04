package client

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
)

// TLSFiles names what an https connection is made of, in PEM files; each may be "".
type TLSFiles struct {
	RootCA string // who must have signed the daemon's certificate; "" = whom the system trusts
	Cert   string // shown to a daemon that asks for one (mutual TLS)
	Key    string // of Cert; "" = in the same file

	ServerName string // that the daemon's certificate must carry; "" = the host of the base URL
}

// load reads the files.
func (f *TLSFiles) load() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: f.ServerName}
	if f.RootCA != "" {
		text, err := os.ReadFile(f.RootCA)
		if err != nil {
			return nil, fmt.Errorf("client: root CA: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("client: root CA %s: it holds no certificate in PEM form", f.RootCA)
		}
	}
	if f.Cert == "" {
		if f.Key != "" {
			return nil, errors.New("client: a key without a certificate")
		}
		return config, nil
	}
	// Read at each handshake, so that a certificate can be replaced while the client runs.
	load := func() (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(f.Cert, cmp.Or(f.Key, f.Cert))
		if err != nil {
			return nil, fmt.Errorf("client: certificate: %w", err)
		}
		return &pair, nil
	}
	if _, err := load(); err != nil {
		return nil, err
	}
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return load() }
	return config, nil
}

// transport returns what carries the requests of a client that brings none of its own.
func (o *Options) transport() (*http.Transport, error) {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 64
	if o.TLS == nil {
		return t, nil
	}
	files := *o.TLS
	config, err := files.load()
	if err != nil {
		return nil, err
	}
	t.TLSClientConfig, t.ForceAttemptHTTP2 = config, false
	return t, nil
}
