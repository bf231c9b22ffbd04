package fixedpoint

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"testing"
)

func TestIndexAgreesWithBig(t *testing.T) {
	forEachSeed(t, 40_000, func(t *testing.T, prng *rand.Rand) {
		x := Index{U: drawU(prng)}
		if prng.UintN(2) == 0 { // as indexes are: a little above one
			x.U = IndexOne().U.Add(Uint128{Hi: draw(prng) >> 40, Lo: draw(prng)})
		}
		checkIndex(t, x, drawI(prng), drawI(prng))
	})
	for _, u := range []Uint128{{}, {Lo: 1}, {Hi: 1<<64 - 1, Lo: 1<<64 - 1}, indexScale()} {
		for _, a := range []Int128{{}, I128(1), I128(-1), I128(1<<63 - 1), {Lo: 1<<64 - 1}, {Hi: 1}, int128Max, int128Min} {
			for _, b := range []Int128{{}, I128(1), I128(-1), int128Max, int128Min} {
				checkIndex(t, Index{U: u}, a, b)
			}
		}
	}
}

func TestIndexAtTheRimOf128Bits(t *testing.T) {
	two := indexScale().lsh(1)
	twoE27 := Int128{Hi: int64(two.Hi), Lo: two.Lo}
	for _, u := range []Uint128{
		{Hi: 1 << 63},                              // times 2: 2^128 exactly
		{Hi: 1<<63 - 1, Lo: 1<<64 - 1},             // times 2: the last even number
		{Hi: 0x8000000000000000, Lo: 0x13CE9A36F2}, // times 2 less 10^-27: all ones and a rest
	} {
		checkIndex(t, Index{U: u}, twoE27, I128(1))
		checkIndex(t, Index{U: u}, twoE27.Sub(I128(1)), I128(1))
	}
	allOnes := Index{U: Uint128{Hi: 0x800003FFFFE00000, Lo: 0xFFFFF800003FFFFE}}
	checkIndex(t, allOnes, I128(2097153), I128(1048577))
}

// checkIndex compares every method of Index with math/big.
func checkIndex(t *testing.T, x Index, a, b Int128) {
	t.Helper()
	bigX, bigA, bigB := bigU(x.U), bigI(a), bigI(b)
	name := func(method string) string { return fmt.Sprintf("Index(%v).%s(%v)", bigX, method, a) }
	var valueFloor, valueCeil, scaledFloor, scaledCeil *big.Int // nil: refused
	if a.Sign() >= 0 {
		valueFloor, valueCeil = floorDiv(mulBig(bigA, bigX), bigE27), ceilDiv(mulBig(bigA, bigX), bigE27)
		if bigX.Sign() > 0 {
			scaledFloor, scaledCeil = floorDiv(mulBig(bigA, bigE27), bigX), ceilDiv(mulBig(bigA, bigE27), bigX)
		}
	}
	got, ok := x.ValueFloor(a)
	wantFit(t, name("ValueFloor"), got, ok, valueFloor)
	got, ok = x.ValueCeil(a)
	wantFit(t, name("ValueCeil"), got, ok, valueCeil)
	got, ok = x.ScaledFloor(a)
	wantFit(t, name("ScaledFloor"), got, ok, scaledFloor)
	got, ok = x.ScaledCeil(a)
	wantFit(t, name("ScaledCeil"), got, ok, scaledCeil)

	var growFloor, growCeil, compoundFloor, compoundCeil *big.Int
	if a.Sign() > 0 && b.Sign() > 0 {
		growFloor, growCeil = floorDiv(mulBig(bigX, bigA), bigB), ceilDiv(mulBig(bigX, bigA), bigB)
	}
	if a.Sign() >= 0 {
		compoundFloor, compoundCeil = valueFloor, valueCeil
	}
	grown, ok := x.GrowFloor(a, b)
	wantIndex(t, name("GrowFloor"), grown, ok, growFloor)
	grown, ok = x.GrowCeil(a, b)
	wantIndex(t, name("GrowCeil"), grown, ok, growCeil)
	grown, ok = x.CompoundFloor(a)
	wantIndex(t, name("CompoundFloor"), grown, ok, compoundFloor)
	grown, ok = x.CompoundCeil(a)
	wantIndex(t, name("CompoundCeil"), grown, ok, compoundCeil)
}

func wantIndex(t *testing.T, name string, got Index, ok bool, want *big.Int) {
	t.Helper()
	var wanted Uint128
	var wantOK bool
	if want != nil {
		wanted, wantOK = fitU(want)
	}
	if got.U != wanted || ok != wantOK {
		t.Errorf("%s = %v, %v, want %v fits=%v", name, got, ok, want, wantOK)
	}
}

