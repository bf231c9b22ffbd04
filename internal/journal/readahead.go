package journal

import (
	"sync/atomic"

	"github.com/hashicorp/raft"
)

// A replay reads, verifies and applies, each frame in this order. So that the order of the
// frames is all that it waits for, each of the three has a goroutine: raft's own reads, raft's
// other one applies. Raft would read a log of any length into memory if applying were slow.

// readAheadMax is how many frames of a replay are read and not yet applied: raft hands them on
// in batches of inFlightMax, so it has to be above two of them.
const readAheadMax = 3 * inFlightMax

// readAhead holds up who reads a replay while too much of it waits to be applied.
type readAhead struct {
	read, taken atomic.Uint64 // frames
	wake        chan struct{} // capacity 1: taken has moved
	stop        <-chan struct{}
}

func newReadAhead(stop <-chan struct{}) readAhead {
	return readAhead{wake: make(chan struct{}, 1), stop: stop}
}

// enter counts a frame that was read, and waits until few enough are on their way.
func (a *readAhead) enter() {
	for n := a.read.Add(1); n > a.taken.Load()+readAheadMax; {
		select {
		case <-a.wake:
		case <-a.stop:
			return
		}
	}
}

// leave counts the frames of a batch that is done with.
func (a *readAhead) leave(logs []*raft.Log) {
	frames := uint64(0)
	for _, l := range logs {
		if l.Type == raft.LogCommand {
			frames++
		}
	}
	a.taken.Add(frames)
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// verifyAhead is how many frames of a batch are verified and not yet applied.
const verifyAhead = 16

// verifiedFrame is what ParseFrame returned.
type verifiedFrame struct {
	header Header
	body   []byte
	err    error
}

// verify parses the frames of a batch of a replay on a goroutine of its own, which stop ends:
// the hash of one frame costs 60 ns a command. Of a batch that this process appended there is
// nothing to verify, and no channel.
func (f *fsm) verify(logs []*raft.Log) (frames <-chan verifiedFrame, stop func()) {
	if f.guard.isRunning.Load() || len(logs) == 1 {
		return nil, func() {}
	}
	out, done := make(chan verifiedFrame, verifyAhead), make(chan struct{})
	go func() {
		defer close(out)
		for _, l := range logs {
			if l.Type != raft.LogCommand {
				continue
			}
			var frame verifiedFrame
			frame.header, frame.body, frame.err = ParseFrame(l.Data)
			select {
			case out <- frame:
			case <-done:
				return
			}
		}
	}()
	return out, func() {
		close(done)
		for range out { //nolint:revive // until the goroutine has ended
		}
	}
}
