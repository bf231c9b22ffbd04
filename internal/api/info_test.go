package api

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// captures is where the venue's replies are kept.
const captures = "testdata/venue/"

// shape collects, for every object path of a JSON text, the keys in order of appearance
// and whether each stands in every object of that path.
type shape struct {
	keys   map[string][]string
	counts map[string]int
	seen   map[string]int
}

func newShape() *shape {
	return &shape{keys: map[string][]string{}, counts: map[string]int{}, seen: map[string]int{}}
}

func (s *shape) add(t *testing.T, raw json.RawMessage) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	s.value(t, dec, "")
}

func (s *shape) value(t *testing.T, dec *json.Decoder, path string) {
	token, err := dec.Token()
	if err != nil {
		t.Fatal(err)
	}
	delim, ok := token.(json.Delim)
	if !ok {
		return
	}
	if delim == '{' {
		s.counts[path]++
	}
	at := 0
	for dec.More() {
		next := path + "[]"
		if delim == '{' {
			key, _ := dec.Token()
			name := key.(string)
			next = path + "." + name
			s.seen[next]++
			at = s.place(path, name, at)
		}
		s.value(t, dec, next)
	}
	_, _ = dec.Token()
}

// place puts a key of an object after the one before it and returns the place after it.
func (s *shape) place(path, name string, at int) int {
	if i := slices.Index(s.keys[path], name); i >= 0 {
		return i + 1
	}
	s.keys[path] = slices.Insert(s.keys[path], min(at, len(s.keys[path])), name)
	return at + 1
}

// checkShape wants the keys of got to be those of want, in its order; keys that some
// objects of want lack may be absent.
func checkShape(t *testing.T, name string, want *shape, reply string) {
	t.Helper()
	got := newShape()
	got.add(t, json.RawMessage(reply))
	if len(got.keys) == 0 {
		t.Errorf("%s: no object in %s", name, reply)
	}
	for path, keys := range got.keys {
		order, ok := want.keys[path]
		if !ok {
			t.Errorf("%s: the venue has no object at %q", name, path)
			continue
		}
		last := -1
		for _, key := range keys {
			i := slices.Index(order, key)
			if i < 0 {
				t.Errorf("%s: the venue has no key %q at %q", name, key, path)
			} else if i < last {
				t.Errorf("%s: key %q at %q is out of order: %v, want %v", name, key, path, keys, order)
			}
			last = max(last, i)
		}
		for _, key := range order {
			if at := path + "." + key; want.seen[at] == want.counts[path] && got.seen[at] != got.counts[path] {
				t.Errorf("%s: key %q is missing at %q", name, key, path)
			}
		}
	}
}

// captured reads one value out of a capture file by a path of keys.
func captured(t *testing.T, file string, path ...string) json.RawMessage {
	t.Helper()
	raw, err := os.ReadFile(captures + file)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range path {
		var object map[string]json.RawMessage
		if err = json.Unmarshal(raw, &object); err != nil {
			var array []json.RawMessage
			if err = json.Unmarshal(raw, &array); err != nil || len(array) == 0 {
				t.Fatalf("%s: no %q", file, key)
			}
			if err = json.Unmarshal(array[0], &object); err != nil {
				t.Fatal(err)
			}
		}
		raw = object[key]
	}
	return raw
}

func shapeOf(t *testing.T, raws ...json.RawMessage) *shape {
	t.Helper()
	s := newShape()
	for _, raw := range raws {
		s.add(t, raw)
	}
	return s
}

