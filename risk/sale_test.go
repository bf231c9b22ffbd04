package risk

import (
	"math/big"
	"slices"
	"testing"

	"plimsoll/fixedpoint"
)

// TestSaleKeepsHalfInTenMinutes compares the table with powers of two taken to 200 bits, and slices
// one by one with the same time at once.
func TestSaleKeepsHalfInTenMinutes(t *testing.T) {
	t.Parallel()
	root := new(big.Float).SetPrec(200).SetInt64(2) // 2^(1/20) = sqrt(sqrt(2^(1/5)))
	fifth := big.NewFloat(1.148698354997035).SetPrec(200)
	for range 8 { // Newton's steps towards x^5 = 2
		power := new(big.Float).SetPrec(200).SetInt64(1)
		for range 4 {
			power.Mul(power, fifth)
		}
		rest := new(big.Float).SetPrec(200).Quo(root, power)
		four := new(big.Float).SetPrec(200).Mul(fifth, big.NewFloat(4))
		fifth.Quo(four.Add(four, rest), big.NewFloat(5))
	}
	step := new(big.Float).SetPrec(200).Sqrt(new(big.Float).SetPrec(200).Sqrt(fifth))
	left := new(big.Float).SetPrec(200).SetInt64(shareOne)
	for n := range saleSlices {
		rounded, _ := new(big.Float).SetPrec(200).Add(left, big.NewFloat(0.5)).Int64()
		if saleKeepTable[n] != rounded {
			t.Errorf("2^(-%d/20) is %d, want %d", n, saleKeepTable[n], rounded)
		}
		left.Quo(left, step)
	}
	for _, size := range []int64{1, 7, 1_000_000, SizeMax} {
		if got := saleKept(size, saleSlices); got != size/2 {
			t.Errorf("of %d ten minutes keep %d", size, got)
		}
		by := size
		for n := int64(1); n <= 3*saleSlices; n++ {
			by = saleKept(by, 1)
			if once := saleKept(size, n); once < by || once-by > n {
				t.Errorf("of %d, %d slices keep %d at once and %d one by one", size, n, once, by)
			}
		}
	}
	if saleKept(SizeMax, 63*saleSlices) != 0 || saleKept(0, 5) != 0 {
		t.Error("something is kept of nothing")
	}
}

func TestSaleSizesAreNeverTooSmall(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ left, n, least, want int64 }{
		{10_000, 1, 10, 341},
		{10_000, 20, 10, 5000},
		{10_000, 2000, 10, 10_000},
		{100, 1, 10, 10},
		{19, 1, 10, 19},
		{5, 1, 10, 5},
		{20, 1, 10, 10},
		{1, 1, 0, 1},
	} {
		if got := saleSize(c.left, c.n, c.least); got != c.want {
			t.Errorf("of %d after %d slices, %d at least: %d, want %d", c.left, c.n, c.least, got, c.want)
		}
	}
}

// seller is a desk whose liquidator has taken over 10 ETH of bob's.
func seller(t *testing.T) (d *desk, desk, bob uint32) {
	d = newDesk(t)
	d.standard()
	d.time = 1_000_000
	d.prices("BTC", "100000", "ETH", "4000")
	desk, bob = d.open("desk", ModePortfolio), d.open("bob", ModeStandard)
	set := Command{Kind: KindSetParameters, Aux: ParamBackstopAccount | ParamBackstopTWAP | ParamTWAPValue}
	set.Ref[RefAccount] = desk
	d.must(set)
	d.must(d.fund(KindDeposit, desk, "USDC", "1000000"))
	d.must(d.fund(KindDeposit, bob, "USDC", "1600"))
	d.must(d.fillOf(bob, "ETH", "10", "4000"))
	d.prices("ETH", "3870")
	if len(d.m.sale.rows) != 1 || d.m.sale.rows[0].left != fixedpoint.I128(10*fixedpoint.Pow10(d.m.perps[d.perps["ETH"]].sz)) {
		t.Fatalf("the sale is %+v", d.m.sale)
	}
	return d, desk, bob
}

// TestCaptureHasTheSaleAsOfItsBeginning: the account of the sale is captured because it is about to
// change, in the newer format, and what is restored goes on alike.
func TestCaptureHasTheSaleAsOfItsBeginning(t *testing.T) {
	t.Parallel()
	d, desk, _ := seller(t)
	want := d.m.StateHash()
	taken := capture(d.m)
	d.time += 90_000
	next := []Command{{Kind: KindClock}}
	d.must(next...)
	events := slices.Clone(d.m.Events())
	if !slices.ContainsFunc(events, func(e Event) bool { return e.Rule == RuleBackstopTWAP }) {
		t.Fatalf("nothing is sold: %+v", events)
	}
	after := d.m.StateHash()
	if after == want {
		t.Error("a slice is no state")
	}
	taken.finish(d.m)
	m := taken.restore(t)
	if m.StateHash() != want || !slices.Equal(m.sale.rows, []saleRow{{key: d.perps["ETH"], left: d.m.sale.rows[0].left, sinceMs: d.m.sale.rows[0].sinceMs - 90_000}}) {
		t.Errorf("restored %+v", m.sale)
	}
	if !slices.Equal(m.Do(next), events) || m.StateHash() != after {
		t.Error("the restored machine goes on otherwise")
	}
	var alone []byte
	if alone = m.appendAccount(alone, desk); len(alone) > m.recordBound(&m.accounts[desk]) || alone[3] != recordVersionSale {
		t.Errorf("a record of %d bytes in format %d, bound %d", len(alone), alone[3], m.recordBound(&m.accounts[desk]))
	}
	if taken.shared[5] != sharedVersion {
		t.Errorf("the shared section has version %d", taken.shared[5])
	}
}

