package risk

// Events of a group are told account by account, nearly in order: some accounts are looked at
// before the others. What lies in order already is merged as it lies, in blocks: an event is
// more than a hundred bytes, and a crash tells a hundred thousand.

// sortEvents brings events into order; those that are equal stay as they come. spare is
// scratch, returned as it has grown.
func sortEvents(events, spare []Event) []Event {
	for runLength(events) < len(events) {
		for at := 0; at < len(events); {
			first := runLength(events[at:])
			both := first + runLength(events[at+first:])
			spare = mergeEvents(events[at:at+both], first, spare)
			at += both
		}
	}
	return spare
}

// runLength returns how many events from the first on are in order.
func runLength(events []Event) int {
	for i := 1; i < len(events); i++ {
		if events[i].Before(&events[i-1]) {
			return i
		}
	}
	return len(events)
}

// mergeEvents merges the first so many events with the others, each in order by themselves.
func mergeEvents(events []Event, first int, spare []Event) []Event {
	if first == len(events) {
		return spare
	}
	from := searchFirst(first, func(i int) bool { return events[first].Before(&events[i]) })
	spare = append(spare[:0], events[from:first]...)
	left, out := spare, from
	for right := events[first:]; len(left) > 0; {
		n := searchFirst(len(right), func(i int) bool { return !right[i].Before(&left[0]) })
		out += copy(events[out:], right[:n])
		right = right[n:]
		m := len(left)
		if len(right) > 0 {
			m = searchFirst(len(left), func(i int) bool { return right[0].Before(&left[i]) })
		}
		out += copy(events[out:], left[:m])
		left = left[m:]
	}
	return spare
}

// searchFirst returns the first of n places from which on it holds, n if it holds at none.
func searchFirst(n int, holds func(int) bool) int {
	low := 0
	for low < n {
		if middle := int(uint(low+n) >> 1); holds(middle) {
			n = middle
		} else {
			low = middle + 1
		}
	}
	return low
}
