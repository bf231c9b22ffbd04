package api

import (
	"slices"
	"sync"

	"plimsoll/fixedpoint"
	"plimsoll/internal/engine"
	"plimsoll/internal/journal"
	"plimsoll/risk"
)

// Engine is what this room asks of the pipeline. Read functions run on the shards' own
// goroutines, those of ReadAll at the same place in the order but at the same time: each
// writes to memory of its own shard and keeps nothing of the machine.
type Engine interface {
	// Submit has all records take consecutive places, or none (ErrBusy), and blocks until
	// each group is durable, applied and answered in results.
	Submit(records []risk.Command, results []engine.Result) error
	// Read runs fn on the shard that owns the account slot; seq is the place it follows.
	Read(account uint32, fn func(m *risk.Machine)) (seq uint64, err error)
	// ReadTotals is Read with the pool totals of the other shards set, as of that place.
	ReadTotals(account uint32, fn func(m *risk.Machine)) (seq uint64, err error)
	ReadAll(fn func(shard int, m *risk.Machine)) (seq uint64, err error)
	// EventsFrom returns a reader of the events that follow event n of seq, oldest first.
	EventsFrom(seq uint64, n uint32) (*engine.EventReader, error)
	// AwaitEvents blocks one goroutine until other than seen events are published, or
	// NudgeEvents is called.
	AwaitEvents(seen uint64) uint64
	NudgeEvents()
	// Totals counts all accounts at one place in the order, with those nearest to their line,
	// worst first. The view is shared and not to be changed; it may hold more of them.
	Totals(nearest int) (view *risk.TotalsView, seq uint64, err error)
	// WhatIf is Totals by a pass that values every account under a shock as well.
	WhatIf(shock risk.Shock) (view *risk.TotalsView, seq uint64, err error)
	StateHash() (hash fixedpoint.Hash128, seq uint64, err error)
	Status() engine.Status
	// Snapshot writes a snapshot and returns when it is published.
	Snapshot() (journal.SnapshotInfo, error)
}

// listing is what every shard knows alike: instruments, their prices and pools, copied at
// one place in the order.
type listing struct {
	seq    uint64
	timeMs int64
	tokens []risk.TokenView // by slot; those without a name are not listed
	perps  []risk.PerpView
	spots  []risk.SpotView
	dexes  []risk.DexInfo
	dir    *Directory

	tables []marginTable // margin tables beyond one tier, in order of their ids
	sums   []risk.Totals
}

// noToken stands for a slot that lists nothing.
var noToken risk.TokenView

// token returns the token of a slot; its name is empty when none is listed.
func (l *listing) token(slot uint32) *risk.TokenView {
	if slot < uint32(len(l.tokens)) {
		return &l.tokens[slot]
	}
	return &noToken
}

// perp returns the perp of a slot, or nil.
func (l *listing) perp(slot uint32) *risk.PerpView {
	i, ok := slices.BinarySearchFunc(l.perps, slot, func(p risk.PerpView, slot uint32) int {
		return int(p.Slot) - int(slot)
	})
	if !ok {
		return nil
	}
	return &l.perps[i]
}

// spot returns the spot market of a slot without its bit, or nil.
func (l *listing) spot(slot uint32) *risk.SpotView {
	for i := range l.spots {
		if l.spots[i].Slot == slot {
			return &l.spots[i]
		}
	}
	return nil
}

// dex returns the dex of a name, or nil. The main dex exists before it is listed.
func (l *listing) dex(name []byte) *risk.DexInfo {
	for i := range l.dexes {
		if l.dexes[i].Name == string(name) {
			return &l.dexes[i]
		}
	}
	if len(name) == 0 {
		return &risk.DexInfo{}
	}
	return nil
}

// dexPerps returns the perps of a dex in order of their index.
func (l *listing) dexPerps(dex uint32) []*risk.PerpView {
	var perps []*risk.PerpView
	for i := range l.perps {
		if l.perps[i].Dex == dex {
			perps = append(perps, &l.perps[i])
		}
	}
	slices.SortStableFunc(perps, func(a, b *risk.PerpView) int { return int(a.Index) - int(b.Index) })
	return perps
}

