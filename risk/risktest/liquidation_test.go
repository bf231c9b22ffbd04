package risktest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"plimsoll/fixedpoint"
	"plimsoll/risk"
)

// fate is one small venue under liquidation: its listings, accounts and a story of ticks that can
// be told with all amounts times k, with fills in parts, or with accounts in another order.
type fate struct {
	s      *Shards
	k      int64
	parts  int64 // fills in so many
	unit   int64 // dollars that an account has at least
	slots  []uint32
	events []risk.Event
	timeMs int64
}

// fateAccounts is how many accounts a fate has, the liquidator first, a lender, a maker.
const fateAccounts = 12

func newFate(k, parts, unit int64, slots []uint32) *fate {
	f := &fate{s: NewShards(1, 64), k: k, parts: parts, unit: unit, slots: slots, timeMs: 1000}
	for _, group := range crashListings() {
		f.do(group...)
	}
	return f
}

func (f *fate) do(group ...risk.Command) {
	group[0].TimeMs = f.timeMs
	events := f.s.Do(group)
	if events[0].Reason != risk.ReasonNone {
		panic(fmt.Sprintf("kind %d: %v", group[0].Kind, events[0].Reason))
	}
	f.events = append(f.events, events[1:]...)
}

func (f *fate) open(n int, mode risk.Mode) {
	c := risk.Command{Kind: risk.KindOpenAccount, Mode: uint8(mode)}
	c.Ref = [4]uint32{f.slots[n], risk.NoAccount, 0, 0}
	c.SetName(fmt.Appendf(nil, "fate-%d", n))
	f.do(c)
}

// pay deposits hundredths of a token, times k.
func (f *fate) pay(n int, token uint32, cents int64) {
	d := risk.Command{Kind: risk.KindDeposit}
	d.Ref = [4]uint32{f.slots[n], 0, 0, token}
	d.SetNum(0, cents*f.k, 2)
	f.do(d)
}

// trade is a trade of size units, times k, in parts.
func (f *fate) trade(buyer, seller int, market uint32, size, price int64) {
	sz := crashMarkets[market].perp.sz
	left := size * f.k
	for n := f.parts; n > 0; n-- {
		x := left / n
		if left -= x; x == 0 {
			continue
		}
		t, part := risk.Command{Kind: risk.KindTrade}, risk.Command{Kind: risk.KindPartSeller}
		t.Ref, part.Ref = [4]uint32{f.slots[buyer], 0, market, risk.NoSlot}, [4]uint32{f.slots[seller], 0, 0, 0}
		t.SetNum(0, x, sz)
		t.SetNum(1, at(price, 6-sz), 6-sz)
		f.do(t, part)
	}
}

func (f *fate) tick(prices []int64) {
	var b tickBuilder
	for n := range crashMarkets {
		px := 6 - crashMarkets[n].perp.sz
		b.add(risk.PriceMark, uint32(n), at(prices[n], px), px)
		if t := crashMarkets[n].spotOf; t != 0 {
			b.add(risk.PriceTokenOracle, t, prices[n], 6)
		}
	}
	f.do(b.group...)
}

// answer fills half of what a liquidation asks for, at mark; the maker takes the other side.
func (f *fate) answer(e *risk.Event, prices []int64) {
	sz := crashMarkets[e.Market].perp.sz
	size, _ := e.Amount.Int64()
	c := risk.Command{Kind: risk.KindFill, Flags: risk.FlagLiquidation, Aux: e.OrderLo}
	c.Ref = [4]uint32{e.Account, 0, e.Market, risk.NoSlot}
	half := size / f.k / 2 * f.k
	if half == 0 {
		return
	}
	c.SetNum(0, max(half, -half), sz)
	c.SetNum(1, at(prices[e.Market], 6-sz), 6-sz)
	other := c
	other.Flags, other.Ref[0] = 0, f.slots[2]
	if size < 0 {
		c.Flags |= risk.FlagSell
	} else {
		other.Flags |= risk.FlagSell
	}
	f.do(c)
	f.do(other)
}