func TestInfoHasTheShapesOfTheVenue(t *testing.T) {
	h := newHouse(t, 2)
	h.furnish()
	const lifi, tula, goHL = "lifi-perps-sdk_", "tula_", "go-hyperliquid_"
	pm, iso := lifi+"portfolio_margin_2026-09-22.json", lifi+"unified_isolated_2026-09-22.json"
	coll := tula + "portfolio_margin_collateral_2026-09-14_scaled.json"
	user := func(kind, account, more string) string {
		return h.info(`{"type":"` + kind + `","user":"` + account + `"` + more + `}`)
	}

	states := shapeOf(t, captured(t, pm, "clearinghouseState"), captured(t, iso, "clearinghouseState"))
	for _, account := range []string{alice, bobby, "0x0000000000000000000000000000000000000000"} {
		checkShape(t, "clearinghouseState", states, user("clearinghouseState", account, ""))
		checkShape(t, "clearinghouseState xyz", states, user("clearinghouseState", account, `,"dex":"xyz"`))
	}
	portfolio := shapeOf(t, captured(t, pm, "spotClearinghouseState"), captured(t, coll, "spot"))
	checkShape(t, "spotClearinghouseState PM", portfolio, user("spotClearinghouseState", alice, ""))
	checkShape(t, "spotClearinghouseState unified", shapeOf(t, captured(t, iso, "spotClearinghouseState")), user("spotClearinghouseState", bobby, ""))
	standard := shapeOf(t, []byte(`{"balances":[{"coin":"USDC","token":0,"total":"1.0","hold":"0.0","entryNtl":"0.0"}]}`))
	checkShape(t, "spotClearinghouseState standard", standard, user("spotClearinghouseState", "sub-1", ""))
	checkShape(t, "borrowLendUserState", shapeOf(t, captured(t, coll, "borrowLendUserState")), user("borrowLendUserState", alice, ""))
	active := shapeOf(t, captured(t, pm, "activeAssetData", "ETH"))
	checkShape(t, "activeAssetData", active, user("activeAssetData", alice, `,"coin":"BTC"`))

	orders := shapeOf(t, []byte(`[{"coin":"MEGA","side":"B","limitPx":"0.04185","sz":"5000.0","oid":551012943170,"timestamp":1789939841290,"origSz":"5000.0"},
		{"coin":"MEGA","side":"B","limitPx":"0.04185","sz":"5000.0","oid":551012943170,"timestamp":1789939841290,"origSz":"5000.0","reduceOnly":true,"cloid":"0x0"}]`))
	checkShape(t, "openOrders", orders, user("openOrders", bobby, ""))
	history := captured(t, "python-sdk_historical_orders.json", "response")
	var rows []struct{ Order json.RawMessage }
	if err := json.Unmarshal(history, &rows); err != nil {
		t.Fatal(err)
	}
	frontend := shapeOf(t, append(append([]byte{'['}, rows[0].Order...), ']'))
	checkShape(t, "frontendOpenOrders", frontend, user("frontendOpenOrders", bobby, ""))

	meta := shapeOf(t, captured(t, goHL+"meta_2025-12-13.json", "response"))
	checkShape(t, "meta", meta, h.info(`{"type":"meta"}`))
	both := shapeOf(t, captured(t, goHL+"metaAndAssetCtxs_main_2026-02-06.json", "response"), captured(t, goHL+"metaAndAssetCtxs_xyz_2026-02-06.json", "response"))
	checkShape(t, "metaAndAssetCtxs", both, h.info(`{"type":"metaAndAssetCtxs"}`))
	checkShape(t, "metaAndAssetCtxs xyz", both, h.info(`{"type":"metaAndAssetCtxs","dex":"xyz"}`))
	checkShape(t, "spotMeta", shapeOf(t, captured(t, goHL+"spotMeta_2025-08-22.json", "response")), h.info(`{"type":"spotMeta"}`))
	dexes := shapeOf(t, captured(t, goHL+"perpDexs_2025-12-13.json", "response"))
	dexes.keys["[]"] = append(dexes.keys["[]"], "assetToFundingInterestRate") // came after the capture
	checkShape(t, "perpDexs", dexes, h.info(`{"type":"perpDexs"}`))
	reserve := shapeOf(t, captured(t, "official-docs_reserve_states.json", "state"))
	checkShape(t, "borrowLendReserveState", reserve, h.info(`{"type":"borrowLendReserveState","token":0}`))
	table := shapeOf(t, []byte(`{"description":"","marginTiers":[{"lowerBound":"0.0","maxLeverage":50}]}`))
	checkShape(t, "marginTable", table, h.info(`{"type":"marginTable","id":56}`))
	reply := user("subAccounts", alice, "")
	for _, part := range []string{`"name":"sub-1"`, `"subAccountUser":"sub-1"`, `"master":"` + alice + `"`, `"clearinghouseState":{"marginSummary"`} {
		if !strings.Contains(reply, part) {
			t.Errorf("subAccounts lacks %s: %s", part, reply)
		}
	}
}

