package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testRecordSize = 32

// book is a state that remembers a hash over every body it was told, which is enough to see
// whether anything is missing, doubled or altered.
type book struct {
	mu       sync.Mutex
	seq      uint64
	sum      Hash
	restored int
	replayed int
}

func (b *book) take(h *Header, body []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if h.FirstSeq != b.seq+1 {
		panic("a frame is missing or doubled")
	}
	b.seq, b.sum = h.LastSeq, hashOf(append(append([]byte(nil), b.sum[:]...), body...))
}

func (b *book) Replay(h *Header, body []byte) error {
	b.replayed++
	b.take(h, body)
	return nil
}

func (b *book) Restore(r *SnapshotReader) error {
	b.restored++
	return r.Each(2, func(_ int, c Chunk) error {
		b.seq, b.sum = binary.LittleEndian.Uint64(c.Payload), Hash(c.Payload[8:24])
		return nil
	})
}

type bookCopy struct {
	seq uint64
	sum Hash
}

func (b *book) Snapshot(chain Chain) (SnapshotSource, error) { return &bookCopy{seq: chain.Seq}, nil }

// WriteTo takes the sum from the expectation: the tests' bodies depend on their Seq only.
func (c *bookCopy) WriteTo(w *SnapshotWriter) (SnapshotMeta, error) {
	c.sum = expected(c.seq)
	payload := binary.LittleEndian.AppendUint64(nil, c.seq)
	return SnapshotMeta{Shards: 1}, w.Chunk(1, 0, append(payload, c.sum[:]...))
}

func (c *bookCopy) Release() {}

// bodyOf is the only body that a frame of one record with this Seq has in these tests.
func bodyOf(seq uint64) []byte {
	return bytes.Repeat(binary.LittleEndian.AppendUint64(nil, seq*0x9e3779b97f4a7c15), testRecordSize/8)
}

// expected is the book's sum after seq.
func expected(seq uint64) (sum Hash) {
	for s := uint64(1); s <= seq; s++ {
		sum = hashOf(append(append([]byte(nil), sum[:]...), bodyOf(s)...))
	}
	return sum
}

// fatalLog collects what Fatal is told.
type fatalLog struct {
	mu    sync.Mutex
	codes []int
	errs  []error
}

func (f *fatalLog) fatal(code int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.codes, f.errs = append(f.codes, code), append(f.errs, err)
}

func (f *fatalLog) all() []int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]int(nil), f.codes...)
}

func testOptions(t testing.TB, dir string) (Options, *fatalLog) {
	t.Helper()
	o := DefaultOptions(dir)
	f := &fatalLog{}
	o.Fatal, o.SegmentBytes, o.FreeLowBytes, o.TrailingFrames = f.fatal, 1<<20, 1, 0
	o.Log = slog.New(slog.DiscardHandler)
	return o, f
}

// mustOpen opens a log that must be sound and whose state must be what was written.
func mustOpen(t testing.TB, o Options) (*Log, Report, *book) {
	t.Helper()
	b := &book{}
	l, report, err := Open(o, b)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	if b.seq != report.LastSeq || b.sum != expected(b.seq) {
		t.Fatalf("the state after %d commands is not what was written (log: %d)", b.seq, report.LastSeq)
	}
	return l, report, b
}

// add appends frames of one record up to seq without waiting.
func add(t testing.TB, l *Log, seq uint64) {
	t.Helper()
	for s := l.next.Seq + 1; s <= seq; s++ {
		h := Header{FirstSeq: s, LastSeq: s, Count: 1, RecordSize: testRecordSize, TimeMs: int64(s)}
		err := l.Append(&h, bodyOf(s))
		for errors.Is(err, ErrInFlight) {
			time.Sleep(100 * time.Microsecond)
			err = l.Append(&h, bodyOf(s))
		}
		if err != nil {
			t.Fatalf("Append(%d): %v", s, err)
		}
	}
}

// settle waits until seq is durable.
func settle(t testing.TB, l *Log, seq uint64) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Microsecond) {
		durable, err := l.Durable()
		if err != nil {
			t.Fatalf("Durable: %v", err)
		}
		if durable >= seq {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d durable after 20 s", durable, seq)
		}
	}
}

func write(t testing.TB, l *Log, seq uint64) {
	t.Helper()
	add(t, l, seq)
	settle(t, l, seq)
}

func mustClose(t testing.TB, l *Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
}
