package engine

import (
	"fmt"

	"plimsoll/fixedpoint"
	"plimsoll/internal/journal"
	"plimsoll/risk"
)

// Rebuild is the state that a journal makes, without the journal behind it: for tools that
// read a data directory and leave it alone.
type Rebuild struct{ r *replayer }

// NewRebuild returns the state of no command. cfg.Journal is not looked at.
func NewRebuild(cfg Config, names Names) (*Rebuild, error) {
	cfg.Journal = NoJournal{}
	e, err := New(cfg)
	if err != nil {
		return nil, err
	}
	return &Rebuild{newReplayer(e, names)}, nil
}

// Restore takes the state of a snapshot, and compares its state hash. It comes first.
func (b *Rebuild) Restore(s *journal.SnapshotReader) error { return b.r.Restore(s) }

// Replay applies a frame, and compares the state hash that it carries. With until it stops
// after that Seq, also inside the frame.
func (b *Rebuild) Replay(h *journal.Header, body []byte, until uint64) error {
	if until == 0 || until >= h.LastSeq {
		return b.r.Replay(h, body)
	}
	if len(body)%risk.CommandSize != 0 {
		return fmt.Errorf("engine: frame %d has %d bytes, no whole number of records", h.Number, len(body))
	}
	part, c := *h, risk.Command{}
	part.Count = 0
	for at := 0; at < len(body) && risk.DecodeCommand(body[at:], &c) && c.Seq <= until; at += risk.CommandSize {
		part.Count++
	}
	part.LastSeq = until
	part.Number = 1 // the end of a part is no hash point
	return b.r.Replay(&part, body[:int(part.Count)*risk.CommandSize])
}

// CollectEvents has Replay keep the public events for TakeEvents.
func (b *Rebuild) CollectEvents() { b.r.e.egress.collects = true }

// TakeEvents returns the public events of what was replayed since it was last called, in
// order. They are overwritten by the next Replay.
func (b *Rebuild) TakeEvents() []risk.Event {
	g := b.r.e.egress
	events := g.replayed
	g.replayed = g.replayed[:0]
	return events
}

// Seq returns the last Seq applied.
func (b *Rebuild) Seq() uint64 { return b.r.e.egress.seq }

// TimeMs returns engine time there, in ms since 1970 UTC.
func (b *Rebuild) TimeMs() int64 { return b.r.e.shards[0].real.TimeMs() }

// StateHash returns the state hash there, before Start.
func (b *Rebuild) StateHash() fixedpoint.Hash128 { return b.r.e.reached() }

// HashChecked returns the last Seq whose state hash was compared.
func (b *Rebuild) HashChecked() uint64 { return b.r.checked }

// Engine returns the engine, to be started for reads.
func (b *Rebuild) Engine() *Engine { return b.r.e }

// JournalBytesSinceSnapshot returns how much was journaled since the last snapshot, in
// bytes; 0 without a journal.
func (e *Engine) JournalBytesSinceSnapshot() uint64 {
	if s, ok := e.cfg.Journal.(interface{ BytesSinceSnapshot() uint64 }); ok {
		return s.BytesSinceSnapshot()
	}
	return 0
}
