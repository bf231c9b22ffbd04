package metrics

import (
	"slices"
	"strconv"
)

// Type of a family, as the text form names it.
type Type string

// The types that are used here.
const (
	Counter       Type = "counter"
	Gauge         Type = "gauge"
	HistogramType Type = "histogram"
)

// ContentType is that of the text form, version 0.0.4.
const ContentType = "text/plain; version=0.0.4; charset=utf-8"

// Text writes the text form of Prometheus, version 0.0.4. It holds no floats: durations are
// integers of ns that are written as decimals of seconds, everything else is given as an
// integer or as the decimal it already is. A family is opened before its samples.
//
//	t.Family("plimsoll_reads_total", metrics.Counter, "Reads served.")
//	t.Uint(17)
//	t.Family("plimsoll_ring_depth_records", metrics.Gauge, "Records that wait.")
//	t.Label("ring", "ingress").Int(3)
type Text struct {
	Buffer []byte

	family string
	labels []byte // of the next sample, without braces
}

// Family opens a family.
func (t *Text) Family(name string, kind Type, help string) {
	t.family, t.labels = name, t.labels[:0]
	t.Buffer = append(append(append(t.Buffer, "# HELP "...), name...), ' ')
	t.Buffer = append(appendHelp(t.Buffer, help), "\n# TYPE "...)
	t.Buffer = append(append(append(append(t.Buffer, name...), ' '), kind...), '\n')
}

// Label gives the next sample a label more.
func (t *Text) Label(name, value string) *Text {
	if len(t.labels) > 0 {
		t.labels = append(t.labels, ',')
	}
	t.labels = append(append(t.labels, name...), '=', '"')
	t.labels = append(appendValue(t.labels, value), '"')
	return t
}

// Uint writes a sample.
func (t *Text) Uint(v uint64) {
	t.begin("", "")
	t.Buffer = append(strconv.AppendUint(t.Buffer, v, 10), '\n')
	t.labels = t.labels[:0]
}

// Int writes a sample.
func (t *Text) Int(v int64) {
	t.begin("", "")
	t.Buffer = append(strconv.AppendInt(t.Buffer, v, 10), '\n')
	t.labels = t.labels[:0]
}

// Bool writes 1 or 0.
func (t *Text) Bool(v bool) {
	if v {
		t.Int(1)
		return
	}
	t.Int(0)
}

// Seconds writes a duration in ns as seconds.
func (t *Text) Seconds(ns int64) {
	t.begin("", "")
	t.Buffer = append(AppendSeconds(t.Buffer, ns), '\n')
	t.labels = t.labels[:0]
}

// Decimal writes a sample that is a decimal number already, without an exponent.
func (t *Text) Decimal(v string) {
	t.begin("", "")
	t.Buffer = append(append(t.Buffer, v...), '\n')
	t.labels = t.labels[:0]
}

// Histogram writes the buckets, sum and count of a snapshot.
func (t *Text) Histogram(s *Snapshot) {
	var count uint64
	at := 0
	for i, bound := range boundTable {
		var more uint64
		more, at = s.atMost(bound, at)
		count += more
		t.bucket(boundText(i), count)
	}
	t.endHistogram(s.Count, s.SumNs)
}

// bucket writes one cumulative bucket.
func (t *Text) bucket(bound string, count uint64) {
	t.begin("_bucket", bound)
	t.Buffer = append(strconv.AppendUint(t.Buffer, count, 10), '\n')
}

// endHistogram writes what follows the buckets.
func (t *Text) endHistogram(count, sumNs uint64) {
	t.bucket("+Inf", count)
	t.begin("_sum", "")
	t.Buffer = append(AppendSeconds(t.Buffer, int64(sumNs)), '\n') //nolint:gosec // 292 years
	t.begin("_count", "")
	t.Buffer = append(strconv.AppendUint(t.Buffer, count, 10), '\n')
	t.labels = t.labels[:0]
}

// begin writes a sample up to its value.
func (t *Text) begin(suffix, bound string) {
	t.Buffer = append(append(t.Buffer, t.family...), suffix...)
	if len(t.labels) > 0 || bound != "" {
		t.Buffer = append(append(t.Buffer, '{'), t.labels...)
		if bound != "" {
			if len(t.labels) > 0 {
				t.Buffer = append(t.Buffer, ',')
			}
			t.Buffer = append(append(append(t.Buffer, `le="`...), bound...), '"')
		}
		t.Buffer = append(t.Buffer, '}')
	}
	t.Buffer = append(t.Buffer, ' ')
}

// boundTable holds the upper ends of the buckets shown, in ns: six to the decade, so that a
// percentile read off them is not far off.
var boundTable = func() []uint64 {
	const first, end = 100, 20_000_000_000 // 100 ns to 20 s
	var bounds []uint64
	for decade := uint64(first); ; decade *= 10 {
		for _, tenths := range [...]uint64{10, 15, 20, 30, 50, 70} {
			if bounds = append(bounds, decade*tenths/10); decade*tenths/10 >= end {
				return bounds
			}
		}
	}
}()

var boundNames = func() []string {
	names := make([]string, len(boundTable))
	for i, bound := range boundTable {
		names[i] = string(AppendSeconds(nil, int64(bound))) //nolint:gosec // below 2^36
	}
	return names
}()

func boundText(i int) string { return boundNames[i] }

// Bounds returns the upper ends of the buckets shown, in ns.
func Bounds() []uint64 { return slices.Clone(boundTable) }

// AppendSeconds writes ns as seconds: a decimal without exponent and without zeros at its end.
func AppendSeconds(dst []byte, ns int64) []byte {
	const nano = 1_000_000_000
	if ns < 0 {
		return AppendSeconds(append(dst, '-'), -ns)
	}
	dst = strconv.AppendInt(dst, ns/nano, 10)
	rest := ns % nano
	if rest == 0 {
		return dst
	}
	digits := strconv.AppendInt(nil, nano+rest, 10) // a one stands where the point goes
	digits[0] = '.'
	for digits[len(digits)-1] == '0' {
		digits = digits[:len(digits)-1]
	}
	return append(dst, digits...)
}

// appendHelp escapes what a HELP line may not hold.
func appendHelp(dst []byte, text string) []byte {
	for i := range len(text) {
		switch text[i] {
		case '\\':
			dst = append(dst, `\\`...)
		case '\n':
			dst = append(dst, `\n`...)
		default:
			dst = append(dst, text[i])
		}
	}
	return dst
}

// appendValue escapes what a label may not hold.
func appendValue(dst []byte, text string) []byte {
	for i := range len(text) {
		if text[i] == '"' {
			dst = append(dst, `\"`...)
			continue
		}
		dst = appendHelp(dst, text[i:i+1])
	}
	return dst
}
