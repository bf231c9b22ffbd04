package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"plimsoll/client"
)

// eventReader reads events up to the mark that end sets, and sums up which it saw in which order.
type eventReader struct {
	client *client.Client
	at     client.Cursor
	count  int
	sum    uint64
	cuts   int
}

// soakMark is the market whose halt is the last event; nobody trades it.
const soakMark = "ATOM"

func newEventReader(t *testing.T, s *soak, after uint64) *eventReader {
	t.Helper()
	return &eventReader{client: s.client(t, "reader"), at: client.After(after)}
}

// read follows until ctx ends, or the mark.
func (r *eventReader) read(ctx context.Context) (isOver bool, err error) {
	for e, err := range r.client.Events(ctx, r.at, client.Filter{}) {
		if err != nil {
			if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
				return false, nil
			}
			return true, err
		}
		if at := e.Cursor(); at.Seq < r.at.Seq || at.Seq == r.at.Seq && at.N <= r.at.N && r.count > 0 {
			return true, fmt.Errorf("event %s comes behind %s", at, r.at)
		}
		r.at = e.Cursor()
		r.count++
		r.sum = (r.sum^r.at.Seq)*1_099_511_628_211 ^ uint64(r.at.N)
		if e.Type == "halted" && e.Market == soakMark {
			return true, nil
		}
	}
	return false, nil
}

// startEvents starts who follows what happens.
func (s *soak) startEvents() {
	forever := context.WithoutCancel(s.context)
	s.readers.Go(func() {
		if _, err := s.follow.read(forever); err != nil {
			s.fault("the reader that follows: %v", err)
		}
	})
	s.readers.Go(func() {
		for isOver := false; !isOver; s.resume.cuts++ {
			ctx, cancel := context.WithTimeout(forever, time.Duration(200+s.resume.cuts%7*150)*time.Millisecond)
			var err error
			if isOver, err = s.resume.read(ctx); err != nil {
				s.fault("the reader that resumes: %v", err)
			}
			cancel()
		}
	})
	s.every("slow event reader", 0, func(int) error { return s.neverReads() })
	c := s.http()
	c.Timeout = 0
	s.group.Go(func() { s.viewer(c) })
}

// neverReads opens a stream far back, takes nothing of it for longer than the daemon waits, and
// then wants to find it ended, unless all of it fitted into the sockets' buffers.
func (s *soak) neverReads() error {
	const back, hold, drain = 15_000, 6 * time.Second, 2 * time.Second // that many places are still kept
	text, err := s.metrics()
	if err != nil {
		return err
	}
	conn, err := s.dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.(*net.TCPConn).SetReadBuffer(16 << 10)
	after := max(900, int64(metricOf(text, "plimsoll_sequence_durable"))-back)
	if _, err := fmt.Fprintf(conn, "GET /v1/events?after=%d HTTP/1.1\r\nHost: x\r\n\r\n", after); err != nil {
		return err
	}
	s.rest(hold)
	_ = conn.SetReadDeadline(time.Now().Add(drain))
	if _, err := io.Copy(io.Discard, conn); !isTimeout(err) && s.context.Err() == nil {
		s.count("slow event reader ended by the daemon")
	}
	return nil
}

func isTimeout(err error) bool {
	var fault net.Error
	return errors.As(err, &fault) && fault.Timeout()
}

// rest waits, less when the soak is over.
func (s *soak) rest(long time.Duration) {
	select {
	case <-time.After(long):
	case <-s.context.Done():
	}
}

// dial opens a connection that is closed when the soak is over.
func (s *soak) dial() (net.Conn, error) {
	conn, err := net.DialTimeout("tcp", strings.TrimPrefix(s.d.url, "http://"), startDeadline) //nolint:noctx // has a time-out
	if err != nil {
		return nil, err
	}
	return conn, conn.SetDeadline(time.Now().Add(startDeadline))
}

// viewer looks at the dashboard.
func (s *soak) viewer(c *http.Client) {
	request, err := http.NewRequestWithContext(s.context, http.MethodGet, s.d.url+"/v1/dashboard/stream", http.NoBody)
	if err != nil {
		s.fault("viewer: %v", err)
		return
	}
	reply, err := c.Do(request)
	if err != nil || reply.StatusCode != http.StatusOK {
		s.fault("viewer: %v %v", reply, err)
		return
	}
	defer reply.Body.Close()
	lines := bufio.NewScanner(reply.Body)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		if kind, isOne := strings.CutPrefix(lines.Text(), "event: "); isOne {
			s.count("dashboard " + kind)
		}
	}
	if err := lines.Err(); s.context.Err() == nil {
		s.fault("viewer: the stream has ended: %v", err)
	}
}
