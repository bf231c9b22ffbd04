package risktest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"plimsoll/fixedpoint"
	"plimsoll/internal/invariant"
	"plimsoll/risk"
)

// crashEnv, when set, is how many accounts the crash has: 437000 for the population of a venue.
const crashEnv = "PLIMSOLL_CRASH"

// Accounts of the crash in a usual run, and with costly assertions on.
const (
	crashAccounts           = 5_000
	crashAccountsInvariants = 150
)

// The crash of 10 October 2025 in twelve minutes: a tick every five seconds, a clock each second.
const (
	crashTicks   = 144
	crashTickMs  = 5_000
	crashClocks  = 5
	crashAfterMs = 60_000
)

// crashMarket is one perp of the crash. Tokens: 0 dollars, 1 HYPE, 2 bitcoin.
type crashMarket struct {
	perp   listedPerp
	spotOf uint32 // token, 0 = none
	start  int64  // at 1e-6
	fallE3 int64  // the whole fall
	depth  int64  // dollars the book takes in a tick, for 5,000 accounts
	slipE4 int64  // below (above) mark
	lever  []int64
	weight int // how often it is traded
}

var crashMarkets = []crashMarket{
	{
		perp:   listedPerp{"BTC", 0, 0, 5, risk.MarginNormal, 0, 0, 0, 0, []int64{0, 40, 150_000_000, 20}},
		spotOf: 2, start: 121_000 * million, fallE3: 131, depth: 900_000, slipE4: 15, lever: []int64{3, 5, 10, 20, 40}, weight: 4,
	},
	{
		perp:  listedPerp{"SOL", 0, 0, 2, risk.MarginNormal, 0, 0, 0, 0, []int64{0, 20, 70_000_000, 10}},
		start: 220 * million, fallE3: 260, depth: 400_000, slipE4: 60, lever: []int64{2, 3, 5, 10, 20}, weight: 3,
	},
	{
		perp:   listedPerp{"HYPE", 0, 0, 2, risk.MarginNormal, 0, 0, 0, 0, []int64{0, 10, 20_000_000, 5}},
		spotOf: 1, start: 44 * million, fallE3: 500, depth: 300_000, slipE4: 120, lever: []int64{1, 2, 3, 5, 10}, weight: 3,
	},
}

// crash is the venue and its totals.
type crash struct {
	t        *testing.T
	r        *rand.Rand
	sets     []*Shards
	accounts uint32
	prices   []int64 // at 1e-6
	orders   []standing
	depth    []int64 // what the book takes in this tick
	timeMs   int64
	isDeep   bool              // the book takes everything
	isOver   map[standing]bool // by account and number

	filled, adl                               int64 // dollars
	buffer, shared, backstop                  fixedpoint.Int128
	started, ended, takeovers, deleveraged    int
	busiest, told                             time.Duration
	busiestStarted, startedNow, closedAgainst int
}

// Slots of accounts that are not part of the population.
const (
	crashBank = iota
	crashDesk
	crashMaker
	crashFirst
)

// TestTenthOfOctober lets bitcoin fall by 13.1 %, SOL by 26 % and HYPE by 50 % in twelve minutes
// over a population of all modes. A book answers what liquidations ask for as far as its depth
// goes, a liquidator takes what is below two thirds, the buffer pays, the rest is deleveraged. At
// the end nobody owes what nobody bears, and the ledger is exact; one shard, four, and a sweep
// agree on every event.
func TestTenthOfOctober(t *testing.T) {
	t.Parallel()
	accounts := uint64(crashAccounts)
	if invariant.Enabled {
		accounts = crashAccountsInvariants
	}
	if n, err := strconv.ParseUint(os.Getenv(crashEnv), 10, 32); err == nil && n > 0 {
		accounts = n
	}
	c := newCrash(t, uint32(accounts))
	c.populate()
	for tick := range int64(crashTicks) {
		c.fall(tick + 1)
		for range crashClocks {
			c.clock(crashTickMs / crashClocks)
		}
	}
	c.isDeep = true
	for range crashAfterMs / 1000 {
		c.answer()
		c.clock(1000)
	}
	c.report()
}

