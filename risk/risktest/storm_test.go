package risktest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"

	"plimsoll/internal/invariant"
	"plimsoll/risk"
)

// soakEnv, when set, is how many million account-ticks the storm goes on for: 1000 for a billion.
const soakEnv = "PLIMSOLL_SOAK"

// Account-ticks of a run: accounts x ticks, counted once however many machines see them. With
// costly assertions on, every group costs a derivation of everything; then there are fewer.
const (
	stormAccountTicks           = 10_000_000
	stormAccountTicksInvariants = 600_000
	stormSeeds                  = 12
)

// TestStorm holds machines that detect by bands, on 1, 2 and 4 shards, against one that passes
// over all accounts at every tick: equal events after every group, whatever prices do, and
// equal state at the end. Between groups bands are made, none of them, some or all. Prices are
// calm, jump, crash, go ten-fold and come back; an adversary halves the way to the line of some
// account until one unit of the price is left, crosses it and comes back, from all distances.
func TestStorm(t *testing.T) {
	t.Parallel()
	want := uint64(stormAccountTicks)
	if invariant.Enabled {
		want = stormAccountTicksInvariants
	}
	if n, err := strconv.ParseUint(os.Getenv(soakEnv), 10, 32); err == nil && n > 0 {
		want = n * million
	}
	var total stormCount
	t.Cleanup(func() {
		t.Logf("%d account-ticks in %d ticks, %d of them homing; %d lines found, %d crossings told, %d bands made, %d sweeps",
			total.accountTicks.Load(), total.ticks.Load(), total.homing.Load(), total.lines.Load(), total.crossings.Load(),
			total.bands.Load(), total.sweeps.Load())
		if !t.Failed() && (total.lines.Load() == 0 || total.crossings.Load() == 0) {
			t.Error("the storm has crossed no line")
		}
	})
	for n := range uint64(stormSeeds) {
		seed := *from + n
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			s := newStorm(seed, &total)
			if err := s.run(want / stormSeeds); err != nil {
				total.isOver.Store(true)
				t.Errorf("seed %d, group %d: %v\nrepeat: go test -run 'TestStorm/%d$' -from=%d", seed, s.groups, err, seed, *from)
			}
		})
	}
}

// stormCount is what all seeds did together.
type stormCount struct {
	accountTicks, ticks, homing, lines, crossings, bands, sweeps atomic.Uint64

	isOver atomic.Bool // a seed has failed
}

// Perps of the storm beside those of a Generator: one whose price has 11 digits, so that a
// code covers 2,000 units of it, and one of dust, where rounding by a unit is much.
const (
	perpFine = 10 + iota
	perpFineToo
	perpDust
	stormPerps
)

var stormListings = []listedPerp{
	{"FINE", 0, 0, 0, risk.MarginNormal, 0, 0, 0, 64_000 * million, []int64{0, 50, 2_000_000, 20}},
	{"FINETOO", 0, 0, 0, risk.MarginNormal, 0, 0, 0, 31_234_567_891, []int64{0, 20}},
	{"DUST", 0, 0, 0, risk.MarginNormal, 0, 0, 0, 137, []int64{0, 3}},
}

// storm is one seed's venue: the machines under test and their twin.
type storm struct {
	r        *rand.Rand
	g        *Generator
	twin     *Shards
	sets     []*Shards
	accounts uint32
	singles  []uint32 // accounts of one position, of a fine price
	homed    uint32   // accounts from here on are homed on more often
	perps    []int64  // marks in units of the perp's price
	started  []int64  // where they began
	tokens   []int64  // oracle prices at 1e-10
	health   []uint16 // by account: health and lending health last told
	groups   int
	ticks    uint64
	count    *stormCount
	err      error
}

// accounts by kind: as a Generator draws them, and plain ones of the main dex.
const (
	stormDrawn = 60
	stormPlain = 180
	stormDust  = 20
)

func newStorm(seed uint64, count *stormCount) *storm {
	const accounts = stormDrawn + stormPlain + stormDust
	s := &storm{
		r: rand.New(rand.NewPCG(seed, 0x5702)), g: NewGenerator(seed, Options{Accounts: stormDrawn, Invalid: 1, Imports: true}),
		accounts: accounts, homed: stormDrawn, health: make([]uint16, accounts), count: count,
		twin: NewShardsOf(risk.Config{Shards: 1, AccountsMax: accounts, Detect: risk.DetectSweep}),
	}
	for _, n := range []uint32{1, 2, 4} {
		set := NewShards(n, accounts)
		for _, m := range set.Machines {
			m.SetSweepAbove([]int{accounts, accounts, accounts / 4}[s.r.IntN(3)]/int(n) + 1)
		}
		s.sets = append(s.sets, set)
	}
	for n := range universePerps {
		s.perps = append(s.perps, at(universePerps[n].price, 6-universePerps[n].sz))
	}
	for n := range stormListings {
		s.perps = append(s.perps, stormListings[n].price)
	}
	for n := range universeTokens {
		s.tokens = append(s.tokens, universeTokens[n].price*10_000)
	}
	s.started = slices.Clone(s.perps)
	s.populate()
	return s
}

