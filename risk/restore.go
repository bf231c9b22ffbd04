package risk

import (
	"errors"

	"plimsoll/fixedpoint"
	"plimsoll/internal/invariant"
)

// What restoring can find wrong. The file that the bytes came from is the caller's to name.
var (
	errDamaged  = errors.New("captured state is damaged: use an older snapshot")
	errVersion  = errors.New("captured state has a format that this version does not read")
	errUsed     = errors.New("risk: a state is restored into a fresh machine, its shared section first and once")
	errTooSmall = errors.New("captured state has accounts beyond accounts_max: raise it")
	errMissing  = errors.New("captured state lacks accounts that it says are open")
	errUnequal  = errors.New("captured state is damaged: its ledgers do not add up")
)

// RestoreShard takes what BeginCapture gave on some shard. Each section must be taken by
// exactly one machine; which one does not matter, since only sums over shards count.
func (m *Machine) RestoreShard(b []byte) error {
	if !m.isRestoring {
		return errUsed
	}
	s, err := section(b, tagShard)
	if err != nil {
		return err
	}
	tokens := s.bound(s.uint(), uint64(m.tokenCount))
	for i := range tokens {
		l := &m.ledgers[i]
		l.external = l.external.Add(s.wide())
		l.fees = l.fees.Add(s.wide())
		l.clearing = l.clearing.Add(s.wide())
	}
	pools := s.bound(s.uint(), uint64(len(m.own)))
	for i := range pools {
		m.own[i].Cash = m.own[i].Cash.Add(s.wide())
	}
	return s.close()
}

// RestoreAccounts takes records of Capture: those of accounts that live on this shard;
// the others are skipped, so the number of shards may have changed.
func (m *Machine) RestoreAccounts(b []byte) error {
	if !m.isRestoring {
		return errUsed
	}
	for len(b) > 0 {
		head := scanner{b: b}
		length, version := head.head()
		if (version < recordVersion || version > recordVersionSale) && !head.isBad {
			return errVersion
		}
		if head.isBad || length > len(head.b) {
			return errDamaged
		}
		b = head.b[length:]
		s := scanner{b: head.b[:length]}
		slot := s.bound(s.uint(), uint64(m.cfg.AccountsMax)-1)
		switch {
		case s.isBad || !m.exists(uint32(slot)):
			return errDamaged
		case !m.owns(uint32(slot)):
			continue
		}
		if err := m.restoreAccount(&s, uint32(slot), version); err != nil {
			return err
		}
	}
	return nil
}

// FinishRestore checks what was restored. After it the machine goes on where the captured
// one stood, and ChangedPools names all pools, for their totals to be published. Of
// several shards the caller checks that ReadIdentities add up.
func (m *Machine) FinishRestore() error {
	if !m.isRestoring {
		return errUsed
	}
	m.isRestoring = false
	for local := range m.accounts {
		slot := uint32(local)*m.cfg.Shards + m.cfg.Shard
		if m.exists(slot) != (m.accounts[local].flags&accountOpen != 0) {
			return errMissing
		}
	}
	for i := range m.perps {
		if p := &m.perps[i]; p.isListed && p.pool >= 0 {
			m.own[p.pool].Supply = p.openLong
		}
	}
	for i := range m.pools {
		m.touched(int16(i))
		_, ok := m.pools[i].supplyIndex.ValueFloor(m.own[i].Supply)
		_, ok2 := m.pools[i].debtIndex.ValueCeil(m.own[i].Debt)
		if !ok || !ok2 || m.own[i].Debt.Sign() < 0 {
			return errDamaged
		}
	}
	if m.cfg.Shards == 1 {
		for _, sides := range m.ReadIdentities() {
			if sides.External != sides.Held {
				return errUnequal
			}
		}
	}
	if invariant.Enabled {
		m.checkInvariants()
	}
	return nil
}

// restoreAccount reads one account of this shard.
func (m *Machine) restoreAccount(s *scanner, slot uint32, version byte) error {
	local := slot / m.cfg.Shards
	a := &m.accounts[local]
	if a.flags&accountOpen != 0 {
		return errDamaged
	}
	a.nameHash = s.word()
	mode := s.byte()
	a.mode = Mode(mode & 3)
	told := capturedStatus(mode)
	s.bound(uint64(told.health()), uint64(HealthCount)-1)
	m.hot[local].told = uint8(told)
	a.flags = accountOpen | accountFlags(s.byte())
	a.master = uint32(s.bound(s.uint(), uint64(m.cfg.AccountsMax))) - 1
	a.raw = s.wide()
	if s.isBad || a.mode == ModeNone || a.flags&^(accountOpen|accountStates) != 0 || !m.fitsHot(0, a.raw) {
		return errDamaged
	}
	m.restorePositions(s, a)
	m.restoreBalances(s, a)
	m.restoreOrders(s, a, slot)
	if a.flags&accountLiquidating != 0 {
		m.liquidations = append(m.liquidations, liquidation{
			account: slot, number: s.uint(), sinceMs: s.int(), partialMs: s.int(), stepMs: s.int(), nextMs: s.int(),
			decidedAs: status(s.byte()), isTold: s.bool(), isOver: s.bool(),
		})
		a.liquidation = uint32(len(m.liquidations))
	}
	if version == recordVersionSale {
		m.restoreSale(s, slot)
	}
	if err := s.close(); err != nil {
		return err
	}
	m.noteOpened(local)
	m.refreshHot(slot)
	return nil
}

