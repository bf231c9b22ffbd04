package api

import "time"

// Named limits of the text side. What is beyond one is refused, and the error says which.
const (
	bodyBytesMax       = 8 << 20 // of one request body
	headerBytesMax     = 16 << 10
	connectionsMax     = 4096
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

	readTimeout  = 30 * time.Second
	writeTimeout = 30 * time.Second
	idleTimeout  = 5 * time.Minute

	eventHeartbeat  = 5 * time.Second
	eventEndTimeout = time.Second     // for the last words of a stream
	eventLagMax     = 2 * time.Second // for how long a reader may be far behind that once kept up
)
