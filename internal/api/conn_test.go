package api

import (
	"net"
	"slices"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

// loggedConn notes the deadlines that it is given.
type loggedConn struct {
	net.Conn
	read, write []time.Duration // from now
}

func (c *loggedConn) Read([]byte) (int, error) { return 0, nil }

func (c *loggedConn) SetReadDeadline(t time.Time) error {
	c.read = append(c.read, time.Until(t).Round(time.Second))
	return nil
}

func (c *loggedConn) SetWriteDeadline(t time.Time) error {
	c.write = append(c.write, time.Until(t).Round(time.Second))
	return nil
}

func TestDeadlinesAreSetWhereTheyMatter(t *testing.T) {
	log := &loggedConn{}
	limits := DefaultLimits()
	c := &conn{Conn: log, limits: &limits}
	var ctx fasthttp.RequestCtx
	ctx.Init2(c, quiet{}, false)
	want := func(when string, read, write []time.Duration) {
		t.Helper()
		if !slices.Equal(log.read, read) || !slices.Equal(log.write, write) {
			t.Errorf("%s: read %v write %v, want %v and %v", when, log.read, log.write, read, write)
		}
		log.read, log.write = nil, nil
	}
	read := func() { _, _ = c.Read(nil) }
	now := time.Now()

	changed(c, fasthttp.StateActive) // the first request is active before its first byte
	read()
	read()
	want("first request", []time.Duration{limits.Read}, nil)
	keep(&ctx, now)
	want("its reply", []time.Duration{limits.Idle}, []time.Duration{limits.Write})
	for range 10 { // requests in one piece
		changed(c, fasthttp.StateIdle)
		read()
		changed(c, fasthttp.StateActive)
		keep(&ctx, now.Add(deadlineSlack/2))
	}
	want("ten more within the slack", nil, nil)
	keep(&ctx, now.Add(deadlineSlack+time.Millisecond))
	want("after the slack", []time.Duration{limits.Idle + deadlineSlack}, []time.Duration{limits.Write + deadlineSlack})
	read() // the rest of a request
	want("a request in pieces", []time.Duration{limits.Read}, nil)
	keep(&ctx, now.Add(deadlineSlack+2*time.Millisecond))
	want("its reply", []time.Duration{limits.Idle + deadlineSlack}, []time.Duration{limits.Write + deadlineSlack})
}
