package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"plimsoll/internal/api"
	"plimsoll/internal/engine"
	"plimsoll/internal/invariant"
)

// startDaemon serves an empty engine over loopback and returns its URL.
func startDaemon(t *testing.T) string {
	t.Helper()
	cfg := engine.DefaultConfig()
	cfg.AccountsMax, cfg.Now = 4096, func() int64 { return time.Now().UnixMilli() }
	e, err := engine.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	e.Start()
	s := api.NewServer(&api.Config{
		Engine: e, Directory: api.NewDirectory(cfg.AccountsMax), Shards: 1, ClientsMax: 64, Version: "test",
		Ready: func() error { return nil },
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = s.Shutdown(ctx)
		<-done
		e.Close()
	})
	return "http://" + l.Addr().String()
}

// smallLoad is a load that is over in a moment.
func smallLoad(url string) Load {
	l := DefaultLoad()
	l.URL, l.Accounts, l.Positions, l.Markets, l.Connections = url, 40, 2, 6, 4
	l.WarmUp, l.For, l.Rate = 0, 300*time.Millisecond, Rate{PerSecond: 500}
	return l
}

func runLoad(t *testing.T, l Load) *Report {
	t.Helper()
	report, err := RunLoad(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// TestEveryMixFormatAndModeIsAccepted sends each kind alone and all together, in each format,
// alone and in batches larger than a connection has accounts, and wants no refusal of any sort.
func TestEveryMixFormatAndModeIsAccepted(t *testing.T) {
	t.Parallel()
	mixes := []string{"order", "fill", "prices", "read", "order=3,cancel=2", "order=4,fill=2,prices=1,read=3,cancel=3"}
	var group sync.WaitGroup
	places := make(chan bool, 6) // loads at a time
	for i, mix := range mixes {
		if invariant.Enabled && i < len(mixes)-1 {
			continue // costly assertions take a second a load
		}
		url := startDaemon(t)
		for k, format := range []Format{FormatJSON, FormatLines, FormatBinary} {
			for _, batch := range []int{1, 7, 64} {
				if batch == 64 && i < len(mixes)-1 {
					continue
				}
				l := smallLoad(url)
				l.Accounts = 16
				var err error
				if l.Mix, err = ParseMix(mix); err != nil {
					t.Fatal(err)
				}
				l.Format, l.Batch, l.Rate = format, batch, Rate{PerSecond: 200}
				l.Mode = []string{"standard", "unified", "portfolio"}[(i+k)%3]
				name := fmt.Sprintf("%s/%s/batch=%d/%s", mix, format, batch, l.Mode)
				group.Go(func() {
					places <- true
					defer func() { <-places }()
					report, err := RunLoad(t.Context(), l)
					if err != nil {
						t.Errorf("%s: %v", name, err)
						return
					}
					checkSmall(t, name, report, batch)
				})
			}
		}
	}
	group.Wait()
}

func checkSmall(t *testing.T, name string, report *Report, batch int) {
	t.Helper()
	run := report.run("plimsoll")
	// A machine that is busy with other tests may not send all; what is sent must be accepted.
	if run.Errors+run.Refused != 0 || run.Answered == 0 || run.Answered+run.Unsent != 60 || len(report.Faults) > 0 {
		t.Errorf("%s: %d answered, %d errors, %d refused, %d unsent, faults %v; want 60 answered and nothing else",
			name, run.Answered, run.Errors, run.Refused, run.Unsent, report.Faults)
	}
	for i := range run.Kinds {
		k := &run.Kinds[i]
		want := k.Service.Count
		if k.Kind == "order" || k.Kind == "fill" {
			want *= int64(batch)
		}
		if k.Kind != "cancel" && k.Commands != want {
			t.Errorf("%s: %s has %d commands in %d requests of %d", name, k.Kind, k.Commands, k.Service.Count, batch)
		}
	}
}

// TestEverythingAtOnce runs search, curve and echo.
func TestEverythingAtOnce(t *testing.T) {
	t.Parallel()
	l := smallLoad(startDaemon(t))
	l.IsMax, l.IsEcho, l.Rate = true, true, Rate{OfMax: 0.1}
	l.WarmUp = 50 * time.Millisecond
	var told strings.Builder
	l.Progress = &told
	r := runLoad(t, l)
	if r.Max == nil || len(r.Max.Rounds) != 11 || r.Max.Requests <= 0 || r.Max.Ratio <= 0 || r.Max.KeptUpP99 == 0 {
		t.Errorf("max is %+v", r.Max)
	}
	ours, echo := r.run("plimsoll"), r.run("echo")
	if ours == nil || echo == nil || r.Echo() == nil {
		t.Fatal("a run is missing")
	}
	if ours.Rate != echo.Rate || ours.Latency.Count != echo.Latency.Count || ours.Errors+echo.Errors != 0 || len(r.Faults) > 0 {
		t.Errorf("ours %s, echo %s, faults %v; want the same load and no error", ours.rateLine(), echo.rateLine(), r.Faults)
	}
	for _, want := range []string{"max 11/11", "search 5/5", "echo", "p99"} {
		if !strings.Contains(told.String(), want) {
			t.Errorf("the progress lacks %q: %s", want, told.String())
		}
	}
}

// TestOrdersAreTidied has few accounts take many orders: what rests stays bounded.
func TestOrdersAreTidied(t *testing.T) {
	t.Parallel()
	l := smallLoad(startDaemon(t))
	l.Batch, l.Rate = 20, Rate{PerSecond: 300}
	r := runLoad(t, l)
	if run := r.run("plimsoll"); run.Errors != 0 || r.Tidied < 40 {
		t.Errorf("%d errors, %d accounts tidied after %d orders on %d accounts", run.Errors, r.Tidied, run.Commands, l.Accounts)
	}
}

// stallServer answers everything, and for a while nothing.
func stallServer(t *testing.T, after, long time.Duration) (url string) {
	t.Helper()
	var first atomic.Int64 // unix ns of the first request
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		first.CompareAndSwap(0, time.Now().UnixNano())
		_, _ = io.Copy(io.Discard, r.Body)
		since := time.Duration(time.Now().UnixNano() - first.Load())
		if since > after && since < after+long {
			time.Sleep(after + long - since)
		}
		_, _ = io.WriteString(w, "{}")
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// bareFleet returns connections to a server that knows nothing of a venue.
func bareFleet(t *testing.T, url string, connections int) *loadFleet {
	t.Helper()
	l := DefaultLoad()
	l.URL, l.Connections, l.Accounts = url, connections, connections
	v := &loadVenue{load: &l, markets: []loadMarket{loadMarketAt("t", 0)}}
	for i := range connections {
		v.names, v.slots = append(v.names, fmt.Append(nil, "a", i)), append(v.slots, uint32(i))
	}
	f, err := newLoadFleet(t.Context(), v, true, &l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.close)
	return f
}

// TestStallIsChargedToAllThatItDelays: a server that stops for 300 ms in one second of 1,000
// requests delays about 300 of them; the two in flight alone would not show in p99.
func TestStallIsChargedToAllThatItDelays(t *testing.T) {
	t.Parallel()
	const stall = 300 * time.Millisecond
	f := bareFleet(t, stallServer(t, 300*time.Millisecond, stall), 2)
	r := newRecorder()
	if err := f.drive(t.Context(), 1000, time.Second, r); err != nil {
		t.Fatal(err)
	}
	run := r.run("fake", 1000)
	if run.Answered != 1000 || run.Errors+run.Unsent != 0 {
		t.Fatalf("%d answered, %d errors, %d unsent of 1000", run.Answered, run.Errors, run.Unsent)
	}
	h, err := run.Latency.Histogram()
	if err != nil {
		t.Fatal(err)
	}
	if p999 := time.Duration(run.Latency.P999); p999 < stall*9/10 || p999 > 2*stall {
		t.Errorf("p99.9 from the intended start is %s, want about %s", p999, stall)
	}
	if p80 := time.Duration(h.ValueAtPercentile(80)); p80 < stall/5 {
		t.Errorf("p80 is %s: a third of all requests were due while nothing was answered", p80)
	}
	if p99 := time.Duration(run.Service.P99); p99 > stall/2 {
		t.Errorf("p99 of the service time is %s: it should hide the stall", p99)
	}
	if longest := time.Duration(run.Service.Max); longest < stall*9/10 {
		t.Errorf("the longest service time is %s, want the stall", longest)
	}
	if run.Late < 200 {
		t.Errorf("%d requests were sent late, want most of 300", run.Late)
	}
}

// TestScheduleIsNeverMoved: request k is due at k / rate, whatever came before.
func TestScheduleIsNeverMoved(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		perSecond float64
		long      time.Duration
		count     int64
	}{{1000, time.Second, 1000}, {3, time.Second, 3}, {0.5, 3 * time.Second, 2}, {7, 100 * time.Millisecond, 1}, {333_333, time.Minute, 19_999_980}} {
		s := newSchedule(c.perSecond, c.long)
		if s.count != c.count {
			t.Errorf("%v/s for %s: %d requests, want %d", c.perSecond, c.long, s.count, c.count)
		}
		if last := s.due(s.count - 1); last >= int64(c.long) || s.due(s.count) < int64(c.long)-1 {
			t.Errorf("%v/s for %s: the last is due at %d, the next at %d", c.perSecond, c.long, last, s.due(s.count))
		}
	}
	tickets := &tickets{schedule: newSchedule(1000, time.Second)}
	if _, ok := tickets.take(-1); ok {
		t.Error("a request is due before the beginning")
	}
	stalled := int64(400 * time.Millisecond)
	for k := range int64(401) {
		if due, ok := tickets.take(stalled); !ok || due != k*int64(time.Millisecond) {
			t.Fatalf("after a stall request %d is due at %d, %v; want %d ms", k, due, ok, k)
		}
	}
	if due, ok := tickets.take(stalled); ok {
		t.Errorf("request 401 is handed out at 400 ms, due at %d", due)
	}
}

// TestEachRequestIsTakenOnce has many take at once.
func TestEachRequestIsTakenOnce(t *testing.T) {
	t.Parallel()
	tickets := &tickets{schedule: newSchedule(1e6, 50*time.Millisecond)}
	var taken [50_000]atomic.Int32
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for {
				due, ok := tickets.take(int64(time.Second))
				if !ok {
					return
				}
				taken[due/1000].Add(1)
			}
		})
	}
	group.Wait()
	for k := range taken {
		if n := taken[k].Load(); n != 1 {
			t.Fatalf("request %d was taken %d times", k, n)
		}
	}
}

