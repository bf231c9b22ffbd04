package risktest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"plimsoll/fixedpoint"
	"plimsoll/risk"
)

// TestCapturedStatesGoOnAlike captures seeded histories at a random place while they go
// on, restores them into other shard counts and runs the rest again: equal events and
// hashes after every group, equal views at the end.
func TestCapturedStatesGoOnAlike(t *testing.T) {
	t.Parallel()
	failed := 0
	for seed := *from; seed < *from+*seeds && failed < 12; seed++ {
		if err := captureAndGoOn(seed); err != nil {
			t.Errorf("seed %d: %v\nrepeat: go test -run TestCapturedStatesGoOnAlike -from=%d -seeds=1", seed, err, seed)
			failed++
		}
	}
}

// told is what one group gave.
type told struct {
	group  []risk.Command
	events []risk.Event
	hash   fixedpoint.Hash128
}

func captureAndGoOn(seed uint64) error {
	r := rand.New(rand.NewPCG(seed, 7))
	counts := []uint32{1, 2, 4, 8}
	const accountsMax = 80
	g := NewGenerator(seed, Options{Accounts: 24, Invalid: 5, Imports: seed%3 != 0})
	s := NewShards(counts[r.IntN(4)], accountsMax)
	for _, group := range g.Listings()[r.IntN(2)*r.IntN(2):] {
		s.Do(group)
	}
	for range r.IntN(90) {
		s.Do(g.Next())
	}
	s.Do(clientGroup(1))
	if r.IntN(3) == 0 { // one that is given up halfway
		s.BeginCapture().Step(s, r.IntN(10), 64)
		for range r.IntN(20) {
			s.Do(g.Next())
		}
		for _, m := range s.Machines {
			m.EndCapture()
		}
	}
	c := s.BeginCapture()
	want := s.StateHash()
	var rest []told
	isDone := false
	for range 40 {
		for range r.IntN(3) {
			isDone = isDone || c.Step(s, 1+r.IntN(2), []int{0, 150, 4096}[r.IntN(3)])
		}
		group := g.Next()
		if r.IntN(20) == 0 {
			group = clientGroup(r.Uint32N(4))
		}
		events := slices.Clone(s.Do(group))
		rest = append(rest, told{group, events, s.StateHash()})
	}
	for !isDone {
		isDone = c.Step(s, 3, 300)
	}
	for _, n := range counts {
		again, err := c.Restore(n, accountsMax+uint32(r.IntN(100)))
		if err != nil {
			return fmt.Errorf("into %d shards: %w", n, err)
		}
		if again.StateHash() != want {
			return fmt.Errorf("into %d shards: another state", n)
		}
		if err := goesOnAlike(s, again, rest); err != nil {
			return fmt.Errorf("from %d into %d shards: %w", len(s.Machines), n, err)
		}
	}
	return nil
}

// goesOnAlike runs the rest of a history on restored machines and compares.
func goesOnAlike(s, again *Shards, rest []told) error {
	for n, x := range rest {
		if d := eventDifference(x.events, again.Do(x.group)); d != "" {
			return fmt.Errorf("group %d kind %d: %s", n, x.group[0].Kind, d)
		}
		if again.StateHash() != x.hash {
			return fmt.Errorf("group %d kind %d: another state", n, x.group[0].Kind)
		}
	}
	var v, w risk.AccountView
	for slot := range uint32(24) {
		isOpen := s.ReadAccount(slot, &v)
		if again.ReadAccount(slot, &w) != isOpen {
			return fmt.Errorf("account %d: open on one side only", slot)
		}
		if isOpen && !reflect.DeepEqual(v, w) {
			return fmt.Errorf("account %d: %v", slot, Differences(&w, &v))
		}
	}
	a, b := s.Machines[0], again.Machines[0]
	totals := s.Totals()
	switch {
	case !reflect.DeepEqual(totals, again.Totals()):
		return errors.New("totals differ")
	case !reflect.DeepEqual(a.ReadTokens(totals), b.ReadTokens(totals)):
		return errors.New("tokens differ")
	case !reflect.DeepEqual(a.ReadClients(), b.ReadClients()):
		return errors.New("clients differ")
	case a.AccountCount() != b.AccountCount() || a.TimeMs() != b.TimeMs() || a.Seq() != b.Seq() || a.Parameters() != b.Parameters():
		return errors.New("counts, time or parameters differ")
	}
	return nil
}

