package risk

import (
	"fmt"
	"hash/fnv"
	"reflect"
	"slices"
	"testing"

	"plimsoll/fixedpoint"
)

// scratchFields says, for every field of Machine, what a scratch machine does with it. A new
// field must be put into one of the rows: a scratch that lacks what listings or prices have
// derived gives wrong answers, and one that shares what commands write changes the real
// machine.
var scratchFields = map[string][]string{
	"copied in Scratch.enter": {
		"cfg", "seq", "timeMs", "haltAll", "params", "numeraire", "tokenCount", "perpCount", "spotCount", "accountCount",
		"passTerms", "pools", "own", "foreign", "hot", "accounts", "positions", "balances", "orders", "liquidations", "sale",
	},
	"shared, and saved before it is written":         {"perps", "hotPerps", "spots"},
	"shared, and copied before it is written":        {"tokens", "firstFed", "isRepriceDue"},
	"shared, and never written by what is simulated": {"dexes", "opened", "clients"},
	"the scratch's own, which nothing it says depends on": {
		"lent", "fixedE12", "pass", "base", "sums", "ledgers", "track", "counting", "events", "eventSpare", "changed", "changedBits", "answer", "fig", "wishBuf",
		"grantBuf", "joined", "sweptE12", "sweepSubUnit", "bands", "corner", "isTick", "isRestoring", "noBalance", "isScratch", "staleCount", "past",
		"fixedE12", "pass", "round", "askBuf", "heldBuf", "deficits", "needs", "shares", "ranking", "isExhausted",
		"bookBuf", "takenBuf", "owedBuf", "broken", "queues", "queued", "rankBuf", "rankOf", "movedPrices",
	},
}

func TestScratchKnowsEveryFieldOfTheMachine(t *testing.T) {
	t.Parallel()
	var known []string
	for _, names := range scratchFields {
		known = append(known, names...)
	}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[Machine]()) {
		if len(f.Index) == 1 && !slices.Contains(known, f.Name) {
			t.Errorf("Machine.%s: say in scratchFields what a scratch does with it (whatif.go)", f.Name)
		}
	}
}

// fingerprint hashes every byte that a machine holds, pointers aside.
func fingerprint(m *Machine) uint64 {
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%+v", *m)
	return h.Sum64()
}

// carryDesk is spec 5.2 with a second position, an isolated one, orders and a spot market.
func carryDesk(t testing.TB) (d *desk, account uint32) {
	d = newDesk(t)
	d.standard()
	d.lent("lender", "1000000")
	d.prices("BTC", "100000", "t:UBTC", "100000", "ETH", "3000")
	a := d.open("carry", ModePortfolio)
	d.must(d.fund(KindDeposit, a, "UBTC", "1"))
	d.must(d.leverage(a, "BTC", 10, false))
	d.must(d.fillOf(a, "BTC", "-1", "100000"))
	d.must(d.fillOf(a, "ETH", "2", "3000"))
	d.must(d.orderOf(a, "ETH", "1", "2900"))
	return d, a
}

