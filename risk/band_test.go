package risk

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
)

// banded returns a desk of accounts of every mode with positions, all of which have bands.
func banded(t *testing.T, accounts int) *desk {
	t.Helper()
	d := newDesk(t)
	d.standard()
	d.quick, d.time = true, 1_750_000_000_000
	d.must(Command{Kind: KindClock, TimeMs: d.time})
	d.prices("BTC", "100000", "ETH", "2500", "HYPE", "40", "t:UBTC", "100000", "t:HYPE", "40")
	r := rand.New(rand.NewPCG(1, uint64(accounts)))
	for n := range accounts {
		mode := []Mode{ModeStandard, ModeUnified, ModePortfolio}[n%3]
		a := d.open(fmt.Sprintf("a%d", n), mode)
		c := d.fund(KindDeposit, a, "USDC", strconv.Itoa(20_000+r.IntN(40_000)))
		if mode == ModeStandard {
			c.Wallets[0] = uint16(WalletPerp)
		}
		d.must(c)
		if mode == ModePortfolio && n%2 == 0 {
			d.must(d.fund(KindDeposit, a, "HYPE", "100"))
		}
		d.must(d.fillOf(a, "BTC", []string{"1", "-1"}[r.IntN(2)], "100000"))
		d.must(d.fillOf(a, "ETH", []string{"10", "-10"}[r.IntN(2)], "2500"))
	}
	d.settleBands()
	return d
}

// settleBands makes bands until none is missing, and checks all that is derived.
func (d *desk) settleBands() {
	d.t.Helper()
	for n := 0; d.m.BandStep(16); n++ {
		if n > 100_000 {
			d.t.Fatal("band work does not end")
		}
	}
	d.m.checkWheels()
	if misses, _ := d.m.AuditStep(len(d.m.hot), nil); len(misses) > 0 {
		d.t.Fatalf("account %d: told %v, is %v", misses[0].Account, misses[0].Told, misses[0].Exact)
	}
	if s := d.m.BandStats(); len(d.m.bands.owed) > 0 || s.Awake != uint64(d.m.bands.tried) {
		d.t.Fatalf("after all band work %d accounts are awake, %d of them tried", s.Awake, d.m.bands.tried)
	}
}

// TestStaleEntriesAreCollected gives bands again and again, at prices that come back so that
// equal entries pile up, and has prices pass buckets while a collection stands in them.
func TestStaleEntriesAreCollected(t *testing.T) {
	d := banded(t, 60)
	m, r := d.m, rand.New(rand.NewPCG(3, 4))
	most, collections := 0, 0
	for n := range 30_000 {
		local := uint32(r.IntN(60))
		a := &m.accounts[local]
		for i := int(a.positions.start); i < int(a.positions.start)+int(a.positions.count); i++ {
			m.positions.keepBound(i, uint8(r.IntN(2)), 0, false)
		}
		m.wake(local)
		wasOpen := m.bands.gc.isOpen
		m.BandStep(1)
		if wasOpen && !m.bands.gc.isOpen {
			collections++
		}
		if limit := 3*m.bounds() + 2*collectSlack; m.bands.store.entries > limit {
			t.Fatalf("%d entries, want at most %d", m.bands.store.entries, limit)
		}
		most = max(most, m.bands.store.entries)
		if r.IntN(8) == 0 {
			d.prices("BTC", []string{"100000", "100500", "99700", "101000", "60000"}[r.IntN(5)])
		}
		if n%500 == 0 {
			m.checkWheels()
		}
	}
	if collections < 3 || most < collectSlack {
		t.Fatalf("%d collections of up to %d entries: nothing was tested", collections, most)
	}
	d.settleBands()
	m.bands.gc = wheelSweep{isOpen: true, turn: !m.bands.gc.turn}
	d.settleBands()
	if entries := m.bands.store.entries; entries != m.bounds() {
		t.Errorf("a collection leaves %d entries for %d bounds", entries, m.bounds())
	}
	chunks := int(m.bands.store.next)
	if limit := 4*most/entriesChunk + 4*len(m.bands.pairs); chunks > limit {
		t.Errorf("%d chunks were used for at most %d entries, want at most %d", chunks, most, limit)
	}
}

