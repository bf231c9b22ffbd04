package main

import (
	"fmt"

	"plimsoll/fixedpoint"
	"plimsoll/internal/universe"
	"plimsoll/risk"
)

// How synthetic accounts differ from the captured ones they are drawn around. One in so
// many has a feature; spreads are log-normal, in thousandths.
const (
	positionsMax     = 8 // 1 + binomial(7, 3/7): four on average
	positionsMean    = 4
	accountSpread    = 1000
	positionSpread   = 500
	spreadMeanE6     = 1_868_000 // mean of both spreads: exp((1 + 0.5 x 0.5) / 2)
	usageSpread      = 450
	entrySpread      = 60 // entry price against the mark: a few days' moves
	oneInOther       = 2  // positions in another perp than the captured one
	oneInIsolated    = 16 // accounts, outside portfolio margin, whose first position is isolated
	oneInBuilder     = 16 // accounts with a position on a builder dex
	oneInCollateral  = 8  // portfolio accounts that lend a collateral token
	oneInBorrower    = 4  // of those: their perps run on borrowed money
	notionalMinE6    = 10_000_000
	notionalMaxE6    = 20_000_000_000_000
	borrowPartE6     = 700_000 // of what its collateral allows that a borrower owes
	poolPartE6       = 800_000 // of a pool's cap that all synthetic accounts together aim at
	usageMinE6       = 20_000
	usageMaxE6       = 4_000_000
	million          = 1_000_000
	recordsPerImport = 1 + positionsMax + 2 + 2 // head, positions, dexes, balances at most
)

// instrument is a perp that accounts may hold.
type instrument struct {
	slot     uint32
	dex      uint32
	sz       uint8
	leverage uint16 // at most
	mark     int64  // at 10^-(6-sz): size x mark is US dollars at 1e-6
}

// template is a captured account that synthetic ones are drawn around.
type template struct{ positions []templatePosition }

type templatePosition struct {
	instrument int // index, -1 when not tradable here
	notionalE6 int64
	leverage   uint16
	isShort    bool
}

// collateral is a token that portfolio accounts lend.
type collateral struct {
	token   uint32
	wei     uint8
	ltvE6   int64
	priceE6 int64
	shareE6 int64 // US dollars that one account may lend on average
}

// synthesizer draws accounts.
type synthesizer struct {
	chance
	main, builder []instrument
	templates     []template
	usagesE6      []int64 // requirement / equity of the captured cross accounts
	collaterals   []collateral
	numeraire     uint32
	scaleE6       int64 // of the captured notionals
	lendShareE6   int64 // numeraire that one portfolio account may lend on average
	borrowShareE6 int64
}

// newSynthesizer prepares to draw `accounts` accounts at the prices in force.
func newSynthesizer(seed uint64, m *market, u *universe.Universe, captures []*captured, accounts int) (*synthesizer, error) {
	s := &synthesizer{chance: newChance(seed, accountStream), numeraire: m.numeraire}
	byName := map[string]int{}
	for i := range m.perps {
		p := &m.perps[i]
		mark, ok := p.MarkPx.V.Int64()
		if !ok || mark <= 0 || p.IsHalted || p.MarginMode != risk.MarginNormal || p.Collateral != m.numeraire {
			continue
		}
		in := instrument{slot: p.Slot, dex: p.Dex, sz: p.SzDecimals, leverage: p.MaxLeverage, mark: mark}
		if p.Dex != 0 {
			s.builder = append(s.builder, in)
			continue
		}
		byName[p.Name] = len(s.main)
		s.main = append(s.main, in)
	}
	s.addTemplates(captures, byName)
	s.setScale(u, accounts)
	s.addPools(m, accounts)
	if len(s.main) == 0 || len(s.templates) == 0 || len(s.usagesE6) == 0 {
		return nil, fmt.Errorf("nothing to draw accounts around: %d perps, %d captured accounts", len(s.main), len(s.templates))
	}
	return s, nil
}

// addTemplates takes positions and usages from the captures.
func (s *synthesizer) addTemplates(captures []*captured, byName map[string]int) {
	for _, c := range captures {
		var t template
		var required num
		isCross := true
		equity := c.netBalance()
		if c.mode == modeStandard {
			equity = c.dexes[0].crossValue
		}
		for i := range c.dexes {
			for k := range c.dexes[i].positions {
				p := &c.dexes[i].positions[k]
				isCross = isCross && !p.isIsolated
				required = required.add(p.value.div(numInt(int64(min(p.leverage, 10)))))
				q := templatePosition{instrument: -1, leverage: uint16(p.leverage), isShort: p.size.sign() < 0}
				q.notionalE6, _ = p.value.units(6)
				if in, ok := byName[p.coin]; ok {
					q.instrument = in
				}
				t.positions = append(t.positions, q)
			}
		}
		if len(t.positions) > 0 {
			s.templates = append(s.templates, t)
		}
		if isCross && equity.sign() > 0 && required.sign() > 0 {
			usage, _ := required.div(equity).units(6)
			s.usagesE6 = append(s.usagesE6, usage)
		}
	}
}

