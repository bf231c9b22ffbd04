package bench

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"
)

// loadConn is one keep-alive connection, with one request in flight at most. Whoever finds it
// idle sends; its own goroutine reads.
type loadConn struct {
	fleet *loadFleet
	gen   *generator
	in    []byte // the reader's

	mu     sync.Mutex // held while a request is written, and while an answer is dealt with
	conn   net.Conn
	out    []byte
	isDown bool // being opened anew
	isBusy bool
	slice  *slice // of the request in flight
	answer answer
}

// headRoom is what a head leaves for the length of a body: digits behind spaces.
const headRoom = 8

// loadHeads are the first lines and headers of requests, made once.
type loadHeads struct {
	commands []byte // without the value of Content-Length
	read     []byte // up to the account
	readEnd  []byte
}

func newLoadHeads(l *Load, host string, isEcho bool) loadHeads {
	kinds := map[Format]string{
		FormatJSON: "application/json", FormatLines: "application/x-ndjson", FormatBinary: "application/vnd.plimsoll.commands",
	}
	common := "Host: " + host + "\r\n"
	if l.Token != "" && !isEcho {
		common += "Authorization: Bearer " + l.Token + "\r\n"
	}
	client := "X-Plimsoll-Client: " + l.Prefix + "\r\n"
	return loadHeads{
		commands: []byte("POST /v1/commands HTTP/1.1\r\n" + common + client + "Content-Type: " + kinds[l.Format] +
			"\r\nContent-Length: "),
		read:    []byte("GET /v1/accounts/"),
		readEnd: []byte("/margin HTTP/1.1\r\n" + common + "\r\n"),
	}
}

// send writes the next request, which was due at a time of a slice. mu is held.
func (c *loadConn) send(s *slice, due int64) {
	kind := c.gen.pick()
	heads := &c.fleet.heads
	if kind == KindRead {
		a := c.gen.nextAccount()
		c.out, _ = c.gen.appendBody(c.out[:0], kind)
		c.out = append(append(c.out, heads.read...), c.gen.venue.names[a.number]...)
		c.out = append(c.out, heads.readEnd...)
	} else {
		c.out = append(c.out[:0], heads.commands...)
		at := len(c.out)
		c.out = append(c.out, "        \r\n\r\n"...)
		start := len(c.out)
		c.out, kind = c.gen.appendBody(c.out, kind)
		var digits [20]byte
		text := strconv.AppendInt(digits[:0], int64(len(c.out)-start), 10)
		copy(c.out[at+headRoom-len(text):], text)
	}
	c.isBusy, c.slice = true, s
	s.inFlight.Add(1)
	c.answer = answer{kind: kind, commands: c.gen.commands, due: due, sent: s.now()}
	if due < 0 { // a closed loop: it is due when it is sent
		c.answer.due = c.answer.sent
	}
	if _, err := c.conn.Write(c.out); err != nil {
		_ = c.conn.Close() // its reader finds out
	}
}

// run reads answers until the fleet is closed, and sends what is due as soon as it may.
func (c *loadConn) run() {
	for {
		status, body, err := c.read()
		if err != nil {
			if !c.lost(err) {
				return
			}
			continue
		}
		c.mu.Lock()
		if !c.isBusy {
			c.mu.Unlock()
			continue // an answer that nobody waits for
		}
		s := c.slice
		now := s.now()
		c.settle(now, status, body)
		isPausing := s.tickets.isClosedLoop && c.answer.outcome == outcomeBusy
		if isPausing {
			c.mu.Unlock()
			time.Sleep(busyPause)
			c.mu.Lock()
			now = s.now()
		}
		due, ok := s.take(now)
		if ok {
			c.send(s, due)
		}
		c.mu.Unlock()
		s.inFlight.Add(-1)
		if !ok {
			c.fleet.park(c)
		}
	}
}

// busyPause is how long a connection of a closed loop waits after a 429.
const busyPause = time.Millisecond

// settle records the answer to the request in flight. mu is held.
func (c *loadConn) settle(now int64, status int, body []byte) {
	a := &c.answer
	a.done = now
	switch {
	case status == http.StatusTooManyRequests:
		a.outcome = outcomeBusy
		c.gen.undo()
	case status != http.StatusOK:
		a.outcome, a.fault = outcomeFault, fmt.Sprintf("status %d: %.300s", status, body)
		c.gen.undo()
	case bytes.Contains(body, refusedMark):
		at := bytes.Index(body, refusedMark)
		a.outcome, a.fault = outcomeFault, fmt.Sprintf("refused by the rules: %.300s", body[at:])
	}
	c.isBusy = false
	c.slice.recorder.record(a)
}

