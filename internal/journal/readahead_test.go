package journal

import (
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// TestReadAheadWaits has a reader that is never more than so many frames ahead, and that goes
// on when the log is closed.
func TestReadAheadWaits(t *testing.T) {
	stop := make(chan struct{})
	a := newReadAhead(stop)
	for range readAheadMax {
		a.enter()
	}
	entered := make(chan struct{})
	go func() {
		for range 2 {
			a.enter()
			entered <- struct{}{}
		}
	}()
	select {
	case <-entered:
		t.Fatal("the reader did not wait")
	case <-time.After(10 * time.Millisecond):
	}
	a.leave([]*raft.Log{{Type: raft.LogNoop}, {Type: raft.LogCommand}})
	<-entered
	select {
	case <-entered:
		t.Fatal("one frame was applied, two were read")
	case <-time.After(10 * time.Millisecond):
	}
	close(stop)
	<-entered
}

// TestSurveyShowsEachEntryOnce has raft's first reading see what is no frame, the last entry
// read anew, and nothing shown again to whoever reads later.
func TestSurveyShowsEachEntryOnce(t *testing.T) {
	s := survey{next: 3, last: 6, isSound: true, others: map[uint64]raft.Log{4: {Index: 4, Type: raft.LogConfiguration, Data: []byte{1}}}}
	var l raft.Log
	if s.show(6, &l) {
		t.Error("the last entry is not read, whose term raft needs")
	}
	for s.next < 6 {
		index := s.next
		if !s.show(index, &l) || l.Index != index {
			t.Fatalf("entry %d is shown as %+v", index, l)
		}
		if isConfiguration := l.Type == raft.LogConfiguration; isConfiguration != (index == 4) {
			t.Errorf("entry %d is shown as %+v", index, l)
		}
	}
	if s.isOver() || s.show(6, &l) || !s.isOver() {
		t.Error("the reading ends with the last entry")
	}
	for index := uint64(3); index <= 6; index++ {
		if s.show(index, &l) {
			t.Errorf("entry %d is shown again: raft applies what it reads now", index)
		}
	}
	s = survey{next: 3, last: 6}
	if s.show(3, &l) || s.show(4, &l) || s.show(5, &l) || s.show(6, &l) || !s.isOver() {
		t.Error("a log that is not sound is shown, or not followed")
	}
}
