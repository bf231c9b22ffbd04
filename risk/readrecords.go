package risk

import "plimsoll/fixedpoint"

// RecordsRead is how many records of an account one read looks at, the newest.
const RecordsRead = 4096

// FundingPayment is what one funding payment of a perp was worth to an account.
type FundingPayment struct {
	TimeMs  int64
	Perp    uint32
	Amount  Amount // received; negative when the account paid. Units of the perp's collateral
	Size    Amount // signed
	RateE12 int64
}

// ReadFunding appends the funding of an account, from what is kept: for each position what it
// has settled, and what it owes since its last fill, payment by payment. The rows of one
// settlement add up to what was paid, exactly: a row is the difference of two sums rounded
// alike. What is older than the rates kept is in the row of the oldest. Not in order.
func (m *Machine) ReadFunding(slot uint32, dst []FundingPayment) []FundingPayment {
	a := m.accountAt(slot)
	if a == nil {
		return dst
	}
	for i := a.positions.start; i < a.positions.start+uint32(a.positions.count); i++ {
		perp := uint32(m.positions.perp[i] &^ isolatedBit)
		dst = m.splitFunding(dst, perp, m.positions.size[i], m.positions.terms[i].cumE12, m.past.funding[perp].count)
	}
	r := &m.past.records
	for n, left := r.last[slot/m.cfg.Shards], RecordsRead; left > 0; left-- {
		x := r.at(n, slot)
		if x == nil {
			break
		}
		if x.kind == RecordFunding {
			dst = m.splitFunding(dst, x.market, int64(x.second.Lo), x.from, x.upTo)
		}
		n = x.prev
	}
	return dst
}

// splitFunding appends the payments before number upTo that a position of size owed since its
// cumulative funding was from.
func (m *Machine) splitFunding(dst []FundingPayment, perp uint32, size, from int64, upTo uint32) []FundingPayment {
	r, p := &m.past.funding[perp], &m.perps[perp]
	n := upTo
	for n > r.first() && r.at(n-1).cumE12 != from {
		n--
	}
	var paid i128
	for ; n < upTo; n++ {
		row := r.at(n)
		owed := fundingOwed(p, size, from, row.cumE12)
		if size != 0 {
			dst = append(dst, FundingPayment{
				TimeMs: row.TimeMs, Perp: perp, Amount: exact(paid.Sub(owed), 6+p.scale), Size: exact(fixedpoint.I128(size), p.sz),
				RateE12: row.RateE12,
			})
		}
		paid = owed
	}
	return dst
}

// InterestPart is interest of one account and token within an hour: several parts may be of
// the same hour.
type InterestPart struct {
	HourMs int64 // end of the hour
	Token  uint32
	Amount Amount // positive: earned by supply; negative: owed on debt
}

// ReadInterest appends the interest of an account by hours that are over, from what is kept:
// what balances have settled, and what they have grown by since. The parts of a balance that
// is not touched add up to value less basis as of the last row, exactly. Not in order.
func (m *Machine) ReadInterest(slot uint32, dst []InterestPart) []InterestPart {
	a := m.accountAt(slot)
	if a == nil {
		return dst
	}
	for i := range m.balances.of(&a.balances) {
		b := &m.balances.items[int(a.balances.start)+i]
		if b.key&dexBit == 0 && !b.lend.IsZero() {
			dst, _ = m.splitInterest(dst, uint32(b.key), b.lend, b.basis, m.timeMs)
		}
	}
	r := &m.past.records
	for n, left := r.last[slot/m.cfg.Shards], RecordsRead; left > 0; left-- {
		x := r.at(n, slot)
		if x == nil {
			break
		}
		if x.kind == RecordInterest {
			var last i128
			dst, last = m.splitInterest(dst, x.token, x.second, x.basis, x.timeMs)
			rest := x.basis.Add(x.amount).Sub(last).Add(x.more)
			if hour := x.timeMs - x.timeMs%hourMs + hourMs; !rest.IsZero() && hour <= m.timeMs {
				dst = append(dst, InterestPart{HourMs: hour, Token: x.token, Amount: exact(rest, m.tokens[x.token].wei)})
			}
		}
		n = x.prev
	}
	return dst
}

