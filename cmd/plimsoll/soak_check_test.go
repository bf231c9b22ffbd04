package main

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"
	"time"

	"plimsoll/bench"
	"plimsoll/client"
)

// end stops everybody, and wants the readers of events to have seen the same.
func (s *soak) end(t *testing.T) {
	t.Helper()
	s.stop()
	s.group.Wait()
	for _, c := range []client.Command{client.Halt{Market: soakMark}, client.Resume{Market: soakMark}} {
		if err := s.venue.do(c); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan struct{})
	go func() {
		s.readers.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(startDeadline):
		t.Fatalf("the readers of events are at %s and %s, and do not come to the last", s.follow.at, s.resume.at)
	}
	a, b := s.follow, s.resume
	if a.count != b.count || a.sum != b.sum || a.at != b.at {
		t.Errorf("%d events up to %s in one piece, %d up to %s over %d connections", a.count, a.at, b.count, b.at, b.cuts)
	}
	t.Logf("%d events, the same in one piece and over %d connections", a.count, b.cuts)
	for _, c := range s.clients {
		c.CloseIdleConnections()
	}
	for _, k := range s.desks {
		k.http.CloseIdleConnections()
	}
}

// checkClients holds that everybody was there, and nobody met a fault.
func (s *soak) checkClients(t *testing.T, r *bench.Report, long time.Duration) {
	t.Helper()
	for _, text := range s.faults {
		t.Errorf("fault: %s", text)
	}
	if n := s.counts["faults"]; n > len(s.faults) {
		t.Errorf("and %d faults more", n-len(s.faults))
	}
	whoever := []string{
		"desk", "trader", "borrower", "tick", "funding", "clock", "read", "heavy read", "dashboard frame", "dashboard totals",
		"bad request", "slow head", "slow body", "slow ones cut off", "endless body", "vanishing", "slow event reader", "probe",
	}
	for _, who := range whoever {
		if s.counts[who] == 0 {
			t.Errorf("there was no %s", who)
		}
	}
	const everyFrame = 5 * time.Second // on the worst of machines; it is 0.4 s
	if n := s.counts["dashboard frame"]; time.Duration(n)*everyFrame < long {
		t.Errorf("the dashboard got %d frames in %s", n, long)
	}
	x := &r.Runs[0]
	t.Logf("load tool: %.0f/s due for %s: %d answered, %d refused, %d errors, %d not sent in time; latency p50 %s p99 %s p99.9 %s max %s",
		x.Rate, long, x.Answered, x.Refused, x.Errors, x.Unsent, ms(x.Latency.P50), ms(x.Latency.P99), ms(x.Latency.P999), ms(x.Latency.Max))
	if x.Errors > 0 || x.Refused > 0 || len(x.Kinds) < 5 {
		t.Errorf("%d errors, %d refused, %d kinds of requests; want none, none and 5", x.Errors, x.Refused, len(x.Kinds))
	}
}

// ms rounds nanoseconds to be read.
func ms(ns int64) time.Duration { return time.Duration(ns).Round(10 * time.Microsecond) }

// What the second half of the soak may be worse by than the first.
const (
	soakSlowdown     = 5
	soakSlowdownMore = 50 * time.Millisecond
	soakRatioLoss    = 2.5 // of the maximum as a part of a bare echo's
)

// checkLatency compares the halves: of the load tool p99.9 from the intended start, of the probe the
// time that one client waits. Each is the median over the seconds, and where the bare echo became
// slower by a factor, so may they. On a machine that others use the open loop may not be kept up for
// a time, and then it measures its own queue: seconds in which that was so are left out, and told. The
// maximum is held against the echo's after a long soak alone: nothing builds up in seconds, and where
// the processor is fought for, who hands on from thread to thread loses more than an echo does.
func (s *soak) checkLatency(t *testing.T, r *bench.Report, before, after *bench.Max) {
	t.Helper()
	from, to := s.watch.from, s.watch.to
	half := from.Add(to.Sub(from) / 2)
	machine := [2]time.Duration{s.probe.echoes.ordinary(from, half), s.probe.echoes.ordinary(half, to)}
	slower := max(1, float64(machine[1])/float64(max(machine[0], time.Microsecond)))
	compare := func(what string, first, second time.Duration) {
		most := time.Duration(slower * float64(soakSlowdown*first+soakSlowdownMore))
		t.Logf("%s: %s in the first half, %s in the second", what, ms(int64(first)), ms(int64(second)))
		if second > most {
			t.Errorf("%s: %s in the second half, want at most %s", what, ms(int64(second)), ms(int64(most)))
		}
	}
	t.Logf("bare echo, p99 of most seconds: %s in the first half, %s in the second", ms(int64(machine[0])), ms(int64(machine[1])))
	compare("one client, p99 of most seconds", s.probe.orders.ordinary(from, half), s.probe.orders.ordinary(half, to))
	first, second, left := halves(&r.Runs[0])
	const least = 3
	if left > 0 {
		t.Logf("load tool: %d of %d seconds were not kept up, and are left out", left, len(r.Runs[0].Series))
	}
	if len(first) >= least && len(second) >= least {
		compare("load tool, p99.9 of most seconds", percentile(first, 500), percentile(second, 500))
	}
	s.minutes(t, &r.Runs[0])
	t.Logf("maximum: %.0f/s, %.2f of the echo before; %.0f/s, %.2f of it after", before.Requests, before.Ratio, after.Requests, after.Ratio)
	if s.watch.isLong() && after.Ratio*soakRatioLoss < before.Ratio && after.Requests*soakRatioLoss < before.Requests {
		t.Errorf("the maximum is %.0f/s, %.2f of a bare echo's, after the load, and was %.0f/s, %.2f before",
			after.Requests, after.Ratio, before.Requests, before.Ratio)
	}
}

