package main

import (
	"math"
	"strings"
	"testing"
)

// TestChanceIsThatOfTables holds the U test against published figures: two samples of five
// without overlap have p = 2/252, one of ten 2/184,756; interleaved ones have none.
func TestChanceIsThatOfTables(t *testing.T) {
	for _, test := range []struct {
		name     string
		old, now []float64
		want     float64
	}{
		{"five below five", []float64{1, 2, 3, 4, 5}, []float64{6, 7, 8, 9, 10}, 2.0 / 252},
		{"ten below ten", ladder(1, 10), ladder(11, 10), 2.0 / 184_756},
		{"one of five overlaps", []float64{1, 2, 3, 4, 6}, []float64{5, 7, 8, 9, 10}, 4.0 / 252},
		{"the same ladder", []float64{1, 3, 5, 7, 9}, []float64{2, 4, 6, 8, 10}, 0.690476},
		{"all equal", []float64{1, 1, 1, 1, 1}, []float64{1, 1, 1, 1, 1}, 1},
	} {
		if got := chance(test.old, test.now); math.Abs(got-test.want) > 1e-5 {
			t.Errorf("%s: p = %v, want %v", test.name, got, test.want)
		}
	}
}

func ladder(first float64, steps int) []float64 {
	values := make([]float64, steps)
	for i := range values {
		values[i] = first + float64(i)
	}
	return values
}

func TestVerdicts(t *testing.T) {
	flat := func(v float64) []float64 { return []float64{v, v, v, v, v, v, v, v, v, v} }
	wide := []float64{100, 180, 90, 200, 110, 170, 95, 190, 105, 150}
	scaled := func(by float64) []float64 {
		out := make([]float64, len(wide))
		for i, v := range wide {
			out[i] = v * by
		}
		return out
	}
	for _, test := range []struct {
		name             string
		seconds, allocs  [2][]float64
		slower, hungrier bool
	}{
		{"a fifth slower, steady", [2][]float64{ladder(100, 10), ladder(120, 10)}, [2][]float64{flat(0), flat(0)}, true, false},
		{"a tenth slower, steady", [2][]float64{ladder(100, 10), ladder(111, 10)}, [2][]float64{flat(0), flat(0)}, false, false},
		{"a fifth slower in the noise", [2][]float64{wide, scaled(1.2)}, [2][]float64{flat(0), flat(0)}, false, false},
		{"faster", [2][]float64{ladder(120, 10), ladder(90, 10)}, [2][]float64{flat(0), flat(0)}, false, false},
		{"one allocation more", [2][]float64{flat(5), flat(5)}, [2][]float64{flat(0), flat(1)}, false, true},
		{"one allocation fewer", [2][]float64{flat(5), flat(5)}, [2][]float64{flat(1), flat(0)}, false, false},
		{"an allocation now and then", [2][]float64{flat(5), flat(5)}, [2][]float64{{3, 3, 4, 3}, {3, 4, 4, 4}}, false, false},
		{"no time at all", [2][]float64{nil, nil}, [2][]float64{flat(2), flat(2)}, false, false},
	} {
		r := row{name: "X", seconds: test.seconds, allocs: test.allocs}
		v := r.verdict(0.15)
		if v.isSlower != test.slower || v.isHungrier != test.hungrier || v.isOneSided {
			t.Errorf("%s: %v", test.name, v)
		}
	}
	one := row{name: "X", seconds: [2][]float64{nil, flat(1)}}
	if v := one.verdict(0.15); !v.isOneSided || v.isWorse() {
		t.Errorf("new row: %v", v)
	}
}

func TestAgainMeansTheSameFault(t *testing.T) {
	slow, hungry, fine := verdict{isSlower: true}, verdict{isHungrier: true}, verdict{}
	for _, test := range []struct {
		first, second verdict
		want          bool
	}{
		{slow, slow, true}, {hungry, hungry, true}, {slow, fine, false}, {slow, hungry, false}, {fine, slow, false},
	} {
		if got := test.second.isAgain(&test.first); got != test.want {
			t.Errorf("%v after %v: %v, want %v", test.second, test.first, got, test.want)
		}
	}
}

func TestReadTakesRowsAsGoTestPrintsThem(t *testing.T) {
	const text = `goos: linux
cpu: AMD EPYC
BenchmarkTick/mode=unified/accounts=10000-2   	 123	  1500 ns/op	  0.5 x-ref	 3 allocs/op
BenchmarkMemory/mode=unified-2   	 1	  0 ns/op	  321.2 B/account
    tick_test.go:12: a remark
PASS
`
	rows, err := read(strings.NewReader(text))
	if err != nil || len(rows) != 2 {
		t.Fatalf("read %v, %v", rows, err)
	}
	if want := (measured{row: "Tick/mode=unified/accounts=10000", seconds: 1.5e-6, allocs: 3, hasAllocs: true}); rows[0] != want {
		t.Errorf("read %+v, want %+v", rows[0], want)
	}
	if rows[1].seconds != 0 || rows[1].hasAllocs {
		t.Errorf("read %+v, want no time and no allocations", rows[1])
	}
	v := verdict{row: "Tick/mode=a+b/k=1"}
	if got, want := v.pattern(), `^BenchmarkTick$/^mode=a\+b$/^k=1$`; got != want {
		t.Errorf("pattern %s, want %s", got, want)
	}
}
