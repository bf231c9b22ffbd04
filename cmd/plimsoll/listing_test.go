package main

import (
	"encoding/json"
	"maps"
	"net"
	"os"
	"testing"
	"time"

	"plimsoll/fixedpoint"
	"plimsoll/internal/engine"
	"plimsoll/internal/universe"
	"plimsoll/risk"
)

const captureMain = "../../testdata/hyperliquid/go-hyperliquid/metaAndAssetCtxs_main_2026-02-06.json"

const captureXYZ = "../../testdata/hyperliquid/go-hyperliquid/metaAndAssetCtxs_xyz_2026-02-06.json"

func readJSON(t *testing.T, file string, into any) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// newTestDaemon returns a running daemon without markets.
func newTestDaemon(t *testing.T) *daemon {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a test of our own server
	if err != nil {
		t.Fatal(err)
	}
	cfg := engine.DefaultConfig()
	cfg.AccountsMax, cfg.Now = 1000, func() int64 { return time.Now().UnixMilli() }
	e, err := engine.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	d := newDaemon(&cfg, listener, nil)
	d.open(e)
	d.listen()
	t.Cleanup(func() {
		if err := d.stop(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// listedPerp is a perp as the venue's JSON describes it, read here without the code under
// test: a margin table id below 50 without a table is its own single leverage.
type listedPerp struct {
	index, szDecimals int
	isDelisted        bool
	tiers             []tier
	mark              string
}

func perpsOfCapture(t *testing.T, file string) map[string]listedPerp {
	t.Helper()
	var capture struct {
		Response []json.RawMessage `json:"response"`
	}
	readJSON(t, file, &capture)
	var meta struct {
		Universe []struct {
			Name          string `json:"name"`
			SzDecimals    int    `json:"szDecimals"`
			MarginTableID int    `json:"marginTableId"`
			IsDelisted    bool   `json:"isDelisted"`
		} `json:"universe"`
		MarginTables [][]json.RawMessage `json:"marginTables"`
	}
	var contexts []struct {
		MarkPx string `json:"markPx"`
	}
	if err := json.Unmarshal(capture.Response[0], &meta); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(capture.Response[1], &contexts); err != nil {
		t.Fatal(err)
	}
	tables := map[int][]tier{}
	for _, pair := range meta.MarginTables {
		var id int
		var table struct {
			Tiers []struct {
				LowerBound  string `json:"lowerBound"`
				MaxLeverage int    `json:"maxLeverage"`
			} `json:"marginTiers"`
		}
		if json.Unmarshal(pair[0], &id) != nil || json.Unmarshal(pair[1], &table) != nil {
			t.Fatalf("%s: margin table %s", file, pair)
		}
		for _, row := range table.Tiers {
			tables[id] = append(tables[id], tier(row))
		}
	}
	perps := map[string]listedPerp{}
	for i, p := range meta.Universe {
		tiers := tables[p.MarginTableID]
		if tiers == nil {
			tiers = []tier{{"0.0", p.MarginTableID}}
		}
		perps[p.Name] = listedPerp{i, p.SzDecimals, p.IsDelisted, tiers, contexts[i].MarkPx}
	}
	return perps
}

func TestUniverseIsListedWithEveryTier(t *testing.T) {
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
	want := perpsOfCapture(t, captureMain)
	maps.Copy(want, perpsOfCapture(t, captureXYZ))
	if len(m.perps) != len(want) {
		t.Errorf("%d perps are listed, want %d", len(m.perps), len(want))
	}
	for i := range m.perps {
		p := &m.perps[i]
		w, ok := want[p.Name]
		if !ok || int(p.Index) != w.index || int(p.SzDecimals) != w.szDecimals || p.IsHalted != w.isDelisted {
			t.Errorf("%s: index %d, sz_decimals %d, halted %v, want %+v", p.Name, p.Index, p.SzDecimals, p.IsHalted, w)
		}
		if got := amountText(p.MarkPx); got != canonical(t, w.mark) {
			t.Errorf("%s: mark %s, want %s", p.Name, got, w.mark)
		}
		if len(p.Tiers) != len(w.tiers) {
			t.Errorf("%s: %d tiers, want %d", p.Name, len(p.Tiers), len(w.tiers))
			continue
		}
		for k, got := range p.Tiers {
			if amountText(got.LowerBound) != canonical(t, w.tiers[k].LowerBound) || int(got.MaxLeverage) != w.tiers[k].MaxLeverage {
				t.Errorf("%s: tier %d is %s at %d, want %+v", p.Name, k, amountText(got.LowerBound), got.MaxLeverage, w.tiers[k])
			}
		}
	}
	if len(m.dexes) != 2 || len(m.tokens) != len(u.Tokens) || len(m.spots) != len(u.Spots) {
		t.Errorf("%d dexes, %d tokens, %d spots, want 2, %d, %d", len(m.dexes), len(m.tokens), len(m.spots), len(u.Tokens), len(u.Spots))
	}
}

func TestLendingPoolsAreTheDocumentedOnes(t *testing.T) {
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
	byName := map[string]*risk.TokenView{}
	for i := range m.tokens {
		byName[m.tokens[i].Name] = &m.tokens[i]
	}
	perps := map[uint32]string{}
	for i := range m.perps {
		perps[m.perps[i].Slot] = m.perps[i].Name
	}
	for _, c := range []struct {
		token, ltv, supplyCap, borrowCap, userSupplyCap, userBorrowCap, oraclePerp string
		isBorrowable                                                               bool
	}{ // venue documentation of 19 August 2026, pages portfolio-margin and interest
		{"USDC", "0.0", "1000000000.0", "500000000.0", "250000000.0", "50000000.0", "", true},
		{"HYPE", "0.65", "10000000.0", "0.0", "1000000.0", "0.0", "HYPE", false},
		{"UBTC", "0.5", "2000.0", "0.0", "200.0", "0.0", "BTC", false},
		{"USDT0", "0.0", "50000000.0", "10000000.0", "5000000.0", "1000000.0", "", true},
		{"USDH", "0.0", "0.0", "0.0", "0.0", "0.0", "", true},
	} {
		v := byName[c.token]
		if v == nil {
			t.Errorf("%s is not listed", c.token)
			continue
		}
		got := []string{
			amountText(v.LTV), amountText(v.SupplyCap), amountText(v.BorrowCap), amountText(v.UserSupplyCap),
			amountText(v.UserBorrowCap), perps[v.OraclePerp], amountText(v.RateBase), amountText(v.RateSlope), amountText(v.RateKink),
			amountText(v.ReserveFactor),
		}
		want := []string{c.ltv, c.supplyCap, c.borrowCap, c.userSupplyCap, c.userBorrowCap, c.oraclePerp, "0.05", "4.75", "0.8", "0.1"}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%s: figure %d is %q, want %q", c.token, i, got[i], want[i])
			}
		}
		if v.IsBorrowable != c.isBorrowable || !v.HasPool { // USDH has a pool too: the venue reports it without caps
			t.Errorf("%s: borrowable %v, pool %v, want %v, true", c.token, v.IsBorrowable, v.HasPool, c.isBorrowable)
		}
	}
}

func amountText(a risk.Amount) string {
	return string(fixedpoint.AppendDecimal128(nil, a.V, a.Decimals))
}

func canonical(t *testing.T, text string) string {
	t.Helper()
	d, err := fixedpoint.ParseDecimalString(text)
	if err != nil {
		t.Fatal(err)
	}
	return decimalText(d.Mantissa, d.Decimals)
}