func newCrash(t *testing.T, accounts uint32) *crash {
	c := &crash{t: t, r: rand.New(rand.NewPCG(10, 2025)), accounts: accounts, depth: make([]int64, len(crashMarkets)), isOver: map[standing]bool{}}
	cfg := risk.Config{AccountsMax: accounts + crashFirst}
	for _, n := range []uint32{1, 4} {
		cfg.Shards = n
		set := NewShardsOf(cfg)
		for _, m := range set.Machines {
			m.SetSweepAbove(int(accounts/n/64) + 1) // so few that a crash puts buckets aside
		}
		c.sets = append(c.sets, set)
	}
	cfg.Shards, cfg.Detect = 1, risk.DetectSweep
	c.sets = append([]*Shards{NewShardsOf(cfg)}, c.sets...)
	return c
}

// do runs a group on all sets.
func (c *crash) do(group ...risk.Command) []risk.Event {
	group[0].TimeMs = c.timeMs
	began := time.Now()
	events := slices.Clone(c.sets[0].Do(group))
	c.told = time.Since(began)
	for _, set := range c.sets[1:] {
		if d := eventDifference(events, set.Do(group)); d != "" {
			c.t.Fatalf("kind %d on %d shards by bands: %s", group[0].Kind, len(set.Machines), d)
		}
	}
	c.startedNow = 0
	for i := range events {
		c.note(&events[i])
	}
	if c.startedNow > c.busiestStarted {
		c.busiest, c.busiestStarted = c.told, c.startedNow
	}
	return events
}

func (c *crash) must(group ...risk.Command) {
	if events := c.do(group...); events[0].Reason != risk.ReasonNone {
		c.t.Fatalf("kind %d of account %d refused: %v", group[0].Kind, group[0].Account(), events[0].Reason)
	}
}

// note keeps what is asked of the book, and adds up.
func (c *crash) note(e *risk.Event) {
	switch e.Kind { //nolint:exhaustive // liquidation only
	case risk.EventLiquidationStarted:
		c.started++
		c.startedNow++
	case risk.EventLiquidationEnded:
		c.ended++
		c.isOver[standing{account: e.Account, number: e.OrderLo}] = true
	case risk.EventLiquidationOrder:
		size, _ := e.Amount.Int64()
		at := slices.IndexFunc(c.orders, func(o standing) bool { return o.account == e.Account && o.perp == e.Market })
		if at < 0 {
			at = len(c.orders)
			c.orders = append(c.orders, standing{})
		}
		c.orders[at] = standing{account: e.Account, perp: e.Market, number: e.OrderLo, size: size}
	case risk.EventBackstopTakeover:
		if e.Token == risk.NoSlot {
			c.takeovers++
		}
	case risk.EventADL:
		size, _ := e.Amount.Int64()
		price, _ := e.Amount2.Int64()
		c.deleveraged++
		c.adl += dollars(size, price)
	case risk.EventLossCovered:
		switch e.Rule { //nolint:exhaustive // these three
		case risk.RuleBuffer:
			c.buffer = c.buffer.Add(e.Amount)
		case risk.RuleShared:
			c.shared = c.shared.Add(e.Amount)
			c.closedAgainst++
		case risk.RuleBackstop:
			c.backstop = c.backstop.Add(e.Amount)
		}
	}
}

// dollars is |size| x price of a perp: together they have six decimals.
func dollars(size, price int64) int64 {
	v, _ := fixedpoint.Mul64(max(size, -size), price).DivFloor(million).Int64()
	return v
}

func (c *crash) clock(ms int64) {
	c.timeMs += ms
	c.must(risk.Command{Kind: risk.KindClock})
	for _, set := range c.sets {
		for i, m := range set.Machines {
			for range 1 + 3*i { // as far as it gets in a second
				m.BandStep(int(c.accounts) / 50)
			}
		}
	}
}

// tick sends all prices.
func (c *crash) tick() {
	var b tickBuilder
	for n := range crashMarkets {
		m := &crashMarkets[n]
		px := 6 - m.perp.sz
		b.add(risk.PriceMark, uint32(n), at(c.prices[n], px), px)
		if m.spotOf != 0 {
			b.add(risk.PriceTokenOracle, m.spotOf, c.prices[n], 6)
		}
	}
	c.must(b.group...)
}

