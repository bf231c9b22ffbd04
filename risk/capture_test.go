package risk

import (
	"slices"
	"testing"

	"plimsoll/fixedpoint"
)

// captured is a whole captured state of a machine that is alone.
type captured struct{ shared, own, accounts []byte }

func capture(m *Machine) (c captured) {
	c.own = m.BeginCapture(nil)
	c.shared = m.AppendShared(nil)
	return c
}

func (c *captured) finish(m *Machine) {
	for isDone := false; !isDone; {
		c.accounts, isDone = m.Capture(c.accounts, 1)
	}
	m.EndCapture()
}

func (c *captured) restore(t *testing.T) *Machine {
	t.Helper()
	m := New(Config{Shards: 1, AccountsMax: 256})
	for _, err := range []error{m.RestoreShared(c.shared), m.RestoreShard(c.own), m.RestoreAccounts(c.accounts), m.FinishRestore()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// What a history seldom does within a capture: halts, an import that waits for its marks,
// a name for a client.
func TestCaptureSeesTheStateBeforeWhatComesNext(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(d *desk, a uint32) []Command
	}{
		{"halt", func(_ *desk, a uint32) []Command {
			return []Command{{Kind: KindHalt, Flags: FlagAccount, Ref: [4]uint32{a}}}
		}},
		{"a first mark", func(d *desk, _ uint32) []Command {
			c := Command{Kind: KindPrices}
			c.SetPrice(0, PriceMark, d.perps["BTC"], 100_000, 0)
			return []Command{c}
		}},
		{"client", func(*desk, uint32) []Command { return []Command{clientRecord(3, "carol")} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDesk(t)
			d.standard()
			d.must(clientRecord(0, "alice"))
			d.prices("t:UBTC", "100000")
			a := d.open("bob", ModeUnified)
			d.must(d.fund(KindDeposit, a, "USDC", "1000"))
			b := importedBeforeMarks(d)
			want := d.m.StateHash()
			taken := capture(d.m)
			next := c.do(d, a)
			d.must(next...)
			after := d.m.StateHash()
			events := slices.Clone(d.m.Events())
			d.m.checkSum()
			taken.finish(d.m)
			m := taken.restore(t)
			if m.StateHash() != want {
				t.Error("restored another state")
			}
			if after == want {
				t.Error("the command changed nothing: the test tests nothing")
			}
			if !slices.Equal(m.Do(next), events) || m.StateHash() != after {
				t.Error("the restored machine goes on otherwise")
			}
			var v, w AccountView
			for _, slot := range []uint32{a, b} {
				if !d.m.ReadAccount(slot, &v) || !m.ReadAccount(slot, &w) || v.Margin != w.Margin || v.IsHalted != w.IsHalted {
					t.Errorf("account %d differs", slot)
				}
			}
		})
	}
}

// importedBeforeMarks imports a portfolio account whose perp has no mark yet.
func importedBeforeMarks(d *desk) uint32 {
	head := Command{Kind: KindImportAccount, Mode: uint8(ModePortfolio), Ref: [4]uint32{200, NoAccount}}
	head.SetName([]byte("dave"))
	p := Command{Kind: KindPartPosition, Leverage: 5, Ref: [4]uint32{0, 0, d.perps["BTC"]}}
	p.SetNum(0, 1, 2)
	p.SetNum(1, 900, 0)
	b := Command{Kind: KindPartBalance, Ref: [4]uint32{0, 0, 0, d.tokens["USDC"]}}
	b.SetNum(0, 5000, 0)
	d.must(head, p, b)
	if d.m.accountAt(200).flags&accountUnvalued == 0 {
		d.t.Fatal("the import was valued at once")
	}
	return 200
}

func clientRecord(n uint32, name string) Command {
	c := Command{Kind: KindOpenClient, Ref: [4]uint32{0, n}}
	c.SetName([]byte(name))
	return c
}

func TestClientsKeepTheirNumbers(t *testing.T) {
	d := newDesk(t)
	for range 2 {
		d.must(clientRecord(2, "alice"))
	}
	d.must(clientRecord(0, "bob"))
	d.refuses(ReasonInvalidListing, clientRecord(2, "carol"))
	d.refuses(ReasonInvalidListing, clientRecord(1, "alice"))
	d.refuses(ReasonInvalidListing, clientRecord(1, ""))
	d.refuses(ReasonLimitExceeded, clientRecord(ClientsMax, "carol"))
	if got := d.m.ReadClients(); !slices.Equal(got, []string{"bob", "", "alice"}) {
		t.Errorf("clients = %q", got)
	}
}

// Names key the hashes of accounts, so a listing cannot change them.
func TestListedNamesStay(t *testing.T) {
	d := newDesk(t)
	d.standard()
	before := d.m.StateHash()
	c := Command{Kind: KindListDex, Ref: [4]uint32{0, 0, 1, d.tokens["USDC"]}}
	d.must(c, nameRecord("xyz"))
	d.must(c, nameRecord("xyz"))
	d.refuses(ReasonInvalidListing, c, nameRecord("zyx"))
	if d.m.StateHash() != before {
		t.Error("a dex without accounts is hashed")
	}
}

// Every word of an account turns its hash, each into another one.
func TestEveryWordOfAnAccountIsHashed(t *testing.T) {
	d := newDesk(t)
	d.standard()
	d.prices("BTC", "100000", "HYPE", "40", "UBTC/USDC", "100000", "t:UBTC", "100000")
	slot := d.open("a", ModePortfolio)
	d.must(d.fund(KindDeposit, slot, "USDC", "1000000"))
	d.must(d.fund(KindDeposit, slot, "UBTC", "1"))
	d.must(d.fillOf(slot, "BTC", "1", "100000"))
	d.must(d.orderOf(slot, "BTC", "0.1", "99000"))
	m := d.m
	a := m.accountAt(slot)
	i := a.positions.start
	b := &m.balances.of(&a.balances)[1]
	o := m.orders.at(a.orderHead)
	seen := []fixedpoint.Hash128{m.hashAccount(a)}
	look := func(what string) {
		t.Helper()
		h := m.hashAccount(a)
		if slices.Contains(seen, h) {
			t.Errorf("%s: the hash was seen before", what)
		}
		seen = append(seen, h)
	}
	for what, p := range map[string]*int64{
		"size": &m.positions.size[i], "cum": &m.positions.terms[i].cumE12, "entry": &m.positions.terms[i].entry,
		"raw": &m.positions.terms[i].raw, "funding": &m.positions.terms[i].funding, "cash": &b.cash.Hi, "lend": &b.lend.Hi,
		"basis": &b.basis.Hi, "entry notional": &b.entryNtl, "wallet": &a.raw.Hi, "order size": &o.size, "original": &o.origSize,
		"price": &o.price, "trigger": &o.trigger,
	} {
		*p++
		look(what)
		*p--
	}
	for what, p := range map[string]*uint64{
		"name": &a.nameHash, "wallet low": &a.raw.Lo, "cash low": &b.cash.Lo, "lend low": &b.lend.Lo, "basis low": &b.basis.Lo,
		"id high": &o.idHi, "id low": &o.idLo,
	} {
		*p++
		look(what)
		*p--
	}
	m.positions.lever[i] ^= 1
	look("leverage")
	m.positions.perp[i] ^= isolatedBit
	look("isolated")
	a.mode = ModeUnified
	look("mode")
	a.flags ^= accountHalted
	look("halted")
	a.flags ^= accountUnvalued
	look("unvalued")
	a.master = 7
	look("master")
	o.flags ^= FlagReduceOnly
	look("order flags")
	o.form++
	look("order id form")
	o.market++
	look("market")
	a.flags |= accountTracked
	if m.hashAccount(a) != seen[len(seen)-1] {
		t.Error("bits that are no state are hashed")
	}
}

// A capture into little room gives whole records, and touches between calls wait in the
// backlog.
func TestCaptureStopsWhereRoomEnds(t *testing.T) {
	m := crowd(t, 64)
	c := capture(m)
	for range 3 { // one account fits at a time
		before := len(c.accounts)
		var isDone bool
		if c.accounts, isDone = m.Capture(c.accounts[:before:before], 64); isDone || len(c.accounts) == before {
			t.Fatal("nothing or all captured")
		}
		for n := range m.accounts[:10] {
			m.touch(uint32(n))
		}
	}
	if m.CaptureBacklog() == 0 {
		t.Error("touches left no backlog")
	}
	c.finish(m)
	if m.CaptureBacklog() != 0 {
		t.Error("backlog after the end")
	}
	if again := c.restore(t); again.StateHash() != m.StateHash() {
		t.Error("restored another state")
	}
}