// TestCheckpointsGiveTheHashOfTheirPlace compares checkpoints, worked off while groups go
// on, with the hash that another machine had there.
func TestCheckpointsGiveTheHashOfTheirPlace(t *testing.T) {
	t.Parallel()
	for seed := *from; seed < *from+*seeds/4; seed++ {
		r := rand.New(rand.NewPCG(seed, 8))
		g := NewGenerator(seed, Options{Accounts: 24, Invalid: 5, Imports: true})
		s, plain := NewShards(1+2*uint32(r.IntN(2)), 32), NewShards(1, 32)
		groups := g.Listings()
		for range 100 {
			groups = append(groups, g.Next())
		}
		var want fixedpoint.Hash128
		isAsked := false
		for n, group := range groups {
			s.Do(group)
			plain.Do(group)
			if isAsked && r.IntN(2) == 0 {
				var sum fixedpoint.Hash128
				isAll := true
				for _, m := range s.Machines {
					h, isDone := m.CheckpointStep(r.IntN(3))
					sum, isAll = sum.Add(h), isAll && isDone
				}
				if isAll && sum != want {
					t.Fatalf("seed %d: checkpoint before group %d gives another hash", seed, n)
				}
				isAsked = !isAll
			}
			if !isAsked && r.IntN(3) == 0 {
				for _, m := range s.Machines {
					m.Checkpoint()
				}
				want, isAsked = plain.StateHash(), true
			}
			if r.IntN(40) == 0 && s.StateHash() != plain.StateHash() {
				t.Fatalf("seed %d: group %d gives another hash", seed, n)
			}
		}
	}
}

func clientGroup(n uint32) []risk.Command {
	c := risk.Command{Kind: risk.KindOpenClient}
	c.Ref[risk.RefOther] = n
	c.SetName(fmt.Appendf(nil, "client-%d", n))
	return []risk.Command{c}
}

// capturedCrowd returns a captured history of some size.
func capturedCrowd(seed uint64, accounts, groups int) *Captured {
	g := NewGenerator(seed, Options{Accounts: uint32(accounts), Imports: true})
	s := NewShards(2, uint32(accounts))
	for n := range uint32(3) {
		s.Do(clientGroup(n))
	}
	for _, group := range g.Listings() {
		s.Do(group)
	}
	for range groups {
		s.Do(g.Next())
	}
	c := s.BeginCapture()
	for !c.Step(s, 4, 512) {
		continue
	}
	return c
}

// FuzzRestore damages one captured section at a time: an error or a machine, never a panic.
func FuzzRestore(f *testing.F) {
	whole := capturedCrowd(1, 12, 60)
	for part := range uint8(3) {
		f.Add(part, uint16(40), byte(0xff), uint16(0))
		f.Add(part, uint16(9), byte(0x80), uint16(3))
	}
	f.Fuzz(func(_ *testing.T, part uint8, at uint16, flip byte, cut uint16) {
		restoreDamaged(whole, part, int(at), flip, int(cut))
	})
}

func restoreDamaged(whole *Captured, part uint8, at int, flip byte, cut int) {
	c := *whole
	c.Shards, c.Accounts = slices.Clone(whole.Shards), slices.Clone(whole.Accounts)
	section := &c.Shared
	switch part % 3 {
	case 1:
		section = &c.Shards[int(part)/3%len(c.Shards)]
	case 2:
		section = &c.Accounts[int(part)/3%len(c.Accounts)]
	}
	b := slices.Clone(*section)
	if len(b) > 0 {
		b[at%len(b)] ^= flip
		b = b[:len(b)-min(cut, len(b))]
	}
	*section = b
	s, err := c.Restore(2, 12)
	if err == nil {
		s.StateHash()
	}
}

// TestDamagedStatesAreErrors turns bits of sections and cuts them.
func TestDamagedStatesAreErrors(t *testing.T) {
	t.Parallel()
	whole := capturedCrowd(2, 8, 40)
	r := rand.New(rand.NewPCG(2, 9))
	for range 4 * int(*seeds) {
		part, at := uint8(r.IntN(24)), r.IntN(2000)
		switch r.IntN(4) {
		case 0:
			restoreDamaged(whole, part, at, byte(r.Uint32()), 0)
		case 1:
			restoreDamaged(whole, part, at, 0, at)
		default:
			restoreDamaged(whole, part, at, 1<<r.IntN(8), 0)
		}
	}
	for _, b := range [][]byte{nil, {1}, make([]byte, 8), make([]byte, 64)} {
		m := risk.New(risk.Config{Shards: 1, AccountsMax: 8})
		if m.RestoreShared(b) == nil {
			t.Errorf("%d zero bytes restore", len(b))
		}
		if m.RestoreShard(whole.Shards[0]) == nil || m.RestoreAccounts(nil) == nil || m.FinishRestore() == nil {
			t.Error("sections restore before the shared one")
		}
	}
	if _, err := whole.Restore(1, 4); err == nil {
		t.Error("accounts beyond accounts_max restore")
	}
	c := *whole
	c.Accounts = c.Accounts[1:]
	if _, err := c.Restore(1, 8); err == nil {
		t.Error("a lost chunk goes unseen")
	}
	c.Accounts = append(slices.Clone(whole.Accounts), whole.Accounts[0])
	if _, err := c.Restore(1, 8); err == nil {
		t.Error("a chunk taken twice goes unseen")
	}
}
