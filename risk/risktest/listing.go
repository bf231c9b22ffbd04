package risktest

import (
	"plimsoll/fixedpoint"
	"plimsoll/risk"
)

// part returns the first part of a kind within a group.
func part(group []risk.Command, kind risk.Kind) *risk.Command {
	for i := 1; i < len(group); i++ {
		if group[i].Kind == kind {
			return &group[i]
		}
	}
	return nil
}

func (o *Oracle) listToken(group []risk.Command) {
	c, rates, limits := &group[0], part(group, risk.KindPartRates), part(group, risk.KindPartLimits)
	t := o.tokens[c.Token()]
	if t == nil {
		t = &token{slot: c.Token(), given: of(0), px: of(0)}
		o.tokens[t.slot] = t
	}
	t.index, t.wei, t.sz, t.oraclePerp = c.Other(), int(c.Mode), int(c.Leverage), c.Market()
	t.isBorrowable = c.Has(risk.FlagBorrowable)
	t.supplyCap, t.borrowCap = number(c, 0, t.wei), number(c, 1, t.wei)
	t.userSupplyCap, t.userBorCap = number(c, 2, t.wei), number(c, 3, t.wei)
	t.ltv, t.base = number(rates, 0, 12), number(rates, 1, 12)
	t.slope, t.kink = number(rates, 2, 12), number(rates, 3, 12)
	t.reserve = number(limits, 0, 12)
	if t.index == 0 {
		o.numeraire = t.slot
	}
	if t.pool == nil && (t.isBorrowable || t.ltv.Sign() > 0 || t.supplyCap.Sign() > 0) {
		one := pow10(27)
		t.pool = &pool{supplyIndex: one, debtIndex: one, supply: of(0), debt: of(0), cash: of(0), buffer: of(0), accruedMs: o.TimeMs}
	}
	o.reprice(t)
}

func (o *Oracle) listPerp(group []risk.Command) {
	c := &group[0]
	d := o.dexes[uint32(c.Wallets[0])]
	if d == nil {
		d = &dex{slot: uint32(c.Wallets[0]), collateral: o.tokens[c.Token()]}
		o.dexes[d.slot] = d
	}
	p := o.perps[c.Market()]
	if p == nil {
		p = &perp{slot: c.Market(), mark: of(0), oracle: of(0), cum: of(0), openLong: of(0)}
		o.perps[p.slot] = p
	}
	p.sz, p.dex, p.mode, p.tiers = int(c.Leverage), d, risk.MarginMode(c.Mode), nil
	for g := range group {
		if group[g].Kind == risk.KindPartTiers {
			for i := range int(group[g].Mode) {
				p.tiers = append(p.tiers, tier{number(&group[g], i, d.collateral.wei), int64(group[g].Ref[i])})
			}
		}
	}
}

func (o *Oracle) listSpot(c *risk.Command) {
	s := o.spots[c.Market()]
	if s == nil {
		s = &spot{slot: c.Market(), base: o.tokens[c.Token()], quote: o.tokens[c.Ref[risk.RefAccount]], px: of(0)}
		o.spots[s.slot] = s
	}
	if s.quote.slot == o.numeraire && s.base.spot == nil {
		s.base.spot = s
	}
}

func (o *Oracle) setParameters(c *risk.Command) {
	p := &o.Params
	if c.Aux&risk.ParamOffsetMode != 0 {
		p.OffsetMode = risk.OffsetMode(c.Mode)
	}
	if c.Aux&risk.ParamHLCompat != 0 {
		p.HLCompat = c.Aux&risk.ParamHLCompatValue != 0
	}
	if c.Aux&risk.ParamOrderMarginBasis != 0 {
		p.OrderMarginBasis = uint8(c.Aux & risk.ParamOriginalSize / risk.ParamOriginalSize)
	}
	if c.Aux&risk.ParamMaxClockStep != 0 {
		p.MaxClockStepMs = c.Num[0]
	}
	if c.Aux&risk.ParamMinBorrowOffset != 0 {
		p.MinBorrowOffsetE8 = number(c, 1, 8).Int64()
	}
}

// priceDecimals of a perp and of a spot market.
func (p *perp) priceDecimals() int { return 6 - p.sz }
func (s *spot) priceDecimals() int { return 8 - min(s.base.sz, 8) }

// prices sets a tick, derives the borrow oracle prices, then lets every account whose
// cross value of a dex fell below its maintenance margin share margin (MODEL.md §8).
func (o *Oracle) prices(group []risk.Command) {
	for g := range group {
		c := &group[g]
		for i := range int(c.Mode) {
			switch slot := c.Ref[i]; c.PriceKindAt(i) {
			case risk.PriceMark:
				o.perps[slot].mark = number(c, i, o.perps[slot].priceDecimals())
			case risk.PriceOracle:
				o.perps[slot].oracle = number(c, i, 10)
			case risk.PriceSpot:
				o.spots[slot].px = number(c, i, o.spots[slot].priceDecimals())
			case risk.PriceTokenOracle:
				o.tokens[slot].given = number(c, i, 10)
			}
		}
	}
	for _, slot := range keys(o.tokens) {
		o.reprice(o.tokens[slot])
	}
	var asked []*account
	for _, slot := range keys(o.accounts) {
		if a := o.accounts[slot]; a.mode == risk.ModePortfolio && o.sharesMargin(a) {
			asked = append(asked, a)
		}
	}
	o.rebalanceTogether(asked)
}

