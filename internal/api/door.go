package api

import (
	"crypto/tls"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// door counts the connections that are open and turns away those above a limit. It is asked
// once a connection; no request goes through its lock.
type door struct {
	all, perIP int // limits; perIP 0 = none

	mu   sync.Mutex
	open int
	byIP map[netip.Addr]int

	refused, refusedPerIP atomic.Uint64
}

// enter lets a connection in, or says which limit it is above.
func (d *door) enter(ip netip.Addr) (limit string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.open >= d.all:
		d.refused.Add(1)
		return limitText("connections_max", d.all)
	case d.perIP > 0 && d.byIP[ip] >= d.perIP:
		d.refusedPerIP.Add(1)
		return limitText("connections_per_ip", d.perIP)
	}
	d.open++
	if d.perIP > 0 {
		d.byIP[ip]++
	}
	return ""
}

func (d *door) leave(ip netip.Addr) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open--
	if d.perIP == 0 {
		return
	}
	if d.byIP[ip]--; d.byIP[ip] <= 0 {
		delete(d.byIP, ip)
	}
}

// listener wraps what it accepts into conns, behind TLS if there is any.
type listener struct {
	net.Listener
	server *Server
}

// Accept returns the next connection that is let in.
func (l listener) Accept() (net.Conn, error) {
	s := l.server
	for {
		nc, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		ip := addrOf(nc)
		if limit := s.door.enter(ip); limit != "" {
			s.turnAway(nc, limit)
			continue
		}
		c := &conn{Conn: nc, limits: &s.limits, door: &s.door, ip: ip}
		if s.tls != nil {
			c.Conn = tls.Server(nc, s.tls)
		}
		return c, nil
	}
}

// addrOf returns the address of a peer without its port.
func addrOf(nc net.Conn) netip.Addr {
	if a, ok := nc.RemoteAddr().(*net.TCPAddr); ok {
		return a.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// turnAwayTimeout bounds the few words to a connection that is not let in. They fit into the
// buffer of its socket, so that nobody waits for its peer.
const turnAwayTimeout = 100 * time.Millisecond

// turnAway closes a connection, with a reply unless it would have to be encrypted.
func (s *Server) turnAway(nc net.Conn, limit string) {
	if s.tls == nil {
		body := appendError(nil, &Error{
			Code: codeTooManyConnections, Limit: limit,
			Message: "too many connections are open; use fewer, each carries any number of requests",
		})
		reply := append([]byte("HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 1\r\n"+
			"Connection: close\r\nContent-Length: "), appendInt(nil, int64(len(body)))...)
		reply = append(append(reply, "\r\n\r\n"...), body...)
		_ = nc.SetWriteDeadline(time.Now().Add(turnAwayTimeout))
		_, _ = nc.Write(reply) // whether it arrives or not, there is nobody else to tell
	}
	_ = nc.Close()
}
