package bench

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// rateLine says in one line what a run came to.
func (r *Run) rateLine() string {
	t := &r.Latency
	var text strings.Builder
	_, _ = fmt.Fprintf(&text, "%s/s  p50 %s  p99 %s  p99.9 %s  max %s",
		grouped(int64(r.perSecond())), span(t.P50), span(t.P99), span(t.P999), span(t.Max))
	for _, x := range []struct {
		name  string
		count int64
	}{{"refused", r.Refused}, {"errors", r.Errors}, {"unsent", r.Unsent}} {
		if x.count > 0 {
			text.WriteString("  " + x.name + " " + grouped(x.count))
		}
	}
	return text.String()
}

// Title says in one line what was measured.
func (r *Report) Title() string {
	l := &r.Load
	kind := l.Mix
	if l.Batch > 1 {
		kind += fmt.Sprintf(", %d to a request", l.Batch)
	}
	return fmt.Sprintf("%s, %s, %d connections, %s accounts with %d positions, %s margin",
		kind, l.Encoding, l.Connections, grouped(int64(l.Accounts)), l.Positions, l.Mode)
}

// MachineLine says in one line where.
func (r *Report) MachineLine() string {
	m := &r.Machine
	parts := []string{fmt.Sprintf("%d cores", m.Cores), fmt.Sprintf("%s MB", grouped(int64(m.MemoryMB))), m.OS + "/" + m.Arch}
	if m.CPU != "" {
		parts = append([]string{m.CPU}, parts...)
	}
	if m.Kernel != "" {
		parts = append(parts, "kernel "+m.Kernel)
	}
	if m.LoadBefore != "" {
		parts = append(parts, "load before "+m.LoadBefore)
	}
	return strings.Join(parts, ", ")
}

// VersionLine says in one line with what.
func (r *Report) VersionLine() string {
	v := &r.Version
	text := strings.TrimSpace(v.Module + " " + v.Version)
	if v.Revision != "" {
		text += " at " + v.Revision[:min(12, len(v.Revision))]
	}
	if v.Modified {
		text += ", with changes beyond it"
	}
	return text + ", " + v.Go + "; daemon " + r.Load.Daemon
}

// WriteText writes the report for people.
func (r *Report) WriteText(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(t, format+"\n", args...) } // Flush tells
	line("%s", r.Title())
	line("on %s", r.Load.Target)
	line("%s", r.MachineLine())
	line("%s\n", r.VersionLine())
	r.writeMax(line)
	for i := range r.Runs {
		r.Runs[i].write(line)
	}
	r.writeCurve(line)
	r.writeEcho(line)
	if r.Journal != nil {
		line("journal: %s frames, from append to durable p50 <= %s, p99 <= %s",
			grouped(int64(r.Journal.Frames)), span(r.Journal.P50), span(r.Journal.P99))
	}
	if r.Tidied > 0 {
		line("beside the load, %s accounts had their resting orders cancelled, %d to a request; that is in no figure above",
			grouped(r.Tidied), tidyBatch)
	}
	for _, fault := range r.Faults {
		line("FAULT %s", fault)
	}
	return t.Flush()
}

type lineFunc func(format string, args ...any)

func (r *Report) writeMax(line lineFunc) {
	m := r.Max
	if m == nil {
		return
	}
	line("maximum, closed loop: %s requests/s, %s commands/s (median of %d rounds: %s)",
		grouped(int64(m.Requests)), grouped(int64(m.Commands)), len(m.Rounds), roundsText(m.Rounds))
	if m.KeptUpP99 > 0 {
		line("highest rate kept up, open loop with p99 within %s: %s requests/s", span(m.KeptUpP99), grouped(int64(m.KeptUp)))
	}
	if m.Ratio > 0 {
		line("bare echo server in turn: %s requests/s; the daemon has %.1f %% of it (median of the pairs)",
			grouped(int64(m.Echo)), 100*m.Ratio)
	}
	line("")
}

