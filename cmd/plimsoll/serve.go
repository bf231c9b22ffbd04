package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime"
	"time"

	"plimsoll/internal/engine"
	"plimsoll/internal/universe"
	"plimsoll/risk"
)

// serveOptions are the flags of plimsoll serve.
type serveOptions struct {
	listen      string
	insecure    bool
	data        string
	universe    string
	clock       string
	detect      string
	logFormat   string
	accountsMax int
	keep        keepOptions
	cfg         engine.Config // rings and shards
}

// dataNone is the --data that keeps nothing.
const dataNone = "none"

func newServeFlags() (*flags, *serveOptions) {
	o := &serveOptions{
		listen: "127.0.0.1:8640", data: "./plimsoll-data", universe: "embedded", clock: "wall", detect: detectBands,
		logFormat: "text",
		keep:      defaultKeep(), cfg: engine.DefaultConfig(),
	}
	o.cfg.Shards = shardsByCores()
	o.accountsMax = int(o.cfg.AccountsMax)
	f := newFlags("serve", "Runs the daemon until SIGINT or SIGTERM. What it has acknowledged is on disk in --data, and a\n"+
		"restart goes on from there. Exit code 3: the data is damaged, or written by a newer version; 70: the disk\n"+
		"refused a write; 71: a write hangs. After 70 and 71 start again: the log decides what was written.")
	f.text(&o.listen, option{
		"listen", "HOST:PORT", "Address of the HTTP API.",
		"another port, port 0 for any free one, or, with --insecure, another interface.",
	})
	f.toggle(&o.insecure, option{
		"insecure", "", "Allows an address that is not loopback, without TLS or credentials.",
		"the network itself is trusted; TLS and tokens do not exist yet.",
	})
	f.text(&o.data, option{
		"data", "DIR|none", "Where the journal and the snapshots stand; made when missing. \"none\" keeps nothing.",
		"a disk of its own, which fsync does not share; \"none\" for tests and simulations.",
	})
	o.addKeepFlags(f)
	f.text(&o.universe, option{
		"universe", "FILE|embedded|none", "Markets listed at start: the venue's metaAndAssetCtxs JSON " +
			"(or an object with metaAndAssetCtxs and spotMeta), the captured ones in the binary, or nothing.",
		"your own markets, fresher ones, or none when your feed lists them.",
	})
	f.text(&o.clock, option{
		"clock", "wall|commands", "What moves engine time: the machine's clock and commands, or commands alone.",
		"\"commands\" makes equal command sequences give equal state: tests, backtests, simulations.",
	})
	f.number(&o.accountsMax, option{
		"accounts-max", "N", "Account slots; beyond, opening an account is refused.",
		"more accounts; each slot costs about 100 bytes once used. A data directory keeps it: change it after a clean stop.",
	})
	addDetectFlag(f, &o.detect)
	o.addEngineFlags(f)
	f.text(&o.logFormat, option{"log-format", "text|json", "How log lines are written to stderr.", "\"json\" for log collectors."})
	return f, o
}

// addEngineFlags adds the flags that shape the pipeline.
func (o *serveOptions) addEngineFlags(f *flags) {
	c := &o.cfg
	f.number(&c.Shards, option{
		"shards", "N", "Accounts are split this many ways (half the cores less one by default).",
		"faster ticks on many cores; more than physical cores slows every tick.",
	})
	f.number(&c.Threads, option{
		"threads", "N", "Goroutines that run the pipeline; 0 chooses by cores.",
		"pin the split between pipeline and HTTP on a machine of your own.",
	})
	f.number(&c.IngressSlots, option{
		"ingress-slots", "N", "Records that wait for the sequencer, a power of two; beyond, 429.",
		"longer bursts before back-pressure, at the price of latency.",
	})
	f.number(&c.SequenceSlots, option{
		"sequence-slots", "N", "Records sequenced and not yet durable, a power of two.",
		"a slow disk.",
	})
	f.number(&c.BroadcastSlots, option{
		"broadcast-slots", "N",
		"Durable records that the slowest shard has not passed, a power of two.",
		"shards that stall for longer; must stay within the cache to be fast.",
	})
	f.number(&c.OutboxSlots, option{
		"outbox-slots", "N", "Events of one shard that are not yet merged, a power of two.",
		"ticks that move very many accounts between bands.",
	})
	f.number(&c.Tickets, option{"tickets", "N", "Requests in flight; beyond, 429.", "more connections that send at once."})
	f.number(&c.EventHistory, option{
		"event-history", "N", "Public events kept for readers of /v1/events, a multiple of 512.",
		"subscribers that are away for longer; about 150 bytes each.",
	})
	f.number(&c.ClientsMax, option{
		"clients-max", "N", "Clients that may use idempotency ids.",
		"more clients; each costs up to 8 MB.",
	})
}

