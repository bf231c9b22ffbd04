package risk

import (
	"cmp"
	"slices"

	"plimsoll/fixedpoint"
)

// book is what stands or falls together: the cross positions of one dex (standard), of all
// dexes settled in one token (unified, portfolio), or one isolated position; with what covers
// them and what they must keep.
type book struct {
	token       uint32
	dexes       uint32 // a bit each
	isolated    int    // place of the position, -1 for a cross book
	equity      i128   // units of token: what is compared with maintenance
	maintenance i128
	figures     tokenFigures // portfolio: the ratio is of these
	positions   []held       // the most maintenance first, then by dex and venue index; in heldBuf
}

// held is one position of a book.
type held struct {
	place       int
	market      uint32
	size        int64
	notional    i128
	maintenance i128
}

// decide takes the next step of an account's liquidation, in the order of all that are due in
// this Seq: rank is its place there, isWithin says that those before it leave the liquidator room.
func (m *Machine) decide(rank, slot uint32, isWithin bool) {
	a := m.accountAt(slot)
	l := m.liquidationOf(a)
	if l == nil {
		return // safe again since it was found due
	}
	m.touch(slot)
	l.nextMs, l.decidedAs = m.timeMs+liquidationRoundMs, m.hot[slot/m.cfg.Shards].status()
	k := caseOf{m: m, a: a, l: l, slot: slot, rank: rank, isWithin: isWithin}
	k.isolated()
	switch a.mode {
	case ModePortfolio:
		k.portfolio()
	case ModeStandard, ModeUnified, ModeNone:
		k.cross()
	}
	if k.sentPart {
		l.partialMs = m.timeMs
	}
}

// caseOf is one account while it is decided.
type caseOf struct {
	m        *Machine
	a        *account
	l        *liquidation
	slot     uint32
	rank     uint32
	n        uint32 // requests made
	sentPart bool
	isWithin bool // the limit of what the liquidator takes within one Seq
}

// tell emits an event of this liquidation.
func (k *caseOf) tell(e Event) {
	e.Phase, e.Rank, e.Account, e.OrderLo, e.OrderForm = phaseLiquidation, uint64(k.rank), k.slot, k.l.number, FormUint
	k.m.emit(e)
}

// ask adds a request of this liquidation and returns its number.
func (k *caseOf) ask(r Request) uint32 {
	r.Rank, r.Account, r.N = k.rank, k.slot, k.n
	k.n++
	k.m.askBuf = append(k.m.askBuf, r)
	return r.N
}

// begin tells, before the first step, that a liquidation has begun and by which line, and takes
// all orders off.
func (k *caseOf) begin(w breach) {
	m, a := k.m, k.a
	if k.l.isTold {
		return
	}
	k.l.isTold = true
	k.tell(Event{
		Kind: EventLiquidationStarted, Market: w.market, Token: w.token, Amount: w.value, Amount2: w.requirement,
		Decimals: m.tokens[w.token].wei, Rule: w.rule, To: m.hot[k.slot/m.cfg.Shards].health(),
	})
	if a.orderHead != 0 {
		m.join(k.slot)
	}
	for at := a.orderHead; at != 0; {
		next := m.orders.at(at).next
		m.release(a, at)
		at = next
	}
}

// isolated liquidates the isolated positions that are below their own maintenance margin.
func (k *caseOf) isolated() {
	m := k.m
	for i := int(k.a.positions.start); i < int(k.a.positions.start)+int(k.a.positions.count); i++ {
		if m.positions.size[i] == 0 || !m.positions.isIsolated(i) {
			continue
		}
		h := m.heldAt(i)
		p := &m.perps[h.market]
		m.heldBuf = append(m.heldBuf[:0], h)
		b := book{
			token: p.collateral, dexes: 1 << p.dexSlot, isolated: i, equity: m.isolatedEquity(i, p), maintenance: h.maintenance,
			positions: m.heldBuf,
		}
		if b.equity.Less(b.maintenance) {
			k.step(&b)
		}
	}
}

