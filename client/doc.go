// Package client speaks HTTP to a Plimsoll daemon: commands that are applied once however
// often they are sent, reads, and the event stream without gaps or repeats.
//
//	c, err := client.New("http://127.0.0.1:8640", client.Options{Name: "desk-1"})
//	result, err := c.Do(ctx, client.Deposit{Account: "alice", Token: "USDC", Amount: "12500.0"})
//	for event, err := range c.Events(ctx, client.After(result.Seq), client.Filter{}) { … }
//
// Amounts, sizes, prices, rates and ratios are decimal strings, exact and without an
// exponent; this package computes with none of them. Times are milliseconds since 1970 UTC.
//
// # Once
//
// Do gives every command an id, unless it has one, and sends it again under the same id when
// the daemon is busy (429) or not ready (503), and when the connection breaks so that nobody
// knows whether it arrived. The daemon answers a repeat with the first result (Result.Duplicate).
// What the rules refuse is a refusal for good: an *Error with status 422.
//
// # Access
//
// Options.Token is sent with every request, and Options.TLS names the files of an https
// daemon: who must have signed its certificate, and the client's own for mutual TLS. What a
// token may not do is an *Error with status 403 whose Limit names the scope; nothing is sent again.
//
// # Events
//
// Events resumes by itself: where a connection ends, whatever the reason, the next one begins
// behind the last event handed out, after a pause that grows with every attempt in vain and is
// spread by chance. A connection that shows no sign of life for some heartbeats is given up.
// An event is handed out once; if some are missing a GapError says so, and nothing else does.
//
// It uses the standard library alone. A Client may be used by many goroutines.
package client
