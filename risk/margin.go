package risk

import (
	"plimsoll/fixedpoint"
	"plimsoll/internal/invariant"
)

// dexFigures are one dex's sums for one account, in collateral units (MODEL.md §2).
// Equity rounds down once per dex; requirements round up per position.
type dexFigures struct {
	isUsed      bool
	crossE12    i128 // Σ cross size x price, less funding, at 1e-12
	crossRaw    i128
	crossValue  i128 // raw + value: crossMarginSummary.accountValue
	isoEquity   i128 // Σ marginUsed of isolated positions
	crossMM     i128 // Σ maintenance margin of cross positions
	isoShort    bool // an isolated position is below its maintenance margin
	isoBackstop bool // an isolated position is below 2/3 of it
	isoNegative bool // an isolated position has an equity below zero
	initial     i128 // Σ cross notional/leverage
	floored     i128 // Σ cross max(notional/leverage, notional/10)
	crossNtl    i128
	isoNtl      i128
	want        i128 // floored + buffered orderMargin
	orderMargin i128 // Σ order notional/leverage, no buffer
}

// figures are the scratch of one evaluation; the machine owns one and reuses it.
type figures struct {
	dexes    [DexesMax]dexFigures
	used     [DexesMax]uint16
	usedN    int
	unpriced bool    // a position or order without a mark price
	allow    []int64 // closing allowance per position, parallel to the account's block
}

func (f *figures) dex(n uint16) *dexFigures {
	d := &f.dexes[n]
	if !d.isUsed {
		*d = dexFigures{isUsed: true}
		f.used[f.usedN] = n
		f.usedN++
	}
	return d
}

func (f *figures) reset() {
	for i := range f.usedN {
		f.dexes[f.used[i]].isUsed = false
	}
	f.usedN, f.unpriced = 0, false
}

// evaluate fills m.fig with an account's figures at present prices: positions, then
// resting orders. It changes nothing.
func (m *Machine) evaluate(a *account) *figures {
	f := &m.fig
	m.evaluatePositions(a, f)
	m.evaluateOrders(a, f)
	return f
}

func (m *Machine) evaluatePositions(a *account, f *figures) {
	f.reset()
	d := f.dex(0)
	d.crossRaw = a.raw
	for _, b := range m.balances.of(&a.balances) {
		if b.key&dexBit != 0 {
			f.dex(b.key &^ dexBit).crossRaw = b.cash
		}
	}
	m.addPositions(a, f)
	for i := range f.usedN {
		d := &f.dexes[f.used[i]]
		d.crossValue = d.crossRaw
		if !d.crossE12.IsZero() {
			d.crossValue = d.crossRaw.Add(d.crossE12.DivFloor(m.dexSubUnit(f.used[i])))
		}
	}
}

// addPositions adds an account's positions to f.
func (m *Machine) addPositions(a *account, f *figures) {
	if !m.addPlain(a, &f.dexes[0]) {
		m.addEach(a, f)
	} else if invariant.Enabled {
		m.checkPlain(a, f)
	}
}

// addEach is addPositions of any account, one position by one.
func (m *Machine) addEach(a *account, f *figures) {
	start := int(a.positions.start)
	for i := start; i < start+int(a.positions.count); i++ {
		if m.positions.size[i] != 0 {
			m.addPosition(f, i)
		}
	}
}

// dexSubUnit returns how many 1e-12 make one unit of a dex's collateral.
func (m *Machine) dexSubUnit(n uint16) int64 {
	return fixedpoint.Pow10(WeiDecimalsMax - m.tokens[m.dexes[n].collateral].wei)
}

func (m *Machine) addPosition(f *figures, i int) {
	key := m.positions.perp[i]
	slot := key &^ isolatedBit
	h := &m.hotPerps[slot]
	d := f.dex(uint16(h.dex))
	if h.unitPrice == 0 {
		f.unpriced = true
	}
	t := &m.positions.terms[i]
	size := m.positions.size[i]
	x := m.measure(slot, size, m.positions.leverage(i))
	if key&isolatedBit != 0 {
		equity := m.isolatedEquity(i, &m.perps[slot])
		d.isoEquity = d.isoEquity.Add(equity)
		d.isoNtl = d.isoNtl.Add(x.notional)
		d.isoShort = d.isoShort || equity.Less(x.maintenance)
		d.isoBackstop = d.isoBackstop || isBelowTwoThirds(equity, x.maintenance)
		d.isoNegative = d.isoNegative || equity.Sign() < 0
		return
	}
	d.crossE12 = d.crossE12.Add(fixedpoint.Mul64(size, h.valueE12)).Add(fixedpoint.Mul64(size, t.cumE12))
	d.crossNtl = d.crossNtl.Add(x.notional)
	d.crossMM = d.crossMM.Add(x.maintenance)
	d.initial = d.initial.Add(x.initial)
	d.floored = d.floored.Add(x.floored)
}

