package risk

import (
	"math/bits"

	"plimsoll/fixedpoint"
)

// A pass over all accounts asks of most of them only whether they can have anything to tell:
// one product a position. Of an account it reads two numbers that hold until it changes,
//
//	low   what it has without its positions, at least
//	need  what its requirements can come to, at most, with prices at their anchors
//
// and it is clear when low + Σ size x value >= need x rise, where value is a perp's price less
// funding, rounded down, and rise says how far any price is above its anchor. Whoever is not
// clear is looked at exactly, so anchors decide how much is looked at and nothing else.
//
// low and value are at 2^-4 of a unit of the main dex's collateral, need at 2^-6. With
// requirements n/l summed over positions, n = |size| x price, rounded up each:
//
//   - a value rounded down is right for a long and takes up to |size| too little off a short;
//     low has that off beforehand;
//   - l is the lesser of the account's leverage and the perp's highest (its first tier: no
//     position can leave it before prices double), at most 10 where the model floors initial
//     margin. So need covers the initial requirement, and the maintenance margin twice: rounding
//     up costs at most two units a position.
//
// Then initial and maintenance margin are covered, the ratio of a portfolio account is at most
// one half, and half of need is enough for a dex not to borrow.
//
// Nothing overflows while prices and values are at most twice their anchors: then every sum is
// below 2^62. When one is not, when tiers change, or when many accounts were looked at in vain
// and prices have moved since, the anchors are set anew and every need with them.
type pass struct {
	anchors []anchor            // by perp slot
	values  *[PerpsMax]int64    // of one size unit
	lines   *[PerpsMax]passPerp // the same, and what sums need
	rise    uint64              // 2^62 = 1, at least that, at most twice
	supply  uint64              // worth of a scaled unit of the numeraire's supply, 2^62 = 1, rounded down

	offset     OffsetMode // that needs are taken under
	looks      int        // accounts that the last tick's pass looked at exactly
	isStale    bool       // needs do not hold: tiers have changed
	hasDrifted bool       // some price is an eighth off its anchor
}

// anchor is what the needs of accounts are taken at.
type anchor struct {
	price    uint64 // collateral units per size unit; 0 = holders are always looked at
	sizeMax  uint64 // |size| that stays in the first tier and within 64 bits at twice the price
	leverage uint64 // of the first tier
}

// passPerp is what sums read of a perp: half a cache line.
type passPerp struct {
	value int64
	price uint64 // collateral units per size unit
	rate  uint64 // 2^64 / (2 x max leverage), rounded down
	net   int64  // Σ size of the accounts passed since the last flush, mod 2^64
}

const (
	passAccounts = 64      // looked at together: a bit each
	passScale    = 1 << 4  // parts of a collateral unit that low and value count
	needScale    = 1 << 2  // parts of those that need counts
	passRound    = 2       // units a position that rounding up can cost
	passGrossMax = 1 << 56 // units: Σ |size| x anchor
	passSizeMax  = 1 << 49 // size units: sums of a flush stay in 63 bits
	passCashMax  = 1 << 61 // parts: |low|
	passLentMax  = 1 << 53 // units, scaled
	riseOne      = 1 << 62
	pricesTwice  = 2 // prices at most so many times their anchors
)

func newPass() pass {
	return pass{anchors: make([]anchor, PerpsMax), values: new([PerpsMax]int64), lines: new([PerpsMax]passPerp)}
}

// openSweep prepares a pass over all accounts at present prices.
func (m *Machine) openSweep() {
	m.openPass()
	if m.pass.isOutdated(m.params.OffsetMode) || !m.fillPass() {
		m.anchorAll()
		m.fillPass()
	}
}

// isOutdated reports that needs do not hold: tiers or the offset of portfolio margin are others
// than they were taken under.
func (p *pass) isOutdated(offset OffsetMode) bool { return p.isStale || p.offset != offset }

// fillPass takes over prices and the supply index; false when a price has outgrown its anchor.
func (m *Machine) fillPass() bool {
	p := &m.pass
	p.rise, p.hasDrifted = riseOne, false
	for slot := range m.perpCount {
		x, h, line := &p.anchors[slot], &m.hotPerps[slot], &p.lines[slot]
		p.values[slot], line.value, line.price, line.rate = 0, 0, 0, 0
		if x.price == 0 {
			continue
		}
		value := m.passValue(h)
		if anchorOf(h, value) > pricesTwice*x.price || h.valueE12 < 0 {
			return false
		}
		rise, rest := bits.Div64(h.unitPrice>>2, h.unitPrice<<62, x.price)
		p.rise = max(p.rise, rise+min(rest, 1))
		p.hasDrifted = p.hasDrifted || 8*h.unitPrice < 7*x.price || 8*x.price < 7*h.unitPrice
		p.values[slot], line.value, line.price, line.rate = value, value, h.unitPrice, maintenanceRate(x.leverage)
	}
	p.supply = 0
	if n := m.tokens[m.numeraire].pool; n >= 0 {
		if worth := mustFit(m.pools[n].supplyIndex.ValueFloor(fixedpoint.I128(1 << 62))); worth.Hi == 0 {
			p.supply = worth.Lo
		}
	}
	return true
}

