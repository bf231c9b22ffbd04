package risk

import "cmp"

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
		case KindClock:
			reason = m.clockVerdict(&group[0])
		default:
			reason = ReasonLimitExceeded
		}
	}
	v := Verdict{Reason: reason}
	if m.answer.Flags&EventHasAmounts != 0 {
		v.Required, v.Available, v.Decimals, v.HasAmounts = m.answer.Amount, m.answer.Amount2, m.answer.Decimals, true
	}
	v.Field, v.Rule, v.NoOrder = m.answer.Field, m.answer.Rule, m.answer.Flags&EventUnknownOrder != 0
	v.NoCause = m.answer.Flags&EventUnknownLiquidation != 0
	return v
}

// Combine returns the verdict of all shards: the first in order of precedence; of equal
// ones the one that carries amounts.
func Combine(verdicts []Verdict) Verdict {
	var out Verdict
	noOrder, noCause := false, false
	for _, v := range verdicts {
		noOrder, noCause = noOrder || v.NoOrder, noCause || v.NoCause
		switch {
		case v.Reason != ReasonNone && (out.Reason == ReasonNone || v.Reason < out.Reason),
			v.Reason == out.Reason && v.HasAmounts && !out.HasAmounts:
			out = v
		}
	}
	out.NoOrder, out.NoCause = noOrder, noCause
	return out
}

// Prepare applies this shard's part of a joint group, or nothing when v refuses it, and
// returns what its accounts ask of the pools.
func (m *Machine) Prepare(group []Command, v Verdict) []Request {
	m.answer.Field, m.answer.Rule, m.answer.Reason = v.Field, v.Rule, v.Reason
	m.answer.Flags &^= EventHasAmounts | EventUnknownOrder | EventUnknownLiquidation
	m.answer.Amount, m.answer.Amount2, m.answer.Decimals = i128{}, i128{}, 0
	if v.NoOrder {
		m.answer.Flags |= EventUnknownOrder
	}
	if v.NoCause {
		m.answer.Flags |= EventUnknownLiquidation
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
	case KindClock:
		return m.clockPrepare()
	default:
		return m.pricesPrepare(group)
	}
}

// Finish takes the requests of all shards, merged in order. Mostly it grants them and closes
// the group. When accounts are due in liquidation it goes on in rounds (liquidateround.go):
// isMore, the same on every shard, says that next must be merged and Finish be asked again.
func (m *Machine) Finish(group []Command, requests []Request) (next []Request, isMore bool) {
	if reason := m.answer.Reason; reason != ReasonNone {
		m.end(group, reason)
		return nil, false
	}
	if next, isMore = m.nextRound(requests); !isMore {
		if kind := group[0].Kind; kind == KindPrices || kind == KindClock {
			m.sellTaken()
		}
		m.end(group, ReasonNone)
	}
	return next, isMore
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

// CompareRequests orders the requests of a joint group: Kind, Rank, Account, N, Token. Among
// the shards' requests of one round no two are equal.
func CompareRequests(a, b Request) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Rank, b.Rank), cmp.Compare(a.Account, b.Account),
		cmp.Compare(a.N, b.N), cmp.Compare(a.Token, b.Token))
}
