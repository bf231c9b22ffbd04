package risk

import (
	"cmp"
	"slices"

	"plimsoll/fixedpoint"
)

// sale is what the liquidator has taken over and is to sell, so that half of it is left after
// ten minutes (spec 1.5: by TWAP with a half-life of 10 minutes). It is state of the account
// that took: hashed and captured with it, and kept by the shard that it lives on.
type sale struct {
	account uint32
	number  uint64    // the Seq of the first takeover: what its orders and fills are known by
	rows    []saleRow // by key
}

// saleRow is what is to be sold of one perp or one token.
type saleRow struct {
	key     uint32 // a perp slot, or a token slot with SpotBit
	left    i128   // of a perp: signed size, as taken; of a token: its units
	sinceMs int64  // engine time from which slices count
}

// A sale goes in slices of half a minute: after n of them left x 2^(-n/20) is kept.
const (
	saleSliceMs = 30_000
	saleSlices  = 20 // within the half-life
	saleLeast   = 10 // of the quote: no order is for less, nor leaves less (spec 2.10)
)

// saleKeepTable is 2^(-n/20) at 1e-18, rounded to the nearest.
var saleKeepTable = [saleSlices]int64{
	1_000_000_000_000_000_000, 965_936_328_924_845_551, 933_032_991_536_807_416, 901_250_462_610_830_243,
	870_550_563_296_124_139, 840_896_415_253_714_543, 812_252_396_356_235_523, 784_584_097_896_750_736,
	757_858_283_255_199_041, 732_042_847_972_812_710, 707_106_781_186_547_524, 683_020_128_377_197_759,
	659_753_955_386_447_130, 637_280_313_659_631_072, 615_572_206_672_458_142, 594_603_557_501_360_533,
	574_349_177_498_517_503, 554_784_736_033_922_504, 535_886_731_268_146_582, 517_632_461_920_688_752,
}

// saleKept returns what is kept of a size after n whole slices, rounded down.
func saleKept(size, n int64) int64 {
	halvings := n / saleSlices
	if halvings >= 63 {
		return 0
	}
	v, ok := fixedpoint.MulDivFloor(size, saleKeepTable[n%saleSlices], shareOne)
	if !ok {
		panic("risk: BUG: what is kept of a sale is above all of it")
	}
	return v >> halvings
}

// saleOf returns the sale of an account, or nil.
func (m *Machine) saleOf(a *account) *sale {
	if s := &m.sale; len(s.rows) > 0 && &m.accounts[s.account/m.cfg.Shards] == a {
		return s
	}
	return nil
}

// took adds to the sale what the liquidator has just taken over: a signed size of a perp, or an
// amount of a token.
func (m *Machine) took(key uint32, amount i128) {
	slot := m.params.BackstopAccount
	if !m.params.BackstopTWAP || m.accountAt(slot) == nil || amount.IsZero() {
		return
	}
	m.touch(slot)
	s := &m.sale
	if len(s.rows) == 0 {
		s.account, s.number = slot, m.seq
	}
	at, isThere := slices.BinarySearchFunc(s.rows, key, compareSaleRow)
	if !isThere {
		s.rows = slices.Insert(s.rows, at, saleRow{key: key, sinceMs: m.timeMs})
	}
	s.rows[at].left = s.rows[at].left.Add(amount)
	m.dropSold()
}

func compareSaleRow(x saleRow, key uint32) int { return cmp.Compare(x.key, key) }

// sold takes off the sale what an account has just traded, where that goes the sale's way: by a
// fill that answers it or by any other, and never past zero.
func (m *Machine) sold(slot, market uint32, delta int64) {
	s := &m.sale
	if len(s.rows) == 0 || slot != s.account {
		return
	}
	key, amount := market, fixedpoint.I128(delta)
	if market&SpotBit != 0 {
		base := m.spots[market&^SpotBit].base
		t := &m.tokens[base]
		key, amount = base|SpotBit, mustFit(amount.MulPow10(t.wei-t.sz))
	}
	at, isThere := slices.BinarySearchFunc(s.rows, key, compareSaleRow)
	if !isThere || s.rows[at].left.Sign() == amount.Sign() {
		return
	}
	m.touch(slot)
	s.rows[at].left = towardsZero(s.rows[at].left, amount)
	m.dropSold()
}

// towardsZero adds an amount of the other sign, but does not pass zero.
func towardsZero(left, amount i128) i128 {
	sum := left.Add(amount)
	if sum.Sign() != left.Sign() {
		return i128{}
	}
	return sum
}

// dropSold forgets what is sold.
func (m *Machine) dropSold() {
	m.sale.rows = slices.DeleteFunc(m.sale.rows, func(x saleRow) bool { return x.left.IsZero() })
}

// dropSale forgets the sale: its account is not the liquidator any more, or is to keep what it took.
func (m *Machine) dropSale() {
	if len(m.sale.rows) > 0 {
		m.touch(m.sale.account)
		m.sale.rows = m.sale.rows[:0]
	}
}

// sellTaken asks, at the end of a tick or a clock, for what is due of the sale.
func (m *Machine) sellTaken() {
	s := &m.sale
	if m.isScratch || len(s.rows) == 0 {
		return
	}
	isEmpty := false
	for i := range s.rows {
		x := &s.rows[i]
		n := (m.timeMs - x.sinceMs) / saleSliceMs
		if n <= 0 {
			continue
		}
		m.touch(s.account)
		x.sinceMs += n * saleSliceMs
		if x.key&SpotBit != 0 {
			m.sellToken(x, n)
		} else {
			m.sellPerp(x, n)
		}
		isEmpty = isEmpty || x.left.IsZero()
	}
	if isEmpty {
		m.dropSold()
	}
}

