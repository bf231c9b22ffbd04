package api_test

import "math/big"

// The venue's formulas of spec sections 1.2 and 2 in exact rational arithmetic, written
// from the spec and not from package risk. They say how far a figure moves when a captured
// amount is cut to an instrument's decimals, and how far the digits of a capture carry.

// tier is one row of a maintenance margin table.
type tier struct {
	lower    *big.Rat
	leverage int64
}

type position struct {
	coin, dex   string
	size        *big.Rat // signed
	mark        *big.Rat
	entry       *big.Rat // notional, never negative
	raw         *big.Rat // isolated cash
	leverage    int64
	isIsolated  bool
	isFiller    bool
	sizeDigits  int
	maxLeverage int64
	tiers       []tier
	mode        string
}

type restingOrder struct {
	market, dex string
	isSpot      bool
	isSell      bool
	isIdle      bool // reduce-only or an untriggered stop: holds nothing
	price, size *big.Rat
	original    *big.Rat
	sizeDigits  int
	source      venueOrder
}

// holding is one token of an account.
type holding struct {
	token                              string
	index                              int
	total, supplied, borrowed, entry   *big.Rat
	wei                                int
	isLent                             bool // the token has a pool
	isBorrowable                       bool
	ltv, px, userSupplyCap, userBorCap *big.Rat
}

type account struct {
	mode      string
	positions []position
	raw       map[string]*big.Rat // cross cash by dex
	dexToken  map[string]string   // collateral of each dex
	orders    []restingOrder
	holdings  []holding
}

// figures are keyed by key; a nil value is a null.
type figures map[key]*big.Rat

// key names one figure: the dex or "spot", the coin or "", and the venue's field.
type key struct{ scope, coin, figure string }

func (a *account) notional(p *position) *big.Rat { return abs(mul(p.size, p.mark)) }

func (p *position) signed() *big.Rat { return mul(p.size, p.mark) }

// tierAt returns rate and deduction of tier n (spec 2.2).
func (p *position) tierAt(n int) (rate, deduction *big.Rat) {
	rate, deduction = big.NewRat(1, 2*p.tiers[0].leverage), ratOf(0)
	for i := 1; i <= n; i++ {
		next := big.NewRat(1, 2*p.tiers[i].leverage)
		deduction = add(deduction, mul(p.tiers[i].lower, sub(next, rate)))
		rate = next
	}
	return rate, deduction
}

func (p *position) tierOf(notional *big.Rat) int {
	n := len(p.tiers) - 1
	for n > 0 && notional.Cmp(p.tiers[n].lower) < 0 {
		n--
	}
	return n
}

func (p *position) maintenance(notional *big.Rat) *big.Rat {
	rate, deduction := p.tierAt(p.tierOf(notional))
	return sub(mul(notional, rate), deduction)
}

// book is one dex of an account.
type book struct {
	cross, isolated         *big.Rat // account value, isolated equity
	isolatedRaw             *big.Rat
	initial, floored        *big.Rat
	notional, isoNotional   *big.Rat
	maintenance, orderUnits *big.Rat // orderUnits: order margin without buffer
}

func (a *account) books() map[string]*book {
	books := map[string]*book{}
	for dex, raw := range a.raw {
		books[dex] = &book{
			cross: raw, isolated: ratOf(0), isolatedRaw: ratOf(0), initial: ratOf(0), floored: ratOf(0), notional: ratOf(0),
			isoNotional: ratOf(0), maintenance: ratOf(0), orderUnits: ratOf(0),
		}
	}
	for i := range a.positions {
		p := &a.positions[i]
		b, n := books[p.dex], a.notional(p)
		if p.isIsolated {
			b.isolated = add(b.isolated, add(p.raw, p.signed()))
			b.isolatedRaw, b.isoNotional = add(b.isolatedRaw, p.raw), add(b.isoNotional, n)
			continue
		}
		im := quo(n, ratOf(p.leverage))
		b.cross, b.notional = add(b.cross, p.signed()), add(b.notional, n)
		b.initial, b.floored = add(b.initial, im), add(b.floored, maxOf(im, quo(n, ratOf(10))))
		b.maintenance = add(b.maintenance, p.maintenance(n))
	}
	left := map[string]*big.Rat{}
	for i := range a.positions {
		left[a.positions[i].coin] = a.positions[i].size
	}
	for i := range a.orders {
		o := &a.orders[i]
		if o.isSpot || o.isIdle {
			continue
		}
		size := o.original
		if open := left[o.market]; open != nil && (open.Sign() > 0) == o.isSell {
			closing := minOf(abs(open), size)
			size = sub(size, closing)
			if open.Sign() > 0 {
				left[o.market] = sub(open, closing)
			} else {
				left[o.market] = add(open, closing)
			}
		}
		b := books[o.dex]
		b.orderUnits = add(b.orderUnits, quo(mul(size, o.price), ratOf(a.leverageOf(o.market))))
	}
	return books
}

