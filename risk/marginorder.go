package risk

import (
	"math/bits"

	"plimsoll/fixedpoint"
)

// bufferNum/bufferDen is the 1 % buffer on resting perp orders (spec 1.2).
const (
	bufferNum = 101
	bufferDen = 100
)

// evaluateOrders adds the margin of resting perp orders, in order of placement: on the
// side that would close a position only what goes beyond it counts (decision 8.11).
func (m *Machine) evaluateOrders(a *account, f *figures) {
	for i := range f.usedN {
		d := &f.dexes[f.used[i]]
		d.orderMargin, d.want = i128{}, d.floored
	}
	if a.orderHead == 0 {
		return
	}
	n := int(a.positions.count)
	if cap(f.allow) < n {
		f.allow = make([]int64, n, max(16, 2*n))
	}
	f.allow = f.allow[:n]
	copy(f.allow, m.positions.size[a.positions.start:][:n])
	for slot := a.orderHead; slot != 0; slot = m.orders.at(slot).next {
		o := m.orders.at(slot)
		if o.market&SpotBit == 0 && o.isHolding() {
			m.addOrder(a, f, o)
		}
	}
	for i := range f.usedN {
		if d := &f.dexes[f.used[i]]; !d.orderMargin.IsZero() {
			d.want = d.floored.Add(buffered(d.orderMargin))
		}
	}
}

func (m *Machine) addOrder(a *account, f *figures, o *order) {
	p := &m.perps[o.market]
	d := f.dex(p.dexSlot)
	var none int64
	leverage, open := p.leverageDefault(), &none
	if i := m.positions.find(&a.positions, uint16(o.market)); i >= 0 {
		leverage, open = m.positions.leverage(i), &f.allow[i-int(a.positions.start)]
	}
	d.orderMargin = d.orderMargin.Add(p.orderMargin(m.beyond(o, open), o.price, leverage))
}

// addLast is evaluateOrders for figures that are true but for order o, which has just been
// added as the account's last, in the market of its position i (-1: none).
func (m *Machine) addLast(a *account, f *figures, o *order, i int) {
	if !o.isHolding() {
		return
	}
	p := &m.perps[o.market]
	d := f.dex(p.dexSlot)
	leverage, open := p.leverageDefault(), int64(0)
	if i >= 0 {
		leverage, open = m.positions.leverage(i), m.positions.size[i]
		if o.prev != 0 { // orders before it may have used some of the allowance up
			open = f.allow[i-int(a.positions.start)]
		}
	}
	d.orderMargin = d.orderMargin.Add(p.orderMargin(m.beyond(o, &open), o.price, leverage))
	d.want = d.floored
	if !d.orderMargin.IsZero() {
		d.want = d.floored.Add(buffered(d.orderMargin))
	}
}

// beyond returns what of an order's size does not close the position that open is left of, and
// takes the rest off open.
func (m *Machine) beyond(o *order, open *int64) int64 {
	size, isSell := m.basisSize(o), o.flags&FlagSell != 0
	switch {
	case isSell && *open > 0:
		closing := min(*open, size)
		*open -= closing
		return size - closing
	case !isSell && *open < 0:
		closing := min(-*open, size)
		*open += closing
		return size - closing
	default:
		return size
	}
}

// orderMargin returns size x price / leverage in collateral units, rounded up.
func (p *perp) orderMargin(size, price int64, leverage uint16) i128 {
	over, v := bits.Mul64(uint64(size), uint64(price))
	more, units := bits.Mul64(v, uint64(fixedpoint.Pow10(p.scale)))
	if over|more == 0 && units < 1<<63 {
		return units128((units + uint64(leverage) - 1) / uint64(leverage))
	}
	return p.toUnits(fixedpoint.Mul64(size, price)).DivCeil(int64(leverage))
}

// buffered returns an order margin with the 1 % buffer, rounded up.
func buffered(v i128) i128 {
	if v.Hi == 0 && v.Lo < 1<<56 {
		return units128((v.Lo*bufferNum + bufferDen - 1) / bufferDen)
	}
	r, ok := v.MulDivCeil(bufferNum, bufferDen)
	if !ok {
		panic("risk: BUG: order margin above 128 bits")
	}
	return r
}
