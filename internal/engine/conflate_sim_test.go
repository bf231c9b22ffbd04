package engine

import (
	"math/rand/v2"
	"testing"

	"plimsoll/risk"
)

const conflateSeedsDefault = 400

// conflateCounts tell that the runs met what they are there for.
type conflateCounts struct{ groups, parts, replaced, refused, ids, inBatch int }

// TestConflationSimulation runs histories full of ticks by the wall clock, on threads' rings
// in a drawn order of polling, and takes the journal for what happened: every command stands
// in it once and in the order in which it was sent, ticks that waited side by side stand in
// it as one, and a machine that gets every tick by itself answers each the same and ends at
// the same prices.
func TestConflationSimulation(t *testing.T) {
	var sum conflateCounts
	seeds := 0
	t.Run("risk", func(t *testing.T) {
		eachSeed(t, conflateSeedsDefault, func(t *testing.T, seed uint64) {
			t.Helper()
			simulateConflation(t, seed, tickHistory(seed), &sum)
			seeds++
		})
	})
	t.Cleanup(func() {
		t.Logf("%d seeds: %+v", seeds, sum)
		if seeds >= 50 && (sum.parts < 2*sum.groups || sum.groups == 0 || sum.replaced == 0 || sum.refused == 0 || sum.ids == 0 || sum.inBatch == 0) {
			t.Errorf("the simulator has lost its teeth: %+v", sum)
		}
	})
}

// tickHistory makes the history of a seed: bursts of ticks, good and bad, between batches of
// other commands that may begin and end with one.
func tickHistory(seed uint64) script {
	g := &generator{
		rng: rand.New(rand.NewPCG(seed, 0xC0F1)), timeMs: 1_700_000_000_000, price: [genPerps]int64{6_000_000, 300_000, 2_500, 100},
	}
	h := script{g.listings(), g.accounts()}
	for range 10 + g.rng.IntN(20) {
		for range g.rng.IntN(8) {
			h = append(h, g.anyTick())
		}
		var batch []risk.Command
		if g.coin(2) {
			batch = append(batch, g.anyTick()...)
		}
		for range g.rng.IntN(3) {
			batch = append(batch, g.command()...)
		}
		if len(batch) == 0 || g.coin(2) {
			batch = append(batch, g.anyTick()...)
		}
		h = append(h, batch)
	}
	return h
}

// anyTick draws a tick: some are refused, some carry an id or a time.
func (g *generator) anyTick() []risk.Command {
	g.group = nil
	g.ticks()
	head := &g.group[0]
	last := &g.group[len(g.group)-1]
	switch g.rng.IntN(24) {
	case 0:
		last.Ref[0] = genPerps + 100 // unknown
	case 1:
		last.Num[0] = 0
	case 2:
		last.Num[0], last.Dec[0] = 123_456_789_012_345, 14
	case 3:
		last.Kind = risk.KindFunding // heads nothing, belongs nowhere
	case 4, 5:
		head.Client, head.IDForm, head.IDLo = uint16(g.rng.IntN(4)), risk.FormUint, g.rng.Uint64N(40)
	case 6:
		head.TimeMs = g.timeMs + 1<<45 // a slip of the key
	case 7, 8, 9:
		g.timeMs += g.rng.Int64N(1500)
		head.TimeMs = g.timeMs
	}
	return seal(g.group)
}

func simulateConflation(t *testing.T, seed uint64, h script, sum *conflateCounts) {
	t.Helper()
	shards := 1 << (seed % 4)
	s := newSimulation(t, seed, shards, h, riskHouse)
	now := int64(1_700_000_000_000)
	clock := rand.New(rand.NewPCG(seed, 0xC10C))
	s.journal = &simJournal{rng: s.rng}
	s.cfg.Clock, s.cfg.Journal, s.cfg.Threads = ClockWall, s.journal, 1+s.rng.IntN(2)
	s.cfg.Now = func() int64 {
		now += clock.Int64N(400)
		return now
	}
	s.engine = wire(s.cfg, riskHouse(&s.cfg))
	got := s.run()
	if t.Failed() {
		return
	}
	if n := s.engine.egress.followers.Available(); n != 0 {
		t.Errorf("%d callers are left in the list of followers", n)
	}
	other := 1 << ((seed + 1) % 4)
	replayed := replay(t, got.frames, other, riskHouse, &s.cfg)
	replayed.results = got.results
	compareOutcomes(t, "replayed", h, replayed, got)
	checkConflation(t, h, got, s, sum)
}

// sentGroup is a group as it was sent and what its caller was told.
type sentGroup struct {
	records []risk.Command
	result  Result
	isFirst bool // of its batch
}

