package risk

import "testing"

// guarded lists a perp with a max_price_age and a price_band.
func (d *desk) guarded(name string, sz uint8, ageMs int64, band string) {
	d.t.Helper()
	c := Command{Kind: KindListPerp, Leverage: uint16(sz)}
	c.Ref = [4]uint32{0, d.perps[name], d.perps[name], d.tokens["USDC"]}
	c.SetNum(2, ageMs, 0)
	if band != "" {
		d.set(&c, 3, band)
	}
	part := Command{Kind: KindPartTiers, Mode: 1, Ref: [4]uint32{40}}
	d.must(c, part, nameRecord(name))
}

// guardedToken lists UBTC anew with a max_price_age.
func (d *desk) guardedToken(ageMs int64, perp string) {
	d.t.Helper()
	c := Command{Kind: KindListToken, Mode: 10, Leverage: 5}
	c.Ref = [4]uint32{0, 197, NoSlot, d.tokens["UBTC"]}
	if p, ok := d.perps[perp]; ok {
		c.Ref[RefMarket] = p
	}
	for i, s := range []string{"2000", "0", "200", "0"} {
		d.set(&c, i, s)
	}
	rates, limits := Command{Kind: KindPartRates}, Command{Kind: KindPartLimits}
	for i, s := range []string{"0.5", "0.05", "4.75", "0.8"} {
		d.set(&rates, i, s)
	}
	d.set(&limits, 0, "0.1")
	limits.SetNum(2, ageMs, 0)
	d.must(c, rates, limits, nameRecord("UBTC"))
}

// clock moves engine time on and returns the events of the clock command, less its answer.
func (d *desk) clock(ms int64) []Event {
	d.t.Helper()
	d.time += ms
	d.must(Command{Kind: KindClock})
	return append([]Event(nil), d.m.Events()[1:]...)
}

func kindsOf(events []Event, kinds ...EventKind) (found []Event) {
	for _, e := range events {
		for _, k := range kinds {
			if e.Kind == k {
				found = append(found, e)
			}
		}
	}
	return found
}

func TestAStalePriceIsToldOnceAndAgainWhenFresh(t *testing.T) {
	d := newDesk(t)
	d.standard()
	d.time = 1_000_000_000_000
	d.guarded("BTC", 5, 3_000, "")
	d.clock(0)
	d.prices("BTC", "100000")
	if e := kindsOf(d.clock(3_000), EventPriceStale); len(e) != 0 {
		t.Fatalf("stale at its age: %v", e)
	}
	e := kindsOf(d.clock(1), EventPriceStale, EventPriceFresh)
	if len(e) != 1 || e[0].Kind != EventPriceStale || e[0].Market != d.perps["BTC"] || e[0].Account != NoAccount || e[0].Phase != phaseGlobal {
		t.Fatalf("events past its age: %+v, want price_stale of BTC", e)
	}
	if e = kindsOf(d.clock(1_000), EventPriceStale, EventPriceFresh); len(e) != 0 {
		t.Errorf("told again: %+v", e)
	}
	hash := d.m.StateHash()
	d.prices("BTC", "100001")
	if e = kindsOf(d.m.Events(), EventPriceFresh); len(e) != 1 || text(Amount{V: e[0].Amount, Decimals: e[0].Decimals}) != "100001.0" {
		t.Errorf("events of the next tick: %+v, want price_fresh", e)
	}
	if d.m.StateHash() == hash {
		t.Error("what is told is not in the state hash")
	}
}

func TestNobodyIsLiquidatedOnAFrozenPrice(t *testing.T) {
	d := newDesk(t)
	d.standard()
	d.time = 1_000_000_000_000
	d.guarded("BTC", 5, 3_000, "")
	d.clock(0)
	a := d.open("trader", ModeStandard)
	d.must(d.fund(KindDeposit, a, "USDC", "2000"))
	d.prices("BTC", "100000", "o:BTC", "100000", "ETH", "1000")
	d.must(d.fillOf(a, "BTC", "1", "100000"))
	d.must(d.fillOf(a, "ETH", "1", "1000"))
	d.time += 4_000 // BTC stands; ETH falls to where the account is under water
	d.prices("ETH", "1")
	for range 5 {
		if e := kindsOf(d.clock(2_000), EventLiquidationStarted, EventLiquidationOrder, EventOrderReleased); len(e) != 0 {
			t.Fatalf("liquidated on a price %d ms old: %+v", d.time-1_000_000_000_000, e[0])
		}
	}
	d.time += 1_000
	d.prices("BTC", "100000") // fresh again, and still under water
	if e := kindsOf(d.m.Events(), EventLiquidationStarted, EventLiquidationOrder); len(e) < 2 {
		t.Errorf("events of the tick that freshens BTC: %+v, want liquidation", d.m.Events())
	}
}

