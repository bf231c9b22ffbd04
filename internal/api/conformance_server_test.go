package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/valyala/fasthttp/fasthttputil"

	"plimsoll/internal/api"
	"plimsoll/internal/engine"
)

// desk is a daemon in process: the real engine and the real HTTP server on a pipe, and a
// client that knows nothing but JSON.
type desk struct {
	t      *testing.T
	client *http.Client
	shards int
}

// command is one object of POST /v1/commands.
type command = map[string]any

func newDesk(t *testing.T, shards int) *desk {
	t.Helper()
	cfg := engine.DefaultConfig()
	cfg.Shards, cfg.AccountsMax, cfg.Clock = shards, 1<<10, engine.ClockCommands
	cfg.EventHistory, cfg.IDWindow = 1<<10, 1<<8 // many desks stand side by side: keep them small
	e, err := engine.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	e.Start()
	server := api.NewServer(&api.Config{
		Engine: e, Directory: api.NewDirectory(cfg.AccountsMax), Shards: shards, ClientsMax: cfg.ClientsMax, Version: "test",
	})
	pipe := fasthttputil.NewInmemoryListener()
	go func() { _ = server.Serve(pipe) }()
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return pipe.Dial() }}
	d := &desk{t: t, shards: shards, client: &http.Client{Transport: transport, Timeout: 10 * time.Second}}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		_ = pipe.Close()
		e.Close()
	})
	return d
}

func (d *desk) do(method, path string, body, reply any) int {
	d.t.Helper()
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			d.t.Fatal(err)
		}
	}
	request, err := http.NewRequest(method, "http://plimsoll"+path, bytes.NewReader(text))
	if err != nil {
		d.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := d.client.Do(request)
	if err != nil {
		d.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	if err := json.Unmarshal(answer, reply); err != nil {
		d.t.Fatalf("%s %s: %d %s: %v", method, path, response.StatusCode, answer, err)
	}
	return response.StatusCode
}

// must sends commands as one batch; every one has to be accepted.
func (d *desk) must(commands ...command) {
	d.t.Helper()
	var results json.RawMessage
	status := d.do(http.MethodPost, "/v1/commands", commands, &results)
	var each []struct {
		OK    bool            `json:"ok"`
		Error json.RawMessage `json:"error"`
	}
	if err := json.Unmarshal(results, &each); status != http.StatusOK || err != nil || len(each) != len(commands) {
		d.t.Fatalf("commands: %d %s", status, results)
	}
	for i := range each {
		if !each[i].OK {
			text, _ := json.Marshal(commands[i])
			d.t.Fatalf("refused: %s\n%s", each[i].Error, text)
		}
	}
}

// info asks POST /info and decodes the reply.
func (d *desk) info(request command, reply any) {
	d.t.Helper()
	if status := d.do(http.MethodPost, "/info", request, reply); status != http.StatusOK {
		d.t.Fatalf("/info %v: %d", request, status)
	}
}

func (d *desk) get(path string, reply any) {
	d.t.Helper()
	if status := d.do(http.MethodGet, path, nil, reply); status != http.StatusOK {
		d.t.Fatalf("GET %s: %d", path, status)
	}
}

// rates of every lending pool of the venue (spec 1.4).
func venueRates() command {
	return command{"base": "0.05", "slope": "4.75", "kink": "0.8", "reserve_factor": "0.1"}
}

// listToken returns list_token with the caps of spec section 3 for one the venue lends, and
// none for another.
func listToken(name string, index, wei, size int, more command) command {
	c := command{
		"type": "list_token", "token": name, "index": index, "wei_decimals": wei, "sz_decimals": size, "ltv": "0",
		"borrowable": false, "supply_cap": "0", "borrow_cap": "0", "user_supply_cap": "0", "user_borrow_cap": "0",
		"rate": venueRates(),
	}
	maps.Copy(c, more)
	return c
}
