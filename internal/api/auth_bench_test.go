package api

import (
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

// still is a connection that carries nothing.
type still struct{ loggedConn }

func (*still) Close() error         { return nil }
func (*still) RemoteAddr() net.Addr { return &net.TCPAddr{} }
func (*still) LocalAddr() net.Addr  { return &net.TCPAddr{} }

// onConn puts the order request of the benchmarks on a connection, as serving does.
func onConn(s *Server, secrets ...string) []*fasthttp.RequestCtx {
	var all []*fasthttp.RequestCtx
	for _, secret := range append(secrets, "")[:max(1, len(secrets))] {
		ctx := new(fasthttp.RequestCtx)
		ctx.Init2(&conn{Conn: &still{}, limits: &s.limits}, quiet{}, false)
		orderRequest().Request.CopyTo(&ctx.Request)
		if secret != "" {
			ctx.Request.Header.Set(authHeader, "Bearer "+secret)
		}
		all = append(all, ctx)
	}
	return all
}

// guardedBench is benchServer with tokens.
func guardedBench(t testing.TB, names ...string) *Server {
	return NewServer(&Config{
		Engine: instant{}, Directory: testDirectory(), Shards: 1, ClientsMax: 64, Tokens: tokensOf(t, names...),
	})
}

func TestAnOrderWithATokenAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	s := guardedBench(t, "desk read,trade rate=100000000", "other trade")
	ctx := onConn(s, secretOf("desk"), secretOf("other"))
	ctx[1].Init2(ctx[0].Conn(), quiet{}, false) // two tokens in turn on one connection: the hash is made each time
	n := testing.AllocsPerRun(200, func() {
		s.Handle(ctx[0])
		s.Handle(ctx[1])
	})
	if n != 0 {
		t.Errorf("orders with tokens allocate %v times, want 0", n)
	}
	for i := range ctx {
		if ctx[i].Response.StatusCode() != 200 {
			t.Errorf("%d %s", ctx[i].Response.StatusCode(), ctx[i].Response.Body())
		}
	}
}

// BenchmarkOrderAccess measures what tokens add to an order: off has none, cached is one
// connection that sends the same token each time, limited has a rate as well, and hashed
// sends two in turn, so that each is looked up by its hash.
func BenchmarkOrderAccess(b *testing.B) {
	for _, c := range []struct {
		name   string
		server *Server
		tokens []string
	}{
		{"off", benchServer(), nil},
		{"cached", guardedBench(b, "desk trade", "other trade"), []string{secretOf("desk")}},
		{"limited", guardedBench(b, "desk trade rate=100000000"), []string{secretOf("desk")}},
		{"hashed", guardedBench(b, "desk trade", "other trade"), []string{secretOf("desk"), secretOf("other")}},
	} {
		b.Run("tokens="+c.name, func(b *testing.B) {
			all := onConn(c.server, c.tokens...)
			for i := range all {
				all[i].Init2(all[0].Conn(), quiet{}, false)
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				c.server.Handle(all[i%len(all)])
			}
			if all[0].Response.StatusCode() != 200 {
				b.Fatalf("%s", all[0].Response.Body())
			}
		})
	}
}

// pipelined is a connection to a served engine that answers at once, on which orders are sent
// many at a time, so that what the daemon does for each outweighs the kernel.
type pipelined struct {
	nc       net.Conn
	requests []byte
	count    int
	reply    []byte
	size     int // of all replies
}

func newPipelined(b *testing.B, s *Server, secret string, count int) *pipelined {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go func() { _ = s.Serve(l) }()
	nc, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = nc.Close()
		_ = s.Shutdown(b.Context())
	})
	head := "POST /v1/commands HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-Plimsoll-Client: desk-1\r\n"
	if secret != "" {
		head = "POST /v1/commands HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: Bearer " + secret + "\r\n"
	}
	one := head + "Content-Length: " + strconv.Itoa(len(orderBody)) + "\r\n\r\n" + orderBody
	p := &pipelined{nc: nc, count: count, requests: []byte(strings.Repeat(one, count)), reply: make([]byte, 1<<20)}
	if _, err := nc.Write([]byte(one)); err != nil {
		b.Fatal(err)
	}
	n, err := nc.Read(p.reply)
	if err != nil || !strings.HasPrefix(string(p.reply[:n]), "HTTP/1.1 200") {
		b.Fatalf("%v %s", err, p.reply[:n])
	}
	p.size = n * count
	return p
}

// run sends all and returns ns an order.
func (p *pipelined) run(b *testing.B) float64 {
	began := time.Now()
	if _, err := p.nc.Write(p.requests); err != nil {
		b.Fatal(err)
	}
	for got := 0; got < p.size; {
		n, err := p.nc.Read(p.reply)
		if err != nil {
			b.Fatal(err)
		}
		got += n
	}
	return float64(time.Since(began).Nanoseconds()) / float64(p.count)
}

// BenchmarkOrderAccessHTTP measures the same through HTTP on loopback, from the first byte of
// a request to the last of its reply, in turns: medians of both, and of their differences.
func BenchmarkOrderAccessHTTP(b *testing.B) {
	const count = 100
	off := newPipelined(b, benchServer(), "", count)
	on := newPipelined(b, guardedBench(b, "desk trade"), secretOf("desk"), count)
	var offNs, onNs, added []float64
	for b.Loop() {
		x, y := off.run(b), on.run(b)
		offNs, onNs, added = append(offNs, x), append(onNs, y), append(added, y-x)
	}
	for _, m := range []struct {
		values []float64
		unit   string
	}{{offNs, "off-ns/order"}, {onNs, "on-ns/order"}, {added, "added-ns/order"}} {
		slices.Sort(m.values)
		b.ReportMetric(m.values[len(m.values)/2], m.unit)
	}
}
