package engine

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"plimsoll/internal/journal"
	"plimsoll/risk"
)

// BenchmarkReplay measures recovery from frames of cheap commands, in commands a second
// on one core: a frame holds 1,024 deposits.
func BenchmarkReplay(b *testing.B) {
	const accounts, frame = 512, 1024
	cfg := benchConfig(1)
	cfg.Journal = newMemLog()
	for name, build := range map[string]house{"fake": func(*Config) []machine { return fakes(1) }, "risk": func(*Config) []machine {
		return []machine{risk.New(risk.Config{Shards: 1, AccountsMax: accounts})}
	}} {
		b.Run(name, func(b *testing.B) {
			r := newReplayer(wire(cfg, build(&cfg)), nil)
			records := venue(accounts)
			if name == "fake" {
				records = []risk.Command{{Kind: risk.KindListToken}}
			}
			number, seq := uint64(0), uint64(0)
			var body []byte
			replay := func(records []risk.Command) {
				number++
				body = body[:0]
				first := seq + 1
				for i := range records {
					records[i].Seq, records[i].TimeMs = seq+1, 1_700_000_000_000
					if records[i].GroupLeft == 0 {
						seq++
					}
					body = risk.AppendCommand(body, &records[i])
				}
				h := journal.Header{Number: number, FirstSeq: first, LastSeq: seq, Count: uint32(len(records)), RecordSize: risk.CommandSize}
				b.StartTimer()
				if err := r.Replay(&h, body); err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
			}
			replay(records)
			if r.e.egress.result.Reason != risk.ReasonNone {
				b.Fatalf("%+v", r.e.egress.result)
			}
			records = make([]risk.Command, frame)
			for i := range records {
				records[i] = deposit(uint32(i*7)%256, 1)
				records[i].Num[1] = 0
			}
			b.ReportAllocs()
			b.ResetTimer()
			b.StopTimer()
			for range b.N {
				replay(records)
			}
			if r.e.egress.result.Reason != risk.ReasonNone {
				b.Fatalf("%+v", r.e.egress.result)
			}
			b.ReportMetric(float64(b.N)*frame/b.Elapsed().Seconds()/1e6, "Mcmd/s")
		})
	}
}

// BenchmarkDurable offers 200,000 commands a second in batches of 256 to an engine over
// the real journal, and puts one 4 KiB write and fdatasync of a file in the same
// directory beside it, interleaved.
func BenchmarkDurable(b *testing.B) {
	const rate, batch, flightMax = 200_000, 256, 64
	o := journalOptions(b)
	cfg := benchConfig(1)
	cfg.SequenceSlots = 1 << 14
	e, _, err := Recover(cfg, o, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	e.Start()
	records := venue(256)
	results := make([]Result, len(records))
	if err := e.Submit(records, results); err != nil {
		b.Fatal(err)
	}
	if r := must(b, e, deposit(255, 1)); r.Reason != risk.ReasonNone {
		b.Fatalf("%+v", r)
	}
	records = make([]risk.Command, batch)
	for i := range records {
		records[i] = deposit(uint32(i), 1)
		records[i].Num[1] = 0
	}
	type sent struct {
		ticket  Ticket
		due     time.Time
		results []Result
	}
	flights := make(chan sent, flightMax)
	commits := make([]float64, 0, b.N)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for s := range flights {
			if err := e.Wait(s.ticket); err != nil {
				b.Error(err)
			}
			commits = append(commits, time.Since(s.due).Seconds()*1e3)
		}
	}()
	file, err := os.Create(filepath.Join(o.Dir, "reference"))
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	var syncs []float64
	stop := make(chan struct{})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		page := make([]byte, 4096)
		for {
			select {
			case <-stop:
				return
			case <-time.After(10 * time.Millisecond):
			}
			began := time.Now()
			if _, err := file.Write(page); err != nil {
				b.Error(err)
			}
			if err := unix.Fdatasync(int(file.Fd())); err != nil {
				b.Error(err)
			}
			syncs = append(syncs, time.Since(began).Seconds()*1e3)
		}
	}()
	b.ResetTimer()
	began := time.Now()
	for i := range b.N {
		due := began.Add(time.Duration(i) * time.Second * batch / rate)
		for wait := time.Until(due); wait > 0; wait = time.Until(due) {
			time.Sleep(wait)
		}
		s := sent{due: due, results: make([]Result, batch)}
		for {
			if s.ticket, err = e.SubmitAsync(records, s.results); !errors.Is(err, ErrBusy) {
				break
			}
			runtime.Gosched()
		}
		if err != nil {
			b.Fatal(err)
		}
		flights <- s
	}
	close(flights)
	<-done
	b.StopTimer()
	close(stop)
	<-stopped
	report := func(name string, v []float64) {
		if len(v) == 0 {
			return
		}
		slices.Sort(v)
		b.ReportMetric(v[len(v)/2], name+"-p50-ms")
		b.ReportMetric(v[len(v)*99/100], name+"-p99-ms")
	}
	report("commit", commits)
	report("sync", syncs)
	b.ReportMetric(float64(b.N)*batch/b.Elapsed().Seconds(), "cmd/s")
	b.ReportMetric(0, "ns/op")
}
