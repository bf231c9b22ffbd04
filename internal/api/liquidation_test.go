package api

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// lifeHouse is a house with a liquidator, one long of ten times its margin, one short, and a
// reader of all that follows.
type lifeHouse struct {
	*house
	events *subscriber
	told   []string // every line read
}

func newLifeHouse(t *testing.T, shards int) *lifeHouse {
	h := &lifeHouse{house: newEventHouse(t, shards, 1<<12)}
	h.events = h.subscribe("/v1/events?after=0", asLines, "")
	h.must(
		`{"type":"open_account","account":"venue","mode":"portfolio"}`,
		`{"type":"deposit","account":"venue","token":"USDC","amount":"1000000"}`,
		`{"type":"set_parameters","backstop_account":"venue"}`,
		`{"type":"open_account","account":"long","mode":"standard"}`,
		`{"type":"open_account","account":"short","mode":"standard"}`,
		`{"type":"deposit","account":"long","token":"USDC","amount":"6000"}`,
		`{"type":"deposit","account":"short","token":"USDC","amount":"20000"}`,
		`{"type":"fill","account":"long","market":"BTC","side":"buy","size":"1","price":"60000"}`,
		`{"type":"fill","account":"short","market":"BTC","side":"sell","size":"1","price":"60000"}`,
		`{"type":"order","account":"long","market":"BTC","side":"sell","size":"0.5","price":"65000","order_id":"7","reduce_only":true}`,
	)
	h.tellsExactly(
		`supplied "account":"venue","token":"USDC","amount":"1000000.0","balance":"1000000.0"`,
		`health_changed "account":"long","from":"idle","to":"healthy"`,
		`health_changed "account":"short","from":"idle","to":"healthy"`,
	)
	return h
}

// tellsExactly reads as many events as are given. Seq, place and time are left out, and of
// health_changed the figures where none are wanted.
func (h *lifeHouse) tellsExactly(want ...string) {
	h.t.Helper()
	for i, w := range want {
		line := h.events.next()
		h.told = append(h.told, line)
		var head struct {
			Type string
			Time int64
		}
		if err := json.Unmarshal([]byte(line), &head); err != nil {
			h.t.Fatal(err)
		}
		_, rest, _ := strings.Cut(line, fmt.Sprintf(`"time":%d,`, head.Time))
		got := head.Type + " " + strings.TrimSuffix(rest, "}")
		if head.Type == "health_changed" && !strings.Contains(w, "ratio") {
			got, _, _ = strings.Cut(got, `,"token"`)
			got, _, _ = strings.Cut(got, `,"market"`)
		}
		if got != w {
			h.t.Fatalf("event %d: %s\n got %s\nwant %s", i, line, got, w)
		}
	}
}

// balances wants the ledger to hold, and what an account is worth.
func (h *lifeHouse) balances(account, equity string) {
	h.t.Helper()
	var totals totalsReply
	if err := json.Unmarshal([]byte(h.get("/v1/totals")), &totals); err != nil {
		h.t.Fatal(err)
	}
	for _, token := range totals.Tokens {
		if !totals.IsSolvent || !token.Holds || token.Difference != "0.0" {
			h.t.Errorf("%s: external %s, held %s, difference %s", token.Token, token.External, token.Held, token.Difference)
		}
	}
	var margin struct{ Equity string }
	if err := json.Unmarshal([]byte(h.get("/v1/accounts/"+account+"/margin")), &margin); err != nil || margin.Equity != equity {
		h.t.Errorf("equity of %s is %s (%v), want %s", account, margin.Equity, err, equity)
	}
}

// eachShardCount plays a story on one shard and on four: what is told must be the same.
func eachShardCount(t *testing.T, play func(h *lifeHouse)) {
	t.Helper()
	var first string
	for _, shards := range []int{1, 4} {
		h := newLifeHouse(t, shards)
		play(h)
		h.must(`{"type":"halt","all":true}`)
		h.tellsExactly(`halted "all":true`) // and nothing else before
		if told := strings.Join(h.told, "\n"); first == "" {
			first = told
		} else if told != first {
			t.Errorf("%d shards tell\n%s\nwant\n%s", shards, told, first)
		}
	}
}

