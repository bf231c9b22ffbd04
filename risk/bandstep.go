package risk

// HasBandWork reports whether BandStep has anything to do.
func (m *Machine) HasBandWork() bool {
	b := &m.bands
	return len(b.owed) > 0 || b.nextAwake() >= 0 || b.epoch.isPassing || b.gc.isOpen
}

// RationBands says how many accounts that no tick has looked at since they were woken may be
// given a band until it is said again. Until then, and never again after the first time, there
// is no limit. An account costs its awakeness at ticks only: where commands come faster than
// ticks, bands in between are work for nothing.
func (m *Machine) RationBands(accounts int) { m.bands.isRationed, m.bands.ration = true, accounts }

// nextAwake returns the place of the account whose turn it is to get a band, -1 if it is
// nobody's: of those that the last tick looked at the last, then the last woken.
func (b *bands) nextAwake() int {
	if b.looked = min(b.looked, len(b.awake)); b.looked > b.tried {
		return b.looked - 1
	}
	if len(b.awake) > b.tried && (!b.isRationed || b.ration > 0) {
		return len(b.awake) - 1
	}
	return -1
}

// BandStep does a piece of what bands need between groups: it wakes up to that many accounts
// whose entries a crash has put aside, gives bands to up to that many that are awake, checks up
// to that many in the pass of a new epoch, and collects stale entries; true when more is
// waiting. What it does changes no outcome.
func (m *Machine) BandStep(accounts int) bool {
	b := &m.bands
	b.credit = max(0, b.credit-accounts)
	if len(b.owed) > 0 {
		m.payOwed(accounts)
		return true
	}
	m.openPass()
	m.settleAwake(accounts)
	if b.epoch.isPassing {
		m.passStep(accounts)
	}
	if m.beginCollection(); b.gc.isOpen {
		m.collect(collectPerAccount * accounts)
	}
	return m.HasBandWork()
}

// settleAwake gives up to that many awake accounts a band, from the end of the list, or leaves
// them awake until their turn comes again.
func (m *Machine) settleAwake(accounts int) {
	const near, far = 3, 6
	b := &m.bands
	for ; accounts > 0; accounts-- {
		at := b.nextAwake()
		if at < 0 {
			return
		}
		if at >= far {
			m.prefetchColumns(b.awake[at-far])
			m.prefetchBlocks(b.awake[at-near])
		}
		local, wasLooked := b.awake[at], at < b.looked
		if !wasLooked {
			b.ration--
		}
		h := &m.hot[local]
		if h.kind() > hotIdle {
			if why := m.band(local); why != bandMade {
				b.leaveAwake(at, why)
				continue
			}
			b.banded++
		}
		h.told &^= toldAwake
		last := len(b.awake) - 1
		b.awake[at] = b.awake[last]
		b.awake = b.awake[:last]
		if wasLooked {
			b.looked--
		}
	}
}

// leaveAwake puts the account at a place of the list to those that were tried: first those
// whose margin or prices must change before they can have a band, then those on a line.
func (b *bands) leaveAwake(at int, why bandOutcome) {
	b.awake[at], b.awake[b.tried] = b.awake[b.tried], b.awake[at]
	if why == bandNever {
		b.awake[b.restless], b.awake[b.tried] = b.awake[b.tried], b.awake[b.restless]
		b.restless++
	}
	b.tried++
}

// Accounts that could not be given a band are tried again in turn, so many after a tick:
// however many they are, they take no more of the background than that.
const (
	retriesRestless = 4
	retriesLine     = 32
)

// roomShare is the share of what a tick may look up without sweeping that it may look up
// although it sweeps: else accounts that a price passes while ticks sweep are put aside tick by
// tick, and bands that are put aside are never relied upon.
const roomShare = 4

