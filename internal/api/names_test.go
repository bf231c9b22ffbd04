package api

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"plimsoll/risk"
)

// pieces writes a whole snapshot and holds the bound of a piece.
func pieces(t rapid.TB, d *Directory) (all [][]byte) {
	t.Helper()
	prefix := []byte("before")
	for from := 0; from >= 0; {
		var out []byte
		out, from = d.AppendSnapshot(slices.Clone(prefix), from)
		if !bytes.HasPrefix(out, prefix) || len(out) > len(prefix)+pieceBytesMax {
			t.Fatalf("a piece of %d bytes after %q, want at most %d", len(out)-len(prefix), out[:6], pieceBytesMax)
		}
		all = append(all, out[len(prefix):])
	}
	return all
}

func restored(t rapid.TB, accountsMax uint32, all [][]byte) *Directory {
	t.Helper()
	d := NewDirectory(accountsMax)
	for i, p := range all {
		if err := d.RestoreSnapshot(p); err != nil {
			t.Fatalf("piece %d of %d: %v", i, len(all), err)
		}
	}
	return d
}

func (d *Directory) tables() map[string]*nameTable {
	return map[string]*nameTable{
		"accounts": d.accounts, "clients": d.clients, "tokens": d.tokens, "perps": d.perps, "spots": d.spots, "dexes": d.dexes,
	}
}

// checkAlike holds that two directories give the same names, slots, subs and next slots.
func checkAlike(t rapid.TB, got, want *Directory, names [][]byte) {
	t.Helper()
	for table, w := range want.tables() {
		g := got.tables()[table]
		if g.count() != w.count() {
			t.Errorf("%s: the next slot is %d, want %d", table, g.count(), w.count())
		}
		for slot := range w.count() {
			if string(g.name(slot)) != string(w.name(slot)) {
				t.Errorf("%s: slot %d is %q, want %q", table, slot, g.name(slot), w.name(slot))
			}
		}
		for _, name := range names {
			wantSlot, wantOK := w.find(name)
			if slot, ok := g.find(name); slot != wantSlot || ok != wantOK {
				t.Errorf("%s: %q has slot %d (%v), want %d (%v)", table, name, slot, ok, wantSlot, wantOK)
			}
		}
	}
	for master := range want.accounts.count() {
		if g, w := got.Subs(master), want.Subs(master); !slices.Equal(g, w) {
			t.Errorf("subs of %d are %v, want %v", master, g, w)
		}
	}
}

func TestSnapshotGivesTheSameDirectory(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		d := NewDirectory(64)
		word := rapid.OneOf(
			rapid.StringMatching(`[a-zA-Z0-9_.:-]{1,42}`), rapid.StringMatching(`[a-c]{1,2}`),
			rapid.StringMatching(`0x[0-9a-f]{40}`), rapid.StringMatching(`0x[0-9A-Fa-f]{40}`),
		)
		var names [][]byte
		for range rapid.IntRange(0, 60).Draw(r, "names") {
			name := []byte(word.Draw(r, "name"))
			names = append(names, name)
			kind := rapid.SampledFrom([]nameKind{nameAccount, nameToken, namePerp, nameSpot, nameDex}).Draw(r, "kind")
			switch rapid.IntRange(0, 5).Draw(r, "what") {
			case 0:
				d.claimClient(name, clientsMax)
			case 1:
				d.addSub(uint32(rapid.IntRange(0, 63).Draw(r, "master")), uint32(rapid.IntRange(0, 63).Draw(r, "sub")))
			case 2:
				d.spots.bind(name, uint32(rapid.IntRange(0, 8).Draw(r, "slot")), false)
			case 3:
				d.accounts.bind(name, uint32(rapid.IntRange(0, 70).Draw(r, "slot")), true)
			default:
				d.list(kind, name)
			}
		}
		all := pieces(r, d)
		checkAlike(r, restored(r, 64, all), d, names)
		back := slices.Clone(all)
		slices.Reverse(back) // pieces may come in any order, and twice
		twice := restored(r, 64, append(back, all...))
		for table, w := range d.tables() {
			for slot := range w.count() {
				if g := twice.tables()[table]; string(g.name(slot)) != string(w.name(slot)) {
					r.Errorf("%s: slot %d is %q, want %q", table, slot, g.name(slot), w.name(slot))
				}
			}
		}
	})
}

// TestSnapshotCrossesPieces fills arenas, so that names and links need several pieces.
func TestSnapshotCrossesPieces(t *testing.T) {
	const accounts = 70_000
	d := NewDirectory(accounts)
	var names [][]byte
	for i := range accounts {
		name := fmt.Appendf(nil, "account-%0*d", 1+i%30, i)
		if i%3 == 0 {
			name = fmt.Appendf(nil, "0x%040x", i*7919)
		}
		names = append(names, name)
		d.list(nameAccount, name)
		d.addSub(uint32(i%5), uint32(i))
	}
	all := pieces(t, d)
	if len(all) < 6 {
		t.Errorf("%d pieces, want several of names and of links", len(all))
	}
	checkAlike(t, restored(t, accounts, all), d, names)
}

