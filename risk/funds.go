package risk

import "plimsoll/fixedpoint"

// wallet resolves where funds of an account stand: spot cash, or the cash of a dex. Only
// standard accounts have more than one wallet.
func (m *Machine) wallet(a *account, code uint16, tokenSlot uint32) (dexSlot uint16, isPerp bool, reason Reason) {
	switch {
	case a.mode != ModeStandard:
		return 0, false, ReasonNone
	case uint32(code) == WalletDefault:
		return 0, m.dexes[0].isListed && m.dexes[0].collateral == tokenSlot, ReasonNone
	case uint32(code) == WalletSpot:
		return 0, false, ReasonNone
	}
	n := code - uint16(WalletPerp)
	if n >= DexesMax || !m.dexes[n].isListed {
		return 0, false, ReasonUnknownDex
	}
	if m.dexes[n].collateral != tokenSlot {
		return 0, false, ReasonInvalidAmount
	}
	return n, true, ReasonNone
}

// amountOf reads a positive amount of a token.
func (m *Machine) amountOf(c *Command, t *token) (i128, Reason) {
	v, ok := rescale128(c, 0, t.wei)
	if !ok || v.Sign() <= 0 {
		return v, m.refuseField(ReasonInvalidAmount, 0)
	}
	return v, ReasonNone
}

// credit adds funds to a wallet.
func (m *Machine) credit(a *account, dexSlot uint16, isPerp bool, tokenSlot uint32, v i128) {
	if isPerp {
		m.addRaw(a, dexSlot, v)
		return
	}
	m.addCash(a, tokenSlot, v)
}

func (m *Machine) deposit(c *Command) Reason {
	a, t := m.accountAt(c.Account()), m.tokenAt(c.Token())
	if a == nil {
		return ReasonUnknownAccount
	}
	if t == nil {
		return ReasonUnknownToken
	}
	n, isPerp, reason := m.wallet(a, c.Wallets[0], c.Token())
	if reason != ReasonNone {
		return reason
	}
	v, reason := m.amountOf(c, t)
	if reason != ReasonNone {
		return reason
	}
	m.credit(a, n, isPerp, c.Token(), v)
	m.external(c.Token(), v)
	m.recordFunds(c.Account(), RecordDeposit, c, v)
	m.rebalance(c.Account(), a)
	return ReasonNone
}

func (m *Machine) external(tokenSlot uint32, v i128) {
	l := m.tokenLedger(tokenSlot)
	l.external = l.external.Add(v)
}

func (m *Machine) withdraw(c *Command) Reason {
	a, t := m.accountAt(c.Account()), m.tokenAt(c.Token())
	if a == nil {
		return ReasonUnknownAccount
	}
	if t == nil {
		return ReasonUnknownToken
	}
	if a.flags&accountHalted != 0 || m.haltAll {
		return ReasonAccountHalted
	}
	n, isPerp, reason := m.wallet(a, c.Wallets[0], c.Token())
	if reason != ReasonNone {
		return reason
	}
	v, reason := m.amountOf(c, t)
	if reason != ReasonNone {
		return reason
	}
	if reason = m.removable(a, n, isPerp, c.Token(), v); reason != ReasonNone {
		return reason
	}
	m.credit(a, n, isPerp, c.Token(), v.Neg())
	m.external(c.Token(), v.Neg())
	m.recordFunds(c.Account(), RecordWithdraw, c, v)
	m.rebalance(c.Account(), a)
	return ReasonNone
}

// removable tests the transfer rule: what leaves an account by anything but a trade must
// leave max(initial margin, notional/10) behind, owes nothing, and is in the pool's cash.
func (m *Machine) removable(a *account, dexSlot uint16, isPerp bool, q uint32, v i128) Reason {
	wei := m.tokens[q].wei
	f := m.evaluate(a)
	if isPerp {
		d := f.dex(dexSlot)
		keep := fixedpoint.MaxI128(d.initial, d.crossNtl.DivCeil(10)).Add(d.orderMargin)
		m.weighed(RuleTransferMargin, v, nonNegative(d.crossValue.Sub(keep)), wei)
		switch {
		case f.unpriced:
			return ReasonPriceMissing
		case m.holdsOnStale(a):
			return ReasonPriceStale
		case d.crossValue.Sub(keep).Less(v):
			return ReasonInsufficientMargin
		}
		return ReasonNone
	}
	if a.mode == ModeStandard {
		free := m.cashOf(a, q).Sub(m.spotHeld(a, q))
		m.weighed(RuleSpotBalance, v, nonNegative(free), wei)
		if free.Less(v) {
			return ReasonInsufficientBalance
		}
		return ReasonNone
	}
	free := m.freeSpot(a, q)
	f = m.evaluate(a)
	m.weighed(RuleSpotBalance, v, nonNegative(free), wei)
	switch {
	case free.Less(v):
		return ReasonInsufficientBalance
	case f.unpriced && m.settles(f, q):
		return ReasonPriceMissing
	case m.holdsOnStale(a):
		return ReasonPriceStale
	case a.mode != ModePortfolio:
		return ReasonNone
	case q != m.numeraire && !m.coversWithout(a, f, q, v):
		m.answer.Rule = RuleTransferMargin
		return ReasonInsufficientMargin
	}
	return m.liquidFor(a, q, v)
}

