package client

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Options shape a Client. Its zero value serves a daemon on this machine.
type Options struct {
	Name  string // X-Plimsoll-Client: ids are unique within it; at most 42 bytes. With Token its name counts instead
	Token string // sent as Authorization: Bearer; "" = none. It is sent in the clear to an http URL

	TokenFrom func() (string, error) // asked before each try, where tokens change; goes before Token

	TLS *TLSFiles // of https URLs; nil = whom the system trusts, and no certificate of our own

	HTTP *http.Client // goes before TLS; nil = one with keep-alive; its Timeout must be 0, or it cuts event streams

	AttemptMax   time.Duration // for one try of a command or read; 0 = 10 s
	RetriesMax   int           // tries after the first; 0 = 8, below 0 = none
	PauseMin     time.Duration // before the second try, doubled with each that follows; 0 = 20 ms
	PauseMax     time.Duration // and never longer than this; 0 = 5 s
	HeartbeatMax time.Duration // silence after which an event stream is given up; 0 = 16 s, three heartbeats
}

// Client speaks to one daemon.
type Client struct {
	base    string
	options Options
}

// New returns a client of the daemon at a base URL such as http://127.0.0.1:8640.
func New(base string, o Options) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("client: the base URL is http://HOST:PORT or https://HOST:PORT, not %q", base)
	}
	if o.HTTP == nil {
		transport, err := o.transport()
		if err != nil {
			return nil, err
		}
		// A redirect would carry commands and the token to somebody else.
		o.HTTP = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		}}
	}
	o.AttemptMax = cmp.Or(o.AttemptMax, 10*time.Second)
	o.RetriesMax = cmp.Or(o.RetriesMax, 8)
	o.PauseMin, o.PauseMax = cmp.Or(o.PauseMin, 20*time.Millisecond), cmp.Or(o.PauseMax, 5*time.Second)
	o.HeartbeatMax = cmp.Or(o.HeartbeatMax, 16*time.Second)
	return &Client{base: strings.TrimSuffix(base, "/"), options: o}, nil
}

// Close closes idle connections.
func (c *Client) Close() { c.options.HTTP.CloseIdleConnections() }

// Error is what the daemon answers instead of what was asked for: a refusal by the rules
// (status 422), or a request that never came before them.
type Error struct {
	Status    int    `json:"-"` // of HTTP; 422 for a refused command of a batch too
	Code      string `json:"code"`
	Message   string `json:"message"`
	Field     string `json:"field"`      // at fault; "" where it does not apply
	Limit     string `json:"limit"`      // passed; "" where it does not apply
	OldestSeq uint64 `json:"oldest_seq"` // of 410: the oldest seq whose events are all kept
	Seq       uint64 `json:"-"`          // place in the order that the reply reflects

	retryAfter time.Duration
}

// Error returns code, field and message in one line.
func (e *Error) Error() string {
	s := "client: " + e.Code
	if e.Field != "" {
		s += " at " + e.Field
	}
	return s + " (" + strconv.Itoa(e.Status) + "): " + e.Message
}

// IsRefusal reports whether the rules refused a command: sending it again changes nothing.
func (e *Error) IsRefusal() bool { return e.Status == http.StatusUnprocessableEntity }

// isPassing reports whether the same request may succeed later.
func (e *Error) isPassing() bool {
	return e.Status == http.StatusTooManyRequests || e.Status == http.StatusServiceUnavailable ||
		e.Status == http.StatusRequestTimeout || e.Status == http.StatusBadGateway || e.Status == http.StatusGatewayTimeout
}

// request is what is sent to the daemon.
type request struct {
	method, path string
	accept       string
	contentType  string
	lastEventID  string
	body         []byte
}

// send sends a request once. The caller closes the body of the reply.
func (c *Client) send(ctx context.Context, r *request) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, r.method, c.base+r.path, bytes.NewReader(r.body))
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	for name, value := range map[string]string{
		"Accept": r.accept, "Content-Type": r.contentType, "Last-Event-ID": r.lastEventID, "X-Plimsoll-Client": c.options.Name,
	} {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	token := c.options.Token
	if c.options.TokenFrom != nil {
		if token, err = c.options.TokenFrom(); err != nil {
			return nil, fmt.Errorf("client: token: %w", err)
		}
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := c.options.HTTP.Do(req)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	return resp, nil
}

// bodyMax bounds what is read of a reply, in bytes.
const bodyMax = 64 << 20

// try sends a request once and returns the body of the reply, or the error that it is.
func (c *Client) try(ctx context.Context, r *request) (body []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.options.AttemptMax)
	defer cancel()
	resp, err := c.send(ctx, r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if body, err = io.ReadAll(io.LimitReader(resp.Body, bodyMax)); err != nil {
		return nil, fmt.Errorf("client: read the reply: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return body, errorOf(resp, body)
	}
	return body, nil
}

// errorOf reads an error from a reply.
func errorOf(resp *http.Response, body []byte) *Error {
	var reply struct{ Error Error }
	if err := json.Unmarshal(body, &reply); err != nil || reply.Error.Code == "" {
		reply.Error = Error{Code: "http_" + strconv.Itoa(resp.StatusCode), Message: string(body[:min(len(body), 200)])}
	}
	e := &reply.Error
	e.Status = resp.StatusCode
	e.Seq, _ = strconv.ParseUint(resp.Header.Get("X-Plimsoll-Seq"), 10, 64) //nolint:errcheck // 0 when it is not there
	if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil {
		e.retryAfter = time.Duration(seconds) * time.Second
	}
	return e
}

// repeat sends a request until it is answered, for good or for bad, or the tries are used up.
func (c *Client) repeat(ctx context.Context, r *request) (body []byte, err error) {
	p := pauses{min: c.options.PauseMin, max: c.options.PauseMax}
	for retries := 0; ; retries++ {
		body, err = c.try(ctx, r)
		var answer *Error
		switch {
		case err == nil, errors.As(err, &answer) && !answer.isPassing():
			return body, err
		case ctx.Err() != nil || retries >= c.options.RetriesMax:
			return nil, err
		}
		if waitErr := p.wait(ctx, answer); waitErr != nil {
			return nil, errors.Join(err, waitErr)
		}
	}
}

// pauses is the time between tries: doubled with each in vain, and spread evenly between half
// of that and all, so that many clients that were cut off together do not come back together.
type pauses struct {
	min, max time.Duration
	next     time.Duration
}

func (p *pauses) reset() { p.next = 0 }

// wait waits before the next try. What the daemon asks for in Retry-After (answer may be nil)
// is waited for too, as far as max allows.
func (p *pauses) wait(ctx context.Context, answer *Error) error {
	p.next = min(max(p.min, 2*p.next), p.max)
	pause := p.next/2 + rand.N(p.next/2+1)
	if answer != nil && (answer.Status == http.StatusServiceUnavailable || answer.Code == "rate_limited") {
		pause = max(pause, min(answer.retryAfter, p.max))
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
