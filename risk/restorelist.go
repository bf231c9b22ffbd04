package risk

import "plimsoll/fixedpoint"

// cumMax bounds cumulative funding per size unit, as funding keeps it.
const cumMax = 1 << 60

// RestoreShared takes what AppendShared gave, into a fresh machine, before all else. An
// error leaves the machine unusable, as with the other restoring calls.
func (m *Machine) RestoreShared(b []byte) error {
	if m.isRestoring || m.seq != 0 || m.tokenCount+m.accountCount != 0 {
		return errUsed
	}
	s, err := section(b, tagShared)
	if err != nil {
		return err
	}
	m.isRestoring = true
	m.seq, m.timeMs, m.haltAll = s.uint(), s.int(), s.bool()
	m.restoreParameters(&s)
	m.numeraire = s.bound32(TokensMax - 1)
	m.restorePools(&s)
	m.restoreTokens(&s)
	m.restoreDexes(&s)
	m.restorePerps(&s)
	m.restoreSpots(&s)
	for range s.bound(s.uint(), ClientsMax) {
		m.clients = append(m.clients, s.text())
	}
	if s.isBad || !m.areListingsWhole() {
		return errDamaged
	}
	words := s.bound(s.uint(), uint64(len(s.b)/8))
	if words > uint64(len(m.opened)) {
		return errTooSmall
	}
	for i := range words {
		m.opened[i] = s.word()
	}
	if len(s.b) > 0 { // not there in captures of before there was one
		m.params.BackstopAccount = uint32(s.bound(s.uint(), uint64(m.cfg.AccountsMax))) - 1
		m.params.NoLiquidation = s.bool()
	}
	if len(s.b) > 0 { // as above
		m.restoreGuards(&s)
		m.restorePast(&s)
	}
	if b[5] >= sharedVersion {
		m.params.BackstopTWAP, m.params.BackstopCrossOnly = s.bool(), s.bool()
		m.params.BackstopLimitE8 = s.within(0, 1<<63-1)
	}
	if err := s.close(); err != nil {
		return err
	}
	for slot := m.cfg.AccountsMax; slot < uint32(64*len(m.opened)); slot++ {
		if m.opened[slot/64]>>(slot%64)&1 == 1 {
			return errTooSmall
		}
	}
	m.accountCount = m.countOpened()
	for i := range m.perpCount {
		if m.perps[i].isListed {
			m.refreshPerp(i)
			m.openCumRoom(i)
		}
	}
	m.relisted(ReasonNone)
	return nil
}

func (m *Machine) restoreParameters(s *scanner) {
	m.params = Parameters{
		OffsetMode: OffsetMode(s.bound(uint64(s.byte()), uint64(OffsetFloor))), OrderMarginBasis: uint8(s.bound(uint64(s.byte()), 1)),
		HLCompat: s.bool(), RebalanceHourly: s.bool(), MaxClockStepMs: s.within(1, 1<<63-1), MinBorrowOffsetE8: s.within(0, 1<<63-1),
		BackstopAccount: NoAccount,
	}
}

func (m *Machine) restorePools(s *scanner) {
	one := fixedpoint.IndexOne()
	for range s.bound(s.uint(), PoolsMax) {
		p := pool{token: s.slot()}
		p.supplyIndex.U.Hi, p.supplyIndex.U.Lo = s.uint(), s.uint()
		p.debtIndex.U.Hi, p.debtIndex.U.Lo = s.uint(), s.uint()
		p.buffer, p.accruedMs = s.wide(), s.int()
		if p.token != NoSlot && (p.supplyIndex.U.Cmp(one.U) < 0 || p.debtIndex.U.Cmp(one.U) < 0) {
			s.fail()
		}
		m.addPool(p)
	}
}

// slot reads a slot or NoSlot.
func (s *scanner) slot() uint32 { return s.bound32(1<<32-1) - 1 }

