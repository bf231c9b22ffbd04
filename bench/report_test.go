package bench

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
)

// drawTimes draws times as a server has them: most short, some a thousand times longer.
func drawTimes(count int, seed uint64) []int64 {
	rng := rand.New(rand.NewPCG(seed, 2))
	times := make([]int64, count)
	for i := range times {
		times[i] = 20_000 + int64(rng.ExpFloat64()*30_000)
		if rng.IntN(200) == 0 {
			times[i] += rng.Int64N(50_000_000)
		}
	}
	return times
}

// reportOf returns a report of one run with these latencies; each was sent 5 us late.
func reportOf(times []int64, rate float64) *Report {
	l := DefaultLoad()
	l.URL = "http://127.0.0.1:1"
	r := newReport(&l)
	rec := newRecorder()
	for i, v := range times {
		kind := KindOrder
		if i%3 == 0 {
			kind = KindRead
		}
		rec.record(&answer{kind: kind, commands: 1, sent: 5000, done: v})
	}
	rec.lasted, rec.took = time.Second, time.Second
	rec.cut(0, time.Second)
	r.Runs = append(r.Runs, rec.run("plimsoll", rate))
	return r
}

// TestHistogramsAgreeWithHdrHistogram records the same samples with the library alone, and
// reads ours back from the JSON form.
func TestHistogramsAgreeWithHdrHistogram(t *testing.T) {
	t.Parallel()
	times := drawTimes(50_000, 1)
	want, wantService := hdr.New(1, int64(10*time.Minute), 3), hdr.New(1, int64(10*time.Minute), 3)
	for _, v := range times {
		if want.RecordValue(v) != nil || wantService.RecordValue(v-5000) != nil {
			t.Fatal("out of range")
		}
	}
	path := filepath.Join(t.TempDir(), "a.json")
	text, err := reportOf(times, 50_000).JSON()
	if err == nil {
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	read, err := ReadReport(path)
	if err != nil {
		t.Fatal(err)
	}
	run := read.run("plimsoll")
	for _, c := range []struct {
		name string
		got  *Times
		want *hdr.Histogram
	}{{"latency", &run.Latency, want}, {"service", &run.Service, wantService}} {
		got, err := c.got.Histogram()
		if err != nil {
			t.Fatal(err)
		}
		if !got.Equals(c.want) || got.TotalCount() != c.want.TotalCount() {
			t.Errorf("%s: the histogram differs", c.name)
		}
		for _, p := range []struct {
			percent float64
			figure  int64
		}{{50, c.got.P50}, {90, c.got.P90}, {99, c.got.P99}, {99.9, c.got.P999}, {99.99, c.got.P9999}, {100, c.got.Max}} {
			if w := c.want.ValueAtPercentile(p.percent); p.figure != w || got.ValueAtPercentile(p.percent) != w {
				t.Errorf("%s: p%v is %d, from JSON %d, want %d", c.name, p.percent, p.figure, got.ValueAtPercentile(p.percent), w)
			}
		}
	}
	if run.Delay.P50 < 4995 || run.Delay.P50 > 5005 || run.Late != 0 {
		t.Errorf("delay p50 %d, late %d; want 5000 and none", run.Delay.P50, run.Late)
	}
}

// TestHGRMIsWhatThePlotterReads looks at the columns, their order, and the last lines.
func TestHGRMIsWhatThePlotterReads(t *testing.T) {
	t.Parallel()
	files, err := reportOf(drawTimes(10_000, 1), 1).HGRMFiles()
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 4 || files[""] == nil || files["-service"] == nil || files["-order"] == nil || files["-read"] == nil {
		t.Fatalf("%d files", len(files))
	}
	lines := strings.Split(strings.TrimSpace(string(files[""])), "\n")
	if strings.Join(strings.Fields(lines[0]), " ") != "Value Percentile TotalCount 1/(1-Percentile)" {
		t.Errorf("the head is %q", lines[0])
	}
	row := regexp.MustCompile(`^ *\d+\.\d{3} +[01]\.\d{6} +\d+ +(\d+\.\d\d|inf)$`)
	for _, line := range lines[2 : len(lines)-3] {
		if !row.MatchString(line) {
			t.Errorf("no row: %q", line)
		}
	}
	for i, want := range []string{"#[Mean", "#[Max", "#[Buckets"} {
		if line := lines[len(lines)-3+i]; !strings.HasPrefix(line, want) {
			t.Errorf("line %q, want %s", line, want)
		}
	}
}

func TestCompareFlagsWhatIsWorse(t *testing.T) {
	t.Parallel()
	times := drawTimes(10_000, 1)
	slower := make([]int64, len(times))
	for i, v := range times {
		slower[i] = v * 3 / 2
	}
	a, same, b := reportOf(times, 1000), reportOf(times, 1000), reportOf(slower, 1000)
	a.Max, same.Max, b.Max = &Max{Requests: 1000}, &Max{Requests: 950}, &Max{Requests: 700}
	if c := Compare(a, same, 0.1); c.Worse() != 0 || len(c.Differences) == 0 {
		t.Errorf("the same is worse %d times of %d", c.Worse(), len(c.Differences))
	}
	c := Compare(a, b, 0.1)
	var text strings.Builder
	if err := c.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`max requests/s +1,000 +700 +0.700 +WORSE`, `order latency p99 .* 1\.(49|5\d)\d? +WORSE`, `answered/s .* 1\.000`} {
		if !regexp.MustCompile(want).MatchString(text.String()) {
			t.Errorf("no %q in:\n%s", want, text.String())
		}
	}
	if back := Compare(b, a, 0.1); back.Worse() != 0 || !back.Differences[0].IsBest {
		t.Errorf("the faster one is worse %d times", back.Worse())
	}
	if c := Compare(a, b, 0.6); c.Worse() != 0 {
		t.Errorf("%d figures are worse beyond 60 %%", c.Worse())
	}
	b.Load.Batch = 7
	if c := Compare(a, b, 0.6); len(c.Notes) != 1 {
		t.Errorf("notes %q, want one about the load", c.Notes)
	}
}