// setScale scales notionals such that all synthetic accounts together hold about the open
// interest of the captures, longs and shorts: few accounts are as large as the captured ones,
// a million are not. They never become larger.
func (s *synthesizer) setScale(u *universe.Universe, accounts int) {
	var interest num
	for i := range u.Perps {
		size, errSize := parseNum(u.Perps[i].OpenInterest)
		mark, errMark := parseNum(u.Perps[i].MarkPx)
		if errSize == nil && errMark == nil {
			interest = interest.add(size.mul(mark))
		}
	}
	var mean num // notional of a captured position, every account weighing alike
	for _, t := range s.templates {
		for _, p := range t.positions {
			mean = mean.add(numInt(p.notionalE6).div(numInt(int64(len(t.positions) * len(s.templates)))))
		}
	}
	drawn := mean.mul(numInt(int64(max(accounts, 1)) * positionsMean)).mul(numInt(spreadMeanE6)).div(numInt(million))
	s.scaleE6 = million
	if drawn.sign() > 0 {
		scale, _ := interest.mul(numInt(2)).div(drawn.div(numInt(million))).units(6)
		s.scaleE6 = min(s.scaleE6, max(scale, 1))
	}
}

// addPools works out what an account may lend and borrow so that all together stay below
// the pools' caps.
func (s *synthesizer) addPools(m *market, accounts int) {
	portfolio := int64(accounts/3 + 1)
	collateralCount := int64(0)
	for i := range m.tokens {
		if t := &m.tokens[i]; t.HasPool && t.LTV.V.Sign() > 0 && !t.OraclePx.IsNull {
			collateralCount++
		}
	}
	for i := range m.tokens {
		t := &m.tokens[i]
		if t.Slot == m.numeraire {
			s.lendShareE6 = part(amountE6(t.SupplyCap)/portfolio, poolPartE6)
			s.borrowShareE6 = part(amountE6(t.BorrowCap)*oneInCollateral*oneInBorrower/portfolio, poolPartE6)
		}
		if !t.HasPool || t.LTV.V.Sign() <= 0 || t.OraclePx.IsNull {
			continue
		}
		c := collateral{token: t.Slot, wei: t.WeiDecimals, ltvE6: amountE6(t.LTV), priceE6: amountE6(t.OraclePx)}
		worth := part(amountE6(t.SupplyCap), c.priceE6)
		c.shareE6 = part(worth*collateralCount*oneInCollateral/portfolio, poolPartE6)
		s.collaterals = append(s.collaterals, c)
	}
}

// amountE6 returns an amount at 1e-6, rounded down.
func amountE6(a risk.Amount) int64 {
	v := a.V
	if a.Decimals > 6 {
		v = v.DivFloor(fixedpoint.Pow10(a.Decimals - 6))
	}
	whole, _ := v.Int64()
	if a.Decimals < 6 {
		whole *= fixedpoint.Pow10(6 - a.Decimals)
	}
	return whole
}

// part returns v x partE6 / 1e6, rounded down; v fits whatever partE6 an account draws.
func part(v, partE6 int64) int64 {
	p, ok := fixedpoint.MulDivFloor(v, partE6, million)
	if !ok {
		panic(fmt.Sprintf("demo: BUG: %d x %d/1e6 overflows", v, partE6))
	}
	return p
}

// book is the perps side of an account under construction, by dex.
type book struct {
	mode       risk.Mode
	scaleE6    int64    // of this account's notionals
	isIsolated bool     // the next position is
	valueE6    [2]int64 // signed notional of cross positions
	requiredE6 [2]int64
	isolatedE6 int64
}

// account appends the import group of one account named by its head.
func (s *synthesizer) account(dst []risk.Command, name []byte) []risk.Command {
	first := len(dst)
	mode := risk.Mode(1 + s.IntN(3))
	dst = append(dst, risk.Command{Kind: risk.KindImportAccount, Mode: uint8(mode)})
	dst[first].SetName(name)
	dst[first].Ref[risk.RefOther] = risk.NoAccount
	b := book{mode: mode, scaleE6: part(s.scaleE6, s.spreadE6(accountSpread))}
	dst = s.positions(dst, &b)
	dst = s.money(dst, &b)
	for i := range dst[first:] {
		dst[first+i].GroupLeft = uint16(len(dst) - first - 1 - i)
	}
	return dst
}

// positions appends the positions of an account.
func (s *synthesizer) positions(dst []risk.Command, b *book) []risk.Command {
	count := 1
	for range positionsMax - 1 {
		if s.IntN(7) < 3 {
			count++
		}
	}
	t := &s.templates[s.IntN(len(s.templates))]
	b.isIsolated = b.mode != risk.ModePortfolio && s.IntN(oneInIsolated) == 0
	hasBuilder := len(s.builder) > 0 && s.IntN(oneInBuilder) == 0
	first := len(dst)
	for k := range count {
		p := &t.positions[s.IntN(len(t.positions))]
		in := &s.main[s.IntN(len(s.main))]
		if hasBuilder && k == count-1 {
			in = &s.builder[s.IntN(len(s.builder))]
		} else if p.instrument >= 0 && s.IntN(oneInOther) != 0 && !holds(dst[first:], s.main[p.instrument].slot) {
			in = &s.main[p.instrument]
		}
		if !holds(dst[first:], in.slot) { // of 190 perps the same one twice: rare, and then one less
			dst = append(dst, s.position(in, p, b))
			b.isIsolated = false
		}
	}
	return dst
}

