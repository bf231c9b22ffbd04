package engine

import (
	"slices"

	"plimsoll/risk"
)

// A joint group is decided by all shards together, in three steps with a barrier before
// each (rulings 1):
//
//	others done >= pos    vote     read-only verdict on the state before the group
//	others voted >= end   prepare  combine the verdicts, apply the own part, publish requests
//	others asked >= end   finish   merge the requests of all, grant them in one order; it may ask for
//	                               more rounds of requests, the same number on every shard
//
// Every shard computes the same combination and the same merged list, so nobody has to
// tell anybody the outcome. A verdict is overwritten by the next joint group at the
// earliest, whose first barrier says that all shards are done with this one; so are the
// requests.

// roundsMax bounds the rounds of a joint group; the cursor asked counts them within a place.
const roundsMax = 8

// vote publishes this shard's verdict.
func (s *shard) vote() {
	s.setForeign()
	s.verdict = s.m.Verdict(s.group)
	s.phase = phaseVoting
	s.voted.store(s.end)
}

// prepare applies the own part under the combined verdict and publishes its requests.
func (s *shard) prepare() bool {
	if !s.othersReached(votedCursor, s.end) {
		return false
	}
	s.verdicts = s.verdicts[:0]
	for _, shard := range s.all {
		s.verdicts = append(s.verdicts, shard.verdict)
	}
	verdict := risk.Combine(s.verdicts)
	// A copy: the machine's slice ends with the machine's next call, the others read on.
	s.requests[0] = append(s.requests[0][:0], s.m.Prepare(s.group, verdict)...)
	s.phase = phaseAsking
	s.round = 0
	s.asked.store(s.end * roundsMax)
	return true
}

// finish lets the machine work off the requests of all shards. It may have more to ask: that
// is another round, in the other buffer, since others may still be reading this one; they are
// done with it when they have asked in the next.
func (s *shard) finish() bool {
	if !s.othersReached(askedCursor, s.end*roundsMax+s.round) {
		return false
	}
	s.merged = s.merged[:0]
	for _, shard := range s.all {
		s.merged = append(s.merged, shard.requests[s.round%2]...)
	}
	slices.SortFunc(s.merged, risk.CompareRequests)
	next, isMore := s.m.Finish(s.group, s.merged)
	if !isMore {
		s.publish()
		return true
	}
	if s.round++; s.round == roundsMax {
		panic("engine: BUG: a joint group does not end")
	}
	s.requests[s.round%2] = append(s.requests[s.round%2][:0], next...)
	s.asked.store(s.end*roundsMax + s.round)
	return true
}
