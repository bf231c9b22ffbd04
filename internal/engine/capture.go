package engine

import (
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"plimsoll/internal/journal"
	"plimsoll/ringbuf"
)

// A snapshot is the state as of one place of the order, taken while the order goes on:
//
//	journal    between two frames: Handler.Snapshot            the capture is published
//	journaler  right after the last record of the first        a marker goes into the order
//	shards     at the marker: BeginCapture                     then a few accounts a Poll
//	egress     at the marker: time, results by id              then some ids a Poll
//	writer     SnapshotSource.WriteTo, its own goroutine       pieces by SPSC rings, names
//
// What is about to change is encoded first, so the pace of writer and disk holds nobody up.

// Kinds of the chunks in a snapshot. The numbers are part of the format.
const (
	ChunkShared   uint8 = 1 // risk.Machine.AppendShared
	ChunkShard    uint8 = 2 // risk.Machine.BeginCapture
	ChunkAccounts uint8 = 3 // risk.Machine.Capture
	ChunkTime     uint8 = 4 // engine time and the Seq
	ChunkIDs      uint8 = 5 // remembered ids with their results
	ChunkNames    uint8 = 6 // Names.AppendSnapshot
	ChunkEvents   uint8 = 7 // public events up to the Seq, as far as they are kept; see captureevents.go
)

// A lane's buffers. A piece is sent when it is three quarters full, since what comes in
// one step has no fixed size.
const (
	buffersPerLane = 4
	bufferBytes    = 64 << 10           // packed without a break: 0.5 ms
	backlogLate    = 1 << 20            // bytes encoded ahead of changes above which the writer hurries
	laneSlots      = 2 * buffersPerLane // what is sent at the start comes in no buffer of the lane
)

// isFull reports whether a piece is to be sent.
func isFull(b []byte) bool { return len(b) > cap(b)/4*3 }

// writerNap is how long the writer sleeps when it has taken everything.
const writerNap = 200 * time.Microsecond

// While commands come in, the writer takes its time: it packs on a core and writes to a disk
// that they need too. A million accounts of four positions are some 85 MB: 3.5 s.
const (
	paceBytes = 24 << 20 // a second
	paceNap   = 5 * time.Millisecond
)

// pace holds the writer to paceBytes a second, except while nothing else goes on or a shard
// has more to say than its buffers hold.
type pace struct {
	engine *Engine
	begun  time.Time
	bytes  int    // written since begun
	seq    uint64 // last sequenced, when last looked
}

// wait sleeps for as long as n more bytes were too soon.
func (p *pace) wait(n int, isLate bool) {
	p.bytes += n
	for {
		seq := p.engine.sequencer.sequenced.Load()
		isIdle := seq == p.seq
		p.seq = seq
		ahead := time.Duration(p.bytes)*time.Second/paceBytes - time.Since(p.begun)
		if ahead <= 0 || isIdle || isLate {
			return
		}
		time.Sleep(min(ahead, paceNap))
	}
}

// piece is a chunk on its way to the writer.
type piece struct {
	kind     uint8
	isPooled bool // bytes go back to the lane
	isLast   bool // of its lane
	bytes    []byte
}

// lane brings pieces from one shard, or from egress, to the writer, and buffers back.
type lane struct {
	full   *ringbuf.SPSC[piece]
	free   *ringbuf.SPSC[[]byte]
	isLate atomic.Bool // shard's: what was encoded ahead of changes is piling up
	isOver bool        // writer's: the last piece was written
}

// take returns an empty buffer, or nil when the writer has all.
func (l *lane) take() (b []byte) {
	if l.free.TryPop(&b) {
		return b[:0]
	}
	return nil
}

func (l *lane) put(p piece) {
	if !l.full.TryPush(&p) {
		panic("engine: BUG: a lane has more pieces than buffers")
	}
}

// chunkWriter is what a capture asks of journal.SnapshotWriter.
type chunkWriter interface {
	Chunk(kind uint8, shard uint16, payload []byte) error
}

// capture is one snapshot under way. It is a journal.SnapshotSource.
type capture struct {
	number      uint64 // counts captures of this engine
	chain       journal.Chain
	engine      *Engine
	names       Names
	lanes       []lane // by shard, then that of egress
	isCancelled atomic.Bool
	timeMs      int64  // written by egress before its first piece
	accounts    uint64 // written by shard 0 before its shared piece
	size        int    // of a buffer, in bytes
	over        int    // writer's: lanes that are over
	written     int    // writer's: bytes of pieces
}

