package risk

import (
	"encoding/binary"
	"math/bits"
)

// AppendShared appends what is the same on every shard: listings, prices, pools,
// parameters, halts, clients, opened accounts, Seq and time. It is called on one shard,
// right after BeginCapture and before the next group.
func (m *Machine) AppendShared(dst []byte) []byte {
	at := len(dst)
	dst = openSection(dst, tagShared)
	dst = appendUint(dst, m.seq)
	dst = appendInt(dst, m.timeMs)
	dst = appendBool(dst, m.haltAll)
	dst = m.appendParameters(dst)
	dst = appendUint(dst, uint64(m.numeraire))
	dst = m.appendPools(dst)
	dst = m.appendTokens(dst)
	dst = m.appendDexes(dst)
	dst = m.appendPerps(dst)
	dst = m.appendSpots(dst)
	dst = appendUint(dst, uint64(len(m.clients)))
	for _, name := range m.clients {
		dst = appendText(dst, name)
	}
	words := m.opened
	for len(words) > 0 && words[len(words)-1] == 0 {
		words = words[:len(words)-1]
	}
	dst = appendUint(dst, uint64(len(words)))
	for _, w := range words {
		dst = binary.LittleEndian.AppendUint64(dst, w)
	}
	dst = appendUint(dst, uint64(m.params.BackstopAccount+1)) // NoAccount is 0
	dst = appendBool(dst, m.params.NoLiquidation)
	dst = m.appendGuards(dst)
	dst = m.appendPast(dst)
	dst = appendBool(appendBool(dst, m.params.BackstopTWAP), m.params.BackstopCrossOnly)
	dst = appendInt(dst, m.params.BackstopLimitE8)
	return closeSection(dst, at)
}

func (m *Machine) appendParameters(dst []byte) []byte {
	p := &m.params
	dst = append(dst, byte(p.OffsetMode), p.OrderMarginBasis)
	dst = appendBool(dst, p.HLCompat)
	dst = appendBool(dst, p.RebalanceHourly)
	dst = appendInt(dst, p.MaxClockStepMs)
	return appendInt(dst, p.MinBorrowOffsetE8)
}

func (m *Machine) appendPools(dst []byte) []byte {
	dst = appendUint(dst, uint64(len(m.pools)))
	for i := range m.pools {
		p := &m.pools[i]
		dst = appendUint(dst, uint64(p.token+1)) // NoSlot is 0
		for _, w := range [4]uint64{p.supplyIndex.U.Hi, p.supplyIndex.U.Lo, p.debtIndex.U.Hi, p.debtIndex.U.Lo} {
			dst = appendUint(dst, w)
		}
		dst = appendWide(dst, p.buffer)
		dst = appendInt(dst, p.accruedMs)
	}
	return dst
}

func (m *Machine) appendTokens(dst []byte) []byte {
	dst = appendUint(dst, uint64(m.tokenCount))
	for i := range m.tokenCount {
		t := &m.tokens[i]
		if dst = appendBool(dst, t.isListed); !t.isListed {
			continue
		}
		dst = appendBool(dst, t.isBorrowable)
		dst = append(dst, t.wei, t.sz)
		dst = appendUint(dst, uint64(t.index))
		dst = appendInt(dst, int64(t.pool))
		dst = appendUint(dst, uint64(t.oraclePerp+1))
		dst = appendUint(dst, uint64(t.spot+1))
		dst = appendUint(dst, t.tokenID)
		dst = appendText(appendText(dst, t.name), t.fullName)
		for _, v := range [5]i128{t.supplyCap, t.borrowCap, t.userSupplyCap, t.userBorrowCap, t.takeoverWidth} {
			dst = appendWide(dst, v)
		}
		for _, v := range [7]int64{t.ltvE12, t.rateBaseE12, t.rateSlopeE12, t.rateKinkE12, t.reserveE12, t.givenE10, t.oracleE10} {
			dst = appendInt(dst, v)
		}
	}
	return dst
}

func (m *Machine) appendDexes(dst []byte) []byte {
	for i := range m.dexes {
		d := &m.dexes[i]
		if dst = appendBool(dst, d.isListed); !d.isListed {
			continue
		}
		dst = appendUint(dst, uint64(d.index))
		dst = appendUint(dst, uint64(d.collateral))
		dst = appendText(dst, d.name)
	}
	return dst
}

func (m *Machine) appendPerps(dst []byte) []byte {
	dst = appendUint(dst, uint64(m.perpCount))
	for i := range m.perpCount {
		p := &m.perps[i]
		if dst = appendBool(dst, p.isListed); !p.isListed {
			continue
		}
		dst = append(dst, p.sz, byte(p.mode))
		dst = appendBool(dst, p.isHalted)
		dst = appendText(dst, p.name)
		for _, v := range [3]uint64{uint64(p.index), uint64(p.collateral), uint64(p.dexSlot)} {
			dst = appendUint(dst, v)
		}
		for _, v := range [9]int64{
			int64(p.pool), p.mark, p.oracleE10, p.markTimeMs, p.cumE12, p.rateE12, p.maxAgeMs, p.fundingCap, p.openCap,
		} {
			dst = appendInt(dst, v)
		}
		dst = append(dst, p.tierCount)
		for n := range int(p.tierCount) {
			dst = appendWide(dst, p.tiers[n].lower)
			dst = appendUint(dst, uint64(p.tiers[n].maxLeverage))
		}
	}
	return dst
}

func (m *Machine) appendSpots(dst []byte) []byte {
	dst = appendUint(dst, uint64(m.spotCount))
	for i := range m.spotCount {
		s := &m.spots[i]
		if dst = appendBool(dst, s.isListed); !s.isListed {
			continue
		}
		dst = appendBool(dst, s.isHalted)
		dst = appendText(dst, s.name)
		for _, v := range [3]uint64{uint64(s.index), uint64(s.base), uint64(s.quote)} {
			dst = appendUint(dst, v)
		}
		dst = appendInt(dst, s.px)
	}
	return dst
}

// countOpened returns how many accounts are open on all shards.
func (m *Machine) countOpened() (count uint32) {
	for _, w := range m.opened {
		count += uint32(bits.OnesCount64(w))
	}
	return count
}
