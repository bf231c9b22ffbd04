package api

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"plimsoll/internal/engine"
)

// allSets are the sixteen sets of scopes.
func allSets() []Scope {
	sets := make([]Scope, scopesAll+1)
	for i := range sets {
		sets[i] = Scope(i)
	}
	return sets
}

// secretOf is the token of a name in tests.
func secretOf(name string) string {
	return "plim_test_token_of_" + name + strings.Repeat("x", secretMin)
}

// tokensOf reads lines "name scopes options" whose tokens are those of secretOf.
func tokensOf(t testing.TB, lines ...string) *Tokens {
	t.Helper()
	var text []byte
	for _, line := range lines {
		columns := strings.Fields(line)
		scopes, err := ParseScopes(columns[1])
		if err != nil {
			t.Fatal(err)
		}
		full, err := TokenLine(columns[0], secretOf(columns[0]), scopes, Rate{})
		if err != nil {
			t.Fatal(err)
		}
		text = fmt.Appendf(text, "%s %s\n", full, strings.Join(columns[2:], " "))
	}
	tokens, err := ParseTokens(text, Rate{})
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

// lines is a log that a test reads.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// guarded is a house with tokens, limits or TLS.
type guarded struct {
	*house
	audit *lines
}

func newGuarded(t testing.TB, configure func(c *Config)) *guarded {
	t.Helper()
	cfg := engine.DefaultConfig()
	cfg.Shards, cfg.AccountsMax, cfg.Clock = 1, 1<<12, engine.ClockCommands
	e, err := engine.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	e.Start()
	listen, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &guarded{house: &house{t: t, engine: e, listen: listen}, audit: &lines{}}
	c := &Config{
		Engine: e, Directory: NewDirectory(cfg.AccountsMax), Shards: 1, ClientsMax: cfg.ClientsMax, Version: "test",
		Audit: slog.New(slog.NewJSONHandler(g.audit, nil)),
	}
	configure(c)
	g.server = NewServer(c)
	go func() { _ = g.server.Serve(listen) }()
	g.client = &http.Client{Transport: &http.Transport{}}
	t.Cleanup(func() {
		g.client.CloseIdleConnections()
		_ = g.server.Shutdown(t.Context())
		e.Close()
	})
	return g
}

// ask sends a request with a token, none when it is "".
func (g *guarded) ask(secret, method, path, body string, more ...string) (int, string, http.Header) {
	g.t.Helper()
	req, err := http.NewRequest(method, g.url()+path, strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	if secret != "" {
		req.Header.Set("Authorization", "Bearer "+secret)
	}
	for i := 0; i+1 < len(more); i += 2 {
		req.Header.Set(more[i], more[i+1])
	}
	resp, err := g.client.Do(req)
	if err != nil {
		g.t.Fatal(err)
	}
	defer resp.Body.Close()
	reply, err := io.ReadAll(resp.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	return resp.StatusCode, string(reply), resp.Header
}

// command sends a command with the token of a name.
func (g *guarded) command(name, body string, more ...string) (int, string) {
	g.t.Helper()
	status, reply, _ := g.ask(secretOf(name), "POST", "/v1/commands", body, more...)
	return status, reply
}

// errorIn reads the error of a reply.
func errorIn(t testing.TB, reply string) (e struct{ Code, Message, Field, Limit string }) {
	t.Helper()
	var body struct {
		Error struct{ Code, Message, Field, Limit string }
	}
	if err := json.Unmarshal([]byte(reply), &body); err != nil || body.Error.Code == "" {
		t.Fatalf("no error in the api's form: %q", reply)
	}
	return body.Error
}

// dial opens a plain connection.
func (g *guarded) dial() net.Conn {
	g.t.Helper()
	nc, err := net.Dial("tcp", g.listen.Addr().String())
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { _ = nc.Close() })
	return nc
}

// dialTLS opens a connection and shakes hands.
func (g *guarded) dialTLS(c *tls.Config) (*tls.Conn, error) {
	return tls.Dial("tcp", g.listen.Addr().String(), c)
}
