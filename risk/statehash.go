package risk

import (
	"math/bits"

	"plimsoll/fixedpoint"
)

// Seeds keep the kinds of hashed entities apart.
const (
	seedListing uint64 = iota + 1
	seedPool
	seedAccount
	seedPosition
	seedBalance
	seedOrder
	seedParameters
	seedClient
	seedLiquidation
	seedSale
)

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
			s.guard.mix(&mix)
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
	for n, name := range m.clients {
		if name != "" {
			mix := fixedpoint.NewMixer(seedClient)
			mix.U64(uint64(n))
			mix.Bytes([]byte(name))
			h = h.Add(mix.Sum())
		}
	}
	mix := fixedpoint.NewMixer(seedParameters)
	mix.U64(uint64(m.params.OffsetMode) | uint64(m.params.OrderMarginBasis)<<8 | bit(m.params.HLCompat)<<16 |
		bit(m.params.RebalanceHourly)<<17 | bit(m.haltAll)<<18 | bit(m.params.NoLiquidation)<<19 | bit(m.params.BackstopTWAP)<<20 |
		bit(m.params.BackstopCrossOnly)<<21)
	mix.U64(uint64(m.params.MaxClockStepMs))
	mix.U64(uint64(m.params.MinBorrowOffsetE8))
	if m.params.BackstopAccount != NoAccount {
		mix.U64(uint64(m.params.BackstopAccount))
	}
	if m.params.BackstopLimitE8 != 0 {
		mix.U64(uint64(m.params.BackstopLimitE8))
	}
	return h.Add(mix.Sum())
}

// hashName returns what stands for a name in the hashes of accounts.
func hashName(name string) uint64 {
	mix := fixedpoint.NewMixer(nameSeed)
	mix.Bytes([]byte(name))
	return mix.Sum().Lo
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
	t.guard.mix(&mix)
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
	g := guard{bandE12: p.bandE12, isStale: p.isStale}
	g.mix(&mix)
	return mix.Sum()
}

// pairKeysTable salts the words of a pairs sum; fractions of the square roots of the first primes.
var pairKeysTable = [10]uint64{
	0x6A09E667F3BCC909, 0xBB67AE8584CAA73B, 0x3C6EF372FE94F82B, 0xA54FF53A5F1D36F1, 0x510E527FADE682D1,
	0x9B05688C2B3E6C1F, 0x1F83D9ABFB41BD6B, 0x5BE0CD19137E2179, 0xCBBB9D5DC1059ED9, 0x629A292A367CD507,
}

// pairs sums the 128-bit products of salted pairs of words (Black and others, "UMAC: fast
// and secure message authentication", 1999). The products do not wait for one another, as
// the steps of a Mixer do; a word that changes alone always changes the sum.
type pairs struct{ hi, lo uint64 }

func (p *pairs) add(n int, a, b uint64) {
	hi, lo := bits.Mul64(a^pairKeysTable[2*n], b^pairKeysTable[2*n+1])
	var carry uint64
	p.lo, carry = bits.Add64(p.lo, lo, 0)
	p.hi, _ = bits.Add64(p.hi, hi, carry)
}

// sum returns the hash of an entity of a kind.
func (p *pairs) sum(seed uint64) fixedpoint.Hash128 {
	mix := fixedpoint.NewMixer(seed)
	mix.U64(p.hi)
	mix.U64(p.lo)
	return mix.Sum()
}

// hashAccount sums an account's fixed columns, positions, balances and orders.
func (m *Machine) hashAccount(a *account) fixedpoint.Hash128 {
	var p pairs
	p.add(0, a.nameHash, uint64(a.mode)|uint64(a.flags&(accountOpen|accountStates))<<8|uint64(a.master)<<32)
	p.add(1, uint64(a.raw.Hi), a.raw.Lo)
	h := p.sum(seedAccount)
	if l := m.recordOf(a); l != nil {
		var p pairs
		p.add(0, a.nameHash, l.number)
		p.add(1, uint64(l.partialMs), uint64(l.stepMs))
		p.add(2, uint64(l.nextMs), uint64(l.decidedAs)|bit(l.isTold)<<8|bit(l.isOver)<<9)
		p.add(3, uint64(l.sinceMs), 0)
		h = h.Add(p.sum(seedLiquidation))
	}
	if s := m.saleOf(a); s != nil {
		h = h.Add(s.mix(m, a.nameHash))
	}
	for i := a.positions.start; i < a.positions.start+uint32(a.positions.count); i++ {
		t, key := &m.positions.terms[i], m.positions.perp[i]
		var p pairs
		p.add(0, a.nameHash, m.perps[key&^isolatedBit].nameHash)
		p.add(1, uint64(m.positions.size[i]), uint64(t.cumE12))
		p.add(2, uint64(t.entry), uint64(t.raw))
		p.add(3, uint64(t.funding), uint64(m.positions.lever[i])|uint64(key&isolatedBit)<<1)
		h = h.Add(p.sum(seedPosition))
	}
	for i := range m.balances.of(&a.balances) {
		b := &m.balances.items[int(a.balances.start)+i]
		if b.cash.IsZero() && b.lend.IsZero() && b.entryNtl == 0 {
			continue // an empty balance is no state
		}
		name := m.tokens[b.key&(TokensMax-1)].nameHash
		if b.key&dexBit != 0 {
			name = m.dexes[b.key&^dexBit].nameHash
		}
		var p pairs
		p.add(0, a.nameHash, name)
		p.add(1, uint64(b.cash.Hi), b.cash.Lo)
		p.add(2, uint64(b.lend.Hi), b.lend.Lo)
		p.add(3, uint64(b.basis.Hi), b.basis.Lo)
		p.add(4, uint64(b.entryNtl), uint64(b.key&dexBit))
		h = h.Add(p.sum(seedBalance))
	}
	place := uint64(0)
	for slot := a.orderHead; slot != 0; slot = m.orders.at(slot).next {
		h = h.Add(hashOrder(m.orders.at(slot), a.nameHash, place))
		place++
	}
	return h
}

func hashOrder(o *order, name, place uint64) fixedpoint.Hash128 {
	var p pairs
	p.add(0, name, place|uint64(o.market)<<32)
	p.add(1, o.idHi, o.idLo)
	p.add(2, uint64(o.size), uint64(o.origSize))
	p.add(3, uint64(o.price), uint64(o.trigger))
	p.add(4, uint64(o.flags)|uint64(o.form)<<16, 0)
	return p.sum(seedOrder)
}
