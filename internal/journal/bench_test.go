package journal

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
	"golang.org/x/sys/unix"
)

const (
	benchRecords  = 1024
	benchRecord   = 128     // bytes
	benchSyncSize = 4 << 10 // bytes
	benchRun      = 16      // frames a sample
)

// BenchmarkCommit measures a frame of 1024 records of 128 bytes from Append to Durable, beside bare
// raft with raft-wal and beside a write of 4 KiB with its sync, in turn within one process.
// x-bare and x-sync are the medians of the ratios of neighbours.
func BenchmarkCommit(b *testing.B) {
	for _, inFlight := range []int{1, 16} {
		b.Run(fmt.Sprintf("inflight=%d", inFlight), func(b *testing.B) { benchCommit(b, inFlight) })
	}
}

func benchCommit(b *testing.B, inFlight int) {
	o, _ := testOptions(b, b.TempDir())
	o.SegmentBytes = segmentBytesDefault
	l, _, err := Open(o, &book{})
	if err != nil {
		b.Fatal(err)
	}
	defer mustClose(b, l)
	wake := make(chan struct{}, 1)
	l.Start(func() {
		select {
		case wake <- struct{}{}:
		default:
		}
	})
	body := make([]byte, benchRecords*benchRecord)
	seq := uint64(0)
	ours := func() {
		end := seq + benchRun*benchRecords
		for {
			durable, err := l.Durable()
			if err != nil {
				b.Fatal(err)
			}
			for seq < end && seq-durable < uint64(inFlight)*benchRecords {
				h := Header{FirstSeq: seq + 1, LastSeq: seq + benchRecords, Count: benchRecords, RecordSize: benchRecord}
				if err := l.Append(&h, body); err != nil {
					b.Fatal(err)
				}
				seq += benchRecords
			}
			if durable >= end {
				return
			}
			<-wake
		}
	}
	bare := newBareRaft(b)
	defer bare.close(b)
	reference := func() { bare.commit(b, body, inFlight) }
	file, err := os.Create(filepath.Join(b.TempDir(), "sync"))
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	page := make([]byte, benchSyncSize)
	at := int64(0)
	sync := func() {
		for range benchRun {
			if _, err := file.WriteAt(page, at); err != nil {
				b.Fatal(err)
			}
			if err := unix.Fdatasync(int(file.Fd())); err != nil {
				b.Fatal(err)
			}
			at += benchSyncSize
		}
	}
	compare(b, ours, reference, sync)
}

// compare runs the three loops in turn, each of benchRun frames, and reports per frame.
func compare(b *testing.B, ours, bare, sync func()) {
	b.Helper()
	loops := []func(){ours, bare, sync}
	took := make([][]float64, len(loops))
	var toBare, toSync []float64
	var before, after runtime.MemStats
	for _, loop := range loops {
		loop() // warm up
	}
	runtime.ReadMemStats(&before)
	ours()
	runtime.ReadMemStats(&after)
	for round := 0; b.Loop() || round < 10; round++ {
		for i := range loops {
			at := (i + round) % len(loops)
			begun := time.Now()
			loops[at]()
			took[at] = append(took[at], float64(time.Since(begun).Nanoseconds())/benchRun)
		}
		toBare = append(toBare, took[0][round]/took[1][round])
		toSync = append(toSync, took[0][round]/took[2][round])
	}
	mid := func(v []float64) float64 { return slices.Sorted(slices.Values(v))[len(v)/2] }
	b.ReportMetric(mid(took[0]), "ns/op")
	b.ReportMetric(mid(took[1]), "bare-ns")
	b.ReportMetric(mid(took[2]), "sync-ns")
	b.ReportMetric(mid(toBare), "x-bare")
	b.ReportMetric(mid(toSync), "x-sync")
	b.ReportMetric(benchRecords*1e3/mid(took[0]), "Mrecords/s")
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/benchRun, "allocs/frame")
}

