package api

import (
	"net"
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
	renewed  time.Time // when the deadlines were set; zero: not since a request came in pieces
	isReq    bool      // fasthttp has seen the first byte of a request and not answered it
	isPieces bool      // and its readTimeout is running
}

// listener wraps what it accepts into conns.
type listener struct{ net.Listener }

// Accept returns the next connection.
func (l listener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &conn{Conn: nc}, nil
}

// renew sets the deadlines of an idle connection and of a reply.
func (c *conn) renew(now time.Time) {
	c.renewed = now
	// A deadline that cannot be set is one of a closed connection: the read or write says so.
	_ = c.Conn.SetReadDeadline(now.Add(idleTimeout))
	_ = c.Conn.SetWriteDeadline(now.Add(writeTimeout))
}

// Read reads. Within a request, which for the first of a connection begins before its first
// byte, it does so for readTimeout.
func (c *conn) Read(p []byte) (int, error) {
	if c.isReq && !c.isPieces {
		c.isPieces = true
		c.renewed = time.Time{}
		_ = c.Conn.SetReadDeadline(time.Now().Add(readTimeout))
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
