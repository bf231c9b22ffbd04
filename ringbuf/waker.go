package ringbuf

import "sync/atomic"

// Waker parks one goroutine, the sleeper, until another calls Wake. The sleeper announces
// itself with Prepare, looks for work once more, and then calls Park or, if it has found
// some, Cancel. Whoever makes work visible calls Wake afterwards. Then no wake-up is lost:
//
//	sleeper                      other
//	 isSleeping = true  (1)       head = …          (3)  Publish
//	 head?              (2)       isSleeping?       (4)  Wake
//
// Go's atomics are sequentially consistent, so of (1) and (3) one comes first: either (4)
// sees the sleeper or (2) sees the work.
//
// The channel is the room's only one, and on no item's path: nothing else in pure Go parks a
// goroutine without a lock of our own, and it is touched only when somebody does sleep.
type Waker struct {
	_          pad         // Every Wake reads isSleeping; it must not move with a neighbour's line.
	isSleeping atomic.Bool // Set by sleeper in Prepare; cleared by one CompareAndSwap, in Cancel or in Wake.
	_          pad
	token      chan struct{} // Holds one token for each Wake that has cleared isSleeping.
}

// NewWaker returns a Waker with nobody asleep.
func NewWaker() *Waker { return &Waker{token: make(chan struct{}, 1)} }

// Wake wakes the sleeper if it is parked or about to park. Any goroutine may call it, after
// it has made work visible; it never waits. If nobody sleeps it costs one load.
func (w *Waker) Wake() {
	if w.isSleeping.Load() { // Pairs with Store in Prepare.
		w.wake()
	}
}

// wake sends the token if it is the one to end this sleep.
func (w *Waker) wake() {
	if w.isSleeping.CompareAndSwap(true, false) {
		select {
		case w.token <- struct{}{}:
		default: // A sleeper that neither parked nor cancelled left one: it wakes the next just as well.
		}
	}
}

// Prepare announces that the sleeper will park. It must look for work again before it does.
func (w *Waker) Prepare() { w.isSleeping.Store(true) } // Pairs with Load in Wake.

// Cancel takes Prepare back. If somebody is waking the sleeper just now, it takes the token,
// so that the next Park does not return for nothing.
func (w *Waker) Cancel() {
	if !w.isSleeping.CompareAndSwap(true, false) {
		<-w.token
	}
}

// Park sleeps until somebody calls Wake; at once if somebody did since Prepare.
func (w *Waker) Park() { <-w.token }