// cross liquidates the cross books of a standard or unified account that are below their
// maintenance margin.
func (k *caseOf) cross() {
	m, f := k.m, k.m.evaluate(k.a)
	books := m.bookBuf[:0]
	for i := range f.usedN {
		n := f.used[i]
		d := &f.dexes[n]
		b := book{token: m.dexes[n].collateral, dexes: 1 << n, isolated: -1, equity: d.crossValue, maintenance: d.crossMM}
		if k.a.mode == ModeUnified {
			if at := slices.IndexFunc(books, func(o book) bool { return o.token == b.token }); at >= 0 {
				books[at].dexes |= b.dexes
				continue
			}
			b.figures = m.tokenFiguresOf(k.a, f, b.token)
			b.equity, b.maintenance = b.figures.net(), b.figures.MM
		}
		books = append(books, b)
	}
	m.bookBuf = books
	slices.SortFunc(books, func(a, b book) int { return cmp.Or(cmp.Compare(a.token, b.token), cmp.Compare(a.dexes, b.dexes)) })
	for i := range books {
		if b := &books[i]; b.equity.Less(b.maintenance) || b.equity.Sign() < 0 {
			b.positions = m.crossOf(k.a, b.dexes)
			k.step(b)
		}
	}
}

// heldAt returns the figures of a position.
func (m *Machine) heldAt(i int) held {
	slot := m.positions.perp[i] &^ isolatedBit
	x := m.measure(slot, m.positions.size[i], m.positions.leverage(i))
	return held{place: i, market: uint32(slot), size: m.positions.size[i], notional: x.notional, maintenance: x.maintenance}
}

// crossOf returns an account's cross positions on some dexes, the most maintenance margin
// first, of equal ones by dex and venue index (decision 8.5). It is good until the next call.
func (m *Machine) crossOf(a *account, dexes uint32) []held {
	list := m.heldBuf[:0]
	for i := int(a.positions.start); i < int(a.positions.start)+int(a.positions.count); i++ {
		if m.positions.size[i] != 0 && !m.positions.isIsolated(i) && dexes>>m.perps[m.positions.perp[i]].dexSlot&1 != 0 {
			list = append(list, m.heldAt(i))
		}
	}
	slices.SortFunc(list, func(x, y held) int {
		p, q := &m.perps[x.market], &m.perps[y.market]
		return cmp.Or(y.maintenance.Cmp(x.maintenance), cmp.Compare(p.dexSlot, q.dexSlot), cmp.Compare(p.index, q.index))
	})
	m.heldBuf = list
	return list
}

// readsUnusable reports whether the figures of a book read a price that is missing or stale:
// then nobody knows what it is worth, and it is left alone (spec 2.8). What stands apart from it
// (another dex in standard mode, an isolated position) has no say: nobody is safe for a trifle
// in a market that has gone silent.
func (k *caseOf) readsUnusable(b *book) bool {
	m := k.m
	for i := range b.positions {
		if m.perpClass(&m.perps[b.positions[i].market]) != PriceFresh {
			return true
		}
	}
	if b.isolated >= 0 || k.a.mode != ModePortfolio {
		return false
	}
	if m.tokenClass(b.token) != PriceFresh {
		return true // collateral is valued in it
	}
	for _, row := range m.balances.of(&k.a.balances) {
		if row.key&dexBit == 0 && !row.lend.IsZero() && m.tokenClass(uint32(row.key)) != PriceFresh {
			return true
		}
	}
	return m.tokenClass(b.token) != PriceFresh
}

// step liquidates a book: below zero its loss is covered, below two thirds of its maintenance
// margin the liquidator takes it over, else orders go to the market.
func (k *caseOf) step(b *book) {
	if k.readsUnusable(b) {
		return
	}
	switch {
	case b.equity.Sign() < 0:
		k.cover(b)
	case k.isBackstop():
	case isBelowTwoThirds(b.equity, b.maintenance) && k.takes(b):
		k.takeOver(b)
	default:
		k.orders(b)
	}
}