// TestSimulatingLeavesNotAByte compares everything a machine holds before and after
// simulations that touch every table: prices, fills, orders, lending, refused ones too.
func TestSimulatingLeavesNotAByte(t *testing.T) {
	d, a := carryDesk(t)
	scratch := NewScratch()
	var v SimulationView
	var x CrossingView
	var view AccountView
	tick := Command{Kind: KindPrices}
	tick.SetPrice(0, PriceMark, d.perps["BTC"], 90000, 0)
	tick.SetPrice(1, PriceTokenOracle, d.tokens["UBTC"], 90000, 0)
	tick.SetPrice(2, PriceOracle, d.perps["ETH"], 1500, 0)
	crash := tick
	crash.Num[0], crash.Num[1] = 1_000_000, 1_000_000
	groups := []Command{
		d.fund(KindDeposit, a, "USDC", "1000"), d.fund(KindWithdraw, a, "UBTC", "5"), d.fillOf(a, "ETH", "-5", "3100"), tick,
		d.fillOf(a, "XPL", "10", "100"), d.orderOf(a, "BTC", "1", "80000"),
		{Kind: KindClock, TimeMs: 1 << 41},
		crash,
	}
	d.m.StateHash()
	before := fingerprint(d.m)
	for range 2 {
		if !scratch.Simulate(d.m, a, groups, &v) || len(v.Answers) != len(groups) {
			t.Fatalf("%d answers", len(v.Answers))
		}
		if after := fingerprint(d.m); after != before {
			t.Fatal("a simulation changed the machine")
		}
		if !scratch.ReadCrossings(d.m, a, &x, &view) {
			t.Fatal("crossings not read")
		}
		if after := fingerprint(d.m); after != before {
			t.Fatal("reading crossings changed the machine")
		}
	}
	if v.Answers[1].Reason == ReasonNone || v.Answers[3].Reason != ReasonNone || v.After.Margin.Health < HealthLiquidatable {
		t.Errorf("answers %v, health %v: the test is too tame", v.Answers, v.After.Margin.Health)
	}
	if v.Before.Margin.PortfolioMarginRatio == v.After.Margin.PortfolioMarginRatio {
		t.Error("nothing was simulated")
	}
}

// TestScratchSeesThePoolsWhole splits each pool into the account's own share and the rest,
// which together must be what all shards hold.
func TestScratchSeesThePoolsWhole(t *testing.T) {
	d, a := carryDesk(t)
	d.prices("BTC", "150000", "t:UBTC", "150000") // the carry trade borrows
	d.must(Command{Kind: KindRecheck, Ref: [4]uint32{a, 0, 0, 0}})
	d.m.SetForeign(0, Totals{Supply: fixedpoint.I128(700), Debt: fixedpoint.I128(300), Cash: fixedpoint.I128(400)})
	scratch := NewScratch()
	for slot := range uint32(2) {
		if !scratch.enter(d.m, slot, ordersToo) {
			t.Fatalf("account %d is not open", slot)
		}
		for i := range d.m.pools {
			if got, want := scratch.m.totalsOf(i), d.m.totalsOf(i); got != want {
				t.Errorf("account %d pool %d: %v, want %v", slot, i, got, want)
			}
		}
		if slot == a && scratch.m.own[0].Debt.IsZero() {
			t.Error("the carry trade owes nothing: the test is too tame")
		}
		scratch.leave()
	}
}

func BenchmarkSimulate(b *testing.B) {
	d, a := carryDesk(b)
	scratch := NewScratch()
	var v SimulationView
	tick := Command{Kind: KindPrices}
	tick.SetPrice(0, PriceMark, d.perps["BTC"], 90000, 0)
	tick.SetPrice(1, PriceTokenOracle, d.tokens["UBTC"], 90000, 0)
	for name, groups := range map[string][]Command{
		"commands=0": nil,
		"order":      {d.orderOf(a, "ETH", "1", "2900")},
		"tick":       {tick},
		"deposit+order+fill+tick": {
			d.fund(KindDeposit, a, "USDC", "1000"), d.orderOf(a, "ETH", "1", "2900"), d.fillOf(a, "ETH", "-1", "3000"), tick,
		},
	} {
		b.Run(name, func(b *testing.B) {
			scratch.Simulate(d.m, a, groups, &v)
			for range v.Answers {
				if v.Answers[0].Reason != ReasonNone {
					b.Fatal(v.Answers[0])
				}
			}
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				scratch.Simulate(d.m, a, groups, &v)
			}
		})
	}
}

func BenchmarkExplain(b *testing.B) {
	d, a := carryDesk(b)
	var v ExplainView
	d.m.Explain(a, &v)
	b.ReportMetric(float64(len(v.Nodes)), "nodes")
	b.ReportAllocs()
	for range b.N {
		d.m.Explain(a, &v)
	}
}

func BenchmarkCrossings(b *testing.B) {
	d, a := carryDesk(b)
	scratch := NewScratch()
	var v CrossingView
	var view AccountView
	b.ReportAllocs()
	for range b.N {
		scratch.ReadCrossings(d.m, a, &v, &view)
	}
}
