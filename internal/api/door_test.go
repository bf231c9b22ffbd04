package api

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"
)

// shortLimits are limits that a test can wait for.
func shortLimits() Limits {
	return Limits{Read: 300 * time.Millisecond, Write: 300 * time.Millisecond, Idle: 500 * time.Millisecond, HeaderBytes: 2048, BodyBytes: 64 << 10}
}

// endOf reads until the peer closes, and returns what it said and after how long.
func endOf(t *testing.T, nc net.Conn) (said string, after time.Duration) {
	t.Helper()
	began := time.Now()
	_ = nc.SetReadDeadline(began.Add(5 * time.Second))
	text, err := io.ReadAll(nc)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the connection is not closed")
	}
	return string(text), time.Since(began)
}

func between(t *testing.T, what string, got, low, high time.Duration) {
	t.Helper()
	if got < low || got > high {
		t.Errorf("%s: closed after %s, want %s to %s", what, got, low, high)
	}
}

const slack = 3 * time.Second // of a machine that does much else

func TestAConnectionThatSaysNothingIsClosed(t *testing.T) {
	t.Parallel()
	g := newGuarded(t, func(c *Config) { c.Limits = shortLimits() })
	_, after := endOf(t, g.dial())
	between(t, "half-open", after, 250*time.Millisecond, slack)
	if n := g.openConnections(); n != 0 {
		t.Errorf("%d connections are still counted", n)
	}
}

// openConnections waits for those that are being closed.
func (g *guarded) openConnections() (open int) {
	for range 100 {
		g.server.door.mu.Lock()
		open = g.server.door.open
		g.server.door.mu.Unlock()
		if open == 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	return open
}

// A peer that sends a byte now and then never sends a whole request: what counts is the time
// since its first byte, whatever comes in between.
func TestARequestThatTricklesIsCutOff(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, head string }{
		{"header", "POST /v1/commands HTTP/1.1\r\nHost: x\r\nX-A: "},
		{"body", "POST /v1/commands HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n{"},
		{"chunks", "POST /v1/commands HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4000\r\n{"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := newGuarded(t, func(c *Config) { c.Limits = shortLimits() })
			nc := g.dial()
			go func() {
				if _, err := io.WriteString(nc, c.head); err != nil {
					return
				}
				for range 200 {
					time.Sleep(20 * time.Millisecond)
					if _, err := io.WriteString(nc, " "); err != nil {
						return
					}
				}
			}()
			said, after := endOf(t, nc)
			between(t, c.name, after, 250*time.Millisecond, slack)
			if said != "" && !strings.HasPrefix(said, "HTTP/1.1 408") && c.name != "chunks" {
				t.Errorf("it is told %q, want 408", said)
			}
		})
	}
}

