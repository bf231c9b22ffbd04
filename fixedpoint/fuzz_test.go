package fixedpoint

import "testing"

// Every target compares with its math/big twin; the seeds below and in testdata/fuzz run with every go test.

func FuzzParseDecimal(f *testing.F) {
	for _, text := range []string{
		"0", "-0", "1.50", "60123.45678901", "0.000000000000000001", "123456789012345678", "00.1", "1e5", "NaN", "-", ".5",
		"1.00000000000000000000000000", "18446744073709551617", "12345678.12345678",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		checkParse(t, string(text))
	})
}

func FuzzMulDiv128(f *testing.F) {
	f.Add(int64(-1<<63), uint64(0), int64(-1<<63), uint64(0), int64(-1<<63), uint64(0))
	f.Add(int64(0), uint64(7), int64(-1), uint64(1<<64-3), int64(0), uint64(2))
	f.Add(int64(1<<62), uint64(1), int64(0), uint64(1<<63), int64(1<<62), uint64(1<<64-1))
	f.Fuzz(func(t *testing.T, aHi int64, aLo uint64, bHi int64, bLo uint64, dHi int64, dLo uint64) {
		checkMulDiv128(t, Int128{aHi, aLo}, Int128{bHi, bLo}, Int128{dHi, dLo})
		checkMulDiv64(t, int64(aLo), int64(bLo), int64(dLo))
	})
}

func FuzzIndexValue(f *testing.F) {
	f.Add(uint64(indexScaleHi), uint64(indexScaleLo), int64(0), uint64(1e8), int64(0), uint64(1))
	f.Add(uint64(1<<64-1), uint64(1<<64-1), int64(1<<63-1), uint64(1<<64-1), int64(1), uint64(0))
	f.Add(uint64(0), uint64(0), int64(-1), uint64(0), int64(-1), uint64(0))
	f.Fuzz(func(t *testing.T, xHi, xLo uint64, aHi int64, aLo uint64, bHi int64, bLo uint64) {
		x := Index{U: Uint128{xHi, xLo}}
		checkIndex(t, x, Int128{aHi, aLo}, Int128{bHi, bLo})
		checkIndex(t, x, Int128{Lo: aLo}, Int128{Lo: bLo})
	})
}

func FuzzExpFactor(f *testing.F) {
	f.Add(int64(50_000_000_000), int64(3_600_000))
	f.Add(int64(RateE12Max), int64(YearMs/4))
	f.Add(int64(1), int64(1<<63-1))
	f.Fuzz(func(t *testing.T, rateE12, dtMs int64) {
		checkExp(t, rateE12, dtMs)
		// Most 64-bit numbers are out of range; fold them in, to x < 26 or so.
		checkExp(t, int64(uint64(rateE12)%(RateE12Max+1)), int64(uint64(dtMs)%(YearMs/4)))
		checkExp(t, int64(uint64(rateE12)%2e12), int64(uint64(dtMs)%(14*YearMs)))
	})
}
