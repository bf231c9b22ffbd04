package fixedpoint

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// The twins: slow, obvious math/big versions that every function is compared with.

var (
	bigOne    = big.NewInt(1)
	bigE27    = new(big.Int).Exp(big.NewInt(10), big.NewInt(27), nil)
	int128Min = Int128{Hi: math.MinInt64}
	int128Max = Int128{Hi: math.MaxInt64, Lo: math.MaxUint64}
)

func bigU(u Uint128) *big.Int {
	v := new(big.Int).SetUint64(u.Hi)
	return v.Lsh(v, 64).Add(v, new(big.Int).SetUint64(u.Lo))
}

func bigI(a Int128) *big.Int {
	v := big.NewInt(a.Hi)
	return v.Lsh(v, 64).Add(v, new(big.Int).SetUint64(a.Lo))
}

// fitI gives what a checked function must: v and true, or zero and false.
func fitI(v *big.Int) (Int128, bool) {
	if v.Cmp(bigI(int128Min)) < 0 || v.Cmp(bigI(int128Max)) > 0 {
		return Int128{}, false
	}
	return wrapI(v), true
}

func fitU(v *big.Int) (Uint128, bool) {
	if v.Sign() < 0 || v.BitLen() > 128 {
		return Uint128{}, false
	}
	w := wrapI(v)
	return Uint128{Hi: uint64(w.Hi), Lo: w.Lo}, true
}

func fit64(v *big.Int) (int64, bool) {
	if !v.IsInt64() {
		return 0, false
	}
	return v.Int64(), true
}

// wrapI takes v modulo 2^128.
func wrapI(v *big.Int) Int128 {
	mask := new(big.Int).SetUint64(math.MaxUint64)
	lo := new(big.Int).And(v, mask)
	hi := new(big.Int).Rsh(v, 64)
	return Int128{Hi: int64(hi.And(hi, mask).Uint64()), Lo: lo.Uint64()}
}

// floorDiv rounds toward minus infinity, for a divisor of any sign but zero.
func floorDiv(n, d *big.Int) *big.Int {
	q, m := new(big.Int).DivMod(n, d, new(big.Int)) // Euclidean: m >= 0
	if m.Sign() != 0 && d.Sign() < 0 {
		q.Sub(q, bigOne)
	}
	return q
}

func ceilDiv(n, d *big.Int) *big.Int {
	q := floorDiv(new(big.Int).Neg(n), d)
	return q.Neg(q)
}

func mulBig(a, b *big.Int) *big.Int { return new(big.Int).Mul(a, b) }

func bigPow10(n int) *big.Int {
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
}

var edges64 = []uint64{
	0, 1, 2, 3, 9, 10, 1e8, 1e18, 1 << 31, 1 << 32, 1<<63 - 1, 1 << 63, 1<<63 + 1, 1<<64 - 2, 1<<64 - 1,
	indexScaleHi, indexScaleLo, indexFives,
}

// draw gives 64 bits that are as often an edge, a small number, or one of some random width, as not.
func draw(prng *rand.Rand) uint64 {
	v := prng.Uint64() >> prng.UintN(64)
	switch prng.UintN(8) {
	case 0, 1:
		return edges64[prng.IntN(len(edges64))]
	case 2:
		return edges64[prng.IntN(len(edges64))] + prng.Uint64N(5) - 2
	case 3:
		return -v
	default:
		return v
	}
}

func drawI(prng *rand.Rand) Int128 {
	switch prng.UintN(4) {
	case 0:
		return I128(int64(draw(prng)))
	case 1: // of any width
		v := bigI(Int128{Hi: int64(draw(prng)), Lo: draw(prng)})
		return wrapI(v.Rsh(v, prng.UintN(128)))
	default:
		return Int128{Hi: int64(draw(prng)), Lo: draw(prng)}
	}
}

func drawU(prng *rand.Rand) Uint128 { return drawI(prng).Abs().Sub(Uint128{Lo: prng.Uint64N(2)}) }

// forEachSeed runs f on rounds seeded draws; a failure names the round's seed.
func forEachSeed(t *testing.T, rounds uint64, f func(t *testing.T, prng *rand.Rand)) {
	t.Helper()
	if testing.Short() {
		rounds /= 10
	}
	for seed := range rounds {
		f(t, rand.New(rand.NewPCG(seed, 128)))
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func wantI(t *testing.T, name string, got Int128, want *big.Int) {
	t.Helper()
	if got != wrapI(want) {
		t.Errorf("%s = %v, want %v", name, got, want)
	}
}

// wantFit compares a checked result with the exact one; a nil want means that the arguments must be refused.
func wantFit(t *testing.T, name string, got Int128, ok bool, want *big.Int) {
	t.Helper()
	var wanted Int128
	var wantOK bool
	if want != nil {
		wanted, wantOK = fitI(want)
	}
	if got != wanted || ok != wantOK {
		t.Errorf("%s = %v, %v, want %v fits=%v", name, got, ok, want, wantOK)
	}
}