// TestLiquidationAtTheMarket: equity 600 against maintenance 682.5; the exchange sells, says
// for what, and it is over.
func TestLiquidationAtTheMarket(t *testing.T) {
	t.Parallel()
	eachShardCount(t, func(h *lifeHouse) {
		h.tick(54600)
		h.tellsExactly(
			`order_released "account":"long","market":"BTC","order_id":"7","size":"0.5"`,
			`health_changed "account":"long","from":"healthy","to":"liquidatable","token":"USDC","liquidation_value":"600.0","requirement":"682.5","ratio":"1.1375","ratio_before":"0.125"`,
			`liquidation_started "account":"long","liquidation":"16","token":"USDC","liquidation_value":"600.0","requirement":"682.5","to":"liquidatable","reason":"maintenance_margin"`,
			`liquidation_step "account":"long","liquidation":"16","token":"USDC","liquidation_value":"600.0","requirement":"682.5","reason":"maintenance_margin"`,
			`liquidation_order "account":"long","liquidation":"16","market":"BTC","side":"sell","size":"1.0","mark_price":"54600.0","reason":"maintenance_margin"`,
		)
		h.balances("long", "600.0")
		account := h.get("/v1/accounts/long")
		for _, part := range []string{
			`"liquidation":{"number":"16","stage":"orders","since_ms":1790091087693,"next_ms":1790091088693}`,
			`"liquidation_stage":"orders"`, `"orders":[]`,
		} {
			if !strings.Contains(account, part) {
				t.Errorf("no %s in %s", part, account)
			}
		}
		if got, want := h.info(`{"type":"liquidatable"}`), `[{"user":"long","positionIndex":"cross","marginAvailable":[600.0,682.5]}]`; got != want {
			t.Errorf("liquidatable is %s, want %s", got, want)
		}
		if status, reply, _ := h.do("POST", "/v1/commands", "application/json", `{"type":"order","account":"long","market":"BTC","side":"buy","size":"0.1","price":"50000","order_id":"8"}`); status != 422 || !strings.Contains(reply, `"code":"account_in_liquidation"`) {
			t.Errorf("a new order: %d %s", status, reply)
		}

		fill := `{"type":"fill","account":"long","market":"BTC","side":"sell","size":"1","price":"54590","id":"1","liquidation":{"id":"16","method":"market"}}`
		status, reply, _ := h.do("POST", "/v1/commands", "application/json", fill)
		if status != 200 || strings.Contains(reply, "unknown_liquidation") {
			t.Errorf("the fill: %d %s", status, reply)
		}
		if _, again, _ := h.do("POST", "/v1/commands", "application/json", fill); !strings.Contains(again, `"duplicate":true`) {
			t.Errorf("the fill again: %s", again)
		}
		h.tellsExactly(
			`health_changed "account":"long","from":"liquidatable","to":"idle","token":"USDC","liquidation_value":"590.0","requirement":"0.0","ratio":"0.0"`,
			`liquidation_ended "account":"long","liquidation":"16","from":"liquidatable","to":"idle"`,
		)
		h.balances("long", "590.0")
		if account := h.get("/v1/accounts/long"); !strings.Contains(account, `"liquidation":null`) || !strings.Contains(account, `"liquidation_stage":null`) {
			t.Errorf("after it: %s", account)
		}
		if got := h.info(`{"type":"liquidatable"}`); got != "[]" {
			t.Errorf("liquidatable is %s", got)
		}
		late := `{"type":"fill","account":"long","market":"BTC","side":"sell","size":"0.001","price":"54590","id":"2","liquidation":{"id":16,"method":"market"}}`
		want := `"unknown_liquidation":true`
		for _, name := range []string{"the first", "the repeat"} {
			if status, reply, _ := h.do("POST", "/v1/commands", "application/json", late); status != 200 || !strings.Contains(reply, want) {
				t.Errorf("%s of a fill for a liquidation that is over: %d %s", name, status, reply)
			}
		}
		h.tellsExactly(`health_changed "account":"long","from":"idle","to":"healthy"`)
	})
}

