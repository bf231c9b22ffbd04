package risk

import "encoding/binary"

// Tags of sections.
const (
	tagShared = 'G' // the same on every shard
	tagShard  = 'S' // one shard's own
)

// BeginCapture says that the state as of now is to be captured while groups go on, and
// appends this shard's own section: its ledgers and its share of the pools' cash.
func (m *Machine) BeginCapture(dst []byte) []byte {
	if m.track.isCapturing {
		m.EndCapture()
	}
	t := &m.track
	t.isCapturing, t.swept, t.backlog, t.taken = true, 0, t.backlog[:0], 0
	if cap(t.backlog) == 0 {
		t.backlog = make([]byte, 0, backlogBytes)
	}
	t.quiet ^= accountKept // no account has this value: all are to be captured
	at := len(dst)
	dst = openSection(dst, tagShard)
	dst = appendUint(dst, uint64(m.tokenCount))
	for i := range m.tokenCount {
		l := &m.ledgers[i]
		dst = appendWide(dst, l.external)
		dst = appendWide(dst, l.fees)
		dst = appendWide(dst, l.clearing)
	}
	dst = appendUint(dst, uint64(len(m.own)))
	for i := range m.own {
		dst = appendWide(dst, m.own[i].Cash)
	}
	return closeSection(dst, at)
}

// backlogBytes is the room for accounts encoded on touch that a first capture starts with;
// it grows when Capture falls behind, and is kept.
const backlogBytes = 256 << 10

// Capture appends the accounts that were encoded because they were about to change, then
// up to that many others; true when all are captured. What it appends is whole records,
// so what several calls gave may be cut into chunks between calls. While dst has room it
// allocates nothing; it stops early rather than grow dst, unless dst has no room for a
// single account.
func (m *Machine) Capture(dst []byte, accounts int) ([]byte, bool) {
	t := &m.track
	if !t.isCapturing {
		return dst, true
	}
	from := len(dst)
	dst = t.take(dst)
	if t.taken < len(t.backlog) {
		return dst, false
	}
	looks := accounts * looksPerAccount
	for ; t.swept < len(m.accounts) && accounts > 0 && looks > 0; t.swept++ {
		looks--
		a := &m.accounts[t.swept]
		if a.flags&accountOpen == 0 || (a.flags^t.quiet)&accountKept == 0 {
			continue
		}
		if len(dst) > from && cap(dst)-len(dst) < m.recordBound(a) {
			return dst, false
		}
		a.flags ^= accountKept
		dst = m.appendAccount(dst, uint32(t.swept))
		accounts--
	}
	return dst, t.swept == len(m.accounts)
}

// looksPerAccount is how many empty or captured accounts a sweep passes over in the place
// of one that it captures.
const looksPerAccount = 16

// take moves whole records of the backlog to dst while it has room, one at least.
func (t *tracker) take(dst []byte) []byte {
	if t.taken == len(t.backlog) {
		return dst
	}
	end, room := t.taken, cap(dst)-len(dst)
	if rest := len(t.backlog) - t.taken; rest <= room {
		end = len(t.backlog)
	} else {
		for end < len(t.backlog) {
			n := recordHead + int(binary.LittleEndian.Uint32(t.backlog[end:])&recordLengthMax)
			if end > t.taken && end+n-t.taken > room {
				break
			}
			end += n
		}
	}
	dst = append(dst, t.backlog[t.taken:end]...)
	if t.taken = end; t.taken == len(t.backlog) {
		t.backlog, t.taken = t.backlog[:0], 0
	}
	return dst
}

// EndCapture ends a capture, whether it was finished or not.
func (m *Machine) EndCapture() {
	t := &m.track
	if !t.isCapturing {
		return
	}
	for ; t.swept < len(m.accounts); t.swept++ {
		if a := &m.accounts[t.swept]; a.flags&accountOpen != 0 {
			a.flags = a.flags&^accountKept | t.quiet&accountKept
		}
	}
	t.isCapturing, t.backlog, t.taken = false, t.backlog[:0], 0
}

// CaptureBacklog returns the bytes encoded by touches that Capture has not taken yet.
func (m *Machine) CaptureBacklog() int { return len(m.track.backlog) - m.track.taken }

// Bounds of a record's parts, in bytes.
const (
	recordLengthMax  = 1<<24 - 1
	fixedBound       = recordHead + 8 + 2 + 3*varintMax + wideMax + 3*varintMax
	positionBound    = 3 + 3 + 5*varintMax
	balanceBound     = 3 + 1 + 3*wideMax + varintMax
	liquidationBound = 5*varintMax + 3
	orderBound       = 3 + 1 + 5 + 16 + 5*varintMax
)

