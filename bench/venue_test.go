package bench

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"

	"plimsoll/fixedpoint"
	"plimsoll/risk"
)

const (
	perpCount = 192
	positions = 4 // of every account
	usdc      = 0
	startMs   = 1_760_000_000_000
)

// taker is whatever applies groups: a machine, an engine, a list that is replayed later. The
// group is the taker's to stamp.
type taker func(group []risk.Command)

// machineTaker applies groups to a machine that is alone; all must be accepted.
func machineTaker(b *testing.B, m *risk.Machine) taker {
	b.Helper()
	return func(group []risk.Command) {
		stamp(group, m.Seq()+1)
		if events := m.Do(group); events[0].Reason != risk.ReasonNone {
			b.Fatalf("kind %d refused: %v, field %d", group[0].Kind, events[0].Reason, events[0].Field)
		}
	}
}

// stamp makes records a group at one place of the order.
func stamp(group []risk.Command, seq uint64) {
	for i := range group {
		group[i].Seq, group[i].TimeMs, group[i].GroupLeft = seq, startMs, uint16(len(group)-1-i)
	}
}

// market is one perp of the venue: prices are whole numbers at 6 - sz decimals, so that
// size x price is in millionths of a dollar.
type market struct {
	sz    uint8
	price int64
	max   uint32 // leverage of its first tier
}

// marketAt returns perp i: five sizes of price and seven leverages, as on the real venue.
func marketAt(i int) market {
	prices := [...]int64{600_005, 250_055, 401_230, 312_340, 123_450}
	decimals := [...]uint8{5, 4, 2, 1, 0}
	leverages := [...]uint32{40, 25, 10, 20, 3, 5, 50}
	return market{sz: decimals[i%5], price: prices[i%5] * int64(200+i) / 200, max: leverages[i%7]}
}

// sizeFor returns the size, at the market's decimals, that is worth about so many millionths
// of a dollar.
func (k market) sizeFor(worth int64) int64 { return max(1, worth/k.price) }

// marks returns the price of every perp, moved by so many thousandths of itself up and down.
func marks(thousandths int64) []int64 {
	out := make([]int64, perpCount)
	for i := range out {
		p := marketAt(i).price
		if i%2 == 0 {
			out[i] = p + p*thousandths/1000
		} else {
			out[i] = p - p*thousandths/1000
		}
	}
	return out
}

func perpName(i int) string { return "P" + strconv.Itoa(i) }

// listVenue lists USDC with a pool, the perps with two tiers each, and a first price of all.
func listVenue(take taker) {
	token := risk.Command{Kind: risk.KindListToken, Mode: 8, Leverage: 2, Flags: risk.FlagBorrowable}
	token.Ref = [4]uint32{0, 0, risk.NoSlot, usdc}
	for i := range 4 {
		token.SetNum(i, 1_000_000_000_000, 0)
	}
	rates := risk.Command{Kind: risk.KindPartRates, Num: [4]int64{0, 5, 475, 80}, Dec: [4]uint8{0, 2, 2, 2}}
	limits := risk.Command{Kind: risk.KindPartLimits, Num: [4]int64{1}, Dec: [4]uint8{1}}
	take([]risk.Command{token, rates, limits, named(risk.Command{Kind: risk.KindPartName}, "USDC")})
	for i := range perpCount {
		k := marketAt(i)
		perp := risk.Command{Kind: risk.KindListPerp, Leverage: uint16(k.sz)}
		perp.Ref = [4]uint32{0, uint32(i), uint32(i), usdc}
		tiers := risk.Command{Kind: risk.KindPartTiers, Mode: 2, Num: [4]int64{0, 20_000_000}}
		tiers.Ref = [4]uint32{k.max, max(1, k.max/2)}
		take([]risk.Command{perp, tiers, named(risk.Command{Kind: risk.KindPartName}, perpName(i))})
	}
	take(tick(marks(0)))
}

func named(c risk.Command, name string) risk.Command {
	if !c.SetName([]byte(name)) {
		panic("bench: BUG: name " + name + " is too long")
	}
	return c
}

