package engine

import (
	"fmt"

	"plimsoll/fixedpoint"
	"plimsoll/risk"
)

// Replay applies groups that already have Seq and time, as the journal kept them: before
// Start, on the caller's goroutine. They are neither journaled nor answered.
func (e *Engine) Replay(frame []risk.Command) error {
	if e.started {
		panic("engine: BUG: Replay after Start")
	}
	e.setReplay(true)
	defer e.setReplay(false)
	e.egress.reasons = e.egress.reasons[:0]
	for at := 0; at < len(frame); {
		size, err := e.fill(frame[at:])
		if err != nil {
			return err
		}
		at += size
		for last := frame[at-1].Seq; e.egress.seq < last; {
			e.pollAll()
		}
		e.stand(frame[at-1].Seq)
	}
	return nil
}

func (e *Engine) setReplay(isReplay bool) {
	e.sequencer.isReplay, e.journaler.isReplay, e.egress.isReplay = isReplay, isReplay, isReplay
	for _, s := range e.shards {
		s.isReplay = isReplay
		if s.real != nil && isReplay {
			s.real.RationBands(0) // but for those that a tick looks at, they are made once the order stands
		}
	}
}

func (e *Engine) pollAll() {
	for _, s := range e.stages {
		s.Poll()
	}
}

// fill puts as many groups into ingress as it has room for, and returns their records.
func (e *Engine) fill(records []risk.Command) (size int, err error) {
	seq := e.sequencer.seq
	for size < len(records) {
		head := &records[size]
		group := int(head.GroupLeft) + 1
		if size+group > e.cfg.IngressSlots {
			break
		}
		if head.Seq != seq+1 {
			return 0, fmt.Errorf("engine: replay: seq %d follows %d", head.Seq, seq)
		}
		seq++
		size += group
	}
	if size == 0 || size > len(records) {
		return 0, fmt.Errorf("%w: replay after seq %d", ErrMalformed, seq)
	}
	if _, err := e.check(records[:size]); err != nil {
		return 0, fmt.Errorf("replay after seq %d: %w", e.sequencer.seq, err)
	}
	first, ok := e.ingress.TryClaim(size)
	if !ok {
		panic("engine: BUG: ingress is full in replay")
	}
	for i := range size {
		slot := e.ingress.Slot(first + uint64(i))
		*slot = records[i]
		slot.Ticket = 0
	}
	e.ingress.Publish(first, size)
	return size, nil
}

// replayHash passes a hash point in replay, and returns the state hash there.
func (e *Engine) replayHash() fixedpoint.Hash128 {
	e.setReplay(true)
	defer e.setReplay(false)
	seq := e.sequencer.seq
	first, ok := e.ingress.TryClaim(1)
	if !ok {
		panic("engine: BUG: ingress is full in replay")
	}
	*e.ingress.Slot(first) = risk.Command{Kind: kindHash, Aux: seq}
	e.ingress.Publish(first, 1)
	for {
		e.pollAll()
		if hash, ok := e.collect(shareHashPoint, seq); ok {
			return hash
		}
	}
}
