package risk

import (
	"math/bits"

	"plimsoll/internal/prefetch"
)

// The loops of a pass are plain functions over columns. An index that is checked once per
// account costs less than a slice per account; what does not fit into registers is kept out
// of the inner loop.

// columns are what a pass reads of up to passAccounts accounts, side by side, and of all
// positions.
type columns struct {
	hot   []hotAccount
	lent  []int64
	fixed []i128
	size  []int64
	perp  []uint16
	from  int
}

// passColumns returns the columns of the accounts from a place on.
func (m *Machine) passColumns(from int) columns {
	end := min(from+passAccounts, len(m.hot))
	return columns{
		hot: m.hot[from:end], lent: m.lent[from:end], fixed: m.fixedE12[from:end],
		size: m.positions.size, perp: m.positions.perp, from: from,
	}
}

// prefetch asks for what an exact look at the accounts of look reads besides.
func (c *columns) prefetch(m *Machine, look uint64) {
	for ; look != 0; look &= look - 1 {
		i := bits.TrailingZeros64(look)
		h := &c.hot[i]
		if h.passed > 0 {
			prefetch.Item(&c.fixed[i])
			prefetch.Item(&m.positions.lever[h.start])
		}
		if h.kind() >= hotLend {
			prefetch.Item(&m.accounts[c.from+i])
		}
	}
}

// tellingIn returns a bit for each account that must be looked at: it is not clear, or was
// last told something else than that it is healthy.
func (p *pass) tellingIn(c *columns) (look uint64) {
	values, rise := p.values, p.rise
	sizes := c.size
	keys := c.perp[:len(sizes)]
	hots := c.hot
	for i := range hots {
		h := &hots[i]
		sum := h.low
		at, end := int(h.start), int(h.start)+int(h.passed)
		if end > len(sizes) {
			panic("risk: BUG: a block ends beyond the positions")
		}
		for ; at < end; at++ {
			sum += sizes[at] * values[keys[at]&(PerpsMax-1)]
		}
		bound, _ := bits.Mul64(h.need, rise)
		isShort := sum <= int64(bound)
		if h.kind() == hotLend { // asked first: its dex's own equity is at the requirement, and the branch a coin's toss
			isShort = p.isShort(c.lent[i], sum, int64(bound))
		}
		if isShort || h.told&^toldAwake != uint8(HealthHealthy) {
			if h.kind() > hotIdle {
				look |= 1 << (i & 63)
			}
		}
	}
	return look
}

// isShort reports that an account is not clear: what it has, less its positions' worst, is at
// most bound. A portfolio account has what it has lent besides; half the bound must be its
// dex's own.
func (p *pass) isShort(lent, sum, bound int64) bool {
	if lent < 0 || sum <= bound/2 {
		return true
	}
	worth, _ := bits.Mul64(uint64(lent), p.supply)
	return sum+int64(worth)*(4*passScale) <= bound
}

// addUp adds the positions of all accounts of c to notional, maintenance margin and the net
// sizes of perps, and returns a bit for each account that is not clear: take that off again.
func (p *pass) addUp(c *columns) (look, notional, maintenance uint64) {
	lines, rise := p.lines, p.rise
	sizes := c.size
	keys := c.perp[:len(sizes)]
	hots := c.hot
	for i := range hots {
		h := &hots[i]
		sum := h.low
		at, end := int(h.start), int(h.start)+int(h.passed)
		if end > len(sizes) {
			panic("risk: BUG: a block ends beyond the positions")
		}
		for ; at < end; at++ {
			size := sizes[at]
			x := &lines[keys[at]&(PerpsMax-1)]
			sum += size * x.value
			x.net += size
			n := uint64((size^(size>>63))-(size>>63)) * x.price
			notional += n
			maintenance = addMaintenance(maintenance, n, x.rate)
		}
		bound, _ := bits.Mul64(h.need, rise)
		isShort := sum <= int64(bound)
		if h.kind() == hotLend {
			isShort = p.isShort(c.lent[i], sum, int64(bound))
		}
		if isShort {
			look |= 1 << (i & 63)
		}
	}
	return look, notional, maintenance
}

// takeOff takes one account off again.
func (p *pass) takeOff(c *columns, i int) (notional, maintenance uint64) {
	h := &c.hot[i]
	for at := int(h.start); at < int(h.start)+int(h.passed); at++ {
		size := c.size[at]
		x := &p.lines[c.perp[at]&(PerpsMax-1)]
		x.net -= size
		n := uint64(max(size, -size)) * x.price
		notional += n
		maintenance = addMaintenance(maintenance, n, x.rate)
	}
	return notional, maintenance
}

// addMaintenance returns sum + ceil(n/d), where rate = floor(2^64/d): n x rate falls short of
// n x 2^64/d by n x r/d with r = 2^64 mod d, which is less than 2^64/d, the least that a
// quotient that is no integer is above one, while n x r < 2^64 (sizeMax). So rounding it up
// rounds the quotient up.
func addMaintenance(sum, n, rate uint64) uint64 {
	hi, lo := bits.Mul64(n, rate)
	_, carry := bits.Add64(lo, 1<<64-1, 0)
	sum, _ = bits.Add64(sum, hi, carry)
	return sum
}