func TestAHaltedMarketLiquidatesNobody(t *testing.T) {
	d := newDesk(t)
	d.standard()
	a := d.open("trader", ModeStandard)
	d.must(d.fund(KindDeposit, a, "USDC", "3000"))
	d.prices("BTC", "100000")
	d.must(d.fillOf(a, "BTC", "1", "100000"))
	halt := Command{Kind: KindHalt, Flags: FlagMarket}
	halt.Ref = [4]uint32{0, 0, d.perps["BTC"], 0}
	d.must(halt)
	d.prices("BTC", "90000")
	if e := kindsOf(d.m.Events(), EventLiquidationStarted); len(e) != 0 {
		t.Fatalf("liquidated on the price of a halted market: %+v", e)
	}
	halt.Kind = KindResume
	d.must(halt)
	d.time += 1_000
	d.prices("BTC", "90000")
	if e := kindsOf(d.m.Events(), EventLiquidationStarted); len(e) != 1 {
		t.Errorf("events after resume: %+v, want liquidation_started", d.m.Events())
	}
}

func TestNoNewRiskOnAStaleBorrowPrice(t *testing.T) {
	d := newDesk(t)
	d.standard()
	d.time = 1_000_000_000_000
	d.clock(0)
	d.guardedToken(3_000, "")
	d.lent("lender", "1000000")
	d.prices("BTC", "100000", "t:UBTC", "100000")
	a := d.open("carry", ModePortfolio)
	d.must(d.fund(KindDeposit, a, "UBTC", "1"))
	d.must(d.fillOf(a, "BTC", "-0.1", "100000"))
	d.must(d.orderOf(a, "BTC", "-0.1", "100000"))
	d.time += 3_001
	d.refuses(ReasonPriceStale, d.orderOf(a, "BTC", "-0.1", "100000"))
	d.refuses(ReasonPriceStale, d.fund(KindWithdraw, a, "UBTC", "0.01"))
	d.refuses(ReasonPriceStale, d.fund(KindBorrow, a, "USDC", "1"))
	less := d.orderOf(a, "BTC", "0.1", "100000")
	less.Flags |= FlagReduceOnly
	d.must(less) // what reduces is always taken
	if e := kindsOf(d.clock(0), EventPriceStale); len(e) != 1 || e[0].Token != d.tokens["UBTC"] {
		t.Errorf("events: %+v, want price_stale of UBTC", e)
	}
	d.prices("t:UBTC", "100000")
	d.must(d.orderOf(a, "BTC", "-0.1", "100000"))
	d.must(d.fund(KindWithdraw, a, "UBTC", "0.01"))
}

// TestStaleInputsLeaveTheMedian: decision 8.19, by age.
func TestStaleInputsLeaveTheMedian(t *testing.T) {
	d := newDesk(t)
	d.standard()
	d.time = 1_000_000_000_000
	d.clock(0)
	d.guardedToken(3_000, "BTC")
	price := func() Amount { return d.m.ReadTokens(d.m.ReadTotals(nil))[d.tokens["UBTC"]].OraclePx }
	class := func() PriceClass { return d.m.tokenClass(d.tokens["UBTC"]) }
	d.prices("UBTC/USDC", "100", "BTC", "110", "o:BTC", "130")
	wants(t, "median of three", price(), "110.0")
	d.time += 2_000
	d.prices("BTC", "112")
	d.time += 2_000 // spot and oracle are 4 s old
	d.prices("BTC", "114")
	wants(t, "the one that is fresh", price(), "114.0")
	d.prices("o:BTC", "116")
	wants(t, "mean of two", price(), "115.0")
	if got := class(); got != PriceFresh {
		t.Errorf("class %v, want fresh", got)
	}
	d.clock(4_000)
	wants(t, "last value", price(), "115.0")
	if got := class(); got != PriceStale {
		t.Errorf("class %v, want stale", got)
	}
	d.prices("UBTC/USDC", "90")
	wants(t, "one again", price(), "90.0")
	if got := class(); got != PriceFresh {
		t.Errorf("class %v, want fresh", got)
	}
}

