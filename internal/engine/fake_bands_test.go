package engine

import (
	"slices"

	"plimsoll/risk"
)

// fakeBands is what the fake machine has of bands: an account is poor when it owes more
// than it has, and whoever becomes so, or recovers, is told of it. A deaf machine forgets to
// tell some accounts, as one whose bands are wrong would.
type fakeBands struct {
	told     []bool // by place in accounts
	awake    []bool
	unbanded []int // the awake ones
	touched  []int // by the group under way
	audited  int
	isOpen   bool // a group is under way: nothing may come between
	isDeaf   bool
	stats    risk.BandStats
}

func (a *fakeAccount) isPoor() bool {
	var net int64
	for p := range fakePools {
		net += a.cash[p] - a.debt[p]
	}
	return net < 0
}

// tellHealth tells the accounts that became poor or recovered in this group.
func (m *fakeMachine) tellHealth(c *risk.Command) {
	if a := m.account(c.Account()); a != nil && c.Kind == risk.KindRecheck {
		m.touched = append(m.touched, m.indexOf(a))
	}
	slices.Sort(m.touched)
	for _, i := range m.touched {
		slot := uint32(i)*m.shards + m.shard
		poor := m.accounts[i].isPoor()
		if poor == m.told[i] || m.isDeaf && slot%3 == 0 && (c.Kind != risk.KindRecheck || c.Account() != slot) {
			continue
		}
		m.told[i] = poor
		m.events = append(m.events, risk.Event{
			Seq: m.seq, Kind: risk.EventHealthChanged, Phase: 4, Rank: uint64(slot), Account: slot, To: fakeHealth(poor),
		})
	}
}

func fakeHealth(poor bool) risk.Health {
	if poor {
		return risk.HealthLiquidatable
	}
	return risk.HealthHealthy
}

// wakeUp takes an account's band away.
func (m *fakeMachine) wakeUp(i int) {
	if !m.awake[i] {
		m.awake[i] = true
		m.unbanded = append(m.unbanded, i)
	}
}

func (m *fakeMachine) between() {
	if m.isOpen {
		panic("fake: bands are tended within a group")
	}
}

func (m *fakeMachine) HasBandWork() bool { return len(m.unbanded) > 0 }

func (m *fakeMachine) BandStep(accounts int) bool {
	m.between()
	n := min(accounts, len(m.unbanded))
	rest := len(m.unbanded) - n
	for _, i := range m.unbanded[rest:] {
		m.awake[i] = false
	}
	m.unbanded = m.unbanded[:rest]
	m.stats.Rebanded += uint64(n)
	return len(m.unbanded) > 0
}

func (m *fakeMachine) AuditStep(accounts int, dst []risk.BandMiss) ([]risk.BandMiss, bool) {
	m.between()
	for range accounts {
		if m.audited == len(m.accounts) {
			m.audited = 0
			return dst, true
		}
		i := m.audited
		m.audited++
		m.stats.Audited++
		if poor := m.accounts[i].isPoor(); poor != m.told[i] {
			m.stats.Misses++
			dst = append(dst, risk.BandMiss{
				Account: uint32(i)*m.shards + m.shard, Told: fakeHealth(m.told[i]), Exact: fakeHealth(poor),
			})
		}
	}
	return dst, false
}

func (m *fakeMachine) BandCounts() risk.BandStats {
	s := m.stats
	s.Awake, s.Entries = uint64(len(m.unbanded)), uint64(len(m.accounts))
	return s
}

// deaf makes machines whose bands are wrong.
func deaf(cfg *Config) []machine {
	machines := fakeHouse(cfg)
	for _, m := range machines {
		m.(*fakeMachine).isDeaf = true
	}
	return machines
}
