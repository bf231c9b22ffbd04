package bench

import (
	"fmt"
	"strconv"
)

// note tells what goes on.
func (r *loadRun) note(format string, args ...any) {
	if r.load.Progress != nil {
		_, _ = fmt.Fprintf(r.load.Progress, r.lineStart()+format+"\n", args...) // nobody is left to tell
	}
}

// lineStart wipes the line that is overwritten, on a terminal.
func (r *loadRun) lineStart() string {
	if r.load.InPlace {
		return "\r\x1b[2K"
	}
	return ""
}

// second tells one second of a measurement; on a terminal it overwrites the one before.
func (r *loadRun) second(name string, s *Second) {
	if r.load.Progress == nil {
		return
	}
	end := "\n"
	if r.load.InPlace {
		end = ""
	}
	_, _ = fmt.Fprintf(r.load.Progress, r.lineStart()+"%6.1fs  %-8s  %9s/s  p50 %-8s p99 %-8s max %-8s  refused %d  errors %d%s",
		s.At+s.Seconds, name, grouped(int64(float64(s.Answered)/max(s.Seconds, 1e-9))), span(s.P50), span(s.P99), span(s.Max),
		s.Busy, s.Errors, end)
}

// span prints nanoseconds to three figures.
func span(ns int64) string {
	for _, unit := range []struct {
		ns   int64
		name string
	}{{1_000_000_000, " s"}, {1_000_000, " ms"}, {1000, " µs"}} {
		if ns < unit.ns {
			continue
		}
		const ten, hundred = 10, 100
		v, decimals := float64(ns)/float64(unit.ns), 2
		switch {
		case v >= hundred:
			decimals = 0
		case v >= ten:
			decimals = 1
		}
		return strconv.FormatFloat(v, 'f', decimals, 64) + unit.name
	}
	return strconv.FormatInt(ns, 10) + " ns"
}

// grouped prints a count in groups of three digits.
func grouped(n int64) string {
	text := strconv.FormatInt(n, 10)
	for at := len(text) - 3; at > 0 && text[at-1] != '-'; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}
