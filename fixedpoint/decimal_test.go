package fixedpoint

import (
	"bytes"
	"errors"
	"math/big"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
)

func TestDecimalTextIsReadExactly(t *testing.T) {
	for _, c := range []struct {
		text string
		want Decimal
	}{
		{"0", Decimal{0, 0}},
		{"-0", Decimal{0, 0}},
		{"0.0", Decimal{0, 0}},
		{"-0.000", Decimal{0, 0}},
		{"7", Decimal{7, 0}},
		{"-7", Decimal{-7, 0}},
		{"100", Decimal{100, 0}},
		{"100.0", Decimal{100, 0}},
		{"1.0", Decimal{1, 0}},
		{"1.50", Decimal{15, 1}},
		{"0.5", Decimal{5, 1}},
		{"-0.05", Decimal{-5, 2}},
		{"60123.4", Decimal{601234, 1}},
		{"60123.45678901", Decimal{6012345678901, 8}},
		{"12345678", Decimal{12345678, 0}},
		{"1234567.8", Decimal{12345678, 1}},
		{"123456789012345678", Decimal{123456789012345678, 0}},
		{"-999999999999999999", Decimal{-999999999999999999, 0}},
		{"123456789012345678.0", Decimal{123456789012345678, 0}},
		{"123456789012345678.0000000000000000000000", Decimal{123456789012345678, 0}},
		{"0.000000000000000001", Decimal{1, 18}},
		{"0.0000000000000000010000000", Decimal{1, 18}},
		{"-0.123456789012345678", Decimal{-123456789012345678, 18}},
		{"1.00000000000000000", Decimal{1, 0}},
		{"1.00000000000000001", Decimal{100000000000000001, 17}},
		{"0." + strings.Repeat("0", 5000), Decimal{0, 0}},
	} {
		checkParse(t, c.text)
		if got, err := ParseDecimalString(c.text); got != c.want || err != nil {
			t.Errorf("ParseDecimal(%q) = %v, %v, want %v", c.text, got, err, c.want)
		}
	}
}

func TestTextThatIsNoDecimalIsRefusedWithItsReason(t *testing.T) {
	for _, c := range []struct {
		text string
		want error
	}{
		{"", ErrEmpty},
		{"-", ErrSyntax},
		{"+1", ErrSyntax},
		{"--1", ErrSyntax},
		{".", ErrSyntax},
		{".5", ErrSyntax},
		{"-.5", ErrSyntax},
		{"5.", ErrSyntax},
		{"1.2.3", ErrSyntax},
		{"1..2", ErrSyntax},
		{"00", ErrSyntax},
		{"00.1", ErrSyntax},
		{"-01", ErrSyntax},
		{" 1", ErrSyntax},
		{"1 ", ErrSyntax},
		{"1\n", ErrSyntax},
		{"1,5", ErrSyntax},
		{"1_000", ErrSyntax},
		{"0x10", ErrSyntax},
		{"abc", ErrSyntax},
		{"e5", ErrSyntax},
		{"1.e5", ErrSyntax},
		{"\xb1\xb2", ErrSyntax},
		{"12345678901234567890.", ErrSyntax},
		{"1.5." + strings.Repeat("0", 30), ErrSyntax},
		{strings.Repeat("0", 30) + ".5", ErrSyntax},
		{"1.5" + strings.Repeat("0", 30) + "x", ErrSyntax},
		{"1e5", ErrExponent},
		{"-1.5E-3", ErrExponent},
		{"1.00000000000000000000000000e1", ErrExponent},
		{"NaN", ErrNotANumber},
		{"-nan", ErrNotANumber},
		{"Inf", ErrNotANumber},
		{"+inf", ErrNotANumber},
		{"-Infinity", ErrNotANumber},
		{"1234567890123456789", ErrTooManyDigits},
		{"18446744073709551617", ErrTooManyDigits}, // 2^64 + 1 would wrap to 1
		{"99999999999999999999", ErrTooManyDigits},
		{"0.1234567890123456789", ErrTooManyDigits},
		{"0.0000000000000000001", ErrTooManyDigits},
		{"1.000000000000000001", ErrTooManyDigits},
		{"1234567890123456789.0000", ErrTooManyDigits},
		{strings.Repeat("9", 5000), ErrTooManyDigits},
	} {
		checkParse(t, c.text)
		got, err := ParseDecimal([]byte(c.text))
		if !errors.Is(err, c.want) || got != (Decimal{}) {
			t.Errorf("ParseDecimal(%q) = %v, %v, want %v", c.text, got, err, c.want)
		}
	}
}

