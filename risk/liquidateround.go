package risk

import (
	"cmp"
	"slices"

	"plimsoll/fixedpoint"
)

// A group in which accounts are due in liquidation goes on in rounds after its pool requests
// are granted. In each, every shard says what it asks, and all of them compute the same from
// the merged list:
//
//	0  who is due, with their ratios     ► the order of all; each shard decides its own
//	1  deficits, legs, margin, borrows   ► the buffer pays, the liquidator takes; or:
//	2  who stands against a leg          ► legs are allocated by ranking (adl.go)
//	3  what the pools are asked for      ► granted, as after any command
//
// Rounds 2 and 3 are left out when there is nothing for them.
const (
	roundGrants = iota
	roundMoves
	roundAllocation
	roundPools
)

// deficit is a loss of a book that its account cannot bear.
type deficit struct {
	rank, account, n uint32
	token            uint32
	dexes            uint32
	isolated         bool
	isPaid           bool // by the buffer: the liquidator takes the legs
	loss             i128
	gained           i128 // by closing at the price before: signed
	total            i128 // notional to close against others
	closed           i128 // of that, closed
	paid             i128 // by the buffer
	shares           int  // where those closed against stand in Machine.shares
	sharesEnd        int
}

// nextRound works off one round of a joint group.
func (m *Machine) nextRound(requests []Request) (next []Request, isMore bool) {
	switch m.round {
	case roundGrants:
		return m.grantRound(requests)
	case roundMoves:
		return m.moveRound(requests)
	case roundAllocation:
		m.allocate(requests)
		return m.poolRound()
	default:
		m.grantMore(requests)
		m.finishJoined()
		return nil, false
	}
}

// grantRound grants what pools are asked for, and has the accounts that are due decided.
func (m *Machine) grantRound(requests []Request) (next []Request, isMore bool) {
	pools := 0
	for pools < len(requests) && requests[pools].Kind == RequestPool {
		pools++
	}
	m.ranking = append(m.ranking[:0], requests[pools:]...)
	m.isExhausted = slices.ContainsFunc(m.ranking, func(r Request) bool { return r.Token == isExhausted })
	due := slices.DeleteFunc(m.ranking, func(r Request) bool { return r.Token == isExhausted })
	if pools > 0 || len(due) > 0 {
		m.openSums()
	}
	m.grantMore(requests[:pools])
	m.finishJoined()
	if len(due) == 0 {
		return nil, false
	}
	slices.SortFunc(due, func(a, b Request) int { return cmp.Or(b.Out.Cmp(a.Out), cmp.Compare(a.Account, b.Account)) })
	m.joined, m.askBuf = m.joined[:0], m.askBuf[:0]
	limit, sum := m.backstopLimit(), i128{}
	for rank := range due {
		if m.accountAt(due[rank].Account) != nil {
			m.decide(uint32(rank), due[rank].Account, limit.IsZero() || sum.Less(limit))
		}
		sum = sum.Add(due[rank].In)
	}
	m.round = roundMoves
	return m.askBuf, true
}

// openSums values every pool as of before the group.
func (m *Machine) openSums() {
	for i := range m.pools {
		m.sums[i] = m.pools[i].sumsOf(m.base[i])
	}
}

// moveRound covers deficits from the buffer as far as it goes, gives the liquidator what it
// takes, and looks for who stands against the rest.
func (m *Machine) moveRound(requests []Request) (next []Request, isMore bool) {
	m.deficits, m.needs = m.deficits[:0], m.needs[:0]
	for i := range requests {
		switch r := &requests[i]; r.Kind {
		case RequestDeficit:
			m.openDeficit(r)
		case RequestLeg:
			m.takeLeg(r)
		case RequestMargin:
			m.takeMargin(r)
		case RequestSupply:
			m.takeSupply(r)
		case RequestRepay:
			m.takeDebt(r)
		case RequestPool, RequestDue, RequestCandidate:
		}
	}
	if len(m.needs) > 0 {
		m.askBuf = m.candidates(m.askBuf[:0])
		m.round = roundAllocation
		return m.askBuf, true
	}
	return m.poolRound()
}