func TestSnapshotHoldsWhatWasThereWhileNamesCome(t *testing.T) {
	const before, during = 20_000, 20_000
	d := NewDirectory(before + during)
	for i := range before {
		d.list(nameAccount, fmt.Appendf(nil, "account-%d", i))
		d.addSub(0, uint32(i))
	}
	var group sync.WaitGroup
	group.Go(func() {
		for i := before; i < before+during; i++ {
			d.list(nameAccount, fmt.Appendf(nil, "account-%d", i))
			d.addSub(0, uint32(i))
		}
	})
	all := pieces(t, d)
	group.Wait()
	got := restored(t, before+during, all)
	for i := range before {
		if slot := got.Account(fmt.Appendf(nil, "account-%d", i)); slot != uint32(i) {
			t.Fatalf("account-%d has slot %d", i, slot)
		}
	}
	if subs := got.Subs(0); len(subs) < before || !slices.IsSorted(subs) {
		t.Errorf("%d subs, want %d at least, in order", len(subs), before)
	}
	for i := before; i < before+during; i++ { // what came later may be there, at its own slot
		if slot := got.Account(fmt.Appendf(nil, "account-%d", i)); slot != uint32(i) && slot != risk.NoAccount {
			t.Fatalf("account-%d has slot %d", i, slot)
		}
	}
}

// TestNamesOfRefusedAccountsDoNoHarm: a slot that was set aside stays so after a restart,
// and its name can still be opened.
func TestNamesOfRefusedAccountsDoNoHarm(t *testing.T) {
	d := NewDirectory(8)
	refused := d.list(nameAccount, []byte("refused"))
	kept := d.list(nameAccount, []byte("kept"))
	d = restored(t, 8, pieces(t, d))
	var c risk.Command
	c.Kind = risk.KindOpenAccount
	c.SetName([]byte("kept"))
	c.Ref[risk.RefAccount], c.Ref[risk.RefOther] = kept, risk.NoAccount
	if !d.Observe([]risk.Command{c}) {
		t.Error("the journal's own account contradicts the snapshot")
	}
	if slot := d.list(nameAccount, []byte("refused")); slot != refused {
		t.Errorf("refused has slot %d, want %d", slot, refused)
	}
	if slot := d.list(nameAccount, []byte("new")); slot != 2 {
		t.Errorf("new has slot %d, want 2", slot)
	}
}

func TestDamagedNamesAreRefused(t *testing.T) {
	d := NewDirectory(4)
	d.list(nameAccount, []byte("bob"))
	bob := pieces(t, d)[0]
	for name, piece := range map[string][]byte{
		"one byte":               {namesVersion},
		"a newer version":        {namesVersion + 1, pieceAccounts},
		"no such table":          {namesVersion, 9},
		"half a head":            bob[:len(bob)-4],
		"half a name":            bob[:len(bob)-1],
		"a slot beyond":          {namesVersion, pieceAccounts, 4, 0, 0, 0, 1, 'x'},
		"a name too long":        append([]byte{namesVersion, pieceAccounts, 0, 0, 0, 0, 43}, make([]byte, 43)...),
		"an address of 19":       append([]byte{namesVersion, pieceAccounts, 0, 0, 0, 0, addressMark | 19}, make([]byte, 19)...),
		"an address in text":     append([]byte{namesVersion, pieceAccounts, 0, 0, 0, 0, 42}, alice...),
		"an alias of an account": {namesVersion, pieceAccounts, 1, 0, 0, 0, aliasMark | 1, 'x'},
		"two names of a slot":    {namesVersion, pieceAccounts, 0, 0, 0, 0, 1, 'x', 0, 0, 0, 0, 1, 'y'},
		"two slots of a name":    {namesVersion, pieceAccounts, 0, 0, 0, 0, 1, 'x', 1, 0, 0, 0, 1, 'x'},
		"another default client": {namesVersion, pieceClients, 1, 0, 0, 0, 0},
		"half a link":            {namesVersion, pieceSubs, 1, 0, 0, 0, 1},
		"a link beyond":          {namesVersion, pieceSubs, 1, 0, 0, 0, 4, 0, 0, 0},
	} {
		if err := NewDirectory(4).RestoreSnapshot(piece); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// FuzzRestoreNames holds that no piece makes the directory panic, and that what one takes
// comes back from its own snapshot.
func FuzzRestoreNames(f *testing.F) {
	d := testDirectory()
	d.spots.bind([]byte("@107"), 0, false)
	d.addSub(0, 1)
	d.claimClient([]byte("desk"), clientsMax)
	for from := 0; from >= 0; {
		var piece []byte
		piece, from = d.AppendSnapshot(nil, from)
		f.Add(piece)
	}
	f.Fuzz(func(t *testing.T, piece []byte) {
		d := NewDirectory(256)
		if d.RestoreSnapshot(piece) != nil {
			return
		}
		checkAlike(t, restored(t, 256, pieces(t, d)), d, nil)
	})
}

func BenchmarkSnapshotNames(b *testing.B) {
	const names = 1 << 20
	d := NewDirectory(names)
	for i := range names {
		d.list(nameAccount, fmt.Appendf(nil, "user-%07d", i))
	}
	all := pieces(b, d)
	b.Run("append", func(b *testing.B) {
		var piece []byte
		for b.Loop() {
			for from := 0; from >= 0; {
				piece, from = d.AppendSnapshot(piece[:0], from)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/names, "ns/name")
	})
	b.Run("restore", func(b *testing.B) {
		for b.Loop() {
			restored(b, names, all)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/names, "ns/name")
	})
}
