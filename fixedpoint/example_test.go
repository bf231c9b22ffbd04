package fixedpoint_test

import (
	"errors"
	"fmt"

	"plimsoll/fixedpoint"
)

func ExampleMulDivFloor() {
	priceE8, qtyE8 := int64(60_123_45000000), int64(-1_00000001)
	floor, _ := fixedpoint.MulDivFloor(priceE8, qtyE8, 1e8)
	ceil, _ := fixedpoint.MulDivCeil(priceE8, qtyE8, 1e8)
	_, ok := fixedpoint.MulDivFloor(1<<62, 4, 1)
	fmt.Println(floor, ceil, ok)
	// Output: -6012345060124 -6012345060123 false
}

func ExampleMul64() {
	var notionalE16 fixedpoint.Int128
	for _, leg := range []struct{ priceE8, qtyE8 int64 }{{60_123_45000000, 1_50000000}, {3_001_10000000, -20_00000000}} {
		notionalE16 = notionalE16.Add(fixedpoint.Mul64(leg.priceE8, leg.qtyE8))
	}
	fmt.Println(string(fixedpoint.AppendDecimal128(nil, notionalE16, 16)))
	// Output: 30163.175
}

func ExampleInt128_DivFloor() {
	v := fixedpoint.I128(-7)
	fmt.Println(v.DivFloor(2), v.DivCeil(2), v.DivTrunc(2))
	// Output: -4 -3 -3
}

func ExampleInt128_MulDivFloor() {
	notionalE8 := fixedpoint.I128(90_185_17500000)
	requirementE8, _ := notionalE8.MulDivCeil(1, 40) // at 40x, rounded up
	fmt.Println(string(fixedpoint.AppendDecimal128(nil, requirementE8, 8)))
	// Output: 2254.629375
}

func ExampleParseDecimal() {
	d, err := fixedpoint.ParseDecimal([]byte("60123.450"))
	fmt.Println(d.Mantissa, d.Decimals, err)
	_, err = fixedpoint.ParseDecimalString("6e4")
	fmt.Println(errors.Is(err, fixedpoint.ErrExponent))
	// Output:
	// 6012345 2 <nil>
	// true
}

func ExampleAppendDecimal() {
	fmt.Println(string(fixedpoint.AppendDecimal(nil, 1250000, 2)), string(fixedpoint.AppendDecimal(nil, -5, 1)))
	// Output: 12500.0 -0.5
}

func ExampleAppendDecimalPlaces128() {
	v := fixedpoint.I128(-123_999)
	fmt.Println(string(fixedpoint.AppendDecimalPlaces128(nil, v, 3, 2)))
	// Output: -123.99
}

func ExampleRescale() {
	up, _ := fixedpoint.Rescale(15, 1, 8)
	_, ok := fixedpoint.Rescale(15, 1, 0)
	fmt.Println(up, ok)
	// Output: 150000000 false
}

func ExampleRoundDecimal128HalfEven() {
	for _, v := range []int64{15, 25, -25, 26} {
		fmt.Print(fixedpoint.RoundDecimal128HalfEven(fixedpoint.I128(v), 1, 0), " ")
	}
	// Output: 2 2 -2 3
}

func ExampleQuantizePriceDown() {
	const szDecimals, isSpot = 0, false
	d, _ := fixedpoint.ParseDecimalString("103436.7")
	fmt.Println(fixedpoint.PriceFollowsTickRule(d.Mantissa, d.Decimals, szDecimals, isSpot))
	fmt.Println(fixedpoint.QuantizePriceDown(d, szDecimals, isSpot))
	// Output:
	// false
	// {103436 0}
}

func ExampleIndex() {
	debtIndex := fixedpoint.IndexOne()
	scaledE8, _ := debtIndex.ScaledCeil(fixedpoint.I128(1000_00000000)) // borrow 1000

	const rateE12 = 50_000_000_000 // 5% a year, for a year
	factorE27, _ := fixedpoint.ExpFactor(rateE12, fixedpoint.YearMs)
	debtIndex, _ = debtIndex.CompoundCeil(factorE27)

	owedE8, _ := debtIndex.ValueCeil(scaledE8)
	fmt.Println(string(fixedpoint.AppendDecimal128(nil, owedE8, 8)))
	// Output: 1051.27109638
}

func ExampleExpFactor() {
	factorE27, ok := fixedpoint.ExpFactor(50_000_000_000, 3_600_000) // 5% a year, for an hour
	fmt.Println(string(fixedpoint.AppendDecimal128(nil, factorE27, 27)), ok)
	// Output: 1.000005707778846385321378208 true
}

func ExampleMixer() {
	record := func(account uint64, balance int64) fixedpoint.Hash128 {
		m := fixedpoint.NewMixer(0)
		m.U64(account)
		m.I128(fixedpoint.I128(balance))
		return m.Sum()
	}
	state := record(1, 100).Add(record(2, 50))
	state = state.Sub(record(1, 100)).Add(record(1, 70)) // account 1 pays 30
	fmt.Println(state == record(2, 50).Add(record(1, 70)))
	// Output: true
}
