package bench

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"plimsoll/internal/engine"
	"plimsoll/risk"
)

const (
	quietFor    = 3 * time.Second // offered without a snapshot, about as long as one takes
	besideMax   = 20 * time.Second
	othersMax   = 0.25             // cores that other processes may take during a pair that counts
	othersWait  = 20 * time.Second // for them to be done, before each half
	besideTries = 30               // pairs, of which pairsMin should count
)

// BenchmarkSnapshotBeside offers 200,000 orders a second to an engine of a million accounts that
// keeps a journal, in turn with and without a snapshot in the background, and compares the p99
// of the two in pairs. Goal: x-p99 <= 1.1, snapshot-s <= 5. A tail is the whole machine's: pairs
// during which others took more than a quarter of a core are run again, as long as it pays.
//
//	procs=1x  GOMAXPROCS as go test sets it
//	procs=2x  twice that: a thread in a system call of the disk holds one of
//	          Go's processors until a watcher, who may sleep for 10 ms, takes it away
func BenchmarkSnapshotBeside(b *testing.B) {
	if testing.Short() {
		b.Skip("builds a million accounts")
	}
	cfg := durableConfig()
	cfg.Threads = 1 // the same for both
	e := recovered(b, cfg, b.TempDir())
	defer e.Close()
	e.Start()
	w := draw(shape{accounts: millionAccounts, mode: risk.ModeUnified})
	sender := newSender(b, e)
	w.settle(sender.take)
	sender.flush()
	sender.drain()
	s := &snapshotBeside{e: e, w: w}
	s.half(b, false) // warm up
	cores := runtime.GOMAXPROCS(0)
	for _, times := range []int{1, 2} {
		b.Run(fmt.Sprintf("procs=%dx", times), func(b *testing.B) {
			runtime.GOMAXPROCS(times * cores)
			defer runtime.GOMAXPROCS(cores)
			for b.Loop() {
				s.run(b)
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// snapshotBeside takes pairs of half with and without a snapshot.
type snapshotBeside struct {
	e  *engine.Engine
	w  *crowd
	id uint64 // of the last half: every one rests orders of its own
}

type besideHalf struct {
	p50, p99, others float64 // ms, ms, cores
	seconds          float64 // of the snapshot
}

func (s *snapshotBeside) run(b *testing.B) {
	b.Helper()
	var ratios, quiet99, busy99, quiet50, busy50, seconds []float64
	for try := 0; try < besideTries && len(ratios) < pairsMin; try++ {
		var halves [2]besideHalf // without and with
		for i := range 2 {
			withIt := (i + try) % 2
			halves[withIt] = s.half(b, withIt == 1)
		}
		quiet, busy := halves[0], halves[1]
		if max(quiet.others, busy.others) > othersMax {
			continue
		}
		ratios = append(ratios, busy.p99/quiet.p99)
		quiet99, busy99 = append(quiet99, quiet.p99), append(busy99, busy.p99)
		quiet50, busy50 = append(quiet50, quiet.p50), append(busy50, busy.p50)
		seconds = append(seconds, busy.seconds)
	}
	metric(b, "pairs", float64(len(ratios)))
	if len(ratios) == 0 {
		return
	}
	metric(b, "x-p99", median(ratios))
	metric(b, "quiet-p50-ms", median(quiet50))
	metric(b, "quiet-p99-ms", median(quiet99))
	metric(b, "busy-p50-ms", median(busy50))
	metric(b, "busy-p99-ms", median(busy99))
	metric(b, "snapshot-s", median(seconds))
}

// half offers orders while a snapshot is taken, or for as long as one takes.
func (s *snapshotBeside) half(b *testing.B, withSnapshot bool) (h besideHalf) {
	b.Helper()
	for until := time.Now().Add(othersWait); time.Now().Before(until); {
		if at := lookAtOthers(); at.since(400*time.Millisecond) < othersMax/2 {
			break
		}
	}
	s.id++
	others := lookAtOthers()
	isOver := func(at time.Duration) bool { return at > quietFor }
	done := make(chan struct{})
	if withSnapshot {
		isOver = func(at time.Duration) bool {
			select {
			case <-done:
				return true
			default:
				return at > besideMax
			}
		}
		go func() {
			defer close(done)
			info, err := s.e.Snapshot()
			if err != nil {
				b.Error(err)
			}
			h.seconds = info.Seconds
		}()
	} else {
		close(done)
	}
	took := offerUntil(b, s.e, s.w, s.id, isOver)
	<-done
	h.others = others.since(0)
	slices.Sort(took)
	h.p50, h.p99 = percentile(took, 50), percentile(took, 99)
	return h
}

// othersLook is when the machine's cores and ours had worked for how long.
type othersLook struct {
	at        time.Time
	all, ours time.Duration
}

func lookAtOthers() othersLook {
	const jiffy = 10 * time.Millisecond
	l := othersLook{at: time.Now(), ours: cpuTime()}
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return l // others then count as none
	}
	var user, nice, system, idle, wait, irq, soft, steal int64
	if _, err := fmt.Sscanf(string(text), "cpu %d %d %d %d %d %d %d %d",
		&user, &nice, &system, &idle, &wait, &irq, &soft, &steal); err == nil {
		l.all = time.Duration(user+nice+system+irq+soft+steal) * jiffy
	}
	return l
}

// since waits and returns how many cores other processes have taken since the look.
func (l othersLook) since(wait time.Duration) (cores float64) {
	time.Sleep(wait)
	now := lookAtOthers()
	return float64((now.all-l.all)-(now.ours-l.ours)) / float64(now.at.Sub(l.at))
}
