package risk

import "plimsoll/fixedpoint"

// epoch holds what moves slowly for all accounts alike: cumulative funding inside of
// requirements (in equity it is part of the price) and the indices of pools. Every band is
// checked with all of them at the worse end of a small room. When half of a room is used a new
// epoch begins: rooms are centred anew and a pass in the background checks every band with
// them. Until the pass has come around, both epochs' rooms must hold; if one does not, ticks
// pass over all accounts until it has.
type epoch struct {
	cum       [PerpsMax]cumRoom
	cumWas    [PerpsMax]cumRoom
	pools     [PoolsMax]poolRoom
	poolsWas  [PoolsMax]poolRoom
	isPassing bool
	isBroken  bool // bands that the pass has not reached do not hold
	isDue     bool // half of a room is used
	cursor    int  // of the pass, in accounts
}

// cumRoom bounds the cumulative funding of a perp, at 1e-12 per size unit.
type cumRoom struct{ low, high int64 }

// poolRoom bounds the indices of a pool. They only grow.
type poolRoom struct {
	debtHigh   index
	supplyHigh index
	debtHalf   index
	shift      uint // the room is the index shifted right by so much
}

// Rooms: of funding at least mark/2^14 and four of the last payment, of indices 2^-17 of the
// index (80 minutes at 5 % a year), doubled whenever it was too small.
const (
	cumRoomShift     = 14
	cumRoomPayments  = 4
	poolRoomShift    = 17
	poolRoomShiftMin = 4
)

func shiftedRight(x index, n uint) index {
	return index{U: fixedpoint.Uint128{Hi: x.U.Hi >> n, Lo: x.U.Hi<<(64-n) | x.U.Lo>>n}}
}

func indexSum(a, b index) index { return index{U: a.U.Add(b.U)} }

// openCumRoom centres the room of a perp's funding.
func (m *Machine) openCumRoom(slot uint32) {
	p := &m.perps[slot]
	payment, _ := fundingStep(p, p.rateE12)
	room := max(p.mark*1_000_000>>cumRoomShift, cumRoomPayments*max(payment, -payment))
	m.bands.epoch.cum[slot] = cumRoom{low: p.cumE12 - room, high: p.cumE12 + room}
}

// openPoolRoom opens the room of a pool's indices.
func (m *Machine) openPoolRoom(n int) {
	p, r := &m.pools[n], &m.bands.epoch.pools[n]
	if r.shift == 0 {
		r.shift = poolRoomShift
	}
	r.debtHigh = indexSum(p.debtIndex, shiftedRight(p.debtIndex, r.shift))
	r.debtHalf = indexSum(p.debtIndex, shiftedRight(p.debtIndex, r.shift+1))
	r.supplyHigh = indexSum(p.supplyIndex, shiftedRight(p.supplyIndex, r.shift))
}

// beginEpoch centres all rooms and begins a pass over the bands.
func (m *Machine) beginEpoch() {
	e := &m.bands.epoch
	e.cumWas, e.poolsWas = e.cum, e.pools
	for slot := range m.perpCount {
		if m.perps[slot].isListed {
			m.openCumRoom(slot)
		}
	}
	for n := range m.pools {
		m.openPoolRoom(n)
	}
	e.isPassing, e.isDue, e.cursor = true, false, 0
}

// rebandAll has every band checked anew, after a change of what all of them rest on.
func (m *Machine) rebandAll() {
	if m.cfg.Detect == DetectBands {
		m.bands.epoch.isBroken = true
		m.beginEpoch()
	}
}

// fundingMoved looks whether a perp's funding has left its rooms.
func (m *Machine) fundingMoved(slot uint32) {
	e, cum := &m.bands.epoch, m.perps[slot].cumE12
	r, was := e.cum[slot], e.cumWas[slot]
	if cum < r.low || cum > r.high || e.isPassing && (cum < was.low || cum > was.high) {
		e.isBroken, e.isDue = true, true
	}
	middle := r.low + (r.high-r.low)/2
	e.isDue = e.isDue || 2*max(cum-middle, middle-cum) > r.high-middle
}

// indicesMoved looks whether a pool's indices have left their rooms.
func (m *Machine) indicesMoved() {
	e := &m.bands.epoch
	for n := range m.pools {
		p, r, was := &m.pools[n], &e.pools[n], &e.poolsWas[n]
		isOut := isAbove(p.debtIndex, r.debtHigh) || isAbove(p.supplyIndex, r.supplyHigh)
		if isOut {
			r.shift = max(r.shift-1, poolRoomShiftMin)
		}
		if isOut || e.isPassing && (isAbove(p.debtIndex, was.debtHigh) || isAbove(p.supplyIndex, was.supplyHigh)) {
			e.isBroken, e.isDue = true, true
		}
		e.isDue = e.isDue || isAbove(p.debtIndex, r.debtHalf)
	}
}

func isAbove(a, b index) bool { return a.U.Cmp(b.U) > 0 }

// keepEpoch begins a new epoch when one is due; not while a pass is under way whose rooms
// still hold.
func (m *Machine) keepEpoch() {
	if e := &m.bands.epoch; m.cfg.Detect == DetectBands && e.isDue && (!e.isPassing || e.isBroken) {
		m.beginEpoch()
	}
}

// passStep checks the bands of up to that many accounts; those that do not hold are computed
// anew.
func (m *Machine) passStep(accounts int) {
	e := &m.bands.epoch
	end := min(len(m.hot), e.cursor+accounts)
	for ; e.cursor < end; e.cursor++ {
		h := &m.hot[e.cursor]
		if h.kind() > hotIdle && !h.isAwake() && m.band(uint32(e.cursor)) != bandMade {
			m.wake(uint32(e.cursor))
		}
	}
	if e.cursor == len(m.hot) {
		e.isPassing, e.isBroken = false, false
		m.keepEpoch()
	}
}