func TestInfoPlainReplies(t *testing.T) {
	h := newHouse(t, 1)
	h.furnish()
	const nobody = `"0x0000000000000000000000000000000000000000"`
	for _, c := range []struct{ body, want string }{
		{`{"type":"userAbstraction","user":"` + alice + `"}`, `"portfolioMargin"`},
		{`{"type":"userAbstraction","user":"` + strings.ToUpper(bobby) + `"}`, `"unifiedAccount"`},
		{`{"type":"userAbstraction","user":"sub-1"}`, `"disabled"`},
		{`{"type":"userAbstraction","user":` + nobody + `}`, `"default"`},
		{`{"type":"subAccounts","user":"sub-1"}`, `null`},
		{`{"type":"openOrders","user":` + nobody + `}`, `[]`},
		{`{"type":"openOrders","user":"` + bobby + `","dex":"xyz"}`, `[]`},
		{`{"type":"openOrders","user":"` + bobby + `"}`, `[{"coin":"@107","side":"B","limitPx":"39.0","sz":"1.0","oid":7,"timestamp":1790091087693,"origSz":"1.0"},` +
			`{"coin":"BTC","side":"A","limitPx":"61000.0","sz":"0.1","oid":2748,"timestamp":1790091087693,"origSz":"0.1","cloid":"0x00000000000000000000000000000abc"},` +
			`{"coin":"BTC","side":"B","limitPx":"58000.0","sz":"0.1","oid":551012943170,"timestamp":1790091087693,"origSz":"0.1"}]`},
		{`{"type":"spotClearinghouseState","user":` + nobody + `}`, `{"balances":[]}`},
		{`{"type":"borrowLendUserState","user":` + nobody + `}`, `{"tokenToState":[],"health":"healthy","healthFactor":null}`},
		{`{"type":"activeAssetData","user":` + nobody + `,"coin":"xyz:TSLA"}`, `{"user":` + nobody + `,"coin":"xyz:TSLA",` +
			`"leverage":{"type":"isolated","value":10,"rawUsd":"0.0"},"maxTradeSzs":["0.0","0.0"],"availableToTrade":["0.0","0.0"],"markPx":"400.0"}`},
		{`{"type":"activeAssetData","user":"` + bobby + `","coin":"xyz:TSLA"}`, `{"user":"` + bobby + `","coin":"xyz:TSLA",` +
			`"leverage":{"type":"isolated","value":5,"rawUsd":"-3192.0"},"maxTradeSzs":["596.298","616.398"],"availableToTrade":["47703.84","49311.84"],"markPx":"400.0"}`},
		{`{"type":"allPerpMetas"}`, `[` + h.info(`{"type":"meta"}`) + `,` + h.info(`{"type":"meta","dex":"xyz"}`) + `]`},
		{`{"type":"allMids"}`, `{"BTC":"60000.0","HYPE":"40.5","@107":"40.45"}`},
		{`{"type":"allMids","dex":"xyz"}`, `{"xyz:TSLA":"400.0"}`},
		{`{"type":"exchangeStatus"}`, `{"time":1790091087693,"specialStatuses":null}`},
		{`{"type":"marginTable","id":20}`, `{"description":"","marginTiers":[{"lowerBound":"0.0","maxLeverage":20}]}`},
		{`{"type":"meta"}`, `{"universe":[{"szDecimals":5,"name":"BTC","maxLeverage":40,"marginTableId":56},{"szDecimals":2,"name":"HYPE","maxLeverage":10,"marginTableId":10}],` +
			`"marginTables":[[50,{"description":"","marginTiers":[{"lowerBound":"0.0","maxLeverage":50}]}],[56,{"description":"tiered 40x","marginTiers":[{"lowerBound":"0.0","maxLeverage":40},{"lowerBound":"150000000.0","maxLeverage":20}]}]],"collateralToken":0}`},
		{`{"type":"clearinghouseState","user":` + nobody + `}`, `{"marginSummary":{"accountValue":"0.0","totalNtlPos":"0.0","totalRawUsd":"0.0","totalMarginUsed":"0.0"},` +
			`"crossMarginSummary":{"accountValue":"0.0","totalNtlPos":"0.0","totalRawUsd":"0.0","totalMarginUsed":"0.0"},"crossMaintenanceMarginUsed":"0.0","withdrawable":"0.0","assetPositions":[],"time":1790091087693}`},
		{`{"type":"clearinghouseState","user":"` + bobby + `","dex":"xyz"}`, `{"marginSummary":{"accountValue":"808.0","totalNtlPos":"4000.0","totalRawUsd":"-3192.0","totalMarginUsed":"808.0"},` +
			`"crossMarginSummary":{"accountValue":"0.0","totalNtlPos":"0.0","totalRawUsd":"0.0","totalMarginUsed":"0.0"},"crossMaintenanceMarginUsed":"0.0","withdrawable":"0.0",` +
			`"assetPositions":[{"type":"oneWay","position":{"coin":"xyz:TSLA","szi":"10.0","leverage":{"type":"isolated","value":5,"rawUsd":"-3192.0"},"entryPx":"399.0","positionValue":"4000.0","unrealizedPnl":"10.0",` +
			`"returnOnEquity":"0.0125313283","liquidationPx":"336.0","marginUsed":"808.0","maxLeverage":10,"cumFunding":{"allTime":"0.0","sinceOpen":"0.0","sinceChange":"0.0"}}}],"time":1790091087693}`},
	} {
		if got := h.info(c.body); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.body, got, c.want)
		}
	}
	for _, c := range []struct {
		body   string
		status int
	}{
		{`{"type":"nothing"}`, 422},
		{`{"user":"x"}`, 422},
		{`{"type":"meta","dex":"nope"}`, 422},
		{`{"type":"meta","bogus":1}`, 422},
		{`{"type":"clearinghouseState"}`, 422},
		{`{"type":"borrowLendReserveState","token":999}`, 500},
		{`[]`, 422},
	} {
		if status, reply, _ := h.do("POST", "/info", "application/json", c.body); status != c.status || !strings.Contains(reply, `{"error":{"code":`) {
			t.Errorf("/info %s: %d %s, want %d", c.body, status, reply, c.status)
		}
	}
}