// TestLiquidationInParts: above 100,000 a fifth is sent, and for 30 seconds after that the
// whole position.
func TestLiquidationInParts(t *testing.T) {
	t.Parallel()
	eachShardCount(t, func(h *lifeHouse) {
		h.must(`{"type":"open_account","account":"whale","mode":"standard"}`,
			`{"type":"deposit","account":"whale","token":"USDC","amount":"59000"}`,
			`{"type":"fill","account":"whale","market":"BTC","side":"buy","size":"10","price":"60000"}`)
		h.tellsExactly(`health_changed "account":"whale","from":"idle","to":"healthy"`)
		h.tick(54700)
		started := `"account":"whale","liquidation":"19","token":"USDC","liquidation_value":"6000.0","requirement":"6837.5"`
		h.tellsExactly(
			`health_changed "account":"long","from":"healthy","to":"at_risk"`,
			`health_changed "account":"whale","from":"healthy","to":"liquidatable"`,
			`liquidation_started `+started+`,"to":"liquidatable","reason":"maintenance_margin"`,
			`liquidation_step `+started+`,"reason":"maintenance_margin"`,
			`liquidation_order "account":"whale","liquidation":"19","market":"BTC","side":"sell","size":"2.0","mark_price":"54700.0","reason":"maintenance_margin"`,
		)
		if reply := h.get("/v1/accounts/whale/margin"); !strings.Contains(reply, `"liquidation_stage":"cooldown"`) {
			t.Error(reply)
		}
		h.must(`{"type":"clock","time":1790091088693}`) // nothing came of it
		h.tellsExactly(
			`liquidation_step `+started+`,"reason":"maintenance_margin"`,
			`liquidation_order "account":"whale","liquidation":"19","market":"BTC","side":"sell","size":"10.0","mark_price":"54700.0","reason":"maintenance_margin"`,
		)
		h.must(`{"type":"fill","account":"whale","market":"BTC","side":"sell","size":"2","price":"54700","liquidation":{"id":"19","method":"market"}}`)
		h.tellsExactly( // 6,000 against 5,470 is safe, and less than the initial requirement
			`health_changed "account":"whale","from":"liquidatable","to":"at_risk"`,
			`liquidation_ended "account":"whale","liquidation":"19","from":"liquidatable","to":"at_risk"`,
		)
		h.balances("whale", "6000.0")
	})
}

// TestBackstopTakesOver: 400 is below two thirds of 680; the liquidator has the position at its
// mark and the margin it stood on, and nothing is left.
func TestBackstopTakesOver(t *testing.T) {
	t.Parallel()
	eachShardCount(t, func(h *lifeHouse) {
		h.tick(54400)
		h.tellsExactly(
			`order_released "account":"long","market":"BTC","order_id":"7","size":"0.5"`,
			`health_changed "account":"long","from":"healthy","to":"backstop"`,
			`liquidation_started "account":"long","liquidation":"16","token":"USDC","liquidation_value":"400.0","requirement":"680.0","to":"backstop","reason":"backstop"`,
			`liquidation_step "account":"long","liquidation":"16","token":"USDC","liquidation_value":"400.0","requirement":"680.0","reason":"backstop"`,
			`backstop_takeover "account":"long","liquidation":"16","market":"BTC","side":"buy","size":"1.0","price":"54400.0","reason":"backstop"`,
			`backstop_takeover "account":"long","liquidation":"16","token":"USDC","amount":"400.0"`,
			`unsupplied "account":"venue","token":"USDC","amount":"5040.0"`, // 5,440 for the position at the highest default leverage
			`health_changed "account":"venue","from":"idle","to":"healthy"`,
			`health_changed "account":"long","from":"backstop","to":"idle"`,
			`liquidation_ended "account":"long","liquidation":"16","from":"backstop","to":"idle"`,
		)
		h.balances("long", "0.0")
		h.balances("venue", "1000400.0")
		venue := h.get("/v1/accounts/venue")
		if !strings.Contains(venue, `"perp":"BTC","dex":"","size":"1.0"`) || !strings.Contains(venue, `"entry_price":"54400.0"`) {
			t.Errorf("the liquidator: %s", venue)
		}
	})
}

// TestBackstopSellsWhatItTook: after half a minute 0.034063671… of it, rounded up, by a trade whose
// seller is flagged with the number of the sale.
func TestBackstopSellsWhatItTook(t *testing.T) {
	t.Parallel()
	eachShardCount(t, func(h *lifeHouse) {
		h.tick(54400)
		for range 10 {
			h.told = append(h.told, h.events.next())
		}
		sale := `"sale":{"number":"16","items":[{"perp":"BTC","left":"1.0","next_ms":1790091117693}]}`
		if got := h.get("/v1/accounts/venue"); !strings.Contains(got, sale) {
			t.Errorf("no %s in %s", sale, got)
		}
		h.must(`{"type":"clock","time":1790091117693}`)
		h.tellsExactly(`liquidation_order "account":"venue","liquidation":"16","market":"BTC","side":"sell","size":"0.03407","mark_price":"54400.0","left":"1.0","reason":"backstop_twap"`)
		trade := func(size, number string) string {
			return `{"type":"trade","market":"BTC","size":"` + size + `","price":"54400","buyer":{"account":"short"},` +
				`"seller":{"account":"venue","liquidation":{"id":"` + number + `","method":"market"}}}`
		}
		for number, isKnown := range map[string]bool{"16": true, "15": false} {
			status, reply, _ := h.do("POST", "/v1/commands", "application/json", trade("0.01", number))
			if status != 200 || strings.Contains(reply, `"unknown_liquidation":true`) == isKnown {
				t.Errorf("a trade of sale %s: %d %s", number, status, reply)
			}
		}
		h.must(`{"type":"clock","time":1790091147693}`)
		h.tellsExactly( // of each trade a tenth of 544 is margin no more
			`supplied "account":"venue","token":"USDC","amount":"54.4","balance":"995014.4"`,
			`supplied "account":"venue","token":"USDC","amount":"54.4","balance":"995068.8"`,
			`liquidation_order "account":"venue","liquidation":"16","market":"BTC","side":"sell","size":"0.03339","mark_price":"54400.0","left":"0.98","reason":"backstop_twap"`,
		)
	})
}

