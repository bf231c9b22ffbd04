package main

import (
	"encoding/json"
	"math"
	"net/http"
	"strings"
	"testing"

	"plimsoll/client"
	"plimsoll/internal/universe"
	"plimsoll/risk"
)

// TestServeOpensALiquidatorOnce: with the markets in the binary, on an empty directory; what an
// operator names instead stays over restarts.
func TestServeOpensALiquidatorOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := serveInTest(t, "--data", dir, "--clock", "commands", "--shards", "2")
	status, account := get(t, s.url+"/v1/accounts/"+liquidatorAddress)
	if status != http.StatusOK || !strings.Contains(account, `"mode":"portfolio"`) {
		t.Errorf("the liquidator: %d %s", status, account)
	}
	_, before := get(t, s.url+"/v1/status")
	s.end(t)

	s = serveInTest(t, "--data", dir, "--clock", "commands")
	if _, after := get(t, s.url+"/v1/status"); field(t, before, "state_hash") != field(t, after, "state_hash") ||
		field(t, before, "sequenced") != field(t, after, "sequenced") {
		t.Errorf("a restart changed something: %s, then %s", before, after)
	}
	c := newTestClient(t, s.url)
	none := client.Raw{Kind: "set_parameters", Fields: map[string]any{"backstop_account": nil}}
	if _, err := c.Do(t.Context(), client.OpenAccount{Account: "another", Mode: "unified"}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Do(t.Context(), none); err != nil {
		t.Fatal(err)
	}
	_, before = get(t, s.url+"/v1/status")
	s.end(t)
	s = serveInTest(t, "--data", dir, "--clock", "commands")
	if _, after := get(t, s.url+"/v1/status"); field(t, before, "state_hash") != field(t, after, "state_hash") {
		t.Errorf("a restart named a liquidator again: %s, then %s", before, after)
	}
	s.end(t)

	s = serveInTest(t, "--universe", "none")
	if status, body := get(t, s.url+"/v1/accounts/"+liquidatorAddress); status != http.StatusNotFound {
		t.Errorf("markets of one's own: %d %s", status, body)
	}
	s.end(t)
}

func field(t *testing.T, body, name string) string {
	t.Helper()
	var object map[string]json.RawMessage
	if err := json.Unmarshal([]byte(body), &object); err != nil || object[name] == nil {
		t.Fatalf("no %s in %s (%v)", name, body, err)
	}
	return string(object[name])
}

// TestLiquidatorIsNamedAfterAStartThatEndedHalfWay: it was opened, and not named.
func TestLiquidatorIsNamedAfterAStartThatEndedHalfWay(t *testing.T) {
	t.Parallel()
	d := newTestDaemon(t)
	if err := apply(d, []openCommand{{"open_account", liquidatorAddress, modePortfolio}}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := d.openLiquidator(); err != nil {
			t.Fatal(err)
		}
		_, err := d.engine.Read(0, func(m *risk.Machine) {
			if got, want := m.Parameters().BackstopAccount, d.dir.Account([]byte(liquidatorAddress)); got != want || m.AccountCount() != 1 {
				t.Errorf("the backstop account is %d of %d, want %d of 1", got, m.AccountCount(), want)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestCrashFallsAsItDid: without chance, twelve minutes bring each price to its figure.
func TestCrashFallsAsItDid(t *testing.T) {
	t.Parallel()
	d := newTestDaemon(t)
	u := universe.Embedded()
	if err := d.load(&u); err != nil {
		t.Fatal(err)
	}
	m, err := readMarket(d)
	if err != nil {
		t.Fatal(err)
	}
	f := fit(&u)
	w := newWalker(1, m, &f, 3000)
	w.common, w.root = 0, 0
	w.crash(m, 3000)
	falls := crashed()
	for range crashTime/3000 + 10 { // it stays where it is after that
		w.step(nil)
	}
	for i := range w.assets {
		a := &w.assets[i]
		got := math.Exp(a.moved)
		for k := range m.perps {
			if want, ok := falls[m.perps[k].Name]; ok && m.perps[k].Slot == a.perp && math.Abs(got-want) > 1e-9 {
				t.Errorf("%s is at %v of its price, want %v", m.perps[k].Name, got, want)
			}
		}
		if got > falls["BTC"]+1e-9 || got < falls["HYPE"]-1e-9 {
			t.Errorf("perp %d is at %v of its price", a.perp, got)
		}
	}
}

func TestDemoLiquidatesInACrash(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := execute(t.Context(), nil, "demo", "--accounts", "3000", "--seconds", "2", "--tick-ms", "30000", "--crash", "--json",
		"--listen", "127.0.0.1:0")
	var s summary
	if err := json.Unmarshal([]byte(stdout), &s); err != nil || code != exitDone {
		t.Fatalf("exit code %d, %v: %s", code, err, stderr)
	}
	if s.Begun == 0 || s.Ended == 0 || s.TakenOver == 0 || !strings.Contains(stderr, "positions taken over") || !strings.Contains(stderr, "solvent true") {
		t.Errorf("%d begun, %d ended, %d taken over: %s", s.Begun, s.Ended, s.TakenOver, stderr)
	}
}
