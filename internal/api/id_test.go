package api

import (
	"strings"
	"testing"

	"plimsoll/risk"
)

func TestIDsComeBackAsTheyWere(t *testing.T) {
	for _, c := range []struct {
		text   string
		hi, lo uint64
		form   risk.IDForm
	}{
		{"0", 0, 0, risk.FormUint},
		{"18446744073709551615", 0, 1<<64 - 1, risk.FormUint},
		{"0x0123456789abcdeffedcba9876543210", 0x0123456789abcdef, 0xfedcba9876543210, risk.FormHex},
		{"01234567-89ab-cdef-fedc-ba9876543210", 0x0123456789abcdef, 0xfedcba9876543210, risk.FormUUID},
	} {
		hi, lo, form := parseID([]byte(c.text))
		if hi != c.hi || lo != c.lo || form != c.form {
			t.Errorf("parseID(%s) = %#x %#x %d", c.text, hi, lo, form)
		}
		if got := string(appendID(nil, hi, lo, form)); got != c.text {
			t.Errorf("appendID gives %s, want %s", got, c.text)
		}
	}
	for _, text := range []string{
		"", "00", "01", "-1", "+1", "1.0", "18446744073709551616", "99999999999999999999", "1 ", "0x", "0x12",
		"0X0123456789abcdeffedcba9876543210", "0x0123456789ABCDEFFEDCBA9876543210", "0x0123456789abcdeffedcba987654321g",
		"01234567-89ab-cdef-fedc-ba987654321", "01234567-89ab-cdef-fedc_ba9876543210", "01234567-89AB-cdef-fedc-ba9876543210",
	} {
		if _, _, form := parseID([]byte(text)); form != risk.FormNone {
			t.Errorf("parseID(%q) accepts it as form %d", text, form)
		}
	}
}

// TestHex8KnowsEveryByte tries every byte at every place.
func TestHex8KnowsEveryByte(t *testing.T) {
	const digits = "0123456789abcdef"
	for place := range 16 {
		for c := range 256 {
			s := []byte("1f2e3d4c5b6a7980")
			s[place] = byte(c)
			v, ok := hex16(s)
			want, isHex := uint64(0), true
			for _, b := range s {
				d := strings.IndexByte(digits, b)
				isHex = isHex && d >= 0
				want = want<<4 | uint64(max(d, 0))
			}
			if ok != isHex || ok && v != want {
				t.Fatalf("hex16(%q) = %#x %v, want %#x %v", s, v, ok, want, isHex)
			}
		}
	}
}