// TestCaptureOfBeforeThereWereSales: a shared section of the first format, and records without a
// sale, are read; a newer format is refused by name.
func TestCaptureOfBeforeThereWereSales(t *testing.T) {
	t.Parallel()
	d, _, _ := seller(t)
	set := Command{Kind: KindSetParameters, Aux: ParamBackstopTWAP}
	d.must(set) // off: what is not sold stays, and the sale is forgotten
	want := d.m.StateHash()
	taken := capture(d.m)
	taken.finish(d.m)
	const added = 1 + 1 + 1 // two bits and a limit of zero
	old := slices.Clone(taken.shared[:len(taken.shared)-added])
	old[5] = 1
	old = closeSection(old, 0)
	newer := slices.Clone(taken.shared)
	newer[5]++
	if err := New(Config{Shards: 1, AccountsMax: 256}).RestoreShared(newer); err != errVersion { //nolint:errorlint // ours
		t.Errorf("a newer format: %v", err)
	}
	taken.shared = old
	if m := taken.restore(t); m.StateHash() != want {
		t.Error("restored another state")
	}
}

// TestSaleFollowsWhatIsHeld: fills the sale's way count, flagged or not, others do not, and no order
// is for more than is held.
func TestSaleFollowsWhatIsHeld(t *testing.T) {
	t.Parallel()
	d, desk, bob := seller(t)
	left := func() float64 {
		if len(d.m.sale.rows) == 0 {
			return 0
		}
		v, _ := d.m.sale.rows[0].left.Int64()
		return float64(v) / float64(fixedpoint.Pow10(d.m.perps[d.perps["ETH"]].sz))
	}
	flagged := d.fillOf(desk, "ETH", "-1", "3870")
	flagged.Flags, flagged.Aux = flagged.Flags|FlagLiquidation, d.m.sale.number
	for _, c := range []struct {
		command Command
		want    float64
		unknown bool
	}{
		{flagged, 9, false},
		{d.fillOf(desk, "ETH", "-2", "3870"), 7, false},
		{d.fillOf(desk, "ETH", "5", "3870"), 7, false},
		{d.fillOf(bob, "ETH", "-3", "3870"), 7, false},
		{d.fillOf(desk, "ETH", "-11", "3870"), 0, false},
		{flagged, 0, true}, // sold
	} {
		d.must(c.command)
		if got := left(); got != c.want {
			t.Errorf("left %v, want %v", got, c.want)
		}
		if isUnknown := d.m.events[0].Flags&EventUnknownLiquidation != 0; isUnknown != c.unknown {
			t.Errorf("unknown liquidation: %v", isUnknown)
		}
	}
}

// TestSimulatingASaleLeavesIt: a what-if fill of the liquidator knows the sale's number and changes
// nothing of it.
func TestSimulatingASaleLeavesIt(t *testing.T) {
	t.Parallel()
	d, desk, _ := seller(t)
	flagged := d.fillOf(desk, "ETH", "-1", "3870")
	flagged.Flags, flagged.Aux = flagged.Flags|FlagLiquidation, d.m.sale.number
	d.m.StateHash()
	before := fingerprint(d.m)
	var v SimulationView
	if !NewScratch().Simulate(d.m, desk, []Command{flagged, {Kind: KindClock, TimeMs: d.m.timeMs + 60_000}}, &v) {
		t.Fatal("not simulated")
	}
	if v.Answers[0].Flags&EventUnknownLiquidation != 0 {
		t.Error("the sale is not known")
	}
	if fingerprint(d.m) != before {
		t.Error("a simulation changed the machine")
	}
}

// TestSaleWaitsForAMarket: while its market is halted nothing is asked for, and that time does not
// count.
func TestSaleWaitsForAMarket(t *testing.T) {
	t.Parallel()
	d, _, _ := seller(t)
	orders := func(ms int64) []Event { return kindsOf(d.clock(ms), EventLiquidationOrder) }
	halt := Command{Kind: KindHalt, Flags: FlagMarket, Ref: [4]uint32{0, 0, d.perps["ETH"]}}
	d.must(halt)
	if got := orders(600_000); len(got) != 0 {
		t.Errorf("on a halted market %+v", got)
	}
	halt.Kind = KindResume
	d.must(halt)
	if got := orders(29_999); len(got) != 0 {
		t.Errorf("within half a minute %+v", got)
	}
	got := orders(1)
	if len(got) != 1 || got[0].Amount != fixedpoint.I128(-3407) || got[0].OrderHi != 100_000 {
		t.Errorf("after half a minute %+v", got)
	}
}
