package clienttest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"plimsoll/internal/api"
	"plimsoll/internal/engine"
)

// house is a daemon in process on a loopback port: the real engine and the real HTTP server.
type house struct {
	t   *testing.T
	url string
}

func newHouse(t *testing.T) *house {
	t.Helper()
	cfg := engine.DefaultConfig()
	cfg.Shards, cfg.AccountsMax, cfg.Clock = 2, 1<<10, engine.ClockCommands
	e, err := engine.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	e.Start()
	listen, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := api.NewServer(&api.Config{
		Engine: e, Directory: api.NewDirectory(cfg.AccountsMax), Shards: cfg.Shards, ClientsMax: cfg.ClientsMax, Version: "test",
	})
	go func() { _ = server.Serve(listen) }()
	t.Cleanup(func() {
		_ = server.Shutdown(t.Context())
		e.Close()
	})
	return &house{t: t, url: "http://" + listen.Addr().String()}
}

// post sends a body and returns status and reply.
func (h *house) post(path, contentType string, body []byte) (status int, reply []byte) {
	h.t.Helper()
	response, err := http.Post(h.url+path, contentType, bytes.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if reply, err = io.ReadAll(response.Body); err != nil {
		h.t.Fatal(err)
	}
	return response.StatusCode, reply
}

// must sends commands, one a line, and wants each accepted.
func (h *house) must(lines ...string) {
	h.t.Helper()
	status, reply := h.post("/v1/commands", "application/x-ndjson", []byte(strings.Join(lines, "\n")))
	var results []struct {
		OK    bool
		Error json.RawMessage
	}
	if err := json.Unmarshal(reply, &results); err != nil || status != http.StatusOK || len(results) != len(lines) {
		h.t.Fatalf("commands: %d %s", status, reply)
	}
	for i := range results {
		if !results[i].OK {
			h.t.Fatalf("refused: %s\n%s", results[i].Error, lines[i])
		}
	}
}

// Accounts of the house: the SDK takes addresses alone.
const (
	lender   = "0x00000000000000000000000000000000000000a1" // portfolio margin, master of sub
	carry    = "0x00000000000000000000000000000000000000a2" // portfolio margin, in debt
	unified  = "0x00000000000000000000000000000000000000a3" // cross, isolated, every form of order
	standard = "0x00000000000000000000000000000000000000a4" // wallets apart, cross and isolated
	sub      = "0x00000000000000000000000000000000000000a5" // a sub-account of lender
	broken   = "0x00000000000000000000000000000000000000a6" // its cross positions are being liquidated
	isolated = "0x00000000000000000000000000000000000000a7" // its isolated position is
	taken    = "0x00000000000000000000000000000000000000a8" // was taken over by the backstop
	backstop = "0x00000000000000000000000000000000000000a9"
	indebted = "0x00000000000000000000000000000000000000aa" // portfolio margin, liquidatable by its debt
	nobody   = "0x0000000000000000000000000000000000000000" // never opened
)

var everybody = []string{lender, carry, unified, standard, sub, broken, isolated, taken, backstop, indebted, nobody}

const startMs, hourMs = 1790091087693, 3_600_000

// furnish lists markets, opens the accounts and lets three hours pass.
func (h *house) furnish() {
	h.t.Helper()
	h.must(listings()...)
	for n, account := range everybody[:len(everybody)-1] {
		mode, master := "portfolio", ""
		switch account {
		case unified, isolated:
			mode = "unified"
		case standard, broken, taken:
			mode = "standard"
		case sub:
			mode, master = "standard", fmt.Sprintf(`,"master":%q`, lender)
		}
		h.must(fmt.Sprintf(`{"type":"open_account","account":%q,"mode":%q%s}`, account, mode, master))
		if account != carry && account != indebted { // whose dollars are borrowed
			h.must(deposit(account, "USDC", 10_000*(n+1)))
		}
	}
	h.must(`{"type":"set_parameters","backstop_account":"`+backstop+`"}`, deposit(lender, "USDC", 1_000_000), deposit(backstop, "USDC", 1_000_000))
	h.must(portfolios()...)
	h.must(moves()...)
	h.must(restingOrders()...)
	for n := range 3 {
		h.must(
			fmt.Sprintf(`{"type":"clock","time":%d}`, startMs+(n+1)*hourMs),
			`{"type":"funding","rates":{"BTC":"0.0000125","HYPE":"-0.0001","xyz:TSLA":"0.00002"}}`,
		)
	}
}

// liquidate lets prices fall, so that cross, isolated and debt lines are crossed.
func (h *house) liquidate() {
	h.t.Helper()
	h.must(
		`{"type":"prices","marks":{"BTC":"55100"},"oracles":{"BTC":"55100"}}`,
		`{"type":"prices","marks":{"xyz:TSLA":"374"},"oracles":{"xyz:TSLA":"374"}}`,
		`{"type":"prices","marks":{"HYPE":"28"},"oracles":{"HYPE":"28"},"spots":{"HYPE/USDC":"28"},"token_oracles":{"HYPE":"28"}}`,
	)
}