// TestACollectionHasNoPauses holds a bucket of many entries, all stale, against how many a step
// takes.
func TestACollectionHasNoPauses(t *testing.T) {
	d := banded(t, 3)
	m := d.m
	pair := m.bands.pairs[d.perps["BTC"]]
	for n := range uint32(50_000) {
		pair.sides[sideLow].insert(&m.bands.store, wheelEntry{local: n % 3, code: pair.at - 1<<bucketShift})
	}
	m.bands.gc = wheelSweep{isOpen: true, turn: !m.bands.gc.turn}
	for m.bands.gc.isOpen {
		before := m.bands.store.entries
		m.collect(collectPerInsert)
		if took := before - m.bands.store.entries; took > 4*entriesChunk {
			t.Fatalf("one step dropped %d entries, want at most %d", took, 4*entriesChunk)
		}
	}
	m.checkWheels()
	if entries := m.bands.store.entries; entries != m.bounds() {
		t.Errorf("%d entries are left for %d bounds", entries, m.bounds())
	}
}

// TestACrashIsPutAside has a price take out more entries than are looked up one by one.
func TestACrashIsPutAside(t *testing.T) {
	d := banded(t, 60)
	d.m.SetSweepAbove(5)
	sweeps := d.m.BandStats().Sweeps
	d.prices("BTC", "60000")
	if len(d.m.bands.owed) == 0 {
		t.Fatal("nothing was put aside")
	}
	d.m.checkWheels()
	d.prices("BTC", "100000") // and back before anybody has looked
	d.m.BandStep(3)
	d.m.checkWheels()
	d.prices("BTC", "75000")
	if got := d.m.BandStats().Sweeps - sweeps; got != 3 {
		t.Errorf("%d of 3 ticks passed over all accounts", got)
	}
	d.settleBands()
}

// TestTenfoldMovesKeepWheels moves prices by ten and back.
func TestTenfoldMovesKeepWheels(t *testing.T) {
	d := banded(t, 30)
	d.m.SetSweepAbove(100)
	for _, price := range []string{"1000000", "100000", "10000", "100", "1000000", "100000"} {
		d.prices("BTC", price)
		d.m.checkWheels()
		d.settleBands()
	}
	pages := 0
	for _, pair := range d.m.bands.pairs {
		for side := range 2 {
			for n := 0; pair != nil && n < pagesMax; n++ {
				if pair.sides[side].pages[n] != nil {
					pages++
				}
			}
		}
	}
	if pages > 60 {
		t.Errorf("%d pages for three prices that have moved over 14 doublings", pages)
	}
}

// TestRestlessAccountsTakeTurns has accounts that cannot be given a band: a few are tried again
// after each tick, and all of them in turn.
func TestRestlessAccountsTakeTurns(t *testing.T) {
	const restless = 50
	d := banded(t, 3)
	for n := range uint32(restless) {
		head := Command{Kind: KindImportAccount, Mode: uint8(ModeStandard), Ref: [4]uint32{100 + n, NoAccount}}
		head.SetName(fmt.Appendf(nil, "restless-%d", n))
		position := Command{Kind: KindPartPosition, Leverage: 5}
		position.Ref[RefMarket] = d.perps["NEAR"] // which has no price
		position.SetNum(0, 1, 0)
		d.must(head, position)
	}
	d.settleBands()
	if d.m.bands.tried != restless {
		t.Fatalf("%d accounts have no band, want %d", d.m.bands.tried, restless)
	}
	seen := map[uint32]bool{}
	for range restless/retriesRestless + 2 {
		d.prices("BTC", "100000")
		again := d.m.bands.awake[d.m.bands.tried:]
		if len(again) != retriesRestless {
			t.Fatalf("%d accounts are tried again after a tick, want %d", len(again), retriesRestless)
		}
		for _, local := range again {
			seen[local] = true
		}
		d.settleBands()
	}
	if len(seen) != restless {
		t.Errorf("%d of %d accounts were tried again", len(seen), restless)
	}
	d.prices("NEAR", "5")
	for range restless/retriesRestless + 2 {
		d.settleBands()
		d.prices("BTC", "100000")
	}
	d.settleBands()
	if s := d.m.BandStats(); s.Awake != 0 || s.Banded != restless+3 {
		t.Errorf("with a price %d accounts are awake and %d have a band", s.Awake, s.Banded)
	}
}