// live tells a seed's story: accounts of all modes take positions against the maker, then prices
// fall in steps, a second apart; the book
// takes half of what is asked of it.
func (f *fate) live(seed uint64) {
	r := rand.New(rand.NewPCG(seed, 77))
	modes := make([]risk.Mode, fateAccounts)
	modes[0], modes[1], modes[2] = risk.ModePortfolio, risk.ModePortfolio, risk.ModeStandard
	for n := 3; n < fateAccounts; n++ {
		modes[n] = risk.Mode(1 + r.IntN(3))
	}
	prices := []int64{100_000 * million, 200 * million, 40 * million}
	order := r.Perm(fateAccounts)
	slices.SortStableFunc(order, func(a, b int) int { return int(f.slots[a]) - int(f.slots[b]) })
	for _, n := range order { // who comes first is not the story's matter
		f.open(n, modes[n])
	}
	set := risk.Command{Kind: risk.KindSetParameters, Aux: risk.ParamBackstopAccount}
	set.Ref[risk.RefAccount] = f.slots[0]
	f.do(set)
	f.tick(prices)
	for n := range 3 {
		f.pay(n, 0, 1_000_000_000_00)
	}
	for n := 3; n < fateAccounts; n++ {
		money := f.unit * int64(1+r.IntN(200))
		market := r.Uint32N(3)
		if modes[n] == risk.ModePortfolio {
			f.pay(n, 1, money*100/40)
		} else {
			f.pay(n, 0, money*100)
		}
		size := sizeFor(money*int64(2+r.IntN(6))*million, prices[market], crashMarkets[market].perp.sz)
		if r.IntN(4) == 0 {
			f.trade(2, n, market, size, prices[market])
		} else {
			f.trade(n, 2, market, size, prices[market])
		}
	}
	for range 25 {
		for n := range prices {
			prices[n] -= prices[n] / 1000 * (int64(r.IntN(70)) - 8)
		}
		f.timeMs += 1000
		from := len(f.events)
		f.tick(prices)
		for _, e := range slices.Clone(f.events[from:]) {
			if e.Kind == risk.EventLiquidationOrder {
				f.answer(&e, prices)
			}
		}
	}
}

// outcome is what is left of each account, in thousandths of a dollar and whole size units.
func (f *fate) outcome() (out []string) {
	var v risk.AccountView
	for n := range fateAccounts {
		f.s.ReadAccount(f.slots[n], &v)
		text := fmt.Appendf(nil, "%d: %v", n, v.Margin.Health)
		for _, b := range v.Balances {
			text = fmt.Appendf(text, " %d:%d", b.Token, cents(b.Total.V, f.k))
		}
		for _, d := range v.Dexes {
			text = fmt.Appendf(text, " dex:%d", cents(d.CrossValue.V, f.k))
		}
		for _, p := range v.Positions {
			size, _ := p.Size.V.Int64()
			text = fmt.Appendf(text, " %d@%d", size/f.k, p.Perp)
		}
		out = append(out, string(text))
	}
	return out
}

// cents brings an amount at 1e-8, taken k times, to hundredths of one.
func cents(v fixedpoint.Int128, k int64) int64 {
	x, _ := v.Add(fixedpoint.I128(k * 500_000)).DivFloor(k * 1_000_000).Int64()
	return x
}

func straight(n int) (slots []uint32) {
	for i := range n {
		slots = append(slots, uint32(i))
	}
	return slots
}

// told keeps what happened, without numbers, account by account: whose ratios are the same but for
// the last digit may come in another order.
func (f *fate) told() (out []string) {
	for i := range f.events {
		e := &f.events[i]
		if e.Kind >= risk.EventLiquidationStarted {
			n := slices.Index(f.slots, e.Account)
			out = append(out, fmt.Sprintf("%02d at %08d: %v %d %d %v", n, e.TimeMs, e.Kind, e.Market, e.Token, e.Rule))
		}
	}
	slices.Sort(out)
	return out
}

func sameFate(t *testing.T, seed uint64, want, got *fate) {
	t.Helper()
	for i, pair := range [2][2][]string{{want.told(), got.told()}, {want.outcome(), got.outcome()}} {
		for n := range max(len(pair[0]), len(pair[1])) {
			if n >= len(pair[0]) || n >= len(pair[1]) || pair[0][n] != pair[1][n] {
				t.Errorf("seed %d, list %d, line %d:\n%v\n%v", seed, i, n, pair[0][min(n, len(pair[0])):min(n+2, len(pair[0]))],
					pair[1][min(n, len(pair[1])):min(n+2, len(pair[1]))])
				return
			}
		}
	}
}

// fateSeeds is how many stories each relation is held against.
const fateSeeds = 60

// TestAFillInPartsIsTheSameFill: splitting every trade in two changes nothing of what follows.
func TestAFillInPartsIsTheSameFill(t *testing.T) {
	t.Parallel()
	liquidated := 0
	for seed := range uint64(fateSeeds) {
		one, two := newFate(1, 1, 1000, straight(fateAccounts)), newFate(1, 2, 1000, straight(fateAccounts))
		one.live(seed)
		two.live(seed)
		sameFate(t, seed, one, two)
		liquidated += len(one.told())
	}
	if liquidated == 0 {
		t.Error("nobody was liquidated")
	}
	t.Logf("%d events of liquidation", liquidated)
}