// liquidFor tests that the pool can give back the supply that paying v takes.
func (m *Machine) liquidFor(a *account, q uint32, v i128) Reason {
	t := &m.tokens[q]
	b := m.balanceOf(a, uint16(q))
	if t.pool < 0 || b == nil {
		return ReasonNone
	}
	take := fixedpoint.MinI128(nonNegative(v.Add(m.spotHeld(a, q)).Sub(b.cash)), m.supplied(b))
	if m.pools[t.pool].sumsOf(m.totalsOf(int(t.pool))).cash.Less(take) {
		return ReasonPoolIlliquid
	}
	return ReasonNone
}

// transferVerdict judges a transfer; the shard of the sender decides.
func (m *Machine) transferVerdict(c *Command) Reason {
	t := m.tokenAt(c.Token())
	switch {
	case !m.exists(c.Account()) || !m.exists(c.Other()):
		return ReasonUnknownAccount
	case t == nil:
		return ReasonUnknownToken
	}
	receiver := ReasonNone
	if to := m.accountAt(c.Other()); to != nil {
		_, _, receiver = m.wallet(to, c.Wallets[1], c.Token())
	}
	sender := m.senderVerdict(c, t)
	if receiver != ReasonNone && (sender == ReasonNone || receiver < sender) {
		m.answer.Flags &^= EventHasAmounts
		m.answer.Rule, m.answer.Field = RuleNone, 0
		return receiver
	}
	return sender
}

func (m *Machine) senderVerdict(c *Command, t *token) Reason {
	v, reason := m.amountOf(c, t)
	if reason != ReasonNone {
		return reason
	}
	a := m.accountAt(c.Account())
	if a == nil {
		return ReasonNone
	}
	if a.flags&accountHalted != 0 || m.haltAll {
		return ReasonAccountHalted
	}
	n, isPerp, reason := m.wallet(a, c.Wallets[0], c.Token())
	if reason != ReasonNone {
		return reason
	}
	if c.Account() == c.Other() {
		if k, toPerp, _ := m.wallet(a, c.Wallets[1], c.Token()); k == n && toPerp == isPerp {
			return ReasonInvalidAmount
		}
	}
	return m.removable(a, n, isPerp, c.Token(), v)
}

// transferPrepare moves this shard's part of a transfer and asks pools.
func (m *Machine) transferPrepare(c *Command) []Request {
	v, _ := m.amountOf(c, m.tokenAt(c.Token()))
	requests := m.wishBuf[:0]
	m.touchOwned(c.Account())
	m.touchOwned(c.Other())
	if a := m.accountAt(c.Account()); a != nil {
		n, isPerp, _ := m.wallet(a, c.Wallets[0], c.Token())
		m.credit(a, n, isPerp, c.Token(), v.Neg())
		m.external(c.Token(), v.Neg())
		m.recordFunds(c.Account(), RecordSent, c, v)
		if c.Account() != c.Other() {
			requests = m.wishes(c.Account(), a, m.evaluate(a), 0, requests)
			m.join(c.Account())
		}
	}
	if a := m.accountAt(c.Other()); a != nil {
		n, isPerp, _ := m.wallet(a, c.Wallets[1], c.Token())
		m.credit(a, n, isPerp, c.Token(), v)
		m.external(c.Token(), v)
		if c.Account() != c.Other() {
			m.recordFunds(c.Other(), RecordReceived, c, v)
		}
		requests = m.wishes(c.Other(), a, m.evaluate(a), 1, requests)
		m.join(c.Other())
	}
	m.wishBuf = requests
	return requests
}

// lend serves the explicit supply, unsupply, borrow and repay commands.
func (m *Machine) lend(c *Command) Reason {
	a, t := m.accountAt(c.Account()), m.tokenAt(c.Token())
	switch {
	case a == nil:
		return ReasonUnknownAccount
	case t == nil || t.pool < 0:
		return ReasonUnknownToken
	case (a.flags&accountHalted != 0 || m.haltAll) && c.Kind != KindRepay:
		return ReasonAccountHalted
	}
	if (c.Kind == KindBorrow || c.Kind == KindUnsupply) && a.mode == ModePortfolio && m.holdsOnStale(a) {
		return ReasonPriceStale
	}
	v := fixedpoint.I128(0)
	if !c.Has(FlagAll) {
		var reason Reason
		if v, reason = m.amountOf(c, t); reason != ReasonNone {
			return reason
		}
	}
	b := m.balanceOf(a, uint16(c.Token()))
	if b == nil {
		b = &m.noBalance // nothing there to lend or repay: only a borrow adds one
		*b = balance{key: uint16(c.Token())}
	}
	sums := m.pools[t.pool].sumsOf(m.totalsOf(int(t.pool)))
	var reason Reason
	switch c.Kind { //nolint:exhaustive // the four lending kinds only
	case KindSupply:
		reason = m.supply(c, a, b, t, v, sums)
	case KindUnsupply:
		reason = m.unsupply(c, a, b, v, sums)
	case KindBorrow:
		reason = m.borrow(c, a, b, t, v, sums)
	default:
		reason = m.repay(c, a, b, v)
	}
	if reason == ReasonNone {
		m.settled(c.Account(), a, m.evaluate(a))
	}
	return reason
}