// openDeficit notes a loss; the buffer pays it when it can pay all of it and there is an
// account to take the positions. Where nothing is open any more there is nobody to close
// against: then the buffer pays what it can, and the liquidator the rest.
func (m *Machine) openDeficit(r *Request) {
	d := deficit{
		rank: r.Rank, account: r.Account, n: r.N, token: r.Token, dexes: r.Market, isolated: r.Size >= 0, loss: r.Out,
	}
	has := m.bufferOf(r.Token)
	switch isOpen := r.Price > 0; {
	case r.PriceBefore == isForBackstop && !has.Less(r.Out):
		d.isPaid, d.paid = true, r.Out
	case !isOpen:
		d.isPaid, d.paid = true, fixedpoint.MinI128(r.Out, has)
	}
	m.payFromBuffer(&d, d.paid)
	m.creditLoss(&d, int(r.Size), d.paid)
	if rest := d.loss.Sub(d.paid); d.isPaid && rest.Sign() > 0 && m.hasBackstop() {
		m.creditLoss(&d, int(r.Size), rest)
		m.payBackstop(r.Token, rest)
		if m.accountAt(d.account) != nil {
			m.tellCover(&d, rest, RuleBackstop)
		}
	}
	m.deficits = append(m.deficits, d)
}

// payBackstop takes an amount from the liquidator's idle cash.
func (m *Machine) payBackstop(token uint32, amount i128) {
	if a := m.accountAt(m.params.BackstopAccount); a != nil && !amount.IsZero() {
		m.touch(m.params.BackstopAccount)
		m.addCash(a, token, amount.Neg())
		m.join(m.params.BackstopAccount)
	}
}

// bufferOf returns what a token's buffer can pay: no more than its pool has in cash.
func (m *Machine) bufferOf(token uint32) i128 {
	n := m.tokens[token].pool
	if n < 0 {
		return i128{}
	}
	return nonNegative(fixedpoint.MinI128(m.pools[n].buffer, m.sums[n].cash))
}

// payFromBuffer takes an amount out of a buffer, which every shard keeps, and out of the pool's
// cash, which is counted where the account lives.
func (m *Machine) payFromBuffer(d *deficit, amount i128) {
	n := m.tokens[d.token].pool
	if amount.Sign() <= 0 || n < 0 {
		return
	}
	m.pools[n].buffer, m.sums[n].cash = m.pools[n].buffer.Sub(amount), m.sums[n].cash.Sub(amount)
	if m.accountAt(d.account) != nil {
		m.own[n].Cash = m.own[n].Cash.Sub(amount)
		m.touched(n)
		m.tellCover(d, amount, RuleBuffer)
	}
}

// tellCover tells that part of a loss was covered.
func (m *Machine) tellCover(d *deficit, amount i128, rule Rule) {
	m.emit(Event{
		Kind: EventLossCovered, Phase: phaseLiquidation, Rank: uint64(d.rank), Account: d.account, Market: NoSlot, Token: d.token,
		Amount: amount, Amount2: d.loss, Decimals: m.tokens[d.token].wei, Rule: rule,
	})
}

// creditLoss puts what covers a loss where the loss stands: into the isolated position at
// place, or the cash of the first dex of the book.
func (m *Machine) creditLoss(d *deficit, place int, amount i128) {
	a := m.accountAt(d.account)
	if a == nil || amount.IsZero() {
		return
	}
	m.join(d.account)
	if d.isolated {
		t := &m.positions.terms[place]
		if v, ok := fixedpoint.I128(t.raw).Add(amount).Int64(); ok {
			t.raw = v
			return
		}
	}
	m.addRaw(a, lowestDex(d.dexes), amount)
}

func lowestDex(dexes uint32) uint16 {
	n := uint16(0)
	for dexes>>n&1 == 0 {
		n++
	}
	return n
}

// takeLeg closes a position against the liquidator, or notes that others must stand against it.
func (m *Machine) takeLeg(r *Request) {
	if r.Token != NoSlot {
		at, _ := slices.BinarySearchFunc(m.deficits, r, func(d deficit, r *Request) int {
			return cmp.Or(cmp.Compare(d.rank, r.Rank), cmp.Compare(d.n, r.Token))
		})
		if m.deficits[at].isPaid && r.Account == m.params.BackstopAccount {
			return // the buffer has made the liquidator whole: it keeps its position
		}
		if !m.deficits[at].isPaid {
			m.needs = append(m.needs, need{deficit: at, market: r.Market, size: r.Size, price: r.PriceBefore, mark: r.Price})
			return
		}
	}
	m.bookLeg(r.Account, r.Market, -r.Size, r.Price)
	m.bookLeg(m.params.BackstopAccount, r.Market, r.Size, r.Price)
	m.took(r.Market, fixedpoint.I128(r.Size))
}

