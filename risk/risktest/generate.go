package risktest

import (
	"fmt"
	"math/rand/v2"

	"plimsoll/risk"
)

// Options shape what a Generator makes.
type Options struct {
	Accounts uint32 // account slots used, from 0; must fit the machines' AccountsMax
	Invalid  int    // percent of groups that are spoilt on purpose
	Imports  bool   // some accounts are imported whole, with positions and orders
	Calm     bool   // no halts, no parameter or listing changes

	// Liquidation is on, and slot Accounts is the liquidator's unless NoBackstop; off, lines are
	// told only, which is all that the oracle of this room knows.
	Liquidation bool
	NoBackstop  bool
}

// Generator makes a seeded history of command groups over a fixed universe. Equal seeds
// and options give equal histories. It learns nothing of the answers: much of what it
// makes is accepted, the rest is refused for one reason or another, as in life.
type Generator struct {
	r    *rand.Rand
	opts Options

	capPercent int64
	modes      []risk.Mode // by account slot; ModeNone = not yet opened
	orders     []madeOrder // placed some time, perhaps refused or gone
	perps      []int64     // prices at 1e-6
	tokens     []int64
	queued     [][]risk.Command
	orderID    uint64
	timeMs     int64
	fills      int
}

// madeOrder is an order that was asked for.
type madeOrder struct {
	account, market uint32
	id              uint64
	form            risk.IDForm
}

// NewGenerator returns a generator. Give its Listings to the machines first.
func NewGenerator(seed uint64, opts Options) *Generator {
	if opts.Accounts == 0 {
		panic("risktest: BUG: a generator needs accounts")
	}
	g := &Generator{
		r: rand.New(rand.NewPCG(seed, 0x706c696d736f6c6c)), opts: opts, modes: make([]risk.Mode, opts.Accounts),
		timeMs: 1_750_000_000_000,
	}
	g.capPercent = []int64{1, 10, 100, 100, 10_000}[g.r.IntN(5)]
	for i := range universePerps {
		g.perps = append(g.perps, universePerps[i].price)
	}
	for i := range universeTokens {
		g.tokens = append(g.tokens, universeTokens[i].price)
	}
	g.queued = append(g.queued, g.clock(), g.fullTick())
	return g
}

// Listings returns the groups that list the universe.
func (g *Generator) Listings() [][]risk.Command {
	groups := universeListings(g.capPercent)
	set := risk.Command{Kind: risk.KindSetParameters, Aux: risk.ParamLiquidation}
	if !g.opts.Liquidation {
		return append(groups, []risk.Command{set})
	}
	set.Aux |= risk.ParamLiquidationValue
	if g.opts.NoBackstop {
		return append(groups, []risk.Command{set})
	}
	open := risk.Command{Kind: risk.KindOpenAccount, Mode: uint8(risk.ModePortfolio)}
	open.SetName([]byte("liquidator"))
	open.Ref = [4]uint32{g.opts.Accounts, risk.NoAccount, 0, 0}
	set.Aux |= risk.ParamBackstopAccount | risk.ParamBackstopTWAP | risk.ParamTWAPValue
	set.Aux |= risk.ParamBackstopCross | risk.ParamCrossValue
	if g.capPercent == 10 {
		set.Aux |= risk.ParamBackstopLimit
		set.SetNum(2, 20_000, 0)
	}
	set.Ref[risk.RefAccount] = g.opts.Accounts
	return append(groups, []risk.Command{open}, []risk.Command{set})
}

// weighted is a maker of groups and how often it is taken.
type weighted struct {
	weight int
	make   func(*Generator) []risk.Command
}

var makers = []weighted{
	{8, (*Generator).open},
	{14, (*Generator).deposit},
	{8, (*Generator).withdraw},
	{6, (*Generator).transfer},
	{8, (*Generator).lending},
	{5, (*Generator).leverage},
	{4, (*Generator).isolatedMargin},
	{18, (*Generator).order},
	{5, (*Generator).modify},
	{5, (*Generator).cancel},
	{2, (*Generator).trigger},
	{18, (*Generator).fill},
	{8, (*Generator).trade},
	{12, (*Generator).tick},
	{2, (*Generator).funding},
	{5, (*Generator).clock},
	{1, (*Generator).setMode},
	{1, (*Generator).upset},
}

var makersTotal = func() (sum int) {
	for _, m := range makers {
		sum += m.weight
	}
	return sum
}()

// Next returns the next group. Seq and GroupLeft are left to who runs it; TimeMs is given
// where time shall move.
func (g *Generator) Next() []risk.Command {
	if len(g.queued) > 0 {
		group := g.queued[0]
		g.queued = g.queued[1:]
		return group
	}
	if g.opened() < int(g.opts.Accounts)/2 && g.r.IntN(3) == 0 {
		return g.open()
	}
	n := g.r.IntN(makersTotal)
	for _, m := range makers {
		if n -= m.weight; n < 0 {
			group := m.make(g)
			if g.r.IntN(100) < g.opts.Invalid {
				g.spoil(group)
			}
			return group
		}
	}
	panic("risktest: BUG: weights do not add up")
}