// TestLossIsClosedAgainstTheOtherSide: at 53,500 the long is 500 below zero. It is closed
// against the short at the mark before, which covers it.
func TestLossIsClosedAgainstTheOtherSide(t *testing.T) {
	t.Parallel()
	eachShardCount(t, func(h *lifeHouse) {
		h.tick(60001)
		h.tick(53500)
		h.tellsExactly(
			`order_released "account":"long","market":"BTC","order_id":"7","size":"0.5"`,
			`health_changed "account":"long","from":"healthy","to":"backstop"`,
			`liquidation_started "account":"long","liquidation":"17","token":"USDC","liquidation_value":"-500.0","requirement":"668.75","to":"backstop","reason":"negative_equity"`,
			`liquidation_step "account":"long","liquidation":"17","token":"USDC","liquidation_value":"-500.0","requirement":"668.75","reason":"negative_equity"`,
			`adl "account":"short","market":"BTC","side":"buy","size":"1.0","price":"60001.0","against":"long","reason":"negative_equity"`,
			`health_changed "account":"long","from":"backstop","to":"idle"`,
			`health_changed "account":"short","from":"healthy","to":"idle"`,
			`liquidation_ended "account":"long","liquidation":"17","from":"backstop","to":"idle"`,
		)
		h.balances("long", "6001.0")
		h.balances("short", "19999.0")
	})
}

// TestLossThatClosingLeavesIsShared: no account that is not closed bears any of it.
func TestLossThatClosingLeavesIsShared(t *testing.T) {
	t.Parallel()
	eachShardCount(t, func(h *lifeHouse) {
		h.must(`{"type":"set_parameters","liquidation":false}`)
		h.tick(53500)
		h.tellsExactly(`health_changed "account":"long","from":"healthy","to":"backstop"`)
		if reply := h.get("/v1/accounts/long/margin"); !strings.Contains(reply, `"liquidation_stage":null`) {
			t.Error(reply)
		}
		h.must(`{"type":"set_parameters","liquidation":true}`)
		h.tick(53400)
		h.tellsExactly(
			`order_released "account":"long","market":"BTC","order_id":"7","size":"0.5"`,
			`liquidation_started "account":"long","liquidation":"18","token":"USDC","liquidation_value":"-600.0","requirement":"667.5","to":"backstop","reason":"negative_equity"`,
			`liquidation_step "account":"long","liquidation":"18","token":"USDC","liquidation_value":"-600.0","requirement":"667.5","reason":"negative_equity"`,
			`adl "account":"short","market":"BTC","side":"buy","size":"1.0","price":"53500.0","against":"long","reason":"negative_equity"`,
			`loss_covered "account":"short","token":"USDC","amount":"500.0","loss":"600.0","against":"long","reason":"shared"`,
			`health_changed "account":"long","from":"backstop","to":"idle"`,
			`health_changed "account":"short","from":"healthy","to":"idle"`,
			`liquidation_ended "account":"long","liquidation":"18","from":"backstop","to":"idle"`,
		)
		h.balances("long", "0.0")
		h.balances("short", "26000.0")
		h.balances("venue", "1000000.0")
	})
}