func (a *account) leverageOf(coin string) int64 {
	for i := range a.positions {
		if a.positions[i].coin == coin {
			return a.positions[i].leverage
		}
	}
	panic("conformance: an order on " + coin + " needs its leverage")
}

// withdrawable is spec 2.3.
func (a *account) withdrawable(b *book) *big.Rat {
	keep := b.floored
	if a.mode == "standard" {
		keep = maxOf(b.initial, quo(b.notional, ratOf(10)))
	}
	return maxOf(ratOf(0), sub(sub(b.cross, keep), b.orderUnits))
}

// settled are the figures of spec 1.2 for a settlement token.
type settled struct{ n, isolated, mm, liquidation, capacity, requirement *big.Rat }

func (a *account) settle(h *holding, books map[string]*book) settled {
	s := settled{n: h.total, isolated: ratOf(0), mm: ratOf(0), liquidation: ratOf(0), capacity: ratOf(0), requirement: ratOf(0)}
	for dex, b := range books {
		if a.dexToken[dex] != h.token {
			continue
		}
		s.isolated, s.mm = add(s.isolated, b.isolated), add(s.mm, b.maintenance)
		s.requirement = add(s.requirement, add(b.floored, mul(b.orderUnits, big.NewRat(101, 100))))
	}
	s.requirement = add(s.requirement, s.isolated)
	for i := range a.orders { // spot buys hold the quote, USDC in every capture; sells the base
		o := &a.orders[i]
		if o.isSpot && !o.isSell && !o.isIdle && h.token == "USDC" {
			s.requirement = add(s.requirement, mul(o.size, o.price))
		}
	}
	if a.mode != "portfolio" {
		return s
	}
	for i := range a.holdings {
		c := &a.holdings[i]
		if c.token == h.token || !c.isLent || c.ltv.Sign() == 0 {
			continue
		}
		value := quo(mul(minOf(c.supplied, c.userSupplyCap), c.px), h.px)
		s.liquidation = add(s.liquidation, mul(value, quo(add(ratOf(1), c.ltv), ratOf(2))))
		s.capacity = add(s.capacity, mul(value, c.ltv))
	}
	if !h.isBorrowable {
		s.liquidation, s.capacity = ratOf(0), ratOf(0)
		return s
	}
	s.liquidation, s.capacity = minOf(s.liquidation, h.userBorCap), minOf(s.capacity, h.userBorCap)
	return s
}

// liquidationPx is spec 2.4 with the tier that applies at the liquidation notional; nil
// where no positive price solves it. available is margin beyond maintenance.
func (a *account) liquidationPx(p *position, available *big.Rat) *big.Rat {
	notional, side := a.notional(p), ratOf(int64(p.size.Sign()))
	available = add(available, p.maintenance(notional))
	for n := range p.tiers {
		rate, deduction := p.tierAt(n)
		free := add(sub(available, mul(notional, rate)), deduction)
		px := sub(p.mark, quo(mul(side, quo(free, abs(p.size))), sub(ratOf(1), mul(rate, side))))
		if px.Sign() <= 0 {
			continue
		}
		if p.tierOf(mul(px, abs(p.size))) == n {
			return px
		}
	}
	return nil
}