func holds(parts []risk.Command, perp uint32) bool {
	for i := range parts {
		if parts[i].Market() == perp {
			return true
		}
	}
	return false
}

// position draws one position, and counts it.
func (s *synthesizer) position(in *instrument, p *templatePosition, b *book) risk.Command {
	wanted := part(part(p.notionalE6, b.scaleE6), s.spreadE6(positionSpread))
	size := max(1, min(max(wanted, notionalMinE6), notionalMaxE6)/in.mark)
	notional := size * in.mark
	leverage := min(p.leverage, in.leverage)
	required := notional / int64(leverage)
	if b.mode != risk.ModeStandard {
		required = max(required, notional/10)
	}
	c := risk.Command{Kind: risk.KindPartPosition, Leverage: leverage}
	c.Ref[risk.RefMarket] = in.slot
	value := notional
	if p.isShort != (s.IntN(4) == 0) { // one in four goes the other way
		size, value = -size, -notional
	}
	c.SetNum(0, size, in.sz)
	c.SetNum(1, part(notional, s.spreadE6(entrySpread)), 6)
	if b.isIsolated {
		equity := part(required, s.spreadE6(entrySpread))
		c.Flags |= risk.FlagIsolated
		c.SetNum(2, equity-value, 6)
		b.isolatedE6 += equity
	} else {
		d := min(in.dex, 1)
		b.valueE6[d] += value
		b.requiredE6[d] += required
	}
	return c
}

// money appends the cash: so much equity that the requirement is the part of it that the
// captured accounts show, give or take.
func (s *synthesizer) money(dst []risk.Command, b *book) []risk.Command {
	usage := part(s.usagesE6[s.IntN(len(s.usagesE6))], s.spreadE6(usageSpread))
	usage = min(max(usage, usageMinE6), usageMaxE6)
	required := b.requiredE6[0] + b.requiredE6[1]
	equity, ok := fixedpoint.MulDivFloor(required, million, usage)
	if !ok {
		equity = required
	}
	cross := equity // what stands in the dexes; the rest is idle or lent
	if b.mode != risk.ModeStandard {
		cross = min(equity, required)
	}
	for dex := range b.requiredE6 {
		if required == 0 || b.requiredE6[dex] == 0 {
			continue
		}
		value, _ := fixedpoint.MulDivFloor(cross, b.requiredE6[dex], required)
		c := risk.Command{Kind: risk.KindPartWallet}
		c.Ref[risk.RefMarket] = uint32(dex)
		c.SetNum(0, value-b.valueE6[dex], 6)
		dst = append(dst, c)
	}
	switch {
	case b.mode == risk.ModeStandard:
		return append(dst, s.balance(s.numeraire, equity/4, 0, 0))
	case b.mode == risk.ModeUnified:
		return append(dst, s.balance(s.numeraire, equity+b.isolatedE6, 0, 0))
	case len(s.collaterals) > 0 && s.IntN(oneInCollateral) == 0:
		return s.withCollateral(dst, equity, required)
	}
	return append(dst, s.balance(s.numeraire, equity, s.lent(equity-cross), 0))
}

// lent returns how much of idle money an account lends, within its share of the pool.
func (s *synthesizer) lent(idle int64) int64 {
	return max(0, min(idle, part(s.lendShareE6, s.spreadE6(usageSpread))))
}

// withCollateral appends the balances of a portfolio account that lends a token: it takes
// the place of money that the perps do not hold. One in a few owes part of what they do.
func (s *synthesizer) withCollateral(dst []risk.Command, equity, required int64) []risk.Command {
	c := &s.collaterals[s.IntN(len(s.collaterals))]
	idle := max(0, equity-required)
	capacity := min(idle, part(part(c.shareE6, c.ltvE6), s.spreadE6(usageSpread)))
	cash, lent, debt := equity-capacity, int64(0), int64(0)
	if idle > 0 && s.IntN(oneInBorrower) == 0 {
		debt = min(required/2, part(capacity, borrowPartE6), s.borrowShareE6)
		cash = required - debt
	} else {
		lent = s.lent(idle - capacity)
	}
	worth, _ := fixedpoint.MulDivFloor(capacity, million, c.ltvE6)
	amount, _ := fixedpoint.MulDivFloor(worth, million, c.priceE6)
	return append(dst, s.balance(s.numeraire, cash, lent, debt), s.balance(c.token, amount, amount, 0))
}

// balance returns the part that holds a token; amounts are at 1e-6.
func (s *synthesizer) balance(token uint32, total, supplied, borrowed int64) risk.Command {
	c := risk.Command{Kind: risk.KindPartBalance}
	c.Ref[risk.RefToken] = token
	c.SetNum(0, total, 6)
	c.SetNum(1, supplied, 6)
	c.SetNum(2, borrowed, 6)
	return c
}
