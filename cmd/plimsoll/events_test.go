package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"plimsoll/client"
)

// newTestClient returns a client of a daemon.
func newTestClient(t *testing.T, url string) *client.Client {
	t.Helper()
	c, err := client.New(url, client.Options{Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// recorded returns the lines of so many events after a cursor.
func recorded(t *testing.T, c *client.Client, after client.Cursor, count int) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startDeadline)
	defer cancel()
	var text strings.Builder
	for event, err := range c.Events(ctx, after, client.Filter{}) {
		if err != nil {
			t.Fatalf("after %d bytes: %v", text.Len(), err)
		}
		text.Write(event.Raw)
		text.WriteByte('\n')
		if count--; count == 0 {
			break
		}
	}
	return text.String()
}

// stir opens accounts and has ticks move them from band to band, several in one Seq, with
// halts in between; it returns how many events the daemon has told.
func stir(t *testing.T, c *client.Client, round int) (events int) {
	t.Helper()
	must := func(commands ...client.Command) {
		t.Helper()
		results, err := c.DoAll(t.Context(), commands)
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range results {
			if r.Err != nil {
				t.Fatalf("%+v: %v", commands[i], r.Err)
			}
		}
	}
	for i := range 8 {
		account := fmt.Sprintf("crowd-%d-%d", round, i)
		must(client.OpenAccount{Account: account, Mode: []string{"standard", "unified"}[i%2]},
			client.Deposit{Account: account, Token: "USDC", Amount: strconv.Itoa(1000 + 100*i)},
			client.Fill{Account: account, Market: "BTC", Side: "buy", Size: "0.1", Price: "60000"})
	}
	for i := range 20 {
		price := strconv.Itoa(48000 + 1000*((7*i)%14))
		must(client.Prices{Marks: map[string]string{"BTC": price}, Oracles: map[string]string{"BTC": price}},
			client.Halt{Market: "ETH"}, client.Resume{Market: "ETH"})
	}
	status, err := c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return int(status.Events)
}

// TestEventsAreIdenticalOnReplay: what was told live is what a restart tells, on another
// number of shards, behind and before its snapshot, and what replay prints, byte for byte.
func TestEventsAreIdenticalOnReplay(t *testing.T) {
	t.Parallel()
	for _, shards := range []int{1, 2, 4} {
		dir := t.TempDir()
		start := func(shards int) (*serving, *client.Client) {
			s := serveInTest(t, "--data", dir, "--clock", "commands", "--shards", strconv.Itoa(shards))
			return s, newTestClient(t, s.url)
		}
		s, c := start(shards)
		count := stir(t, c, 0)
		if count < 100 {
			t.Fatalf("%d events, want many", count)
		}
		live := recorded(t, c, client.After(0), count)
		if code := s.end(t); code != exitDone { // it takes a snapshot
			t.Fatalf("exit code %d; log: %s", code, s.log.String())
		}

		s, c = start(4 - shards/2)
		if got := recorded(t, c, client.After(0), count); got != live {
			t.Errorf("%d shards: events from before the snapshot differ after a restart:\n%s", shards, firstDifference(got, live))
		}
		more := stir(t, c, 1)
		live += recorded(t, c, lastCursor(t, live), more-count)
		if got := recorded(t, c, client.After(0), more); got != live {
			t.Errorf("%d shards: the stream is not what it was:\n%s", shards, firstDifference(got, live))
		}
		s.end(t)

		for _, n := range []string{"1", "4"} {
			code, stdout, stderr := execute(t.Context(), nil, "replay", dir, "--events", "--shards", n)
			if code != exitDone || stdout != live {
				t.Errorf("%d shards, replay on %s: exit code %d %s\n%s", shards, n, code, stderr, firstDifference(stdout, live))
			}
		}
		half := lastCursor(t, live[:strings.LastIndexByte(live[:len(live)/2], '\n')])
		first := strings.LastIndex(live, fmt.Sprintf("{\"seq\":%d,", half.Seq))
		want := live[first+strings.IndexByte(live[first:], '\n')+1:]
		code, stdout, _ := execute(t.Context(), nil, "replay", dir, "--events", "--after", strconv.FormatUint(half.Seq, 10))
		if code != exitDone || stdout != want || want == "" {
			t.Errorf("%d shards, replay after %d: exit code %d\n%s", shards, half.Seq, code, firstDifference(stdout, want))
		}
	}
}

// lastCursor returns the place of the last line.
func lastCursor(t *testing.T, lines string) (c client.Cursor) {
	t.Helper()
	lines = strings.TrimSuffix(lines, "\n")
	if _, err := fmt.Sscanf(lines[strings.LastIndexByte(lines, '\n')+1:], `{"seq":%d,"n":%d,`, &c.Seq, &c.N); err != nil {
		t.Fatalf("%.200s: %v", lines, err)
	}
	return c
}

func firstDifference(got, want string) string {
	a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("line %d\n got %s\nwant %s", i, a[i], b[i])
		}
	}
	return fmt.Sprintf("%d lines, want %d", len(a), len(b))
}

// TestClientFollowsOverARestart: a reader that was there before a restart goes on after it,
// and is told when the daemon has another history.
func TestClientFollowsOverARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	args := []string{"--data", dir, "--clock", "commands", "--shards", "2"}
	s := serveInTest(t, args...)
	address := strings.TrimPrefix(s.url, "http://")
	ctx, cancel := context.WithTimeout(t.Context(), startDeadline)
	defer cancel()
	c := newTestClient(t, s.url)
	first := stir(t, c, 0)
	events, faults := make(chan client.Event, 10_000), make(chan error, 1)
	go func() {
		defer close(events)
		for event, err := range c.Events(ctx, client.After(0), client.Filter{}) {
			if err != nil {
				faults <- err
				return
			}
			events <- event
		}
	}()
	if code := s.end(t); code != exitDone {
		t.Fatalf("exit code %d", code)
	}
	s = serveInTest(t, append(args, "--listen", address)...)
	total := stir(t, c, 1)
	if total <= first {
		t.Fatalf("%d events, then %d", first, total)
	}
	last := client.Cursor{}
	for range total {
		select {
		case e := <-events:
			at := e.Cursor()
			if at.Seq < last.Seq || at.Seq == last.Seq && at.N != last.N+1 || at.Seq > last.Seq && at.N != 1 {
				t.Fatalf("%v after %v", at, last)
			}
			last = at
		case err := <-faults:
			t.Fatal(err)
		case <-ctx.Done():
			t.Fatalf("stands at %v", last)
		}
	}
	s.end(t)
	s = serveInTest(t, "--listen", address) // it knows nothing
	defer s.end(t)
	var gap *client.GapError
	select {
	case err := <-faults:
		if !errors.As(err, &gap) || gap.After != last {
			t.Errorf("%v, want a gap after %v", err, last)
		}
	case <-time.After(startDeadline):
		t.Error("another history goes unnoticed")
	}
}
