package engine

import (
	"math/rand/v2"
	"slices"

	"plimsoll/internal/journal"
	"plimsoll/risk"
)

// simDisk is what survives a crash: log entries, of which the first synced are safe, and
// published snapshots. It keeps the log's own rules: what lies behind a torn entry is gone.
type simDisk struct {
	rng       *rand.Rand
	entries   [][]byte
	synced    int
	snapshots []*simSnapshot
	history   []*simFrame // every frame ever committed, whatever was cut: for the oracle
}

type simFrame struct {
	header journal.Header
	body   []byte
}

// simSnapshot is a snapshot in memory, written and read like a file.
type simSnapshot struct {
	meta    journal.SnapshotMeta
	chunks  []journal.Chunk
	entries int // log entries in it
	forget  uint8
}

func (s *simSnapshot) Meta() journal.SnapshotMeta { return s.meta }

func (s *simSnapshot) Chunk(kind uint8, shard uint16, payload []byte) error {
	if kind != s.forget {
		s.chunks = append(s.chunks, journal.Chunk{Kind: kind, Shard: shard, Payload: slices.Clone(payload)})
	}
	return nil
}

func (s *simSnapshot) Each(workers int, fn func(worker int, c journal.Chunk) error) error {
	for i, c := range s.chunks {
		if err := fn(i%workers, c); err != nil {
			return err
		}
	}
	return nil
}

// crash loses what was not synced: a first part of it may have reached the disk, and the
// entry behind that may be torn.
func (d *simDisk) crash() (isTorn bool) {
	kept := d.synced + d.rng.IntN(len(d.entries)-d.synced+1)
	if kept < len(d.entries) && d.rng.IntN(2) == 0 {
		torn := slices.Clone(d.entries[kept])
		if d.rng.IntN(2) == 0 {
			torn = torn[:d.rng.IntN(len(torn))]
		} else {
			torn[d.rng.IntN(len(torn))] ^= 1 << d.rng.IntN(8)
		}
		d.entries[kept] = torn
		kept++
		isTorn = true
	}
	d.entries = d.entries[:kept]
	return isTorn
}

// simLog is the journal over a simDisk: raft's part, on one goroutine.
type simLog struct {
	disk      *simDisk
	built     journal.Chain // of the frames handed in
	committed journal.Chain // of those the state machine has seen
	isHasty   bool          // negative control: says durable before it is
	stale     int           // frames dropped
}

func (l *simLog) Start(func()) {}

// Append puts a frame behind the entries, and now and then one that no replica may accept:
// an older frame once more, or one of a former leader in the place of the next.
func (l *simLog) Append(h *journal.Header, body []byte) error {
	switch rng := l.disk.rng; rng.IntN(12) {
	case 0:
		if n := len(l.disk.entries); n > 0 {
			l.disk.entries = append(l.disk.entries, l.disk.entries[rng.IntN(n)])
		}
	case 1:
		c := risk.Command{Kind: risk.KindDeposit, Seq: l.built.Seq + 1, TimeMs: h.TimeMs}
		forged := journal.Header{
			Number: l.built.Number + 1, FirstSeq: c.Seq, LastSeq: c.Seq, Count: 1, RecordSize: risk.CommandSize,
			Prev: journal.Hash{byte(rng.IntN(256)), 1},
		}
		l.disk.entries = append(l.disk.entries, journal.AppendFrame(nil, &forged, risk.AppendCommand(nil, &c)))
	}
	h.Number, h.Prev = l.built.Number+1, l.built.Link
	l.disk.entries = append(l.disk.entries, journal.AppendFrame(nil, h, body))
	if accept, err := l.built.Next(h); !accept || err != nil {
		panic("the log does not accept its own frame")
	}
	return nil
}

func (l *simLog) Durable() (uint64, error) {
	if l.isHasty {
		return l.built.Seq, nil
	}
	return l.committed.Seq, nil
}

// sync makes some entries safe and has the state machine see them.
func (l *simLog) sync(most int) (work int, err error) {
	for ; work < most && l.disk.synced < len(l.disk.entries); work++ {
		entry := l.disk.entries[l.disk.synced]
		l.disk.synced++
		if _, err := l.see(entry, nil); err != nil {
			return work, err
		}
	}
	return work, nil
}

// see is the state machine's part: an accepted frame that this process did not append is
// replayed.
func (l *simLog) see(entry []byte, replay func(h *journal.Header, body []byte) error) (accepted bool, err error) {
	h, body, err := journal.ParseFrame(entry)
	if err != nil {
		return false, err
	}
	if accepted, err = l.committed.Next(&h); err != nil || !accepted {
		l.stale++
		return false, err
	}
	if n := len(l.disk.history); uint64(n) == h.Number-1 {
		l.disk.history = append(l.disk.history, &simFrame{h, slices.Clone(body)})
	}
	if replay != nil {
		return true, replay(&h, body)
	}
	return true, nil
}
