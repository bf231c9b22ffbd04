package api

import (
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Named limits of the text side. What is beyond one is refused, and the error says which.
const (
	commandsMax        = 8192 // commands of one request
	recordsMax         = 8192 // records of one request; a ring of the engine must hold them
	depthMax           = 6    // nesting of JSON in one command
	priceNamesMax      = 1024 // names in one map of a prices or funding command
	clientsMax         = 1024 // distinct X-Plimsoll-Client names
	clientNameBytesMax = 42
	nearestMax         = 1000 // accounts listed by GET /v1/accounts
	nearestDefault     = 100
	eventsPerPoll      = 512 // events copied at once for one stream
	eventStreamsMax    = 256 // subscribers of GET /v1/events

	// What a request has taken is kept for the next, unless it is more than a group of the largest
	// size takes: else a few large ones make the memory of every connection large, and for good.
	bytesKept   = 512 << 10 // of a body, or of a reply
	recordsKept = 4096

	eventHeartbeat  = 5 * time.Second
	eventEndTimeout = time.Second     // for the last words of a stream
	eventLagMax     = 2 * time.Second // for how long a reader may be far behind that once kept up
)

// Limits bound what one peer can take of the daemon. A field that is zero has its default.
type Limits struct {
	BodyBytes        int           // of one request
	HeaderBytes      int           // of one request, with its first line
	Connections      int           // open at once
	ConnectionsPerIP int           // open at once from one address; 0 = as many as Connections
	Read             time.Duration // from the first byte of a request to its last, and for a TLS handshake
	Write            time.Duration // for a peer to take a reply, or anything of an event stream
	Idle             time.Duration // between two requests of a connection
}

// DefaultLimits returns the limits of a server that is told none.
func DefaultLimits() Limits {
	return Limits{
		BodyBytes: 8 << 20, HeaderBytes: 16 << 10, Connections: 4096,
		Read: 30 * time.Second, Write: 30 * time.Second, Idle: 5 * time.Minute,
	}
}

// orDefaults returns l with its zero fields filled.
func (l Limits) orDefaults() Limits {
	d := DefaultLimits()
	for _, f := range []struct{ value, byDefault *int }{
		{&l.BodyBytes, &d.BodyBytes}, {&l.HeaderBytes, &d.HeaderBytes}, {&l.Connections, &d.Connections},
	} {
		if *f.value == 0 {
			*f.value = *f.byDefault
		}
	}
	for _, f := range []struct{ value, byDefault *time.Duration }{{&l.Read, &d.Read}, {&l.Write, &d.Write}, {&l.Idle, &d.Idle}} {
		if *f.value == 0 {
			*f.value = *f.byDefault
		}
	}
	return l
}

// Check returns every limit that is out of range.
func (l Limits) Check() error {
	const (
		bodyMin, bodyMax     = 4 << 10, 256 << 20
		headerMin, headerMax = 1 << 10, 1 << 20
		connectionsMax       = 1 << 18
		timeMin, timeMax     = 10 * time.Millisecond, 24 * time.Hour
	)
	var faults []error
	for _, x := range []struct {
		name            string
		value, low, top int
	}{
		{"body-max", l.BodyBytes, bodyMin, bodyMax},
		{"header-max", l.HeaderBytes, headerMin, headerMax},
		{"connections-max", l.Connections, 1, connectionsMax},
		{"connections-per-ip", l.ConnectionsPerIP, 0, connectionsMax},
	} {
		if x.value < x.low || x.value > x.top {
			faults = append(faults, fmt.Errorf("--%s is %d, want %d to %d", x.name, x.value, x.low, x.top))
		}
	}
	for _, x := range []struct {
		name  string
		value time.Duration
	}{{"read-timeout", l.Read}, {"write-timeout", l.Write}, {"idle-timeout", l.Idle}} {
		if x.value < timeMin || x.value > timeMax {
			faults = append(faults, fmt.Errorf("--%s is %s, want %s to %s", x.name, x.value, timeMin, timeMax))
		}
	}
	return errors.Join(faults...)
}

// limitText writes a limit as errors show it: name=value.
func limitText(name string, value int) string { return name + "=" + strconv.Itoa(value) }
