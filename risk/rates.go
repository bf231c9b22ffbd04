package risk

import "plimsoll/fixedpoint"

// What is kept of the past: rates of perps and pools, which every shard has alike, and records
// of accounts (records.go). All of it is derived: no decision reads it, no hash covers it.
const (
	// RatesKept is how many payments of a perp and how many hours of a pool are kept: thirty
	// days by the hour.
	RatesKept = 720
	// RatesCaptured of them go into a capture: a week.
	RatesCaptured = 168
	hourMs        = 3_600_000
)

// FundingRate is one funding payment of a perp.
type FundingRate struct {
	TimeMs  int64
	RateE12 int64 // of the oracle price
	cumE12  int64 // cumulative funding after it
}

// PoolRate is what a pool stood at when an hour of engine time was over, at the first clock
// command in the next.
type PoolRate struct {
	TimeMs        int64 // of that clock command
	BorrowRateE12 int64 // a year, from here on
	SupplyRateE12 int64
	Supplied      i128 // token units
	Borrowed      i128
	supplyIndex   index
	debtIndex     index
}

// rateRing keeps the last RatesKept rows of one series.
type rateRing[T any] struct {
	rows  []T    // made with the first row
	count uint32 // rows ever
}

func (r *rateRing[T]) append(row T) {
	if r.rows == nil {
		r.rows = make([]T, RatesKept)
	}
	r.rows[r.count%RatesKept] = row
	r.count++
}

// first returns the number of the oldest row kept.
func (r *rateRing[T]) first() uint32 { return r.count - min(r.count, RatesKept) }

func (r *rateRing[T]) at(n uint32) *T { return &r.rows[n%RatesKept] }

// past is what a machine keeps of what was.
type past struct {
	funding []rateRing[FundingRate] // by perp
	pools   []rateRing[PoolRate]    // by pool
	hour    int64                   // the last hour that pools have a row of
	records recordRing
	settled settlement
}

func newPast(accounts uint32) past {
	return past{
		funding: make([]rateRing[FundingRate], PerpsMax), pools: make([]rateRing[PoolRate], PoolsMax),
		records: newRecordRing(accounts),
	}
}

// noteFunding keeps a funding payment just made.
func (m *Machine) noteFunding(perpSlot uint32) {
	if !m.isScratch {
		p := &m.perps[perpSlot]
		m.past.funding[perpSlot].append(FundingRate{TimeMs: m.timeMs, RateE12: p.rateE12, cumE12: p.cumE12})
	}
}

// noteHour keeps what pools stand at when the clock has passed the end of an hour.
func (m *Machine) noteHour() {
	hour := m.timeMs / hourMs
	if hour == m.past.hour || m.isScratch {
		return
	}
	isFirst := m.past.hour == 0
	m.past.hour = hour
	if isFirst {
		return // the origin of time ends no hour
	}
	for n := range m.pools {
		p := &m.pools[n]
		if p.token == NoSlot {
			continue
		}
		t := &m.tokens[p.token]
		s := p.sumsOf(m.totalsOf(n))
		u := s.utilizationE18()
		borrow := t.borrowRateE12(u)
		m.past.pools[n].append(PoolRate{
			TimeMs: m.timeMs, BorrowRateE12: borrow, SupplyRateE12: t.supplyRateE12(borrow, u), Supplied: s.supply, Borrowed: s.debt,
			supplyIndex: p.supplyIndex, debtIndex: p.debtIndex,
		})
	}
}

// ReadFundingRates appends the payments of a perp kept of startMs … endMs, oldest first, at
// most so many.
func (m *Machine) ReadFundingRates(dst []FundingRate, perpSlot uint32, startMs, endMs int64, most int) []FundingRate {
	if perpSlot >= PerpsMax {
		return dst
	}
	r := &m.past.funding[perpSlot]
	for n := r.first(); n < r.count && most > 0; n++ {
		if row := r.at(n); row.TimeMs >= startMs && row.TimeMs <= endMs {
			dst = append(dst, *row)
			most--
		}
	}
	return dst
}

