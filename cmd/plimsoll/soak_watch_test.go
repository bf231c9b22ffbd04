package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// soakWatch looks at the daemon's memory and goroutines while it is loaded.
type soakWatch struct {
	idle     int // goroutines at work before anybody came
	from, to time.Time
	looks    []look
}

// look is one of them. Bytes.
type look struct {
	at         time.Time
	resident   float64
	file       float64 // of that, pages of files: the binary, and what is mapped
	live       float64 // heap that the last collection found in use, about: half of its goal
	goroutines float64
}

const (
	soakLook = 500 * time.Millisecond

	// What may be added after the warm-up: a part of what is there, which covers what the collector
	// and the system give back late, and what is bounded and still fills, such as the ids that are
	// remembered: 65,536 of each client, at most 8 MB.
	soakResidentPart, soakResidentMore = 0.15, 48 << 20
	soakLivePart, soakLiveMore         = 0.10, 20 << 20
	soakGoroutinesMore                 = 40 // bad clients come and go
	soakGoroutinesLeft                 = 4  // when all are gone
)

func (w *soakWatch) begin()  { w.from = time.Now() }
func (w *soakWatch) finish() { w.to = time.Now() }

// isLong reports whether the soak was long enough for what builds up slowly.
func (w *soakWatch) isLong() bool { return w.to.Sub(w.from) >= 5*time.Minute }

// run looks until the soak is over.
func (w *soakWatch) run(s *soak) {
	for s.context.Err() == nil {
		s.rest(soakLook)
		text, err := s.metrics()
		if err != nil {
			s.fault("watch: %v", err)
			continue
		}
		resident, file, err := residentOf(s.d.cmd.Process.Pid)
		if err != nil {
			s.fault("watch: %v", err)
		}
		w.looks = append(w.looks, look{
			at: time.Now(), resident: resident, file: file, live: metricOf(text, "go_gc_heap_goal_bytes") / 2,
			goroutines: metricOf(text, "go_goroutines"),
		})
	}
}

// metrics reads /metrics.
func (s *soak) metrics() (string, error) {
	reply, err := http.Get(s.d.url + "/metrics") //nolint:noctx // of our own server
	if err != nil {
		return "", err
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	return string(text), err
}

// metricOf returns a figure of /metrics that has no labels, or those in its name; -1: it is missing.
func metricOf(text, name string) float64 {
	_, rest, isThere := strings.Cut(text, "\n"+name+" ")
	if !isThere {
		return -1
	}
	line, _, _ := strings.Cut(rest, "\n")
	v, err := strconv.ParseFloat(line, 64)
	if err != nil {
		return -1
	}
	return v
}

// residentOf returns what a process has in memory, and how much of that are pages of files; 0 where
// the system does not tell.
func residentOf(pid int) (resident, file float64, err error) {
	if runtime.GOOS != "linux" {
		return 0, 0, nil
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	bytesOf := func(name string) float64 {
		_, rest, _ := strings.Cut(string(text), "\n"+name+":")
		line, _, _ := strings.Cut(rest, " kB")
		kb, fault := strconv.ParseFloat(strings.TrimSpace(line), 64)
		if fault != nil {
			err = fmt.Errorf("%s of process %d: %w", name, pid, fault)
		}
		return kb * 1024
	}
	return bytesOf("VmRSS"), bytesOf("RssFile"), err
}

// window returns the median of what was looked at in a part of the load, in hundredths of it.
func (w *soakWatch) window(from, to int) (l look) {
	var columns [4][]float64
	long := w.to.Sub(w.from)
	for _, x := range w.looks {
		at := x.at.Sub(w.from) * 100
		if at >= long*time.Duration(from) && at <= long*time.Duration(to) {
			columns[0], columns[1] = append(columns[0], x.resident), append(columns[1], x.live)
			columns[2], columns[3] = append(columns[2], x.goroutines), append(columns[3], x.file)
		}
	}
	middle := func(v []float64) float64 {
		if len(v) == 0 {
			return 0
		}
		slices.Sort(v)
		return v[len(v)/2]
	}
	return look{resident: middle(columns[0]), live: middle(columns[1]), goroutines: middle(columns[2]), file: middle(columns[3])}
}

func (l *look) String() string {
	return fmt.Sprintf("%.1f MB resident, %.1f of them of files, %.1f MB of heap in use, %.0f goroutines",
		l.resident/mib, l.file/mib, l.live/mib, l.goroutines)
}

// check holds that nothing has grown after the warm-up, the first third, or the first tenth of a
// long soak.
func (w *soakWatch) check(t *testing.T) {
	t.Helper()
	warmFrom, warmTo := 30, 50
	if w.isLong() {
		warmFrom, warmTo = 10, 20
	}
	warm, last := w.window(warmFrom, warmTo), w.window(80, 100)
	t.Logf("after the warm-up: %s", &warm)
	t.Logf("at the end:        %s", &last)
	if warm.live <= 0 || last.live <= 0 {
		t.Fatalf("not enough was looked at: %d times", len(w.looks))
	}
	if most := warm.resident*(1+soakResidentPart) + soakResidentMore; last.resident > most {
		t.Errorf("%.1f MB are resident at the end, want at most %.1f", last.resident/mib, most/mib)
	}
	if most := warm.live*(1+soakLivePart) + soakLiveMore; last.live > most {
		t.Errorf("%.1f MB of heap are in use at the end, want at most %.1f", last.live/mib, most/mib)
	}
	if last.goroutines > warm.goroutines+soakGoroutinesMore {
		t.Errorf("%.0f goroutines at the end, %.0f after the warm-up", last.goroutines, warm.goroutines)
	}
}

var goroutineGroup = regexp.MustCompile(`(?m)^(\d+) @ `)

// goroutinesAtWork counts the goroutines of a daemon but for the workers that wait for another
// connection: those stay for some seconds after the last.
func goroutinesAtWork(t *testing.T, d *realDaemon) (count int) {
	t.Helper()
	status, text := get(t, d.url+"/debug/pprof/goroutine?debug=1")
	if status != http.StatusOK {
		t.Fatalf("the profile answers %d %s", status, text)
	}
	for group := range strings.SplitSeq(text, "\n\n") {
		m := goroutineGroup.FindStringSubmatch(group)
		if m == nil || strings.Contains(group, "workerFunc") && !strings.Contains(group, "serveConn") {
			continue
		}
		n, err := strconv.Atoi(m[1])
		if err != nil {
			t.Fatal(err)
		}
		count += n
	}
	return count
}