func TestIndexOneChangesNothing(t *testing.T) {
	if got := bigU(IndexOne().U); got.Cmp(bigE27) != 0 {
		t.Fatalf("IndexOne() = %v, want 10^27", got)
	}
	for _, v := range []Int128{{}, I128(1), I128(1<<63 - 1), int128Max} {
		for name, f := range map[string]func(Int128) (Int128, bool){
			"ValueFloor": IndexOne().ValueFloor, "ValueCeil": IndexOne().ValueCeil,
			"ScaledFloor": IndexOne().ScaledFloor, "ScaledCeil": IndexOne().ScaledCeil,
		} {
			if got, ok := f(v); got != v || !ok {
				t.Errorf("IndexOne().%s(%v) = %v, %v", name, v, got, ok)
			}
		}
	}
}

// What an account pays in and takes out at once may not grow by the rounding.
func TestRoundTripThroughAnIndexNeverGains(t *testing.T) {
	forEachSeed(t, 20_000, func(t *testing.T, prng *rand.Rand) {
		x := Index{U: IndexOne().U.Add(Uint128{Hi: draw(prng) >> 40, Lo: draw(prng)})}
		value := I128(int64(draw(prng) >> 1))
		scaled, _ := x.ScaledFloor(value)
		if back, ok := x.ValueFloor(scaled); !ok || value.Less(back) {
			t.Errorf("supply of %v comes back as %v", value, back)
		}
		scaled, _ = x.ScaledCeil(value)
		if back, ok := x.ValueCeil(scaled); !ok || back.Less(value) {
			t.Errorf("debt of %v comes back as %v", value, back)
		}
	})
}

// expErrorMax is the bound that ExpFactor states: 1 + 2^-25 units of 10^-27.
var expErrorMax = new(big.Float).SetPrec(twinBits).SetMantExp(big.NewFloat(1<<25+1), -25)

const twinBits = 512

// expTwin returns exp(rate*dt/year)*10^27 to some 400 bits: the series for x/2^64, then 64 squarings.
func expTwin(rateE12, dtMs int64) *big.Float {
	const halvings = 64
	year := mulBig(big.NewInt(365*24*3600*1000), bigPow10(12))
	x := new(big.Float).SetPrec(twinBits).SetInt(mulBig(big.NewInt(rateE12), big.NewInt(dtMs)))
	x.Quo(x, new(big.Float).SetPrec(twinBits).SetInt(year))
	x.SetMantExp(x, -halvings)
	sum := new(big.Float).SetPrec(twinBits).SetInt64(1)
	term := new(big.Float).Copy(sum)
	for n := int64(1); n < 16; n++ { // x < 2^-50, so that the 16th term is below 2^-800
		term.Mul(term, x)
		term.Quo(term, new(big.Float).SetPrec(twinBits).SetInt64(n))
		sum.Add(sum, term)
	}
	for range halvings {
		sum.Mul(sum, sum)
	}
	return sum.Mul(sum, new(big.Float).SetPrec(twinBits).SetInt(bigE27))
}

// checkExp holds ExpFactor to its stated bound; it reports whether the result is the exact floor.
func checkExp(t *testing.T, rateE12, dtMs int64) (isFloor bool) {
	t.Helper()
	got, ok := ExpFactor(rateE12, dtMs)
	if rateE12 < 0 || rateE12 > RateE12Max || dtMs < 0 {
		if ok || got != (Int128{}) {
			t.Errorf("ExpFactor(%d, %d) = %v, %v, want a refusal", rateE12, dtMs, got, ok)
		}
		return true
	}
	limit := new(big.Float).SetPrec(twinBits).SetMantExp(big.NewFloat(1), 127)
	if product := mulBig(big.NewInt(rateE12), big.NewInt(dtMs)); product.BitLen() > 80 {
		if ok { // x is above 38
			t.Errorf("ExpFactor(%d, %d) = %v, want a refusal", rateE12, dtMs, got)
		}
		return true
	}
	exact := expTwin(rateE12, dtMs)
	if !ok {
		if exact.Cmp(limit) < 0 || got != (Int128{}) {
			t.Errorf("ExpFactor(%d, %d) = %v, refused, but exp is %v", rateE12, dtMs, got, exact)
		}
		return true
	}
	// The twin is itself wrong by 2^-250 or so: where it is an integer, at x = 0, it is exact.
	short := new(big.Float).Sub(exact, new(big.Float).SetPrec(twinBits).SetInt(bigI(got)))
	if short.Sign() < 0 || short.Cmp(expErrorMax) >= 0 {
		t.Errorf("ExpFactor(%d, %d) = %v, exp is %v: short by %v", rateE12, dtMs, got, exact, short)
	}
	return short.Cmp(big.NewFloat(1)) < 0
}

