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
//	others asked >= end   finish   merge the requests of all, grant them in one order
//
// Every shard computes the same combination and the same merged list, so nobody has to
// tell anybody the outcome. A verdict is overwritten by the next joint group at the
// earliest, whose first barrier says that all shards are done with this one; so are the
// requests.

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
	s.requests = append(s.requests[:0], s.m.Prepare(s.group, verdict)...)
	s.phase = phaseAsking
	s.asked.store(s.end)
	return true
}

// finish lets the machine grant the requests of all shards.
func (s *shard) finish() bool {
	if !s.othersReached(askedCursor, s.end) {
		return false
	}
	s.merged = s.merged[:0]
	for _, shard := range s.all {
		s.merged = append(s.merged, shard.requests...)
	}
	slices.SortFunc(s.merged, risk.CompareRequests)
	s.m.Finish(s.group, s.merged)
	s.publish()
	return true
}