// isBelowTwoThirds reports equity < 2/3 of maintenance.
func isBelowTwoThirds(equity, maintenance i128) bool {
	return equity.Add(equity).Add(equity).Less(maintenance.Add(maintenance))
}

// target returns the cash and equity that a dex's cross book should hold: the initial
// requirement, floored per position, and buffered orders.
func (d *dexFigures) target() i128 { return d.want }

// tokenFigures are one settlement token's figures for one account (spec 1.2), in units of
// that token. Names are the spec's.
type tokenFigures struct {
	token       uint32
	N           i128 // net balance
	isoEquity   i128 // E_iso
	MM          i128
	LC          i128
	C           i128
	requirement i128
	spotBuys    i128 // Σ spot buy orders
	supplied    i128
	debt        i128
	perpValue   i128 // Σ account value over dexes, isolated included
}

// tokenFiguresOf sums an account's figures for token q from f.
func (m *Machine) tokenFiguresOf(a *account, f *figures, q uint32) (t tokenFigures) {
	m.sumToken(a, f, q, &t)
	return t
}

// sumToken is tokenFiguresOf into t, which is zero.
func (m *Machine) sumToken(a *account, f *figures, q uint32, t *tokenFigures) {
	t.token = q
	for i := range f.usedN {
		n := f.used[i]
		if m.dexes[n].collateral != q {
			continue
		}
		d := &f.dexes[n]
		t.perpValue = t.perpValue.Add(d.crossValue).Add(d.isoEquity)
		t.isoEquity = t.isoEquity.Add(d.isoEquity)
		t.MM = t.MM.Add(d.crossMM)
		t.requirement = t.requirement.Add(d.target())
	}
	t.spotBuys = m.spotHeld(a, q)
	t.requirement = t.requirement.Add(t.isoEquity).Add(t.spotBuys)
	if b := m.balanceOf(a, uint16(q)); b != nil {
		t.supplied, t.debt = m.supplied(b), m.debt(b)
		t.N = b.cash.Add(t.supplied).Sub(t.debt)
	}
	if a.mode != ModeStandard {
		t.N = t.N.Add(t.perpValue)
	}
	if a.mode == ModePortfolio {
		t.LC, t.C = m.collateral(a, q)
	}
}

// spotHeld returns what resting spot orders hold of a token.
func (m *Machine) spotHeld(a *account, q uint32) i128 {
	var sum i128
	if a.spotCount == 0 {
		return sum
	}
	for slot := a.orderHead; slot != 0; slot = m.orders.at(slot).next {
		o := m.orders.at(slot)
		if o.market&SpotBit != 0 && o.isHolding() {
			if held, amount := m.spotHold(o); held == q {
				sum = sum.Add(amount)
			}
		}
	}
	return sum
}

// collateral returns LC and C in units of q: Σ over other tokens with weight of
// min(supplied, user supply cap) x price, at (1+LTV)/2 and at LTV; less what the account
// owes in other tokens (decision 8.3); at most the user borrow cap of q (decision 8.2);
// nothing for a token that cannot be borrowed.
func (m *Machine) collateral(a *account, q uint32) (liquidation, capacity i128) {
	t := &m.tokens[q]
	if !t.isBorrowable {
		return liquidation, capacity
	}
	liquidation, capacity = m.collateralSums(a, q)
	return fixedpoint.MinI128(liquidation, t.userBorrowCap), fixedpoint.MinI128(capacity, t.userBorrowCap)
}