// TestStrangersOrderMattersToNobody: accounts opened in another order, on other slots, come to the
// same ends. (Only where places in the ranking of deleveraging tie does the slot decide.)
func TestStrangersOrderMattersToNobody(t *testing.T) {
	t.Parallel()
	for seed := range uint64(fateSeeds) {
		one := newFate(1, 1, 1000, straight(fateAccounts))
		slots := straight(fateAccounts)
		rand.New(rand.NewPCG(seed, 5)).Shuffle(len(slots), func(i, j int) { slots[i], slots[j] = slots[j], slots[i] })
		two := newFate(1, 1, 1000, slots)
		one.live(seed)
		two.live(seed)
		want, got := one.outcome(), two.outcome()
		for n := range want {
			if want[n] != got[n] {
				t.Errorf("seed %d:\n%s\n%s", seed, want[n], got[n])
			}
		}
	}
}

// TestAmountsTimesK: what every account has times k, and all that is done, gives the same ends
// times k. Positions stay below 100,000 dollars, where the rule of the fifth begins.
func TestAmountsTimesK(t *testing.T) {
	t.Parallel()
	for seed := range uint64(fateSeeds) {
		one, many := newFate(1, 1, 10, straight(fateAccounts)), newFate(7, 1, 10, straight(fateAccounts))
		one.live(seed)
		many.live(seed)
		sameFate(t, seed, one, many)
	}
}

// TestAStepNeverWorsensTheRatio: in the partial zone, of an account without perps, whatever its
// collaterals and debts, and however narrow the width of one of them.
func TestAStepNeverWorsensTheRatio(t *testing.T) {
	t.Parallel()
	steps := 0
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 31))
		f := newFate(1, 1, 1, straight(3))
		width := tokenGroupOf(&listedToken{"BTC", 197, 8, 5, false, 50, [4]int64{1 << 33, 0, 1 << 33, 0}, risk.NoSlot, 0}, 2, 100)
		width[2].SetNum(1, int64(1+r.IntN(40_000)), 0)
		f.do(width...)
		for n, mode := range []risk.Mode{risk.ModePortfolio, risk.ModePortfolio, risk.ModePortfolio} {
			f.open(n, mode)
		}
		set := risk.Command{Kind: risk.KindSetParameters, Aux: risk.ParamBackstopAccount}
		set.Ref[risk.RefAccount] = 0
		f.do(set)
		f.tick([]int64{100_000 * million, 200 * million, 40 * million})
		f.pay(0, 0, 100_000_000_00)
		f.pay(1, 0, 100_000_000_00)
		f.pay(2, 1, int64(10_000+r.IntN(1_000_000)))
		f.pay(2, 2, int64(r.IntN(400)))
		c := risk.Command{Kind: risk.KindFill}
		c.Ref = [4]uint32{2, 0, risk.SpotBit, risk.NoSlot}
		c.SetNum(0, int64(5_000+r.IntN(500_000)), 2)
		c.SetNum(1, 40*million, 6)
		f.do(c)
		steps += f.descend(t, seed, r)
	}
	t.Logf("%d steps", steps)
	if steps < 100 {
		t.Errorf("only %d steps", steps)
	}
}

// descend lowers both collaterals until the account of slot 2 has been taken from, and holds each
// step against the ratio before it, at the same prices.
func (f *fate) descend(t *testing.T, seed uint64, r *rand.Rand) (steps int) {
	t.Helper()
	hype, btc := 40*int64(million), 100_000*int64(million)
	var before, after risk.AccountView
	for range 300 {
		if r.IntN(3) > 0 {
			hype -= hype / 1000 * int64(r.IntN(9))
			btc -= btc / 1000 * int64(r.IntN(9))
		}
		off := risk.Command{Kind: risk.KindSetParameters, Aux: risk.ParamLiquidation}
		f.do(off)
		f.tick([]int64{btc, 200 * million, hype})
		f.s.ReadAccount(2, &before)
		on := off
		on.Aux |= risk.ParamLiquidationValue
		f.do(on)
		from := len(f.events)
		f.timeMs += 3000
		f.do(risk.Command{Kind: risk.KindClock})
		f.s.ReadAccount(2, &after)
		isStep := slices.ContainsFunc(f.events[from:], func(e risk.Event) bool {
			return e.Kind == risk.EventBackstopTakeover && e.Rule == risk.RulePartialBorrow
		})
		if !isStep {
			continue
		}
		steps++
		slack := fixedpoint.I128(60) // of 1e-10: interest of three seconds
		if before.Margin.PortfolioMarginRatio.V.Add(slack).Less(after.Margin.PortfolioMarginRatio.V) {
			t.Errorf("seed %d: ratio %s, after a step %s", seed, Text(before.Margin.PortfolioMarginRatio), Text(after.Margin.PortfolioMarginRatio))
		}
	}
	return steps
}
