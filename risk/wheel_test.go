package risk

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestPriceCodesOrderPrices(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200_000 {
		p := r.Uint64N(codePrice)>>r.UintN(62) + 1
		code := codeOf(p)
		if lo, hi := codeLowest(code), codeHighest(code); lo > p || hi < p || codeOf(lo) != code || codeOf(hi) != code {
			t.Fatalf("price %d: code %#x is of %d to %d", p, code, lo, hi)
		}
		if p < 1<<26 && (codeLowest(code) != p || codeHighest(code) != p) {
			t.Fatalf("price %d shares its code", p)
		}
		if codeLowest(codeAbove(p)) < p || codeHighest(codeBelow(p)) > p {
			t.Fatalf("price %d: bounds are taken at the wrong end", p)
		}
		q := p + r.Uint64N(p/1000+2)
		if codeOf(q) < code {
			t.Fatalf("codes of %d and %d are out of order", p, q)
		}
	}
}

// TestWheelGivesWhatIsPassed moves a price about and compares with a plain list.
func TestWheelGivesWhatIsPassed(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 7))
		isUpper := seed%2 == 0
		w := wheel{isUpper: isUpper}
		var s wheelStore
		var plain []wheelEntry
		price := uint64(1)<<(10+r.UintN(40)) + 12345
		for range 300 {
			for range r.IntN(30) {
				var bound uint32
				if isUpper {
					bound = codeBelow(price + r.Uint64N(price>>r.UintN(30)+1))
				} else {
					bound = codeAbove(max(1, price-r.Uint64N(price>>r.UintN(30)+1)))
				}
				if w.isPassed(bound, codeOf(price)) {
					continue
				}
				e := wheelEntry{local: r.Uint32N(1000), code: bound}
				w.insert(&s, e)
				plain = append(plain, e)
			}
			from := codeOf(price)
			step := r.Uint64N(price>>r.UintN(30) + 1)
			if r.IntN(2) == 0 {
				price += step
			} else {
				price = max(1, price-step)
			}
			price = min(max(price, 1), codePrice)
			to := codeOf(price)
			out := passing{limit: 1 << 30}
			if isUpper == (to > from) && to != from {
				w.pass(&s, from, to, &out)
			}
			got := out.entries
			var want, rest []wheelEntry
			for _, e := range plain {
				if w.isPassed(e.code, to) {
					want = append(want, e)
				} else {
					rest = append(rest, e)
				}
			}
			plain = rest
			order := func(a, b wheelEntry) int { return int(a.local)<<32 + int(a.code) - int(b.local)<<32 - int(b.code) }
			slices.SortFunc(got, order)
			slices.SortFunc(want, order)
			if !slices.Equal(got, want) {
				t.Fatalf("seed %d: from %#x to %#x: %d entries passed, want %d", seed, from, to, len(got), len(want))
			}
			if s.entries != len(plain) {
				t.Fatalf("seed %d: %d entries counted, %d are there", seed, s.entries, len(plain))
			}
		}
	}
}
