package risk

// SimulateMax bounds the commands of one simulation: they run between two groups of the
// shard, which waits.
const SimulateMax = 64

// SimulationView is what a simulation found: the account before its commands and after
// them, the answer to each, and the events it would have told.
type SimulationView struct {
	Before, After AccountView
	Answers       []Event // one EventResult a command, in order
	Events        []Event // of accepted commands, in order; N counts within each
}

// CanSimulate reports whether a kind of command concerns one account alone, or prices and
// time, and so can be simulated. Of a transfer to somebody else only the sender's side is.
func CanSimulate(k Kind) bool {
	switch k { //nolint:exhaustive // the others change what all share, or several accounts
	case KindSetMode, KindDeposit, KindWithdraw, KindTransfer, KindSupply, KindUnsupply, KindBorrow, KindRepay, KindSetLeverage,
		KindIsolatedMargin, KindOrder, KindModify, KindCancel, KindCancelAll, KindTrigger, KindFill, KindPrices, KindClock:
		return true
	default:
		return false
	}
}

// Simulate applies groups (at most SimulateMax, of kinds that CanSimulate, on this account)
// to a copy of an account of m and fills v; m is as it was when it returns. The pool totals
// of other shards are those that SetForeign gave last. False when the account is not open on
// this shard.
func (s *Scratch) Simulate(m *Machine, slot uint32, groups []Command, v *SimulationView) bool {
	v.Answers, v.Events = v.Answers[:0], v.Events[:0]
	if !s.enter(m, slot, ordersToo) {
		return false
	}
	defer s.leave()
	s.m.ReadAccount(slot, &v.Before)
	for len(groups) > 0 && len(v.Answers) < SimulateMax {
		group := groups[:min(int(groups[0].GroupLeft)+1, len(groups))]
		groups = groups[len(group):]
		v.Answers = append(v.Answers, s.try(group))
		for _, e := range s.m.events {
			if e.Kind != EventResult {
				v.Events = append(v.Events, e)
			}
		}
	}
	s.m.ReadAccount(slot, &v.After)
	return true
}

// try runs one group as Do does and returns its answer.
func (s *Scratch) try(group []Command) Event {
	w, c := s.m, &group[0]
	c.Seq = w.seq
	if !CanSimulate(c.Kind) || hasAccount(c.Kind) && !w.owns(c.Account()) {
		w.events = w.events[:0]
		return Event{
			Kind: EventResult, Reason: ReasonUnknownAccount, Account: c.Account(), Market: NoSlot, Token: NoSlot, TimeMs: w.timeMs,
		}
	}
	s.save(group)
	var reason Reason
	if w.Plan(group) == PlanJoint {
		reason = w.doJoint(group).Reason
	} else {
		if reason = w.begin(group); reason == ReasonNone {
			reason = w.dispatch(group)
		}
		w.end(group, reason)
	}
	answer := w.answer
	answer.Reason, answer.Seq, answer.TimeMs = reason, w.seq, w.timeMs
	return answer
}

// save notes what a group may write of the shared tables.
func (s *Scratch) save(group []Command) {
	switch group[0].Kind { //nolint:exhaustive // the others write the account's own alone
	case KindFill:
		s.savePerp(group[0].Market())
	case KindPrices:
		s.ownTokens()
		for g := range group {
			for i := range min(int(group[g].Mode), len(group[g].Ref)) {
				switch slot := group[g].Ref[i]; group[g].PriceKindAt(i) {
				case PriceMark, PriceOracle:
					s.savePerp(slot)
				case PriceSpot:
					s.saveSpot(slot)
				case PriceTokenOracle:
				}
			}
		}
	}
}