// isSafeAt reports whether a book would be safe with another maintenance margin.
func (k *caseOf) isSafeAt(b *book, maintenance i128) bool {
	if k.a.mode != ModePortfolio || b.isolated >= 0 {
		return !b.equity.Less(maintenance)
	}
	t := b.figures
	t.MM = maintenance
	requirement, value, _ := t.ratio(k.m.params.OffsetMode, k.m.offsetUnits(t.token))
	return !isPastTrigger(requirement, value)
}

// orders tells the exchange what to send to its book: of each position, the largest
// requirement first, a fifth when it is large and no such part was sent lately, else all of
// it; no more positions than it takes to make the book safe at mark prices.
func (k *caseOf) orders(b *book) {
	if len(b.positions) == 0 {
		return
	}
	m := k.m
	large := m.usd(liquidationPartAbove, b.token)
	isWhole := k.l.partialMs > 0 && m.timeMs-k.l.partialMs < liquidationWholeMs
	maintenance := b.maintenance
	w := k.lineOf(b, k.ruleOf(b))
	k.begin(w)
	k.witness(w)
	for i := range b.positions {
		h := &b.positions[i]
		size := h.size
		if large.Less(h.notional) && !isWhole {
			if size = h.size / liquidationPart; size == 0 {
				size = h.size
			}
			k.sentPart = k.sentPart || size != h.size
		}
		p := &m.perps[h.market]
		k.tell(Event{
			Kind: EventLiquidationOrder, Market: h.market, Token: NoSlot, Amount: fixedpoint.I128(-size), Amount2: fixedpoint.I128(p.mark),
			Decimals: p.sz, Rule: k.ruleOf(b),
		})
		maintenance = maintenance.Sub(h.maintenance)
		if h.size != size {
			maintenance = maintenance.Add(m.measure(uint16(h.market), h.size-size, m.positions.leverage(h.place)).maintenance)
		}
		if k.isSafeAt(b, maintenance) {
			return
		}
	}
}

// ruleOf names the line that a book is past.
func (k *caseOf) ruleOf(b *book) Rule {
	switch {
	case b.isolated >= 0:
		return RuleIsolatedMaintenance
	case k.a.mode == ModePortfolio:
		return RulePortfolioRatio
	default:
		return RuleMaintenance
	}
}

// takeOver gives a book and the margin it stands on to the liquidator, at mark prices. Of a
// portfolio account that owes, margin is what it has beyond its debts, collateral counted as in
// liquidation: a takeover leaves no debt that the collateral does not carry.
func (k *caseOf) takeOver(b *book) {
	m := k.m
	w := k.lineOf(b, RuleBackstop)
	k.begin(w)
	k.witness(w)
	for i := range b.positions {
		k.leg(&b.positions[i], NoSlot)
	}
	cash, lent := m.worthOf(k.a, b), m.lentBehind(k.a, b)
	margin, most := cash, cash.Add(lent)
	if k.a.mode == ModePortfolio && b.isolated < 0 {
		most = b.equity
	}
	margin = fixedpoint.MinI128(margin, most)
	market := NoSlot
	if b.isolated >= 0 {
		market = b.positions[0].market
	}
	if margin.Sign() > 0 {
		k.tell(Event{Kind: EventBackstopTakeover, Market: market, Token: b.token, Amount: margin, Decimals: m.tokens[b.token].wei})
		k.ask(Request{Kind: RequestMargin, Token: b.token, Market: b.dexes, Out: margin})
	}
	if lent = fixedpoint.MinI128(lent, most.Sub(nonNegative(margin))); lent.Sign() > 0 {
		k.tell(Event{Kind: EventBackstopTakeover, Market: NoSlot, Token: b.token, Amount: lent, Decimals: m.tokens[b.token].wei})
		k.ask(Request{Kind: RequestSupply, Token: b.token, Out: lent})
	}
}