// readListing copies the listings. Pools are valued by shard 0 from the sums over all
// shards: with more than one shard that takes a second read, repeated while commands come
// in between, a few times at most.
func (s *Server) readListing() (*listing, error) {
	const tries = 4
	l := &listing{dir: s.dir}
	for range tries {
		sums, interest, at, err := s.readSums()
		if err != nil {
			return nil, err
		}
		l.seq, err = s.engine.Read(0, func(m *risk.Machine) {
			l.copyFrom(m, sums)
		})
		if err != nil {
			return nil, err
		}
		l.addOpenInterest(interest)
		if l.seq == at {
			break
		}
	}
	l.tables = marginTables(l.perps)
	return l, nil
}

// copyFrom copies everything but the open interest of other shards. It runs on shard 0.
func (l *listing) copyFrom(m *risk.Machine, sums []risk.Totals) {
	l.copyTokens(m, sums)
	l.perps, l.spots, l.dexes = m.ReadPerps(), m.ReadSpots(), m.ReadDexes()
}

// copyTokens copies the tokens and their pools. It runs on shard 0.
func (l *listing) copyTokens(m *risk.Machine, sums []risk.Totals) {
	if len(sums) < m.PoolCount() { // a pool was listed since: count our own shard's part
		sums = append(sums, m.ReadTotals(nil)[len(sums):]...)
	}
	l.timeMs, l.sums = m.TimeMs(), sums
	l.tokens = l.tokens[:0]
	for _, t := range m.ReadTokens(sums) {
		for uint32(len(l.tokens)) < t.Slot {
			l.tokens = append(l.tokens, risk.TokenView{Slot: uint32(len(l.tokens)), OraclePerp: risk.NoSlot})
		}
		l.tokens = append(l.tokens, t)
	}
}

// readSums returns the pool sums over all shards and the open interest by perp slot.
func (s *Server) readSums() (sums []risk.Totals, interest []risk.Amount, seq uint64, err error) {
	byShard := make([][]risk.Totals, s.shards)
	perps := make([][]risk.PerpView, s.shards)
	seq, err = s.engine.ReadAll(func(shard int, m *risk.Machine) {
		byShard[shard], perps[shard] = m.ReadTotals(nil), m.ReadPerps()
	})
	for shard, own := range byShard {
		for i, t := range own {
			if i == len(sums) {
				sums = append(sums, risk.Totals{})
			}
			sums[i] = sums[i].Add(t)
		}
		for _, p := range perps[shard] {
			for uint32(len(interest)) <= p.Slot {
				interest = append(interest, risk.Amount{})
			}
			interest[p.Slot].V = interest[p.Slot].V.Add(p.OpenInterest.V)
		}
	}
	return sums, interest, seq, err
}

func (l *listing) addOpenInterest(interest []risk.Amount) {
	for i := range l.perps {
		if slot := l.perps[i].Slot; slot < uint32(len(interest)) {
			l.perps[i].OpenInterest.V = interest[slot].V
		}
	}
}

// listingCache keeps the last listing for what does not move with prices: names, indices,
// decimals and weights. Whoever lists something through this server drops it.
type listingCache struct {
	mu      sync.Mutex
	version uint64
	kept    *listing
}

func (c *listingCache) drop() {
	c.mu.Lock()
	c.version++
	c.kept = nil
	c.mu.Unlock()
}

// static returns a listing whose names, indices and weights are in force.
func (s *Server) static() (*listing, error) {
	s.listings.mu.Lock()
	kept, version := s.listings.kept, s.listings.version
	s.listings.mu.Unlock()
	if kept != nil {
		return kept, nil
	}
	l, err := s.readListing()
	if err != nil {
		return nil, err
	}
	s.listings.mu.Lock()
	if s.listings.version == version {
		s.listings.kept = l
	}
	s.listings.mu.Unlock()
	return l, nil
}