// TestRefusedAndBrokenAreCountedApart: 429 is neither an error nor a latency, and a broken
// connection is an error and replaced.
func TestRefusedAndBrokenAreCountedApart(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		switch n.Add(1) % 10 {
		case 1, 2, 3:
			w.WriteHeader(http.StatusTooManyRequests)
		case 4:
			w.WriteHeader(http.StatusInternalServerError)
		case 5:
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				conn.Close()
			}
		case 6:
			_, _ = io.WriteString(w, `[{"ok":true},{"ok":false,"error":{}}]`)
		default:
			_, _ = io.WriteString(w, "{}")
		}
	}))
	defer server.Close()
	f := bareFleet(t, server.URL, 3)
	r := newRecorder()
	if err := f.drive(t.Context(), 400, 500*time.Millisecond, r); err != nil {
		t.Fatal(err)
	}
	run := r.run("fake", 400)
	if run.Refused != 60 || run.Errors != 60 || run.Answered != 80 || run.Unsent != 0 || run.Latency.Count != 80 {
		t.Errorf("%d refused, %d errors, %d answered, %d unsent, latency of %d; want 60, 60, 80, 0, 80; %v",
			run.Refused, run.Errors, run.Answered, run.Unsent, run.Latency.Count, r.faults)
	}
}

