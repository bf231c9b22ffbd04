package engine

import (
	"fmt"

	"plimsoll/fixedpoint"
	"plimsoll/risk"
)

// truth is one uninterrupted run of everything that was committed.
type truth struct {
	heads   []risk.Command // by Seq-1
	results []Result
	hashes  map[uint64]fixedpoint.Hash128
	events  []risk.Event
}

// judge holds what was seen against the truth.
func (s *crashSim) judge() error {
	truth, err := s.uninterrupted()
	if err != nil {
		return err
	}
	for _, r := range s.recoveries {
		if want, ok := truth.hashes[r.seq]; !ok || r.hash != want {
			return fmt.Errorf("a restart reached hash %x after seq %d, want %x", r.hash, r.seq, want)
		}
	}
	if last := s.recoveries[len(s.recoveries)-1]; last.seq != uint64(len(truth.heads)) {
		return fmt.Errorf("the last restart reached seq %d of %d", last.seq, len(truth.heads))
	}
	if err := s.judgeAnswers(truth); err != nil {
		return err
	}
	if err := s.judgeIDs(truth); err != nil {
		return err
	}
	return s.judgeEvents(truth)
}

// uninterrupted runs the committed frames on one shard, group by group.
func (s *crashSim) uninterrupted() (*truth, error) {
	cfg := s.cfg
	cfg.Shards, cfg.Journal = 1, NoJournal{}
	cfg.Detect = risk.DetectSweep - cfg.Detect // not as the last restart did
	cfg.IngressSlots, cfg.PollMax = max(cfg.IngressSlots, powerOfTwo(cfg.GroupMax)), 1<<10
	e := wire(cfg, s.build(&cfg))
	t := &truth{hashes: map[uint64]fixedpoint.Hash128{0: e.reached()}}
	wanted := map[uint64]bool{}
	for _, r := range s.recoveries {
		wanted[r.seq] = true
	}
	follower := &crashSim{engine: e}
	for _, frame := range s.disk.history {
		records := decodeBody(frame.body)
		for at := 0; at < len(records); {
			size := int(records[at].GroupLeft) + 1
			if err := e.Replay(records[at : at+size]); err != nil {
				return nil, fmt.Errorf("uninterrupted: %w", err)
			}
			t.heads = append(t.heads, records[at])
			t.results = append(t.results, e.egress.result)
			if seq := records[at].Seq; wanted[seq] {
				t.hashes[seq] = e.reached()
			}
			if err := follower.follow(); err != nil {
				return nil, err
			}
			at += size
		}
	}
	t.events = follower.events
	return t, nil
}

// judgeAnswers checks that every answer is that of the group that was sent, as the
// uninterrupted run gives it.
func (s *crashSim) judgeAnswers(t *truth) error {
	for i := range s.answers {
		a := &s.answers[i]
		if a.result.Seq == 0 || a.result.Seq > uint64(len(t.heads)) {
			return fmt.Errorf("seq %d was acknowledged and is lost: the log has %d", a.result.Seq, len(t.heads))
		}
		head, want := &t.heads[a.result.Seq-1], t.results[a.result.Seq-1]
		isSame := head.Kind == a.sent.Kind && head.Num == a.sent.Num && head.Ref == a.sent.Ref
		if a.result.IsDuplicate {
			s.counts.repeats++
			isSame, want.IsDuplicate = true, true
		}
		if isID := head.Client == a.sent.Client && idOf(head) == idOf(&a.sent); !isSame || !isID && a.sent.IDForm != risk.FormNone {
			return fmt.Errorf("seq %d was acknowledged for\n%+v\nand is\n%+v", a.result.Seq, a.sent, *head)
		}
		if a.result != want {
			return fmt.Errorf("seq %d was answered with\n%+v\nwant\n%+v", a.result.Seq, a.result, want)
		}
	}
	return nil
}

// judgeIDs checks that no id was applied twice within its window.
func (s *crashSim) judgeIDs(t *truth) error {
	places := make([]map[idKey]int, s.cfg.ClientsMax)
	counts := make([]int, s.cfg.ClientsMax)
	for i := range t.heads {
		head := &t.heads[i]
		if head.IDForm == risk.FormNone {
			continue
		}
		if places[head.Client] == nil {
			places[head.Client] = map[idKey]int{}
		}
		place, id := counts[head.Client], idOf(head)
		if at, ok := places[head.Client][id]; ok && place-at <= s.cfg.IDWindow {
			return fmt.Errorf("seq %d applies an id of client %d that is in its window", head.Seq, head.Client)
		}
		places[head.Client][id] = place
		counts[head.Client]++
	}
	return nil
}

// judgeEvents checks that the events are those of the uninterrupted run, with gaps only
// where a restart from a snapshot had forgotten some.
func (s *crashSim) judgeEvents(t *truth) error {
	at := 0
	for i := range s.events {
		e := &s.events[i]
		for s.skips[i] && at < len(t.events) && (t.events[at].Seq < e.Seq || t.events[at].Seq == e.Seq && t.events[at].N < e.N) {
			at++
		}
		if at == len(t.events) || t.events[at] != *e {
			return fmt.Errorf("event %d.%d is %+v\nwant %+v", e.Seq, e.N, *e, t.events[min(at, len(t.events)-1)])
		}
		at++
	}
	if at != len(t.events) && !s.skips[len(s.events)] {
		return fmt.Errorf("%d events, want %d", at, len(t.events))
	}
	return nil
}