func (m *Machine) lendingRequest(c *Command) *Request {
	return &Request{Account: c.Account(), Token: c.Token()}
}

func (m *Machine) supply(c *Command, a *account, b *balance, t *token, v i128, sums poolSums) Reason {
	free := b.cash.Sub(m.spotHeld(a, c.Token()))
	if c.Has(FlagAll) {
		v = nonNegative(free)
	}
	have := m.supplied(b)
	m.weighed(RuleSpotBalance, v, nonNegative(free), t.wei)
	switch {
	case free.Less(v) || v.Sign() == 0 || b.lend.Sign() < 0:
		return ReasonInsufficientBalance
	case t.userSupplyCap.Less(have.Add(v)):
		return ReasonUserSupplyCap
	case t.supplyCap.Less(sums.supply.Add(v)):
		return ReasonSupplyCap
	}
	m.recordInterest(c.Account(), b)
	m.supplyIn(b, v)
	m.recordFunds(c.Account(), RecordSupplied, c, v)
	m.tellLending(EventSupplied, m.lendingRequest(c), v, m.supplied(b))
	return ReasonNone
}

func (m *Machine) unsupply(c *Command, a *account, b *balance, v i128, sums poolSums) Reason {
	have := m.supplied(b)
	if c.Has(FlagAll) {
		v = have
	}
	m.weighed(RuleSpotBalance, v, have, m.tokens[c.Token()].wei)
	if have.Less(v) || v.Sign() == 0 {
		return ReasonInsufficientBalance
	}
	if a.mode == ModePortfolio && c.Token() != m.numeraire {
		if f := m.evaluate(a); !m.coversWithout(a, f, c.Token(), v.Add(nonNegative(b.cash))) {
			return ReasonInsufficientMargin
		}
	}
	if sums.cash.Less(v) {
		return ReasonPoolIlliquid
	}
	m.recordInterest(c.Account(), b)
	m.recordFunds(c.Account(), RecordUnsupplied, c, v)
	m.tellLending(EventUnsupplied, m.lendingRequest(c), m.supplyOut(b, v), m.supplied(b))
	return ReasonNone
}

func (m *Machine) borrow(c *Command, a *account, b *balance, t *token, v i128, sums poolSums) Reason {
	if !t.isBorrowable {
		return ReasonBorrowCap
	}
	var room i128
	if a.mode == ModePortfolio && b.lend.Sign() <= 0 { // nobody owes what it lends (decision 0004): nothing to borrow then
		f := m.evaluate(a)
		figs := m.tokenFiguresOf(a, f, c.Token())
		room = nonNegative(fixedpoint.MinI128(figs.C.Sub(figs.debt), figs.available().Add(b.cash)))
	}
	debt := m.debt(b)
	if c.Has(FlagAll) {
		v = fixedpoint.MinI128(room, t.userBorrowCap.Sub(debt))
		v = fixedpoint.MinI128(v, fixedpoint.MinI128(sums.cash, t.borrowCap.Sub(sums.debt)))
	}
	m.weighed(RuleBorrowCapacity, v, room, t.wei)
	switch {
	case room.Less(v) || v.Sign() <= 0:
		return ReasonInsufficientMargin
	case t.userBorrowCap.Less(debt.Add(v)):
		return ReasonUserBorrowCap
	case t.borrowCap.Less(sums.debt.Add(v)):
		return ReasonBorrowCap
	case sums.cash.Less(v):
		return ReasonPoolIlliquid
	}
	b = m.balanceFor(a, b.key)
	m.recordInterest(c.Account(), b)
	m.borrowOut(b, v)
	m.tellLending(EventBorrowed, m.lendingRequest(c), v, m.debt(b))
	return ReasonNone
}

func (m *Machine) repay(c *Command, a *account, b *balance, v i128) Reason {
	debt := m.debt(b)
	free := nonNegative(b.cash.Sub(m.spotHeld(a, c.Token())))
	if c.Has(FlagAll) {
		v = fixedpoint.MinI128(debt, free)
	}
	m.weighed(RuleSpotBalance, v, free, m.tokens[c.Token()].wei)
	if free.Less(v) || debt.Less(v) || v.Sign() <= 0 {
		return ReasonInsufficientBalance
	}
	m.recordInterest(c.Account(), b)
	m.tellLending(EventRepaid, m.lendingRequest(c), m.repayIn(b, v), m.debt(b))
	return ReasonNone
}
