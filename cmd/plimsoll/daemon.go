package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"runtime"
	"sync/atomic"
	"time"

	"plimsoll/internal/api"
	"plimsoll/internal/engine"
	"plimsoll/risk"
)

// drainMax bounds how long a daemon waits for requests in flight when it stops.
const drainMax = 10 * time.Second

// Why the daemon is not ready.
var (
	errRecovering = errors.New("recovering: the snapshot and the journal are being read")
	errStarting   = errors.New("starting: the universe is being listed")
	errDraining   = errors.New("draining: the daemon is about to stop")
)

// daemon is the engine, the names and the HTTP server as one thing.
type daemon struct {
	engine   *engine.Engine
	dir      *api.Directory
	server   *api.Server
	shards   int
	keeps    bool // there is a data directory
	listener net.Listener
	access   *access               // nil: everybody on this machine may do everything
	served   chan error            // what Serve returned
	unready  atomic.Pointer[error] // why not ready; nil when ready

	supervisor *supervisor // of serve
}

// newDaemon puts a daemon behind a listener, which it owns from here on. It has no engine
// before open.
func newDaemon(cfg *engine.Config, listener net.Listener, x *access) *daemon {
	d := &daemon{
		dir: api.NewDirectory(cfg.AccountsMax), shards: cfg.Shards, listener: listener, access: x, served: make(chan error, 1),
	}
	d.unready.Store(&errRecovering)
	c := &api.Config{Directory: d.dir, Shards: cfg.Shards, ClientsMax: cfg.ClientsMax, Version: versionText(), Ready: d.ready}
	if x != nil {
		x.configure(c)
	}
	d.server = api.NewServer(c)
	return d
}

// listen answers HTTP; /readyz stays 503 until setReady, and all that needs an engine until
// open.
func (d *daemon) listen() {
	go func() { d.served <- d.server.Serve(d.listener) }()
}

// open starts an engine and gives it to the HTTP server.
func (d *daemon) open(e *engine.Engine) {
	d.engine = e
	e.Start()
	d.unready.Store(&errStarting)
	d.server.Open(e)
}

func (d *daemon) ready() error {
	if err := d.unready.Load(); err != nil {
		return *err
	}
	return nil
}

func (d *daemon) setReady() { d.unready.Store(nil) }

// url returns where the daemon answers.
func (d *daemon) url() string {
	if d.access != nil && d.access.tls != nil {
		return "https://" + d.listener.Addr().String()
	}
	return "http://" + d.listener.Addr().String()
}

// stop lets requests in flight finish, answers everything in the pipeline, and ends.
func (d *daemon) stop() error {
	d.unready.Store(&errDraining)
	ctx, cancel := context.WithTimeout(context.Background(), drainMax)
	defer cancel()
	err := d.server.Shutdown(ctx)
	if d.engine == nil {
		return err
	}
	if d.keeps && d.engine.Fault() == nil && d.hasNews() {
		_, snapErr := d.engine.Snapshot() // the next start then replays nothing
		err = errors.Join(err, snapErr)
	}
	d.engine.Close()
	return err
}

// commandsPerBatch keeps the records of one batch of listings well below every ring.
const commandsPerBatch = 128

// apply sends commands the way HTTP users do: as JSON through the decoder, in order. The
// first refusal ends it.
func apply[T any](d *daemon, commands []T) error {
	decoder := api.NewDecoder(d.dir)
	for len(commands) > 0 {
		batch := commands[:min(commandsPerBatch, len(commands))]
		commands = commands[len(batch):]
		body, err := json.Marshal(batch)
		if err != nil {
			return fmt.Errorf("encode commands: %w", err)
		}
		if err := d.applyBody(decoder, body); err != nil {
			return err
		}
	}
	return nil
}

// applyBody sends one array of commands.
func (d *daemon) applyBody(decoder *api.Decoder, body []byte) error {
	if fault := decoder.Decode(body, api.FormJSON, 0); fault != nil {
		return fmt.Errorf("decode commands: %s: %s (%s)", fault.Code, fault.Message, fault.Field)
	}
	results := make([]engine.Result, decoder.Commands())
	if err := d.submit(decoder.Records(), results); err != nil {
		return err
	}
	defer d.server.DropListings()
	for i := range results {
		group := decoder.Group(i)
		if r := &results[i]; r.Reason != risk.ReasonNone {
			return fmt.Errorf("command %d of the batch (kind %d) is refused: %s, number %d; the batch: %.300s",
				i, group[0].Kind, r.Reason, r.Field, body)
		}
		d.dir.Observe(group)
	}
	return nil
}

// submit is Submit that waits its turn when HTTP users have filled a ring.
func (d *daemon) submit(records []risk.Command, results []engine.Result) error {
	for {
		err := d.engine.Submit(records, results)
		if !errors.Is(err, engine.ErrBusy) {
			return err
		}
		time.Sleep(busyPause)
	}
}

// busyPause is how long the daemon's own commands wait before they try a full ring again.
const busyPause = 200 * time.Microsecond

// shardsByCores leaves half the cores to the callers and one to the front of the pipeline.
func shardsByCores() int { return max(1, runtime.NumCPU()/2-1) }
