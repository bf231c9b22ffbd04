package risk

import (
	"math/rand/v2"
	"testing"
)

// TestQuotesTakeWhatTheMachineTakes holds Quotes against the verdict of the machine on
// prices around every limit.
func TestQuotesTakeWhatTheMachineTakes(t *testing.T) {
	d := newDesk(t)
	d.standard()
	d.listPerp("COIN", 0, "0", "10")
	d.listPerp("WHOLE", 6, "0", "10")
	m := d.m
	quotes := m.Quotes()
	rng := rand.New(rand.NewPCG(1, 2))
	taken := 0
	const rounds = 200_000
	for range rounds {
		c := Command{Kind: KindPrices}
		slot := rng.Uint32N(6)
		switch rng.IntN(4) {
		case 0:
			slot |= SpotBit
		case 1:
			slot = rng.Uint32() >> rng.IntN(32)
		}
		mantissa := int64(rng.Uint64()) >> rng.IntN(64)
		switch rng.IntN(5) {
		case 0:
			mantissa = PriceMax + rng.Int64N(3) - 1
		case 1:
			mantissa = OraclePriceMax + rng.Int64N(3) - 1
		case 2, 3:
			for mantissa = 1 + rng.Int64N(1000); rng.IntN(4) > 0 && mantissa < 1<<58; mantissa *= 10 {
			}
		}
		c.SetPrice(0, PriceKind(rng.IntN(4)), slot, mantissa, uint8(rng.IntN(20)))
		want := m.pricesVerdict([]Command{c}) == ReasonNone
		place, got := quotes.Takes(&c, 0)
		if got != want || place < 0 || place >= PricePlaces {
			t.Fatalf("%+v: quotes take it at place %d: %v, the machine: %v", c, place, got, want)
		}
		if got {
			taken++
		}
	}
	if taken < rounds/100 || taken > rounds/2 {
		t.Errorf("%d of %d prices were taken: the test has lost its teeth", taken, rounds)
	}
}

// TestPricesStandApart: no two prices that can be listed have one place.
func TestPricesStandApart(t *testing.T) {
	seen := make([]bool, PricePlaces)
	for kind, count := range []uint32{PriceMark: PerpsMax, PriceOracle: PerpsMax, PriceSpot: SpotsMax, PriceTokenOracle: TokensMax} {
		for slot := range count {
			if PriceKind(kind) == PriceSpot {
				slot |= SpotBit
			}
			place, ok := pricePlace(PriceKind(kind), slot)
			if !ok || seen[place] {
				t.Fatalf("kind %d, slot %#x: place %d, known %v, taken %v", kind, slot, place, ok, seen[place])
			}
			seen[place] = true
		}
	}
}
