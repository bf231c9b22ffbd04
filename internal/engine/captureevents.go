package engine

import (
	"cmp"
	"encoding/binary"
	"errors"
	"slices"

	"plimsoll/fixedpoint"
	"plimsoll/internal/journal"
	"plimsoll/risk"
)

// The public events before a snapshot go into it as far as they are still kept, so that a
// reader can resume across a restart. They are no state: the hash does not cover them, and a
// snapshot without them is complete. The writer copies them last, when egress has passed the
// marker: what was overwritten while the rest was written is not in it. A piece is
//
//	version 1 | floor v | event …     floor: every event of a later Seq is in the pieces
//	event: size v | seq v | n v | time v | rank v | amount 16 | amount2 16 | order hi v | order lo v |
//	       account v | market v | token v | phase kind reason rule from to from_lending to_lending
//	       field decimals flags order_form, one byte each
//
// where v is a varint. size allows for more fields behind these.
const (
	eventsVersion   = 1
	eventsPerPiece  = 4096
	eventSmallBytes = 12 // the fields of one byte
)

var errEvents = errors.New("engine: the events of the snapshot are damaged or of a later version: use an older snapshot")

// writeEvents writes the events up to the snapshot's Seq.
func (c *capture) writeEvents(w chunkWriter) error {
	const tries = 3
	for range tries {
		pieces, isWhole := c.engine.egress.history.pieces(c.chain.Seq)
		if !isWhole {
			continue // overwritten while they were copied
		}
		for _, p := range pieces {
			if err := w.Chunk(ChunkEvents, 0, p); err != nil {
				return err
			}
		}
		break
	}
	return nil
}

// pieces encodes the events kept of up to a Seq, oldest first.
func (h *history) pieces(until uint64) (pieces [][]byte, isWhole bool) {
	floor := h.oldestSeq() - 1
	next, isWhole := h.seek(floor, afterAll)
	if floor >= until {
		return nil, true
	}
	events := make([]risk.Event, eventsPerPiece)
	for isWhole {
		var count int
		if count, isWhole = h.read(next, events); !isWhole {
			break
		}
		next += uint64(count)
		end := slices.IndexFunc(events[:count], func(e risk.Event) bool { return e.Seq > until })
		isLast := end >= 0 || count < len(events)
		if end < 0 {
			end = count
		}
		b := binary.AppendUvarint([]byte{eventsVersion}, floor)
		for i := range events[:end] {
			b = appendEvent(b, &events[i])
		}
		pieces = append(pieces, b)
		if isLast {
			return pieces, true
		}
	}
	return nil, false
}

// appendEvent appends an event as a snapshot keeps it.
func appendEvent(dst []byte, e *risk.Event) []byte {
	var scratch [160]byte
	b := binary.AppendUvarint(scratch[:0], e.Seq)
	b = binary.AppendUvarint(b, uint64(e.N))
	b = binary.AppendVarint(b, e.TimeMs)
	b = binary.AppendUvarint(b, e.Rank)
	for _, v := range [...]fixedpoint.Int128{e.Amount, e.Amount2} {
		b = binary.LittleEndian.AppendUint64(b, uint64(v.Hi)) //nolint:gosec // the same 64 bits
		b = binary.LittleEndian.AppendUint64(b, v.Lo)
	}
	for _, v := range [...]uint64{e.OrderHi, e.OrderLo, uint64(e.Account), uint64(e.Market), uint64(e.Token)} {
		b = binary.AppendUvarint(b, v)
	}
	b = append(b, e.Phase, byte(e.Kind), byte(e.Reason), byte(e.Rule), byte(e.From), byte(e.To),
		byte(e.FromLending), byte(e.ToLending), e.Field, e.Decimals, byte(e.Flags), byte(e.OrderForm))
	dst = binary.AppendUvarint(dst, uint64(len(b)))
	return append(dst, b...)
}

// readEvent reads an event, and returns what follows it.
func readEvent(b []byte, e *risk.Event) (rest []byte, ok bool) {
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return nil, false
	}
	rest = b[n+int(size):] //nolint:gosec // within b
	r := idReader{b: b[n : n+int(size)]}
	e.Seq, e.N = r.uint(), uint32(r.uint()) //nolint:gosec // what was written had 32 bits
	e.TimeMs, e.Rank = r.int(), r.uint()
	e.Amount, e.Amount2 = r.wide(), r.wide()
	e.OrderHi, e.OrderLo = r.uint(), r.uint()
	e.Account, e.Market, e.Token = uint32(r.uint()), uint32(r.uint()), uint32(r.uint()) //nolint:gosec // as above
	f := r.take(eventSmallBytes)
	e.Phase, e.Kind, e.Reason, e.Rule = f[0], risk.EventKind(f[1]), risk.Reason(f[2]), risk.Rule(f[3])
	e.From, e.To = risk.Health(f[4]), risk.Health(f[5])
	e.FromLending, e.ToLending = risk.LendingHealth(f[6]), risk.LendingHealth(f[7])
	e.Field, e.Decimals, e.Flags, e.OrderForm = f[8], f[9], risk.EventFlags(f[10]), risk.IDForm(f[11])
	return rest, !r.isBad
}

// restoreEvents fills the history with the events that a snapshot after seq has.
func (e *Engine) restoreEvents(chunks []journal.Chunk, seq uint64) error {
	h := e.egress.history
	h.floor = seq
	var events []risk.Event
	for _, c := range chunks { // they come in any order
		r := idReader{b: c.Payload}
		version := r.take(1)[0]
		h.floor = r.uint()
		if r.isBad || version != eventsVersion || h.floor > seq {
			return errEvents
		}
		for b := r.b; len(b) > 0; {
			var event risk.Event
			rest, ok := readEvent(b, &event)
			if !ok || event.Seq <= h.floor || event.Seq > seq {
				return errEvents
			}
			b, events = rest, append(events, event)
		}
	}
	slices.SortFunc(events, func(a, b risk.Event) int {
		return cmp.Or(cmp.Compare(a.Seq, b.Seq), cmp.Compare(a.N, b.N))
	})
	for i := range events {
		h.append(&events[i], events[i].N)
	}
	h.seal()
	h.publish()
	return nil
}
