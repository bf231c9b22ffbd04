package bench

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
)

// reportFormat is the version of the JSON form of a Report.
const reportFormat = 1

// Report is the result of one run. Times are in nanoseconds, rates a second.
type Report struct {
	Format  int               `json:"format"`
	At      time.Time         `json:"at"`
	Version BuildVersion      `json:"version"`
	Machine Machine           `json:"machine"`
	Flags   map[string]string `json:"flags,omitempty"` // as the caller names them
	Load    LoadNote          `json:"load"`
	Max     *Max              `json:"max,omitempty"`
	Runs    []Run             `json:"runs,omitempty"`
	Curve   []Point           `json:"curve,omitempty"`
	Journal *JournalTimes     `json:"journal,omitempty"` // while the runs lasted; nil = nothing was journaled
	Tidied  int64             `json:"tidied"`            // accounts whose orders were cancelled beside the load
	Faults  []string          `json:"faults,omitempty"`  // the first few
}

// LoadNote says what the load was.
type LoadNote struct {
	Target      string  `json:"target"` // where the daemon ran, in words
	Daemon      string  `json:"daemon"` // its version
	Mode        string  `json:"mode"`
	Accounts    int     `json:"accounts"`
	Positions   int     `json:"positions"`
	Markets     int     `json:"markets"`
	Mix         string  `json:"mix"`
	Encoding    Format  `json:"encoding"`
	Batch       int     `json:"batch"`
	Connections int     `json:"connections"`
	Seed        uint64  `json:"seed"`
	WarmUp      float64 `json:"warm_up_seconds"`
	For         float64 `json:"for_seconds"`
}

// Max is the highest throughput.
type Max struct {
	Requests  float64   `json:"requests_per_second"` // closed loop: the median of the rounds
	Commands  float64   `json:"commands_per_second"`
	Rounds    []float64 `json:"rounds"`
	KeptUp    float64   `json:"kept_up_per_second,omitempty"` // open loop: the highest rate with p99 within the bound
	KeptUpP99 int64     `json:"kept_up_p99_max_ns,omitempty"`

	Echo       float64   `json:"echo_per_second,omitempty"`
	EchoRounds []float64 `json:"echo_rounds,omitempty"`
	Ratios     []float64 `json:"ratios,omitempty"` // of each pair of rounds
	Ratio      float64   `json:"ratio,omitempty"`  // their median
}

// Run is one measurement of one target.
type Run struct {
	Target   string      `json:"target"` // plimsoll, or echo
	Rate     float64     `json:"rate"`   // that was due
	Seconds  float64     `json:"seconds"`
	Took     float64     `json:"took_seconds"` // until the last answer
	Answered int64       `json:"answered"`     // requests that were accepted
	Commands int64       `json:"commands"`     // in them
	Refused  int64       `json:"refused"`      // 429
	Errors   int64       `json:"errors"`
	Unsent   int64       `json:"unsent"` // due and never sent; latency holds their age, which is a lower bound
	Late     int64       `json:"late"`   // sent more than a millisecond after they were due
	Delay    Times       `json:"delay"`  // from due to sent, of all that were sent
	Latency  Times       `json:"latency"`
	Service  Times       `json:"service"`
	Kinds    []KindTimes `json:"kinds"`
	Series   []Second    `json:"series,omitempty"`
}

// KindTimes is what was measured of one kind of request.
type KindTimes struct {
	Kind     string `json:"kind"`
	Commands int64  `json:"commands"`
	Refused  int64  `json:"refused"`
	Errors   int64  `json:"errors"`
	Unsent   int64  `json:"unsent"`
	Latency  Times  `json:"latency"` // from when it was due to its answer
	Service  Times  `json:"service"` // from when it was sent
}

// Times is a histogram of times in nanoseconds: its figures, and itself.
type Times struct {
	Count int64   `json:"count"`
	Min   int64   `json:"min"`
	Mean  float64 `json:"mean"`
	P50   int64   `json:"p50"`
	P90   int64   `json:"p90"`
	P99   int64   `json:"p99"`
	P999  int64   `json:"p99_9"`
	P9999 int64   `json:"p99_99"`
	Max   int64   `json:"max"`
	HDR   string  `json:"hdr,omitempty"` // HdrHistogram V2, compressed, base64
}

// Second is what was answered in about one second.
type Second struct {
	At       float64 `json:"at"`      // since the measurements began
	Seconds  float64 `json:"seconds"` // how long it was
	Answered int64   `json:"answered"`
	Commands int64   `json:"commands"`
	Busy     int64   `json:"refused"`
	Errors   int64   `json:"errors"`
	P50      int64   `json:"p50"`
	P99      int64   `json:"p99"`
	P999     int64   `json:"p99_9"`
	Max      int64   `json:"max"`
}

// Point is one point of the saturation curve.
type Point struct {
	Target   string  `json:"target"`
	Part     float64 `json:"part"` // of the maximum
	Rate     float64 `json:"rate"`
	Answered float64 `json:"answered_per_second"`
	P50      int64   `json:"p50"`
	P99      int64   `json:"p99"`
	P999     int64   `json:"p99_9"`
	Max      int64   `json:"max"`
	Service  int64   `json:"service_p99"`
	Refused  int64   `json:"refused"`
	Errors   int64   `json:"errors"`
	Unsent   int64   `json:"unsent"`
}