func TestAnIdleConnectionIsClosed(t *testing.T) {
	t.Parallel()
	g := newGuarded(t, func(c *Config) { c.Limits = shortLimits() })
	nc := g.dial()
	if _, err := io.WriteString(nc, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	said, after := endOf(t, nc)
	between(t, "idle", after, 400*time.Millisecond, slack)
	if !strings.HasPrefix(said, "HTTP/1.1 200") || strings.Count(said, "HTTP/1.1") != 1 {
		t.Errorf("%q, want one reply and no more", said)
	}
}

func TestWhatIsTooLargeIsRefused(t *testing.T) {
	t.Parallel()
	g := newGuarded(t, func(c *Config) { c.Limits = shortLimits() })
	for _, c := range []struct {
		name, request string
		status, limit string
	}{
		{"body", "POST /v1/commands HTTP/1.1\r\nHost: x\r\nContent-Length: 65537\r\n\r\n", "413", "body_bytes_max=65536"},
		{"huge body", "POST /v1/commands HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000000000\r\n\r\n", "413", "body_bytes_max=65536"},
		{"one header", "GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: " + strings.Repeat("a", 4000) + "\r\n\r\n", "431", "header_bytes_max=2048"},
		{"many headers", "GET /healthz HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("X-A: b\r\n", 1000) + "\r\n", "431", "header_bytes_max=2048"},
		{"path", "GET /" + strings.Repeat("a", 4000) + " HTTP/1.1\r\nHost: x\r\n\r\n", "431", "header_bytes_max=2048"},
	} {
		nc := g.dial()
		if _, err := io.WriteString(nc, c.request); err != nil {
			t.Fatal(err)
		}
		said, _ := endOf(t, nc)
		_, body, _ := strings.Cut(said, "\r\n\r\n")
		if !strings.HasPrefix(said, "HTTP/1.1 "+c.status) || errorIn(t, body).Limit != c.limit || !strings.Contains(said, "Connection: close") {
			t.Errorf("%s: %q, want %s that names %s", c.name, said, c.status, c.limit)
		}
	}
}

// Headers without an end do not fill the memory: the connection is closed at the limit.
func TestAFloodOfHeadersIsCutOff(t *testing.T) {
	t.Parallel()
	g := newGuarded(t, func(c *Config) { c.Limits = shortLimits() })
	nc := g.dial()
	sent := make(chan int, 1)
	go func() {
		total, _ := io.WriteString(nc, "GET / HTTP/1.1\r\nHost: x\r\n")
		for range 100_000 {
			n, err := io.WriteString(nc, "X-Flood: "+strings.Repeat("f", 1000)+"\r\n")
			if total += n; err != nil {
				break
			}
		}
		sent <- total
	}()
	_, _ = endOf(t, nc) // told or reset, as the system has it
	if total := <-sent; total > 16<<20 {
		t.Errorf("%d bytes of header were taken", total)
	}
}

// Without a token nobody makes the daemon hold a large body: it is refused at its header.
func TestAStrangersBodyIsNotRead(t *testing.T) {
	t.Parallel()
	g := newGuarded(t, func(c *Config) { c.Tokens = tokensOf(t, "desk trade") })
	for _, c := range []struct{ name, auth, size, want string }{
		{"stranger", "", "Content-Length: 1000000", "401"},
		{"stranger with a token of nobody", "Authorization: Bearer " + secretOf("nobody") + "\r\n", "Content-Length: 1000000", "401"},
		{"stranger with too much", "", "Content-Length: 100000000", "401"},
		{"token with too much", "Authorization: Bearer " + secretOf("desk") + "\r\n", "Content-Length: 100000000", "413"},
	} {
		nc := g.dial()
		if _, err := io.WriteString(nc, "POST /v1/commands HTTP/1.1\r\nHost: x\r\n"+c.auth+c.size+"\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		said, after := endOf(t, nc)
		if !strings.HasPrefix(said, "HTTP/1.1 "+c.want) || after > slack {
			t.Errorf("%s: %q after %s, want %s", c.name, said, after, c.want)
		}
	}
	large := `{"type":"open_account","account":"a","mode":"portfolio"}` + strings.Repeat(" ", 200_000)
	if status, reply := g.command("desk", large); status != 200 {
		t.Errorf("a large body with a token: %d %s", status, reply)
	}
}

func TestConnectionsAreCounted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		limits Limits
		want   string
	}{
		{"in all", Limits{Connections: 3}, "connections_max=3"},
		{"of one address", Limits{Connections: 100, ConnectionsPerIP: 3}, "connections_per_ip=3"},
	} {
		g := newGuarded(t, func(cfg *Config) { cfg.Limits = c.limits })
		var open []net.Conn
		for range 3 {
			nc := g.dial()
			open = append(open, nc)
			if _, err := io.WriteString(nc, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
			if err != nil || resp.StatusCode != http.StatusOK {
				t.Fatalf("%s: %v %v", c.name, resp, err)
			}
			_ = resp.Body.Close()
		}
		said, _ := endOf(t, g.dial())
		_, body, _ := strings.Cut(said, "\r\n\r\n")
		e := errorIn(t, body)
		if !strings.HasPrefix(said, "HTTP/1.1 503") || e.Code != "too_many_connections" || e.Limit != c.want {
			t.Errorf("%s: %q, want 503 that names %s", c.name, said, c.want)
		}
		_ = open[0].Close()
		isIn := false
		for range 100 { // the room is free when the daemon has seen the end
			resp, err := g.client.Get(g.url() + "/healthz")
			if err == nil {
				_ = resp.Body.Close()
				if isIn = resp.StatusCode == http.StatusOK; isIn {
					break
				}
			}
			time.Sleep(10 * time.Millisecond)
		}
		if !isIn {
			t.Errorf("%s: nobody comes in after one has left", c.name)
		}
	}
}

func TestTheDoorForgetsWhoHasLeft(t *testing.T) {
	t.Parallel()
	d := &door{all: 2, perIP: 1, byIP: map[netip.Addr]int{}}
	a, b, c := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("10.0.0.3")
	if d.enter(a) != "" || d.enter(a) == "" || d.enter(b) != "" || d.enter(c) == "" {
		t.Error("wrong ones come in")
	}
	d.leave(a)
	d.leave(b)
	if d.open != 0 || len(d.byIP) != 0 || d.refused.Load() != 1 || d.refusedPerIP.Load() != 1 {
		t.Errorf("%+v", d)
	}
}

func TestLimitsOutOfRangeAreAllTold(t *testing.T) {
	t.Parallel()
	if err := DefaultLimits().Check(); err != nil {
		t.Error(err)
	}
	err := Limits{BodyBytes: 1, HeaderBytes: 1 << 30, Connections: -1, ConnectionsPerIP: -1, Read: -1, Write: 1 << 62, Idle: 1}.Check()
	for _, name := range []string{"body-max", "header-max", "connections-max", "connections-per-ip", "read-timeout", "write-timeout", "idle-timeout"} {
		if err == nil || !strings.Contains(err.Error(), "--"+name+" is ") {
			t.Errorf("--%s is not told: %v", name, err)
		}
	}
}
