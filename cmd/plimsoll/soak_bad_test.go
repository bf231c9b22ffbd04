package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// soakReadTimeout is the daemon's --read-timeout in the soak. It runs from when a connection is opened,
// and those of the load tool that are opened ahead wait for their first request.
const soakReadTimeout = 6 * time.Second

// badRequest is what a client gets wrong, and what it is told. 0: the connection is closed.
type badRequest struct {
	what  string
	text  string
	wants []int
}

// badPost is a request of commands.
func badPost(body, kind string) string {
	return fmt.Sprintf("POST /v1/commands HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", kind, len(body), body)
}

func badRequests() []badRequest {
	const json, refused, missing = "application/json", http.StatusBadRequest, http.StatusNotFound
	long := strings.Repeat("x", 40<<10)
	return []badRequest{
		{"no JSON", badPost(`hello`, json), []int{refused}},
		{"half of it", badPost(`{"type":"order","account":"trader0`, json), []int{refused}},
		{"nothing", badPost(``, json), []int{refused}},
		{"not text", badPost("\xff\x00\xfe{}", json), []int{refused}},
		{"deep", badPost(strings.Repeat(`{"type":`, 5000), json), []int{refused}},
		{"no such command", badPost(`{"type":"steal"}`, json), []int{refused}},
		{"no such field", badPost(`{"type":"clock","time":1,"x":1}`, json), []int{refused}},
		{"half a record", badPost(long[:129], "application/vnd.plimsoll.commands"), []int{refused}},
		{"too many commands", badPost("["+strings.Repeat(`{"type":"recheck","account":"trader0"},`, 9000)+"{}]", json), []int{refused, http.StatusRequestEntityTooLarge}},
		{"no such content", badPost(`{}`, "text/xml"), []int{http.StatusUnsupportedMediaType}},
		{"no such route", "GET /v1/nothing HTTP/1.1\r\nHost: x\r\n\r\n", []int{missing}},
		{"a way out", "GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", []int{missing, refused}},
		{"no such account", "GET /v1/accounts/nobody/margin HTTP/1.1\r\nHost: x\r\n\r\n", []int{missing}},
		{"no such method", "DELETE /v1/commands HTTP/1.1\r\nHost: x\r\n\r\n", []int{http.StatusMethodNotAllowed}},
		{"no HTTP", "\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", []int{refused, 0}},
		{"a long head", "GET /" + long + " HTTP/1.1\r\nHost: x\r\n\r\n", []int{http.StatusRequestHeaderFieldsTooLarge, 0}},
		{"a body too large", "POST /v1/commands HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 900000000\r\n\r\n{", []int{http.StatusRequestEntityTooLarge, 0}},
	}
}

// startBad starts who does not behave.
func (s *soak) startBad() {
	bad := badRequests()
	s.every("bad request", 25*time.Millisecond, func(n int) error { return s.isToldOff(&bad[n%len(bad)]) })
	s.every("slow head", 0, func(int) error { return s.dawdles("GET /v1/status HTTP/1.1\r\nHost: x\r\nX-Slow: ") })
	s.every("slow body", 0, func(int) error {
		return s.dawdles("POST /v1/commands HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{")
	})
	s.every("endless body", 300*time.Millisecond, func(int) error { return s.endless() })
	s.every("vanishing", 20*time.Millisecond, s.vanishes)
}

// isToldOff sends a bad request and wants one of its answers.
func (s *soak) isToldOff(b *badRequest) error {
	conn, err := s.dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, b.text) // the daemon may hang up in the middle
	status := 0
	if reply, err := http.ReadResponse(bufio.NewReader(conn), nil); err == nil {
		status = reply.StatusCode
		_ = reply.Body.Close()
	} else if isTimeout(err) {
		return fmt.Errorf("%s: no answer in %s", b.what, startDeadline)
	}
	if !slices.Contains(b.wants, status) {
		return fmt.Errorf("%s: answered %d, want %d", b.what, status, b.wants)
	}
	return nil
}

// dawdles sends a request byte by byte, and wants to be cut off.
func (s *soak) dawdles(head string) error {
	conn, err := s.dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, head); err != nil {
		return err
	}
	began, gone := time.Now(), make(chan struct{})
	go func() {
		defer close(gone)
		_, _ = io.Copy(io.Discard, conn)
	}()
	for {
		select {
		case <-gone:
			if took := time.Since(began); took < soakReadTimeout/2 {
				return fmt.Errorf("cut off after %s, want about %s", took, soakReadTimeout)
			}
			s.count("slow ones cut off")
			return nil
		case <-s.context.Done():
			return nil
		case <-time.After(100 * time.Millisecond):
			_, _ = io.WriteString(conn, "x")
		}
		if time.Since(began) > startDeadline/2 {
			return fmt.Errorf("not cut off within %s", time.Since(began))
		}
	}
}

// endless sends chunks until it is told that it is too much.
func (s *soak) endless() error {
	conn, err := s.dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "POST /v1/commands HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"); err != nil {
		return err
	}
	const most = 64 << 20
	chunk := "10000\r\n" + strings.Repeat(" ", 0x10000) + "\r\n"
	for sent := 0; sent < most; sent += len(chunk) {
		if _, err := io.WriteString(conn, chunk); err != nil {
			return nil //nolint:nilerr // it is cut off, which is what is wanted
		}
	}
	return fmt.Errorf("a body of %d bytes is still read", most)
}

// vanishes opens a connection, perhaps sends a part of something, and is gone, with a reset or
// without; every tenth stays for a while and says nothing.
func (s *soak) vanishes(n int) error {
	conn, err := s.dial()
	if err != nil {
		return err
	}
	whole := badPost(`{"type":"order","account":"trader0"}`, "application/json")
	_, _ = io.WriteString(conn, whole[:n%len(whole)])
	if n%10 == 0 {
		s.rest(500 * time.Millisecond)
	}
	if n%2 == 0 {
		_ = conn.(*net.TCPConn).SetLinger(0)
	}
	return conn.Close()
}
