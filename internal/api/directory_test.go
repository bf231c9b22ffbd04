package api

import (
	"fmt"
	"runtime"
	"sync"
	"testing"

	"plimsoll/risk"
)

func TestAddressesCompareWithoutCase(t *testing.T) {
	dir := NewDirectory(8)
	lower, upper := []byte("0x5e9ee1089755c3435139848e47e6635505d5a13a"), []byte("0X5E9EE1089755c3435139848E47E6635505D5A13A")
	slot := dir.list(nameAccount, upper)
	if got := dir.Account(lower); got != slot {
		t.Errorf("Account(lower) = %d, want %d", got, slot)
	}
	if got := string(dir.AccountName(slot)); got != string(lower) {
		t.Errorf("AccountName = %s, want lower case", got)
	}
	if dir.Account([]byte("Bob")) != risk.NoAccount {
		t.Error("Bob is known")
	}
	bob := dir.list(nameAccount, []byte("Bob"))
	if got := dir.Account([]byte("bob")); got == bob {
		t.Error("names that are no addresses compare without case")
	}
	if almost := []byte("0xZe9ee1089755c3435139848e47e6635505d5a13a"); string(foldAddress(almost, new([42]byte))) != string(almost) {
		t.Error("42 characters that are not hex are folded")
	}
}

func TestSlotsAreDenseAndBounded(t *testing.T) {
	dir := NewDirectory(100)
	for i := range 100 {
		if slot := dir.list(nameAccount, fmt.Appendf(nil, "a%d", i)); slot != uint32(i) {
			t.Fatalf("account %d has slot %d", i, slot)
		}
	}
	if slot := dir.list(nameAccount, []byte("one more")); slot != risk.NoSlot {
		t.Errorf("account 101 of 100 has slot %d", slot)
	}
	for i := range 100 {
		name := fmt.Sprintf("a%d", i)
		if got := string(dir.AccountName(uint32(i))); got != name || dir.Account([]byte(name)) != uint32(i) {
			t.Errorf("slot %d is %q", i, got)
		}
	}
}

func TestVenueNamesLeadToASpot(t *testing.T) {
	dir := testDirectory()
	d := NewDecoder(dir)
	if err := d.Decode([]byte(`{"type":"list_spot","spot":"HYPE/USDC","index":107,"base":"HYPE","quote":"USDC"}`), FormJSON, 0); err != nil {
		t.Fatal(err)
	}
	if _, ok := dir.lookup(nameMarket, []byte("@107")); ok {
		t.Error("@107 is known before the listing is accepted")
	}
	if !dir.Observe(d.Group(0)) {
		t.Error("Observe contradicts the decoder")
	}
	want, _ := dir.lookup(nameMarket, []byte("HYPE/USDC"))
	if got, ok := dir.lookup(nameMarket, []byte("@107")); !ok || got != want {
		t.Errorf("@107 is %#x, want %#x", got, want)
	}
	if got := string(dir.MarketName(want)); got != "HYPE/USDC" {
		t.Errorf("the market's own name is %q", got)
	}
}

func TestObserveRestoresSlotsOfTheJournal(t *testing.T) {
	dir := NewDirectory(16)
	var c risk.Command
	c.Kind = risk.KindOpenAccount
	c.SetName([]byte("carol"))
	c.Ref[risk.RefAccount], c.Ref[risk.RefOther] = 7, 3
	if !dir.Observe([]risk.Command{c}) || dir.Account([]byte("carol")) != 7 {
		t.Fatalf("carol has slot %d, want 7", dir.Account([]byte("carol")))
	}
	if slot := dir.list(nameAccount, []byte("dave")); slot != 8 {
		t.Errorf("dave has slot %d, want 8: slots of the journal are taken", slot)
	}
	if subs := dir.Subs(3); len(subs) != 1 || subs[0] != 7 {
		t.Errorf("Subs(3) = %v, want [7]", subs)
	}
	c.Ref[risk.RefAccount] = 8
	if dir.Observe([]risk.Command{c}) {
		t.Error("Observe gives carol a second slot")
	}
	c.SetName([]byte("erin"))
	if dir.Observe([]risk.Command{c}) {
		t.Error("Observe gives slot 8 a second name")
	}
}

func TestReadersNeedNoLock(t *testing.T) {
	const names = 20000
	dir := NewDirectory(names)
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() {
			for dir.AccountCount() < names {
				n := dir.AccountCount()
				if n == 0 {
					runtime.Gosched()
					continue
				}
				name := fmt.Appendf(nil, "account-%d", n-1)
				if got := dir.Account(name); got != n-1 {
					t.Errorf("slot of %s is %d", name, got)
					return
				}
				if got := dir.AccountName(n - 1); string(got) != string(name) {
					t.Errorf("slot %d is %s", n-1, got)
					return
				}
			}
		})
	}
	for i := range names {
		dir.list(nameAccount, fmt.Appendf(nil, "account-%d", i))
	}
	group.Wait()
}

func TestDirectoryIsLean(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector keeps memory of its own")
	}
	const names = 1 << 19
	var before, after runtime.MemStats
	runtime.GC() // twice: what finalizers and pools of other tests held goes with the second
	runtime.GC()
	runtime.ReadMemStats(&before)
	dir := NewDirectory(1 << 20)
	var name []byte
	for i := range names {
		name = fmt.Appendf(name[:0], "user-%07d", i)
		dir.list(nameAccount, name)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	perName := float64(int64(after.HeapAlloc)-int64(before.HeapAlloc)) / names
	t.Logf("%.1f bytes a name of 12", perName)
	if perName > 40 {
		t.Errorf("%.1f bytes a name of 12, want at most 40", perName)
	}
	runtime.KeepAlive(dir)
}

func BenchmarkDirectoryFind(b *testing.B) {
	const names = 1 << 20
	dir := NewDirectory(names)
	for i := range names {
		dir.list(nameAccount, fmt.Appendf(nil, "user-%07d", i))
	}
	name := []byte("user-0000000")
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i = (i + 7919) % names
		n := i
		for k := 11; k >= 5; k-- {
			name[k] = byte('0' + n%10)
			n /= 10
		}
		if dir.Account(name) != uint32(i) {
			b.Fatal("wrong slot")
		}
	}
}
