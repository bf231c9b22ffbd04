package api

import (
	"encoding/json"
	"strings"
	"testing"

	"plimsoll/fixedpoint"
	"plimsoll/risk"
)

// TestEventsOnTheWire has one line per kind; a kind without a line fails.
func TestEventsOnTheWire(t *testing.T) {
	h := newEventHouse(t, 1, 1024)
	h.crowd(2)
	h.must(token("HYPE", 150, 8, "0.5", ""), `{"type":"list_spot","spot":"HYPE/USDC","index":107,"base":"HYPE","quote":"USDC"}`)
	dir := h.server.dir
	first, second := dir.Account([]byte("crowd-0")), dir.Account([]byte("crowd-1"))
	const wide = risk.NoSlot
	i128 := fixedpoint.I128
	seen := map[risk.EventKind]bool{risk.EventNone: true, risk.EventResult: true}
	for _, c := range []struct {
		e    risk.Event
		want string // behind the time
	}{
		{
			risk.Event{Kind: risk.EventHealthChanged, Account: first, Token: wide, From: risk.HealthHealthy, To: risk.HealthAtRisk},
			`"account":"crowd-0","from":"healthy","to":"at_risk"`,
		},
		{
			risk.Event{Kind: risk.EventHealthChanged, Account: first, Amount: i128(200), Amount2: i128(150), Decimals: 2, To: risk.HealthAtRisk, Flags: risk.EventHasBefore, OrderHi: risk.RatioInfinite},
			`"account":"crowd-0","from":"idle","to":"at_risk","market":"BTC","token":"USDC","liquidation_value":"2.0","requirement":"1.5","ratio":"0.75","ratio_before":null`,
		},
		{
			risk.Event{Kind: risk.EventLendingHealthChanged, Account: first, FromLending: risk.LendingHealthy},
			`"account":"crowd-0","from":"healthy","to":"healthy"`,
		},
		{
			risk.Event{Kind: risk.EventBorrowed, Account: first, Amount: i128(150), Amount2: i128(250), Decimals: 2},
			`"account":"crowd-0","token":"USDC","amount":"1.5","balance":"2.5"`,
		},
		{risk.Event{Kind: risk.EventRepaid, Account: first, Amount: i128(1), Decimals: 0}, `"account":"crowd-0","token":"USDC","amount":"1.0","balance":"0.0"`},
		{risk.Event{Kind: risk.EventSupplied, Account: first}, `"account":"crowd-0","token":"USDC","amount":"0.0","balance":"0.0"`},
		{risk.Event{Kind: risk.EventUnsupplied, Account: first}, `"account":"crowd-0","token":"USDC","amount":"0.0"`},
		{risk.Event{Kind: risk.EventInterest, Account: risk.NoAccount, Amount: i128(7), Decimals: 8}, `"token":"USDC","amount":"0.00000007"`},
		{risk.Event{Kind: risk.EventCapReached, Account: first, Amount: i128(7)}, `"account":"crowd-0","token":"USDC","amount":"7.0"`},
		{risk.Event{Kind: risk.EventFunding, Account: risk.NoAccount, Token: wide, Amount: i128(-125), Decimals: 7}, `"market":"BTC","rate":"-0.0000125"`},
		{risk.Event{Kind: risk.EventModeChanged, Account: first, Amount: i128(int64(risk.ModePortfolio))}, `"account":"crowd-0","mode":"portfolio"`},
		{risk.Event{Kind: risk.EventHalted, Account: risk.NoAccount, Market: wide}, `"all":true`},
		{risk.Event{Kind: risk.EventResumed, Account: risk.NoAccount}, `"market":"BTC"`},
		{risk.Event{Kind: risk.EventPriceStale, Account: risk.NoAccount, Token: wide, Amount: fixedpoint.I128(600001), Decimals: 1, OrderLo: 7}, `"market":"BTC","price":"60000.1","price_time":7`},
		{risk.Event{Kind: risk.EventPriceFresh, Account: risk.NoAccount, Market: risk.NoSlot, Token: 0}, `"token":"USDC","price":"0.0"`},
		{
			risk.Event{Kind: risk.EventOrderReleased, Account: first, Token: wide, OrderLo: 9, OrderForm: risk.FormUint, Amount: i128(5), Decimals: 1},
			`"account":"crowd-0","market":"BTC","order_id":"9","size":"0.5"`,
		},
		{
			risk.Event{Kind: risk.EventLiquidationStarted, Account: first, Market: wide, OrderLo: 3, OrderForm: risk.FormUint, Amount: i128(9), Amount2: i128(10), Rule: risk.RuleMaintenance, To: risk.HealthLiquidatable},
			`"account":"crowd-0","liquidation":"3","token":"USDC","liquidation_value":"9.0","requirement":"10.0","to":"liquidatable","reason":"maintenance_margin"`,
		},
		{
			risk.Event{Kind: risk.EventLiquidationStep, Account: first, OrderLo: 3, OrderForm: risk.FormUint, Amount: i128(9), Amount2: i128(10), Rule: risk.RuleIsolatedMaintenance},
			`"account":"crowd-0","liquidation":"3","market":"BTC","token":"USDC","liquidation_value":"9.0","requirement":"10.0","reason":"isolated_maintenance_margin"`,
		},
		{
			risk.Event{Kind: risk.EventLiquidationOrder, Account: first, Token: wide, OrderLo: 3, OrderForm: risk.FormUint, Amount: i128(-25), Amount2: i128(60000_00001), Decimals: 1, Rule: risk.RuleMaintenance},
			`"account":"crowd-0","liquidation":"3","market":"BTC","side":"sell","size":"2.5","mark_price":"60000.00001","reason":"maintenance_margin"`,
		},
		{
			risk.Event{Kind: risk.EventLiquidationOrder, Account: first, Market: risk.SpotBit, Token: wide, OrderHi: 40, OrderLo: 3, OrderForm: risk.FormUint, Amount: i128(-25), Amount2: i128(45_0000000000), Decimals: 1, Rule: risk.RuleBackstopTWAP},
			`"account":"crowd-0","liquidation":"3","market":"HYPE/USDC","side":"sell","size":"2.5","oracle_price":"45.0","left":"4.0","reason":"backstop_twap"`,
		},
		{
			risk.Event{Kind: risk.EventLiquidationEnded, Account: first, Market: wide, Token: wide, OrderLo: 3, OrderForm: risk.FormUint, From: risk.HealthLiquidatable, To: risk.HealthHealthy},
			`"account":"crowd-0","liquidation":"3","from":"liquidatable","to":"healthy"`,
		},
		{
			risk.Event{Kind: risk.EventBackstopTakeover, Account: first, Token: wide, OrderLo: 3, OrderForm: risk.FormUint, Amount: i128(2), Amount2: i128(5), Decimals: 6, Rule: risk.RuleBackstop},
			`"account":"crowd-0","liquidation":"3","market":"BTC","side":"buy","size":"0.000002","price":"5.0","reason":"backstop"`,
		},
		{
			risk.Event{Kind: risk.EventBackstopTakeover, Account: first, Market: wide, Amount: i128(2), Rule: risk.RulePartialBorrow},
			`"account":"crowd-0","token":"USDC","amount":"2.0","reason":"partial_borrow"`,
		},
		{
			risk.Event{Kind: risk.EventADL, Account: first, Token: wide, OrderLo: uint64(second), Amount: i128(-2), Amount2: i128(5), Rule: risk.RuleNegative},
			`"account":"crowd-0","market":"BTC","side":"sell","size":"2.0","price":"0.000005","against":"crowd-1","reason":"negative_equity"`,
		},
		{
			risk.Event{Kind: risk.EventLossCovered, Account: first, Market: wide, Amount: i128(2), Amount2: i128(3), Rule: risk.RuleBuffer},
			`"account":"crowd-0","token":"USDC","amount":"2.0","loss":"3.0","reason":"buffer"`,
		},
		{
			risk.Event{Kind: risk.EventLossCovered, Account: first, Market: wide, OrderLo: uint64(second), Amount: i128(2), Amount2: i128(3), Rule: risk.RuleShared},
			`"account":"crowd-0","token":"USDC","amount":"2.0","loss":"3.0","against":"crowd-1","reason":"shared"`,
		},
	} {
		c.e.Seq, c.e.N, c.e.TimeMs = 5, 2, 9
		seen[c.e.Kind] = true
		want := `{"seq":5,"n":2,"type":"` + c.e.Kind.String() + `","time":9,` + c.want + `}`
		if got := string(appendEvent(nil, &c.e, dir)); got != want || !json.Valid([]byte(got)) {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if kind, ok := eventKind([]byte(c.e.Kind.String())); !ok || kind != c.e.Kind {
			t.Errorf("type %s is kind %d for a filter", c.e.Kind, kind)
		}
	}
	for k := risk.EventNone; k.String() != "none" || k == risk.EventNone; k++ {
		if !seen[k] && !strings.HasPrefix(k.String(), "none") {
			t.Errorf("no line for %s", k)
		}
	}
}
