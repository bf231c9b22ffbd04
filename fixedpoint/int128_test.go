package fixedpoint

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/holiman/uint256"
	"pgregory.net/rapid"
)

func TestInt128AgreesWithBig(t *testing.T) {
	forEachSeed(t, 100_000, func(t *testing.T, prng *rand.Rand) {
		a, b := drawI(prng), drawI(prng)
		m, n := int64(draw(prng)), int64(draw(prng))
		bigA, bigB := bigI(a), bigI(b)
		sum, diff := new(big.Int).Add(bigA, bigB), new(big.Int).Sub(bigA, bigB)

		wantI(t, "I128", I128(m), big.NewInt(m))
		wantI(t, "Mul64", Mul64(m, n), mulBig(big.NewInt(m), big.NewInt(n)))
		wantI(t, "Add", a.Add(b), sum)
		wantI(t, "Sub", a.Sub(b), diff)
		wantI(t, "Neg", a.Neg(), new(big.Int).Neg(bigA))
		got, ok := a.AddChecked(b)
		wantFit(t, "AddChecked", got, ok, sum)
		got, ok = a.SubChecked(b)
		wantFit(t, "SubChecked", got, ok, diff)
		got, ok = a.MulInt64(m)
		wantFit(t, "MulInt64", got, ok, mulBig(bigA, big.NewInt(m)))
		if got, want := bigU(a.Abs()), new(big.Int).Abs(bigA); got.Cmp(want) != 0 {
			t.Errorf("Abs(%v) = %v, want %v", a, got, want)
		}
		if got, want := a.Sign(), bigA.Sign(); got != want {
			t.Errorf("Sign(%v) = %v, want %v", a, got, want)
		}
		order := bigA.Cmp(bigB)
		if a.Cmp(b) != order || a.Less(b) != (order < 0) || a.Cmp(a) != 0 {
			t.Errorf("Cmp(%v, %v) = %v, want %v", a, b, a.Cmp(b), order)
		}
		if a.IsZero() != (bigA.Sign() == 0) {
			t.Errorf("IsZero(%v) = %v", a, a.IsZero())
		}
		v, ok := a.Int64()
		if want, wantOK := fit64(bigA); v != want || ok != wantOK {
			t.Errorf("Int64(%v) = %v, %v, want %v, %v", a, v, ok, want, wantOK)
		}
		if got := a.String(); got != bigA.String() {
			t.Errorf("String() = %v, want %v", got, bigA)
		}
		lower, upper := a, b
		if order > 0 {
			lower, upper = b, a
		}
		if MinI128(a, b) != lower || MaxI128(a, b) != upper {
			t.Errorf("MinI128, MaxI128(%v, %v) = %v, %v", a, b, MinI128(a, b), MaxI128(a, b))
		}
	})
}

func TestUint128AgreesWithBig(t *testing.T) {
	forEachSeed(t, 50_000, func(t *testing.T, prng *rand.Rand) {
		a, b := drawU(prng), drawU(prng)
		bigA, bigB := bigU(a), bigU(b)
		sum, diff := new(big.Int).Add(bigA, bigB), new(big.Int).Sub(bigA, bigB)

		wantI(t, "Add", Int128{int64(a.Add(b).Hi), a.Add(b).Lo}, sum)
		wantI(t, "Sub", Int128{int64(a.Sub(b).Hi), a.Sub(b).Lo}, diff)
		got, ok := a.AddChecked(b)
		if want, wantOK := fitU(sum); got != want || ok != wantOK {
			t.Errorf("AddChecked(%v, %v) = %v, %v, want %v, %v", a, b, got, ok, want, wantOK)
		}
		got, ok = a.SubChecked(b)
		if want, wantOK := fitU(diff); got != want || ok != wantOK {
			t.Errorf("SubChecked(%v, %v) = %v, %v, want %v, %v", a, b, got, ok, want, wantOK)
		}
		if got, want := a.Cmp(b), bigA.Cmp(bigB); got != want || a.Cmp(a) != 0 {
			t.Errorf("Cmp(%v, %v) = %v, want %v", a, b, got, want)
		}
		if a.IsZero() != (bigA.Sign() == 0) {
			t.Errorf("IsZero(%v) = %v", a, a.IsZero())
		}
		signed, ok := a.Int128()
		wantFit(t, "Int128", signed, ok, bigA)
	})
}

