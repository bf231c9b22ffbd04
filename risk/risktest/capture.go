package risktest

import "plimsoll/risk"

// Captured is the state of machines as of one Seq, in the form that snapshots keep.
type Captured struct {
	Shared   []byte   // of one shard
	Shards   [][]byte // each shard's own section
	Accounts [][]byte // chunks of account records, in any order

	seq    uint64
	timeMs int64
}

// BeginCapture begins to capture the state as of now; Step goes on with it between groups.
func (s *Shards) BeginCapture() *Captured {
	c := &Captured{seq: s.seq, timeMs: s.timeMs}
	for i, m := range s.Machines {
		c.Shards = append(c.Shards, m.BeginCapture(nil))
		if i == 0 {
			c.Shared = m.AppendShared(nil)
		}
	}
	return c
}

// Step captures up to that many accounts of each machine, into chunks of about room bytes;
// true when all are captured.
func (c *Captured) Step(s *Shards, accounts, room int) bool {
	isDone := true
	for _, m := range s.Machines {
		chunk, isAll := m.Capture(make([]byte, 0, room), accounts)
		c.Accounts = append(c.Accounts, chunk)
		isDone = isDone && isAll
	}
	if isDone {
		for _, m := range s.Machines {
			m.EndCapture()
		}
	}
	return isDone
}

// Restore returns machines that stand where the captured ones stood.
func (c *Captured) Restore(shards, accountsMax uint32) (*Shards, error) {
	s := NewShards(shards, accountsMax)
	s.seq, s.timeMs = c.seq, c.timeMs
	for _, m := range s.Machines {
		if err := m.RestoreShared(c.Shared); err != nil {
			return nil, err
		}
	}
	for i, section := range c.Shards {
		if err := s.Machines[i%len(s.Machines)].RestoreShard(section); err != nil {
			return nil, err
		}
	}
	for i, m := range s.Machines {
		for _, chunk := range c.Accounts {
			if err := m.RestoreAccounts(chunk); err != nil {
				return nil, err
			}
		}
		if err := m.FinishRestore(); err != nil {
			return nil, err
		}
		s.published[i] = make([]risk.Totals, m.PoolCount())
		for _, pool := range m.ChangedPools() {
			s.published[i][pool] = m.OwnTotals(int(pool))
		}
	}
	return s, nil
}
