package risk

import "plimsoll/fixedpoint"

// Seeds keep the kinds of hashed entities apart.
const (
	seedListing uint64 = iota + 1
	seedPool
	seedAccount
	seedPosition
	seedBalance
	seedOrder
	seedParameters
)

// StateHash returns this shard's share of the state hash: the sum mod 2^128 of one hash
// per entity, keyed by global names, so that it knows neither shards nor slots in memory.
// Entities that all shards hold are counted by shard 0. Seq and time are not covered.
func (m *Machine) StateHash() fixedpoint.Hash128 {
	var h fixedpoint.Hash128
	if m.cfg.Shard == 0 {
		h = h.Add(m.hashListings())
	}
	for local := range m.accounts {
		if a := &m.accounts[local]; a.flags&accountOpen != 0 {
			h = h.Add(m.hashAccount(a))
		}
	}
	return h
}

func (m *Machine) hashListings() fixedpoint.Hash128 {
	var h fixedpoint.Hash128
	for i := range m.tokenCount {
		if m.tokens[i].isListed {
			h = h.Add(hashToken(&m.tokens[i]))
		}
	}
	for i := range m.perpCount {
		if m.perps[i].isListed {
			h = h.Add(hashPerp(&m.perps[i]))
		}
	}
	for i := range m.spotCount {
		if s := &m.spots[i]; s.isListed {
			mix := fixedpoint.NewMixer(seedListing + 2<<8)
			mix.Bytes([]byte(s.name))
			mix.U64(uint64(s.px))
			mix.U64(uint64(s.index)<<1 | bit(s.isHalted))
			h = h.Add(mix.Sum())
		}
	}
	for i := range m.pools {
		if p := &m.pools[i]; p.token != NoSlot {
			mix := fixedpoint.NewMixer(seedPool)
			mix.Bytes([]byte(m.tokens[p.token].name))
			mix.U64(p.supplyIndex.U.Hi)
			mix.U64(p.supplyIndex.U.Lo)
			mix.U64(p.debtIndex.U.Hi)
			mix.U64(p.debtIndex.U.Lo)
			mix.I128(p.buffer)
			mix.U64(uint64(p.accruedMs))
			h = h.Add(mix.Sum())
		}
	}
	mix := fixedpoint.NewMixer(seedParameters)
	mix.U64(uint64(m.params.OffsetMode) | uint64(m.params.OrderMarginBasis)<<8 | bit(m.params.HLCompat)<<16 |
		bit(m.params.RebalanceHourly)<<17 | bit(m.haltAll)<<18)
	mix.U64(uint64(m.params.MaxClockStepMs))
	mix.U64(uint64(m.params.MinBorrowOffsetE8))
	return h.Add(mix.Sum())
}

func bit(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

func hashToken(t *token) fixedpoint.Hash128 {
	mix := fixedpoint.NewMixer(seedListing)
	mix.Bytes([]byte(t.name))
	mix.U64(uint64(t.index) | uint64(t.wei)<<32 | uint64(t.sz)<<40 | bit(t.isBorrowable)<<48)
	mix.U64(uint64(t.ltvE12))
	mix.I128(t.supplyCap)
	mix.I128(t.borrowCap)
	mix.I128(t.userSupplyCap)
	mix.I128(t.userBorrowCap)
	mix.I128(t.takeoverWidth)
	for _, v := range [6]int64{t.rateBaseE12, t.rateSlopeE12, t.rateKinkE12, t.reserveE12, t.givenE10, t.oracleE10} {
		mix.U64(uint64(v))
	}
	return mix.Sum()
}

func hashPerp(p *perp) fixedpoint.Hash128 {
	mix := fixedpoint.NewMixer(seedListing + 1<<8)
	mix.Bytes([]byte(p.name))
	mix.U64(uint64(p.index) | uint64(p.sz)<<32 | uint64(p.mode)<<40 | bit(p.isHalted)<<48 | uint64(p.tierCount)<<56)
	for _, v := range [7]int64{p.mark, p.oracleE10, p.cumE12, p.rateE12, p.fundingCap, p.openCap, p.maxAgeMs} {
		mix.U64(uint64(v))
	}
	for i := range int(p.tierCount) {
		mix.I128(p.tiers[i].lower)
		mix.U64(uint64(p.tiers[i].maxLeverage))
	}
	return mix.Sum()
}

// hashAccount sums an account's fixed columns, positions, balances and orders.
func (m *Machine) hashAccount(a *account) fixedpoint.Hash128 {
	mix := fixedpoint.NewMixer(seedAccount)
	mix.U64(a.nameHash)
	mix.I128(a.raw)
	mix.U64(uint64(a.mode) | uint64(a.flags)<<8 | uint64(a.master)<<32)
	h := mix.Sum()
	for i := int(a.positions.start); i < int(a.positions.start)+int(a.positions.count); i++ {
		t := &m.positions.terms[i]
		key := m.positions.perp[i]
		mix := fixedpoint.NewMixer(seedPosition)
		mix.U64(a.nameHash)
		mix.Bytes([]byte(m.perps[key&^isolatedBit].name))
		mix.U64(uint64(m.positions.size[i]))
		for _, v := range [4]int64{t.cumE12, t.entry, t.raw, t.funding} {
			mix.U64(uint64(v))
		}
		mix.U64(uint64(m.positions.lever[i]) | bit(key&isolatedBit != 0)<<16)
		h = h.Add(mix.Sum())
	}
	for _, b := range m.balances.of(&a.balances) {
		if b.cash.IsZero() && b.lend.IsZero() && b.entryNtl == 0 {
			continue // an empty balance is no state
		}
		mix := fixedpoint.NewMixer(seedBalance)
		mix.U64(a.nameHash)
		if b.key&dexBit != 0 {
			mix.Bytes([]byte(m.dexes[b.key&^dexBit].name))
			mix.U64(dexBit)
		} else {
			mix.Bytes([]byte(m.tokens[b.key].name))
		}
		mix.I128(b.cash)
		mix.I128(b.lend)
		mix.I128(b.basis)
		mix.U64(uint64(b.entryNtl))
		h = h.Add(mix.Sum())
	}
	place := uint64(0)
	for slot := a.orderHead; slot != 0; slot = m.orders.items[slot].next {
		h = h.Add(hashOrder(&m.orders.items[slot], a.nameHash, place))
		place++
	}
	return h
}

func hashOrder(o *order, name, place uint64) fixedpoint.Hash128 {
	mix := fixedpoint.NewMixer(seedOrder)
	for _, v := range [10]uint64{
		name, place, o.idHi, o.idLo, uint64(o.size), uint64(o.origSize), uint64(o.price), uint64(o.trigger),
		uint64(o.market), uint64(o.flags) | uint64(o.form)<<16,
	} {
		mix.U64(v)
	}
	return mix.Sum()
}