func (g *Generator) opened() (count int) {
	for _, m := range g.modes {
		if m != risk.ModeNone {
			count++
		}
	}
	return count
}

// spoil breaks one thing of a group.
func (g *Generator) spoil(group []risk.Command) {
	c := &group[g.r.IntN(len(group))]
	switch g.r.IntN(7) {
	case 0:
		c.Ref[g.r.IntN(4)] = g.r.Uint32N(40)
	case 1:
		c.Ref[g.r.IntN(4)] = risk.NoSlot
	case 2:
		c.Num[g.r.IntN(2)] *= -1
	case 3:
		c.Num[g.r.IntN(2)] = 0
	case 4:
		c.Dec[g.r.IntN(3)] += uint8(g.r.IntN(12))
	case 5:
		c.Num[g.r.IntN(2)] *= 1_000_003
	case 6:
		c.Flags ^= 1 << g.r.IntN(15)
	}
}

// account returns an opened account, or now and then any slot.
func (g *Generator) account() uint32 {
	if g.r.IntN(60) == 0 {
		return g.r.Uint32N(g.opts.Accounts)
	}
	for range 20 {
		if n := g.r.Uint32N(g.opts.Accounts); g.modes[n] != risk.ModeNone {
			return n
		}
	}
	return g.r.Uint32N(g.opts.Accounts)
}

// money returns an amount at 1e-6 US dollars, small or large with equal ease.
func (g *Generator) money(most int64) int64 {
	v := int64(million)
	for v < most/10 && g.r.IntN(6) != 0 {
		v *= 10
	}
	return v + g.r.Int64N(9*v)
}

func (g *Generator) open() []risk.Command {
	slot := g.r.Uint32N(g.opts.Accounts)
	for range 8 {
		if g.modes[slot] != risk.ModeNone {
			slot = g.r.Uint32N(g.opts.Accounts)
		}
	}
	if g.opts.Imports && g.r.IntN(3) == 0 {
		return g.Portfolio(slot)
	}
	c := g.head(risk.KindOpenAccount, slot)
	if g.r.IntN(4) != 0 { // funds follow
		for range 1 + g.r.IntN(3) {
			g.queued = append(g.queued, g.depositOf(slot))
		}
	}
	return []risk.Command{c}
}

// head makes the record that opens or imports an account.
func (g *Generator) head(kind risk.Kind, slot uint32) risk.Command {
	mode := []risk.Mode{risk.ModeStandard, risk.ModeUnified, risk.ModePortfolio, risk.ModePortfolio}[g.r.IntN(4)]
	c := risk.Command{Kind: kind, Mode: uint8(mode)}
	c.SetName(fmt.Appendf(nil, "account-%d", slot))
	c.Ref = [4]uint32{slot, risk.NoAccount, 0, 0}
	if g.modes[slot] == risk.ModeNone {
		g.modes[slot] = mode
	}
	return c
}

// Mode returns the mode in which an account was opened first; ModeNone before that.
func (g *Generator) Mode(slot uint32) risk.Mode { return g.modes[slot] }

func (g *Generator) clock() []risk.Command {
	step := []int64{1, 900, 1_000, 60_000, 3_600_000, 86_400_000, 20 * 86_400_000}[g.r.IntN(7)]
	g.timeMs += step
	return []risk.Command{{Kind: risk.KindClock, TimeMs: g.timeMs}}
}

func (g *Generator) funding() []risk.Command {
	group := []risk.Command{}
	for n := range universePerps {
		if n%4 == 0 {
			group = append(group, risk.Command{Kind: risk.KindFunding})
		}
		c := &group[n/4]
		c.Ref[n%4], c.Mode = uint32(n), uint8(n%4+1)
		c.SetNum(n%4, g.r.Int64N(1_000_000)-400_000, 9)
	}
	return group
}

// upset changes parameters, listings or halts.
func (g *Generator) upset() []risk.Command {
	if g.opts.Calm {
		return g.tick()
	}
	c := risk.Command{Kind: risk.KindSetParameters}
	switch g.r.IntN(6) {
	case 0:
		c.Aux, c.Mode = risk.ParamOffsetMode, uint8(g.r.IntN(3))
	case 1:
		c.Aux = risk.ParamOrderMarginBasis | risk.ParamOriginalSize*uint64(g.r.IntN(2))
	case 2:
		c.Aux = risk.ParamHLCompat | risk.ParamHLCompatValue*uint64(g.r.IntN(2))
	case 3:
		return tokenGroup(g.r.IntN(len(universeTokens)), g.capPercent*(1+g.r.Int64N(3)))
	default:
		c = risk.Command{Kind: risk.KindHalt, Flags: []risk.Flags{risk.FlagAccount, risk.FlagMarket, risk.FlagAll}[g.r.IntN(3)]}
		c.Ref = [4]uint32{g.account(), 0, g.market(), 0}
		resume := c
		resume.Kind = risk.KindResume
		g.queued = append(g.queued, g.order(), g.withdraw(), []risk.Command{resume})
	}
	return []risk.Command{c}
}
