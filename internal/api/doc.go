// Package api is the text side of Plimsoll: it turns JSON and wire records into
// risk.Commands and what the engine answers back into JSON.
//
// The order path, from the socket to the engine and back, allocates nothing:
//
//	body ─► Decoder ─► []risk.Command ─► Engine.Submit ─► []engine.Result ─► appendResults
//	         scan.go     names resolved      blocks until      results in order     encode.go
//	         fields.go   by Directory        durable
//
// A Decoder reads a whole request before any name is given a slot, so a request with one
// malformed byte changes nothing: not the machine, and not the Directory either.
//
//	Status  When
//	200     a batch, an accepted command, a read
//	400     malformed: nothing of the request was applied
//	401     no token that is known, where tokens are needed
//	403     the token has not the scope that the route or a command of the batch needs
//	404     no such route, account, token
//	405     the route exists, the method does not (Allow says which)
//	408     the request did not arrive within Limits.Read
//	413     the body is above Limits.BodyBytes
//	415     the content type is none of the three forms
//	422     one command, refused by the rules; an unknown /info type
//	429     the ring is full, or the token has used up its rate: nothing applied, retry after Retry-After seconds
//	431     the header is above Limits.HeaderBytes
//	503     not ready, read-only or draining; too many connections
//
// Who may do what stands in two tables in auth.go, and is asked before a body is read and
// before a name is given a slot. A server without tokens asks nothing.
//
// Amounts are decimal strings on the wire and mantissas with decimals in the records:
// no float is ever involved, and no margin formula lives here.
package api