// sellPerp asks for a slice of a position: of no more than is still held. While its mark is not
// fresh nothing is asked for, and the time does not count.
func (m *Machine) sellPerp(x *saleRow, n int64) {
	a, p := m.accountAt(m.sale.account), &m.perps[x.key]
	var held int64
	if i := m.positions.find(&a.positions, uint16(x.key)); i >= 0 {
		held = m.positions.size[i]
	}
	if fixedpoint.I128(held).Sign() != x.left.Sign() {
		x.left = i128{}
		return
	}
	if left, ok := x.left.Int64(); !ok || max(left, -left) > max(held, -held) {
		x.left = fixedpoint.I128(held)
	}
	if m.perpClass(p) != PriceFresh {
		return
	}
	left, _ := x.left.Int64()
	size := saleSize(max(left, -left), n, ceilDiv(saleLeast*fixedpoint.Pow10(SzDecimalsMax), p.mark))
	if left > 0 {
		size = -size
	}
	m.tellSale(x.key, size, max(left, -left), p.mark, p.sz)
}

// sellToken asks for a slice of a token, on the spot market that has it for the numeraire. What
// is below one unit of size stays where it is. The price told is the borrow oracle price.
func (m *Machine) sellToken(x *saleRow, n int64) {
	slot := x.key &^ SpotBit
	a, t := m.accountAt(m.sale.account), &m.tokens[slot]
	var held i128
	if b := m.balanceOf(a, uint16(slot)); b != nil {
		held = b.cash.Add(m.supplied(b))
	}
	x.left = nonNegative(fixedpoint.MinI128(x.left, held))
	units := x.left.DivFloor(fixedpoint.Pow10(t.wei - t.sz))
	if units.IsZero() {
		x.left = i128{}
		return
	}
	isHalted := t.spot == NoSlot || m.spots[t.spot].isHalted || m.haltAll
	if isHalted || m.tokenClass(slot) != PriceFresh || t.oracleE10 == 0 {
		return
	}
	left, _ := fixedpoint.MinI128(units, fixedpoint.I128(SizeMax)).Int64()
	least := mustFit(fixedpoint.I128(saleLeast).MulPow10(oracleE + t.sz)).DivCeil(t.oracleE10)
	most, _ := fixedpoint.MinI128(least, fixedpoint.I128(SizeMax)).Int64()
	m.tellSale(t.spot|SpotBit, -saleSize(left, n, most), left, t.oracleE10, t.sz)
}

// saleSize returns what is sold of left after n slices: what is not kept, rounded up, at least
// least, and all of it where less than that would remain.
func saleSize(left, n, least int64) int64 {
	size := max(left-saleKept(left, n), least)
	if left-size < least {
		return left
	}
	return size
}

func ceilDiv(a, b int64) int64 { return (a + b - 1) / b }

// tellSale tells the exchange what to send to its book for the liquidator.
func (m *Machine) tellSale(market uint32, size, left, price int64, decimals uint8) {
	m.emit(Event{
		Kind: EventLiquidationOrder, Phase: phaseSale, Rank: uint64(m.sale.account), Account: m.sale.account, Market: market,
		Token: NoSlot, Amount: fixedpoint.I128(size), Amount2: fixedpoint.I128(price), Decimals: decimals,
		OrderHi: uint64(left), OrderLo: m.sale.number, OrderForm: FormUint, Rule: RuleBackstopTWAP,
	})
}

// mix returns what a sale adds to its account's hash.
func (s *sale) mix(m *Machine, account uint64) (h fixedpoint.Hash128) {
	for i := range s.rows {
		x := &s.rows[i]
		name := m.perps[x.key&(PerpsMax-1)].nameHash
		if x.key&SpotBit != 0 {
			name = m.tokens[x.key&^SpotBit].nameHash
		}
		var p pairs
		p.add(0, account, s.number)
		p.add(1, name, uint64(x.key&SpotBit))
		p.add(2, uint64(x.left.Hi), x.left.Lo)
		p.add(3, uint64(x.sinceMs), 0)
		h = h.Add(p.sum(seedSale))
	}
	return h
}

// saleRowBound is what a row of a sale takes at most in a capture.
const saleRowBound = 5 + wideMax + varintMax

// append appends a sale to the record of its account.
func (s *sale) append(dst []byte) []byte {
	dst = appendUint(appendUint(dst, s.number), uint64(len(s.rows)))
	for i := range s.rows {
		x := &s.rows[i]
		dst = appendInt(appendWide(appendUint(dst, uint64(x.key&^SpotBit)<<1|uint64(x.key>>31)), x.left), x.sinceMs)
	}
	return dst
}

// restoreSale takes what append gave. Only the liquidator has a sale.
func (m *Machine) restoreSale(s *scanner, slot uint32) {
	const bytesMin = 3
	m.sale = sale{account: slot, number: s.uint()}
	next := uint64(0)
	for range s.count(PerpsMax+TokensMax, bytesMin) {
		v := s.uint()
		key := uint32(s.bound(v>>1, max(PerpsMax, TokensMax)-1)) | uint32(v&1)<<31
		isKnown := key&SpotBit == 0 && m.perps[key].isListed || key&SpotBit != 0 && m.tokens[key&^SpotBit].isListed
		if !isKnown || uint64(key) < next {
			s.fail()
		}
		next = uint64(key) + 1
		m.sale.rows = append(m.sale.rows, saleRow{key: key, left: s.wide(), sinceMs: s.int()})
	}
	if len(m.sale.rows) == 0 || slot != m.params.BackstopAccount {
		s.fail()
	}
}
