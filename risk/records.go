package risk

import "plimsoll/fixedpoint"

// RecordsKept is how many records of accounts a shard keeps, the newest; fewer where it has
// room for few accounts.
const RecordsKept = 1 << 16

const recordsPerAccount = 8 // of a small machine

// RecordKind is what a record tells.
type RecordKind uint8

// Kinds of records.
const (
	RecordFunding  RecordKind = iota + 1 // funding of a position, settled because it was filled
	RecordInterest                       // interest of a balance, settled because it was lent, borrowed, taken back or repaid
	RecordDeposit                        // Amount of Token from outside
	RecordWithdraw                       // to outside
	RecordSent                           // to Other
	RecordReceived                       // from Other
	RecordSupplied                       // by command
	RecordUnsupplied
	RecordBorrowed // by command or by itself
	RecordRepaid
	RecordLiquidation // a position or amount that a liquidation asks for or takes: see Event
)

// record is one thing that happened to an account. Which fields count depends on kind.
type record struct {
	prev    uint32 // number of the account's record before
	account uint32
	market  uint32 // perp or spot slot, or NoSlot
	token   uint32
	other   uint32 // account
	wallets [2]uint16
	kind    RecordKind
	event   EventKind // of a liquidation
	rule    Rule
	upTo    uint32 // funding: payments of the perp that are in it
	seq     uint64
	timeMs  int64
	amount  i128  // paid funding (positive: by the holder), interest, or what moved
	second  i128  // funding: size; interest: scaled; else by kind
	basis   i128  // interest: principal before
	more    i128  // interest settled again within the same hour
	from    int64 // funding: cumulative funding before
	index   index // interest: at the settlement
}

// recordRing keeps the newest records of all accounts of a shard, chained by account.
type recordRing struct {
	rows []record
	last []uint32 // number of each account's newest record, 0 = none
	next uint32   // number of the next record; 0 names none
}

func newRecordRing(accounts uint32) recordRing {
	return recordRing{
		rows: make([]record, min(RecordsKept, recordsPerAccount*max(accounts, 8))), last: make([]uint32, accounts), next: 1,
	}
}

// add returns the place for an account's next record.
func (r *recordRing) add(local, slot uint32) *record {
	x := &r.rows[r.next%uint32(len(r.rows))]
	*x = record{prev: r.last[local], account: slot, market: NoSlot, token: NoSlot, other: NoAccount}
	r.last[local] = r.next
	if r.next++; r.next == 0 {
		r.next = 1
	}
	return x
}

// at returns record n of an account, or nil when it is no longer kept.
func (r *recordRing) at(n, slot uint32) *record {
	if n == 0 || r.next-n > uint32(len(r.rows)) {
		return nil
	}
	x := &r.rows[n%uint32(len(r.rows))]
	if x.account != slot {
		return nil
	}
	return x
}

// record adds a record of an account of this shard.
func (m *Machine) record(slot uint32, kind RecordKind) *record {
	x := m.past.records.add(slot/m.cfg.Shards, slot)
	x.kind, x.seq, x.timeMs = kind, m.seq, m.timeMs
	return x
}

// recordFunds notes what moves into or out of an account by command.
func (m *Machine) recordFunds(slot uint32, kind RecordKind, c *Command, amount i128) {
	if m.isScratch {
		return
	}
	x := m.record(slot, kind)
	x.token, x.amount, x.wallets = c.Token(), amount, c.Wallets
	x.second = m.recordedValue(amount, c.Token())
	x.basis = m.past.settledWith(x)
	switch kind { //nolint:exhaustive // transfers only have another side
	case RecordSent:
		x.other = c.Other()
	case RecordReceived:
		x.other = c.Account()
	}
}