// passValue returns the worth of one size unit, less funding, in parts of a collateral unit,
// rounded down.
func (m *Machine) passValue(h *hotPerp) int64 {
	value, ok := mustFit(fixedpoint.I128(h.valueE12).MulInt64(passScale)).DivFloor(m.sweepSubUnit).Int64()
	if !ok {
		return 1<<63 - 1 // beyond any anchor
	}
	return value
}

// anchorOf returns the anchor that a price and a value ask for, in units.
func anchorOf(h *hotPerp, value int64) uint64 {
	return max(h.unitPrice, (uint64(max(value, 0))+passScale-1)/passScale)
}

// maintenanceRate returns 2^64/(2 x leverage), rounded down; see maintenanceOf.
func maintenanceRate(leverage uint64) uint64 {
	rate, _ := bits.Div64(1, 0, 2*leverage)
	return rate
}

// setAnchor sets a perp's anchor at its present price. An anchor that is set later than an
// account's need was taken takes nothing from it: without one the need is unmet.
func (m *Machine) setAnchor(slot uint32) {
	m.openPass()
	p, h, x := &m.perps[slot], &m.hotPerps[slot], &m.pass.anchors[slot]
	*x = anchor{}
	price := anchorOf(h, m.passValue(h))
	if h.unitPrice == 0 || h.valueE12 < 0 || price > passGrossMax {
		return
	}
	limit := uint64(passGrossMax)
	if p.tierCount > 1 {
		if lower, ok := p.tiers[1].lower.Int64(); ok {
			limit = min(limit, uint64(max(lower-1, 0))/pricesTwice)
		}
	}
	x.price, x.leverage = price, uint64(p.maxLeverage())
	if rest := -(2 * x.leverage * maintenanceRate(x.leverage)); rest > 0 {
		limit = min(limit, (1<<64-1)/rest/pricesTwice)
	}
	x.sizeMax = min(limit/price, passSizeMax)
}

// anchorAll sets all anchors at present prices, and takes every account's need anew.
func (m *Machine) anchorAll() {
	for slot := range m.perpCount {
		m.setAnchor(slot)
	}
	m.pass.isStale, m.pass.offset = false, m.params.OffsetMode
	for local := range m.hot {
		m.deriveNeed(uint32(local))
	}
}

// deriveNeed derives what a pass reads of an account: low, need, and how many positions it
// multiplies. An account that a pass cannot judge has a need that is never met.
func (m *Machine) deriveNeed(local uint32) {
	h := &m.hot[local]
	h.low, h.need, h.passed = needUnmet, 0, 0
	kind := h.kind()
	if kind < hotStandard || kind > hotLend || !m.dexes[0].isListed ||
		kind == hotLend && (m.params.OffsetMode != OffsetNone || uint64(m.lent[local]) > passLentMax) {
		return
	}
	floor := uint64(10)
	if kind == hotStandard {
		floor = LeverageMax
	}
	var gross, need, shorts uint64
	for i := int(h.start); i < int(h.start)+int(h.count); i++ {
		size, key := m.positions.size[i], m.positions.perp[i]
		if size == 0 {
			continue
		}
		x := &m.pass.anchors[key&(PerpsMax-1)]
		magnitude := uint64(max(size, -size))
		if key&isolatedBit != 0 || magnitude > x.sizeMax {
			return
		}
		n := magnitude * x.price
		if gross += n; gross > passGrossMax {
			return
		}
		leverage := min(uint64(m.positions.leverage(i)), floor, x.leverage)
		need += (passScale*needScale*n+leverage-1)/leverage + passRound*passScale*needScale
		if size < 0 {
			shorts += magnitude
		}
	}
	cash, ok := mustFit(m.fixedE12[local].MulInt64(passScale)).DivFloor(m.dexSubUnit(0)).Int64()
	if gross == 0 || !ok || max(cash, -cash) > passCashMax {
		return
	}
	h.low, h.need, h.passed = cash-int64(shorts), need, h.count
}

// needUnmet is the low of an account that is always looked at: with a need of zero.
const needUnmet = -1

// passTick looks, at present prices, at every account that can have something to tell, and
// appends what they ask of the pools.
func (m *Machine) passTick(requests []Request) []Request {
	if m.isScratch { // its anchors belong to another machine's accounts
		return m.look(0, requests)
	}
	m.openSweep()
	vain, looks := 0, 0
	c := m.passColumns(0)
	next := m.pass.tellingIn(&c)
	for from := 0; from < len(m.hot); from += passAccounts {
		look := next // found a block ahead, so that what it leads to is under way; looking changes no other account
		if from+passAccounts < len(m.hot) {
			c = m.passColumns(from + passAccounts)
			next = m.pass.tellingIn(&c)
			c.prefetch(m, next)
		}
		for ; look != 0; look &= look - 1 {
			looks++
			vain += m.lookAgain(uint32(from+bits.TrailingZeros64(look)), &requests)
		}
	}
	m.pass.looks = looks
	m.pass.isStale = m.pass.hasDrifted && vain > len(m.hot)/vainShare
	return requests
}

// lookAgain looks at an account that a pass has found, and returns 1 when that was in vain.
func (m *Machine) lookAgain(local uint32, requests *[]Request) int {
	h := &m.hot[local]
	told := h.told
	*requests = m.look(local, *requests)
	if h.passed > 0 && h.told == told && h.status() == status(HealthHealthy) {
		return 1
	}
	return 0
}

// vainShare is the share of accounts that may be looked at in vain before anchors follow prices.
const vainShare = 32