// TestIsolatedPositionIsLiquidatedAlone: it has 150 against maintenance 187.5; the account has ten
// thousand beside it, which has no say.
func TestIsolatedPositionIsLiquidatedAlone(t *testing.T) {
	t.Parallel()
	eachShardCount(t, func(h *lifeHouse) {
		h.must(
			`{"type":"list_dex","dex":"xyz","index":1,"collateral_token":"USDC"}`,
			`{"type":"list_perp","perp":"xyz:TSLA","index":3,"dex":"xyz","sz_decimals":3,"collateral_token":"USDC","tiers":[{"lower_bound":"0","max_leverage":10}],"margin_mode":"strict_isolated","funding_cap":"0.04"}`,
			`{"type":"prices","marks":{"xyz:TSLA":"400"},"oracles":{"xyz:TSLA":"400"}}`,
			`{"type":"open_account","account":"iso","mode":"unified"}`,
			`{"type":"deposit","account":"iso","token":"USDC","amount":"10000"}`,
			`{"type":"set_leverage","account":"iso","perp":"xyz:TSLA","leverage":10,"margin":"isolated"}`,
			`{"type":"fill","account":"iso","market":"xyz:TSLA","side":"buy","size":"10","price":"400"}`,
		)
		h.tellsExactly(`health_changed "account":"iso","from":"idle","to":"healthy"`)
		h.must(`{"type":"prices","marks":{"xyz:TSLA":"375"}}`)
		figures := `"account":"iso","liquidation":"23","market":"xyz:TSLA","token":"USDC","liquidation_value":"150.0","requirement":"187.5"`
		h.tellsExactly(
			`health_changed "account":"iso","from":"healthy","to":"liquidatable"`,
			`liquidation_started `+figures+`,"to":"liquidatable","reason":"isolated_maintenance_margin"`,
			`liquidation_step `+figures+`,"reason":"isolated_maintenance_margin"`,
			`liquidation_order "account":"iso","liquidation":"23","market":"xyz:TSLA","side":"sell","size":"10.0","mark_price":"375.0","reason":"isolated_maintenance_margin"`,
		)
		if got, want := h.info(`{"type":"liquidatable"}`), `[{"user":"iso","positionIndex":{"isolated":{"asset":110003}},"marginAvailable":[150.0,187.5]}]`; got != want {
			t.Errorf("liquidatable is %s, want %s", got, want)
		}
		h.must(`{"type":"prices","marks":{"xyz:TSLA":"372"}}`) // 120 < 2/3 of 186, but of another dex and without cross margin
		h.tellsExactly(
			`health_changed "account":"iso","from":"liquidatable","to":"backstop","market":"xyz:TSLA","token":"USDC","liquidation_value":"120.0","requirement":"186.0","ratio":"1.55","ratio_before":"1.25"`,
			`liquidation_step "account":"iso","liquidation":"23","market":"xyz:TSLA","token":"USDC","liquidation_value":"120.0","requirement":"186.0","reason":"isolated_maintenance_margin"`,
			`liquidation_order "account":"iso","liquidation":"23","market":"xyz:TSLA","side":"sell","size":"10.0","mark_price":"372.0","reason":"isolated_maintenance_margin"`,
		)
		h.must(`{"type":"set_parameters","backstop_cross_only":false}`, `{"type":"clock","time":1790091088693}`)
		h.tellsExactly(
			`liquidation_step "account":"iso","liquidation":"23","market":"xyz:TSLA","token":"USDC","liquidation_value":"120.0","requirement":"186.0","reason":"backstop"`,
			`backstop_takeover "account":"iso","liquidation":"23","market":"xyz:TSLA","side":"buy","size":"10.0","price":"372.0","reason":"backstop"`,
			`backstop_takeover "account":"iso","liquidation":"23","market":"xyz:TSLA","token":"USDC","amount":"120.0"`,
			`unsupplied "account":"venue","token":"USDC","amount":"252.0"`, // a tenth of 3,720, less what came with it
			`health_changed "account":"venue","from":"idle","to":"healthy"`,
			`health_changed "account":"iso","from":"backstop","to":"idle"`,
			`liquidation_ended "account":"iso","liquidation":"23","from":"backstop","to":"idle"`,
		)
		h.balances("iso", "9600.0")
		h.balances("venue", "1000120.0")
	})
}

func TestUnknownLiquidatorIsRefused(t *testing.T) {
	h := newLifeHouse(t, 2)
	status, reply, _ := h.do("POST", "/v1/commands", "application/json", `{"type":"set_parameters","backstop_account":"nobody"}`)
	if status != 422 || !strings.Contains(reply, `"code":"unknown_account"`) || !strings.Contains(reply, `"field":"backstop_account"`) {
		t.Errorf("%d %s", status, reply)
	}
	for _, limit := range []string{"-1", "0.0000000001"} {
		status, reply, _ = h.do("POST", "/v1/commands", "application/json", `{"type":"set_parameters","backstop_limit":"`+limit+`"}`)
		if status != 422 || !strings.Contains(reply, `"code":"invalid_amount"`) || !strings.Contains(reply, `"field":"backstop_limit"`) {
			t.Errorf("%s: %d %s", limit, status, reply)
		}
	}
}