// ReadPoolRates appends the hours of a token's pool kept of startMs … endMs, oldest first, at
// most so many.
func (m *Machine) ReadPoolRates(dst []PoolRate, tokenSlot uint32, startMs, endMs int64, most int) []PoolRate {
	t := m.tokenAt(tokenSlot)
	if t == nil || t.pool < 0 {
		return dst
	}
	r := &m.past.pools[t.pool]
	for n := r.first(); n < r.count && most > 0; n++ {
		if row := r.at(n); row.TimeMs >= startMs && row.TimeMs <= endMs {
			dst = append(dst, *row)
			most--
		}
	}
	return dst
}

// TokenDecimals returns the decimals of a token's amounts, 0 when it is not listed.
func (m *Machine) TokenDecimals(slot uint32) uint8 {
	if t := m.tokenAt(slot); t != nil {
		return t.wei
	}
	return 0
}

// Indices returns the pool's interest indices then.
func (r *PoolRate) Indices() (supply, borrow Amount) {
	return indexAmount(r.supplyIndex), indexAmount(r.debtIndex)
}

// appendPast appends the last RatesCaptured rows of each series, as differences.
func (m *Machine) appendPast(dst []byte) []byte {
	dst = appendInt(dst, m.past.hour)
	for slot := range m.perpCount {
		r := &m.past.funding[slot]
		n := r.count - min(r.count-r.first(), RatesCaptured)
		dst = appendUint(dst, uint64(r.count-n))
		var last FundingRate
		for ; n < r.count; n++ {
			row := *r.at(n)
			dst = appendInt(appendInt(dst, row.TimeMs-last.TimeMs), row.RateE12)
			dst = appendInt(dst, row.cumE12-last.cumE12)
			last = row
		}
	}
	for i := range m.pools {
		r := &m.past.pools[i]
		n := r.count - min(r.count-r.first(), RatesCaptured)
		dst = appendUint(dst, uint64(r.count-n))
		for ; n < r.count; n++ {
			dst = r.at(n).append(dst)
		}
	}
	return dst
}

func (r *PoolRate) append(dst []byte) []byte {
	for _, v := range [3]int64{r.TimeMs, r.BorrowRateE12, r.SupplyRateE12} {
		dst = appendInt(dst, v)
	}
	dst = appendWide(appendWide(dst, r.Supplied), r.Borrowed)
	for _, w := range [4]uint64{r.supplyIndex.U.Hi, r.supplyIndex.U.Lo, r.debtIndex.U.Hi, r.debtIndex.U.Lo} {
		dst = appendUint(dst, w)
	}
	return dst
}

// restorePast takes what appendPast gave.
func (m *Machine) restorePast(s *scanner) {
	m.past.hour = s.int()
	for slot := range m.perpCount {
		var last FundingRate
		for range s.bound(s.uint(), RatesCaptured) {
			last.TimeMs += s.int()
			last.RateE12 = s.int()
			last.cumE12 += s.int()
			m.past.funding[slot].append(last)
		}
	}
	for i := range m.pools {
		for range s.bound(s.uint(), RatesCaptured) {
			var r PoolRate
			for _, v := range [3]*int64{&r.TimeMs, &r.BorrowRateE12, &r.SupplyRateE12} {
				*v = s.int()
			}
			r.Supplied, r.Borrowed = s.wide(), s.wide()
			for _, w := range [4]*uint64{&r.supplyIndex.U.Hi, &r.supplyIndex.U.Lo, &r.debtIndex.U.Hi, &r.debtIndex.U.Lo} {
				*w = s.uint()
			}
			one := fixedpoint.IndexOne()
			if r.supplyIndex.U.Cmp(one.U) < 0 || r.debtIndex.U.Cmp(one.U) < 0 {
				s.fail()
			}
			m.past.pools[i].append(r)
		}
	}
}