func TestAPriceOutsideItsBandIsRefusedWhileTheLastIsFresh(t *testing.T) {
	d := newDesk(t)
	d.standard()
	d.time = 1_000_000_000_000
	d.guarded("BTC", 5, 10_000, "0.1")
	d.prices("BTC", "100", "o:BTC", "100", "ETH", "5")
	d.prices("BTC", "110") // the edge is inside
	tick := Command{Kind: KindPrices}
	tick.SetPrice(0, PriceMark, d.perps["ETH"], 6, 0)
	tick.SetPrice(1, PriceMark, d.perps["BTC"], 1211, 1)
	e := d.refuses(ReasonInvalidPrice, tick)
	wants(t, "value", Amount{V: e.Amount, Decimals: e.Decimals}, "121.1")
	wants(t, "limit", Amount{V: e.Amount2, Decimals: e.Decimals}, "121.0")
	if e.Field != 1 || e.Rule != RulePriceBand {
		t.Errorf("field %d rule %v, want 1 price_band", e.Field, e.Rule)
	}
	tick.SetPrice(1, PriceMark, d.perps["BTC"], 989, 1)
	wants(t, "lower limit", Amount{V: d.refuses(ReasonInvalidPrice, tick).Amount2, Decimals: 1}, "99.0")
	tick.SetPrice(1, PriceOracle, d.perps["BTC"], 111, 0)
	d.refuses(ReasonInvalidPrice, tick)
	d.time += 10_001 // the last is stale: it bounds nothing
	tick.SetPrice(1, PriceMark, d.perps["BTC"], 1, 0)
	d.must(tick)
	c := Command{Kind: KindListPerp, Leverage: 5}
	c.Ref = [4]uint32{0, 0, 0, d.tokens["USDC"]}
	d.set(&c, 3, "0.1")
	d.refuses(ReasonInvalidListing, c, Command{Kind: KindPartTiers, Mode: 1, Ref: [4]uint32{40}}, nameRecord("BTC")) // no age
}

func TestABandKeepsAPriceOutOfQuotes(t *testing.T) {
	d := newDesk(t)
	d.standard()
	tick := Command{Kind: KindPrices}
	tick.SetPrice(0, PriceMark, d.perps["BTC"], 100, 0)
	if _, ok := d.m.Quotes().Takes(&tick, 0); !ok {
		t.Fatal("a price without a band is not quoted")
	}
	d.guarded("BTC", 5, 1_000, "0.5")
	if _, ok := d.m.Quotes().Takes(&tick, 0); ok {
		t.Error("a price with a band is quoted: merged ticks could be refused where each alone is taken")
	}
}

func TestGuardsSurviveACapture(t *testing.T) {
	d := newDesk(t)
	d.standard()
	d.time = 1_000_000_000_000
	d.guarded("BTC", 5, 3_000, "0.1")
	d.guardedToken(3_000, "BTC")
	d.clock(0)
	d.prices("BTC", "100000", "o:BTC", "100000", "UBTC/USDC", "100000")
	rates := Command{Kind: KindFunding}
	rates.SetPrice(0, PriceMark, d.perps["BTC"], 1, 4)
	d.must(rates)
	d.clock(3_600_000)
	m := New(Config{Shards: 1, AccountsMax: 256})
	header := d.m.BeginCapture(nil)
	shared := d.m.AppendShared(nil)
	accounts, isEnd := []byte(nil), false
	for !isEnd {
		accounts, isEnd = d.m.Capture(accounts, 1000)
	}
	d.m.EndCapture()
	for _, err := range []error{m.RestoreShared(shared), m.RestoreShard(header), m.RestoreAccounts(accounts), m.FinishRestore()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if m.StateHash() != d.m.StateHash() {
		t.Error("another state hash")
	}
	if m.staleCount != d.m.staleCount || m.staleCount != 2 {
		t.Errorf("%d prices told as stale, want %d", m.staleCount, d.m.staleCount)
	}
	was := d.m
	d.m = m
	d.prices("BTC", "50000") // the last is stale in both
	if e := kindsOf(d.m.Events(), EventPriceFresh); len(e) != 2 {
		t.Errorf("events: %+v, want the mark and the token fresh", e)
	}
	got, want := m.ReadFundingRates(nil, d.perps["BTC"], 0, 1<<62, 10), was.ReadFundingRates(nil, d.perps["BTC"], 0, 1<<62, 10)
	if len(got) != 1 || got[0] != want[0] {
		t.Errorf("funding history %v, want %v", got, want)
	}
	if hours := m.ReadPoolRates(nil, d.tokens["USDC"], 0, 1<<62, 10); len(hours) != 1 {
		t.Errorf("pool history %v, want an hour", hours)
	}
}
