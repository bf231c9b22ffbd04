package bench

import (
	"bytes"
	_ "embed" // the page
	"fmt"
	pages "html/template" // template is a name of the benchmarks
	"maps"
	"slices"
	"strings"
)

//go:embed report.html
var pageTable string

// page is what the HTML form of a report shows.
type page struct {
	Title, Target, At, MaxText string
	Tiles                      []pageTile
	Warnings, RunLines, Flags  []string
	Runs                       []Run
	Rows                       []pageRow
	Curve                      [][]string
	Facts                      []pageFact
	Data                       pageData
}

type (
	pageTile struct{ Name, Value, More, Class string }
	pageFact struct{ Name, Value string }
	pageRow  struct {
		Name, Count string
		Values      []string
		IsSub       bool
	}
	// pageData is what its script draws: points of x and y.
	pageData struct {
		Percentiles []pageSeries `json:"percentiles"`
		Rates       []pageSeries `json:"rates"`
		Times       []pageSeries `json:"times"`
		Curve       []pageSeries `json:"curve"`
	}
	pageSeries struct {
		Name   string       `json:"name"`
		Color  string       `json:"color"`
		Dash   bool         `json:"dash"`
		Points [][2]float64 `json:"points"`
	}
)

// HTML returns the report as one page that needs nothing else.
func (r *Report) HTML() ([]byte, error) {
	t, err := pages.New("report").Parse(pageTable)
	if err != nil {
		return nil, err
	}
	p := page{
		Title: r.Title(), Target: r.Load.Target, At: r.At.Format("2 January 2006, 15:04 MST"), Runs: r.Runs, Tiles: r.tiles(),
		Facts: []pageFact{
			{"machine", r.MachineLine()},
			{"version", r.VersionLine()},
			{"load", fmt.Sprintf("%s; %d markets, seed %d, warm-up %.3g s, %.3g s measured", r.Title(), r.Load.Markets, r.Load.Seed,
				r.Load.WarmUp, r.Load.For)},
			{"beside it", grouped(r.Tidied) + " accounts had their resting orders cancelled, unmeasured"},
		},
	}
	if r.Max != nil {
		p.MaxText = grouped(int64(r.Max.Requests))
	}
	if r.Journal != nil {
		p.Facts = append(p.Facts, pageFact{"journal", fmt.Sprintf("%s frames; from append to durable p50 ≤ %s, p99 ≤ %s",
			grouped(int64(r.Journal.Frames)), span(r.Journal.P50), span(r.Journal.P99))})
	}
	for _, name := range slices.Sorted(maps.Keys(r.Flags)) {
		if r.Flags[name] != "" {
			p.Flags = append(p.Flags, "--"+name+"="+r.Flags[name])
		}
	}
	for i := range r.Runs {
		if err := r.Runs[i].addTo(&p); err != nil {
			return nil, err
		}
	}
	r.addCurve(&p)
	for _, fault := range r.Faults {
		p.Warnings = append(p.Warnings, "Fault: "+fault)
	}
	var text bytes.Buffer
	err = t.Execute(&text, &p)
	return text.Bytes(), err
}

// tiles are the figures that one looks for first.
func (r *Report) tiles() (tiles []pageTile) {
	add := func(name, value, more, class string) { tiles = append(tiles, pageTile{name, value, more, class}) }
	if m := r.Max; m != nil {
		add("maximum, closed loop", grouped(int64(m.Requests)), fmt.Sprintf("requests/s; %s commands/s", grouped(int64(m.Commands))), "")
		if m.KeptUpP99 > 0 {
			add("kept up, open loop", grouped(int64(m.KeptUp)), "requests/s with p99 ≤ "+span(m.KeptUpP99), "")
		}
		if m.Ratio > 0 {
			add("against a bare echo", fmt.Sprintf("%.0f %%", 100*m.Ratio), "of its "+grouped(int64(m.Echo))+" requests/s", "")
		}
	}
	run := r.run("plimsoll")
	if run == nil {
		return tiles
	}
	add("due in the run", grouped(int64(run.Rate)), "requests/s, open loop", "")
	add("p50", span(run.Latency.P50), "from the intended start", "")
	add("p99", span(run.Latency.P99), "service alone "+span(run.Service.P99), "")
	add("p99.9", span(run.Latency.P999), "service alone "+span(run.Service.P999), "")
	if v := r.Echo(); v != nil {
		class, verdict := "good", "within"
		if !v.IsWithin {
			class, verdict = "bad", "above"
		}
		add("p99 against the echo", fmt.Sprintf("%.2f ×", v.Ratio), verdict+" 2 × echo + journal, "+span(v.Allowed), class)
	}
	class := "good"
	if run.Errors+run.Unsent > 0 {
		class = "bad"
	}
	add("errors", grouped(run.Errors), fmt.Sprintf("%s refused (429), %s unsent", grouped(run.Refused), grouped(run.Unsent)), class)
	return tiles
}

