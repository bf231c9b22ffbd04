package bench

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// loadFleet is the connections to one server.
type loadFleet struct {
	venue *loadVenue
	host  string
	heads loadHeads
	dial  func() (net.Conn, error)
	conns []*loadConn
	tidy  *tidier // nil: nothing rests there
	group sync.WaitGroup

	mu     sync.Mutex
	idle   []*loadConn // a ring: the one that has rested longest is used next
	first  int
	count  int
	closed atomic.Bool
}

// newLoadFleet opens the connections.
func newLoadFleet(ctx context.Context, v *loadVenue, isEcho bool, l *Load) (*loadFleet, error) {
	f := &loadFleet{venue: v, idle: make([]*loadConn, l.Connections)}
	dial, host, err := l.dialer(ctx)
	if err != nil {
		return nil, err
	}
	f.dial, f.host, f.heads = dial, host, newLoadHeads(l, host, isEcho)
	tidy := func(a *loadAccount) { a.isTidy.Store(true) }
	if !isEcho {
		f.tidy = newTidier(f)
		tidy = f.tidy.add
	}
	const replyBytes = 4096
	for n := range l.Connections {
		conn, err := dial()
		if err != nil {
			f.close()
			return nil, err
		}
		c := &loadConn{fleet: f, conn: conn, in: make([]byte, replyBytes), gen: newGenerator(v, n, l.Connections, tidy)}
		f.conns = append(f.conns, c)
	}
	for _, c := range f.conns {
		f.park(c)
		f.group.Go(c.run)
	}
	return f, nil
}

// park makes a connection the last that is idle. A request may have become due since it
// looked: the sender, which wakes at least every sleepMost, finds that one.
func (f *loadFleet) park(c *loadConn) {
	f.mu.Lock()
	f.idle[(f.first+f.count)%len(f.idle)] = c
	f.count++
	f.mu.Unlock()
}

// unpark takes the connection that has been idle for longest, or nil.
func (f *loadFleet) unpark() *loadConn {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.count == 0 {
		return nil
	}
	c := f.idle[f.first]
	f.first = (f.first + 1) % len(f.idle)
	f.count--
	return c
}

func (f *loadFleet) isClosed() bool { return f.closed.Load() }

// cut closes the connections whose requests are in flight still: they are errors.
func (f *loadFleet) cut() {
	for _, c := range f.conns {
		c.mu.Lock()
		if c.isBusy {
			_ = c.conn.Close()
		}
		c.mu.Unlock()
	}
}

// close closes all connections and waits for their readers.
func (f *loadFleet) close() {
	f.closed.Store(true)
	for _, c := range f.conns {
		c.mu.Lock()
		_ = c.conn.Close()
		c.mu.Unlock()
	}
	f.group.Wait()
	if f.tidy != nil {
		f.tidy.close()
	}
}

// slice is one measurement without a break: its own schedule, its own clock.
type slice struct {
	tickets  tickets
	began    time.Time
	inFlight atomic.Int64
	recorder *recorder
}

// now returns the nanoseconds since the slice began.
func (s *slice) now() int64 { return int64(time.Since(s.began)) }

// take returns when the next request is due; -1 is when it is sent.
func (s *slice) take(now int64) (due int64, ok bool) {
	due, ok = s.tickets.take(now)
	if s.tickets.isClosedLoop {
		due = -1
	}
	return due, ok
}

// overrunMax is how long requests that were due are still sent after the schedule has ended.
const overrunMax = time.Second

// drive runs a slice: perSecond requests, or with 0 as many as come back, for a time. What it
// measures goes to r.
func (f *loadFleet) drive(ctx context.Context, perSecond float64, long time.Duration, r *recorder) error {
	s := &slice{recorder: r}
	if perSecond > 0 {
		s.tickets.schedule = newSchedule(perSecond, long)
	} else {
		s.tickets.isClosedLoop, s.tickets.end = true, int64(long)
	}
	alarm, err := f.venue.load.alarm()
	if err != nil {
		return err
	}
	defer func() { _ = alarm.Close() }() // a timer
	s.began = time.Now()
	limit := int64(long + overrunMax)
	for {
		now := s.now()
		f.sendDue(s, now)
		if now >= int64(long) && (s.tickets.isDone(now) || now > limit) || ctx.Err() != nil {
			break
		}
		if err := alarm.Sleep(s.tickets.pause(now)); err != nil {
			return err
		}
	}
	s.tickets.isOver.Store(true)
	f.settle(s)
	r.mu.Lock()
	r.took, r.lasted = r.took+time.Duration(s.now()), r.lasted+long
	r.mu.Unlock()
	f.countUnsent(s)
	return ctx.Err()
}

// alarm returns what wakes the sender.
func (l *Load) alarm() (Alarm, error) {
	if l.Alarm == nil {
		return PlainAlarm{}, nil
	}
	return l.Alarm()
}

// sendDue sends what is due, as far as there are idle connections.
func (f *loadFleet) sendDue(s *slice, now int64) {
	for range f.idle {
		if !s.tickets.isClosedLoop && !s.tickets.isDue(now) {
			return
		}
		c := f.unpark()
		if c == nil {
			return
		}
		c.mu.Lock()
		due, ok := int64(0), false
		if !c.isDown {
			due, ok = s.take(now)
		}
		if ok {
			c.send(s, due)
		}
		c.mu.Unlock()
		if !ok {
			f.park(c)
		}
	}
}

// settle waits for what is in flight, and after a time gives it up.
func (f *loadFleet) settle(s *slice) {
	const look = 200 * time.Microsecond
	for end := time.Now().Add(f.venue.load.Timeout); s.inFlight.Load() > 0; time.Sleep(look) {
		if time.Now().After(end) {
			f.cut()
			end = end.Add(f.venue.load.Timeout)
		}
	}
}

// countUnsent counts what was due and never sent.
func (f *loadFleet) countUnsent(s *slice) {
	if s.tickets.isClosedLoop {
		return
	}
	now := s.now()
	kind := f.conns[0].gen
	for k := s.tickets.next.Load(); k < s.tickets.count; k++ {
		if due := s.tickets.due(k); due < now {
			s.recorder.recordUnsent(kind.pick(), now-due)
		}
	}
}