func (s *storm) listed(n int) *listedPerp {
	if n < perpFine {
		return &universePerps[n]
	}
	return &stormListings[n-perpFine]
}

// do runs a group on all machines and compares events.
func (s *storm) do(group []risk.Command) {
	if s.err != nil {
		return
	}
	s.groups++
	s.notePrices(group)
	want := s.twin.Do(group)
	for _, set := range s.sets {
		if d := eventDifference(want, set.Do(group)); d != "" {
			s.err = fmt.Errorf("kind %d on %d shards: %s", group[0].Kind, len(set.Machines), d)
			return
		}
	}
	for i := range want {
		switch e := &want[i]; e.Kind {
		case risk.EventHealthChanged:
			s.health[e.Account] = s.health[e.Account]&^0xff | uint16(e.To)
			s.count.crossings.Add(1)
		case risk.EventLendingHealthChanged:
			s.health[e.Account] = s.health[e.Account]&0xff | uint16(e.ToLending)<<8
			s.count.crossings.Add(1)
		}
	}
	if group[0].Kind == risk.KindPrices {
		s.ticks++
		s.count.ticks.Add(1)
		s.count.accountTicks.Add(uint64(s.accounts))
		s.audit()
	}
}

// notePrices follows the prices of ticks.
func (s *storm) notePrices(group []risk.Command) {
	if group[0].Kind != risk.KindPrices {
		return
	}
	for g := range group {
		c := &group[g]
		for i := range int(c.Mode) {
			switch n := c.Ref[i]; c.PriceKindAt(i) {
			case risk.PriceMark:
				if n < uint32(len(s.perps)) && c.Num[i] > 0 && c.Dec[i] == 6-s.listed(int(n)).sz {
					s.perps[n] = c.Num[i]
				}
			case risk.PriceTokenOracle:
				if n < uint32(len(s.tokens)) && c.Num[i] > 0 && c.Dec[i] == 6 {
					s.tokens[n] = c.Num[i] * 10_000
				}
			}
		}
	}
}

// audit compares some accounts with their bands, at times all of them.
func (s *storm) audit() {
	for _, set := range s.sets {
		for _, m := range set.Machines {
			accounts := 4
			if s.ticks%64 == 0 {
				accounts = int(s.accounts)
			}
			if misses, _ := m.AuditStep(accounts, nil); len(misses) > 0 {
				s.err = fmt.Errorf("audit on %d shards: account %d: told %v, is %v",
					len(set.Machines), misses[0].Account, misses[0].Told, misses[0].Exact)
				return
			}
		}
	}
}

// settling says how much band work is done between two groups.
type settling int

const (
	settleNone settling = iota
	settleSome
	settleAll
)

func (s *storm) settle(how settling) {
	for _, set := range s.sets {
		for _, m := range set.Machines {
			switch how {
			case settleNone:
			case settleSome:
				m.BandStep(1 + s.r.IntN(int(s.accounts)/2))
			case settleAll:
				for n := 0; m.BandStep(64); n++ {
					if n > 100_000 {
						panic("risktest: BUG: band work does not end")
					}
				}
			}
		}
	}
}

func (s *storm) settleRandomly() {
	s.settle([]settling{settleNone, settleSome, settleAll, settleAll, settleAll}[s.r.IntN(5)])
}

// tick prices perps as s has them.
func (s *storm) tick(perps ...int) []risk.Command {
	var b tickBuilder
	for _, n := range perps {
		b.add(risk.PriceMark, uint32(n), s.perps[n], 6-s.listed(n).sz)
	}
	return b.group
}

// put adds the price of one name to a tick: a perp by its slot, or a token after them.
func (s *storm) put(b *tickBuilder, name int, v int64) {
	if name < stormPerps {
		s.perps[name] = v
		b.add(risk.PriceMark, uint32(name), v, 6-s.listed(name).sz)
	} else {
		s.tokens[name-stormPerps] = v
		b.add(risk.PriceTokenOracle, uint32(name-stormPerps), v, 10)
	}
}

// tickPrice prices one name.
func (s *storm) tickPrice(name int, v int64) {
	var b tickBuilder
	s.put(&b, name, v)
	s.do(b.group)
}

func (s *storm) price(name int) int64 {
	if name < stormPerps {
		return s.perps[name]
	}
	return s.tokens[name-stormPerps]
}

// run goes on for so many account-ticks.
func (s *storm) run(accountTicks uint64) error {
	for n := 0; s.err == nil && !s.count.isOver.Load() && s.ticks*uint64(s.accounts) < accountTicks; n++ {
		before := s.ticks
		switch {
		case n%3 == 0:
			s.homing()
			s.count.homing.Add(s.ticks - before)
		default:
			s.weather()
		}
	}
	for _, set := range s.sets {
		if s.err == nil && set.StateHash() != s.twin.StateHash() {
			s.err = fmt.Errorf("%d shards reach another state than a pass", len(set.Machines))
		}
		for _, m := range set.Machines {
			stats := m.BandStats()
			s.count.bands.Add(stats.Rebanded)
			s.count.sweeps.Add(stats.Sweeps)
		}
	}
	return s.err
}