func (m *Machine) restoreTokens(s *scanner) {
	m.tokenCount = s.bound32(TokensMax)
	for i := range m.tokenCount {
		if !s.bool() {
			continue
		}
		t := token{
			isListed: true, isBorrowable: s.bool(), wei: s.byte(), sz: s.byte(), index: s.bound32(1<<32 - 1),
			pool: int16(s.within(-1, int64(len(m.pools))-1)), oraclePerp: s.slot(), spot: s.slot(), tokenID: s.uint(),
			name: s.text(), fullName: s.text(),
		}
		for _, v := range [5]*i128{&t.supplyCap, &t.borrowCap, &t.userSupplyCap, &t.userBorrowCap, &t.takeoverWidth} {
			*v = s.wide()
		}
		t.ltvE12 = s.within(0, rateOne)
		for _, v := range [2]*int64{&t.rateBaseE12, &t.rateSlopeE12} {
			*v = s.within(0, rateMax)
		}
		t.rateKinkE12, t.reserveE12 = s.within(0, rateOne), s.within(0, rateOne)
		t.givenE10, t.oracleE10 = s.within(0, OraclePriceMax), s.within(0, 1<<63-1)
		isWhole := t.wei <= TokenDecimalsMax && t.sz <= min(t.wei, 8) && t.name != ""
		if s.isBad || !isWhole || t.pool >= 0 && m.pools[t.pool].token != i {
			s.fail()
			return
		}
		t.nameHash = hashName(t.name)
		m.tokens[i] = t
	}
}

func (m *Machine) restoreDexes(s *scanner) {
	for i := range m.dexes {
		if !s.bool() {
			continue
		}
		d := dex{isListed: true, index: s.bound32(1<<32 - 1), collateral: s.bound32(TokensMax - 1), name: s.text()}
		d.nameHash = hashName(d.name)
		m.dexes[i] = d
	}
}

func (m *Machine) restorePerps(s *scanner) {
	m.perpCount = s.bound32(PerpsMax)
	for i := range m.perpCount {
		if !s.bool() {
			continue
		}
		p := perp{
			isListed: true, sz: uint8(s.bound(uint64(s.byte()), SzDecimalsMax)),
			mode:     MarginMode(s.bound(uint64(s.byte()), uint64(MarginStrictIsolated))),
			isHalted: s.bool(), name: s.text(), index: s.bound32(1<<32 - 1), collateral: s.bound32(TokensMax - 1),
			dexSlot: uint16(s.bound32(DexesMax - 1)), pool: int16(s.within(-1, int64(len(m.pools))-1)), mark: s.within(0, PriceMax),
			oracleE10: s.within(0, OraclePriceMax), markTimeMs: s.int(), cumE12: s.within(-cumMax, cumMax), rateE12: s.int(),
			maxAgeMs: s.within(0, 1<<63-1), fundingCap: s.within(0, 1<<63-1), openCap: s.within(0, 1<<63-1),
		}
		p.nameHash = hashName(p.name)
		if p.den = 1; s.isBad {
			return
		}
		for range s.bound(uint64(s.byte()), TiersMax) {
			lower := s.wide()
			if p.addTier(lower, s.bound32(LeverageMax)) != ReasonNone {
				s.fail()
			}
		}
		if p.closeTiers() != ReasonNone || p.pool >= 0 && m.pools[p.pool].token != NoSlot {
			s.fail()
		}
		if s.isBad {
			return
		}
		p.scale = m.tokens[p.collateral].wei - WeiDecimalsMin // checked once all is read
		m.perps[i] = p
	}
}

func (m *Machine) restoreSpots(s *scanner) {
	m.spotCount = s.bound32(SpotsMax)
	for i := range m.spotCount {
		if !s.bool() {
			continue
		}
		m.spots[i] = spot{
			isListed: true, isHalted: s.bool(), name: s.text(), index: s.bound32(1<<32 - 1),
			base: s.bound32(TokensMax - 1), quote: s.bound32(TokensMax - 1), px: s.within(0, PriceMax),
		}
	}
}

// areListingsWhole reports whether restored listings name only what is listed.
func (m *Machine) areListingsWhole() bool {
	settles := func(slot uint32) bool {
		t := m.tokenAt(slot)
		return t != nil && t.wei >= WeiDecimalsMin && t.wei <= WeiDecimalsMax
	}
	for i := range m.pools {
		if q := m.pools[i].token; q != NoSlot && (m.tokenAt(q) == nil || int(m.tokens[q].pool) != i) {
			return false
		}
	}
	for i := range m.tokenCount {
		if t := &m.tokens[i]; t.isListed && t.spot != NoSlot && m.spotAt(t.spot|SpotBit) == nil {
			return false
		}
	}
	for i := range m.dexes {
		if d := &m.dexes[i]; d.isListed && !settles(d.collateral) {
			return false
		}
	}
	for i := range m.perpCount {
		p := &m.perps[i]
		if p.isListed && (!settles(p.collateral) || !m.dexes[p.dexSlot].isListed || m.dexes[p.dexSlot].collateral != p.collateral) {
			return false
		}
	}
	for i := range m.spotCount {
		if s := &m.spots[i]; s.isListed && (m.tokenAt(s.base) == nil || m.tokenAt(s.quote) == nil || s.base == s.quote) {
			return false
		}
	}
	return true
}
