package risk

import "plimsoll/fixedpoint"

// ReadTotals appends this shard's sums of every shared total.
func (m *Machine) ReadTotals(dst []Totals) []Totals { return append(dst, m.own...) }

// ReadTokens returns every listed token with its pool, valued from all, the sums over all
// shards in the order of ReadTotals.
func (m *Machine) ReadTokens(all []Totals) []TokenView {
	var out []TokenView
	for slot := range m.tokenCount {
		if t := &m.tokens[slot]; t.isListed {
			out = append(out, m.readToken(slot, t, all))
		}
	}
	return out
}

func rateAmount(v int64) Amount { return exact(fixedpoint.I128(v), 12) }

func (m *Machine) readToken(slot uint32, t *token, all []Totals) TokenView {
	v := TokenView{
		Slot: slot, Index: t.index, Name: t.name, FullName: t.fullName, WeiDecimals: t.wei, SzDecimals: t.sz,
		IsBorrowable: t.isBorrowable, HasPool: t.pool >= 0, LTV: rateAmount(t.ltvE12), SupplyCap: exact(t.supplyCap, t.wei),
		BorrowCap: exact(t.borrowCap, t.wei), UserSupplyCap: exact(t.userSupplyCap, t.wei), UserBorrowCap: exact(t.userBorrowCap, t.wei),
		RateBase: rateAmount(t.rateBaseE12), RateSlope: rateAmount(t.rateSlopeE12), RateKink: rateAmount(t.rateKinkE12),
		ReserveFactor: rateAmount(t.reserveE12), OraclePerp: t.oraclePerp,
		OraclePx: Amount{V: fixedpoint.I128(t.oracleE10), Decimals: oracleE, IsNull: t.oracleE10 == 0},
		Class:    m.tokenClass(slot), MaxAgeMs: t.maxAgeMs, Band: rateAmount(t.bandE12),
	}
	if t.pool < 0 || int(t.pool) >= len(all) {
		return v
	}
	p := &m.pools[t.pool]
	s := p.sumsOf(all[t.pool])
	u := s.utilizationE18()
	borrow := t.borrowRateE12(u)
	v.Pool = PoolView{
		TotalSupplied: exact(s.supply, t.wei), TotalBorrowed: exact(s.debt, t.wei), Buffer: exact(p.buffer, t.wei),
		Balance:     exact(s.supply.Sub(s.debt).Add(p.buffer), t.wei),
		Utilization: exact(fixedpoint.RoundDecimal128HalfEven(fixedpoint.I128(u), 18, 10), 10),
		BorrowRate:  exact(fixedpoint.RoundDecimal128HalfEven(fixedpoint.I128(borrow), 12, 10), 10),
		SupplyRate:  exact(fixedpoint.RoundDecimal128HalfEven(fixedpoint.I128(t.supplyRateE12(borrow, u)), 12, 10), 10),
		SupplyIndex: indexAmount(p.supplyIndex), BorrowIndex: indexAmount(p.debtIndex),
	}
	return v
}

func indexAmount(x index) Amount {
	v, _ := x.U.Int128()
	return exact(v, 27)
}

// ReadPerps returns every listed perp.
func (m *Machine) ReadPerps() []PerpView {
	var out []PerpView
	for slot := range m.perpCount {
		p := &m.perps[slot]
		if !p.isListed {
			continue
		}
		v := PerpView{
			Slot: slot, Index: p.index, Name: p.name, Dex: uint32(p.dexSlot), SzDecimals: p.sz, MaxLeverage: p.maxLeverage(),
			MarginMode: p.mode, Collateral: p.collateral, IsHalted: p.isHalted, OpenInterest: exact(p.openLong, p.sz),
			MarkPx:   Amount{V: fixedpoint.I128(p.mark), Decimals: p.priceDecimals(), IsNull: p.mark == 0},
			OraclePx: Amount{V: fixedpoint.I128(p.oracleE10), Decimals: oracleE, IsNull: p.oracleE10 == 0},
			Funding:  rateAmount(p.rateE12),
			Class:    m.perpClass(p), MaxAgeMs: p.maxAgeMs, Band: rateAmount(p.bandE12),
		}
		for i := range int(p.tierCount) {
			v.Tiers = append(v.Tiers, TierView{LowerBound: exact(p.tiers[i].lower, 6+p.scale), MaxLeverage: p.tiers[i].maxLeverage})
		}
		out = append(out, v)
	}
	return out
}

// ReadSpots returns every listed spot market.
func (m *Machine) ReadSpots() []SpotView {
	var out []SpotView
	for slot := range m.spotCount {
		if s := &m.spots[slot]; s.isListed {
			out = append(out, SpotView{
				Slot: slot, Index: s.index, Name: s.name, Base: s.base, Quote: s.quote, IsHalted: s.isHalted,
				Px:    Amount{V: fixedpoint.I128(s.px), Decimals: m.spotPriceDecimals(s), IsNull: s.px == 0},
				Class: m.spotClass(s), MaxAgeMs: s.maxAgeMs, Band: rateAmount(s.bandE12),
			})
		}
	}
	return out
}

// ReadDexes returns every listed dex.
func (m *Machine) ReadDexes() []DexInfo {
	var out []DexInfo
	for slot := range m.dexes {
		if d := &m.dexes[slot]; d.isListed {
			out = append(out, DexInfo{Slot: uint32(slot), Index: d.index, Name: d.name, Collateral: d.collateral})
		}
	}
	return out
}

// Identity is the two sides of a token's ledger on one shard: what came in, and where it
// stands (ruling 14). Summed over shards they are equal, exactly.
type Identity struct {
	Token    uint32
	External fixedpoint.Int128 // deposits less withdrawals
	Held     fixedpoint.Int128 // accounts + pool cash + fees + clearing
}

// ReadIdentities returns this shard's ledger sides of every token.
func (m *Machine) ReadIdentities() []Identity {
	out := make([]Identity, m.tokenCount)
	for slot := range out {
		l := &m.ledgers[slot]
		out[slot] = Identity{Token: uint32(slot), External: l.external, Held: l.fees.Add(l.clearing)}
		if n := m.tokens[slot].pool; n >= 0 && m.tokens[slot].isListed {
			out[slot].Held = out[slot].Held.Add(m.own[n].Cash)
		}
	}
	for local := range m.accounts {
		a := &m.accounts[local]
		if a.flags&accountOpen == 0 {
			continue
		}
		if m.dexes[0].isListed {
			add(&out[m.dexes[0].collateral].Held, a.raw)
		}
		for _, b := range m.balances.of(&a.balances) {
			q := uint32(b.key)
			if b.key&dexBit != 0 {
				q = m.dexes[b.key&^dexBit].collateral
			}
			add(&out[q].Held, b.cash)
		}
		for i := int(a.positions.start); i < int(a.positions.start)+int(a.positions.count); i++ {
			add(&out[m.perps[m.positions.perp[i]&^isolatedBit].collateral].Held, fixedpoint.I128(m.positions.terms[i].raw))
		}
	}
	return out
}

func add(sum *i128, v i128) { *sum = sum.Add(v) }