// check completes the engine's configuration, and says what is wrong with the flags.
func (o *serveOptions) check() error {
	switch o.clock {
	case "wall":
		o.cfg.Clock = engine.ClockWall
	case "commands":
		o.cfg.Clock = engine.ClockCommands
	default:
		return fmt.Errorf("--clock is wall or commands, not %q", o.clock)
	}
	if err := detectOf(o.detect, &o.cfg); err != nil {
		return err
	}
	if o.logFormat != "text" && o.logFormat != "json" {
		return fmt.Errorf("--log-format is text or json, not %q", o.logFormat)
	}
	if o.accountsMax < 1 || uint64(o.accountsMax) >= uint64(risk.NoAccount) {
		return fmt.Errorf("--accounts-max is %d, want 1 to %d", o.accountsMax, risk.NoAccount-1)
	}
	if err := o.keep.check(); err != nil {
		return err
	}
	o.cfg.AccountsMax = uint32(o.accountsMax)
	o.cfg.Now = func() int64 { return time.Now().UnixMilli() }
	return o.cfg.Validate()
}

// serve runs the daemon.
func serve(ctx context.Context, p *process) int {
	f, o := newServeFlags()
	if code, done := p.parse(f); done {
		return code
	}
	if err := o.check(); err != nil {
		return p.misused(f, err)
	}
	u, err := readUniverse(o.universe)
	if err != nil {
		return p.misused(f, err)
	}
	return o.run(ctx, p, u)
}

// run listens, recovers, lists, and serves until ctx ends.
func (o *serveOptions) run(ctx context.Context, p *process, u *universe.Universe) int {
	log := newLog(p, o.logFormat)
	listener, err := listen(ctx, o.listen, o.insecure)
	if err != nil {
		log.Error("cannot listen", "listen", o.listen, "error", err)
		return exitListen
	}
	d := newDaemon(&o.cfg, listener)
	o.cfg.OnBandMiss = d.logMiss(log)
	log.Info("plimsoll starts", "version", versionText(), "url", d.url(), "data", o.data, "shards", o.cfg.Shards,
		"threads", o.cfg.Threads, "cores", runtime.NumCPU(), "clock", o.clock, "detect", o.detect, "universe", o.universe,
		"accounts_max", o.accountsMax, "ingress_slots", o.cfg.IngressSlots, "sequence_slots", o.cfg.SequenceSlots,
		"broadcast_slots", o.cfg.BroadcastSlots, "outbox_slots", o.cfg.OutboxSlots, "tickets", o.cfg.Tickets,
		"event_history", o.cfg.EventHistory)
	if o.insecure {
		log.Warn("no TLS and no credentials: whoever reaches the address may do everything", "listen", o.listen)
	}
	d.listen() // /healthz answers while the state is recovered, everything else says not_ready
	if err := o.open(d, p, log); err != nil {
		log.Error("cannot start", "data", o.data, "error", errors.Join(err, d.stop()))
		return codeOf(err)
	}
	listed, err := d.loadMissing(u)
	if err != nil {
		log.Error("cannot list the universe", "universe", o.universe, "error", errors.Join(err, d.stop()))
		return exitFault
	}
	d.setReady()
	log.Info("ready", "listed_now", listed, "tokens", len(u.Tokens), "dexes", len(u.Dexes), "perps", len(u.Perps),
		"spots", len(u.Spots))
	return d.wait(ctx, log, &o.keep)
}

// open gives the daemon an engine: a new one, or the one that the data directory holds.
func (o *serveOptions) open(d *daemon, p *process, log *slog.Logger) error {
	if o.data == dataNone {
		log.Warn("NOTHING IS KEPT: a restart starts empty, because of --data none")
		e, err := engine.New(o.cfg)
		if err == nil {
			d.open(e)
		}
		return err
	}
	return d.recover(&o.cfg, o.keep.journal(o.data, p, log), log)
}

// wait runs until the context ends or something fails, and drains.
func (d *daemon) wait(ctx context.Context, log *slog.Logger, k *keepOptions) int {
	code := exitDone
	stopKeeping := d.keepSnapshots(k, log)
	select {
	case <-ctx.Done():
		log.Info("draining", "reason", "signal")
	case <-d.engine.Failed():
		log.Error("the engine has failed", "error", d.engine.Fault())
		code = exitFault
	case err := <-d.served:
		log.Error("the HTTP server has ended", "error", err)
		code = exitFault
	}
	stopKeeping()
	if err := d.stop(); err != nil {
		log.Warn("not everything drained in time", "error", err)
	}
	log.Info("stopped", "applied_seq", d.engine.Status().Durable)
	return code
}

func newLog(p *process, format string) *slog.Logger {
	if format == "json" {
		return slog.New(slog.NewJSONHandler(p.stderr, nil))
	}
	return slog.New(slog.NewTextHandler(p.stderr, nil))
}

// readUniverse returns the markets that --universe names.
func readUniverse(name string) (*universe.Universe, error) {
	switch name {
	case "none":
		return &universe.Universe{}, nil
	case "embedded":
		u := universe.Embedded()
		return &u, nil
	}
	file, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("--universe: %w", err)
	}
	u, err := universe.FromVenue(file, nil)
	if err != nil {
		return nil, fmt.Errorf("--universe %s: %w", name, err)
	}
	return &u, nil
}

// errNotLoopback says why an address is refused.
var errNotLoopback = errors.New("the address is not loopback, and there is no TLS and no authentication yet: " +
	"everybody who reaches it could move money; listen on 127.0.0.1, or say --insecure if the network is trusted")

// listen opens the address of the HTTP API.
func listen(ctx context.Context, address string, isInsecure bool) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if ip := net.ParseIP(host); !isInsecure && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, errNotLoopback
	}
	var config net.ListenConfig
	return config.Listen(ctx, "tcp", address)
}
