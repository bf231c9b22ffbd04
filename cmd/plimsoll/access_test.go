package main

import (
	"bytes"
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
	"strings"
	"testing"
	"time"

	"plimsoll/internal/api"
)

// selfSigned writes cert.pem and key.pem for 127.0.0.1 into a folder, and returns the certificate.
func selfSigned(t *testing.T, dir string, serial int64) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, form, form, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "EC PRIVATE KEY", Bytes: keyDER},
	} {
		writeText(t, filepath.Join(dir, name), string(pem.EncodeToMemory(block)))
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func writeText(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// makeToken appends a token to a file with the verb, and returns it.
func makeToken(t *testing.T, file, name, scopes string) string {
	t.Helper()
	code, stdout, stderr := execute(t.Context(), nil, "token", name, "--scopes", scopes, "--append", file)
	secret := strings.TrimSuffix(stdout, "\n")
	if code != exitDone || strings.ContainsAny(secret, "\n ") || !strings.HasPrefix(secret, "plim_") {
		t.Fatalf("token: %d %q %q", code, stdout, stderr)
	}
	return secret
}

func TestTokenMakesLinesThatServeReads(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "tokens")
	writeText(t, file, "# ours") // without a line's end
	one, two := makeToken(t, file, "one", "read"), makeToken(t, file, "two", "trade,feed")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := api.ParseTokens(text, api.Rate{})
	if err != nil || len(tokens.Infos()) != 2 || bytes.Contains(text, []byte(one)) || bytes.Contains(text, []byte(two)) {
		t.Fatalf("%v: %s", err, text)
	}
	code, stdout, _ := execute(t.Context(), nil, "token", "three", "--rate", "5")
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	if code != exitDone || len(lines) != 2 || !strings.HasPrefix(lines[1], "three read sha256:") || !strings.HasSuffix(lines[1], " rate=5") {
		t.Errorf("%d %q, want the token and its line", code, stdout)
	}
	own := strings.Repeat("s", 40)
	var out output
	code = run(t.Context(), &process{
		args: []string{"token", "four", "--secret-stdin"}, stdin: strings.NewReader(own + "\n"), stdout: &out, stderr: &out,
		lookupEnv: environment(nil),
	})
	want, err := api.TokenLine("four", own, api.ScopeRead, api.Rate{})
	if code != exitDone || out.String() != want+"\n" || err != nil {
		t.Errorf("%d %q, want %q (%v)", code, out.String(), want, err)
	}
	writeText(t, file, "not a file of tokens\n")
	if code, stdout, stderr := execute(t.Context(), nil, "token", "x", "--append", file); code != exitFault || stdout != "" {
		t.Errorf("appended to another file: %d %q %q", code, stdout, stderr)
	}
}

func TestCheckConfigTellsWhatServeWouldUse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	selfSigned(t, dir, 2)
	tokens := filepath.Join(dir, "tokens")
	secret := makeToken(t, tokens, "desk-1", "read,trade")
	vars := map[string]string{
		"PLIMSOLL_TLS_CERT": filepath.Join(dir, "cert.pem"), "PLIMSOLL_TLS_KEY": filepath.Join(dir, "key.pem"),
		"PLIMSOLL_AUTH_FILE": tokens, "PLIMSOLL_LISEN": "x",
	}
	var stdout, stderr output
	p := &process{
		args: []string{"check-config", "--listen", "0.0.0.0:8640", "--token-rate=100"}, stdout: &stdout, stderr: &stderr,
		lookupEnv: environment(vars), environ: func() []string { return []string{"PATH=x", "PLIMSOLL_LISEN=x"} },
	}
	if code := run(t.Context(), p); code != exitDone || stderr.String() != "" {
		t.Errorf("code %d, stderr %s", code, stderr.String())
	}
	words := strings.Join(strings.Fields(stdout.String()), " ")
	for _, want := range []string{
		"--listen 0.0.0.0:8640 command line", "--token-rate 100 command line", "--auth-file " + tokens + " environment",
		"--clock wall default", "token: desk-1, scopes read,trade, rate 100/s,burst=100", "TLS: 127.0.0.1, valid",
		"the certificate expires at", "PLIMSOLL_LISEN is in the environment and is no flag", "271 perps", "ok",
	} {
		if !strings.Contains(words, want) {
			t.Errorf("it does not say %q:\n%s", want, stdout.String())
		}
	}
	if strings.Contains(stdout.String(), secret) || strings.Contains(stdout.String(), "sha256") {
		t.Error("it tells a token or its hash")
	}
}

func TestCheckConfigTellsEveryFault(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	writeText(t, file, "desk read nonsense\nx\n")
	if err := os.Chmod(file, 0o602); err != nil {
		t.Fatal(err)
	}
	code, _, stderr := execute(t.Context(), map[string]string{"PLIMSOLL_TOKEN_BURST": "3"}, "check-config", "--listen", "0.0.0.0:1",
		"--clock", "sun", "--universe", "/nowhere", "--auth-file", file, "--data", file, "--audit-log", "/nowhere/x", "--body-max", "1",
		"--ingress-slots", "5")
	for _, want := range []string{
		"--clock is wall", "--universe: open /nowhere", "everybody on this machine can write to it", "file is no directory",
		"--audit-log: stat /nowhere", "--body-max is 1", "--token-burst needs", "not loopback", "IngressSlots is 5",
	} {
		if !strings.Contains(stderr, want) {
			t.Errorf("it does not say %q:\n%s", want, stderr)
		}
	}
	if code != exitUsage {
		t.Errorf("code %d, want %d", code, exitUsage)
	}
	if err := os.Chmod(file, 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, stderr = execute(t.Context(), nil, "check-config", "--auth-file", file, "--tls-cert", file, "--tls-key", file)
	for _, want := range []string{"line 1: the hash", "line 2: 1 columns", "TLS: certificate"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("it does not say %q:\n%s", want, stderr)
		}
	}
}

// The settings of a directory decide what its journal means: others are told before a start.
func TestCheckConfigLooksAtTheDataDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, o := newServeFlags()
	if err := o.check(); err != nil {
		t.Fatal(err)
	}
	if err := settingsOf(&o.cfg).write(dir); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := execute(t.Context(), nil, "check-config", "--data", dir); code != exitDone {
		t.Errorf("code %d: %s", code, stderr)
	}
	if code, _, stderr := execute(t.Context(), nil, "check-config", "--data", dir, "--accounts-max", "5"); code != exitUsage ||
		!strings.Contains(stderr, "is kept with --accounts-max") {
		t.Errorf("code %d: %s", code, stderr)
	}
}

func TestOnlyLoopbackIsOpenToAll(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"127.0.0.1:0": true, "127.9.9.9:1": true, "localhost:1": true, "[::1]:1": true, "[::ffff:127.0.0.1]:1": true,
		":1": false, "0.0.0.0:1": false, "[::]:1": false, "10.0.0.1:1": false, "example.org:1": false, "127.0.0.1": false,
		"localhost.example.org:1": false, "127.0.0.1.example.org:1": false,
	} {
		if isLoopback(address) != want {
			t.Errorf("%s is loopback: %v, want %v", address, !want, want)
		}
	}
}