// recordBound returns what an account's record takes at most.
func (m *Machine) recordBound(a *account) int {
	sale := 0
	if s := m.saleOf(a); s != nil {
		sale = 2*varintMax + saleRowBound*len(s.rows)
	}
	return sale + fixedBound + liquidationBound + positionBound*int(a.positions.count) + balanceBound*int(a.balances.count) +
		orderBound*int(a.orderCount)
}

// appendAccount appends an account's record.
func (m *Machine) appendAccount(dst []byte, local uint32) []byte {
	a := &m.accounts[local]
	at := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	dst = appendUint(dst, uint64(local*m.cfg.Shards+m.cfg.Shard))
	dst = binary.LittleEndian.AppendUint64(dst, a.nameHash)
	dst = append(dst, byte(a.mode)|m.hot[local].status().captured(), byte(a.flags&accountStates))
	dst = appendUint(dst, uint64(a.master+1)) // NoAccount is 0
	dst = appendWide(dst, a.raw)
	dst = m.appendPositions(dst, &a.positions)
	dst = m.appendBalances(dst, &a.balances)
	dst = appendUint(dst, uint64(a.orderCount))
	for slot := a.orderHead; slot != 0; slot = m.orders.at(slot).next {
		dst = appendOrder(dst, m.orders.at(slot))
	}
	if l := m.recordOf(a); l != nil {
		dst = appendLiquidation(dst, l)
	}
	version := uint32(recordVersion)
	if s := m.saleOf(a); s != nil {
		dst, version = s.append(dst), recordVersionSale
	}
	n := len(dst) - at - recordHead
	if n > recordLengthMax {
		panic("risk: BUG: an account's record is above its limit")
	}
	binary.LittleEndian.PutUint32(dst[at:], uint32(n)|version<<24)
	return dst
}

func (m *Machine) appendPositions(dst []byte, block *span) []byte {
	dst = appendUint(dst, uint64(block.count))
	for i := block.start; i < block.start+uint32(block.count); i++ {
		key, lever, t := m.positions.perp[i], m.positions.lever[i], &m.positions.terms[i]
		dst = appendUint(dst, uint64(key&^isolatedBit)<<1|uint64(key>>15))
		dst = appendUint(dst, uint64(lever&^leverageSet)<<1|uint64(lever>>15))
		dst = appendInt(dst, m.positions.size[i])
		dst = appendInt(dst, t.cumE12)
		dst = appendInt(dst, t.entry)
		dst = appendInt(dst, t.raw)
		dst = appendInt(dst, t.funding)
	}
	return dst
}

// Bits that say which amounts of a balance are not zero and follow.
const (
	balanceCash = 1 << iota
	balanceLend
	balanceBasis
	balanceEntry
)

func (m *Machine) appendBalances(dst []byte, block *span) []byte {
	items := m.balances.of(block)
	dst = appendUint(dst, uint64(len(items)))
	for i := range items {
		b := &items[i]
		dst = appendUint(dst, uint64(b.key&^dexBit)<<1|uint64(b.key>>15))
		has := byte(bit(!b.cash.IsZero())*balanceCash | bit(!b.lend.IsZero())*balanceLend |
			bit(!b.basis.IsZero())*balanceBasis | bit(b.entryNtl != 0)*balanceEntry)
		dst = append(dst, has)
		if has&balanceCash != 0 {
			dst = appendWide(dst, b.cash)
		}
		if has&balanceLend != 0 {
			dst = appendWide(dst, b.lend)
		}
		if has&balanceBasis != 0 {
			dst = appendWide(dst, b.basis)
		}
		if has&balanceEntry != 0 {
			dst = appendInt(dst, b.entryNtl)
		}
	}
	return dst
}

func appendLiquidation(dst []byte, l *liquidation) []byte {
	dst = appendUint(dst, l.number)
	for _, v := range [4]int64{l.sinceMs, l.partialMs, l.stepMs, l.nextMs} {
		dst = appendInt(dst, v)
	}
	return appendBool(appendBool(append(dst, byte(l.decidedAs)), l.isTold), l.isOver)
}

func appendOrder(dst []byte, o *order) []byte {
	dst = appendUint(dst, uint64(o.flags))
	dst = append(dst, byte(o.form))
	dst = appendUint(dst, uint64(o.market&^SpotBit)<<1|uint64(o.market>>31))
	dst = binary.LittleEndian.AppendUint64(dst, o.idHi)
	dst = binary.LittleEndian.AppendUint64(dst, o.idLo)
	dst = appendInt(dst, o.size)
	dst = appendInt(dst, o.origSize)
	dst = appendInt(dst, o.price)
	dst = appendInt(dst, o.trigger)
	return appendInt(dst, o.timeMs)
}
