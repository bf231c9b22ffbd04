package risk

import "plimsoll/fixedpoint"

// Bits of accountFlags that say what must be done before an account is changed. They are
// no state: not hashed, not captured. An account with neither of the first two is in the
// running sum. One of them says when it was touched: since the checkpoint if it is that of
// tracker.quiet, otherwise before it, and then its hash is still owed to it. A checkpoint
// changes over from one to the other, and so visits no account.
const (
	accountCounted accountFlags = 1 << (4 + iota) // in the totals under way, when equal to this bit of tracker.quiet
	accountEven                                   // touched
	accountOdd                                    // touched, next to it
	accountKept                                   // captured, when equal to this bit of tracker.quiet
	accountStates  = accountHalted | accountUnvalued | accountLiquidating
	accountTouched = accountEven | accountOdd
	accountTracked = accountTouched | accountKept | accountCounted
)

// tracker follows which accounts change, for the running state hash and for captures.
type tracker struct {
	sum     fixedpoint.Hash128 // of the accounts with neither bit of accountTouched
	marked  fixedpoint.Hash128 // this shard's share as of the checkpoint, less what is pending
	dirty   []uint32           // accounts not in sum, touched since the checkpoint, by place in accounts
	pending []uint32           // those touched before it
	worked  int                // of pending

	quiet       accountFlags // accountTracked of accounts that can be changed without more ado
	isCapturing bool
	swept       int    // accounts before this place are captured
	backlog     []byte // records of accounts encoded because they were about to change
	taken       int    // bytes of backlog that Capture has taken
}

// touch must come before every change of an account that hash or capture would see. While
// neither wants anything of the account it is one test of a byte that is read anyway.
func (m *Machine) touch(slot uint32) {
	local := slot / m.cfg.Shards
	a := &m.accounts[local]
	if (a.flags^m.track.quiet)&accountTracked != 0 && a.flags&accountOpen != 0 {
		m.touchFirst(local, a)
	}
}

// touchOwned touches an account if this shard has it open.
func (m *Machine) touchOwned(slot uint32) {
	if m.owns(slot) {
		m.touch(slot)
	}
}

// touchFirst takes an account out of the running sum, captures it as it stands and counts it
// into the totals under way.
func (m *Machine) touchFirst(local uint32, a *account) {
	m.keep(local, a)
	m.countFirst(local, a)
	t := &m.track
	switch a.flags & accountTouched {
	case 0:
		t.sum = t.sum.Sub(m.hashAccount(a))
	case t.quiet & accountTouched:
		return
	default:
		t.marked = t.marked.Add(m.hashAccount(a))
	}
	a.flags = a.flags&^accountTouched | t.quiet&accountTouched
	t.dirty = append(t.dirty, local)
}

// keep captures an account as it stands, unless it was captured before; a change of its
// band alone, which the state hash does not cover, asks no more.
func (m *Machine) keep(local uint32, a *account) {
	if (a.flags^m.track.quiet)&accountKept == 0 {
		return
	}
	a.flags ^= accountKept
	m.track.backlog = m.appendAccount(m.track.backlog, local)
}

// noteOpened notes a new account: nobody owes it anything.
func (m *Machine) noteOpened(local uint32) {
	m.accounts[local].flags |= m.track.quiet
	m.track.dirty = append(m.track.dirty, local)
}

// StateHash returns this shard's share of the state hash: the sum mod 2^128 of one hash
// per entity, keyed by global names, so that it knows neither shards nor slots in memory.
// Entities that all shards hold are counted by shard 0. Seq, time and bands are not
// covered. It visits the accounts touched since it was last asked.
func (m *Machine) StateHash() fixedpoint.Hash128 {
	m.CheckpointStep(len(m.accounts))
	for _, local := range m.track.dirty {
		a := &m.accounts[local]
		m.track.sum = m.track.sum.Add(m.hashAccount(a))
		a.flags &^= accountTouched
	}
	m.track.dirty = m.track.dirty[:0]
	return m.track.sum.Add(m.hashShared())
}

// hashShared returns the hash of what all shards hold, on shard 0.
func (m *Machine) hashShared() fixedpoint.Hash128 {
	if m.cfg.Shard != 0 {
		return fixedpoint.Hash128{}
	}
	return m.hashListings()
}

// Checkpoint says that the hash of the state as of now is wanted: CheckpointStep works it
// off while groups go on. A checkpoint before it is finished first.
func (m *Machine) Checkpoint() {
	m.CheckpointStep(len(m.accounts))
	t := &m.track
	t.dirty, t.pending, t.worked = t.pending[:0], t.dirty, 0
	t.marked = t.sum.Add(m.hashShared())
	t.quiet ^= accountTouched
}

// CheckpointStep works off up to that many accounts that were touched before the last
// Checkpoint; true when this shard's share of the state hash as of then is there.
func (m *Machine) CheckpointStep(accounts int) (fixedpoint.Hash128, bool) {
	t := &m.track
	end := min(len(t.pending), t.worked+accounts)
	for ; t.worked < end; t.worked++ {
		a := &m.accounts[t.pending[t.worked]]
		if (a.flags^t.quiet)&accountTouched != accountTouched {
			continue // touched again since, and worked off then
		}
		h := m.hashAccount(a)
		t.marked, t.sum = t.marked.Add(h), t.sum.Add(h)
		a.flags &^= accountTouched
	}
	return t.marked, t.worked == len(t.pending)
}

// checkSum compares the running sum with the accounts it claims to hold.
func (m *Machine) checkSum() {
	var sum fixedpoint.Hash128
	for local := range m.accounts {
		if a := &m.accounts[local]; a.flags&(accountOpen|accountTouched) == accountOpen {
			sum = sum.Add(m.hashAccount(a))
		}
	}
	if sum != m.track.sum {
		panic("risk: BUG: an account changed without being touched")
	}
}
