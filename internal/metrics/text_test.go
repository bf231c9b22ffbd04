package metrics

import (
	"strings"
	"testing"
)

func TestTextForm(t *testing.T) {
	var text Text
	text.Family("a_total", Counter, `Counts "a" \ and`+"\nmore.")
	text.Uint(7)
	text.Family("b_seconds", Gauge, "B.")
	text.Label("x", `q"\`+"\n").Label("y", "z").Seconds(1_500_000_000)
	text.Label("x", "1").Decimal("0.25")
	text.Bool(true)
	text.Int(-3)
	want := `# HELP a_total Counts "a" \\ and\nmore.
# TYPE a_total counter
a_total 7
# HELP b_seconds B.
# TYPE b_seconds gauge
b_seconds{x="q\"\\\n",y="z"} 1.5
b_seconds{x="1"} 0.25
b_seconds 1
b_seconds -3
`
	if got := string(text.Buffer); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestSecondsHaveNoExponent(t *testing.T) {
	for ns, want := range map[int64]string{
		0: "0", 1: "0.000000001", 100: "0.0000001", 1_000_000_000: "1", 1_010_000_000: "1.01", -5_000: "-0.000005",
		61_000_000_001: "61.000000001",
	} {
		if got := string(AppendSeconds(nil, ns)); got != want {
			t.Errorf("%d ns are %s, want %s", ns, got, want)
		}
	}
}

func TestHistogramText(t *testing.T) {
	var h Histogram
	h.Record(100, 1)            // in the first bucket, at its end
	h.Record(1_000_000, 2)      // 1 ms
	h.Record(30_000_000_000, 1) // above all
	var s Snapshot
	h.AddTo(&s)
	var text Text
	text.Family("d_seconds", HistogramType, "D.")
	text.Label("stage", "x").Histogram(&s)
	got := string(text.Buffer)
	for _, line := range []string{
		`d_seconds_bucket{stage="x",le="0.0000001"} 1`,
		`d_seconds_bucket{stage="x",le="0.0007"} 1`,
		`d_seconds_bucket{stage="x",le="0.0015"} 3`,
		`d_seconds_bucket{stage="x",le="20"} 3`,
		`d_seconds_bucket{stage="x",le="+Inf"} 4`,
		`d_seconds_sum{stage="x"} 30.0020001`,
		`d_seconds_count{stage="x"} 4`,
	} {
		if !strings.Contains(got, line+"\n") {
			t.Errorf("no line %s in\n%s", line, got)
		}
	}
}