func (o *Oracle) sharesMargin(a *account) bool {
	for _, d := range o.books(a) {
		if d.maintenance.Sign() > 0 && isLess(d.value, d.maintenance) {
			return true
		}
	}
	return false
}

// reprice derives a borrow oracle price (MODEL.md §9): a given token price stands; else
// the median of spot, mark/k and oracle/k, k the dollar price of the numeraire.
func (o *Oracle) reprice(t *token) {
	switch {
	case t.slot == o.numeraire:
		t.px = pow10(10)
		return
	case t.given.Sign() > 0:
		t.px = t.given
		return
	}
	var in []whole
	if t.spot != nil && t.spot.px.Sign() > 0 {
		in = append(in, scaled(t.spot.px, 10-t.spot.priceDecimals()))
	}
	if p := o.perps[t.oraclePerp]; p != nil {
		k := pow10(10)
		if g := o.tokens[o.numeraire].given; g.Sign() > 0 {
			k = g
		}
		if p.mark.Sign() > 0 {
			in = append(in, divFloor(scaled(scaled(p.mark, 10-p.priceDecimals()), 10), k))
		}
		if p.oracle.Sign() > 0 {
			in = append(in, divFloor(scaled(p.oracle, 10), k))
		}
	}
	switch len(in) {
	case 1:
		t.px = in[0]
	case 2:
		t.px = divFloor(add(in[0], in[1]), of(2))
	case 3:
		t.px = most(least(in[0], in[1]), least(most(in[0], in[1]), in[2]))
	}
}

// funding adds floor(oracle x rate) per size unit at 1e-12 (MODEL.md §6).
func (o *Oracle) funding(group []risk.Command) {
	for g := range group {
		c := &group[g]
		for i := range int(c.Mode) {
			p := o.perps[c.Ref[i]]
			p.cum = add(p.cum, divFloor(times(p.oracle, number(c, i, 12)), pow10(10+p.sz)))
		}
	}
}

// pool is a lending pool: supply and debt are scaled sums, indices at 1e-27.
type pool struct {
	supplyIndex, debtIndex     whole
	supply, debt, cash, buffer whole
	accruedMs                  int64
}

func (p *pool) supplyValue() whole { return divFloor(times(p.supply, p.supplyIndex), pow10(27)) }
func (p *pool) debtValue() whole   { return divCeil(times(p.debt, p.debtIndex), pow10(27)) }

// utilization returns debt/supply at 1e-18, floored, at most 1.
func (p *pool) utilization() whole {
	debt, supply := p.debtValue(), p.supplyValue()
	switch {
	case debt.Sign() <= 0:
		return of(0)
	case supply.Sign() <= 0:
		return pow10(18)
	}
	return least(pow10(18), divFloor(scaled(debt, 18), supply))
}

// borrowRate returns the yearly rate at 1e-12 (MODEL.md §5).
func (t *token) borrowRate() whole {
	over := above(sub(t.pool.utilization(), scaled(t.kink, 6)))
	return add(t.base, divCeil(times(t.slope, over), pow10(18)))
}

// supplyRate returns the yearly rate at 1e-12, each product floored.
func (t *token) supplyRate() whole {
	v := divFloor(times(t.borrowRate(), t.pool.utilization()), pow10(18))
	return divFloor(times(v, sub(pow10(12), t.reserve)), pow10(12))
}

func (o *Oracle) accrueAll() {
	for _, slot := range keys(o.tokens) {
		if t := o.tokens[slot]; t.pool != nil {
			t.accrue(o.TimeMs)
		}
	}
}

// accrue moves a pool to nowMs (MODEL.md §5); exp is taken at 1e-27, floored.
func (t *token) accrue(nowMs int64) {
	p := t.pool
	since := p.accruedMs
	p.accruedMs = nowMs
	if since == 0 || nowMs <= since || p.debt.Sign() <= 0 {
		return
	}
	debt, supply := p.debtValue(), p.supplyValue()
	factor := expE27(times(t.borrowRate(), of(nowMs-since)), scaled(of(fixedpoint.YearMs), 12))
	p.debtIndex = divCeil(times(p.debtIndex, factor), pow10(27))
	interest := sub(p.debtValue(), debt)
	share := divFloor(times(interest, sub(pow10(12), t.reserve)), pow10(12))
	if supply.Sign() > 0 {
		p.supplyIndex = divFloor(times(p.supplyIndex, add(supply, share)), supply)
	}
	p.buffer = add(p.buffer, sub(interest, sub(p.supplyValue(), supply)))
}