// tick returns the group that sets every perp's mark.
func tick(prices []int64) []risk.Command {
	group := make([]risk.Command, (len(prices)+3)/4)
	for i, p := range prices {
		c := &group[i/4]
		c.Kind = risk.KindPrices
		c.SetPrice(i%4, risk.PriceMark, uint32(i), p, 6-marketAt(i).sz)
	}
	return group
}

// shape says what a crowd is like.
type shape struct {
	accounts   int
	mode       risk.Mode
	near       int  // one account in so many is below its initial requirement; 0: none
	isShuffled bool // positions were opened one here, one there, as in a venue that has grown
	orders     int  // resting orders of every account
}

func (s shape) String() string {
	text := "mode=" + modeName(s.mode)
	if s.isShuffled {
		text += "/layout=shuffled"
	}
	text += fmt.Sprintf("/accounts=%d/positions=%d", s.accounts, positions)
	if s.near > 0 {
		text += fmt.Sprintf("/near=%d%%", 100/s.near)
	}
	if s.orders > 0 {
		text += fmt.Sprintf("/orders=%d", s.orders)
	}
	return text
}

func modeName(m risk.Mode) string {
	return [...]string{"none", "standard", "unified", "portfolio"}[m]
}

func eachMode() []risk.Mode {
	return []risk.Mode{risk.ModeStandard, risk.ModeUnified, risk.ModePortfolio}
}

// crowd is what a population must add up to, and its positions in flat arrays.
type crowd struct {
	shape

	cash  []int64           // by account, millionths of a dollar
	size  []int64           // positions to an account
	perp  []uint16          // positions to an account
	gross [perpCount]int64  // Σ |size| by perp
	net   [perpCount]int64  // Σ size by perp
	funds fixedpoint.Int128 // Σ cash
	held  int               // positions of all; a size of 0 is none
}

// draw draws a crowd: four different perps each, 500 to 5,000 dollars in each, long or short,
// and cash of 0.4 to 3 times the gross notional, of 0.08 times for those near their line.
func draw(s shape) *crowd {
	rng := rand.New(rand.NewPCG(1, 2))
	w := &crowd{
		shape: s, cash: make([]int64, s.accounts),
		size: make([]int64, 0, s.accounts*positions), perp: make([]uint16, 0, s.accounts*positions),
	}
	for i := range s.accounts {
		first, step := rng.IntN(perpCount), 1+rng.IntN(perpCount/positions-1)
		var notional int64
		for k := range positions {
			p := (first + k*step) % perpCount
			m := marketAt(p)
			size := m.sizeFor(500_000_000 + rng.Int64N(4_500_000_000))
			notional += size * m.price
			w.gross[p] += size
			if rng.IntN(2) == 0 {
				size = -size
			}
			w.net[p] += size
			w.size, w.perp = append(w.size, size), append(w.perp, uint16(p))
			w.held++
		}
		w.cash[i] = notional/100*40 + rng.Int64N(notional/100*260)
		if s.near > 0 && rng.IntN(s.near) == 0 {
			w.cash[i] = notional / 100 * 8
		}
		w.funds = w.funds.Add(fixedpoint.I128(w.cash[i]))
	}
	return w
}

// settle lists the venue and brings the crowd onto it; fills are at the mark, so equity
// begins as the cash paid in.
func (w *crowd) settle(take taker) {
	listVenue(take)
	group := make([]risk.Command, 1)
	one := func(c risk.Command) {
		group[0] = c
		take(group)
	}
	for i := range w.accounts {
		one(w.open(i))
		one(w.deposit(i))
		for k := 0; k < positions && !w.isShuffled; k++ {
			if w.size[i*positions+k] != 0 {
				one(w.fill(i, k))
			}
		}
	}
	if w.isShuffled {
		for k := range positions {
			for _, i := range rand.New(rand.NewPCG(3, uint64(k))).Perm(w.accounts) {
				one(w.fill(i, k))
			}
		}
	}
	for n := range w.orders {
		for i := range w.accounts {
			one(w.order(i, (i*7+n*31)%perpCount, uint64(n+1)))
		}
	}
}