func TestQuotientsAgreeWithBig(t *testing.T) {
	forEachSeed(t, 100_000, func(t *testing.T, prng *rand.Rand) {
		a, b, d := drawI(prng), int64(draw(prng)), int64(draw(prng))
		bigA, bigD := bigI(a), big.NewInt(d)
		if d <= 0 {
			got, ok := a.MulDivFloor(b, d)
			wantFit(t, "MulDivFloor by nothing", got, ok, nil)
			got, ok = a.MulDivCeil(b, d)
			wantFit(t, "MulDivCeil by nothing", got, ok, nil)
			return
		}
		wantI(t, fmt.Sprintf("%v.DivFloor(%v)", a, d), a.DivFloor(d), floorDiv(bigA, bigD))
		wantI(t, fmt.Sprintf("%v.DivCeil(%v)", a, d), a.DivCeil(d), ceilDiv(bigA, bigD))
		wantI(t, fmt.Sprintf("%v.DivTrunc(%v)", a, d), a.DivTrunc(d), new(big.Int).Quo(bigA, bigD))
		product := mulBig(bigA, big.NewInt(b))
		got, ok := a.MulDivFloor(b, d)
		wantFit(t, fmt.Sprintf("%v.MulDivFloor(%v, %v)", a, b, d), got, ok, floorDiv(product, bigD))
		got, ok = a.MulDivCeil(b, d)
		wantFit(t, fmt.Sprintf("%v.MulDivCeil(%v, %v)", a, b, d), got, ok, ceilDiv(product, bigD))
	})
}

func TestMulDiv64AgreesWithBig(t *testing.T) {
	forEachSeed(t, 200_000, func(t *testing.T, prng *rand.Rand) {
		checkMulDiv64(t, int64(draw(prng)), int64(draw(prng)), int64(draw(prng)))
	})
}

func checkMulDiv64(t *testing.T, a, b, d int64) {
	t.Helper()
	var floor, ceil int64
	var floorOK, ceilOK bool
	if d > 0 {
		product := mulBig(big.NewInt(a), big.NewInt(b))
		floor, floorOK = fit64(floorDiv(product, big.NewInt(d)))
		ceil, ceilOK = fit64(ceilDiv(product, big.NewInt(d)))
	}
	if got, ok := MulDivFloor(a, b, d); got != floor || ok != floorOK {
		t.Errorf("MulDivFloor(%d, %d, %d) = %d, %v, want %d, %v", a, b, d, got, ok, floor, floorOK)
	}
	if got, ok := MulDivCeil(a, b, d); got != ceil || ok != ceilOK {
		t.Errorf("MulDivCeil(%d, %d, %d) = %d, %v, want %d, %v", a, b, d, got, ok, ceil, ceilOK)
	}
}

func TestMulDiv128AgreesWithBig(t *testing.T) {
	forEachSeed(t, 100_000, func(t *testing.T, prng *rand.Rand) {
		checkMulDiv128(t, drawI(prng), drawI(prng), drawI(prng))
	})
}

func checkMulDiv128(t *testing.T, a, b, d Int128) {
	t.Helper()
	var floor, ceil *big.Int
	if !d.IsZero() {
		product := mulBig(bigI(a), bigI(b))
		floor, ceil = floorDiv(product, bigI(d)), ceilDiv(product, bigI(d))
	}
	got, ok := a.MulDivFloor128(b, d)
	wantFit(t, fmt.Sprintf("%v.MulDivFloor128(%v, %v)", a, b, d), got, ok, floor)
	got, ok = a.MulDivCeil128(b, d)
	wantFit(t, fmt.Sprintf("%v.MulDivCeil128(%v, %v)", a, b, d), got, ok, ceil)
}

// The long division is our own; uint256's is the second opinion, on words that make guesses go wrong.
func TestLongDivisionAgreesWithUint256(t *testing.T) {
	words := []uint64{0, 1, 2, 1<<63 - 1, 1 << 63, 1<<63 + 1, 1<<64 - 2, 1<<64 - 1}
	for pick := range 8 * 8 * 8 * 8 * 8 * 8 {
		at := func(n int) uint64 { return words[pick>>(3*n)&7] }
		high, low := Uint128{at(0), at(1)}, Uint128{at(2), at(3)}
		d := Uint128{at(4), at(5)}
		if !high.less(d) {
			continue
		}
		quo, rem := div256(high, low, d)
		var wantQuo, wantRem uint256.Int
		wantQuo.DivMod(&uint256.Int{low.Lo, low.Hi, high.Lo, high.Hi}, &uint256.Int{d.Lo, d.Hi}, &wantRem)
		if wantQuo != (uint256.Int{quo.Lo, quo.Hi}) || wantRem != (uint256.Int{rem.Lo, rem.Hi}) {
			t.Fatalf("div256(%v, %v, %v) = %v rem %v, want %v rem %v", high, low, d, quo, rem, &wantQuo, &wantRem)
		}
	}
}

