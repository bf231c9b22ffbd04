package api

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// family is one family of the text form, read back.
type family struct {
	name, help, kind string
	samples          []sample
}

type sample struct {
	name   string
	labels [][2]string
	value  float64
}

func (s *sample) label(name string) string {
	for _, l := range s.labels {
		if l[0] == name {
			return l[1]
		}
	}
	return ""
}

var (
	metricName  = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)
	sampleLine  = regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$`)
	labelPair   = regexp.MustCompile(`^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)`)
	plainNumber = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?$`)
)

// parseMetrics reads the text form 0.0.4 as Prometheus does, and is stricter: every family has
// HELP and TYPE before its samples and stands in one piece, and every value is a plain decimal.
func parseMetrics(text string) (families []*family, faults []string) {
	bad := func(line, format string, args ...any) {
		faults = append(faults, fmt.Sprintf(format, args...)+": "+line)
	}
	if !strings.HasSuffix(text, "\n") {
		bad("", "no newline at the end")
	}
	seen := map[string]bool{}
	var now *family
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		switch {
		case strings.HasPrefix(line, "# HELP "):
			name, help, _ := strings.Cut(line[7:], " ")
			if seen[name] {
				bad(line, "a family stands twice")
			}
			seen[name] = true
			now = &family{name: name, help: help}
			families = append(families, now)
		case strings.HasPrefix(line, "# TYPE "):
			name, kind, _ := strings.Cut(line[7:], " ")
			if now == nil || name != now.name || now.kind != "" || len(now.samples) > 0 {
				bad(line, "TYPE does not follow its HELP")
				continue
			}
			now.kind = kind
		default:
			m := sampleLine.FindStringSubmatch(line)
			if m == nil || now == nil {
				bad(line, "not a sample")
				continue
			}
			s := sample{name: m[1]}
			for rest := m[2]; rest != ""; {
				pair := labelPair.FindStringSubmatch(rest)
				if pair == nil {
					bad(line, "labels are malformed")
					break
				}
				s.labels = append(s.labels, [2]string{pair[1], pair[2]})
				rest = rest[len(pair[0]):]
			}
			var err error
			if s.value, err = strconv.ParseFloat(m[3], 64); err != nil || !plainNumber.MatchString(m[3]) {
				bad(line, "not a plain number")
			}
			now.samples = append(now.samples, s)
		}
	}
	return families, faults
}

// lintMetrics applies the rules of "promtool check metrics" (client_golang, promlint: help,
// units, counters, suffixes, types in names, colons, camel case, abbreviated units,
// duplicates), and that of a histogram: cumulative buckets up to +Inf, which is its count.
func lintMetrics(text string) (faults []string) {
	families, faults := parseMetrics(text)
	for _, f := range families {
		for _, fault := range lintFamily(f) {
			faults = append(faults, f.name+": "+fault)
		}
	}
	return faults
}

var (
	baseUnits = map[string]string{
		"milliseconds": "seconds", "microseconds": "seconds", "nanoseconds": "seconds", "minutes": "seconds", "hours": "seconds",
		"days": "seconds", "kilobytes": "bytes", "megabytes": "bytes", "gigabytes": "bytes", "kibibytes": "bytes",
		"mebibytes": "bytes", "bits": "bytes", "percent": "ratio", "percents": "ratio",
	}
	unitAbbreviations = strings.Fields("s ms us ns sec b kb mb gb tb pb m h d")
	typeWords         = strings.Fields("counter gauge histogram summary")
	camelCase         = regexp.MustCompile(`[a-z][A-Z]`)
)

func lintFamily(f *family) (faults []string) {
	bad := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	if f.help == "" {
		bad("no help text")
	}
	if !slices.Contains([]string{"counter", "gauge", "histogram"}, f.kind) {
		bad("type is %q", f.kind)
	}
	if !metricName.MatchString(f.name) || camelCase.MatchString(f.name) {
		bad("name must be snake case, without colons")
	}
	if isCounter := f.kind == "counter"; isCounter != strings.HasSuffix(f.name, "_total") {
		bad("_total stands at the end of counters and of nothing else")
	}
	for word := range strings.SplitSeq(f.name, "_") {
		if base, ok := baseUnits[word]; ok {
			bad("use base unit %s instead of %s", base, word)
		}
		if slices.Contains(unitAbbreviations, word) {
			bad("unit %s is abbreviated", word)
		}
		if slices.Contains(typeWords, word) {
			bad("type %s in the name", word)
		}
	}
	if f.kind != "histogram" {
		for _, suffix := range []string{"_bucket", "_count", "_sum", "_info"} {
			if strings.HasSuffix(f.name, suffix) && (suffix != "_info" || f.kind != "gauge") {
				bad("ends in %s", suffix)
			}
		}
	}
	series := map[string]bool{}
	for i := range f.samples {
		s := &f.samples[i]
		key := fmt.Sprint(s.name, s.labels)
		if series[key] {
			bad("series %s stands twice", key)
		}
		series[key] = true
		for _, l := range s.labels {
			if camelCase.MatchString(l[0]) || (l[0] == "le" || l[0] == "quantile") != (strings.HasSuffix(s.name, "_bucket") && f.kind == "histogram" && l[0] == "le") {
				bad("label %s", l[0])
			}
		}
		if f.kind != "histogram" && s.name != f.name {
			bad("sample %s is of another family", s.name)
		}
		if f.kind == "counter" && s.value < 0 {
			bad("a counter is %v", s.value)
		}
	}
	if f.kind == "histogram" {
		faults = append(faults, lintHistogram(f)...)
	}
	return faults
}

