package engine

import "plimsoll/risk"

// readsTotals in Command.Mode of a kindRead marker asks for the pool totals as well.
const readsTotals = 1

// ReadTotals is Read for an fn that also needs the pool totals of the other shards: they
// are set, as of this place in the order, before fn runs. The shard waits for the others
// as it does for a command that decides on a pool.
func (e *Engine) ReadTotals(account uint32, fn func(m *risk.Machine)) (seq uint64, err error) {
	marker := risk.Command{Kind: kindRead, Mode: readsTotals}
	marker.Ref[risk.RefAccount] = account
	seq, _, err = e.read(&marker, fn, nil)
	return seq, err
}

// canServe reports whether a marker may be served now. It waits like a group with
// risk.PlanTotals: the smallest waiting place can always proceed, so nothing deadlocks.
func (s *shard) canServe(head *risk.Command) bool {
	if head.Kind != kindRead || head.Mode != readsTotals || len(s.all) == 1 || int(head.Account())%len(s.all) != s.index {
		return true
	}
	s.flush() // the others may wait for what is done and not yet shown
	if !s.othersReached(doneCursor, s.pos) {
		return false
	}
	s.setForeign()
	return true
}
