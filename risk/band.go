package risk

// Safe bands: a price tick looks only at the accounts that can have crossed a line.
//
// An account with a band has, for every price that its figures read, a lower or an upper
// bound or both, such that its status (status.go) is the same all over the box they span.
// Prices are those that the formulas read: mark less cumulative funding of a perp, borrow
// oracle price of a token. The bounds stand in the account and in one wheel for each price and
// side; a move of a price takes those it has passed out of the wheel and wakes their accounts.
// An account is awake, and looked at on every tick, until BandStep has given it a new band.
// Whatever changes an account wakes it as well.
//
// A box is not computed, it is guessed (bandsearch.go) and then checked: the account is
// evaluated at the worst corner of the box and, unless no status is better, at the best one,
// by the same functions that decide (corner.go). What moves slowly and only matters a little
// (funding inside of requirements, interest) has room of its own for all accounts together
// (bandepoch.go).
//
// All of this is derived: it changes no outcome, is not hashed and not captured.
type bands struct {
	pairs                  [PerpsMax + TokensMax]*wheelPair // by coordinate number; nil while nobody has a bound
	store                  wheelStore
	awake                  []uint32 // places in accounts; tried of them could not be given a band
	tried                  int      // and the first restless of those never can as things stand
	restless               int
	looked                 int           // of awake, those that the last tick looked at come first
	ration                 int           // others that may be given a band, if isRationed
	room                   int           // entries that this tick may look up one by one although it sweeps
	credit                 int           // accounts that are to be given a band before the next tick; see CatchUpBands
	isRationed             bool          // see RationBands
	turnLine, turnRestless int           // places of those tried again last
	banded                 int           // accounts with a band
	tokenBounds            int           // bounds of balances that are not zero
	owed                   []owedChain   // entries whose accounts are still to be woken
	inserts                []quickInsert // scratch
	localBuf               []uint32      // scratch
	triedBuf, lookBuf      []uint32      // scratch
	passing                passing       // scratch
	box                    []coordinate  // scratch
	quick                  quickBox      // scratch
	crossDexes             uint32        // of the box: a bit for each dex with a cross position
	isOff                  bool          // a price of the box has no code
	limit                  int           // accounts looked at one by one, 0 = not set
	epoch                  epoch
	gc                     wheelSweep
	audited                int // the audit goes on here
	stats                  BandStats
}

// wheelPair is the wheels of one price. at is the code of the price up to which they have
// given out what it passed.
type wheelPair struct {
	at    uint32
	sides [2]wheel // sideLow, sideHigh
}

// Sides of a box.
const (
	sideLow = iota
	sideHigh
)

// coordinate is one price that an account's figures read, with the bounds of the box under
// construction.
type coordinate struct {
	number    uint32    // perp slot, or PerpsMax + token slot
	place     uint32    // of the position, or of the balance within the account; noPlace = bounds not kept
	price     uint64    // mark less funding at 1e-12, or borrow oracle price at 1e-10
	code      uint32    // of price
	adverse   uint8     // the side on which the account loses
	isBoth    bool      // a settlement token's own price: enters both ways
	isSwapped bool      // the machine has the price of its lower end
	needs     [2]bool   // the sides that are bounded
	bound     [2]uint32 // codes; 0 = open
	saved     savedPrice
}

func (c *coordinate) isToken() bool { return c.number >= PerpsMax }

// grainBits returns how many codes, in bits, lie between bounds that can be kept.
func (c *coordinate) grainBits() uint {
	if c.isToken() {
		return tokenGrain
	}
	return 0
}

// end returns the price at an end of the box. An open end is not read: what it would have to
// say lies on the other side.
func (c *coordinate) end(side uint8) uint64 {
	if side == sideLow {
		return codeLowest(c.bound[sideLow])
	}
	return codeHighest(c.bound[sideHigh])
}