// leg asks for a position to change hands at its mark; deficit is the number of the deficit it
// belongs to, NoSlot for none.
func (k *caseOf) leg(h *held, deficit uint32) {
	p := &k.m.perps[h.market]
	before := p.mark
	if p.movedSeq == k.m.seq && p.markBefore > 0 {
		before = p.markBefore
	}
	if deficit == NoSlot {
		k.tell(Event{
			Kind: EventBackstopTakeover, Market: h.market, Token: NoSlot, Amount: fixedpoint.I128(h.size), Amount2: fixedpoint.I128(p.mark),
			Decimals: p.sz, Rule: RuleBackstop,
		})
	}
	k.ask(Request{Kind: RequestLeg, Token: deficit, Market: h.market, Size: h.size, Price: p.mark, PriceBefore: before})
}

// cover asks for a loss to be covered: by the buffer, else by those on the other side. It is
// what is missing once everything is closed at mark prices and all that stands behind the book
// is spent.
func (k *caseOf) cover(b *book) {
	left := k.m.worthOf(k.a, b).Add(k.m.lentBehind(k.a, b))
	if k.a.mode == ModePortfolio && b.isolated < 0 {
		left = left.Add(nonNegative(b.figures.LC))
	}
	if left.Sign() >= 0 || k.isBackstop() && len(b.positions) == 0 {
		return
	}
	w := k.lineOf(b, RuleNegative)
	k.begin(w)
	k.witness(w)
	n := k.ask(Request{
		Kind: RequestDeficit, Token: b.token, Market: b.dexes, Size: int64(b.isolated), Price: int64(len(b.positions)), Out: left.Neg(),
		PriceBefore: int64(bit(k.takes(b))) * isForBackstop,
	})
	for i := range b.positions {
		k.leg(&b.positions[i], n)
	}
}

// worthOf returns the cash that a book comes to when all of it is closed at mark prices: the
// cash it stands on, and each position, its funding paid.
func (m *Machine) worthOf(a *account, b *book) i128 {
	var sum i128
	switch {
	case b.isolated >= 0:
		sum = fixedpoint.I128(m.positions.terms[b.isolated].raw)
	default:
		sum = m.marginOf(a, b.dexes, b.token)
	}
	for i := range b.positions {
		h := &b.positions[i]
		p := &m.perps[h.market]
		t := &m.positions.terms[h.place]
		owed := fixedpoint.Mul64(h.size, p.cumE12).Sub(fixedpoint.Mul64(h.size, t.cumE12)).DivCeil(p.subUnit())
		sum = sum.Add(p.toUnits(fixedpoint.Mul64(h.size, p.mark))).Sub(owed)
	}
	return sum
}

// marginOf returns the cash that cross books of some dexes stand on: of the dexes, and outside
// standard mode the account's idle cash of their token.
func (m *Machine) marginOf(a *account, dexes, token uint32) i128 {
	var sum i128
	if dexes&1 != 0 {
		sum = a.raw
	}
	for _, b := range m.balances.of(&a.balances) {
		switch {
		case b.key&dexBit != 0 && dexes>>(b.key&^dexBit)&1 != 0:
			sum = sum.Add(b.cash)
		case uint32(b.key) == token && a.mode != ModeStandard:
			sum = sum.Add(b.cash)
		}
	}
	return sum
}

// lentBehind returns what an account has lent of a cross book's token, less what it owes of it:
// both count as its margin outside standard mode.
func (m *Machine) lentBehind(a *account, b *book) i128 {
	if b.isolated >= 0 || a.mode == ModeStandard {
		return i128{}
	}
	if row := m.balanceOf(a, uint16(b.token)); row != nil {
		return m.supplied(row).Sub(m.debt(row))
	}
	return i128{}
}
