package risk

// Verdict is this shard's opinion on a joint group.
func (m *Machine) Verdict(group []Command) Verdict {
	reason := m.begin(group)
	for i := range m.pools {
		m.base[i] = m.totalsOf(i)
	}
	if reason == ReasonNone {
		switch group[0].Kind { //nolint:exhaustive // joint kinds only
		case KindTransfer:
			reason = m.transferVerdict(&group[0])
		case KindTrade:
			reason = m.tradeVerdict(group)
		case KindPrices:
			reason = m.pricesVerdict(group)
		default:
			reason = ReasonLimitExceeded
		}
	}
	v := Verdict{Reason: reason}
	if m.answer.Flags&EventHasAmounts != 0 {
		v.Required, v.Available, v.Decimals, v.HasAmounts = m.answer.Amount, m.answer.Amount2, m.answer.Decimals, true
	}
	v.Field, v.Rule, v.NoOrder = m.answer.Field, m.answer.Rule, m.answer.Flags&EventUnknownOrder != 0
	return v
}

// Combine returns the verdict of all shards: the first in order of precedence; of equal
// ones the one that carries amounts.
func Combine(verdicts []Verdict) Verdict {
	var out Verdict
	isUnknown := false
	for _, v := range verdicts {
		isUnknown = isUnknown || v.NoOrder
		switch {
		case v.Reason != ReasonNone && (out.Reason == ReasonNone || v.Reason < out.Reason),
			v.Reason == out.Reason && v.HasAmounts && !out.HasAmounts:
			out = v
		}
	}
	out.NoOrder = isUnknown
	return out
}

// Prepare applies this shard's part of a joint group, or nothing when v refuses it, and
// returns what its accounts ask of the pools.
func (m *Machine) Prepare(group []Command, v Verdict) []Request {
	m.answer.Field, m.answer.Rule, m.answer.Reason = v.Field, v.Rule, v.Reason
	m.answer.Flags &^= EventHasAmounts | EventUnknownOrder
	m.answer.Amount, m.answer.Amount2, m.answer.Decimals = i128{}, i128{}, 0
	if v.NoOrder {
		m.answer.Flags |= EventUnknownOrder
	}
	if v.HasAmounts {
		m.weighed(v.Rule, v.Required, v.Available, v.Decimals)
	}
	if v.Reason != ReasonNone {
		return nil
	}
	switch group[0].Kind { //nolint:exhaustive // joint kinds only
	case KindTransfer:
		return m.transferPrepare(&group[0])
	case KindTrade:
		return m.tradePrepare(group)
	default:
		return m.pricesPrepare(group)
	}
}

// Finish grants the requests of all shards, merged in order, and closes the group.
func (m *Machine) Finish(group []Command, requests []Request) {
	if reason := m.answer.Reason; reason != ReasonNone {
		m.end(group, reason)
		return
	}
	m.grantAll(requests)
	m.finishJoined()
	m.end(group, ReasonNone)
}

// finishJoined tops up and tells the accounts that a joint group touched.
func (m *Machine) finishJoined() {
	for _, slot := range m.joined {
		a := m.accountAt(slot)
		f := m.evaluate(a)
		if a.mode != ModeStandard {
			m.push(a, f)
		}
		m.settled(slot, a, f)
	}
}

// CompareRequests orders the requests of a joint group: Rank, Account, Token.
func CompareRequests(a, b Request) int {
	switch {
	case a.Rank != b.Rank:
		return int(a.Rank) - int(b.Rank)
	case a.Account != b.Account:
		if a.Account < b.Account {
			return -1
		}
		return 1
	default:
		return int(a.Token) - int(b.Token)
	}
}