// fall moves prices to where they are after so many ticks of the crash, and lets the book answer: a
// fifth of the fall before the eighth minute, with a bounce at every seventh tick, three fifths in
// three ticks, the rest after it.
func (c *crash) fall(tick int64) {
	const steep, ticks = crashTicks * 2 / 3, 3
	s := 200 * min(tick, steep) / steep // per mille of the fall
	s += 600 * max(0, min(tick-steep, ticks)) / ticks
	s += 200 * max(0, tick-steep-ticks) / (crashTicks - steep - ticks)
	for n := range crashMarkets {
		m := &crashMarkets[n]
		c.prices[n] = m.start - m.start/1000*m.fallE3/1000*s
		if tick%7 == 0 && tick < crashTicks {
			c.prices[n] += m.start / 200
		}
		c.depth[n] = m.depth * int64(c.accounts) / crashAccounts
	}
	c.tick()
	if tick%12 == 0 || tick >= steep && tick <= steep+ticks {
		c.auditRankings(tick)
	}
	c.answer()
}

// auditRankings holds who would be deleveraged next against a look at all accounts.
func (c *crash) auditRankings(tick int64) {
	for _, set := range c.sets[1:] {
		for i, m := range set.Machines {
			if !m.AuditRankings() {
				c.t.Fatalf("tick %d, shard %d of %d: a ranking leaves somebody out", tick, i, len(set.Machines))
			}
		}
	}
}

// answer fills what stands, oldest first, as far as the book goes: the maker takes the other side.
func (c *crash) answer() {
	orders := c.orders
	c.orders = nil
	for _, o := range orders {
		if c.isOver[standing{account: o.account, number: o.number}] {
			continue // safe since: the order is taken back
		}
		m := &crashMarkets[o.perp]
		px := 6 - m.perp.sz
		price, size := at(c.prices[o.perp], px), max(o.size, -o.size)
		slip := price * m.slipE4 / 10_000
		if o.size < 0 {
			slip = -slip
		}
		price += slip
		if worth := dollars(size, price); worth > c.depth[o.perp] && !c.isDeep {
			if size = size * c.depth[o.perp] / worth; size == 0 {
				c.depth[o.perp] = 0
				continue
			}
		}
		c.depth[o.perp] -= dollars(size, price)
		fill := risk.Command{Kind: risk.KindFill, Flags: risk.FlagLiquidation, Aux: o.number}
		fill.Ref = [4]uint32{o.account, 0, o.perp, risk.NoSlot}
		fill.SetNum(0, size, m.perp.sz)
		fill.SetNum(1, price, px)
		other := fill
		other.Flags, other.Ref[0] = 0, crashMaker
		if o.size < 0 {
			fill.Flags |= risk.FlagSell
		} else {
			other.Flags |= risk.FlagSell
		}
		if events := c.do(fill); events[0].Flags&risk.EventUnknownLiquidation != 0 {
			c.t.Fatalf("account %d: order of liquidation %d, which is over", o.account, o.number)
		}
		c.filled += dollars(size, price)
		c.must(other)
	}
}

// populate lists, opens and trades: each account of the population holds one or two positions,
// mostly long, against another that is mostly hedged or rich.
func (c *crash) populate() {
	c.timeMs = 1_760_000_000_000
	for _, group := range crashListings() {
		c.must(group...)
	}
	for n := range crashMarkets {
		c.prices = append(c.prices, crashMarkets[n].start)
	}
	c.open(crashBank, risk.ModePortfolio)
	c.open(crashDesk, risk.ModePortfolio)
	c.open(crashMaker, risk.ModeStandard)
	set := risk.Command{Kind: risk.KindSetParameters, Aux: risk.ParamBackstopAccount}
	set.Ref[risk.RefAccount] = crashDesk
	c.must(set)
	c.tick()
	scale := int64(c.accounts)
	c.pay(crashBank, 0, 300*scale)
	c.pay(crashDesk, 0, 1_000_000+20_000*scale)
	c.pay(crashMaker, 0, 10_000*scale)
	for slot := uint32(crashFirst); slot < c.accounts+crashFirst; slot++ {
		c.newcomer(slot)
	}
	c.timeMs += 30 * 86_400_000 // interest for the buffer
	c.must(risk.Command{Kind: risk.KindClock})
	c.settle()
	c.tick()
	*c = crash{ // what the population did to itself does not count
		t: c.t, r: c.r, sets: c.sets, accounts: c.accounts, prices: c.prices, depth: c.depth, timeMs: c.timeMs, orders: c.orders, isOver: c.isOver,
	}
}