// fitsHot reports whether cash of a dex can enter its equity at 1e-12.
func (m *Machine) fitsHot(dexSlot uint16, cash i128) bool {
	if !m.dexes[dexSlot].isListed {
		return true
	}
	v, ok := cash.MulInt64(m.dexSubUnit(dexSlot))
	return ok && v.Hi < 1<<61 && v.Hi >= -1<<61
}

// positionBytesMin and its kin bound how many items the bytes left over can hold, before
// memory is taken for them.
const (
	positionBytesMin = 7
	balanceBytesMin  = 2
	orderBytesMin    = 24
)

func (s *scanner) count(most, bytesMin int) int {
	return int(s.bound(s.uint(), uint64(min(most, len(s.b)/bytesMin))))
}

func (m *Machine) restorePositions(s *scanner, a *account) {
	next := uint64(0) // slots ascend
	for range s.count(PositionsPerAccountMax, positionBytesMin) {
		key, lever := s.uint(), s.uint()
		slot := key >> 1
		if slot < next || slot >= PerpsMax || !m.perps[slot].isListed || lever>>1 == 0 || lever>>1 > LeverageMax {
			s.fail()
			return
		}
		next = slot + 1
		i := m.positions.ensure(&a.positions, uint16(slot))
		m.positions.setLeverage(i, uint16(lever>>1), key&1 == 1, lever&1 == 1)
		size := s.within(-SizeMax, SizeMax)
		m.positions.size[i] = size
		m.positions.terms[i] = positionTerms{cumE12: s.within(-cumMax, cumMax), entry: s.int(), raw: s.int(), funding: s.int()}
		p := &m.perps[slot]
		p.noteEntry(size, m.positions.terms[i].entry)
		p.openLong = p.openLong.Add(fixedpoint.I128(max(size, 0)))
	}
}

func (m *Machine) restoreBalances(s *scanner, a *account) {
	next := uint64(0) // keys ascend
	for range s.count(BalancesPerAccountMax+DexesMax, balanceBytesMin) {
		v := s.uint()
		slot, isDex := v>>1, v&1 == 1
		isKnown := isDex && slot < DexesMax && m.dexes[slot].isListed || !isDex && slot < TokensMax && m.tokens[slot].isListed
		key := slot | v&1<<15
		if !isKnown || key < next {
			s.fail()
			return
		}
		next = key + 1
		b := m.balanceFor(a, uint16(key))
		has := s.bound(uint64(s.byte()), balanceCash|balanceLend|balanceBasis|balanceEntry)
		if has&balanceCash != 0 {
			b.cash = s.wide()
		}
		if has&balanceLend != 0 {
			b.lend = s.wide()
		}
		if has&balanceBasis != 0 {
			b.basis = s.wide()
		}
		if has&balanceEntry != 0 {
			b.entryNtl = s.int()
		}
		if !m.restoreLent(b) {
			s.fail()
			return
		}
	}
}

// restoreLent checks a restored balance and adds it to the totals of its pool.
func (m *Machine) restoreLent(b *balance) bool {
	if b.key&dexBit != 0 {
		return b.lend.IsZero() && m.fitsHot(b.key&^dexBit, b.cash)
	}
	t := &m.tokens[b.key]
	if uint32(b.key) == m.dexes[0].collateral && !m.fitsHot(0, b.cash) {
		return false
	}
	if b.lend.IsZero() {
		return true
	}
	if t.pool < 0 {
		return false
	}
	own := &m.own[t.pool]
	var ok bool
	if b.lend.Sign() > 0 {
		own.Supply, ok = own.Supply.AddChecked(b.lend)
	} else {
		own.Debt, ok = own.Debt.SubChecked(b.lend)
	}
	return ok
}

func (m *Machine) restoreOrders(s *scanner, a *account, slot uint32) {
	const flags = FlagSell | FlagReduceOnly | FlagTrigger | FlagTriggerMarket | FlagTakeProfit
	for range s.count(OrdersPerAccountMax, orderBytesMin) {
		o := order{account: slot, flags: Flags(s.bound(s.uint(), uint64(flags))), form: IDForm(s.byte())}
		market := s.bound32(1<<32 - 1)
		o.market = market>>1 | market<<31
		o.idHi, o.idLo = s.word(), s.word()
		o.size, o.origSize = s.within(1, SizeMax), s.within(1, SizeMax)
		o.price, o.trigger, o.timeMs = s.within(1, PriceMax), s.within(0, PriceMax), s.int()
		if s.isBad || !m.isMarket(o.market) || m.orders.find(slot, o.idHi, o.idLo, o.form) != 0 {
			s.fail()
			return
		}
		m.rest(a, &o)
	}
}