func roundsText(rounds []float64) string {
	var parts []string
	for _, v := range rounds {
		parts = append(parts, grouped(int64(v)))
	}
	return strings.Join(parts, " ")
}

// write writes the tables of one run.
func (r *Run) write(line lineFunc) {
	line("%s, open loop: %s/s due for %.0f s, %s answered (%s/s, %s commands/s), %s refused (429), %s errors, %s unsent",
		r.Target, grouped(int64(r.Rate)), r.Seconds, grouped(r.Answered), grouped(int64(r.perSecond())),
		grouped(int64(float64(r.Commands)/max(r.Took, 1e-9))), grouped(r.Refused), grouped(r.Errors), grouped(r.Unsent))
	line("kind\trequests\tp50\tp90\tp99\tp99.9\tp99.99\tmax\t")
	row := func(name string, t *Times) {
		line("%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t", name, grouped(t.Count), span(t.P50), span(t.P90), span(t.P99), span(t.P999),
			span(t.P9999), span(t.Max))
	}
	for i := range r.Kinds {
		k := &r.Kinds[i]
		row(k.Kind+" latency", &k.Latency)
		row("service", &k.Service)
	}
	if len(r.Kinds) > 1 {
		row("all latency", &r.Latency)
		row("service", &r.Service)
	}
	row("sent late by", &r.Delay)
	line("latency is from when a request was due, service from when it was sent; %s of %s were sent more than 1ms late",
		grouped(r.Late), grouped(r.Delay.Count))
	if r.Unsent > 0 {
		line("THE RATE WAS NOT KEPT UP: %s requests were due and never sent; latency holds how old they were, so it is a lower bound",
			grouped(r.Unsent))
	}
	line("")
}

func (r *Report) writeCurve(line lineFunc) {
	if len(r.Curve) == 0 {
		return
	}
	line("saturation, open loop at parts of the maximum")
	line("target\tof max\tdue/s\tanswered/s\tp50\tp99\tp99.9\tmax\tservice p99\trefused\terrors\tunsent\t")
	for i := range r.Curve {
		p := &r.Curve[i]
		line("%s\t%.0f %%\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%d\t%d\t", p.Target, 100*p.Part, grouped(int64(p.Rate)),
			grouped(int64(p.Answered)), span(p.P50), span(p.P99), span(p.P999), span(p.Max), span(p.Service), p.Refused, p.Errors, p.Unsent)
	}
	line("")
}

// EchoVerdict compares the daemon with the echo server at one rate. Times in nanoseconds.
type EchoVerdict struct {
	Ours, Echo, Journal int64   // p99
	Ratio               float64 // of p99
	Allowed             int64   // twice the echo's p99 and the journal's
	IsWithin            bool
}

// Echo returns how the runs of daemon and echo server compare; nil without both.
func (r *Report) Echo() *EchoVerdict {
	ours, echo := r.run("plimsoll"), r.run("echo")
	if ours == nil || echo == nil || echo.Latency.P99 == 0 {
		return nil
	}
	v := &EchoVerdict{Ours: ours.Latency.P99, Echo: echo.Latency.P99}
	if r.Journal != nil {
		v.Journal = r.Journal.P99
	}
	v.Ratio, v.Allowed = float64(v.Ours)/float64(v.Echo), 2*v.Echo+v.Journal
	v.IsWithin = v.Ours <= v.Allowed
	return v
}

func (r *Report) writeEcho(line lineFunc) {
	v := r.Echo()
	if v == nil {
		return
	}
	verdict := "within"
	if !v.IsWithin {
		verdict = "ABOVE"
	}
	line("p99 against the echo server at the same rate: %s / %s = %.2f; %s the bound of twice the echo's and the journal's own %s: %s",
		span(v.Ours), span(v.Echo), v.Ratio, verdict, span(v.Journal), span(v.Allowed))
}
