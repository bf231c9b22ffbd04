package bench

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"
)

// caller is one keep-alive connection that sends one prebuilt request after another and reads
// the replies. It does as little as a client can, since it shares the cores with the server.
type caller struct {
	conn    net.Conn
	number  int    // among its fleet
	request []byte // head and body, made once
	body    int    // where the body starts
	edit    func(body []byte, number, turn int)
	turn    int // requests sent
	reply   []byte
	took    []time.Duration
}

// once sends a request and reads the reply whole.
func (c *caller) once() error {
	c.edit(c.request[c.body:], c.number, c.turn)
	c.turn++
	start := time.Now()
	if _, err := c.conn.Write(c.request); err != nil {
		return err
	}
	size, end := 0, -1
	for end < 0 || size < end {
		n, err := c.conn.Read(c.reply[size:])
		if err != nil {
			return err
		}
		size += n
		if end < 0 {
			if end, err = replyEnd(c.reply[:size]); err != nil {
				return err
			}
		}
		if end > len(c.reply) {
			c.reply = append(c.reply, make([]byte, end-len(c.reply))...)
		}
	}
	c.took = append(c.took, time.Since(start))
	if string(c.reply[9:12]) != "200" {
		return fmt.Errorf("reply %s", c.reply[:size])
	}
	return nil
}

// replyEnd returns where a reply ends, or -1 while its header is not whole.
func replyEnd(reply []byte) (int, error) {
	const length = "Content-Length: "
	head := bytes.Index(reply, []byte("\r\n\r\n"))
	if head < 0 {
		return -1, nil
	}
	at := bytes.Index(reply[:head], []byte(length))
	if at < 0 {
		return 0, errors.New("a reply without " + length)
	}
	digits := reply[at+len(length) : head]
	if line := bytes.IndexByte(digits, '\r'); line >= 0 {
		digits = digits[:line]
	}
	size, err := strconv.Atoi(string(digits))
	return head + len("\r\n\r\n") + size, err
}

// fleet is the connections to one server.
type fleet []*caller

// newFleet opens connections that send body as a POST to path; edit is called before each
// request with the body, the caller's number and how many it has sent.
func newFleet(b *testing.B, addr net.Addr, count int, path, kind string, body []byte, edit func([]byte, int, int)) fleet {
	b.Helper()
	head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: bench\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n", path, kind, len(body))
	var f fleet
	for n := range count {
		conn, err := net.Dial("tcp", addr.String())
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { conn.Close() })
		f = append(f, &caller{
			conn: conn, number: n, edit: edit, body: len(head),
			request: append([]byte(head), body...), reply: make([]byte, 4096), took: make([]time.Duration, 0, 1<<14),
		})
	}
	return f
}

// send has every caller send so many requests and waits for all replies.
func (f fleet) send(b *testing.B, each int) {
	b.Helper()
	var group sync.WaitGroup
	for _, c := range f {
		group.Go(func() {
			for range each {
				if err := c.once(); err != nil && !errors.Is(err, io.EOF) {
					b.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	if b.Failed() {
		b.FailNow()
	}
}

// latencies returns how long every request took.
func (f fleet) latencies() (all []time.Duration) {
	for _, c := range f {
		all = append(all, c.took...)
	}
	return all
}

// reportLatency reports quantiles in microseconds.
func reportLatency(b *testing.B, prefix string, f fleet) {
	b.Helper()
	all := f.latencies()
	for _, q := range []struct {
		name string
		part float64
	}{{"p50-us", 0.50}, {"p99-us", 0.99}} {
		b.ReportMetric(float64(quantile(all, q.part).Nanoseconds())/1000, prefix+q.name)
	}
}

// putHex overwrites the last twelve digits of an id with a number.
func putHex(id []byte, v uint64) {
	var raw [8]byte
	binary.BigEndian.PutUint64(raw[:], v)
	hex.Encode(id[len(id)-12:], raw[2:])
}
