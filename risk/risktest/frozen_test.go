package risktest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"plimsoll/risk"
)

// quoted is one price of a feed.
type quoted struct {
	kind risk.PriceKind
	slot uint32
}

// feeds is what this test knows of prices by itself: how old each may be and when it was given.
type feeds struct {
	r      *rand.Rand
	ageMs  map[quoted]int64
	timeMs map[quoted]int64
	frozen map[quoted]bool
}

// guardListings gives half of the listings a max_price_age, and some of those a price_band.
func (f *feeds) guardListings(groups [][]risk.Command) {
	for _, group := range groups {
		var of quoted
		c := &group[0]
		switch c.Kind { //nolint:exhaustive // listings that have prices
		case risk.KindListPerp:
			of = quoted{risk.PriceMark, c.Market()}
		case risk.KindListToken:
			if of = (quoted{risk.PriceTokenOracle, c.Token()}); c.Other() == 0 {
				continue // what a dollar is worth
			}
			c = part(group, risk.KindPartLimits)
		default:
			continue
		}
		if f.r.IntN(2) == 0 {
			continue
		}
		f.ageMs[of] = 2_000 + f.r.Int64N(8_000)
		c.SetNum(2, f.ageMs[of], 0)
		if f.r.IntN(3) == 0 {
			c.SetNum(3, 3, 1)
		}
	}
}

// thaw takes the frozen prices out of a tick; what is left may be nothing.
func (f *feeds) thaw(group []risk.Command) []risk.Command {
	var b tickBuilder
	for i := range group {
		for n := range int(group[i].Mode) {
			q := quoted{group[i].PriceKindAt(n), group[i].Ref[n]}
			if !f.frozen[q] {
				b.add(q.kind, q.slot, group[i].Num[n], group[i].Dec[n])
			}
		}
	}
	return b.group
}

// taken notes a tick that was taken.
func (f *feeds) taken(group []risk.Command, timeMs int64) {
	for i := range group {
		for n := range int(group[i].Mode) {
			f.timeMs[quoted{group[i].PriceKindAt(n), group[i].Ref[n]}] = timeMs
		}
	}
}

func (f *feeds) isStale(q quoted, nowMs int64) bool {
	given, ok := f.timeMs[q]
	return ok && f.ageMs[q] > 0 && nowMs-given > f.ageMs[q]
}

// reads returns a stale price under everything that an event of a liquidation can be about: the
// isolated position or the cross book of its market, or the cross books of its token. Books of
// standard accounts are those of a dex, of others those of a token.
func (f *feeds) reads(v *risk.AccountView, collateral []uint32, market, token uint32, nowMs int64) (q quoted, isStale bool) {
	stale := map[int]quoted{}
	books := map[int]bool{}
	for i := range v.Positions {
		p := &v.Positions[i]
		if p.Size.V.Sign() == 0 {
			continue
		}
		book := int(collateral[p.Dex])
		switch {
		case p.IsIsolated:
			book = 1_000_000 + int(p.Perp)
		case v.Mode == risk.ModeStandard:
			book = 1_000 + int(p.Dex)
		}
		if p.Perp == market || market == risk.NoSlot && !p.IsIsolated && collateral[p.Dex] == token {
			books[book] = true
		}
		if q = (quoted{risk.PriceMark, p.Perp}); f.isStale(q, nowMs) {
			stale[book] = q
		}
	}
	for i := range v.Balances {
		b := &v.Balances[i]
		q = quoted{risk.PriceTokenOracle, b.Token}
		if v.Mode == risk.ModePortfolio && (b.Supplied.V.Sign() > 0 || b.Borrowed.V.Sign() > 0) && f.isStale(q, nowMs) {
			stale[-1] = q
		}
	}
	for i := range v.Dexes { // cash owed where nothing is held reads no price
		d := &v.Dexes[i]
		isEmpty := !slices.ContainsFunc(v.Positions, func(p risk.PositionView) bool {
			return p.Dex == d.Dex && !p.IsIsolated && p.Size.V.Sign() != 0
		})
		if v.Mode == risk.ModeStandard && market == risk.NoSlot && collateral[d.Dex] == token && isEmpty && d.CrossValue.V.Sign() < 0 {
			return q, false
		}
	}
	isIsolated := slices.ContainsFunc(v.Positions, func(p risk.PositionView) bool { return p.Perp == market && p.IsIsolated })
	if at, old := stale[-1]; old && !isIsolated {
		return at, true // every cross book of a portfolio account reads what it has lent and owes
	}
	for book, is := range books {
		if at, old := stale[book]; is && old {
			q, isStale = at, true
		} else if is {
			return q, false // it can be about this one
		}
	}
	return q, isStale
}