// lintHistogram looks at the series of each set of labels.
func lintHistogram(f *family) (faults []string) {
	type series struct {
		bounds, counts []float64
		sum, count     float64
		hasSum         bool
	}
	all := map[string]*series{}
	for i := range f.samples {
		s := &f.samples[i]
		var others [][2]string
		for _, l := range s.labels {
			if l[0] != "le" {
				others = append(others, l)
			}
		}
		key := fmt.Sprint(others)
		x := all[key]
		if x == nil {
			x = &series{count: -1}
			all[key] = x
		}
		switch s.name {
		case f.name + "_bucket":
			bound, err := strconv.ParseFloat(s.label("le"), 64)
			if err != nil {
				faults = append(faults, "le="+s.label("le"))
			}
			x.bounds, x.counts = append(x.bounds, bound), append(x.counts, s.value)
		case f.name + "_sum":
			x.sum, x.hasSum = s.value, true
		case f.name + "_count":
			x.count = s.value
		default:
			faults = append(faults, "sample "+s.name)
		}
	}
	for key, x := range all {
		last := len(x.bounds) - 1
		switch {
		case last < 1 || !x.hasSum || x.count < 0:
			faults = append(faults, key+" lacks buckets, sum or count")
		case !slices.IsSorted(x.bounds) || !slices.IsSorted(x.counts):
			faults = append(faults, key+" is not cumulative")
		case x.bounds[last] < 1e300 || x.counts[last] != x.count:
			faults = append(faults, key+" does not end with le=+Inf and its count")
		}
	}
	return faults
}

// TestLintSeesEveryFault breaks each rule once.
func TestLintSeesEveryFault(t *testing.T) {
	good := "# HELP a_seconds A.\n# TYPE a_seconds gauge\na_seconds{x=\"y\"} 1\n"
	if faults := lintMetrics(good); len(faults) > 0 {
		t.Fatalf("good text: %v", faults)
	}
	histogram := "# HELP wait_seconds H.\n# TYPE wait_seconds histogram\n" +
		"wait_seconds_bucket{le=\"1\"} 2\nwait_seconds_bucket{le=\"+Inf\"} 3\nwait_seconds_sum 4\nwait_seconds_count 3\n"
	if faults := lintMetrics(histogram); len(faults) > 0 {
		t.Fatalf("good histogram: %v", faults)
	}
	for what, text := range map[string]string{
		"no newline":          good[:len(good)-1],
		"no help":             strings.Replace(good, " A.", " ", 1),
		"no type":             strings.Replace(good, "# TYPE a_seconds gauge\n", "", 1),
		"unknown type":        strings.Replace(good, "gauge", "guage", 1),
		"counter not total":   strings.Replace(good, "gauge", "counter", 1),
		"gauge total":         strings.ReplaceAll(good, "a_seconds", "a_total"),
		"milliseconds":        strings.ReplaceAll(good, "a_seconds", "a_milliseconds"),
		"abbreviated":         strings.ReplaceAll(good, "a_seconds", "a_ms"),
		"type in name":        strings.ReplaceAll(good, "a_seconds", "a_gauge_seconds"),
		"camel case":          strings.ReplaceAll(good, "a_seconds", "aB_seconds"),
		"colon":               strings.ReplaceAll(good, "a_seconds", "a:seconds"),
		"count suffix":        strings.ReplaceAll(good, "a_seconds", "a_count"),
		"twice":               good + good,
		"series twice":        good + "a_seconds{x=\"y\"} 2\n",
		"exponent":            strings.Replace(good, "} 1", "} 1e-05", 1),
		"no number":           strings.Replace(good, "} 1", "} NaN", 1),
		"le on a gauge":       strings.Replace(good, "x=", "le=", 1),
		"bad label":           strings.Replace(good, `"y"`, `"y`, 1),
		"stray sample":        good + "b 1\n",
		"negative counter":    "# HELP a_total A.\n# TYPE a_total counter\na_total -1\n",
		"not cumulative":      strings.Replace(histogram, `le="1"} 2`, `le="1"} 4`, 1),
		"no +Inf":             strings.Replace(histogram, "wait_seconds_bucket{le=\"+Inf\"} 3\n", "", 1),
		"count differs":       strings.Replace(histogram, "_count 3", "_count 5", 1),
		"no sum":              strings.Replace(histogram, "wait_seconds_sum 4\n", "", 1),
		"type before samples": strings.Replace(good, "# TYPE a_seconds gauge\na_seconds{x=\"y\"} 1\n", "a_seconds 1\n# TYPE a_seconds gauge\n", 1),
	} {
		if len(lintMetrics(text)) == 0 {
			t.Errorf("%s: no fault is found in\n%s", what, text)
		}
	}
}