// addTo adds a run's plots and rows to the page.
func (r *Run) addTo(p *page) error {
	prefix, color := "", "--c1"
	if r.Target != "plimsoll" {
		prefix, color = r.Target+" ", "--c3"
	}
	for _, x := range []struct {
		name  string
		times *Times
		dash  bool
	}{{prefix + "latency", &r.Latency, false}, {prefix + "service time", &r.Service, true}} {
		points, err := x.times.points()
		if err != nil {
			return err
		}
		p.Data.Percentiles = append(p.Data.Percentiles, pageSeries{x.name, color, x.dash, points})
	}
	row := func(name string, t *Times, isSub bool) {
		values := []string{span(int64(t.Mean))}
		for _, v := range []int64{t.P50, t.P90, t.P99, t.P999, t.P9999, t.Max} {
			values = append(values, span(v))
		}
		p.Rows = append(p.Rows, pageRow{name, grouped(t.Count), values, isSub})
	}
	for i := range r.Kinds {
		row(prefix+r.Kinds[i].Kind, &r.Kinds[i].Latency, false)
		row("– service time", &r.Kinds[i].Service, true)
	}
	row("– sent late by", &r.Delay, true)
	p.RunLines = append(p.RunLines, fmt.Sprintf("%s: %s/s due for %.3g s; %s answered (%s/s), %s refused, %s errors, %s unsent; "+
		"%s sent more than 1 ms late",
		r.Target, grouped(int64(r.Rate)), r.Seconds, grouped(r.Answered), grouped(int64(r.perSecond())), grouped(r.Refused),
		grouped(r.Errors), grouped(r.Unsent), grouped(r.Late)))
	if r.Unsent > 0 {
		p.Warnings = append(p.Warnings, fmt.Sprintf("%s did not keep up: %s requests were due and never sent; latency holds their age, "+
			"which is a lower bound.", r.Target, grouped(r.Unsent)))
	}
	r.addSeries(p, strings.TrimSpace(prefix))
	return nil
}

// addSeries adds the seconds of a run.
func (r *Run) addSeries(p *page, name string) {
	at := func(value func(*Second) float64) (points [][2]float64) {
		for i := range r.Series {
			s := &r.Series[i]
			points = append(points, [2]float64{s.At + s.Seconds, value(s)})
		}
		return points
	}
	color, isEcho := "--c1", name != ""
	if isEcho {
		color, name = "--c3", name+" "
	}
	const least = 0.3 // seconds: what comes in a rest that short says nothing of a rate
	rates := at(func(s *Second) float64 { return float64(s.Answered) / s.Seconds })
	for i := len(rates) - 1; i > 0; i-- {
		if r.Series[i].Seconds < least {
			rates = slices.Delete(rates, i, i+1)
		}
	}
	p.Data.Rates = append(p.Data.Rates, pageSeries{name + "answered", color, false, rates})
	p99 := pageSeries{name + "p99", color, false, at(func(s *Second) float64 { return float64(s.P99) })}
	if isEcho {
		p.Data.Times = append(p.Data.Times, p99)
		return
	}
	p.Data.Times = append(p.Data.Times, pageSeries{"p50", "--c4", false, at(func(s *Second) float64 { return float64(s.P50) })},
		p99, pageSeries{"max", "--c2", false, at(func(s *Second) float64 { return float64(s.Max) })})
}

// addCurve adds the saturation curve.
func (r *Report) addCurve(p *page) {
	series := func(name, target, color string, value func(*Point) int64) {
		s := pageSeries{Name: name, Color: color}
		for i := range r.Curve {
			if c := &r.Curve[i]; c.Target == target {
				s.Points = append(s.Points, [2]float64{c.Rate, float64(value(c))})
			}
		}
		if len(s.Points) > 0 {
			p.Data.Curve = append(p.Data.Curve, s)
		}
	}
	series("p50", "plimsoll", "--c4", func(c *Point) int64 { return c.P50 })
	series("p99", "plimsoll", "--c1", func(c *Point) int64 { return c.P99 })
	series("p99.9", "plimsoll", "--c2", func(c *Point) int64 { return c.P999 })
	series("echo p99", "echo", "--c3", func(c *Point) int64 { return c.P99 })
	for i := range r.Curve {
		c := &r.Curve[i]
		p.Curve = append(p.Curve, []string{
			c.Target, fmt.Sprintf("%.0f %%", 100*c.Part), grouped(int64(c.Rate)), grouped(int64(c.Answered)), span(c.P50), span(c.P99),
			span(c.P999), span(c.Max), grouped(c.Refused), grouped(c.Errors), grouped(c.Unsent),
		})
	}
}

// points returns the percentile plot of a histogram: quantile and nanoseconds.
func (t *Times) points() (points [][2]float64, err error) {
	const ticks, percent = 10, 100
	h, err := t.Histogram()
	if err != nil {
		return nil, err
	}
	for _, b := range h.CumulativeDistributionWithTicks(ticks) {
		points = append(points, [2]float64{b.Quantile / percent, float64(b.ValueAt)})
	}
	return points, nil
}
