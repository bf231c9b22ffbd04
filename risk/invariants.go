package risk

// checkInvariants re-derives from the accounts what the machine keeps beside them, after
// every group. It is dear, so it runs under -race and -tags invariants only.
func (m *Machine) checkInvariants() {
	m.checkSum()
	if m.seq%8 == 0 {
		m.checkWheels()
	}
	if m.seq%8 == 0 {
		m.checkWheels()
		m.checkRankings()
	}
	sums := make([]Totals, len(m.pools))
	orders := 0
	for local := range m.accounts {
		a := &m.accounts[local]
		if a.flags&accountOpen == 0 {
			continue
		}
		for _, b := range m.balances.of(&a.balances) {
			if b.key&dexBit != 0 || b.lend.IsZero() {
				continue
			}
			s := &sums[m.tokens[b.key].pool]
			if b.lend.Sign() > 0 {
				s.Supply = s.Supply.Add(b.lend)
			} else {
				s.Debt = s.Debt.Sub(b.lend)
			}
		}
		count, spots := 0, 0
		for at := a.orderHead; at != 0; at = m.orders.at(at).next {
			count++
			spots += int(m.orders.at(at).market >> 31)
		}
		if count != int(a.orderCount) || spots != int(a.spotCount) {
			panic("risk: BUG: an account's orders and their count differ")
		}
		orders += count
		m.checkHot(uint32(local)*m.cfg.Shards + m.cfg.Shard)
		m.checkBand(uint32(local))
	}
	if orders != m.orders.index.count {
		panic("risk: BUG: orders rest that no account lists")
	}
	for n := range m.pools {
		if m.pools[n].token != NoSlot && (sums[n].Supply != m.own[n].Supply || sums[n].Debt != m.own[n].Debt) {
			panic("risk: BUG: a pool's totals are not the sum of its accounts")
		}
	}
}

// checkBand evaluates an account that is not awake: its status is as told, and the same at the
// corners of its box, within which prices stand.
func (m *Machine) checkBand(local uint32) {
	h := &m.hot[local]
	if m.cfg.Detect == DetectSweep || !m.bands.isReliable() || h.kind() <= hotIdle || h.isAwake() {
		return
	}
	if _, ok := m.isBandTrue(local); !ok {
		panic("risk: BUG: an account has left its band and sleeps")
	}
	if !m.bands.epoch.isPassing && !m.isSafe(&m.accounts[local], h.status()) {
		panic("risk: BUG: an account's band does not hold at its corners")
	}
}

// checkHot derives an account's hot columns anew and compares.
func (m *Machine) checkHot(slot uint32) {
	h := &m.hot[slot/m.cfg.Shards]
	was := *h
	m.deriveHot(slot)
	if m.pass.isOutdated(m.params.OffsetMode) || was.need == 0 { // needs may be stale, and unmet ones always are right
		was.low, was.need, was.passed = h.low, h.need, h.passed
	}
	if *h != was {
		panic("risk: BUG: an account's hot columns are stale")
	}
}

// checkPlain adds an account's positions once more, one by one, and compares.
func (m *Machine) checkPlain(a *account, f *figures) {
	d := &f.dexes[0]
	was := *d
	*d = dexFigures{isUsed: true, crossRaw: d.crossRaw}
	if m.addEach(a, f); *d != was {
		panic("risk: BUG: positions added at once and one by one differ")
	}
}

// checkLast evaluates an account's orders anew, after one was added, and compares.
func (m *Machine) checkLast(a *account, f *figures, d *dexFigures) {
	was := *d
	if m.evaluateOrders(a, f); *d != was {
		panic("risk: BUG: an order added to figures and evaluated with the others differs")
	}
}
