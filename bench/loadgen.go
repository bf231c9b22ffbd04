package bench

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"strconv"
	"sync/atomic"

	"plimsoll/risk"
)

// restingMax is how many orders of an account rest before it is tidied.
const restingMax = 8

// loadAccount is one account of a connection.
type loadAccount struct {
	number  int
	resting [restingMax]uint64 // order ids, a ring
	head    uint8              // the oldest
	count   uint8
	room    uint8 // orders until the next tidying; less for some at first, so that it is spread
	fills   uint32
	isTidy  atomic.Bool // false while its orders are being cancelled
}

func (a *loadAccount) push(id uint64) {
	a.resting[(a.head+a.count)%restingMax] = id
	a.count++
}

// generator writes the requests of one connection, about accounts that no other connection
// touches, so that it knows what rests there.
type generator struct {
	venue    *loadVenue
	rng      *rand.Rand
	accounts []loadAccount
	at       int // where the next order, fill or read goes
	oldest   int // where the next cancel looks
	id       uint64
	tick     int
	tidy     func(*loadAccount) // takes accounts that are full

	commands int // of the request just written
	changed  []change
}

// change is what a request does to an account if it is accepted.
type change struct {
	account *loadAccount
	id      uint64
	kind    Kind
}

func newGenerator(v *loadVenue, number, of int, tidy func(*loadAccount)) *generator {
	g := &generator{
		venue: v, rng: rand.New(rand.NewPCG(v.load.Seed, uint64(number))), id: uint64(number+1) << 40, tidy: tidy,
		accounts: make([]loadAccount, (v.load.Accounts-number+of-1)/of),
	}
	for i := range g.accounts {
		a := &g.accounts[i]
		a.number, a.room = number+i*of, uint8(1+i%restingMax)
		a.isTidy.Store(true)
	}
	return g
}

// pick draws the kind of the next request.
func (g *generator) pick() Kind {
	m := &g.venue.load.Mix
	n := g.rng.IntN(m.total())
	for k, weight := range m {
		if n -= weight; n < 0 {
			return Kind(k)
		}
	}
	panic("bench: BUG: no kind drawn")
}

// appendBody appends the body of a request of a kind, and returns the kind that it is: a
// cancel while nothing rests is an order.
func (g *generator) appendBody(dst []byte, kind Kind) ([]byte, Kind) {
	g.changed, g.commands = g.changed[:0], 0
	batch := g.venue.load.Batch
	switch kind {
	case KindRead:
		g.commands = 1
		return dst, kind
	case KindPrices:
		g.commands = 1
		g.tick++
		if g.venue.load.Format == FormatBinary {
			return g.appendTickRecords(dst), kind
		}
		return g.appendTick(dst), kind
	case KindCancel:
		if !g.findCancels(batch) {
			kind = KindOrder
		}
	case KindFill:
		for range batch {
			g.changed = append(g.changed, change{account: g.nextAccount(), kind: KindFill})
		}
	default: // an order, see below
	}
	if kind == KindOrder {
		for range batch {
			g.changed = append(g.changed, g.placeOrder())
		}
	}
	g.commands = len(g.changed)
	return g.appendCommands(dst), kind
}

// nextAccount goes round the accounts.
func (g *generator) nextAccount() *loadAccount {
	a := &g.accounts[g.at]
	g.at = (g.at + 1) % len(g.accounts)
	return a
}

// placeOrder chooses the account of the next order, and has full ones tidied.
func (g *generator) placeOrder() change {
	g.id++
	for range len(g.accounts) {
		a := g.nextAccount()
		if !a.isTidy.Load() {
			continue
		}
		if a.count >= a.room {
			a.head, a.count, a.room = 0, 0, restingMax
			a.isTidy.Store(false)
			g.tidy(a)
			continue
		}
		a.push(g.id)
		return change{a, g.id, KindOrder}
	}
	return change{account: g.nextAccount(), id: g.id, kind: KindRead} // it goes with the next tidying
}

// findCancels takes the oldest orders of so many accounts, or of fewer.
func (g *generator) findCancels(most int) bool {
	for range len(g.accounts) {
		a := &g.accounts[g.oldest]
		g.oldest = (g.oldest + 1) % len(g.accounts)
		if a.count == 0 || !a.isTidy.Load() {
			continue
		}
		g.changed = append(g.changed, change{a, a.resting[a.head], KindCancel})
		a.head, a.count = (a.head+1)%restingMax, a.count-1
		if len(g.changed) == most {
			break
		}
	}
	return len(g.changed) > 0
}

// undo takes back what the last request would have done: it was turned away.
func (g *generator) undo() {
	for i := len(g.changed) - 1; i >= 0; i-- {
		switch c := &g.changed[i]; c.kind {
		case KindOrder:
			if a := c.account; a.count > 0 && a.resting[(a.head+a.count-1)%restingMax] == c.id {
				a.count--
			}
		case KindCancel:
			c.account.head = (c.account.head + restingMax - 1) % restingMax
			c.account.count++
		case KindFill:
			c.account.fills--
		default: // an order that is not kept count of
		}
	}
	g.changed = g.changed[:0]
}

// appendCommands writes what changed in the format of the load.
func (g *generator) appendCommands(dst []byte) []byte {
	format := g.venue.load.Format
	isArray := format == FormatJSON && g.venue.load.Batch > 1
	if isArray {
		dst = append(dst, '[')
	}
	for i := range g.changed {
		c := &g.changed[i]
		if format == FormatBinary {
			dst = g.appendRecord(dst, c)
			continue
		}
		if i > 0 && isArray {
			dst = append(dst, ',')
		} else if i > 0 {
			dst = append(dst, '\n')
		}
		dst = g.appendCommand(dst, c)
	}
	if isArray {
		dst = append(dst, ']')
	}
	return dst
}