// countTick has some accounts tried again.
func (m *Machine) countTick() {
	b := &m.bands
	b.looked, b.room = len(b.awake), m.sweepAbove()/roomShare
	for range min(retriesLine, b.tried-b.restless) {
		b.tried--
		if b.turnLine++; b.turnLine < b.restless || b.turnLine > b.tried {
			b.turnLine = b.restless
		}
		b.awake[b.turnLine], b.awake[b.tried] = b.awake[b.tried], b.awake[b.turnLine]
	}
	for range min(retriesRestless, b.restless) {
		b.restless--
		b.tried--
		if b.turnRestless++; b.turnRestless > b.restless {
			b.turnRestless = 0
		}
		b.awake[b.turnRestless], b.awake[b.restless] = b.awake[b.restless], b.awake[b.turnRestless]
		b.awake[b.restless], b.awake[b.tried] = b.awake[b.tried], b.awake[b.restless]
	}
}

// SetSweepAbove sets how many accounts a tick looks at one by one; with more it passes over
// all of them.
func (m *Machine) SetSweepAbove(accounts int) { m.bands.limit = max(accounts, 1) }

// sweepShare is the share of accounts at which a sweep is taken for cheaper until it is
// measured.
const sweepShare = 8

func (m *Machine) sweepAbove() int {
	if limit := m.bands.limit; limit > 0 {
		return limit
	}
	return int(m.accountCount/m.cfg.Shards)/sweepShare + 1
}

// mustSweep reports that a tick passes over all accounts: bands do not hold, or so many
// accounts are awake that it is cheaper.
func (m *Machine) mustSweep() bool {
	b := &m.bands
	return m.cfg.Detect == DetectSweep || !b.isReliable() || len(b.awake) > m.sweepAbove()
}

// isReliable reports that whoever is not awake is inside of a band that holds.
func (b *bands) isReliable() bool { return !b.epoch.isBroken && len(b.owed) == 0 }

// AuditStep compares up to that many accounts with their bands, going on where the last one
// stopped, and appends those that are wrong; isEnd when it has come around. While bands do not
// hold, and ticks know it, there is nothing to compare.
func (m *Machine) AuditStep(accounts int, dst []BandMiss) (misses []BandMiss, isEnd bool) {
	b := &m.bands
	if m.cfg.Detect == DetectSweep || !b.isReliable() {
		return dst, true
	}
	end := min(len(m.hot), b.audited+accounts)
	for ; b.audited < end; b.audited++ {
		h := &m.hot[b.audited]
		if h.kind() <= hotIdle || h.isAwake() {
			continue
		}
		b.stats.Audited++
		if exact, isHeld := m.isBandTrue(uint32(b.audited)); !isHeld {
			b.stats.Misses++
			dst = append(dst, BandMiss{
				Account: uint32(b.audited)*m.cfg.Shards + m.cfg.Shard, Told: h.health(), Exact: exact,
			})
		}
	}
	if b.audited == len(m.hot) {
		b.audited = 0
		return dst, true
	}
	return dst, false
}

// isBandTrue evaluates an account with a band exactly: its status must be the one last told,
// and prices inside of its box.
func (m *Machine) isBandTrue(local uint32) (Health, bool) {
	a := &m.accounts[local]
	f := m.evaluate(a)
	s := m.statusOf(a, f)
	return s.health(), s == m.hot[local].status() && m.openBox(a, f, s) && m.recall(a)
}

// BandStats returns the counts of this shard's bands.
func (m *Machine) BandStats() BandStats {
	b := &m.bands
	s := b.stats
	s.Awake, s.Banded, s.Entries = uint64(len(b.awake)), uint64(b.banded), uint64(b.store.entries)
	s.Live = uint64(m.bounds())
	return s
}

// recheck evaluates an account exactly, funds it as any touch does, and tells its status.
func (m *Machine) recheck(c *Command) Reason {
	a := m.accountAt(c.Account())
	if a == nil {
		return ReasonUnknownAccount
	}
	m.rebalance(c.Account(), a)
	return ReasonNone
}