// bookLeg books one side of a position that changes hands, if its account lives here.
func (m *Machine) bookLeg(slot, market uint32, delta, price int64) {
	a := m.accountAt(slot)
	if a == nil {
		return
	}
	l := leg{market: market, delta: delta, price: price, feeToken: m.perps[market].collateral}
	if m.closes(a, &l) || m.canFill(a, &l) {
		m.touch(slot)
		m.applyLeg(a, slot, &l)
		m.join(slot)
		m.wake(slot / m.cfg.Shards) // who takes a leg may stand against another
	}
}

// takeMargin moves the cash of a book to the liquidator.
func (m *Machine) takeMargin(r *Request) {
	if a := m.accountAt(r.Account); a != nil {
		left := r.Out
		for n := uint16(0); n < DexesMax && left.Sign() != 0; n++ { // dexes that owe get from those that have
			if r.Market>>n&1 != 0 {
				have := m.rawOf(a, n)
				if a.mode == ModeStandard {
					have = left
				}
				m.addRaw(a, n, have.Neg())
				left = left.Sub(have)
			}
		}
		m.addCash(a, r.Token, left.Neg())
		m.join(r.Account)
	}
	if b := m.accountAt(m.params.BackstopAccount); b != nil {
		m.touch(m.params.BackstopAccount)
		m.creditMargin(b, r)
		m.join(m.params.BackstopAccount)
	}
}

// creditMargin gives margin to the liquidator: in standard mode to the wallet that the positions
// stand on.
func (m *Machine) creditMargin(b *account, r *Request) {
	if b.mode == ModeStandard {
		m.addRaw(b, lowestDex(r.Market), r.Out)
		return
	}
	m.addCash(b, r.Token, r.Out)
}

// rawOf returns the cash of a dex.
func (m *Machine) rawOf(a *account, dexSlot uint16) i128 {
	if dexSlot == 0 {
		return a.raw
	}
	if b := m.balanceOf(a, dexBit|dexSlot); b != nil {
		return b.cash
	}
	return i128{}
}

// takeSupply moves what an account has lent to the liquidator, as idle cash, which the
// liquidator lends again in the last round. No more than the pool has goes out.
func (m *Machine) takeSupply(r *Request) {
	sums := &m.sums[m.tokens[r.Token].pool]
	amount := fixedpoint.MinI128(r.Out, nonNegative(sums.cash))
	if amount.Sign() <= 0 {
		return
	}
	sums.cash, sums.supply = sums.cash.Sub(amount), nonNegative(sums.supply.Sub(amount))
	if a := m.accountAt(r.Account); a != nil {
		b := m.balanceFor(a, uint16(r.Token))
		m.recordInterest(r.Account, b)
		m.supplyOut(b, amount)
		b.cash = b.cash.Sub(amount)
		m.join(r.Account)
	}
	m.payBackstop(r.Token, amount.Neg())
	if r.Size == isCollateral {
		m.took(r.Token|SpotBit, amount)
	}
}

// isCollateral marks the request for supply that is to be sold: what is lent of the token that a
// book is settled in is not.
const isCollateral = 1

// takeDebt has the liquidator pay what an account owes, the buffer first what no collateral
// stands for.
func (m *Machine) takeDebt(r *Request) {
	buffered := fixedpoint.MinI128(r.In, m.bufferOf(r.Token))
	if n := m.tokens[r.Token].pool; n >= 0 {
		m.payFromBuffer(&deficit{rank: r.Rank, account: r.Account, token: r.Token, loss: r.In}, buffered)
		m.sums[n].cash, m.sums[n].debt = m.sums[n].cash.Add(r.Debt), nonNegative(m.sums[n].debt.Sub(r.Debt))
	}
	if a := m.accountAt(r.Account); a != nil {
		b := m.balanceFor(a, uint16(r.Token))
		b.cash = b.cash.Add(r.Out)
		if r.Debt.Sign() > 0 {
			m.recordInterest(r.Account, b)
			m.repayIn(b, r.Debt)
		}
		m.join(r.Account)
	}
	m.payBackstop(r.Token, r.Out.Sub(buffered))
}

// poolRound asks the pools for all accounts that were touched.
func (m *Machine) poolRound() (next []Request, isMore bool) {
	slices.Sort(m.joined)
	m.joined = slices.Compact(m.joined)
	requests := m.wishBuf[:0]
	for _, slot := range m.joined {
		if a := m.accountAt(slot); a.mode != ModeStandard {
			requests = m.wishes(slot, a, m.evaluate(a), 0, requests)
		}
	}
	m.wishBuf = requests
	m.round = roundPools
	return requests, true
}