// bareRaft is raft over raft-wal as they come, with the same settings.
type bareRaft struct {
	raft  *raft.Raft
	wal   *wal.WAL
	trans *raft.InmemTransport
	count atomic.Uint64
	wake  chan struct{}
}

func newBareRaft(b *testing.B) *bareRaft {
	b.Helper()
	r := &bareRaft{wake: make(chan struct{}, 1)}
	opened, err := wal.Open(b.TempDir(), wal.WithLogger(hclog.NewNullLogger()))
	if err != nil {
		b.Fatal(err)
	}
	r.wal = opened
	_, r.trans = raft.NewInmemTransport(serverID)
	c := raft.DefaultConfig()
	c.LocalID, c.BatchApplyCh, c.MaxAppendEntries = serverID, true, inFlightMax
	c.HeartbeatTimeout, c.ElectionTimeout, c.LeaderLeaseTimeout = electionTimeout, electionTimeout, leaseTimeout
	c.SnapshotInterval, c.Logger = snapshotNever, hclog.NewNullLogger()
	snaps := raft.NewInmemSnapshotStore()
	group := raft.Configuration{Servers: []raft.Server{{ID: serverID, Address: serverID}}}
	if err := raft.BootstrapCluster(c, r.wal, r.wal, snaps, r.trans, group); err != nil {
		b.Fatal(err)
	}
	if r.raft, err = raft.NewRaft(c, bareFSM{&raft.MockFSM{}, r}, r.wal, r.wal, snaps, r.trans); err != nil {
		b.Fatal(err)
	}
	<-r.raft.LeaderCh()
	return r
}

type bareFSM struct {
	*raft.MockFSM
	r *bareRaft
}

func (f bareFSM) Apply(*raft.Log) any { return nil }

func (f bareFSM) ApplyBatch(logs []*raft.Log) []any {
	f.r.count.Add(uint64(len(logs)))
	select {
	case f.r.wake <- struct{}{}:
	default:
	}
	return make([]any, len(logs))
}

func (r *bareRaft) commit(b *testing.B, body []byte, inFlight int) {
	b.Helper()
	begun, sent := r.count.Load(), uint64(0)
	for {
		done := r.count.Load() - begun
		for ; sent < benchRun && sent-done < uint64(inFlight); sent++ {
			frame := make([]byte, HeaderSize+len(body))
			copy(frame[HeaderSize:], body)
			r.raft.Apply(frame, 0)
		}
		if done >= benchRun {
			return
		}
		<-r.wake
	}
}

func (r *bareRaft) close(b *testing.B) {
	b.Helper()
	if err := r.raft.Shutdown().Error(); err != nil {
		b.Error(err)
	}
	_ = r.trans.Close()
	_ = r.wal.Close()
}

// BenchmarkOpen measures how fast a log of a million records of 128 bytes is read back, verified and
// handed to a handler that does nothing.
func BenchmarkOpen(b *testing.B) {
	const frames = 1024
	o, _ := testOptions(b, b.TempDir())
	o.SegmentBytes = segmentBytesDefault
	l, _, err := Open(o, nothing{})
	if err != nil {
		b.Fatal(err)
	}
	body := make([]byte, benchRecords*benchRecord)
	for seq := uint64(0); seq < frames*benchRecords; seq += benchRecords {
		h := Header{FirstSeq: seq + 1, LastSeq: seq + benchRecords, Count: benchRecords, RecordSize: benchRecord}
		for err := l.Append(&h, body); err != nil; err = l.Append(&h, body) {
			time.Sleep(time.Millisecond) // too many in flight
		}
	}
	mustClose(b, l)
	var rates []float64
	for b.Loop() {
		l, report, err := Open(o, nothing{})
		if err != nil {
			b.Fatal(err)
		}
		rates = append(rates, float64(report.Commands)/report.Seconds/1e6)
		mustClose(b, l)
	}
	slices.Sort(rates)
	b.ReportMetric(rates[len(rates)/2], "Mrecords/s")
}

type nothing struct{ *book }

func (nothing) Replay(*Header, []byte) error { return nil }
