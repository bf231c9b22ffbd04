package engine

import (
	"errors"
	"fmt"
	"runtime"
	"slices"

	"plimsoll/internal/journal"
	"plimsoll/risk"
)

// chunkReader is what restoring asks of journal.SnapshotReader.
type chunkReader interface {
	Meta() journal.SnapshotMeta
	Each(workers int, fn func(worker int, c journal.Chunk) error) error
}

// feedSlots is how many chunks wait for one machine.
const feedSlots = 4

// Restore brings the engine to the state of a snapshot: every machine takes its accounts
// on a goroutine of its own.
func (r *replayer) Restore(s *journal.SnapshotReader) error { return r.restore(s) }

func (r *replayer) restore(s chunkReader) error {
	e, meta := r.e, s.Meta()
	if e.egress.seq != 0 {
		panic("engine: BUG: Restore into an engine in use")
	}
	feeds := make([]chan journal.Chunk, len(e.shards))
	faults := make(chan error, len(e.shards))
	for i := range feeds {
		feeds[i] = make(chan journal.Chunk, feedSlots)
		go func() { faults <- restoreMachine(e.shards[i].m, i, feeds[i]) }()
	}
	workers := runtime.GOMAXPROCS(0)
	kept := make([][]journal.Chunk, workers) // what is not the machines', by worker
	err := s.Each(workers, func(worker int, c journal.Chunk) error {
		c.Payload = slices.Clone(c.Payload)
		switch c.Kind {
		case ChunkShared:
			for _, feed := range feeds {
				feed <- c
			}
		case ChunkShard:
			feeds[int(c.Shard)%len(feeds)] <- c
		case ChunkAccounts:
			for i, feed := range feeds {
				if meta.Shards != len(feeds) || int(c.Shard) == i {
					feed <- c
				}
			}
		case ChunkTime, ChunkIDs, ChunkNames, ChunkEvents:
			kept[worker] = append(kept[worker], c)
		default:
			return fmt.Errorf("engine: the snapshot has chunks of kind %d, which this version does not read", c.Kind)
		}
		return nil
	})
	for _, feed := range feeds {
		close(feed)
	}
	for range feeds {
		if fault := <-faults; err == nil {
			err = fault
		}
	}
	if err != nil {
		return err
	}
	return r.restoreRest(slices.Concat(kept...), &meta)
}

// restoreMachine gives a machine its chunks. The shared one has to come first; what comes
// before it waits. After a fault it only takes chunks, so that nobody waits for it.
func restoreMachine(m machine, index int, feed <-chan journal.Chunk) (err error) {
	var early []journal.Chunk
	isOpen := false
	for c := range feed {
		switch {
		case err != nil:
		case c.Kind == ChunkShared:
			isOpen = true
			err = m.RestoreShared(c.Payload)
			for i := 0; i < len(early) && err == nil; i++ {
				err = restoreChunk(m, &early[i])
			}
			early = nil
		case !isOpen:
			early = append(early, c)
		default:
			err = restoreChunk(m, &c)
		}
	}
	if err == nil && !isOpen {
		err = errors.New("engine: the snapshot lacks its shared part: use an older one")
	}
	if err == nil {
		err = m.FinishRestore()
	}
	if err != nil {
		return fmt.Errorf("engine: restore shard %d: %w", index, err)
	}
	return nil
}

func restoreChunk(m machine, c *journal.Chunk) error {
	if c.Kind == ChunkShard {
		return m.RestoreShard(c.Payload)
	}
	return m.RestoreAccounts(c.Payload)
}

// restoreRest takes what is not the machines', and compares the state hash.
func (r *replayer) restoreRest(chunks []journal.Chunk, meta *journal.SnapshotMeta) error {
	e := r.e
	seq := uint64(0)
	var ids, events []journal.Chunk
	for _, c := range chunks {
		var err error
		switch c.Kind {
		case ChunkTime:
			seq, err = r.restoreTime(c.Payload)
		case ChunkNames:
			if r.names != nil {
				err = r.names.RestoreSnapshot(c.Payload)
			}
		case ChunkEvents:
			events = append(events, c)
		default:
			ids = append(ids, c)
		}
		if err != nil {
			return err
		}
	}
	if seq != meta.Seq {
		return fmt.Errorf("engine: the snapshot after seq %d says inside that it is after seq %d", meta.Seq, seq)
	}
	if err := e.restoreIDs(ids); err != nil {
		return err
	}
	for _, s := range e.shards {
		s.openPools()
		s.quote(0)
	}
	if err := e.restoreEvents(events, seq); err != nil {
		return err
	}
	e.stand(seq)
	if err := e.checkIdentities(); err != nil {
		return err
	}
	if got := hashBytes(e.reached()).String(); got != meta.StateHash {
		return fmt.Errorf("%w: state hash after seq %d is %s, its snapshot says %s", ErrDiverged, seq, got, meta.StateHash)
	}
	r.checked = seq
	return nil
}

// restoreTime takes the sequencer's knowledge.
func (r *replayer) restoreTime(b []byte) (seq uint64, err error) {
	seq, line, window, err := readTime(b)
	if err != nil {
		return 0, err
	}
	if window != r.e.cfg.IDWindow {
		return 0, fmt.Errorf("engine: the snapshot remembers %d ids a client, this engine %d: they must be the same",
			window, r.e.cfg.IDWindow)
	}
	r.e.sequencer.timeline, r.e.egress.timeline = line, line
	return seq, nil
}

// restoreIDs fills the windows of ids in the sequencer and of results in egress.
func (e *Engine) restoreIDs(chunks []journal.Chunk) error {
	g := e.egress
	seen := make([]int, len(g.clients))
	for _, c := range chunks {
		for r := (idReader{b: c.Payload}); len(r.b) > 0; {
			client, place, k := r.entry()
			if r.isBad || client >= uint64(len(g.clients)) {
				return errIDs
			}
			w := g.client(uint16(client))
			*w.entry(place) = k
			w.count = max(w.count, place+1)
			seen[client]++
			g.idHash = g.idHash.Add(hashID(uint16(client), k.id))
		}
	}
	for client, n := range seen {
		if n == 0 {
			continue
		}
		w := g.clients[client]
		if uint64(n) != w.count-w.oldest() {
			return errIDs
		}
		w.next = int(w.count % uint64(len(w.kept))) //nolint:gosec // below IDWindow
		ids := e.sequencer.window(uint16(client))   //nolint:gosec // clientsMax
		ids.start(w.oldest())
		for place := w.oldest(); place < w.count; place++ {
			ids.add(w.entry(place).id)
		}
	}
	return nil
}

// checkIdentities adds the ledgers of all shards up: alone, no shard's need to.
func (e *Engine) checkIdentities() error {
	var sums []risk.Identity
	for _, s := range e.shards {
		if s.real == nil {
			return nil
		}
		for i, id := range s.real.ReadIdentities() {
			if i == len(sums) {
				sums = append(sums, risk.Identity{Token: id.Token})
			}
			sums[i].External, sums[i].Held = sums[i].External.Add(id.External), sums[i].Held.Add(id.Held)
		}
	}
	for _, sum := range sums {
		if sum.External != sum.Held {
			return fmt.Errorf("engine: the snapshot's ledgers of token %d do not add up: use an older one", sum.Token)
		}
	}
	return nil
}
