package risk

import (
	"math/bits"

	"plimsoll/fixedpoint"
)

// order is one resting order. Orders of an account form a list in order of placement.
type order struct {
	idHi, idLo uint64
	size       int64 // remaining, size units of the market
	origSize   int64
	price      int64
	trigger    int64
	timeMs     int64
	account    uint32
	market     uint32
	next, prev uint32
	flags      Flags
	form       IDForm
	isLive     bool
}

// isHolding reports whether the order holds margin or spot: untriggered and reduce-only
// orders hold nothing (spec 2.10, decision 8.11).
func (o *order) isHolding() bool { return o.flags&(FlagTrigger|FlagReduceOnly) == 0 }

// orderBook holds the resting orders of a shard's accounts and an index by (account, id).
type orderBook struct {
	items []order // slot 0 is not used
	free  []uint32
	slots []uint64 // open addressing: hash<<32 | slot, 0 = empty; a power of two, at most half full
	count int
}

func newOrderBook() orderBook {
	return orderBook{items: make([]order, 1, 16), slots: make([]uint64, 16)}
}

// orderHash hashes a name. The index keeps it beside each slot, so that a probe reads an order
// only where it is the one looked for, and a gap is closed without reading any.
func orderHash(account uint32, hi, lo uint64, form IDForm) uint64 {
	h, l := bits.Mul64(lo^0x9e3779b97f4a7c15, hi^0xd6e8feb86659fd93)
	h2, l2 := bits.Mul64(h^l^uint64(account)<<8^uint64(form), 0xa0761d6478bd642f)
	return (h2 ^ l2) >> 32
}

func (b *orderBook) matches(slot, account uint32, hi, lo uint64, form IDForm) bool {
	o := &b.items[slot]
	return o.idLo == lo && o.idHi == hi && o.account == account && o.form == form
}

// find returns the slot of an order, or 0.
func (b *orderBook) find(account uint32, hi, lo uint64, form IDForm) uint32 {
	mask, hash := uint64(len(b.slots)-1), orderHash(account, hi, lo, form)
	for i := hash & mask; b.slots[i] != 0; i = (i + 1) & mask {
		if x := b.slots[i]; x>>32 == hash && b.matches(uint32(x), account, hi, lo, form) {
			return uint32(x)
		}
	}
	return 0
}

// add stores an order and returns its slot.
func (b *orderBook) add(o *order) uint32 {
	if 2*(b.count+1) > len(b.slots) {
		b.grow()
	}
	var slot uint32
	if n := len(b.free); n > 0 {
		slot = b.free[n-1]
		b.free = b.free[:n-1]
		b.items[slot] = *o
	} else {
		slot = uint32(len(b.items))
		b.items = append(b.items, *o)
	}
	b.items[slot].isLive = true
	b.place(orderHash(o.account, o.idHi, o.idLo, o.form)<<32 | uint64(slot))
	b.count++
	return slot
}

// place puts an entry of the index where a probe for it finds it.
func (b *orderBook) place(entry uint64) {
	mask := uint64(len(b.slots) - 1)
	i := entry >> 32 & mask
	for b.slots[i] != 0 {
		i = (i + 1) & mask
	}
	b.slots[i] = entry
}

func (b *orderBook) grow() {
	old := b.slots
	b.slots = make([]uint64, 2*len(old))
	for _, entry := range old {
		if entry != 0 {
			b.place(entry)
		}
	}
}

// drop forgets an order, closing the gap in its probe chain.
func (b *orderBook) drop(slot uint32) {
	o := &b.items[slot]
	mask, hash := uint64(len(b.slots)-1), orderHash(o.account, o.idHi, o.idLo, o.form)
	i := hash & mask
	for b.slots[i] != hash<<32|uint64(slot) {
		i = (i + 1) & mask
	}
	for j := (i + 1) & mask; b.slots[j] != 0; j = (j + 1) & mask {
		home := b.slots[j] >> 32
		if (j-home)&mask >= (j-i)&mask {
			b.slots[i] = b.slots[j]
			i = j
		}
	}
	b.slots[i] = 0
	*o = order{}
	b.free = append(b.free, slot)
	b.count--
}

// rest appends an order to its account.
func (m *Machine) rest(a *account, o *order) uint32 {
	o.prev, o.next = a.orderTail, 0
	slot := m.orders.add(o)
	if a.orderTail != 0 {
		m.orders.items[a.orderTail].next = slot
	} else {
		a.orderHead = slot
	}
	a.orderTail = slot
	a.count(o, 1)
	return slot
}

// count counts an order in (by = 1) or out (by = -1).
func (a *account) count(o *order, by int16) {
	a.orderCount += uint16(by)
	if o.market&SpotBit != 0 {
		a.spotCount += uint16(by)
	}
}

// unrest takes an order off its account.
func (m *Machine) unrest(a *account, slot uint32) {
	o := &m.orders.items[slot]
	if o.prev != 0 {
		m.orders.items[o.prev].next = o.next
	} else {
		a.orderHead = o.next
	}
	if o.next != 0 {
		m.orders.items[o.next].prev = o.prev
	} else {
		a.orderTail = o.prev
	}
	a.count(o, -1)
	m.orders.drop(slot)
}

// basisSize returns the size an order's margin is counted on.
func (m *Machine) basisSize(o *order) int64 {
	if m.params.usesOriginalSize() {
		return o.origSize
	}
	return o.size
}

// spotHold returns what a spot order holds: the token and the amount, rounded up.
func (m *Machine) spotHold(o *order) (tokenSlot uint32, amount i128) {
	s := &m.spots[o.market&^SpotBit]
	if o.flags&FlagSell != 0 {
		base := &m.tokens[s.base]
		v, ok := fixedpoint.I128(o.size).MulPow10(base.wei - base.sz)
		if !ok {
			panic("risk: BUG: spot hold above 128 bits")
		}
		return s.base, v
	}
	return s.quote, m.quoteUnits(s, fixedpoint.Mul64(o.size, o.price), true)
}

// quoteUnits brings size x price of a spot market (an integer at 1e-8, or finer where a
// base has more size decimals) to units of the quote token.
func (m *Machine) quoteUnits(s *spot, v i128, isUp bool) i128 {
	base, quote := &m.tokens[s.base], &m.tokens[s.quote]
	have := base.sz + m.spotPriceDecimals(s)
	if quote.wei >= have {
		u, ok := v.MulPow10(quote.wei - have)
		if !ok {
			panic("risk: BUG: spot amount above 128 bits")
		}
		return u
	}
	d := fixedpoint.Pow10(have - quote.wei)
	if isUp {
		return v.DivCeil(d)
	}
	return v.DivFloor(d)
}