func TestExpFactorStaysInItsBound(t *testing.T) {
	floors, count := 0, 0
	forEachSeed(t, 20_000, func(t *testing.T, prng *rand.Rand) {
		rate := prng.Int64N(RateE12Max + 1)
		dt := int64(prng.Uint64() >> (20 + prng.UintN(43)))
		if prng.UintN(2) == 0 { // rates of markets, times of blocks and hours
			rate, dt = prng.Int64N(2e12), prng.Int64N(8*3600*1000)
		}
		count++
		if checkExp(t, rate, dt) {
			floors++
		}
	})
	for _, rate := range []int64{-1 << 63, -1, 0, 1, 1e12, RateE12Max, RateE12Max + 1, 1<<63 - 1} {
		for _, dt := range []int64{-1 << 63, -1, 0, 1, 3600_000, YearMs, 1<<63 - 1} {
			checkExp(t, rate, dt)
		}
	}
	t.Logf("%d of %d are exact floors", floors, count)
}

// ln(2) must be rounded up, or a factor could come out above the exact one: too little for a sample to show.
func TestLn2IsRoundedUp(t *testing.T) {
	sum := new(big.Int) // the sum of 1/(n*2^n), each cut at 2^300
	for n := uint(1); n < 300; n++ {
		term := new(big.Int).Lsh(bigOne, 300-n)
		sum.Add(sum, term.Div(term, big.NewInt(int64(n))))
	}
	want := sum.Rsh(sum, 300-expFractionBits)
	want.Add(want, bigOne)
	ln2 := expLn2()
	if got := ln2.ToBig(); got.Cmp(want) != 0 {
		t.Errorf("ln(2) at 2^160 is %v, want %v", got, want)
	}
}

// Around every multiple of ln(2) the reduction steps; around 2^127 the answer ends.
func TestExpFactorAtItsSteps(t *testing.T) {
	const rate = 1e12
	const ln2Ms = 693_147_180_559 * (YearMs / 1000) / 1_000_000_000
	for k := range int64(38) {
		for off := int64(-2); off <= 2; off++ {
			checkExp(t, rate, k*ln2Ms+max(off, -k))
		}
	}
	lastOK := int64(0)
	for step := int64(1) << 45; step > 0; step /= 2 {
		if _, ok := ExpFactor(rate, lastOK+step); ok {
			lastOK += step
		}
	}
	for off := int64(-3); off <= 3; off++ {
		checkExp(t, rate, lastOK+off)
	}
	last, _ := ExpFactor(rate, lastOK)
	if last.Hi>>62 != 1 {
		t.Errorf("the last factor is %v, want it close to 2^127", last)
	}
}

// The known factors were computed in doubles, so that they may be one double, 2^-52, beside the exact one.
func TestExpFactorGivesTheKnownFactors(t *testing.T) {
	const hourMs = 3_600_000
	const doubleE27 = 222_044_604_926 // 10^27 / 2^52
	for _, c := range []struct {
		rateE12 int64
		want    string
		errE27  int64
	}{
		{50_000_000_000, "1.0000057077788465", doubleE27},
		{287_500_000_000, "1.0000328201732733", doubleE27},
		{1_000_000_000_000, "1.0001141617671", 50_000_000_000_000}, // half a unit of its last place
		{0, "1.0", 0},
	} {
		got, ok := ExpFactor(c.rateE12, hourMs)
		known, _ := ParseDecimalString(c.want)
		want, _ := Rescale128(I128(known.Mantissa), known.Decimals, 27)
		if diff, _ := got.Sub(want).Int64(); !ok || max(diff, -diff) > c.errE27 {
			t.Errorf("ExpFactor(%d, an hour) = %v, %v, want %s", c.rateE12, got, ok, c.want)
		}
	}
	// To all places: exp(0.05/8760), exp(0.2875/8760) and exp(1/8760) from Python's decimal at 60 digits.
	for _, c := range []struct {
		rateE12 int64
		want    string
	}{
		{50_000_000_000, "1000005707778846385321378208"},
		{287_500_000_000, "1000032820173273299247889194"},
		{1_000_000_000_000, "1000114161767100175379195411"},
	} {
		if got, ok := ExpFactor(c.rateE12, hourMs); !ok || got.String() != c.want {
			t.Errorf("ExpFactor(%d, an hour) = %v, %v, want %s", c.rateE12, got, ok, c.want)
		}
	}
}
