package api

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
)

const (
	dashboardEvery    = 400 * time.Millisecond // between two frames
	dashboardPending  = 16                     // messages that wait for one viewer; beyond, they are left out
	dashboardsMax     = 64                     // viewers at once
	limitDashboards   = "dashboards_max=64"
	dashboardNearest  = 25                    // accounts named
	dashboardTicker   = 40                    // events kept for who comes new
	dashboardPassCost = 60 * time.Microsecond // an account is counted once in so long: 0.7 % of a core at most
	dashboardPassMin  = 2 * time.Second
)

// message kinds of the dashboard's stream, in the order in which who comes new is told them.
const (
	messageHello = iota
	messageFrame
	messageTotals
	messagePools
	messageMarkets
	messageEvents
	messageKinds
)

var messageNames = [messageKinds]string{"hello", "frame", "totals", "pools", "markets", "events"}

// dashboard is all who look at the page. While there are any, one goroutine, the sampler,
// makes every message once, and hands it to all; nothing is read while nobody looks.
type dashboard struct {
	mu         sync.Mutex
	viewers    []*viewer
	isSampling bool
	last       [messageKinds][]byte // what who comes new is told; of the sampler that runs

	every time.Duration // 0 = dashboardEvery; tests have less time
}

// viewer is one open stream of the dashboard.
type viewer struct {
	next   chan []byte
	holder *apiToken
}

// offer hands a message to a viewer who keeps up.
func (v *viewer) offer(message []byte) {
	select {
	case v.next <- message:
	default:
	}
}

// add lets a viewer in, false when there are too many, and has the sampler run.
func (d *dashboard) add(s *Server, v *viewer) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.viewers) >= dashboardsMax {
		return false
	}
	d.viewers = append(d.viewers, v)
	for _, message := range d.last {
		if message != nil {
			v.offer(message)
		}
	}
	if !d.isSampling {
		d.isSampling = true
		s.passes.wait.Go(func() { newSampler(s).run() })
	}
	return true
}

func (d *dashboard) remove(v *viewer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if i := slices.Index(d.viewers, v); i >= 0 {
		d.viewers = slices.Delete(d.viewers, i, i+1)
	}
}

// tell hands a message to all viewers, and keeps it for who comes new.
func (d *dashboard) tell(kind int, data []byte) {
	message := fmt.Appendf(nil, "event: %s\ndata: %s\n\n", messageNames[kind], data)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last[kind] = message
	for _, v := range d.viewers {
		v.offer(message)
	}
}

// keep keeps a message for who comes new instead of the one that was told.
func (d *dashboard) keep(kind int, data []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last[kind] = fmt.Appendf(nil, "event: %s\ndata: %s\n\n", messageNames[kind], data)
}

// viewerCount returns how many look.
func (d *dashboard) viewerCount() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.viewers)
}

// leave ends the sampler's work when nobody looks; what it told is old for who comes then.
func (d *dashboard) leave(isEnd bool) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if isEnd = isEnd || len(d.viewers) == 0; isEnd {
		d.isSampling, d.last = false, [messageKinds][]byte{}
	}
	return isEnd
}

// dashboardStream answers GET /v1/dashboard/stream.
func (s *Server) dashboardStream(ctx *fasthttp.RequestCtx, holder *apiToken) {
	s.stamp(ctx, s.lastSeq.Load())
	h := &ctx.Response.Header
	ctx.SetContentType(mediaEvents)
	h.Set("Cache-Control", "no-store")
	if ctx.IsHead() {
		return
	}
	v := &viewer{next: make(chan []byte, dashboardPending), holder: holder}
	s.streams.Add(1)
	if s.isClosing() || !s.dashboard.add(s, v) {
		s.streams.Add(-1)
		s.fail(ctx, &Error{
			Status: http.StatusTooManyRequests, Code: codeTooManyStreams, Limit: limitDashboards,
			Message: "too many dashboards are open; close one",
		})
		return
	}
	h.SetConnectionClose()
	isChunked := ctx.Request.Header.IsHTTP11()
	if isChunked {
		h.SetContentLength(-1)
	} else {
		h.SetContentLength(-2) // up to the end of the connection
	}
	head := append([]byte(nil), h.Header()...)
	ctx.HijackSetNoResponse(true)
	ctx.Hijack(func(nc net.Conn) {
		defer s.streams.Add(-1)
		defer s.dashboard.remove(v)
		s.show(socketOf(nc), v, head, isChunked)
	})
}

// show writes messages to a viewer until he goes or the server stops.
func (s *Server) show(conn net.Conn, v *viewer, head []byte, isChunked bool) {
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		var b [64]byte
		for {
			if _, err := conn.Read(b[:]); err != nil {
				return
			}
		}
	}()
	defer func() {
		_ = conn.SetReadDeadline(time.Now()) // ends the goroutine
		<-gone
	}()
	out := head
	for {
		_ = conn.SetWriteDeadline(time.Now().Add(min(s.limits.Write, dashboardWriteMax)))
		if _, err := conn.Write(out); err != nil {
			return
		}
		var message []byte
		isEnd := false
		select {
		case message = <-v.next:
			if s.isRevoked(v.holder) {
				message, isEnd = dashboardEnd(codeUnauthorized), true
			}
		case <-s.closing:
			message, isEnd = dashboardEnd(codeShuttingDown), true
		case <-gone:
			return
		}
		if out = out[:0]; isChunked {
			out = append(fmt.Appendf(out, "%x\r\n", len(message)), message...)
			out = append(out, "\r\n"...)
		} else {
			out = append(out, message...)
		}
		if isEnd {
			if isChunked {
				out = append(out, "0\r\n\r\n"...)
			}
			_ = conn.SetWriteDeadline(time.Now().Add(eventEndTimeout))
			_, _ = conn.Write(out) // who is gone needs no reason
			return
		}
	}
}

// dashboardWriteMax is how long a viewer may take for one message: one who takes longer comes again.
const dashboardWriteMax = 10 * time.Second

// dashboardEnd says why a stream ends.
func dashboardEnd(code string) []byte {
	return fmt.Appendf(nil, "event: end\ndata: {\"code\":%q}\n\n", code)
}
