package risk

import "plimsoll/fixedpoint"

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

// orderBook holds the resting orders of a shard's accounts and an index by (account, id). It
// grows by chunks, so that no order waits for others to be copied.
type orderBook struct {
	chunks []*[orderChunk]order
	end    uint32 // slots from here on were never used; slot 0 is not used either
	free   []uint32
	index  orderIndex
}

const (
	orderChunkBits = 8
	orderChunk     = 1 << orderChunkBits
)

func newOrderBook() orderBook {
	return orderBook{chunks: []*[orderChunk]order{new([orderChunk]order)}, end: 1, index: newOrderIndex()}
}

// at returns the order in a slot, or an empty one of slot 0. It stays where it is until it is
// dropped.
func (b *orderBook) at(slot uint32) *order {
	return &b.chunks[slot>>orderChunkBits][slot&(orderChunk-1)]
}

func (b *orderBook) matches(slot, account uint32, hi, lo uint64, form IDForm) bool {
	o := b.at(slot)
	return o.idLo == lo && o.idHi == hi && o.account == account && o.form == form
}

// add stores an order and returns its slot.
func (b *orderBook) add(o *order) uint32 {
	slot := b.end
	if n := len(b.free); n > 0 {
		slot = b.free[n-1]
		b.free = b.free[:n-1]
	} else {
		if int(slot>>orderChunkBits) == len(b.chunks) {
			b.chunks = append(b.chunks, new([orderChunk]order))
		}
		b.end++
	}
	at := b.at(slot)
	*at = *o
	at.isLive = true
	b.index.add(orderHash(o.account, o.idHi, o.idLo, o.form), slot)
	return slot
}

// drop forgets an order.
func (b *orderBook) drop(slot uint32) {
	o := b.at(slot)
	b.index.drop(orderHash(o.account, o.idHi, o.idLo, o.form), slot)
	*o = order{}
	b.free = append(b.free, slot)
}

// rest appends an order to its account.
func (m *Machine) rest(a *account, o *order) uint32 {
	o.prev, o.next = a.orderTail, 0
	slot := m.orders.add(o)
	if a.orderTail != 0 {
		m.orders.at(a.orderTail).next = slot
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
	o := m.orders.at(slot)
	if o.prev != 0 {
		m.orders.at(o.prev).next = o.next
	} else {
		a.orderHead = o.next
	}
	if o.next != 0 {
		m.orders.at(o.next).prev = o.prev
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
