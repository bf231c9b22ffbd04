package engine

import "plimsoll/risk"

// timeline is what the sequencer knows of engine time. All of it follows from the records
// in their order, so that egress, which is behind, keeps the same for snapshots.
type timeline struct {
	lastMs  int64 // engine time of the last group; 0 = no time yet
	clockMs int64 // engine time of the last clock command
	stepMs  int64 // a longer step is the machine's to refuse; it does not move lastMs
}

// moved notes that engine time is now timeMs. The machine's limit for a step is a
// parameter: it is followed here, so that both judge alike.
func (l *timeline) moved(head *risk.Command, timeMs int64) {
	l.lastMs = max(l.lastMs, timeMs)
	if head.Kind == risk.KindClock || l.clockMs == 0 {
		l.clockMs = timeMs
	}
	if head.Kind == risk.KindSetParameters && head.Aux&risk.ParamMaxClockStep != 0 && head.Num[0] > 0 {
		l.stepMs = head.Num[0]
	}
}

// isStep reports whether a group stamped with timeMs moved engine time, or said too much.
func (l *timeline) isStep(timeMs int64) bool {
	return l.lastMs == 0 || timeMs-l.lastMs <= l.stepMs
}

// follow takes note of a group that has its stamp.
func (l *timeline) follow(head *risk.Command) {
	if l.isStep(head.TimeMs) {
		l.moved(head, head.TimeMs)
	}
}