// collateralSums is collateral before the user borrow cap.
func (m *Machine) collateralSums(a *account, q uint32) (liquidation, capacity i128) {
	items := m.balances.of(&a.balances)
	for i := range items {
		b := &items[i]
		if b.key&dexBit != 0 || uint32(b.key) == q {
			continue
		}
		c := &m.tokens[b.key]
		if c.ltvE12 > 0 && b.lend.Sign() > 0 {
			value := m.convert(fixedpoint.MinI128(m.supplied(b), c.userSupplyCap), uint32(b.key), q, false)
			liquidation = liquidation.Add(weigh(value, rateOne+c.ltvE12, 2*rateOne))
			capacity = capacity.Add(weigh(value, c.ltvE12, rateOne))
		}
		if owed := b.cash.Sub(m.debt(b)); owed.Sign() < 0 {
			other := m.convert(owed.Neg(), uint32(b.key), q, true)
			liquidation, capacity = liquidation.Sub(other), capacity.Sub(other)
		}
	}
	return liquidation, capacity
}

func weigh(value i128, num, den int64) i128 {
	v, ok := value.MulDivFloor(num, den)
	if !ok {
		panic("risk: BUG: weighted collateral above 128 bits")
	}
	return v
}

// convert values an amount of token c in units of token q at borrow oracle prices;
// unknown prices value at zero. isUp rounds up, else down.
func (m *Machine) convert(amount i128, c, q uint32, isUp bool) i128 {
	from, to := &m.tokens[c], &m.tokens[q]
	if from.oracleE10 == 0 || to.oracleE10 == 0 || amount.Sign() == 0 {
		return i128{}
	}
	if c == q {
		return amount
	}
	num, den := fixedpoint.I128(from.oracleE10), fixedpoint.I128(to.oracleE10)
	if to.wei >= from.wei {
		num, _ = num.MulPow10(to.wei - from.wei)
	} else {
		den, _ = den.MulPow10(from.wei - to.wei)
	}
	if small, ok := num.Int64(); ok {
		if d, ok := den.Int64(); ok {
			if isUp {
				return mustFit(amount.MulDivCeil(small, d))
			}
			return mustFit(amount.MulDivFloor(small, d))
		}
	}
	if isUp {
		return mustFit(amount.MulDivCeil128(num, den))
	}
	return mustFit(amount.MulDivFloor128(num, den))
}

func mustFit(v i128, ok bool) i128 {
	if !ok {
		panic("risk: BUG: value above 128 bits")
	}
	return v
}

// available returns what new requirements may take: N + C - requirement under portfolio
// margin, N - requirement under unified.
func (t *tokenFigures) available() i128 { return t.N.Add(t.C).Sub(t.requirement) }

// net returns Nc = N - E_iso.
func (t *tokenFigures) net() i128 { return t.N.Sub(t.isoEquity) }

// afterMaintenance returns AAM = Nc + LC - MM.
func (t *tokenFigures) afterMaintenance() i128 { return t.net().Add(t.LC).Sub(t.MM) }

// ratio returns R and the liquidation value of spec 1.2 under an offset mode; PMR is
// their quotient.
func (t *tokenFigures) ratio(mode OffsetMode, offset i128) (requirement, value, borrowed i128) {
	mm := t.MM
	if borrowed = nonNegative(mm.Sub(t.net())); mm.Sign() > 0 || borrowed.Sign() > 0 {
		switch mode {
		case OffsetAdd:
			mm = mm.Add(offset)
		case OffsetFloor:
			mm = fixedpoint.MaxI128(mm, offset)
		case OffsetNone:
		}
	}
	return mm.Add(borrowed), t.net().Add(borrowed).Add(t.LC), borrowed
}

// offsetUnits returns min_borrow_offset in units of token q, rounded up.
func (m *Machine) offsetUnits(q uint32) i128 {
	if m.params.OffsetMode == OffsetNone {
		return i128{}
	}
	t, usd := &m.tokens[q], fixedpoint.I128(m.params.MinBorrowOffsetE8)
	if t.oracleE10 == 0 {
		return i128{}
	}
	scale, ok := fixedpoint.I128(oracleOne).MulPow10(t.wei)
	if !ok {
		panic("risk: BUG: offset above 128 bits")
	}
	den, _ := fixedpoint.I128(t.oracleE10).MulPow10(8)
	return mustFit(usd.MulDivCeil128(scale, den))
}