func newReport(l *Load) *Report {
	return &Report{
		Format: reportFormat, At: time.Now().UTC().Truncate(time.Second), Version: buildVersion(), Machine: thisMachine(),
		Load: LoadNote{
			Target: l.URL, Mode: l.Mode, Accounts: l.Accounts, Positions: l.Positions, Markets: l.Markets, Mix: l.Mix.String(),
			Encoding: l.Format, Batch: l.Batch, Connections: l.Connections, Seed: l.Seed, WarmUp: l.WarmUp.Seconds(), For: l.For.Seconds(),
		},
	}
}

// timesOf returns the figures of a histogram.
func timesOf(h *hdr.Histogram) Times {
	p := h.ValueAtPercentilesSlice([]float64{50, 90, 99, 99.9, 99.99})
	t := Times{Count: h.TotalCount(), P50: p[0], P90: p[1], P99: p[2], P999: p[3], P9999: p[4]}
	if t.Count > 0 {
		t.Min, t.Max, t.Mean = h.Min(), h.Max(), math.Round(h.Mean())
	}
	if text, err := h.EncodeV2(); err == nil {
		t.HDR = string(text)
	}
	return t
}

// Histogram returns the histogram behind the figures.
func (t *Times) Histogram() (*hdr.Histogram, error) {
	if t.HDR == "" {
		return nil, errors.New("there is no histogram")
	}
	return hdr.Decode([]byte(t.HDR))
}

// run makes what was recorded a Run.
func (r *recorder) run(name string, rate float64) Run {
	r.mu.Lock()
	defer r.mu.Unlock()
	run := Run{
		Target: name, Rate: rate, Seconds: r.lasted.Seconds(), Took: r.took.Seconds(), Late: r.late, Delay: timesOf(r.delay),
		Series: r.series,
	}
	latency, service := newHistogram(), newHistogram()
	for kind := range kindCount {
		k := &r.kinds[kind]
		if k.latency == nil {
			continue
		}
		latency.Merge(k.latency)
		service.Merge(k.service)
		run.Answered, run.Commands = run.Answered+k.service.TotalCount(), run.Commands+k.commands
		run.Refused, run.Errors, run.Unsent = run.Refused+k.busy, run.Errors+k.errors, run.Unsent+k.unsent
		run.Kinds = append(run.Kinds, KindTimes{
			Kind: kind.String(), Commands: k.commands, Refused: k.busy, Errors: k.errors, Unsent: k.unsent,
			Latency: timesOf(k.latency), Service: timesOf(k.service),
		})
	}
	run.Latency, run.Service = timesOf(latency), timesOf(service)
	return run
}

// perSecond returns how many requests were answered a second.
func (r *Run) perSecond() float64 { return float64(r.Answered) / max(r.Took, 1e-9) }

// isKeptUp reports whether a rate was kept up with p99 within a bound.
func (r *Run) isKeptUp(p99Max time.Duration) bool {
	return r.Answered > 0 && r.Errors+r.Refused+r.Unsent == 0 && r.Latency.P99 <= int64(p99Max)
}

// point returns the run as a point of the curve.
func (r *Run) point(part float64) Point {
	return Point{
		Target: r.Target, Part: part, Rate: r.Rate, Answered: r.perSecond(), P50: r.Latency.P50, P99: r.Latency.P99,
		P999: r.Latency.P999, Max: r.Latency.Max, Service: r.Service.P99, Refused: r.Refused, Errors: r.Errors, Unsent: r.Unsent,
	}
}

// ErrorCount returns how many requests came to an error, warm-up and search left out.
func (r *Report) ErrorCount() (count int64) {
	for i := range r.Runs {
		count += r.Runs[i].Errors
	}
	for i := range r.Curve {
		count += r.Curve[i].Errors
	}
	return count
}

// run returns the run of a target, or nil.
func (r *Report) run(target string) *Run {
	for i := range r.Runs {
		if r.Runs[i].Target == target {
			return &r.Runs[i]
		}
	}
	return nil
}

// JSON returns the report as ReadReport reads it.
func (r *Report) JSON() ([]byte, error) {
	text, err := json.MarshalIndent(r, "", " ")
	return append(text, '\n'), err
}

// ReadReport reads a report from a file.
func ReadReport(path string) (*Report, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r := &Report{}
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if r.Format != reportFormat {
		return nil, fmt.Errorf("%s: it has format %d, want %d", path, r.Format, reportFormat)
	}
	return r, nil
}

// HGRM returns the percentile distribution of a histogram in milliseconds, in the text form of
// HdrHistogram that its plotter reads.
func (t *Times) HGRM() ([]byte, error) {
	const ticks, scale = 5, 1e6
	h, err := t.Histogram()
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	_, err = h.PercentilesPrint(&text, ticks, scale)
	return text.Bytes(), err
}

// HGRMFiles returns, by what is put into the name of a file, the distribution of all requests,
// of each kind where there are several, of the service times, and the same of the echo server.
func (r *Report) HGRMFiles() (map[string][]byte, error) {
	files := map[string][]byte{}
	var faults []error
	put := func(suffix string, t *Times) {
		text, err := t.HGRM()
		files[suffix] = text
		faults = append(faults, err)
	}
	for i := range r.Runs {
		run, prefix := &r.Runs[i], ""
		if run.Target != "plimsoll" {
			prefix = "-" + run.Target
		}
		put(prefix, &run.Latency)
		put(prefix+"-service", &run.Service)
		for k := range run.Kinds {
			if len(run.Kinds) > 1 {
				put(prefix+"-"+run.Kinds[k].Kind, &run.Kinds[k].Latency)
			}
		}
	}
	return files, errors.Join(faults...)
}