// recordedValue returns what an amount is worth in the numeraire, rounded down; 0 when that is
// not known or passes 128 bits: a record refuses nothing.
func (m *Machine) recordedValue(amount i128, token uint32) i128 {
	from, to := &m.tokens[token], &m.tokens[m.numeraire]
	num, ok := fixedpoint.I128(from.oracleE10).MulPow10(to.wei)
	den, ok2 := fixedpoint.I128(to.oracleE10).MulPow10(from.wei)
	if !ok || !ok2 || num.IsZero() || den.IsZero() {
		return i128{}
	}
	if token == m.numeraire {
		return amount
	}
	v, ok := amount.MulDivFloor128(num, den)
	if !ok {
		return i128{}
	}
	return v
}

// recordFunding notes the funding that a position is about to settle.
func (m *Machine) recordFunding(slot uint32, a *account, perpSlot uint16) {
	i := m.positions.find(&a.positions, perpSlot)
	if i < 0 || m.isScratch {
		return
	}
	p, t, size := &m.perps[perpSlot], &m.positions.terms[i], m.positions.size[i]
	if size == 0 || t.cumE12 == p.cumE12 {
		return
	}
	x := m.record(slot, RecordFunding)
	x.market, x.from, x.upTo = uint32(perpSlot), t.cumE12, m.past.funding[perpSlot].count
	x.second.Lo = uint64(size)
	x.second.Hi = size >> 63
	x.amount = fundingOwed(p, size, t.cumE12, p.cumE12)
}

// recordInterest notes the interest of a balance that is about to change what it lends or
// owes. Of one account and token an hour has one record or two.
func (m *Machine) recordInterest(slot uint32, b *balance) {
	if b.lend.IsZero() || m.isScratch {
		return
	}
	grown := m.supplied(b).Sub(m.debt(b)).Sub(b.basis)
	if grown.IsZero() {
		return
	}
	m.past.settled = settlement{seq: m.seq, account: slot, token: uint32(b.key), amount: grown}
	const look = 4 // records back: a portfolio account has few tokens
	r := &m.past.records
	for n, left := r.last[slot/m.cfg.Shards], look; left > 0; left-- {
		x := r.at(n, slot)
		if x == nil || x.timeMs/hourMs != m.timeMs/hourMs {
			break
		}
		if x.kind == RecordInterest && x.token == uint32(b.key) && (x.second.Sign() < 0) == (b.lend.Sign() < 0) {
			x.more = x.more.Add(grown)
			return
		}
		n = x.prev
	}
	x := m.record(slot, RecordInterest)
	x.token, x.amount, x.second, x.basis = uint32(b.key), grown, b.lend, b.basis
	p := &m.pools[m.tokens[b.key].pool]
	if x.index = p.supplyIndex; b.lend.Sign() < 0 {
		x.index = p.debtIndex
	}
}

// settlement is the interest that was settled last.
type settlement struct {
	seq     uint64
	account uint32
	token   uint32
	amount  i128
}

// settledWith returns the interest that was settled with what a record tells.
func (p *past) settledWith(x *record) i128 {
	if s := &p.settled; s.seq == x.seq && s.account == x.account && s.token == x.token {
		return s.amount
	}
	return i128{}
}

// recordEvent notes what an event of an account belongs to its ledger.
func (m *Machine) recordEvent(e *Event) {
	var kind RecordKind
	switch e.Kind { //nolint:exhaustive // the rest is no ledger's affair
	case EventBorrowed:
		kind = RecordBorrowed
	case EventRepaid:
		kind = RecordRepaid
	case EventLiquidationStarted, EventLiquidationOrder, EventBackstopTakeover, EventADL, EventLossCovered:
		kind = RecordLiquidation
	default:
		return
	}
	if m.isScratch || !m.owns(e.Account) || e.Rule == RuleBackstopTWAP {
		return
	}
	x := m.record(e.Account, kind)
	x.market, x.token, x.amount, x.second, x.event, x.rule = e.Market, e.Token, e.Amount, e.Amount2, e.Kind, e.Rule
	x.basis = m.past.settledWith(x)
}