// TestFrozenFeedsLiquidateNobody: feeds stop at random while others move on, and nobody whose
// figures read a price that has become stale is liquidated; by bands and by sweep, on 1 to 4
// shards, all with equal events and state.
func TestFrozenFeedsLiquidateNobody(t *testing.T) {
	t.Parallel()
	var spared, liquidated, stale, fresh, refused int
	for seed := *from; seed < *from+*seeds/4; seed++ {
		f := frozen{spared: &spared, liquidated: &liquidated, stale: &stale, fresh: &fresh, refused: &refused}
		if err := f.run(seed); err != nil {
			t.Fatalf("seed %d: %v\nrepeat: go test -run TestFrozenFeeds -from=%d -seeds=4", seed, err, seed)
		}
	}
	t.Logf("%d liquidation events, %d accounts past their line and spared, %d price_stale, %d price_fresh, %d ticks out of band",
		liquidated, spared, stale, fresh, refused)
	if *seeds >= 40 && min(spared, liquidated, stale, fresh, refused) == 0 {
		t.Error("something this test is about never happened")
	}
}

// frozen is one seed of it.
type frozen struct {
	feeds
	sets                                      []*Shards
	before                                    map[uint32]*risk.AccountView
	collateral                                []uint32 // by dex
	spared, liquidated, stale, fresh, refused *int
}

func (f *frozen) run(seed uint64) error {
	const accounts = 16
	f.feeds = feeds{
		r: rand.New(rand.NewPCG(seed, 0xf207e4)), ageMs: map[quoted]int64{}, timeMs: map[quoted]int64{}, frozen: map[quoted]bool{},
	}
	g := NewGenerator(seed, Options{Accounts: accounts, Imports: seed%2 == 0, Calm: true, Liquidation: true, NoBackstop: seed%4 == 3})
	groups := g.Listings()
	f.guardListings(groups)
	for n := range uint32(4) {
		f.sets = append(f.sets, NewShards(n+1, accounts+1))
	}
	f.sets = append(f.sets, NewShardsOf(risk.Config{Shards: 1, AccountsMax: accounts + 1, Detect: risk.DetectSweep}))
	for n := range 150 {
		var group []risk.Command
		switch {
		case n < len(groups):
			group = groups[n]
		case f.r.IntN(3) == 0:
			group = []risk.Command{{Kind: risk.KindClock, TimeMs: f.sets[0].TimeMs() + f.r.Int64N(3_000)}}
		case f.r.IntN(6) < 2:
			group = g.tick()
		default:
			group = g.Next()
		}
		if group[0].Kind == risk.KindClock {
			group[0].TimeMs = f.sets[0].TimeMs() + group[0].TimeMs%5_000
			if f.sets[0].TimeMs() == 0 {
				group[0].TimeMs = 1_750_000_000_000
			}
		}
		if group[0].Kind == risk.KindPrices {
			if group = f.thaw(group); group == nil {
				continue
			}
		}
		if f.r.IntN(6) == 0 {
			f.freeze()
		}
		if err := f.step(group); err != nil {
			return fmt.Errorf("group %d of kind %d: %w", n, group[0].Kind, err)
		}
	}
	return nil
}

