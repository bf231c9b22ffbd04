package risktest

import (
	"fmt"
	"math/big"
	"reflect"
	"slices"

	"plimsoll/risk"
)

// Differences lists every figure in which two views of an account differ, as
// "path: got x, want y". A balance row of zeros counts as no row, outside those that every
// account shows.
func Differences(got, want *risk.AccountView) []string {
	g, w := *got, *want
	g.Balances, w.Balances = shownRows(got), shownRows(want)
	var out []string
	walk("", reflect.ValueOf(g), reflect.ValueOf(w), &out)
	return out
}

// shownRows drops balance rows that say nothing.
func shownRows(v *risk.AccountView) []risk.BalanceView {
	return slices.DeleteFunc(slices.Clone(v.Balances), func(b risk.BalanceView) bool {
		isZero := b.Total.V.IsZero() && b.Hold.V.IsZero() && b.Supplied.V.IsZero() && b.Borrowed.V.IsZero() && b.EntryNtl.V.IsZero()
		return isZero && !b.HasAfterMaint
	})
}

func walk(path string, got, want reflect.Value, out *[]string) {
	if a, ok := reflect.TypeAssert[risk.Amount](got); ok {
		b, _ := reflect.TypeAssert[risk.Amount](want)
		if a.IsNull != b.IsNull || !a.IsNull && (a.V != b.V || a.Decimals != b.Decimals) {
			*out = append(*out, fmt.Sprintf("%s: got %s, want %s", path, Text(a), Text(b)))
		}
		return
	}
	switch got.Kind() {
	case reflect.Struct:
		for i := range got.NumField() {
			walk(path+"."+got.Type().Field(i).Name, got.Field(i), want.Field(i), out)
		}
	case reflect.Slice:
		if got.Len() != want.Len() {
			*out = append(*out, fmt.Sprintf("%s: got %d rows, want %d", path, got.Len(), want.Len()))
			return
		}
		for i := range got.Len() {
			walk(fmt.Sprintf("%s[%d]", path, i), got.Index(i), want.Index(i), out)
		}
	default:
		if !got.Equal(want) {
			*out = append(*out, fmt.Sprintf("%s: got %v, want %v", path, got, want))
		}
	}
}

// Text prints an amount as a plain decimal without trailing zeros.
func Text(a risk.Amount) string {
	if a.IsNull {
		return "null"
	}
	r := new(big.Rat).SetFrac(fromInt128(a.V), pow10(int(a.Decimals)))
	if r.IsInt() {
		return r.Num().String()
	}
	s := r.FloatString(int(a.Decimals))
	for s[len(s)-1] == '0' {
		s = s[:len(s)-1]
	}
	return s
}
