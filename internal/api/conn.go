package api

import (
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// deadlineSlack is how much of a timeout may pass before it is set anew. fasthttp sets three
// deadlines a request and reads the clock for each: 0.7 us of an order, where all its text
// takes 0.9. With slack a connection sets two a second.
const deadlineSlack = time.Second

// conn is a connection that keeps its own deadlines. They are set when a request is read
// whole, at most once per deadlineSlack: for the wait for the next one, and for replies. Only
// a request that comes in pieces sets a deadline of its own. One goroutine uses a conn at a
// time, except that a stream of events sets write deadlines while it writes.
type conn struct {
	net.Conn
	limits   *Limits
	renewed  time.Time // when the deadlines were set; zero: not since a request came in pieces
	isReq    bool      // fasthttp has seen the first byte of a request and not answered it
	isPieces bool      // and its read timeout is running

	door   *door // nil when nobody counts
	ip     netip.Addr
	closed atomic.Bool

	// Who sent the last request; see identify.
	credential []byte // its header Authorization
	tokens     *Tokens
	holder     *apiToken
	scopes     Scope
}

// Close closes the connection and makes room for another.
func (c *conn) Close() error {
	if c.door != nil && c.closed.CompareAndSwap(false, true) {
		c.door.leave(c.ip)
	}
	return c.Conn.Close()
}

// renew sets the deadlines of an idle connection and of a reply.
func (c *conn) renew(now time.Time) {
	c.renewed = now
	// A deadline that cannot be set is one of a closed connection: the read or write says so.
	_ = c.Conn.SetReadDeadline(now.Add(c.limits.Idle))
	_ = c.Conn.SetWriteDeadline(now.Add(c.limits.Write))
}

// Read reads. Within a request, which for the first of a connection begins before its first
// byte, it does so for the read timeout.
func (c *conn) Read(p []byte) (int, error) {
	if c.isReq && !c.isPieces {
		c.isPieces = true
		c.renewed = time.Time{}
		_ = c.Conn.SetReadDeadline(time.Now().Add(c.limits.Read))
	}
	return c.Conn.Read(p)
}

// changed follows a connection from request to request.
func changed(nc net.Conn, state fasthttp.ConnState) {
	if c, ok := nc.(*conn); ok {
		c.isReq, c.isPieces = state == fasthttp.StateActive, false
	}
}

// keep renews the deadlines of the connection of a request, if it is time.
func keep(ctx *fasthttp.RequestCtx, now time.Time) {
	if c, ok := ctx.Conn().(*conn); ok && now.Sub(c.renewed) > deadlineSlack {
		c.renew(now)
	}
}
