package engine

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"plimsoll/risk"
)

// fill appends events seq by seq, perSeq each, and publishes after each Seq.
func fill(h *history, from, to uint64, perSeq uint32) {
	for seq := from; seq <= to; seq++ {
		for n := range perSeq {
			h.append(&risk.Event{Seq: seq, Rank: seq * 7}, n+1)
		}
		h.seal()
		h.publish()
	}
}

func TestHistoryFindsTheNextEvent(t *testing.T) {
	h := newHistory(2 * blockEvents)
	fill(h, 1, 100, 3)
	dst := make([]risk.Event, 5)
	for _, tc := range []struct {
		seq     uint64
		n       uint32
		wantSeq uint64
		wantN   uint32
		count   int
	}{
		{0, 0, 1, 1, 5},
		{1, 0, 1, 1, 5},
		{1, 1, 1, 2, 5},
		{1, 3, 2, 1, 5},
		{50, 1 << 31, 51, 1, 5},
		{99, 3, 100, 1, 3},
		{100, 2, 100, 3, 1},
		{100, 3, 0, 0, 0},
		{500, 0, 0, 0, 0},
	} {
		count, isWhole := h.after(tc.seq, tc.n, dst)
		if count != tc.count || !isWhole {
			t.Errorf("after %d.%d: %d events, whole %v, want %d", tc.seq, tc.n, count, isWhole, tc.count)
			continue
		}
		if count > 0 && (dst[0].Seq != tc.wantSeq || dst[0].N != tc.wantN) {
			t.Errorf("after %d.%d: %d.%d, want %d.%d", tc.seq, tc.n, dst[0].Seq, dst[0].N, tc.wantSeq, tc.wantN)
		}
	}
}

func TestHistoryTellsAReaderWhoCameTooLate(t *testing.T) {
	h := newHistory(2 * blockEvents)
	fill(h, 1, 5*blockEvents, 1)
	dst := make([]risk.Event, 2*blockEvents)
	if _, isWhole := h.after(1, 1, dst); isWhole {
		t.Error("events after 1.1 are gone and nobody said so")
	}
	last := uint64(5 * blockEvents)
	if count, isWhole := h.after(last-100, 1, dst); count != 100 || !isWhole {
		t.Errorf("the last 100: %d, whole %v", count, isWhole)
	}
	// One Seq larger than the history: what is left of it is not whole.
	for n := range uint32(4 * blockEvents) {
		h.append(&risk.Event{Seq: last + 1}, n+1)
	}
	if count, isWhole := h.after(last-1, 1, dst); isWhole && count != 1 {
		t.Errorf("%d events seen of a Seq that is not published", count)
	}
	h.seal()
	h.publish()
	if _, isWhole := h.after(last, 1, dst); isWhole {
		t.Error("half a Seq was shown as whole")
	}
}

// TestOldestSeqIsWhereAReaderCanStart: at every length of the history, from the Seq before
// the oldest all of it can be read, and from the one before that not.
func TestOldestSeqIsWhereAReaderCanStart(t *testing.T) {
	for perSeq := uint32(1); perSeq <= 3; perSeq++ {
		h := newHistory(2 * blockEvents)
		dst := make([]risk.Event, 2*blockEvents)
		for seq := uint64(1); seq <= 5*blockEvents; seq++ {
			fill(h, seq, seq, perSeq)
			oldest := h.oldestSeq()
			count, isWhole := h.after(oldest-1, afterAll, dst)
			if !isWhole || count == 0 || dst[0].Seq != oldest || dst[0].N != 1 {
				t.Fatalf("seq %d: from %d, the oldest, %d events, whole %v, first %d.%d", seq, oldest, count, isWhole, dst[0].Seq, dst[0].N)
			}
			if oldest > 1 {
				if _, isWhole = h.after(oldest-2, afterAll, dst); isWhole {
					t.Fatalf("seq %d: from %d, before the oldest, nothing is said to be missing", seq, oldest-1)
				}
			}
		}
	}
}

// TestHistoryKnowsNothingBelowItsFloor: behind a snapshot without events nobody knows whether
// a Seq had more of them than the reader saw.
func TestHistoryKnowsNothingBelowItsFloor(t *testing.T) {
	h := newHistory(2 * blockEvents)
	h.floor = 7
	dst := make([]risk.Event, 4)
	check := func(seq uint64, n uint32, want bool) {
		t.Helper()
		if _, isWhole := h.after(seq, n, dst); isWhole != want {
			t.Errorf("after %d.%d: whole %v, want %v", seq, n, isWhole, want)
		}
	}
	for range 2 {
		check(6, afterAll, false)
		check(7, 2, false)
		check(7, afterAll, true)
		check(8, 0, true)
		fill(h, 9, 9, 3)
	}
	check(9, 1, true)
}

