package api

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"plimsoll/internal/engine"
	"plimsoll/risk"
)

// timedSockets notes when the last write of a body to any of its connections returned.
type timedSockets struct {
	net.Listener
	writtenNs *atomic.Int64
}

func (l timedSockets) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return timedConn{c, l.writtenNs}, err
}

type timedConn struct {
	net.Conn
	writtenNs *atomic.Int64
}

func (c timedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.writtenNs.Store(time.Now().UnixNano())
	return n, err
}

// BenchmarkEventLatency has one command with one event go through an idle engine every half
// millisecond, and times how long after its submission the event's bytes are on the socket
// and with the reader. Submission to release, 1 us or less, is in both.
func BenchmarkEventLatency(b *testing.B) {
	for _, streams := range []int{1, 16, 256} {
		b.Run(fmt.Sprintf("streams=%d", streams), func(b *testing.B) {
			h := newEventHouse(b, 1, 1<<16)
			listen, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			var writtenNs, readNs atomic.Int64
			var readers atomic.Int64
			go func() { _ = h.server.Serve(timedSockets{listen, &writtenNs}) }()
			for range streams {
				nc, err := net.Dial("tcp", listen.Addr().String())
				if err != nil {
					b.Fatal(err)
				}
				b.Cleanup(func() { _ = nc.Close() })
				_, _ = io.WriteString(nc, "GET /v1/events HTTP/1.1\r\nHost: x\r\nAccept: application/x-ndjson\r\n\r\n")
				go func() {
					r := bufio.NewReader(nc)
					for {
						line, err := r.ReadString('\n')
						if err != nil {
							return
						}
						if strings.HasPrefix(line, "{") {
							readNs.Store(time.Now().UnixNano())
							readers.Add(1)
						}
					}
				}()
			}
			awaitStreams(b, h, int32(streams))
			var commands [2][]risk.Command
			for i, kind := range []string{"halt", "resume"} {
				d := NewDecoder(h.server.dir)
				if fault := d.Decode([]byte(`{"type":"`+kind+`","market":"BTC"}`), FormJSON, 0); fault != nil {
					b.Fatal(fault)
				}
				commands[i] = slices.Clone(d.Records())
			}
			var result [1]engine.Result
			var socketUs, readerUs []float64
			b.ResetTimer()
			for i := range b.N {
				want := readers.Load() + int64(streams)
				begin := time.Now()
				if err := h.engine.Submit(commands[i&1], result[:]); err != nil || result[0].Reason != risk.ReasonNone {
					b.Fatal(err, result[0].Reason)
				}
				for readers.Load() < want {
					time.Sleep(20 * time.Microsecond)
					if time.Since(begin) > 10*time.Second {
						b.Fatalf("event %d does not come: %d of %d", i, readers.Load(), want)
					}
				}
				socketUs = append(socketUs, float64(writtenNs.Load()-begin.UnixNano())/1000)
				readerUs = append(readerUs, float64(readNs.Load()-begin.UnixNano())/1000)
				time.Sleep(500 * time.Microsecond)
			}
			b.ReportMetric(0, "ns/op")
			for name, us := range map[string][]float64{"socket": socketUs, "reader": readerUs} {
				slices.Sort(us)
				b.ReportMetric(us[len(us)/2], name+"-p50-us")
				b.ReportMetric(us[len(us)*99/100], name+"-p99-us")
			}
		})
	}
}
