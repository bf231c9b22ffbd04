package engine

import (
	"encoding/binary"
	"errors"

	"plimsoll/fixedpoint"
	"plimsoll/risk"
)

// Ids are captured in the order of their places, client by client. An entry is
//
//	client v | place v | form 1 | hi v | lo v | seq v | time v | flags 1 | reason 1 | rule 1 | field 1
//	with resultAmounts: decimals 1 | required 16 | available 16
//
// where v is a varint; the amounts are two words, the high one first, little-endian.

// Flags of a kept result. The numbers are part of the format.
const (
	resultAmounts            = 1 << 0
	resultUnknownOrder       = 1 << 1
	resultUnknownLiquidation = 1 << 2
	resultFlags              = resultAmounts | resultUnknownOrder | resultUnknownLiquidation
)

const (
	timeVersion   = 1   // of ChunkTime
	idsPerAccount = 4   // ids that a step captures in the place of an account
	idEntryMax    = 120 // bytes, rounded up
	wideBytes     = 16  // of an amount; what is taken at once is never longer
)

var (
	errIDs      = errors.New("engine: the remembered ids of the snapshot are damaged: use an older snapshot")
	errTimeline = errors.New("engine: the snapshot's engine time is in a format that this version does not read")
)

// appendID appends an entry.
func appendID(dst []byte, client uint16, place uint64, k *keptResult) []byte {
	r := &k.result
	dst = binary.AppendUvarint(dst, uint64(client))
	dst = binary.AppendUvarint(dst, place)
	dst = append(dst, byte(k.id.form))
	dst = binary.AppendUvarint(dst, k.id.hi)
	dst = binary.AppendUvarint(dst, k.id.lo)
	dst = binary.AppendUvarint(dst, r.Seq)
	dst = binary.AppendVarint(dst, r.TimeMs)
	flags := byte(0)
	if r.HasAmounts {
		flags |= resultAmounts
	}
	if r.UnknownOrder {
		flags |= resultUnknownOrder
	}
	if r.UnknownLiquidation {
		flags |= resultUnknownLiquidation
	}
	dst = append(dst, flags, byte(r.Reason), byte(r.Rule), r.Field)
	if r.HasAmounts {
		dst = append(dst, r.Decimals)
		for _, v := range [2]fixedpoint.Int128{r.Required, r.Available} {
			dst = binary.LittleEndian.AppendUint64(dst, uint64(v.Hi)) //nolint:gosec // the same 64 bits
			dst = binary.LittleEndian.AppendUint64(dst, v.Lo)
		}
	}
	return dst
}

// idReader reads entries; after a fault isBad is set and all it reads is zero.
type idReader struct {
	b     []byte
	isBad bool
}