// freeze stops a feed, or lets all go on.
func (f *frozen) freeze() {
	if f.r.IntN(4) == 0 {
		clear(f.frozen)
		return
	}
	f.frozen[quoted{risk.PriceMark, f.r.Uint32N(uint32(len(universePerps)))}] = true
	f.frozen[quoted{risk.PriceTokenOracle, f.r.Uint32N(uint32(len(universeTokens)))}] = true
}

func (f *frozen) step(group []risk.Command) error {
	f.before, f.collateral = f.views(), make([]uint32, risk.DexesMax)
	for _, d := range f.sets[0].Machines[0].ReadDexes() {
		f.collateral[d.Slot] = d.Collateral
	}
	var first []risk.Event
	for i, s := range f.sets {
		events := s.Do(group)
		if i == 0 {
			first = slices.Clone(events)
		} else if d := eventDifference(first, events); d != "" {
			return fmt.Errorf("set %d: %s", i, d)
		}
		if s.StateHash() != f.sets[0].StateHash() {
			return fmt.Errorf("set %d reaches another state", i)
		}
		for _, m := range s.Machines {
			for f.r.IntN(2) == 0 && m.BandStep(4) {
			}
		}
	}
	if first[0].Reason != risk.ReasonNone {
		if first[0].Rule == risk.RulePriceBand {
			*f.refused++
		}
		return nil
	}
	now := f.sets[0].TimeMs()
	if group[0].Kind == risk.KindPrices {
		f.taken(group, now)
	}
	return f.judge(first, now)
}

// judge holds every event of a liquidation against the account as it stood before.
func (f *frozen) judge(events []risk.Event, now int64) error {
	steps := map[uint32]*risk.Event{} // by account: the line that its last step was about
	for i := range events {
		e := &events[i]
		market := e.Market
		if e.Kind == risk.EventLiquidationStep {
			steps[e.Account] = e
		}
		if step := steps[e.Account]; step != nil && market == risk.NoSlot {
			market = step.Market
		}
		switch e.Kind { //nolint:exhaustive // those that take something from an account
		case risk.EventPriceStale:
			*f.stale++
		case risk.EventPriceFresh:
			*f.fresh++
		case risk.EventADL:
			if q := (quoted{risk.PriceMark, e.Market}); f.isStale(q, now) {
				return fmt.Errorf("account %d is closed on the price of perp %d of %d ms ago", e.Account, q.slot, now-f.timeMs[q])
			}
		case risk.EventLiquidationStarted, risk.EventLiquidationOrder, risk.EventBackstopTakeover, risk.EventLossCovered:
			if e.Rule == risk.RuleBackstopTWAP { // reads the price of what is sold alone
				if q := soldAt(e.Market); f.isStale(q, now) {
					return fmt.Errorf("what was taken over is sold on price %v of %d ms ago", q, now-f.timeMs[q])
				}
				continue
			}
			*f.liquidated++
			v := f.before[e.Account]
			if v == nil || e.Rule == risk.RuleShared {
				continue // closed against a loss, in the perp of that loss
			}
			if q, isStale := f.reads(v, f.collateral, market, e.Token, now); isStale {
				return fmt.Errorf("%v of account %d, which reads price %v of %d ms ago", e.Kind, e.Account, q, now-f.timeMs[q])
			}
		}
	}
	for _, v := range f.before {
		for token := range uint32(len(universeTokens)) {
			if _, isStale := f.reads(v, f.collateral, risk.NoSlot, token, now); isStale && v.Margin.Health >= risk.HealthLiquidatable {
				*f.spared++
			}
		}
	}
	return nil
}

// soldAt returns the price that a sale on a market reads.
func soldAt(market uint32) quoted {
	if market&risk.SpotBit != 0 {
		return quoted{risk.PriceTokenOracle, universeSpots[market&^risk.SpotBit].base}
	}
	return quoted{risk.PriceMark, market}
}

func (f *frozen) views() map[uint32]*risk.AccountView {
	views := map[uint32]*risk.AccountView{}
	m := f.sets[0].Machines[0]
	for slot := range uint32(17) {
		v := &risk.AccountView{}
		if m.ReadAccount(slot, v) {
			views[slot] = v
		}
	}
	return views
}
