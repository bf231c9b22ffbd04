package risk

import "plimsoll/fixedpoint"

// size writes the size of position i.
func (e *explainer) size(i int, p *perp) {
	e.leaf("size", ofPerp(e.perpSlot(i)), SourceSize, exact(fixedpoint.I128(e.m.positions.size[i]), p.sz))
}

func (e *explainer) mark(i int, p *perp) {
	e.leaf("mark", ofPerp(e.perpSlot(i)), SourcePrice, exact(fixedpoint.I128(p.mark), p.priceDecimals()))
}

func (e *explainer) leverage(i int) {
	e.leaf("leverage", ofPerp(e.perpSlot(i)), SourceSetting, count(int64(e.m.positions.leverage(i))))
}

func (e *explainer) perpSlot(i int) uint16 { return e.m.positions.perp[i] &^ isolatedBit }

func (e *explainer) perp(i int) *perp { return &e.m.perps[e.perpSlot(i)] }

func (e *explainer) measured(i int) measured {
	return e.m.measure(e.perpSlot(i), e.m.positions.size[i], e.m.positions.leverage(i))
}

// notional is |size| x mark.
func (e *explainer) notional(i int) {
	p := e.perp(i)
	value := exact(e.measured(i).notional, 6+p.scale)
	if e.open(term{"notional", ofPerp(e.perpSlot(i)), "abs(size) * mark", RoundExact, value}) {
		e.size(i, p)
		e.mark(i, p)
		e.close()
	}
}

// valued is what a position is worth with the funding it has gathered, at 1e-12. Funding
// is held per size unit, and shown per whole size.
func (e *explainer) valued(i int) {
	p, of := e.perp(i), ofPerp(e.perpSlot(i))
	value := exact(e.m.positionValueE12(i, p), 12)
	if e.open(term{"value", of, "size * (mark - funding_index + funding_at_touch)", RoundExact, value}) {
		e.size(i, p)
		e.mark(i, p)
		e.leaf("funding_index", of, SourcePrice, exact(fixedpoint.I128(p.cumE12), 12-p.sz))
		e.leaf("funding_at_touch", of, SourceSize, exact(fixedpoint.I128(e.m.positions.terms[i].cumE12), 12-p.sz))
		e.close()
	}
}

// maintenance is the maintenance margin by the tier that holds the notional. Rates stand
// over one common denominator, so that the formula is rounded once.
func (e *explainer) maintenance(i int) {
	p, of, x := e.perp(i), ofPerp(e.perpSlot(i)), e.measured(i)
	wei, n := 6+p.scale, 0
	for n+1 < int(p.tierCount) && !x.notional.Less(p.tiers[n+1].lower) {
		n++
	}
	const formula = "(notional * rate_numerator - deduction_numerator) / rate_denominator"
	if !e.open(term{"maintenance", of, formula, RoundCeil, exact(x.maintenance, wei)}) {
		return
	}
	e.notional(i)
	e.tierRate(i, n)
	if e.open(term{"deduction_numerator", of, "sum(deduction_step)", RoundExact, exact(p.tiers[n].deduction, wei)}) {
		for k := 1; k <= n; k++ {
			step := ExplainSubject{Kind: SubjectTier, Slot: of.Slot, In: uint32(k)}
			amount := p.tiers[k].deduction.Sub(p.tiers[k-1].deduction)
			if e.open(term{"deduction_step", step, "lower_bound * (rate_numerator - rate_below)", RoundExact, exact(amount, wei)}) {
				e.leaf("lower_bound", step, SourceParameter, exact(p.tiers[k].lower, wei))
				e.tierRate(i, k)
				below := ExplainSubject{Kind: SubjectTier, Slot: of.Slot, In: uint32(k - 1)}
				e.leaf("rate_below", below, SourceParameter, count(p.tiers[k-1].num))
				e.close()
			}
		}
		e.close()
	}
	e.leaf("rate_denominator", of, SourceParameter, count(p.den))
	e.close()
}

// tierRate is 1/(2 x maximum leverage) of a tier, over the common denominator.
func (e *explainer) tierRate(i, n int) {
	p := e.perp(i)
	of := ExplainSubject{Kind: SubjectTier, Slot: uint32(e.perpSlot(i)), In: uint32(n)}
	if e.open(term{"rate_numerator", of, "rate_denominator / (2 * max_leverage)", RoundExact, count(p.tiers[n].num)}) {
		e.leaf("rate_denominator", ofPerp(e.perpSlot(i)), SourceParameter, count(p.den))
		e.leaf("max_leverage", of, SourceParameter, count(int64(p.tiers[n].maxLeverage)))
		e.close()
	}
}

// initial is the initial margin of a position.
func (e *explainer) initial(i int) {
	p := e.perp(i)
	value := exact(e.measured(i).initial, 6+p.scale)
	if e.open(term{"initial", ofPerp(e.perpSlot(i)), "notional / leverage", RoundCeil, value}) {
		e.notional(i)
		e.leverage(i)
		e.close()
	}
}

// floored is the initial margin, a tenth of the notional at least.
func (e *explainer) floored(i int) {
	p := e.perp(i)
	value := exact(e.measured(i).floored, 6+p.scale)
	if e.open(term{"floored", ofPerp(e.perpSlot(i)), "max(notional / leverage, notional / 10)", RoundCeil, value}) {
		e.notional(i)
		e.leverage(i)
		e.close()
	}
}

