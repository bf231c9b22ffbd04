package risk

import (
	"math/bits"

	"plimsoll/fixedpoint"
)

// hotPerp is what a margin pass reads of a perp: one cache line, beside the cold terms.
// Below notionalFast the maintenance margin of the first tier is one multiplication:
// ceil(n/d) = mulhi(n + d - 1, magic) >> shift with magic = floor(2^(64+shift)/d) + 1,
// exact for n + d - 1 < 2^63 (Granlund and Montgomery, "Division by invariant integers").
type hotPerp struct {
	valueE12  int64  // mark less cumulative funding, per size unit at 1e-12
	unitPrice uint64 // mark in collateral units per size unit; 0 = unknown
	magic     uint64
	bound     uint64 // notional, in units, below which the fast path holds; 0 = never
	less1     uint32 // d - 1
	shift     uint8
	dex       uint8
	_         [26]byte
}

// notionalFast bounds notionals of the fast path, in units: sums of 32 positions and more
// stay in 63 bits.
const notionalFast = 1 << 57

// refreshPerp derives a perp's hot line after a listing, a tick or a funding payment.
func (m *Machine) refreshPerp(slot uint32) {
	p, h := &m.perps[slot], &m.hotPerps[slot]
	p.derive(h)
	if m.pass.anchors[slot].price == 0 && h.bound > 0 && !m.corner.isOpen {
		m.setAnchor(slot)
	}
}

// derive fills a perp's hot line.
func (p *perp) derive(h *hotPerp) {
	d := 2 * uint64(p.tiers[0].maxLeverage)
	h.valueE12, h.dex = p.mark*1_000_000-p.cumE12, uint8(p.dexSlot)
	over, unitPrice := bits.Mul64(uint64(p.mark), uint64(fixedpoint.Pow10(p.scale)))
	h.unitPrice = unitPrice
	h.less1 = uint32(d - 1)
	h.shift = uint8(bits.Len64(d) - 1)
	if d&(d-1) == 0 {
		h.shift--
		h.magic = 1 << 63
	} else {
		h.magic, _ = bits.Div64(1<<h.shift, 0, d)
		h.magic++
	}
	h.bound = notionalFast
	if p.tierCount > 1 {
		if v, ok := p.tiers[1].lower.Int64(); ok {
			h.bound = min(h.bound, uint64(v))
		}
	}
	if over != 0 || h.valueE12 < 0 {
		h.bound = 0
	}
}

// notional returns |size| x mark in units; isFast when it is below the fast bounds, so
// that its first-tier maintenance margin is maintenanceFast.
func (h *hotPerp) notional(size int64) (units uint64, isFast bool) {
	hi, units := bits.Mul64(uint64(max(size, -size)), h.unitPrice)
	return units, hi == 0 && units < h.bound
}

// maintenanceFast returns ceil(units / (2 x max leverage)).
func (h *hotPerp) maintenanceFast(units uint64) uint64 {
	q, _ := bits.Mul64(units+uint64(h.less1), h.magic)
	return q >> h.shift
}

// units128 widens an amount of units.
func units128(v uint64) i128 { return i128{Lo: v} }

// measured are one position's figures in units.
type measured struct{ notional, maintenance, initial, floored i128 }

// measure returns a position's notional, maintenance margin, initial margin and the
// initial margin floored at a tenth, all rounded up.
func (m *Machine) measure(slot uint16, size int64, leverage uint16) measured {
	h := &m.hotPerps[slot]
	n, isFast := h.notional(size)
	if !isFast {
		return m.measureWide(slot, size, leverage)
	}
	initial := (n + uint64(leverage) - 1) / uint64(leverage)
	r := measured{notional: units128(n), maintenance: units128(h.maintenanceFast(n)), initial: units128(initial)}
	r.floored = r.initial
	if leverage > 10 {
		r.floored = units128((n + 9) / 10)
	}
	return r
}

// measureWide is measure for any notional.
func (m *Machine) measureWide(slot uint16, size int64, leverage uint16) measured {
	p := &m.perps[slot]
	n := p.toUnits(notionalE6(size, p.mark))
	r := measured{notional: n, maintenance: p.maintenance(n), initial: n.DivCeil(int64(leverage))}
	r.floored = r.initial
	if leverage > 10 {
		r.floored = n.DivCeil(10)
	}
	return r
}