var decimalForm = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?$`)

// checkParse compares ParseDecimal with a regular expression and math/big.
func checkParse(t *testing.T, text string) {
	t.Helper()
	before := []byte(text)
	got, err := ParseDecimal(before)
	if string(before) != text {
		t.Fatalf("ParseDecimal(%q) wrote to its argument", text)
	}
	if fromString, stringErr := ParseDecimalString(text); fromString != got || !errors.Is(err, stringErr) {
		t.Fatalf("ParseDecimalString(%q) = %v, %v, but %v, %v from bytes", text, fromString, stringErr, got, err)
	}
	if !decimalForm.MatchString(text) || strings.HasSuffix(text, "\n") {
		if err == nil || errors.Is(err, ErrTooManyDigits) || got != (Decimal{}) {
			t.Errorf("ParseDecimal(%q) = %v, %v, want a refusal of its form", text, got, err)
		}
		return
	}
	whole, fraction, _ := strings.Cut(text, ".")
	fraction = strings.TrimRight(fraction, "0")
	mantissa, _ := new(big.Int).SetString(whole+fraction, 10)
	if len(new(big.Int).Abs(mantissa).String()) > DigitsMax || len(fraction) > DigitsMax {
		if !errors.Is(err, ErrTooManyDigits) || got != (Decimal{}) {
			t.Errorf("ParseDecimal(%q) = %v, %v, want %v", text, got, err, ErrTooManyDigits)
		}
		return
	}
	if want := (Decimal{mantissa.Int64(), uint8(len(fraction))}); got != want || err != nil {
		t.Errorf("ParseDecimal(%q) = %v, %v, want %v", text, got, err, want)
	}
}

// Every length and alignment of digits goes through the steps of eight, with every byte as the intruder.
func TestOneStrangeByteAnywhereIsSeen(t *testing.T) {
	for length := 1; length <= 22; length++ {
		for at := range length {
			for c := range 256 {
				text := []byte(strings.Repeat("7", length))
				text[at] = byte(c)
				checkParse(t, string(text))
			}
		}
		if t.Failed() {
			t.FailNow()
		}
	}
}

func TestRandomDecimalTextAgreesWithBig(t *testing.T) {
	const alphabet = "0123456789000....--e"
	forEachSeed(t, 100_000, func(t *testing.T, prng *rand.Rand) {
		text := make([]byte, prng.UintN(28))
		for i := range text {
			text[i] = alphabet[prng.IntN(10+prng.IntN(len(alphabet)-9))]
		}
		checkParse(t, string(text))
		if len(text) > 2 {
			text[1+prng.IntN(len(text)-2)] = '.'
		}
		checkParse(t, string(text))
	})
}

func TestDecimalTextIsWrittenWithoutTrailingZeros(t *testing.T) {
	for _, c := range []struct {
		mantissa int64
		decimals uint8
		want     string
	}{
		{0, 0, "0.0"},
		{0, 8, "0.0"},
		{12500, 0, "12500.0"},
		{1250000, 2, "12500.0"},
		{-5, 1, "-0.5"},
		{-50, 2, "-0.5"},
		{123456, 3, "123.456"},
		{1, 18, "0.000000000000000001"},
		{10, 1, "1.0"},
		{10, 2, "0.1"},
		{10, 3, "0.01"},
		{-1 << 63, 0, "-9223372036854775808.0"},
		{-1 << 63, 18, "-9.223372036854775808"},
		{1, 40, "0." + strings.Repeat("0", 39) + "1"},
	} {
		if got := string(AppendDecimal(nil, c.mantissa, c.decimals)); got != c.want {
			t.Errorf("AppendDecimal(%d, %d) = %s, want %s", c.mantissa, c.decimals, got, c.want)
		}
		if got := string(AppendDecimal128(nil, I128(c.mantissa), c.decimals)); got != c.want {
			t.Errorf("AppendDecimal128(%d, %d) = %s, want %s", c.mantissa, c.decimals, got, c.want)
		}
	}
}

// More than 64 bits are written in chunks of 19 digits; each must keep its leading zeros.
func TestChunksOfDigitsKeepTheirZeros(t *testing.T) {
	for _, top := range []*big.Int{bigPow10(19), bigPow10(20), bigPow10(37), bigPow10(38), mulBig(bigPow10(19), big.NewInt(99))} {
		for n := range 20 {
			for off := int64(-1); off <= 1; off++ {
				v := new(big.Int).Add(top, bigPow10(n))
				v.Add(v, big.NewInt(off))
				if got := wrapI(v).String(); got != v.String() {
					t.Errorf("String() = %s, want %v", got, v)
				}
			}
		}
	}
}

func TestPlacesCutTowardZero(t *testing.T) {
	for _, c := range []struct {
		v                int64
		decimals, places uint8
		want             string
	}{
		{123456, 3, 2, "123.45"},
		{-123456, 3, 2, "-123.45"},
		{123999, 3, 0, "123"},
		{-123999, 3, 0, "-123"},
		{-999, 3, 0, "0"},
		{-9, 3, 2, "0.0"},
		{123400, 3, 2, "123.4"},
		{123004, 3, 2, "123.0"},
		{5, 1, 9, "0.5"},
		{5, 200, 9, "0.0"},
	} {
		if got := string(AppendDecimalPlaces128(nil, I128(c.v), c.decimals, c.places)); got != c.want {
			t.Errorf("AppendDecimalPlaces128(%d, %d, %d) = %s, want %s", c.v, c.decimals, c.places, got, c.want)
		}
	}
}

func TestWrittenDecimalsAgreeWithBig(t *testing.T) {
	prefix := []byte("kept ")
	forEachSeed(t, 50_000, func(t *testing.T, prng *rand.Rand) {
		v, decimals, places := drawI(prng), uint8(prng.UintN(45)), uint8(prng.UintN(45))
		got := AppendDecimal128(bytes.Clone(prefix), v, decimals)
		if want := "kept " + writeBig(bigI(v), int(decimals), int(decimals)+1); string(got) != want {
			t.Errorf("AppendDecimal128(%v, %d) = %s, want %s", v, decimals, got, want)
		}
		got = AppendDecimalPlaces128(bytes.Clone(prefix), v, decimals, places)
		if want := "kept " + writeBig(bigI(v), int(decimals), int(places)); string(got) != want {
			t.Errorf("AppendDecimalPlaces128(%v, %d, %d) = %s, want %s", v, decimals, places, got, want)
		}
		m := int64(draw(prng))
		got = AppendDecimal(bytes.Clone(prefix), m, decimals)
		if want := "kept " + writeBig(big.NewInt(m), int(decimals), int(decimals)+1); string(got) != want {
			t.Errorf("AppendDecimal(%v, %d) = %s, want %s", m, decimals, got, want)
		}
		if m /= 16; decimals <= DigitsMax && len(strings.TrimLeft(string(got), "-kept ")) <= DigitsMax {
			back, err := ParseDecimal(AppendDecimal(nil, m, decimals))
			again, ok := Rescale(back.Mantissa, back.Decimals, decimals)
			if err != nil || !ok || again != m {
				t.Errorf("%d at %d decimals comes back as %v, %v", m, decimals, back, err)
			}
		}
	})
}

func writeBig(v *big.Int, decimals, places int) string {
	digits := new(big.Int).Abs(v).String()
	if len(digits) <= decimals {
		digits = strings.Repeat("0", decimals-len(digits)+1) + digits
	}
	whole, fraction := digits[:len(digits)-decimals], digits[len(digits)-decimals:]
	fraction = strings.TrimRight(fraction[:min(places, len(fraction))], "0")
	sign := ""
	if v.Sign() < 0 && strings.Trim(whole+fraction, "0") != "" {
		sign = "-"
	}
	switch {
	case places == 0:
		return sign + whole
	case fraction == "":
		return sign + whole + ".0"
	default:
		return sign + whole + "." + fraction
	}
}

func TestTickRuleOfTheVenue(t *testing.T) {
	const perp, spot = false, true
	for _, c := range []struct {
		price      string
		szDecimals uint8
		isSpot     bool
		want       bool
	}{
		{"1234.5", 1, perp, true},
		{"1234.56", 1, perp, false}, // six figures
		{"0.001234", 0, perp, true},
		{"0.0012345", 0, perp, false}, // seven decimals
		{"0.01234", 1, perp, true},
		{"0.012345", 1, perp, false}, // six decimals, five allowed
		{"0.0001234", 0, spot, true},
		{"0.0001234", 1, spot, true},
		{"0.0001234", 2, spot, false},
		{"123456", 0, perp, true}, // integers keep all their digits
		{"123456", 6, perp, true},
		{"123456.0", 5, perp, true},
		{"12345.6", 0, perp, false},
		{"1.5", 6, perp, false},
		{"1.5", 200, perp, false},
		{"1.0", 200, perp, true},
		{"0", 0, perp, false},
		{"-1", 0, perp, false},
	} {
		d, err := ParseDecimalString(c.price)
		if err != nil {
			t.Fatal(err)
		}
		if got := PriceFollowsTickRule(d.Mantissa, d.Decimals, c.szDecimals, c.isSpot); got != c.want {
			t.Errorf("PriceFollowsTickRule(%s, szDecimals %d, spot %v) = %v, want %v",
				c.price, c.szDecimals, c.isSpot, got, c.want)
		}
	}
}

func TestQuantizedPriceIsTheLargestAllowedBelow(t *testing.T) {
	for _, c := range []struct {
		price      string
		szDecimals uint8
		want       Decimal
	}{
		{"103436.7", 0, Decimal{103436, 0}},
		{"1234.56", 0, Decimal{12345, 1}},
		{"1234.06", 0, Decimal{1234, 0}},
		{"0.0012349", 0, Decimal{1234, 6}},
		{"0.0000009", 0, Decimal{}},
		{"-5", 0, Decimal{}},
		{"99999.9", 5, Decimal{99999, 0}},
	} {
		d, _ := ParseDecimalString(c.price)
		if got := QuantizePriceDown(d, c.szDecimals, false); got != c.want {
			t.Errorf("QuantizePriceDown(%s, %d) = %v, want %v", c.price, c.szDecimals, got, c.want)
		}
	}
	if got := QuantizePriceDown(Decimal{9_000_000_000_000_000_000, 60}, 0, true); got != (Decimal{}) {
		t.Errorf("a speck of a price is quantized to %v, want none", got)
	}
	// The twin walks down from the price until the rule, told on text, is kept.
	forEachSeed(t, 4_000, func(t *testing.T, prng *rand.Rand) {
		d := Decimal{1 + prng.Int64N(1<<(1+prng.UintN(25))), uint8(prng.UintN(9))}
		szDecimals, isSpot := uint8(prng.UintN(8)), prng.UintN(2) == 0
		got := QuantizePriceDown(d, szDecimals, isSpot)
		want := d.Mantissa
		for step := 0; want > 0 && !isAllowedText(Decimal{want, d.Decimals}, szDecimals, isSpot); want-- {
			if step++; step > 4_000 {
				return // cut by thousands; the table has those
			}
		}
		if got != (Decimal{want, d.Decimals}).trimmed() {
			t.Errorf("QuantizePriceDown(%v, %d, %v) = %v, want %d at %d", d, szDecimals, isSpot, got, want, d.Decimals)
		}
		if again := QuantizePriceDown(got, szDecimals, isSpot); again != got {
			t.Errorf("quantizing %v again gives %v", got, again)
		}
		follows := PriceFollowsTickRule(d.Mantissa, d.Decimals, szDecimals, isSpot)
		if follows != isAllowedText(d, szDecimals, isSpot) || follows != (got == d.trimmed()) {
			t.Errorf("PriceFollowsTickRule(%v, %d, %v) = %v", d, szDecimals, isSpot, follows)
		}
	})
}

func isAllowedText(d Decimal, szDecimals uint8, isSpot bool) bool {
	text := writeBig(big.NewInt(d.Mantissa), int(d.Decimals), int(d.Decimals)+1)
	whole, fraction, _ := strings.Cut(text, ".")
	if fraction == "0" {
		return true
	}
	limit := 6
	if isSpot {
		limit = 8
	}
	figures := strings.TrimLeft(whole+fraction, "0")
	return len(figures) <= 5 && len(fraction) <= limit-int(szDecimals)
}