// TestWhatIsNeverSentIsCounted: at ten times of what a server can do most requests are never
// sent, and the histogram holds how old they were.
func TestWhatIsNeverSentIsCounted(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		time.Sleep(20 * time.Millisecond)
		_, _ = io.WriteString(w, "{}")
	}))
	defer server.Close()
	f := bareFleet(t, server.URL, 1)
	r := newRecorder()
	if err := f.drive(t.Context(), 500, 500*time.Millisecond, r); err != nil {
		t.Fatal(err)
	}
	run := r.run("fake", 500)
	if run.Answered+run.Unsent != 250 || run.Unsent < 150 || run.Latency.Count != 250 {
		t.Errorf("%d answered, %d unsent, latency of %d; want 250 together", run.Answered, run.Unsent, run.Latency.Count)
	}
	if p50 := time.Duration(run.Latency.P50); p50 < 500*time.Millisecond {
		t.Errorf("p50 is %s, want more than half a second", p50)
	}
	if run.isKeptUp(time.Hour) {
		t.Error("a rate counts as kept up that was not")
	}
}

type writerFunc func(line []byte) (int, error)

func (f writerFunc) Write(line []byte) (int, error) { return f(line) }

func TestRunEndsWithItsContext(t *testing.T) {
	t.Parallel()
	l := smallLoad(startDaemon(t))
	l.For = time.Minute
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	l.Progress = writerFunc(func(line []byte) (int, error) {
		if strings.Contains(string(line), "p99") { // the first second of the run
			cancel()
		}
		return len(line), nil
	})
	report, err := RunLoad(ctx, l)
	if !errors.Is(err, context.Canceled) || report == nil || report.run("plimsoll") == nil {
		t.Fatalf("report %v, error %v; want what was measured so far", report, err)
	}
}

func TestMixAndRateAreReadAsTheyArePrinted(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"order", "order=45,fill=5,prices=1,read=9,cancel=40"} {
		if m, err := ParseMix(text); err != nil || m.String() != text {
			t.Errorf("mix %q is %q, %v", text, m, err)
		}
	}
	for _, text := range []string{"", "ordr", "order=-1", "order=x", "order=0"} {
		if m, err := ParseMix(text); err == nil {
			t.Errorf("mix %q is taken as %q", text, m)
		}
	}
	for _, text := range []string{"20000", "50%", "0.5"} {
		if r, err := ParseRate(text); err != nil || r.String() != text {
			t.Errorf("rate %q is %q, %v", text, r, err)
		}
	}
	for _, text := range []string{"", "0", "-3", "x", "NaN", "1e12", "2000%", "0%"} {
		if r, err := ParseRate(text); err == nil {
			t.Errorf("rate %q is taken as %q", text, r)
		}
	}
}
