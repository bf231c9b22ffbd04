package engine

import (
	"sync/atomic"
	"unsafe"

	"plimsoll/fixedpoint"
	"plimsoll/risk"
)

// Result answers one command.
type Result struct {
	Seq       uint64 // place in the total order
	TimeMs    int64  // engine time at Seq
	Required  fixedpoint.Int128
	Available fixedpoint.Int128
	Reason    risk.Reason // ReasonNone: accepted
	Rule      risk.Rule
	Field     uint8 // refused number: index into Command.Num
	Decimals  uint8 // of Required and Available

	HasAmounts   bool // Required and Available are meaningful
	IsDuplicate  bool // a repeat of an id: this is the first result of it
	UnknownOrder bool // a fill named an order that was not resting
	IsConflated  bool // the tick was applied as one with others of the same Seq; of a name in several the newest price

	UnknownLiquidation bool // a fill named a liquidation that is not under way
}

// Ticket states. The caller moves pending to waiting, egress moves either to done.
const (
	ticketFree uint32 = iota
	ticketPending
	ticketWaiting
	ticketDone
)

// ticket is one request in flight: a batch of commands or a read. Its number travels in
// Command.Ticket. The submitter writes it before it publishes the records, egress from
// then until done, the submitter again after that.
type ticket struct {
	state   atomic.Uint32 // pairs: complete in egress with isDone and wait in the submitter
	free    atomic.Uint32 // next in the free list
	number  uint32
	next    int                      // results delivered; egress only
	results []Result                 // the caller's slice, one for each group
	one     func(m *risk.Machine)    // read of the shard that owns an account
	all     func(int, *risk.Machine) // read of every shard
	seq     uint64                   // read: the Seq it follows
	idHash  fixedpoint.Hash128       // read: hash of the remembered ids at that place
	wake    chan struct{}            // capacity 1; used after release only

	owed     uint32                // records since the last trace; the submitter's
	isTraced bool                  // the submitter's
	_        [cacheLine/2 - 8]byte // two lines a ticket, shared with no other caller
}

var _ [2 * cacheLine]byte = [unsafe.Sizeof(ticket{})]byte{}

// cacheLine keeps what two threads write apart: 64 bytes is the line of amd64 and arm64
// servers.
const cacheLine = 64

// isDone reports whether egress has released the ticket.
func (t *ticket) isDone() bool { return t.state.Load() == ticketDone }

// complete releases the ticket: all results are visible to the caller from here on.
func (t *ticket) complete() {
	if t.state.Swap(ticketDone) == ticketWaiting {
		t.wake <- struct{}{} // never blocks: one waiter, capacity one
	}
}

// deliver hands the caller its next result. After the last the ticket is to be completed.
func (t *ticket) deliver(r *Result) (isLast bool) {
	t.results[t.next] = *r
	t.next++
	return t.next == len(t.results)
}

// ticketTable is the fixed table of tickets with a lock-free free list: a stack whose
// head carries a running tag against ABA (Treiber, "Systems Programming: Coping with
// Parallelism", 1986). Ticket 0 is nobody: records without a waiting caller carry it.
type ticketTable struct {
	head    atomic.Uint64 // tag << 32 | number of the first free ticket, 0 = none
	_       [cacheLine]byte
	tickets []ticket
	traces  []trace // of the tickets that are traced, by number
}

func newTicketTable(count int) *ticketTable {
	t := &ticketTable{tickets: make([]ticket, count+1), traces: make([]trace, count+1)}
	for i := 1; i <= count; i++ {
		k := &t.tickets[i]
		k.number = uint32(i)
		k.wake = make(chan struct{}, 1)
		if i < count {
			k.free.Store(uint32(i) + 1)
		}
	}
	t.head.Store(1)
	return t
}

// take returns a free ticket, or nil when all are in flight.
func (t *ticketTable) take() *ticket {
	for {
		head := t.head.Load()
		n := uint32(head)
		if n == 0 {
			return nil
		}
		k := &t.tickets[n]
		if t.head.CompareAndSwap(head, (head>>32+1)<<32|uint64(k.free.Load())) {
			k.next, k.isTraced = 0, false
			k.state.Store(ticketPending)
			return k
		}
	}
}

// put gives a ticket back. It drops what the ticket pointed to, so that a caller's
// memory does not live longer than its request.
func (t *ticketTable) put(k *ticket) {
	k.results, k.one, k.all = nil, nil, nil
	k.state.Store(ticketFree)
	for {
		head := t.head.Load()
		k.free.Store(uint32(head))
		if t.head.CompareAndSwap(head, (head>>32+1)<<32|uint64(k.number)) {
			return
		}
	}
}

// at returns the ticket with that number, nil for nobody.
func (t *ticketTable) at(number uint32) *ticket {
	if number == 0 {
		return nil
	}
	return &t.tickets[number&^ticketTraced]
}