func TestEventReaderFollowsAndIsToldWhenItFallsBehind(t *testing.T) {
	e := engineWith(newHistory(4 * blockEvents))
	h := e.egress.history
	fill(h, 1, 10, 2)
	r, err := e.EventsFrom(3, 1)
	if err != nil {
		t.Fatal(err)
	}
	dst := make([]risk.Event, 100)
	if n, err := r.Read(dst); n != 15 || err != nil || dst[0].Seq != 3 || dst[0].N != 2 {
		t.Errorf("%d events from %d.%d: %v", n, dst[0].Seq, dst[0].N, err)
	}
	if n, err := r.Read(dst); n != 0 || err != nil || r.IsFallingBehind() {
		t.Errorf("%d events after the last, behind %v: %v", n, r.IsFallingBehind(), err)
	}
	fill(h, 11, 11+3*blockEvents, 1)
	if !r.IsFallingBehind() {
		t.Error("three quarters of the history are before it and it is not told")
	}
	if n, err := r.Read(dst); n != 100 || err != nil || dst[0].Seq != 11 {
		t.Errorf("what it missed is still there, but: %d, %v", n, err)
	}
	fresh, err := e.EventsFrom(11, afterAll)
	if err != nil || fresh.IsFallingBehind() {
		t.Errorf("a reader that starts far back has not fallen behind: %v", err)
	}
	fill(h, 12+3*blockEvents, 12+7*blockEvents, 1)
	var gone *HistoryError
	if _, err := r.Read(dst); !errors.As(err, &gone) || !errors.Is(err, ErrHistory) || gone.OldestSeq != h.oldestSeq() {
		t.Errorf("overtaken: %v, want HistoryError with %d", err, h.oldestSeq())
	}
}

func TestAwaitEventsLosesNoWakeUp(t *testing.T) {
	e := engineWith(newHistory(4 * blockEvents))
	const last = 20_000
	go fill(e.egress.history, 1, last, 1)
	for seen := uint64(0); seen < last; {
		now := e.AwaitEvents(seen)
		if now == seen {
			t.Fatalf("woken at %d for nothing", seen)
		}
		seen = now
	}
	go e.NudgeEvents()
	if got := e.AwaitEvents(last); got != last {
		t.Errorf("%d events after the nudge", got)
	}
}

func TestHistoryReadersSeeWholeEventsWhileItIsWritten(t *testing.T) {
	h := newHistory(4 * blockEvents)
	var readers sync.WaitGroup
	var isOver atomic.Bool
	for range 3 {
		readers.Go(func() {
			dst := make([]risk.Event, 100)
			var seq uint64
			var n uint32
			for !isOver.Load() {
				count, isWhole := h.after(seq, n, dst)
				if !isWhole {
					seq, n = h.published.Load()/3, 1<<31
					continue
				}
				for i := range dst[:count] {
					e := &dst[i]
					isNext := e.Seq == seq && e.N == n+1 || e.Seq == seq+1 && e.N == 1
					if e.Rank != e.Seq*7 || !isNext && n != 1<<31 {
						t.Errorf("event %d.%d with rank %d after %d.%d", e.Seq, e.N, e.Rank, seq, n)
						return
					}
					seq, n = e.Seq, e.N
				}
			}
		})
	}
	fill(h, 1, 60_000, 3)
	isOver.Store(true)
	readers.Wait()
}

func TestEventsAfterAppends(t *testing.T) {
	e := startFake(t, testConfig(2))
	must(t, e, risk.Command{Kind: risk.KindListToken})
	for range 10 {
		must(t, e, deposit(1, 1))
	}
	if got := e.EventsPublished(); got != 10 {
		t.Errorf("%d events published, want 10", got)
	}
	events, err := e.EventsAfter(3, 1, nil)
	if err != nil || len(events) != 8 || events[0].Seq != 4 || events[0].N != 1 {
		t.Errorf("after 3.1: %d events from %+v, want 8: %v", len(events), events[:min(1, len(events))], err)
	}
	events, err = e.EventsAfter(10, 1, events)
	if err != nil || len(events) < 9 || events[8].Seq != 11 {
		t.Errorf("appended: %d events, want at least 9: %v", len(events), err)
	}
	cfg := testConfig(1)
	cfg.EventHistory = 2 * blockEvents
	small := startFake(t, cfg)
	must(t, small, risk.Command{Kind: risk.KindListToken})
	for range 3 * blockEvents {
		must(t, small, deposit(1, 1))
	}
	if _, err := small.EventsAfter(1, 1, nil); !errors.Is(err, ErrHistory) {
		t.Errorf("got %v, want %v", err, ErrHistory)
	}
}