// marketOf returns the market and the side of a change: fills of an account come back to
// where they began.
func (g *generator) marketOf(c *change) (m *loadMarket, isSell bool) {
	markets := g.venue.markets
	if c.kind == KindFill {
		n := c.account.fills
		c.account.fills++
		return &markets[(c.account.number+int(n/2))%len(markets)], n%2 == 1
	}
	return &markets[(c.account.number+int(c.id))%len(markets)], c.id%2 == 1
}

// appendCommand writes a command as JSON.
func (g *generator) appendCommand(dst []byte, c *change) []byte {
	g.id++
	account := g.venue.names[c.account.number]
	if c.kind == KindCancel {
		dst = g.appendID(append(dst, `{"type":"cancel","id":"`...), g.id)
		dst = append(append(dst, `","account":"`...), account...)
		return append(g.appendID(append(dst, `","order_id":"`...), c.id), `"}`...)
	}
	m, isSell := g.marketOf(c)
	name := `{"type":"order","id":"`
	if c.kind == KindFill {
		name = `{"type":"fill","id":"`
	}
	side := "buy"
	if isSell {
		side = "sell"
	}
	dst = g.appendID(append(dst, name...), g.id)
	dst = append(append(dst, `","account":"`...), account...)
	dst = append(append(dst, `","market":"`...), m.name...)
	dst = append(append(dst, `","side":"`...), side...)
	dst = appendPointed(append(dst, `","size":"`...), m.size, m.sz)
	dst = appendPointed(append(dst, `","price":"`...), m.price, 6-m.sz)
	if c.kind != KindFill {
		dst = g.appendID(append(dst, `","order_id":"`...), c.id)
	}
	return append(dst, `"}`...)
}

// appendID writes an id of this run: 0x and 32 digits.
func (g *generator) appendID(dst []byte, id uint64) []byte {
	var raw [16]byte
	binary.BigEndian.PutUint64(raw[:], g.venue.run)
	binary.BigEndian.PutUint64(raw[8:], id)
	return hex.AppendEncode(append(dst, "0x"...), raw[:])
}

// appendPointed appends a mantissa with so many decimals.
func appendPointed(dst []byte, v int64, decimals uint8) []byte {
	var digits [20]byte
	text := strconv.AppendInt(digits[:0], v, 10)
	if decimals == 0 {
		return append(dst, text...)
	}
	for len(text) <= int(decimals) {
		text = append(text, 0)
		copy(text[1:], text)
		text[0] = '0'
	}
	at := len(text) - int(decimals)
	return append(append(append(dst, text[:at]...), '.'), text[at:]...)
}

// appendRecord writes a command as a record.
func (g *generator) appendRecord(dst []byte, c *change) []byte {
	g.id++
	r := risk.Command{IDHi: g.venue.run, IDLo: g.id, IDForm: risk.FormHex}
	r.Ref[risk.RefAccount] = g.venue.slots[c.account.number]
	if c.kind != KindFill {
		r.OrderHi, r.OrderLo, r.OrderForm, r.Flags = g.venue.run, c.id, risk.FormHex, risk.FlagOrderID
	}
	if c.kind == KindCancel {
		r.Kind = risk.KindCancel
		return risk.AppendCommand(dst, &r)
	}
	m, isSell := g.marketOf(c)
	r.Kind, r.Ref[risk.RefMarket] = risk.KindOrder, m.slot
	if c.kind == KindFill {
		r.Kind, r.Ref[risk.RefToken] = risk.KindFill, risk.NoSlot
	}
	if isSell {
		r.Flags |= risk.FlagSell
	}
	r.SetNum(0, m.size, m.sz)
	r.SetNum(1, m.price, 6-m.sz)
	return risk.AppendCommand(dst, &r)
}

// markOf returns the mark of a market at a tick: within 10 basis points of its price.
func markOf(m *loadMarket, i, tick int) int64 {
	const steps, unit = 21, 10_000
	return m.price + m.price*int64((i*5+tick*8)%steps-steps/2)/unit
}

// appendTick writes the next tick as JSON.
func (g *generator) appendTick(dst []byte) []byte {
	dst = append(dst, `{"type":"prices","marks":{`...)
	for i := range g.venue.markets {
		m := &g.venue.markets[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, '"'), m.name...), `":"`...)
		dst = append(appendPointed(dst, markOf(m, i, g.tick), 6-m.sz), '"')
	}
	return append(dst, "}}"...)
}

// appendTickRecords writes the next tick as a group of records.
func (g *generator) appendTickRecords(dst []byte) []byte {
	const perRecord = 4
	left := (len(g.venue.markets) + perRecord - 1) / perRecord
	var r risk.Command
	for i := range g.venue.markets {
		m := &g.venue.markets[i]
		if i%perRecord == 0 {
			left--
			r = risk.Command{Kind: risk.KindPrices, GroupLeft: uint16(left)}
		}
		r.SetPrice(i%perRecord, risk.PriceMark, m.slot, markOf(m, i, g.tick), 6-m.sz)
		if i%perRecord == perRecord-1 || i == len(g.venue.markets)-1 {
			dst = risk.AppendCommand(dst, &r)
		}
	}
	return dst
}