// beginSnapshot publishes a capture as of where the log stands: durable is there and does
// not move until it returns.
func (e *Engine) beginSnapshot(chain journal.Chain, names Names) (*capture, error) {
	if err := e.Fault(); err != nil {
		return nil, err
	}
	if !e.started || e.runner.stopping.Load() {
		return nil, ErrClosed
	}
	c := &capture{number: 1, chain: chain, engine: e, names: names, lanes: make([]lane, len(e.shards)+1)}
	if last := e.snapshot.Load(); last != nil {
		last.isCancelled.Store(true)
		c.number = last.number + 1
	}
	size := bufferBytes
	if e.cfg.bufferBytes > 0 {
		size = e.cfg.bufferBytes
	}
	c.size = size
	for i := range c.lanes {
		l := &c.lanes[i]
		l.full, l.free = ringbuf.NewSPSC[piece](laneSlots), ringbuf.NewSPSC[[]byte](buffersPerLane)
		for range buffersPerLane {
			b := make([]byte, 0, size)
			l.free.TryPush(&b)
		}
	}
	e.snapshot.Store(c)
	e.runner.wake()
	return c, nil
}

// WriteTo writes the pieces as they come, then the names.
func (c *capture) WriteTo(w *journal.SnapshotWriter) (journal.SnapshotMeta, error) {
	pace := pace{engine: c.engine, begun: time.Now()}
	for {
		before := c.written
		work, isEnd, err := c.step(w)
		switch {
		case err != nil:
			return journal.SnapshotMeta{}, err
		case isEnd:
			return c.finish(w)
		case work > 0:
			pace.wait(c.written-before, c.isLate())
			c.engine.runner.wake() // there are buffers again
			continue
		}
		if err := c.engine.Fault(); err != nil {
			return journal.SnapshotMeta{}, err
		}
		if c.isCancelled.Load() || c.engine.runner.stopping.Load() {
			return journal.SnapshotMeta{}, ErrClosed
		}
		time.Sleep(writerNap)
	}
}

// Release ends the capture, whether it was written or not.
func (c *capture) Release() {
	c.isCancelled.Store(true)
	c.engine.runner.wake()
}

// isLate reports whether a shard is.
func (c *capture) isLate() bool {
	for i := range c.lanes {
		if c.lanes[i].isLate.Load() {
			return true
		}
	}
	return false
}

// step writes the pieces that are there.
func (c *capture) step(w chunkWriter) (work int, isEnd bool, err error) {
	for i := range c.lanes {
		l := &c.lanes[i]
		for p := (piece{}); l.full.TryPop(&p); work++ {
			if len(p.bytes) > 0 {
				if err := w.Chunk(p.kind, uint16(i), p.bytes); err != nil { //nolint:gosec // at most shardsMax
					return work, false, err
				}
				c.written += len(p.bytes)
				runtime.Gosched() // the log's goroutines come back from the disk and want a core
			}
			if p.isPooled {
				l.free.TryPush(&p.bytes)
			}
			if p.isLast {
				l.isOver = true
				c.over++
			}
		}
	}
	return work, c.over == len(c.lanes), nil
}

// finish writes events and names, and says what was written.
func (c *capture) finish(w chunkWriter) (journal.SnapshotMeta, error) {
	if err := c.writeEvents(w); err != nil {
		return journal.SnapshotMeta{}, err
	}
	if c.names != nil {
		var buf []byte
		for from := 0; from >= 0; {
			if buf, from = c.names.AppendSnapshot(buf[:0], from); len(buf) > 0 {
				if err := w.Chunk(ChunkNames, 0, buf); err != nil {
					return journal.SnapshotMeta{}, err
				}
			}
		}
	}
	hash, ok := c.engine.collect(shareSnapshot, c.chain.Seq)
	if !ok {
		return journal.SnapshotMeta{}, errors.New("engine: BUG: a snapshot without its state hash")
	}
	return journal.SnapshotMeta{
		Version: journal.SnapshotVersion, Seq: c.chain.Seq, TimeMs: c.timeMs, Chain: c.chain,
		StateHash: hashBytes(hash).String(), Shards: len(c.engine.shards), Accounts: c.accounts,
	}, nil
}

// A snapshot waits for a state hash that is being worked off, so that it need not be finished at
// once when the snapshot's own begins: that was 100 ns for every account touched in the last
// thousand frames, in one go.
const (
	hashPatience = time.Second // then it begins all the same
	hashNap      = time.Millisecond
)

// awaitHash returns when no shard owes a state hash, or after a while.
func (e *Engine) awaitHash() {
	for until := time.Now().Add(hashPatience); time.Now().Before(until) && e.owesHash(); {
		time.Sleep(hashNap)
	}
}

// Snapshot takes a snapshot and returns when it is published. The order goes on meanwhile.
func (e *Engine) Snapshot() (journal.SnapshotInfo, error) {
	taker, ok := e.cfg.Journal.(interface {
		Snapshot() (journal.SnapshotInfo, error)
	})
	if !ok {
		return journal.SnapshotInfo{}, ErrNoJournal
	}
	e.awaitHash()
	info, err := taker.Snapshot()
	if err != nil {
		return info, fmt.Errorf("engine: snapshot: %w", err)
	}
	e.lastSnapshot.Store(&info)
	return info, nil
}