// halves returns p99.9 of the seconds of both halves, sorted, but for those at the beginning or the
// end of which more than a twentieth of a second's requests had been due and were not answered.
func halves(x *bench.Run) (first, second []time.Duration, left int) {
	const part = 20
	answered, wasKept := 0.0, true
	for i := range x.Series {
		n := &x.Series[i]
		answered += float64(n.Answered)
		isKept := (n.At+n.Seconds)*x.Rate-answered < x.Rate/part
		switch {
		case !isKept || !wasKept:
			left++
		case n.At+n.Seconds/2 < x.Seconds/2:
			first = append(first, time.Duration(n.P999))
		default:
			second = append(second, time.Duration(n.P999))
		}
		wasKept = isKept
	}
	slices.Sort(first)
	slices.Sort(second)
	return first, second, left
}

// minutes tells how each minute was.
func (s *soak) minutes(t *testing.T, x *bench.Run) {
	t.Helper()
	for at := s.watch.from; at.Add(time.Minute).Before(s.watch.to.Add(time.Second)); at = at.Add(time.Minute) {
		minute := at.Sub(s.watch.from)
		var p999 []time.Duration
		for i := range x.Series {
			if n := time.Duration(x.Series[i].At * float64(time.Second)); n >= minute && n < minute+time.Minute {
				p999 = append(p999, time.Duration(x.Series[i].P999))
			}
		}
		slices.Sort(p999)
		one, echo := s.probe.orders.between(at, at.Add(time.Minute)), s.probe.echoes.between(at, at.Add(time.Minute))
		long := s.watch.to.Sub(s.watch.from)
		w := s.watch.window(int(100*minute/long), int(100*(minute+time.Minute)/long))
		t.Logf("minute %2.0f: p99.9 of the load's seconds: median %s, worst %s; one client p99 %s p99.9 %s; echo p99.9 %s; %s",
			(minute + time.Minute).Minutes(), ms(int64(percentile(p999, 500))), ms(int64(percentile(p999, 999))),
			ms(int64(percentile(one, 990))), ms(int64(percentile(one, 999))), ms(int64(percentile(echo, 999))), &w)
	}
}

// checkLedger holds what must be when all is quiet: no miss, nothing refused for want of room, the
// ledger adds up, interest has been charged, and nobody's goroutines are left.
func (s *soak) checkLedger(t *testing.T) {
	t.Helper()
	text, err := s.metrics()
	if err != nil {
		t.Fatal(err)
	}
	audited, misses := metricOf(text, "plimsoll_band_audited_total"), metricOf(text, "plimsoll_band_audit_misses")
	t.Logf("%.0f accounts audited, %.0f misses; %.0f snapshots' place", audited, misses, metricOf(text, "plimsoll_snapshot_sequence"))
	if misses != 0 || audited <= 0 {
		t.Errorf("%.0f misses of %.0f accounts audited, want none of many", misses, audited)
	}
	if busy := metricOf(text, "plimsoll_busy_total"); busy != 0 {
		t.Errorf("%.0f requests found a ring full", busy)
	}
	if metricOf(text, "plimsoll_snapshot_sequence") <= 0 {
		t.Error("no snapshot was taken under the load")
	}
	if err := s.read(http.DefaultClient, "/v1/totals"); err != nil {
		t.Error(err)
	}
	var pool struct {
		Index string `json:"borrow_index"`
	}
	if _, body := get(t, s.d.url+"/v1/pools/USDC"); json.Unmarshal([]byte(body), &pool) != nil || pool.Index == "1.0" {
		t.Errorf("no interest was charged: %s", body)
	}
	http.DefaultClient.CloseIdleConnections()
	left := 0
	for end := time.Now().Add(startDeadline); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if left = goroutinesAtWork(t, s.d); left <= s.watch.idle+soakGoroutinesLeft {
			return
		}
	}
	t.Errorf("%d goroutines are at work although nobody is there, and were %d at first", left, s.watch.idle)
}

// checkRestart holds that what was acknowledged is there: in the state, in the journal, and after a
// stop and a start.
func (s *soak) checkRestart(t *testing.T, dir string, long time.Duration) {
	t.Helper()
	recheck := func(url string) {
		each(t, s.desks, func(k *desk) error {
			_, err := k.recheck(url, recheckMost)
			return err
		})
		checkState(t, url, s.desks)
	}
	recheck(s.d.url)
	was := s.d.status(t)
	if r := replayReal(t, dir); r.Seq != was.Seq || r.StateHash != was.StateHash {
		t.Errorf("the journal gives seq %d hash %s, the daemon has %+v", r.Seq, r.StateHash, was)
	}
	if code := s.d.end(t); code != exitDone {
		t.Fatalf("exit code %d; log: %s", code, shortLog(s.d.log.String()))
	}
	again := upSoak(t, dir, long)
	if is := again.status(t); is != was {
		t.Errorf("after the restart: %+v, was %+v", is, was)
	}
	recheck(again.url)
	t.Logf("seq %d, %d commands of the desks acknowledged; all there after a restart, hash %s", was.Seq, acked(s.desks), was.StateHash)
	if code := again.end(t); code != exitDone {
		t.Errorf("exit code %d", code)
	}
}
