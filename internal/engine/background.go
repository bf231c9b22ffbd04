package engine

import (
	"sync/atomic"

	"plimsoll/fixedpoint"
)

// What a shard does between groups, a few accounts per Poll: it works off the share of the
// state hash that a marker asked for, and sweeps its accounts for a snapshot. Neither ever
// holds up a group: the machine hashes and encodes an account by itself before it changes
// one that is still wanted. What it does for its bands comes after that: see bands.go.

// Shares of the state hash that a shard and egress keep, each as of its last marker.
const (
	shareHashPoint = iota // for the header of a frame
	shareSnapshot         // for a snapshot
	shareCount
	shareNone = -1
)

// Accounts that one Poll hashes or captures when it had no groups, and how many times fewer
// when it had some: 15 to 25 us of either.
const (
	stepIdle    = 128
	captureIdle = 32
	busyTimes   = 8
)

// stepOf returns how many accounts a Poll works off, of step at most.
func stepOf(cfg *Config, step int, isBusy bool) int {
	if cfg.stepMax > 0 {
		step = cfg.stepMax
	}
	if isBusy {
		return max(1, step/busyTimes)
	}
	return step
}

// share is one part of the state hash as of a Seq.
type share struct {
	hash fixedpoint.Hash128
	at   cursor      // Seq+1; written after hash, pairs with load
	owed atomic.Bool // it is being worked off; pairs with owesHash
}

func (s *share) store(seq uint64, hash fixedpoint.Hash128) {
	s.hash = hash
	s.at.store(seq + 1)
	s.owed.Store(false)
}

// load returns the share as of a Seq, if that is the one there.
func (s *share) load(seq uint64) (hash fixedpoint.Hash128, ok bool) {
	if s.at.load() != seq+1 {
		return hash, false
	}
	return s.hash, true
}

// collect returns the state hash as of a marker, when all have their share of it. Nobody
// overwrites a share before its marker's one asker has it.
func (e *Engine) collect(slot int, seq uint64) (hash fixedpoint.Hash128, ok bool) {
	if hash, ok = e.egress.shares[slot].load(seq); !ok {
		return hash, false
	}
	for _, s := range e.shards {
		h, ok := s.shares[slot].load(seq)
		if !ok {
			return hash, false
		}
		hash = hash.Add(h)
	}
	return hash, true
}

// hasDuty reports whether a shard or egress has work besides the order that somebody waits
// for.
func (e *Engine) hasDuty() bool {
	for _, s := range e.shards {
		if s.owed != shareNone || s.capture != nil || s.totals != nil {
			return true
		}
	}
	return e.egress.capture != nil
}

// hasBackground reports whether there is any work besides the order. Accounts without a
// band are such work, but a caller whose answer is there leaves them to the pump.
func (e *Engine) hasBackground() bool {
	for _, s := range e.shards {
		if s.m.HasBandWork() {
			return true
		}
	}
	return e.hasDuty()
}

// checkpoint starts a share of the state hash as of now; one that is still owed is
// finished first.
func (s *shard) checkpoint(slot int, seq uint64) {
	for s.owed != shareNone {
		s.workOff(stepIdle)
	}
	s.m.Checkpoint()
	s.owed, s.owedSeq = slot, seq
	s.shares[slot].owed.Store(true)
}

// owesHash reports whether a shard is working off a share of the state hash.
func (e *Engine) owesHash() bool {
	for _, s := range e.shards {
		for slot := range s.shares {
			if s.shares[slot].owed.Load() {
				return true
			}
		}
	}
	return false
}

func (s *shard) workOff(accounts int) {
	if hash, isEnd := s.m.CheckpointStep(accounts); isEnd {
		s.shares[s.owed].store(s.owedSeq, hash)
		s.owed = shareNone
	}
}

// background does a bounded piece of what is to be done beside the order.
func (s *shard) background(isBusy bool) (work int) {
	if s.owed != shareNone {
		s.workOff(stepOf(s.cfg, stepIdle, isBusy))
		return 1
	}
	return s.sweep(stepOf(s.cfg, captureIdle, isBusy))
}

// beginCapture starts the capture that a marker asks for, unless it is off again.
func (s *shard) beginCapture(number uint64) {
	c := s.snapshot.Load()
	if c == nil || c.number != number || c.isCancelled.Load() {
		return
	}
	s.endCapture()
	s.checkpoint(shareSnapshot, c.chain.Seq)
	s.capture = c
	lane := &c.lanes[s.index]
	lane.put(piece{kind: ChunkShard, bytes: s.m.BeginCapture(nil)})
	if s.index == 0 {
		if s.real != nil {
			c.accounts = uint64(s.real.AccountCount())
		}
		lane.put(piece{kind: ChunkShared, bytes: s.m.AppendShared(nil)})
	}
}

func (s *shard) endCapture() {
	if s.capture != nil {
		s.m.EndCapture()
		s.capture, s.buffer = nil, nil
	}
}

// sweep captures some accounts, if the writer has given a buffer back.
func (s *shard) sweep(accounts int) (work int) {
	c := s.capture
	if c.isCancelled.Load() {
		s.endCapture()
		return 1
	}
	lane := &c.lanes[s.index]
	if s.buffer == nil {
		lane.isLate.Store(s.m.CaptureBacklog() > backlogLate)
		if s.buffer = lane.take(); s.buffer == nil {
			return 0
		}
	}
	var isEnd bool
	if s.buffer, isEnd = s.m.Capture(s.buffer, accounts); isEnd || isFull(s.buffer) {
		lane.put(piece{kind: ChunkAccounts, bytes: s.buffer, isPooled: true, isLast: isEnd})
		s.buffer = nil
	}
	if isEnd {
		s.endCapture()
	}
	return 1
}