// holds reports whether the present price is inside the box.
func (c *coordinate) holds() bool {
	for side, need := range c.needs {
		if need && (c.bound[side] == 0 || isOutside(uint8(side), c.bound[side], c.code)) {
			return false
		}
	}
	return true
}

func isOutside(side uint8, bound, code uint32) bool {
	if side == sideLow {
		return code < bound
	}
	return code > bound
}

// wake has an account looked at on every tick until it has a band. It must be called before
// its hot columns change.
func (m *Machine) wake(local uint32) {
	if h := &m.hot[local]; m.cfg.Detect == DetectBands && !h.isAwake() {
		if h.kind() > hotIdle {
			m.bands.banded--
		}
		h.told |= toldAwake
		m.bands.awake = append(m.bands.awake, local)
	}
}

// priceCode returns the code of a price that may be out of the range of codes: it is then
// outside of every bound.
func priceCode(price int64) uint32 {
	switch {
	case price <= 0:
		return 0
	case price > codePrice:
		return codeOf(codePrice) + 1
	default:
		return codeOf(uint64(price))
	}
}

// perpMoved wakes those whose bound a perp has passed.
func (m *Machine) perpMoved(slot uint32) {
	if pair := m.bands.pairs[slot]; pair != nil {
		m.moved(slot, pair, priceCode(m.hotPerps[slot].valueE12))
	}
}

// tokenMoved wakes those whose bound a token has passed.
func (m *Machine) tokenMoved(slot uint32) {
	if pair := m.bands.pairs[PerpsMax+slot]; pair != nil {
		m.moved(PerpsMax+slot, pair, priceCode(m.tokens[slot].oracleE10))
	}
}

func (m *Machine) moved(number uint32, pair *wheelPair, code uint32) {
	from := pair.at
	if code == from {
		return
	}
	pair.at = code
	side := uint8(sideLow)
	if code > from {
		side = sideHigh
	}
	b, w, to := &m.bands, &pair.sides[side], max(code, codeOne)
	p := &b.passing
	p.entries, p.chains, p.limit = p.entries[:0], p.chains[:0], max(m.sweepAbove()-len(b.awake), b.room)
	m.leaveBucket(number, side, from, to)
	w.pass(&b.store, from, to, p)
	switch {
	case len(p.entries)+len(p.chains) == 0:
	case len(p.entries) > p.limit || len(p.chains) > 0:
		m.owe(number, side, w)
	default:
		b.room -= len(p.entries)
		m.wakePassed(number, side, p.entries)
	}
}

// wakePassed wakes the accounts of entries taken out of a wheel, unless their bound has
// changed since. It asks for their lines a few entries ahead.
func (m *Machine) wakePassed(number uint32, side uint8, passed []wheelEntry) {
	const near, far = 8, 16
	m.bands.sortPassed(passed)
	for i, e := range passed {
		if i+far < len(passed) {
			m.prefetchColumns(passed[i+far].local)
		}
		if i+near < len(passed) {
			m.prefetchBlocks(passed[i+near].local)
		}
		if m.takeBound(number, side, e) {
			m.wake(e.local)
		}
	}
	m.bands.stats.Popped += uint64(len(passed))
}

// insertBound puts a bound into the wheel of a price, whose present code is given.
func (m *Machine) insertBound(number uint32, side uint8, code uint32, e wheelEntry) {
	b := &m.bands
	pair := b.pairs[number]
	if pair == nil {
		pair = &wheelPair{at: code}
		pair.sides[sideHigh].isUpper = true
		b.pairs[number] = pair
	}
	pair.sides[side].insert(&b.store, e)
	if b.gc.isOpen {
		m.collect(collectPerInsert)
	}
}

// slipped returns a bound, with -tags bandmutant one of its steps too far out: the storm of
// risktest must find that.
func slipped(side uint8, bound uint32, stepBits uint) uint32 {
	if side == sideLow {
		return bound - boundSlip<<stepBits
	}
	return bound + boundSlip<<stepBits
}
