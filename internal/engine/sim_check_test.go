package engine

import (
	"math/rand/v2"
	"slices"
	"testing"

	"plimsoll/fixedpoint"
	"plimsoll/internal/journal"
	"plimsoll/risk"
)

// groupAt returns group n of a batch.
func groupAt(batch []risk.Command, n int) []risk.Command {
	for at := 0; at < len(batch); n-- {
		size := int(batch[at].GroupLeft) + 1
		if n == 0 {
			return batch[at : at+size]
		}
		at += size
	}
	return nil
}

func compareOutcomes(t *testing.T, what string, h script, got, want *outcome) {
	t.Helper()
	for b := range want.results {
		for i := range want.results[b] {
			if got.results[b][i] != want.results[b][i] {
				t.Errorf("%s: batch %d result %d\n got %+v\nwant %+v\n for %+v", what, b, i, got.results[b][i],
					want.results[b][i], groupAt(h[b], i))
				return
			}
		}
	}
	for i := range min(len(got.events), len(want.events)) {
		if got.events[i] != want.events[i] {
			t.Errorf("%s: event %d = %+v, want %+v", what, i, got.events[i], want.events[i])
			return
		}
	}
	if len(got.events) != len(want.events) {
		t.Errorf("%s: %d events, want %d", what, len(got.events), len(want.events))
	}
	if got.hash != want.hash {
		t.Errorf("%s: state hash %x, want %x", what, got.hash, want.hash)
	}
}

// checkRepeats holds the results of a run against the plainest memory of ids there is.
func checkRepeats(t *testing.T, h script, got *outcome, cfg *Config) {
	t.Helper()
	type entry struct {
		id     idKey
		result Result
	}
	windows := make([][]entry, cfg.ClientsMax)
	for b, batch := range h {
		n := 0
		for i := range batch {
			c := &batch[i]
			if i > 0 && batch[i-1].GroupLeft > 0 {
				continue
			}
			r := got.results[b][n]
			n++
			if c.IDForm == risk.FormNone {
				if r.IsDuplicate {
					t.Errorf("batch %d group %d has no id and is called a repeat", b, n-1)
				}
				continue
			}
			w := windows[c.Client]
			if at := slices.IndexFunc(w, func(e entry) bool { return e.id == idOf(c) }); at >= 0 {
				want := w[at].result
				if want.IsDuplicate = true; r != want {
					t.Errorf("batch %d group %d: repeat got %+v, want %+v", b, n-1, r, want)
				}
				continue
			}
			if r.IsDuplicate {
				t.Errorf("batch %d group %d: first of its id is called a repeat", b, n-1)
			}
			windows[c.Client] = append(w, entry{idOf(c), r})[max(0, len(w)+1-cfg.IDWindow):]
		}
	}
	var sum fixedpoint.Hash128
	for client, w := range windows {
		for _, e := range w {
			sum = sum.Add(hashID(uint16(client), e.id))
		}
	}
	if sum != got.idHash {
		t.Errorf("hash of the remembered ids is %x, want %x", got.idHash, sum)
	}
}

// checkLedgers adds the ledgers of real machines up over all shards (rulings 14).
func (s *simulation) checkLedgers() {
	var sums []risk.Identity
	for _, shard := range s.engine.shards {
		if shard.real == nil {
			return
		}
		for i, id := range shard.real.ReadIdentities() {
			if i == len(sums) {
				sums = append(sums, risk.Identity{Token: id.Token})
			}
			sums[i].External, sums[i].Held = sums[i].External.Add(id.External), sums[i].Held.Add(id.Held)
		}
	}
	for _, sum := range sums {
		if sum.External != sum.Held {
			s.t.Errorf("token %d on %d shards: external %v, held %v", sum.Token, len(s.engine.shards), sum.External, sum.Held)
		}
	}
}

// simJournal syncs a frame or two when the seed says so.
type simJournal struct {
	rng     *rand.Rand
	frames  [][]risk.Command
	pending []uint64 // last Seq of frames not yet durable
	durable uint64
}

func (j *simJournal) Start(func()) {}

func (j *simJournal) Append(h *journal.Header, body []byte) error {
	frame := decodeBody(body)
	for i := range frame {
		if isMarker(&frame[i]) || frame[i].Ticket != 0 || frame[i].Seq == 0 {
			panic("a frame holds what no journal may")
		}
	}
	last := &frame[len(frame)-1]
	if last.GroupLeft != 0 {
		panic("a group spans frames")
	}
	if h.FirstSeq != frame[0].Seq || h.LastSeq != last.Seq || int(h.Count) != len(frame) || h.TimeMs != last.TimeMs {
		panic("a header does not fit its frame")
	}
	j.frames = append(j.frames, frame)
	j.pending = append(j.pending, last.Seq)
	h.Number = uint64(len(j.frames))
	return nil
}

// decodeBody reads the records of a frame.
func decodeBody(body []byte) []risk.Command {
	records := make([]risk.Command, len(body)/risk.CommandSize)
	for i := range records {
		risk.DecodeCommand(body[i*risk.CommandSize:], &records[i])
	}
	return records
}

func (j *simJournal) Durable() (uint64, error) {
	for len(j.pending) > 0 && j.rng.IntN(3) == 0 {
		j.durable, j.pending = j.pending[0], j.pending[1:]
	}
	return j.durable, nil
}

// replay feeds journaled frames to a fresh engine and reads what came out.
func replay(t *testing.T, frames [][]risk.Command, shards int, build house, cfg *Config) *outcome {
	t.Helper()
	c := *cfg
	c.Shards, c.IngressSlots, c.EventHistory = shards, max(c.IngressSlots, powerOfTwo(64)), 1024
	c.Journal = NoJournal{}
	c.Detect = risk.DetectSweep - c.Detect // as the run did not
	e := wire(c, build(&c))
	s := &simulation{t: t, rng: rand.New(rand.NewPCG(1, 1)), engine: e}
	for _, frame := range frames {
		if err := e.Replay(frame); err != nil {
			t.Error(err)
			return &s.out
		}
		s.follow()
	}
	s.out.hash = e.egress.idHash
	for _, shard := range e.shards {
		s.out.hash = s.out.hash.Add(shard.m.StateHash())
	}
	return &s.out
}