func (w *crowd) open(i int) risk.Command {
	var name [risk.NameMax]byte
	c := risk.Command{Kind: risk.KindOpenAccount, Mode: uint8(w.mode)}
	c.SetName(appendAddress(name[:0], i))
	c.Ref = [4]uint32{uint32(i), risk.NoAccount, 0, 0}
	return c
}

func (w *crowd) deposit(i int) risk.Command {
	c := risk.Command{Kind: risk.KindDeposit}
	c.Ref = [4]uint32{uint32(i), 0, 0, usdc}
	if w.mode == risk.ModeStandard {
		c.Wallets[0] = uint16(risk.WalletPerp)
	}
	c.SetNum(0, w.cash[i], 6)
	return c
}

func (w *crowd) fill(i, k int) risk.Command {
	size, p := w.size[i*positions+k], int(w.perp[i*positions+k])
	m := marketAt(p)
	c := risk.Command{Kind: risk.KindFill}
	if size < 0 {
		c.Flags, size = risk.FlagSell, -size
	}
	c.Ref = [4]uint32{uint32(i), 0, uint32(p), risk.NoSlot}
	c.SetNum(0, size, m.sz)
	c.SetNum(1, m.price, 6-m.sz)
	return c
}

// order returns an order of about 500 dollars at the mark, buying and selling in turn.
func (w *crowd) order(i, p int, id uint64) risk.Command {
	m := marketAt(p)
	c := risk.Command{Kind: risk.KindOrder, Flags: risk.FlagOrderID, OrderForm: risk.FormUint, OrderLo: id}
	if (i+p)%2 == 0 {
		c.Flags |= risk.FlagSell
	}
	c.Ref = [4]uint32{uint32(i), 0, uint32(p), 0}
	c.SetNum(0, m.sizeFor(500_000_000), m.sz)
	c.SetNum(1, m.price, 6-m.sz)
	return c
}

// appendAddress appends the name of account i, an address as on the venue.
func appendAddress(dst []byte, i int) []byte {
	var raw [20]byte
	binary.BigEndian.PutUint64(raw[4:], uint64(i)*0x9e3779b97f4a7c15)
	binary.BigEndian.PutUint64(raw[12:], uint64(i))
	return hex.AppendEncode(append(dst, "0x"...), raw[:])
}

// check holds the sums of a pass against the crowd's own, at the given marks.
func (w *crowd) check(b *testing.B, s *risk.Sums, prices []int64) {
	b.Helper()
	equity, notional := w.funds, fixedpoint.Int128{}
	for p, mark := range prices {
		notional = notional.Add(fixedpoint.Mul64(w.gross[p], mark))
		equity = equity.Add(fixedpoint.Mul64(w.net[p], mark-marketAt(p).price))
	}
	if s.Accounts != uint64(w.accounts) || s.Positions != uint64(w.held) {
		b.Fatalf("passed %d accounts with %d positions, want %d with %d", s.Accounts, s.Positions, w.accounts, w.held)
	}
	if want := hundredfold(notional); s.Notional != want {
		b.Fatalf("notional %v, want %v", s.Notional, want)
	}
	if want := hundredfold(equity); s.Equity != want {
		b.Fatalf("equity %v, want %v", s.Equity, want)
	}
}

// hundredfold brings millionths of a dollar to the 1e-8 of a pass.
func hundredfold(v fixedpoint.Int128) fixedpoint.Int128 {
	v, ok := v.MulInt64(100)
	if !ok {
		panic("bench: BUG: sum above 128 bits")
	}
	return v
}

// newMachine returns a machine with a crowd on it.
func newMachine(b *testing.B, w *crowd) *risk.Machine {
	b.Helper()
	return newMachineThat(b, w, risk.DetectBands)
}

// newMachineThat returns one that detects crossings in the given way.
func newMachineThat(b *testing.B, w *crowd, detect risk.Detect) *risk.Machine {
	b.Helper()
	m := risk.New(risk.Config{Shards: 1, AccountsMax: uint32(w.accounts), Detect: detect})
	w.settle(machineTaker(b, m))
	return m
}