// isolatedEquity is the margin of an isolated position.
func (e *explainer) isolatedEquity(i int) {
	p, of := e.perp(i), ofPerp(e.perpSlot(i))
	value := exact(e.m.isolatedEquity(i, p), 6+p.scale)
	if e.open(term{"isolated_equity", of, "isolated_cash + value", RoundFloor, value}) {
		e.leaf("isolated_cash", of, SourceBalance, exact(fixedpoint.I128(e.m.positions.terms[i].raw), 6+p.scale))
		e.valued(i)
		e.close()
	}
}

// isolatedRooms writes what each isolated position has above its own maintenance margin.
func (e *explainer) isolatedRooms() {
	for n := range uint16(DexesMax) {
		e.positionsOf(n, true, func(i int) {
			p, x := e.perp(i), e.measured(i)
			value := exact(e.m.isolatedEquity(i, p).Sub(x.maintenance), 6+p.scale)
			if e.open(term{"isolated_room", ofPerp(e.perpSlot(i)), "isolated_equity - maintenance", RoundExact, value}) {
				e.isolatedEquity(i)
				e.maintenance(i)
				e.close()
			}
		})
	}
}

// accountValue is the cross equity of a dex.
func (e *explainer) accountValue(n uint16) {
	d := &e.f.dexes[n]
	if e.open(term{"AV", ofDex(n), "raw + sum(value)", RoundFloor, exact(d.crossValue, e.dexWei(n))}) {
		e.leaf("raw", ofDex(n), SourceBalance, exact(d.crossRaw, e.dexWei(n)))
		e.positionsOf(n, false, e.valued)
		e.close()
	}
}

// crossSum is the sum of a term over the cross positions of a dex.
func (e *explainer) crossSum(n uint16, name, formula string, sum i128, each func(i int)) {
	if e.open(term{name, ofDex(n), formula, RoundExact, exact(sum, e.dexWei(n))}) {
		e.positionsOf(n, false, each)
		e.close()
	}
}

func (e *explainer) crossMaintenance(n uint16) {
	e.crossSum(n, "cross_MM", "sum(maintenance)", e.f.dexes[n].crossMM, e.maintenance)
}

func (e *explainer) crossInitial(n uint16) {
	e.crossSum(n, "cross_IM", "sum(initial)", e.f.dexes[n].initial, e.initial)
}

// target is what the cross book of a dex should hold.
func (e *explainer) target(n uint16) {
	d := &e.f.dexes[n]
	const formula = "sum(floored) + order_margin_buffered"
	if !e.open(term{"cross_requirement", ofDex(n), formula, RoundExact, exact(d.target(), e.dexWei(n))}) {
		return
	}
	e.positionsOf(n, false, e.floored)
	value := exact(d.target().Sub(d.floored), e.dexWei(n))
	if e.open(term{"order_margin_buffered", ofDex(n), "order_margin * buffer", RoundCeil, value}) {
		e.orderMargin(n)
		e.leaf("buffer", ofDex(n), SourceParameter, exact(fixedpoint.I128(bufferNum), 2))
		e.close()
	}
	e.close()
}

// orderMargin is what the resting orders of a dex hold, before the buffer: what would
// close a position counts nothing, in order of placement.
func (e *explainer) orderMargin(n uint16) {
	m, d := e.m, &e.f.dexes[n]
	if !e.open(term{"order_margin", ofDex(n), "sum(order)", RoundExact, exact(d.orderMargin, e.dexWei(n))}) {
		return
	}
	place := uint32(0)
	for slot := e.a.orderHead; slot != 0; slot = m.orders.at(slot).next {
		if o := m.orders.at(slot); o.market&SpotBit == 0 && o.isHolding() && m.perps[o.market].dexSlot == n {
			e.order(o, place)
		}
		place++
	}
	e.close()
}

func (e *explainer) order(o *order, place uint32) {
	m, p := e.m, &e.m.perps[o.market]
	of := ExplainSubject{Kind: SubjectOrder, Slot: o.market, In: place}
	size := m.basisSize(o)
	closing := e.closing(o)
	leverage, _ := m.leverageOf(e.a, uint16(o.market))
	margin := p.toUnits(fixedpoint.Mul64(size-closing, o.price)).DivCeil(int64(leverage))
	if e.open(term{"order", of, "(size - closing) * price / leverage", RoundCeil, exact(margin, 6+p.scale)}) {
		e.leaf("size", of, SourceSize, exact(fixedpoint.I128(size), p.sz))
		e.leaf("closing", of, SourceSize, exact(fixedpoint.I128(closing), p.sz))
		e.leaf("price", of, SourcePrice, exact(fixedpoint.I128(o.price), p.priceDecimals()))
		e.leaf("leverage", of, SourceSetting, count(int64(leverage)))
		e.close()
	}
}

// closing returns what of an order only closes the position: what earlier orders of the
// same side have left of it.
func (e *explainer) closing(o *order) int64 {
	m := e.m
	i := m.positions.find(&e.a.positions, uint16(o.market))
	if i < 0 {
		return 0
	}
	isSell, open := o.flags&FlagSell != 0, m.positions.size[i]
	if (open > 0) != isSell {
		return 0
	}
	open = max(open, -open)
	for slot := e.a.orderHead; slot != 0; slot = m.orders.at(slot).next {
		r := m.orders.at(slot)
		if r == o {
			break
		}
		if r.market == o.market && r.isHolding() && (r.flags&FlagSell != 0) == isSell {
			open -= min(open, m.basisSize(r))
		}
	}
	return min(open, m.basisSize(o))
}