// TestPageNeedsNothingElse looks for anything that a browser would fetch, and for text that
// would leave its place.
func TestPageNeedsNothingElse(t *testing.T) {
	t.Parallel()
	r := reportOf(drawTimes(5000, 1), 1000)
	r.Load.Target = `</script><b>"here"`
	r.Flags = map[string]string{"json": "<x>", "rate": "50%"}
	r.Max = &Max{Requests: 20_000, Rounds: []float64{1}, KeptUp: 15_000, KeptUpP99: 1e7, Ratio: 0.9, Echo: 22_000}
	echo := r.Runs[0]
	echo.Target = "echo"
	r.Runs = append(r.Runs, echo)
	for _, part := range []float64{0.1, 0.5, 1} {
		r.Curve = append(r.Curve, r.Runs[0].point(part))
	}
	page, err := r.HTML()
	if err != nil {
		t.Fatal(err)
	}
	text := string(page)
	if url := regexp.MustCompile(`(?i)(https?:|ftp:|wss?:|src=|@import|url\(|[^:/]//[a-z])`).FindString(strings.ReplaceAll(text, "// ", "")); url != "" {
		t.Errorf("the page names %q", url)
	}
	for _, want := range []string{"default-src 'none'", "prefers-color-scheme: dark", "p99.99", "50 %", "--rate=50%", "against a bare echo"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(text, `</script><b>`) || strings.Contains(text, "<x>") || strings.Contains(text, "ZgotmplZ") {
		t.Error("text got out of its place")
	}
	_, rest, _ := strings.Cut(text, "const data = ")
	literal, _, _ := strings.Cut(rest, ";\n")
	var data pageData
	if err := json.Unmarshal([]byte(literal), &data); err != nil || len(data.Percentiles) != 4 || len(data.Curve) == 0 || len(data.Times) != 4 {
		t.Errorf("the script draws %d, %d, %d series: %v", len(data.Percentiles), len(data.Curve), len(data.Times), err)
	}
}

func TestReportSaysAllInText(t *testing.T) {
	t.Parallel()
	r := reportOf(drawTimes(5000, 1), 1000)
	r.Runs[0].Unsent, r.Tidied, r.Faults = 3, 7, []string{"order: status 500"}
	var text strings.Builder
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"order latency", "read latency", "all latency", "sent late by", "NOT KEPT UP", "FAULT order: status 500", "go1."} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in:\n%s", want, text.String())
		}
	}
}

func TestJournalTimesAreReadFromMetrics(t *testing.T) {
	t.Parallel()
	metrics := func(counts ...string) string {
		var text strings.Builder
		text.WriteString("# TYPE plimsoll_journal_frame_duration_seconds histogram\n")
		for i, bound := range []string{"0.001", "0.002", "0.005", "+Inf"} {
			text.WriteString(`plimsoll_journal_frame_duration_seconds_bucket{le="` + bound + `"} ` + counts[i] + "\n")
		}
		return text.String()
	}
	var r Report
	r.addJournal(journalBuckets(metrics("10", "20", "20", "20")), journalBuckets(metrics("70", "118", "119", "120")))
	if r.Journal == nil || *r.Journal != (JournalTimes{Frames: 100, P50: 1_000_000, P99: 5_000_000}) {
		t.Errorf("journal %+v", r.Journal)
	}
	var none Report
	none.addJournal(journalBuckets(metrics("1", "1", "1", "1")), journalBuckets(metrics("1", "1", "1", "1")))
	if none.Journal != nil {
		t.Errorf("a journal that took nothing is told: %+v", none.Journal)
	}
}

func TestTimesArePrintedToThreeFigures(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		ns   int64
		want string
	}{{0, "0 ns"}, {999, "999 ns"}, {1500, "1.50 µs"}, {48_300, "48.3 µs"}, {605_000, "605 µs"}, {1_630_000, "1.63 ms"}, {1_070_000_000, "1.07 s"}} {
		if got := span(c.ns); got != c.want {
			t.Errorf("span(%d) = %q, want %q", c.ns, got, c.want)
		}
	}
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -1000: "-1,000", 1234567: "1,234,567", -123: "-123"} {
		if got := grouped(n); got != want {
			t.Errorf("grouped(%d) = %q, want %q", n, got, want)
		}
	}
}