func TestAnswersAtTheRim(t *testing.T) {
	checkMulDiv64(t, -1<<63, 1, 1)
	checkMulDiv64(t, -1<<63, -1, 1)
	checkMulDiv64(t, -1<<63, -1<<63, 1<<63-1)
	checkMulDiv64(t, 1<<63-1, 1<<63-1, 1<<63-2)
	checkMulDiv64(t, 1<<63-1, -(1<<63 - 1), 1<<63-2)
	// A quotient of all ones and a rest: rounding away would wrap to zero.
	checkMulDiv64(t, -177942868878227186, 311, 3)
	checkMulDiv64(t, 177942868878227186, 311, 3)
	allOnes := Int128{Hi: 0x400001fffff00000, Lo: 0x7ffffc00001fffff} // times 4194306, by 1048577
	checkMulDiv128(t, allOnes, I128(4194306), I128(1048577))
	checkMulDiv128(t, allOnes.Neg(), I128(4194306), I128(1048577))
	for _, a := range []Int128{allOnes, allOnes.Neg()} {
		got, ok := a.MulDivFloor(4194306, 1048577)
		wantFit(t, "MulDivFloor", got, ok, floorDiv(mulBig(bigI(a), big.NewInt(4194306)), big.NewInt(1048577)))
		got, ok = a.MulDivCeil(4194306, 1048577)
		wantFit(t, "MulDivCeil", got, ok, ceilDiv(mulBig(bigI(a), big.NewInt(4194306)), big.NewInt(1048577)))
	}
	for _, a := range []Int128{int128Min, int128Max, I128(1), I128(-1), {}} {
		for _, b := range []Int128{int128Min, int128Max, I128(1), I128(-1), {}} {
			for _, d := range []Int128{int128Min, int128Max, I128(1), I128(-1), I128(2), {}} {
				checkMulDiv128(t, a, b, d)
			}
		}
	}
	for _, d := range []int64{1, 2, 3, 1<<63 - 1} {
		for _, a := range []Int128{int128Min, int128Max} {
			wantI(t, "DivFloor", a.DivFloor(d), floorDiv(bigI(a), big.NewInt(d)))
			wantI(t, "DivCeil", a.DivCeil(d), ceilDiv(bigI(a), big.NewInt(d)))
			wantI(t, "DivTrunc", a.DivTrunc(d), new(big.Int).Quo(bigI(a), big.NewInt(d)))
		}
	}
}

func TestProgrammerErrorsPanic(t *testing.T) {
	for name, f := range map[string]func(){
		"power above the table":  func() { Pow10(19) },
		"division by zero":       func() { I128(1).DivFloor(0) },
		"division by a negative": func() { I128(1).DivCeil(-1) },
		"rounding to more":       func() { RoundDecimal128HalfEven(I128(1), 2, 3) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s does not panic", name)
				}
			}()
			f()
		}()
	}
}

// Laws that need no twin.
func TestFloorAndCeilEncloseTheQuotient(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := Int128{rapid.Int64().Draw(t, "hi"), rapid.Uint64().Draw(t, "lo")}
		d := rapid.Int64Min(1).Draw(t, "d")
		floor, ceil, trunc := a.DivFloor(d), a.DivCeil(d), a.DivTrunc(d)
		if gap := ceil.Sub(floor); gap != I128(0) && gap != I128(1) {
			t.Fatalf("ceil %v and floor %v are not neighbours", ceil, floor)
		}
		if a.Sign() < 0 && trunc != ceil || a.Sign() >= 0 && trunc != floor {
			t.Fatalf("trunc %v is neither toward zero: floor %v, ceil %v", trunc, floor, ceil)
		}
		if floor != a.Neg().DivCeil(d).Neg() && a != int128Min {
			t.Fatalf("floor(a) = %v is not -ceil(-a)", floor)
		}
		back, ok := floor.MulInt64(d)
		if rest := a.Sub(back); ok && (rest.Sign() < 0 || !rest.Less(I128(d))) {
			t.Fatalf("remainder %v is outside [0, %d)", rest, d)
		}
	})
}

