package risk

// Detect says how a tick finds the accounts whose state may have changed. It changes no
// outcome: events and state hash are the same either way.
type Detect uint8

// Ways to detect.
const (
	DetectBands Detect = iota // safe bands: only accounts whose band a price has left are looked at
	DetectSweep               // an exact pass over all accounts at every tick
)

// BandStats count what the bands of one shard do. All but Awake, Banded, Entries and Live
// only grow.
type BandStats struct {
	Awake    uint64 // accounts without a valid band, evaluated at every tick
	Banded   uint64 // accounts with one
	Entries  uint64 // in the price wheels, stale ones included
	Live     uint64 // of those, not stale
	Popped   uint64 // entries whose bound a price has passed
	Woken    uint64 // accounts evaluated by a tick that did not sweep
	Rebanded uint64 // bands computed
	Sweeps   uint64 // ticks that passed over all accounts
	Audited  uint64 // accounts compared with their bands
	Misses   uint64 // of those, found wrong: must stay 0
}

// Add adds the counts of another shard.
func (s *BandStats) Add(o *BandStats) {
	s.Awake, s.Banded, s.Entries, s.Live = s.Awake+o.Awake, s.Banded+o.Banded, s.Entries+o.Entries, s.Live+o.Live
	s.Popped, s.Woken, s.Rebanded, s.Sweeps = s.Popped+o.Popped, s.Woken+o.Woken, s.Rebanded+o.Rebanded, s.Sweeps+o.Sweeps
	s.Audited, s.Misses = s.Audited+o.Audited, s.Misses+o.Misses
}

// BandMiss is an account whose exact state differs from what its band claims: a defect.
type BandMiss struct {
	Account uint32
	Told    Health
	Exact   Health
}
