package bench

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// Difference is one figure of two reports.
type Difference struct {
	Name    string
	A, B    float64
	IsTime  bool    // nanoseconds, of which fewer are better; else a rate, of which more is
	Ratio   float64 // B / A
	IsWorse bool    // beyond the threshold
	IsBest  bool    // better beyond the threshold
}

// Comparison is two reports side by side.
type Comparison struct {
	Threshold   float64 // 0.1 is ten percent
	Notes       []string
	Differences []Difference
}

// Compare compares what both reports have.
func Compare(a, b *Report, threshold float64) *Comparison {
	c := &Comparison{Threshold: threshold}
	c.note("load", a.Title(), b.Title())
	c.note("target", a.Load.Target, b.Load.Target)
	machine := func(m *Machine) string { return fmt.Sprintf("%s, %d cores", m.CPU, m.Cores) }
	c.note("machine", machine(&a.Machine), machine(&b.Machine))
	c.note("version", a.VersionLine(), b.VersionLine())
	if a.Max != nil && b.Max != nil {
		c.rate("max requests/s", a.Max.Requests, b.Max.Requests)
		c.rate("kept up requests/s", a.Max.KeptUp, b.Max.KeptUp)
		c.rate("max against echo", a.Max.Ratio, b.Max.Ratio)
	}
	for i := range a.Runs {
		if other := b.run(a.Runs[i].Target); other != nil {
			c.runs(&a.Runs[i], other)
		}
	}
	for i := range a.Curve {
		for k := range b.Curve {
			p, q := &a.Curve[i], &b.Curve[k]
			if p.Target == q.Target && p.Part == q.Part {
				name := fmt.Sprintf("%s at %.0f %% of max ", p.Target, 100*p.Part)
				c.time(name+"p50", p.P50, q.P50)
				c.time(name+"p99", p.P99, q.P99)
				c.time(name+"p99.9", p.P999, q.P999)
			}
		}
	}
	return c
}

// note tells where two reports are not of the same thing.
func (c *Comparison) note(what, a, b string) {
	if a != b {
		c.Notes = append(c.Notes, fmt.Sprintf("%s differs: A %s; B %s", what, a, b))
	}
}

// runs compares two measurements.
func (c *Comparison) runs(a, b *Run) {
	if a.Rate != b.Rate {
		c.Notes = append(c.Notes, fmt.Sprintf("%s: A was due at %.0f/s, B at %.0f/s", a.Target, a.Rate, b.Rate))
	}
	c.rate(a.Target+" answered/s", a.perSecond(), b.perSecond())
	c.count(a.Target+" errors", a.Errors, b.Errors)
	c.count(a.Target+" refused", a.Refused, b.Refused)
	c.count(a.Target+" unsent", a.Unsent, b.Unsent)
	for i := range a.Kinds {
		for k := range b.Kinds {
			p, q := &a.Kinds[i], &b.Kinds[k]
			if p.Kind == q.Kind {
				c.times(a.Target+" "+p.Kind+" latency", &p.Latency, &q.Latency)
				c.times(a.Target+" "+p.Kind+" service", &p.Service, &q.Service)
			}
		}
	}
}

func (c *Comparison) times(name string, a, b *Times) {
	c.time(name+" p50", a.P50, b.P50)
	c.time(name+" p99", a.P99, b.P99)
	c.time(name+" p99.9", a.P999, b.P999)
	c.time(name+" max", a.Max, b.Max)
}

func (c *Comparison) time(name string, a, b int64) {
	if a == 0 || b == 0 {
		return
	}
	ratio := float64(b) / float64(a)
	c.Differences = append(c.Differences, Difference{
		Name: name, A: float64(a), B: float64(b), IsTime: true, Ratio: ratio, IsWorse: ratio > 1+c.Threshold,
		IsBest: ratio < 1/(1+c.Threshold),
	})
}

func (c *Comparison) rate(name string, a, b float64) {
	if a == 0 || b == 0 {
		return
	}
	ratio := b / a
	c.Differences = append(c.Differences, Difference{
		Name: name, A: a, B: b, Ratio: ratio, IsWorse: ratio < 1/(1+c.Threshold), IsBest: ratio > 1+c.Threshold,
	})
}

// count compares what should be none: any more is worse.
func (c *Comparison) count(name string, a, b int64) {
	if a == b {
		return
	}
	c.Differences = append(c.Differences, Difference{
		Name: name, A: float64(a), B: float64(b), Ratio: float64(b) / float64(max(a, 1)), IsWorse: b > a, IsBest: b < a,
	})
}

// Worse returns how many figures are worse beyond the threshold.
func (c *Comparison) Worse() (count int) {
	for i := range c.Differences {
		if c.Differences[i].IsWorse {
			count++
		}
	}
	return count
}

// WriteText writes the comparison for people.
func (c *Comparison) WriteText(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(t, format+"\n", args...) } // Flush tells
	for _, note := range c.Notes {
		line("%s", note)
	}
	line("figure\tA\tB\tratio\t\t")
	for i := range c.Differences {
		d := &c.Differences[i]
		show := func(v float64) string {
			switch {
			case d.IsTime:
				return span(int64(v))
			case v < 10 && v != float64(int64(v)):
				return fmt.Sprintf("%.3f", v)
			}
			return grouped(int64(v))
		}
		verdict := ""
		switch {
		case d.IsWorse:
			verdict = "WORSE"
		case d.IsBest:
			verdict = "better"
		}
		line("%s\t%s\t%s\t%.3f\t%s\t", d.Name, show(d.A), show(d.B), d.Ratio, verdict)
	}
	line("%d of %d figures are worse by more than %.0f %%", c.Worse(), len(c.Differences), 100*c.Threshold)
	return t.Flush()
}
