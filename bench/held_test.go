package bench

import (
	"fmt"
	"math/rand/v2"

	"plimsoll/fixedpoint"
	"plimsoll/risk"
)

// The crowd of the tick benchmarks: one asset is the most held.
const (
	mostHeld     = 0  // the perp
	holders      = 60 // of a hundred accounts, at least
	fourthEvery  = 5  // accounts of which one has three positions: 3.8 on average
	basisPoint   = 10_000
	poisedStepBp = 10 // one group of poised accounts crosses there, the next so much further down
)

// poisedMost are the groups of accounts that cross together. A crowd has those that are at
// most a tenth of it.
var poisedMost = []int{10, 1_000, 100_000}

// poisedOf returns the groups of a crowd.
func poisedOf(accounts int) (groups []int) {
	for _, k := range poisedMost {
		if k <= accounts/10 {
			groups = append(groups, k)
		}
	}
	return groups
}

// poisedBp returns how far the most-held asset has fallen, in basis points, one half before
// group n crosses.
func poisedBp(n int) int64 { return poisedStepBp * int64(n+1) }

// fallen returns the mark of the most-held asset after a fall by so many halves of a basis
// point.
func fallen(halves int64) int64 {
	p := marketAt(mostHeld).price
	return p - p*halves/(2*basisPoint)
}

// heldShape says what a crowd of the tick benchmarks is like.
type heldShape struct {
	accounts int
	mode     risk.Mode
	poised   []int // accounts of each group that crosses together
	nearPpm  int64 // the least slack of the others, parts in a million of their gross notional
}

func (s *heldShape) String() string {
	return fmt.Sprintf("mode=%s/accounts=%d/positions=3.8", modeName(s.mode), s.accounts)
}

// drawHeld draws a crowd: three or four different perps each, 500 to 5,000 dollars in each,
// long or short, six in ten with the most-held asset among them. What an account has beyond
// its initial requirement, its slack, is drawn: of ten, one has up to 5 % of its gross
// notional, three 5 to 30 %, six 30 to 300 %. A poised account is long the most-held asset,
// and its line lies half a basis point below its group's place.
func drawHeld(s *heldShape) *crowd {
	rng := rand.New(rand.NewPCG(11, 12))
	w := &crowd{
		shape: shape{accounts: s.accounts, mode: s.mode}, cash: make([]int64, s.accounts),
		size: make([]int64, s.accounts*positions), perp: make([]uint16, s.accounts*positions),
	}
	group := make([]uint8, s.accounts) // 1 + group of a poised account
	turns := rng.Perm(s.accounts)
	for n, k := range s.poised {
		for _, i := range turns[:k] {
			group[i] = uint8(n) + 1
		}
		turns = turns[k:]
	}
	for i := range s.accounts {
		w.drawHeldPositions(rng, i, group[i] > 0)
		if group[i] > 0 {
			w.cash[i] = w.poisedCash(i, poisedBp(int(group[i])-1))
		} else {
			gross, required := w.requirement(i, marketAt(mostHeld).price)
			w.cash[i] = required + gross/1_000_000*slackPpm(rng, s.nearPpm)
		}
		w.funds = w.funds.Add(fixedpoint.I128(w.cash[i]))
	}
	return w
}

func (w *crowd) drawHeldPositions(rng *rand.Rand, i int, isPoised bool) {
	first, step := rng.IntN(perpCount), 1+rng.IntN(perpCount/positions-1)
	if isPoised || rng.IntN(100) < holders {
		first = mostHeld
	}
	count := positions
	if i%fourthEvery == 0 {
		count--
	}
	for k := range count {
		p := (first + k*step) % perpCount
		size := marketAt(p).sizeFor(500_000_000 + rng.Int64N(4_500_000_000))
		w.gross[p] += size
		if rng.IntN(2) == 0 && !(isPoised && k == 0) {
			size = -size
		}
		w.net[p] += size
		w.size[i*positions+k], w.perp[i*positions+k] = size, uint16(p)
		w.held++
	}
}

func slackPpm(rng *rand.Rand, least int64) int64 {
	switch turn := rng.IntN(10); {
	case turn == 0:
		return least + rng.Int64N(50_000-least)
	case turn < 4:
		return 50_000 + rng.Int64N(250_000)
	default:
		return 300_000 + rng.Int64N(2_700_000)
	}
}

// poisedCash returns what makes an account's equity its initial requirement half a basis
// point below the place of its group: there it is healthy for the last time.
func (w *crowd) poisedCash(i int, bp int64) int64 {
	line := fallen(2*bp + 1)
	_, required := w.requirement(i, line)
	return required + w.size[i*positions]*(marketAt(mostHeld).price-line)
}

// requirement returns the gross notional and the initial requirement of an account
// (MODEL.md §2.1, §3, §7) in millionths of a dollar, with the most-held asset at the given
// mark and the others where they began.
func (w *crowd) requirement(i int, heldMark int64) (gross, required int64) {
	for k := range positions {
		size, p := w.size[i*positions+k], int(w.perp[i*positions+k])
		m := marketAt(p)
		if p == mostHeld {
			m.price = heldMark
		}
		notional := max(size, -size) * m.price
		divisor := int64(min(m.max, 20)) // the leverage of who never set one
		if w.mode != risk.ModeStandard {
			divisor = min(divisor, 10)
		}
		gross += notional
		required += (notional + divisor - 1) / divisor
	}
	return gross, required
}