//nolint:gochecknoglobals // read-only: what a batch says of a command that the rules refused
var refusedMark = []byte(`"ok":false`)

// lost deals with a broken connection: what was in flight is an error. It reports whether
// there is a new one.
func (c *loadConn) lost(cause error) bool {
	c.mu.Lock()
	_ = c.conn.Close()
	wasBusy, s := c.isBusy, c.slice
	if wasBusy {
		c.gen.undo()
		c.isBusy = false
		c.answer.done, c.answer.outcome, c.answer.fault = s.now(), outcomeFault, "connection: "+cause.Error()
		s.recorder.record(&c.answer)
	}
	c.isDown = true
	c.mu.Unlock()
	if wasBusy {
		s.inFlight.Add(-1)
	}
	const pauseMin, pauseMax = time.Millisecond, 100 * time.Millisecond
	for pause := pauseMin; ; pause = min(2*pause, pauseMax) {
		if c.fleet.isClosed() {
			return false
		}
		conn, err := c.fleet.dial()
		if err == nil {
			c.mu.Lock()
			c.conn, c.isDown = conn, false
			isClosed := c.fleet.isClosed() // then nobody else closes this one
			if isClosed {
				_ = conn.Close()
			}
			c.mu.Unlock()
			if isClosed {
				return false
			}
			break
		}
		time.Sleep(pause)
	}
	if wasBusy {
		c.fleet.park(c)
	}
	return true
}

// read reads one answer. Its body is valid until the next read.
func (c *loadConn) read() (status int, body []byte, err error) {
	size, end, head := 0, -1, 0
	for end < 0 || size < end {
		n, err := c.conn.Read(c.in[size:])
		if err != nil {
			return 0, nil, err
		}
		size += n
		if end < 0 {
			if head, end, err = replyBounds(c.in[:size]); err != nil {
				return 0, nil, err
			}
		}
		if room := max(end, size+1); room > len(c.in) {
			c.in = append(c.in, make([]byte, room+room/2-len(c.in))...)
		}
	}
	if size > end {
		return 0, nil, errors.New("more came than one answer")
	}
	status, err = strconv.Atoi(string(c.in[9:12]))
	return status, c.in[head:end], err
}

// replyBounds returns where the body of a reply begins and ends, or -1 while its head is not
// whole.
func replyBounds(reply []byte) (head, end int, err error) {
	const statusLine = "HTTP/1.1 200"
	const length, lower = "\r\nContent-Length:", "\r\ncontent-length:"
	if head = bytes.Index(reply, []byte("\r\n\r\n")); head < 0 {
		return 0, -1, nil
	}
	at := bytes.Index(reply[:head], []byte(length))
	if at < 0 {
		at = bytes.Index(bytes.ToLower(reply[:head]), []byte(lower))
	}
	if at < 0 || head < len(statusLine) || string(reply[:7]) != statusLine[:7] {
		return 0, 0, fmt.Errorf("an answer without a length: %.100q", reply)
	}
	digits := reply[at+len(length) : head]
	if line := bytes.IndexByte(digits, '\r'); line >= 0 {
		digits = digits[:line]
	}
	size, err := strconv.Atoi(string(bytes.TrimSpace(digits)))
	if err != nil || size < 0 {
		return 0, 0, fmt.Errorf("an answer of the length %q", digits)
	}
	head += len("\r\n\r\n")
	return head, head + size, nil
}

// dialer returns what opens connections to a URL.
func (l *Load) dialer(ctx context.Context) (dial func() (net.Conn, error), host string, err error) {
	u, err := url.Parse(l.URL)
	if err != nil {
		return nil, "", err
	}
	host = u.Host
	if u.Port() == "" {
		host = net.JoinHostPort(u.Hostname(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
	}
	const long = 5 * time.Second
	plain := &net.Dialer{Timeout: long}
	if u.Scheme != "https" {
		return func() (net.Conn, error) { return plain.DialContext(ctx, "tcp", host) }, u.Host, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if l.TLS != nil {
		config = l.TLS.Clone()
	}
	config.NextProtos = []string{"http/1.1"}
	secure := &tls.Dialer{NetDialer: plain, Config: config}
	return func() (net.Conn, error) { return secure.DialContext(ctx, "tcp", host) }, u.Host, nil
}