func TestRescaleAgreesWithBig(t *testing.T) {
	forEachSeed(t, 100_000, func(t *testing.T, prng *rand.Rand) {
		a, m := drawI(prng), int64(draw(prng))
		from, to := uint8(prng.UintN(45)), uint8(prng.UintN(45))
		if prng.UintN(2) == 0 { // make exact ones common
			zeros := uint8(prng.UintN(20))
			a, _ = I128(int64(draw(prng)) >> 8).MulPow10(zeros)
			m = m % 1000 * Pow10(min(zeros, 15))
		}
		got, ok := Rescale128(a, from, to)
		wantFit(t, fmt.Sprintf("Rescale128(%v, %d, %d)", a, from, to), got, ok, rescaleBig(bigI(a), from, to))
		got64, ok := Rescale(m, from, to)
		var want64 int64
		var wantOK bool
		if want := rescaleBig(big.NewInt(m), from, to); want != nil {
			want64, wantOK = fit64(want)
		}
		if got64 != want64 || ok != wantOK {
			t.Errorf("Rescale(%v, %d, %d) = %v, %v, want %v, %v", m, from, to, got64, ok, want64, wantOK)
		}
		got, ok = a.MulPow10(from)
		wantFit(t, fmt.Sprintf("%v.MulPow10(%d)", a, from), got, ok, mulBig(bigI(a), bigPow10(int(from))))
		if from >= to {
			checkHalfEven(t, a, from, to)
		}
	})
	for n := range uint8(DigitsMax + 1) {
		if got, want := Pow10(n), bigPow10(int(n)); !want.IsInt64() || got != want.Int64() {
			t.Errorf("Pow10(%d) = %d, want %v", n, got, want)
		}
	}
	if got, ok := Rescale128(I128(0), 255, 0); got != I128(0) || !ok {
		t.Errorf("Rescale128(0, 255, 0) = %v, %v, want 0, true", got, ok)
	}
	if got, ok := I128(1).MulPow10(255); got != I128(0) || ok {
		t.Errorf("MulPow10(255) = %v, %v, want refusal", got, ok)
	}
}

func rescaleBig(m *big.Int, from, to uint8) *big.Int {
	quo, rem := new(big.Int).QuoRem(mulBig(m, bigPow10(int(to))), bigPow10(int(from)), new(big.Int))
	if rem.Sign() != 0 {
		return nil
	}
	return quo
}

func TestHalfEvenTiesGoToTheEvenNeighbour(t *testing.T) {
	for _, c := range []struct{ v, want int64 }{
		{15, 2}, {25, 2}, {35, 4}, {-15, -2}, {-25, -2}, {-35, -4}, {24, 2}, {26, 3}, {-26, -3}, {5, 0}, {-5, 0}, {6, 1},
	} {
		if got := RoundDecimal128HalfEven(I128(c.v), 3, 2); got != I128(c.want) {
			t.Errorf("RoundDecimal128HalfEven(%d, 3, 2) = %v, want %d", c.v, got, c.want)
		}
		checkHalfEven(t, I128(c.v), 3, 2)
	}
	for drop := range uint8(42) {
		half := mulBig(big.NewInt(5), bigPow10(max(int(drop)-1, 0)))
		for _, v := range []*big.Int{half, new(big.Int).Add(half, bigOne), new(big.Int).Sub(half, bigOne)} {
			checkHalfEven(t, wrapI(v), drop, 0)
			checkHalfEven(t, wrapI(v).Neg(), drop, 0)
		}
		checkHalfEven(t, int128Max, drop, 0)
		checkHalfEven(t, int128Min, drop, 0)
	}
}

func checkHalfEven(t *testing.T, v Int128, from, to uint8) {
	t.Helper()
	d := bigPow10(int(from - to))
	want, rem := new(big.Int).QuoRem(new(big.Int).Abs(bigI(v)), d, new(big.Int))
	twice := rem.Lsh(rem, 1)
	if order := twice.Cmp(d); order > 0 || order == 0 && want.Bit(0) == 1 {
		want.Add(want, bigOne)
	}
	if v.Sign() < 0 {
		want.Neg(want)
	}
	wantI(t, fmt.Sprintf("RoundDecimal128HalfEven(%v, %d, %d)", v, from, to), RoundDecimal128HalfEven(v, from, to), want)
}