// settle does all band work.
func (c *crash) settle() {
	for _, set := range c.sets {
		for _, m := range set.Machines {
			for m.BandStep(10_000) {
				continue
			}
		}
	}
}

func (c *crash) open(slot uint32, mode risk.Mode) {
	o := risk.Command{Kind: risk.KindOpenAccount, Mode: uint8(mode)}
	o.Ref = [4]uint32{slot, risk.NoAccount, 0, 0}
	o.SetName(fmt.Appendf(nil, "crash-%d", slot))
	c.must(o)
}

// pay deposits whole dollars, or hundredths of a token.
func (c *crash) pay(slot, token uint32, amount int64) {
	d := risk.Command{Kind: risk.KindDeposit}
	d.Ref = [4]uint32{slot, 0, 0, token}
	d.SetNum(0, amount, 0)
	if token != 0 {
		d.Dec[0] = 2
	}
	c.must(d)
}

// newcomer opens an account and has it trade with an earlier one or with the maker.
func (c *crash) newcomer(slot uint32) {
	mode := []risk.Mode{risk.ModeStandard, risk.ModeStandard, risk.ModeStandard, risk.ModeUnified, risk.ModePortfolio}[c.r.IntN(5)]
	c.open(slot, mode)
	money := 200 * int64(1+c.r.IntN(50))
	if c.r.IntN(40) == 0 {
		money *= 100
	}
	n := c.market()
	m := &crashMarkets[n]
	if mode == risk.ModePortfolio { // collateral instead of money, bought in part on credit
		token := []uint32{1, 2}[c.r.IntN(2)]
		price := crashMarkets[2*(2-token)].start / million // HYPE is the third market, bitcoin the first
		c.pay(slot, token, max(1, 100*money/price))
		if token == 1 && c.r.IntN(2) == 0 {
			c.credit(slot, max(1, 100*money/price*int64(c.r.IntN(120))/100))
		}
	} else {
		c.pay(slot, 0, money)
	}
	leverage := m.lever[c.r.IntN(len(m.lever))]
	lever := risk.Command{Kind: risk.KindSetLeverage, Leverage: uint16(leverage)}
	lever.Ref = [4]uint32{slot, 0, uint32(n), 0}
	if c.r.IntN(10) == 0 {
		lever.Flags = risk.FlagIsolated
	}
	c.must(lever)
	isLong := c.r.IntN(10) < 7
	if mode == risk.ModePortfolio {
		leverage = min(leverage, 3)
	}
	size := sizeFor(money*9/10*leverage*million, m.start, m.perp.sz)
	other := uint32(crashMaker)
	if slot > crashFirst+10 && c.r.IntN(3) == 0 {
		other = crashFirst + c.r.Uint32N(slot-crashFirst)
		size = max(1, size/20)
	}
	c.trade(slot, other, n, size, isLong)
	if c.r.IntN(3) == 0 { // hedged: what it wins here it loses there
		k := (n + 1 + c.r.IntN(2)) % len(crashMarkets)
		size = sizeFor(money*leverage*7/10*million, crashMarkets[k].start, crashMarkets[k].perp.sz)
		c.trade(slot, crashMaker, k, size, !isLong)
	}
}

// credit buys HYPE, hundredths, at its price.
func (c *crash) credit(slot uint32, amount int64) {
	f := risk.Command{Kind: risk.KindFill}
	f.Ref = [4]uint32{slot, 0, risk.SpotBit, risk.NoSlot}
	f.SetNum(0, amount, 2)
	f.SetNum(1, crashMarkets[2].start, 6)
	c.must(f)
}

func (c *crash) trade(slot, other uint32, market int, size int64, isLong bool) {
	m := &crashMarkets[market]
	px := 6 - m.perp.sz
	buyer, seller := slot, other
	if !isLong {
		buyer, seller = other, slot
	}
	t, part := risk.Command{Kind: risk.KindTrade}, risk.Command{Kind: risk.KindPartSeller}
	t.Ref, part.Ref = [4]uint32{buyer, 0, uint32(market), risk.NoSlot}, [4]uint32{seller, 0, 0, 0}
	t.SetNum(0, size, m.perp.sz)
	t.SetNum(1, at(m.start, px), px)
	c.must(t, part)
}

func (c *crash) market() int {
	n := c.r.IntN(10)
	for i := range crashMarkets {
		if n -= crashMarkets[i].weight; n < 0 {
			return i
		}
	}
	return 0
}