func (r *idReader) take(n int) []byte {
	if n <= 0 || n > len(r.b) {
		r.b, r.isBad = nil, true
		return make([]byte, wideBytes)
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *idReader) uint() uint64 {
	v, n := binary.Uvarint(r.b)
	r.take(n)
	return v
}

func (r *idReader) int() int64 {
	v, n := binary.Varint(r.b)
	r.take(n)
	return v
}

func (r *idReader) wide() fixedpoint.Int128 {
	b := r.take(wideBytes)
	hi := binary.LittleEndian.Uint64(b)
	return fixedpoint.Int128{Hi: int64(hi), Lo: binary.LittleEndian.Uint64(b[8:])} //nolint:gosec // the same 64 bits
}

// entry reads one entry.
func (r *idReader) entry() (client, place uint64, k keptResult) {
	client, place = r.uint(), r.uint()
	k.id.form = risk.IDForm(r.take(1)[0])
	k.id.hi, k.id.lo = r.uint(), r.uint()
	k.result.Seq, k.result.TimeMs = r.uint(), r.int()
	b := r.take(4)
	flags := b[0]
	k.result.Reason, k.result.Rule, k.result.Field = risk.Reason(b[1]), risk.Rule(b[2]), b[3]
	k.result.UnknownOrder = flags&resultUnknownOrder != 0
	k.result.UnknownLiquidation = flags&resultUnknownLiquidation != 0
	if flags&resultAmounts != 0 {
		k.result.HasAmounts = true
		k.result.Decimals = r.take(1)[0]
		k.result.Required, k.result.Available = r.wide(), r.wide()
	}
	r.isBad = r.isBad || flags&^resultFlags != 0 || k.id.form == risk.FormNone
	return client, place, k
}

// beginCapture notes which ids the snapshot of a marker needs.
func (g *egress) beginCapture(number uint64) {
	c := g.snapshot.Load()
	if c == nil || c.number != number || c.isCancelled.Load() {
		return
	}
	g.endCapture()
	g.capture, g.client0, g.backlog = c, 0, g.backlog[:0]
	for _, w := range g.clients {
		if w != nil {
			w.swept, w.sweepEnd = w.oldest(), w.count
		}
	}
	c.timeMs = g.timeline.lastMs
	c.lanes[g.reader].put(piece{kind: ChunkTime, bytes: g.appendTime(nil)})
}

func (g *egress) endCapture() {
	if g.capture == nil {
		return
	}
	for _, w := range g.clients {
		if w != nil {
			w.swept = w.sweepEnd
		}
	}
	g.capture, g.buffer = nil, nil
}

// sweep captures some ids, if the writer has given a buffer back.
func (g *egress) sweep(isBusy bool) (work int) {
	c := g.capture
	if c.isCancelled.Load() {
		g.endCapture()
		return 1
	}
	lane := &c.lanes[g.reader]
	if g.buffer == nil {
		if g.buffer = lane.take(); g.buffer == nil {
			return 0
		}
	}
	isEnd, isFull := g.captureIDs(stepOf(g.cfg, captureIdle, isBusy) * idsPerAccount)
	if isEnd || isFull {
		lane.put(piece{kind: ChunkIDs, bytes: g.buffer, isPooled: true, isLast: isEnd})
		g.buffer = nil
	}
	if isEnd {
		g.endCapture()
	}
	return 1
}

// forget encodes an id that is about to be overwritten.
func (g *egress) forget(client uint16, w *resultWindow, old *keptResult) {
	last := len(g.backlog) - 1
	if last < 0 || isFull(g.backlog[last]) {
		g.backlog = append(g.backlog, make([]byte, 0, g.capture.size))
		last++
	}
	g.backlog[last] = appendID(g.backlog[last], client, w.swept, old)
	w.swept++
}

// captureIDs appends what was encoded on the way out, then up to most other ids. isEnd
// tells that there are no more, isFull that the buffer has no room for more.
func (g *egress) captureIDs(most int) (isEnd, isFull bool) {
	for len(g.backlog) > 0 {
		if len(g.backlog[0]) > cap(g.buffer)-len(g.buffer) {
			return false, true
		}
		g.buffer = append(g.buffer, g.backlog[0]...)
		g.backlog = append(g.backlog[:0], g.backlog[1:]...)
	}
	for ; g.client0 < len(g.clients); g.client0++ {
		w := g.clients[g.client0]
		if w == nil {
			continue
		}
		for ; w.swept < w.sweepEnd; w.swept++ {
			if cap(g.buffer)-len(g.buffer) < idEntryMax {
				return false, true
			}
			if most--; most < 0 {
				return false, false
			}
			g.buffer = appendID(g.buffer, uint16(g.client0), w.swept, w.entry(w.swept)) //nolint:gosec // clientsMax
		}
	}
	return true, false
}

// appendTime appends the sequencer's knowledge as of here.
func (g *egress) appendTime(dst []byte) []byte {
	dst = append(dst, timeVersion)
	dst = binary.AppendUvarint(dst, g.seq)
	dst = binary.AppendVarint(dst, g.timeline.lastMs)
	dst = binary.AppendVarint(dst, g.timeline.clockMs)
	dst = binary.AppendVarint(dst, g.timeline.stepMs)
	return binary.AppendUvarint(dst, uint64(g.idWindow)) //nolint:gosec // positive
}

// readTime reads what appendTime wrote.
func readTime(b []byte) (seq uint64, l timeline, idWindow int, err error) {
	r := idReader{b: b}
	if r.take(1)[0] != timeVersion {
		return 0, l, 0, errTimeline
	}
	seq = r.uint()
	l = timeline{lastMs: r.int(), clockMs: r.int(), stepMs: r.int()}
	idWindow = int(r.uint()) //nolint:gosec // compared with the configured one
	if r.isBad || len(r.b) > 0 {
		return 0, l, 0, errIDs
	}
	return seq, l, idWindow, nil
}