// fundingOf pays a perp's funding, at 1e-9.
func (d *desk) fundingOf(perp string, rate int64) {
	d.t.Helper()
	c := Command{Kind: KindFunding, Mode: 1}
	c.Ref[0] = d.perps[perp]
	c.SetNum(0, rate, 9)
	d.must(c)
}

// TestFundingBeyondItsRoom lets funding use up half of its room, all of it, and more than both
// epochs' rooms while a pass is under way.
func TestFundingBeyondItsRoom(t *testing.T) {
	d := banded(t, 30)
	e := &d.m.bands.epoch
	var o Command
	o.Kind = KindPrices
	o.SetPrice(0, PriceOracle, d.perps["BTC"], 100_000, 0)
	d.must(o)
	low, high := e.cum[d.perps["BTC"]].low, e.cum[d.perps["BTC"]].high
	d.fundingOf("BTC", 40_000) // 4e-5 of the mark: more than half of 2^-14
	if !e.isPassing || e.isBroken {
		t.Fatalf("past half of a room: passing %t, broken %t", e.isPassing, e.isBroken)
	}
	if e.cumWas[d.perps["BTC"]] != (cumRoom{low, high}) {
		t.Error("the epoch before is forgotten while bands may rest on it")
	}
	d.m.BandStep(5)
	d.fundingOf("BTC", 40_000) // out of the old room, inside of the new one
	if !e.isBroken || e.cursor != 0 || !d.m.mustSweep() {
		t.Fatalf("beyond a room: broken %t, cursor %d", e.isBroken, e.cursor)
	}
	d.prices("BTC", "99000")
	d.settleBands()
	if e.isPassing || e.isBroken || d.m.mustSweep() {
		t.Error("a pass that has come around does not end the epoch")
	}
	d.fundingOf("BTC", 500_000_000)
	if !e.isBroken {
		t.Error("half of the mark leaves a room of 2^-14")
	}
	d.settleBands()
	d.fundingOf("BTC", 500_000_000)
	if e.isBroken {
		t.Error("a room holds less than the last payment")
	}
	d.settleBands()
}

// TestInterestBeyondItsRoom steps the clock within a room, past half of it and far beyond it.
func TestInterestBeyondItsRoom(t *testing.T) {
	d := banded(t, 30)
	e := &d.m.bands.epoch
	d.lent("lender", "1000000")
	a := d.open("carry", ModePortfolio)
	d.must(d.fund(KindDeposit, a, "UBTC", "1"))
	d.must(d.fillOf(a, "BTC", "-1", "100000"))
	if d.balance(a, "USDC").Borrowed.V.IsZero() {
		t.Fatal("nobody owes anything")
	}
	d.settleBands()
	step := func(ms int64) {
		d.time += ms
		d.must(Command{Kind: KindClock, TimeMs: d.time})
	}
	step(1000)
	if e.isPassing || e.isBroken {
		t.Error("a second of interest ends an epoch")
	}
	n := 0
	for ; !e.isPassing && n < 100; n++ {
		step(20 * 60_000)
	}
	if e.isBroken || n < 1 || n == 100 {
		t.Errorf("after %d steps of 20 minutes: broken %t", n, e.isBroken)
	}
	d.settleBands()
	shift := e.pools[0].shift
	step(300 * 86_400_000)
	if !e.isBroken || e.pools[0].shift >= shift {
		t.Errorf("300 days of interest: broken %t, room shifted by %d after %d", e.isBroken, e.pools[0].shift, shift)
	}
	d.prices("BTC", "129000")
	d.settleBands()
	if e.isBroken || e.isPassing {
		t.Error("a pass that has come around does not end the epoch")
	}
}