// figures computes everything that a capture may show.
func (a *account) figures() figures {
	f := figures{}
	books := a.books()
	var main settled
	for i := range a.holdings {
		if h := &a.holdings[i]; h.token == "USDC" {
			main = a.settle(h, books)
		}
	}
	for dex, b := range books {
		put := func(figure string, v *big.Rat) { f[key{dexName(dex), "", figure}] = v }
		margin := add(b.initial, b.isolated)
		put("accountValue", add(b.cross, b.isolated))
		put("totalNtlPos", add(b.notional, b.isoNotional))
		put("totalRawUsd", add(a.raw[dex], b.isolatedRaw))
		put("totalMarginUsed", margin)
		put("cross accountValue", b.cross)
		put("cross totalNtlPos", b.notional)
		put("cross totalRawUsd", a.raw[dex])
		put("cross totalMarginUsed", b.initial)
		put("crossMaintenanceMarginUsed", b.maintenance)
		put("withdrawable", a.withdrawable(b))
	}
	for i := range a.positions {
		a.positionFigures(f, &a.positions[i], books, &main)
	}
	for i := range a.holdings {
		a.holdingFigures(f, &a.holdings[i], books, &main)
	}
	if a.mode == "portfolio" {
		nc := sub(main.n, main.isolated)
		borrowed := maxOf(ratOf(0), sub(main.mm, nc))
		f[key{"spot", "", "portfolioMarginRatio"}] = quo(add(main.mm, borrowed), add(add(nc, borrowed), main.liquidation))
	}
	return f
}

func dexName(dex string) string {
	if dex == "" {
		return "main"
	}
	return dex
}

func (a *account) positionFigures(f figures, p *position, books map[string]*book, main *settled) {
	if p.isFiller {
		return
	}
	n, b := a.notional(p), books[p.dex]
	put := func(figure string, v *big.Rat) { f[key{dexName(p.dex), p.coin, figure}] = v }
	pnl := sub(p.signed(), mul(p.entry, ratOf(int64(p.size.Sign()))))
	put("szi", p.size)
	put("entryPx", quo(p.entry, abs(p.size)))
	put("positionValue", n)
	put("unrealizedPnl", pnl)
	put("returnOnEquity", quo(mul(pnl, ratOf(p.leverage)), p.entry))
	put("maxLeverage", ratOf(p.maxLeverage))
	put("leverage", ratOf(p.leverage))
	switch {
	case p.isIsolated:
		equity := add(p.raw, p.signed())
		put("rawUsd", p.raw)
		put("marginUsed", equity)
		put("liquidationPx", a.liquidationPx(p, sub(equity, p.maintenance(n))))
		return
	case a.mode == "standard":
		put("liquidationPx", a.liquidationPx(p, sub(b.cross, b.maintenance)))
	default:
		put("liquidationPx", a.liquidationPx(p, sub(add(sub(main.n, main.isolated), main.liquidation), main.mm)))
	}
	put("marginUsed", quo(n, ratOf(p.leverage)))
}

func (a *account) holdingFigures(f figures, h *holding, books map[string]*book, main *settled) {
	put := func(figure string, v *big.Rat) { f[key{"spot", h.token, figure}] = v }
	put("total", h.total)
	put("supplied", h.supplied)
	put("borrowed", h.borrowed)
	put("entryNtl", h.entry)
	s := a.settle(h, books)
	hold := sub(s.requirement, s.capacity)
	switch {
	case a.mode == "standard":
		hold = ratOf(0)
	case a.mode == "portfolio" && h.token != "USDC" && h.isBorrowable && h.total.Sign() == 0:
		room := sub(add(main.n, main.capacity), main.requirement)
		hold = new(big.Rat).Neg(maxOf(ratOf(0), minOf(s.capacity, quo(room, h.px))))
	case a.mode == "portfolio" && h.token != "USDC" && h.isLent && h.ltv.Sign() > 0:
		short := maxOf(ratOf(0), sub(main.requirement, main.n))
		hold = quo(short, mul(h.px, h.ltv))
	}
	put("hold", hold)
	put("spotHold", minOf(s.requirement, maxOf(s.n, ratOf(0))))
	put("availableAfterMaintenance", sub(add(sub(s.n, s.isolated), s.liquidation), s.mm))
	if h.isLent {
		put("ltv", h.ltv)
		if h.userBorCap.Sign() > 0 {
			put("borrowRatio", quo(h.borrowed, h.userBorCap))
		}
		if h.userSupplyCap.Sign() > 0 {
			put("supplyRatio", quo(h.supplied, h.userSupplyCap))
		}
	}
}