// splitInterest appends by how much a scaled balance grew from its basis in each hour kept up
// to a time, and returns what it was worth then: hours before the basis was set are worth less
// than it, and give nothing.
func (m *Machine) splitInterest(dst []InterestPart, token uint32, scaled, basis i128, timeMs int64) ([]InterestPart, i128) {
	n := m.tokens[token].pool
	if n < 0 {
		return dst, basis
	}
	r, last := &m.past.pools[n], basis
	end := r.first()
	for high := r.count; end < high; { // the rows up to timeMs
		if half := end + (high-end)/2; r.at(half).TimeMs > timeMs {
			high = half
		} else {
			end = half + 1
		}
	}
	i := end
	for i > r.first() && r.at(i-1).worth(scaled).Sub(basis).Sign() == scaled.Sign() { // grown since: a debt grows below
		i--
	}
	for ; i < end; i++ {
		row := r.at(i)
		value := row.worth(scaled)
		if grown := value.Sub(last); !grown.IsZero() {
			dst = append(dst, InterestPart{HourMs: row.TimeMs - row.TimeMs%hourMs, Token: token, Amount: exact(grown, m.tokens[token].wei)})
			last = value
		}
	}
	return dst, last
}

// worth returns what a scaled balance was worth, as balances are valued: supply rounded down,
// debt up and negative.
func (r *PoolRate) worth(scaled i128) i128 {
	if scaled.Sign() < 0 {
		return mustFit(r.debtIndex.ValueCeil(scaled.Neg())).Neg()
	}
	return mustFit(r.supplyIndex.ValueFloor(scaled))
}

// LedgerEntry is one change of an account's ledger that was neither a trade nor funding.
type LedgerEntry struct {
	Seq     uint64
	TimeMs  int64
	Kind    RecordKind
	Event   EventKind // of a liquidation
	Rule    Rule
	Token   uint32
	Market  uint32
	Other   uint32
	Wallets [2]uint16
	Amount  Amount
	// Second is by kind: what moved, in the numeraire, rounded down, 0 while it had no price;
	// borrowed, repaid: what is owed afterwards; liquidation: see Event.
	Second   Amount
	Interest Amount // of lending: settled with it; below zero on debt
}

// ReadLedger appends the ledger of an account, from what is kept, newest first.
func (m *Machine) ReadLedger(slot uint32, dst []LedgerEntry) []LedgerEntry {
	if m.accountAt(slot) == nil {
		return dst
	}
	r := &m.past.records
	for n, left := r.last[slot/m.cfg.Shards], RecordsRead; left > 0; left-- {
		x := r.at(n, slot)
		if x == nil {
			break
		}
		if x.kind >= RecordDeposit {
			e := LedgerEntry{
				Seq: x.seq, TimeMs: x.timeMs, Kind: x.kind, Event: x.event, Rule: x.rule, Token: x.token, Market: x.market, Other: x.other,
				Wallets: x.wallets,
			}
			amount, second := m.recordDecimals(x)
			e.Amount, e.Second, e.Interest = exact(x.amount, amount), exact(x.second, second), exact(x.basis, amount)
			dst = append(dst, e)
		}
		n = x.prev
	}
	return dst
}

// recordDecimals returns the decimals of a record's two amounts.
func (m *Machine) recordDecimals(x *record) (amount, second uint8) {
	switch wei := m.tokens[m.numeraire].wei; {
	case x.token == NoSlot:
	case x.kind <= RecordUnsupplied:
		return m.tokens[x.token].wei, wei
	default:
		return m.tokens[x.token].wei, m.tokens[x.token].wei
	}
	if p := m.perpAt(x.market); p != nil {
		return p.sz, p.priceDecimals()
	}
	return 0, 0
}
