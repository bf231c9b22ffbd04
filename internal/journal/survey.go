package journal

import (
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/raft"
)

// Raft reads the whole log when it is made, one entry after the other, and looks at nothing but
// who is in the group; then it reads all of it again to apply it. The first reading is what
// finds damage before anything is applied. It needs no order, so it is done on all cores
// before raft begins, and raft is then shown the entries that it looks at.

// surveyStep is how many entries one of the readers takes at once.
const surveyStep = 16

// survey follows raft's first reading: it asks for each entry once, in order. Where the log
// was found sound, entries that are frames are shown to it without their data; the last one is
// always read.
type survey struct {
	next, last uint64 // what raft has not asked for yet
	isSound    bool
	others     map[uint64]raft.Log // entries that are no frames
}

// isOver reports whether raft has read everything once.
func (s *survey) isOver() bool { return s.next > s.last }

// show gives raft the next entry of its first reading, if this is it.
func (s *survey) show(index uint64, l *raft.Log) bool {
	if s.isOver() || index != s.next {
		return false
	}
	s.next++
	if s.isOver() || !s.isSound {
		return false
	}
	other, found := s.others[index]
	if !found {
		other = raft.Log{Index: index, Type: raft.LogCommand}
	}
	*l = other
	return true
}

// surveyLog reads the entries from first to last and verifies them. Where that fails it
// leaves it to raft's own reading to find out what and where.
func (g *guard) surveyLog(first, last uint64) {
	var (
		next     atomic.Uint64
		isFailed atomic.Bool
		mu       sync.Mutex
		group    sync.WaitGroup
	)
	others := map[uint64]raft.Log{}
	next.Store(first)
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			var l raft.Log
			for from := next.Add(surveyStep) - surveyStep; from < last && !isFailed.Load(); from = next.Add(surveyStep) - surveyStep {
				for index := from; index < min(from+surveyStep, last); index++ {
					if g.read(index, &l) != nil {
						isFailed.Store(true)
						return
					}
					if l.Type != raft.LogCommand {
						mu.Lock()
						others[index] = l
						mu.Unlock()
					}
				}
			}
		})
	}
	group.Wait()
	g.survey = survey{next: first, last: last, others: others, isSound: !isFailed.Load()}
}