// checkConflation walks the history beside the journal.
func checkConflation(t *testing.T, h script, got *outcome, s *simulation, sum *conflateCounts) {
	t.Helper()
	var sent []sentGroup
	for b, batch := range h {
		n := 0
		for at := 0; at < len(batch); n++ {
			size := int(batch[at].GroupLeft) + 1
			if r := got.results[b][n]; r.IsDuplicate {
				sum.ids++
			} else {
				sent = append(sent, sentGroup{batch[at : at+size], r, at == 0})
			}
			at += size
		}
	}
	plain := risk.New(risk.Config{Shards: 1, AccountsMax: genSlots})
	seq := uint64(0)
	do := func(records []risk.Command, timeMs int64) risk.Reason {
		group := append([]risk.Command(nil), records...)
		seq++
		for i := range group {
			group[i].Seq, group[i].TimeMs = seq, timeMs
		}
		return plain.Do(group)[0].Reason
	}
	for _, frame := range got.frames {
		for at := 0; at < len(frame); {
			group := frame[at : at+int(frame[at].GroupLeft)+1]
			at += len(group)
			n := 0
			for n < len(sent) && sent[n].result.Seq == group[0].Seq {
				n++
			}
			if n == 0 {
				if group[0].Kind != risk.KindClock || len(group) > 1 {
					t.Fatalf("seq %d stands in the journal and nobody sent it: %+v", group[0].Seq, group)
				}
				do(group, group[0].TimeMs)
				continue
			}
			checkGroup(t, group, sent[:n], sum)
			for i := range sent[:n] {
				p := &sent[i]
				if reason := do(p.records, group[0].TimeMs); p.records[0].Kind == risk.KindPrices && reason != p.result.Reason {
					t.Fatalf("seq %d: tick %d of %d was answered %v, by itself %v: %+v", p.result.Seq, i, n, p.result.Reason, reason, p.records)
				}
			}
			sent = sent[n:]
		}
	}
	if len(sent) > 0 {
		t.Errorf("seq %d was answered and does not stand in the journal", sent[0].result.Seq)
	}
	for _, shard := range s.engine.shards {
		comparePrices(t, shard.real, plain)
	}
}

// checkGroup holds one group of the journal against what was sent for it.
func checkGroup(t *testing.T, group []risk.Command, sent []sentGroup, sum *conflateCounts) {
	t.Helper()
	if len(sent) == 1 {
		for i := range group {
			want := sent[0].records[i]
			want.Seq, want.TimeMs, want.Ticket, want.Client = group[i].Seq, group[i].TimeMs, 0, group[i].Client
			if group[i] != want || sent[0].result.IsConflated {
				t.Fatalf("seq %d: journal has %+v, sent was %+v, answer %+v", group[i].Seq, group[i], want, sent[0].result)
			}
		}
		if sent[0].records[0].Kind == risk.KindPrices && sent[0].result.Reason != risk.ReasonNone {
			sum.refused++
		}
		return
	}
	sum.groups++
	sum.parts += len(sent)
	type name struct {
		kind risk.PriceKind
		ref  uint32
	}
	type price struct {
		num int64
		dec uint8
	}
	want, prices := map[name]price{}, 0
	for i, p := range sent {
		if i > 0 && !p.isFirst {
			t.Fatalf("seq %d: two ticks of one batch share a place", group[0].Seq)
		}
		if p.records[0].IDForm != risk.FormNone || !p.result.IsConflated || p.result != sent[0].result || p.result.Reason != risk.ReasonNone {
			t.Fatalf("seq %d: part %d of a merged tick %+v is answered %+v", group[0].Seq, i, p.records[0], p.result)
		}
		if p.records[0].TimeMs > group[0].TimeMs {
			t.Fatalf("seq %d has time %d, a part of it %d", group[0].Seq, group[0].TimeMs, p.records[0].TimeMs)
		}
		if len(p.records) > 0 && !p.isFirst {
			sum.inBatch++
		}
		for k := range p.records {
			r := &p.records[k]
			for i := range int(r.Mode) {
				want[name{r.PriceKindAt(i), r.Ref[i]}] = price{r.Num[i], r.Dec[i]}
				prices++
			}
		}
	}
	sum.replaced += prices - len(want)
	for k := range group {
		r := &group[k]
		for i := range int(r.Mode) {
			n := name{r.PriceKindAt(i), r.Ref[i]}
			if w, ok := want[n]; r.Kind != risk.KindPrices || !ok || w != (price{r.Num[i], r.Dec[i]}) {
				t.Fatalf("seq %d: %+v is %d at %d decimals, want %+v", group[0].Seq, n, r.Num[i], r.Dec[i], w)
			}
			delete(want, n)
		}
	}
	if len(want) > 0 {
		t.Fatalf("seq %d lacks %+v", group[0].Seq, want)
	}
}

func comparePrices(t *testing.T, got, want *risk.Machine) {
	t.Helper()
	perps := want.ReadPerps()
	for i, p := range got.ReadPerps() {
		if p.MarkPx != perps[i].MarkPx || p.OraclePx != perps[i].OraclePx {
			t.Errorf("%s ends at mark %+v, oracle %+v, want %+v, %+v", p.Name, p.MarkPx, p.OraclePx, perps[i].MarkPx, perps[i].OraclePx)
		}
	}
	spots := want.ReadSpots()
	for i, s := range got.ReadSpots() {
		if s.Px != spots[i].Px {
			t.Errorf("%s ends at %+v, want %+v", s.Name, s.Px, spots[i].Px)
		}
	}
	tokens := want.ReadTokens(nil)
	for i, k := range got.ReadTokens(nil) {
		if k.OraclePx != tokens[i].OraclePx {
			t.Errorf("%s ends at %+v, want %+v", k.Name, k.OraclePx, tokens[i].OraclePx)
		}
	}
}
