package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"time"
)

// supervisor is the service manager that started the process and wants to be told how it
// goes, as sd_notify(3) describes: datagrams to the socket that NOTIFY_SOCKET names. Without
// one every call does nothing.
type supervisor struct {
	conn     net.Conn
	watchdog time.Duration // a sign of life is expected this often; 0 = never
	log      *slog.Logger
}

// watchEndMax bounds the wait for the end of watch.
const watchEndMax = time.Second

// newSupervisor looks for a service manager.
func newSupervisor(ctx context.Context, p *process, log *slog.Logger) *supervisor {
	s := &supervisor{log: log}
	path, ok := p.lookupEnv("NOTIFY_SOCKET")
	if !ok || path == "" {
		return s
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unixgram", path) // a leading @ names an abstract socket, for Go as well
	if err != nil {
		log.Warn("the service manager cannot be told anything", "notify_socket", path, "error", err)
		return s
	}
	s.conn = conn
	pid, hasPid := p.lookupEnv("WATCHDOG_PID")
	if text, ok := p.lookupEnv("WATCHDOG_USEC"); ok && (!hasPid || pid == strconv.Itoa(os.Getpid())) {
		if us, err := strconv.ParseInt(text, 10, 64); err == nil && us > 0 {
			s.watchdog = time.Duration(us) * time.Microsecond
		}
	}
	return s
}

// tell sends lines such as READY=1.
func (s *supervisor) tell(state string) {
	if s.conn == nil {
		return
	}
	if _, err := s.conn.Write([]byte(state)); err != nil {
		s.log.Warn("the service manager was not told", "state", state, "error", err)
	}
}

// recovering says that the start takes as long as it takes.
func (s *supervisor) recovering() { s.tell("STATUS=recovering the state") }

func (s *supervisor) ready(lastSeq uint64) {
	s.tell(fmt.Sprintf("READY=1\nSTATUS=ready, seq %d", lastSeq))
}

// reloading says that files are being read again; ready follows.
func (s *supervisor) reloading() {
	s.tell("RELOADING=1\nSTATUS=reading files again")
}

func (s *supervisor) stopping() { s.tell("STOPPING=1\nSTATUS=draining") }

// watch tells at half the interval that is expected that the daemon lives, if a read through
// the whole pipeline is answered: one that hangs is told of by silence.
func (s *supervisor) watch(isAlive func() bool) (stop func()) {
	if s.conn == nil || s.watchdog == 0 {
		return func() {}
	}
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(s.watchdog / 2)
		defer tick.Stop()
		for {
			if isAlive() {
				s.tell("WATCHDOG=1")
			}
			select {
			case <-over:
				return
			case <-tick.C:
			}
		}
	}()
	return func() {
		close(over)
		select {
		case <-ended:
		case <-time.After(watchEndMax): // it hangs in isAlive, which must not keep the process
		}
	}
}

func (s *supervisor) close() {
	if s.conn != nil {
		_ = s.conn.Close() // nothing was left to send
	}
}
