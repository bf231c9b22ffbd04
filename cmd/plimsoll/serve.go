package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"plimsoll/internal/api"
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
	slow        time.Duration // from when on a request of commands is logged
	accountsMax int
	keep        keepOptions
	access      accessOptions
	cfg         engine.Config // rings and shards
}

// dataNone is the --data that keeps nothing.
const dataNone = "none"

// universeEmbedded is the --universe in the binary.
const universeEmbedded = "embedded"

func newServeFlags() (*flags, *serveOptions) {
	o := &serveOptions{
		listen: "127.0.0.1:8640", data: "./plimsoll-data", universe: universeEmbedded, clock: "wall", detect: detectBands,
		logFormat: "text", slow: api.SlowDefault,
		keep: defaultKeep(), access: defaultAccess(), cfg: engine.DefaultConfig(),
	}
	o.cfg.Shards = shardsByCores()
	o.accountsMax = int(o.cfg.AccountsMax)
	f := newFlags("serve", "Runs the daemon until SIGINT or SIGTERM, which let what is in flight finish and take a snapshot; a\n"+
		"second one ends it at once. What it has acknowledged is on disk in --data, and a restart goes on from there.\n"+
		"SIGHUP reads tokens and certificates again. Exit code 2: flags, environment or a file they name are wrong;\n"+
		"3: the data is damaged, or written by a newer version; 4: the address cannot, or must not, be listened on;\n"+
		"70: the disk refused a write; 71: a write hangs. After 70 and 71 start again: the log decides what was written.")
	o.addFlags(f)
	return f, o
}

// addFlags adds all flags of serve.
func (o *serveOptions) addFlags(f *flags) {
	f.text(&o.listen, option{
		"listen", "HOST:PORT", "Address of the HTTP API.",
		"another port, port 0 for any free one, or another interface, which needs --tls-cert or --insecure.",
	})
	f.toggle(&o.insecure, option{
		"insecure", "", "Allows an address that is not loopback without TLS: everything, tokens too, is sent in the clear.",
		"the network itself is trusted, or a proxy on it speaks TLS.",
	})
	f.text(&o.data, option{
		"data", "DIR|none", "Where the journal and the snapshots stand; made when missing. \"none\" keeps nothing.",
		"a disk of its own, which fsync does not share; \"none\" for tests and simulations.",
	})
	o.addKeepFlags(f)
	f.text(&o.universe, option{
		"universe", "FILE|embedded|none", "Markets listed at start: the venue's metaAndAssetCtxs JSON " +
			"(or an object with metaAndAssetCtxs and spotMeta), the captured ones in the binary, or nothing. " +
			"With the embedded ones, and no account yet, a backstop liquidator is opened.",
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
	f.duration(&o.slow, option{
		"slow-commands", "TIME", "Commands that take longer are logged, with what each stage took; a line a second at most.",
		"a target of your own; longer where the disk is slow.",
	})
	o.access.addFlags(f)
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

// check completes the engine's configuration, and says everything that is wrong with the flags.
func (o *serveOptions) check() error {
	var faults []error
	switch o.clock {
	case "wall":
		o.cfg.Clock = engine.ClockWall
	case "commands":
		o.cfg.Clock = engine.ClockCommands
	default:
		faults = append(faults, fmt.Errorf("--clock is wall or commands, not %q", o.clock))
	}
	if o.slow <= 0 {
		faults = append(faults, fmt.Errorf("--slow-commands is %s, want more than 0", o.slow))
	}
	if o.logFormat != "text" && o.logFormat != "json" {
		faults = append(faults, fmt.Errorf("--log-format is text or json, not %q", o.logFormat))
	}
	if o.accountsMax < 1 || uint64(o.accountsMax) >= uint64(risk.NoAccount) {
		faults = append(faults, fmt.Errorf("--accounts-max is %d, want 1 to %d", o.accountsMax, risk.NoAccount-1))
	} else {
		o.cfg.AccountsMax = uint32(o.accountsMax)
	}
	faults = append(faults, detectOf(o.detect, &o.cfg), o.keep.check(), o.access.check())
	o.cfg.Now = func() int64 { return time.Now().UnixMilli() }
	return errors.Join(append(faults, o.cfg.Validate())...)
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
	x, err := o.access.open()
	if err != nil {
		return p.misused(f, err)
	}
	return o.run(ctx, p, u, x)
}

// run listens, recovers, lists, and serves until ctx ends.
func (o *serveOptions) run(ctx context.Context, p *process, u *universe.Universe, x *access) int {
	log := newLog(p, o.logFormat)
	if err := x.openAudit(p.stderr); err != nil {
		log.Error("cannot start", "error", err)
		return exitUsage
	}
	defer x.close(log)
	listener, err := listen(ctx, o.listen, o.insecure || x.tls != nil)
	if err != nil {
		log.Error("cannot listen", "listen", o.listen, "error", err)
		return exitListen
	}
	d := newDaemon(&o.cfg, listener, x)
	d.supervisor = newSupervisor(ctx, p, log)
	defer d.supervisor.close()
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP) // from here on: one in the middle of a start ends nothing
	defer signal.Stop(hangups)
	o.cfg.OnBandMiss = d.logMiss(log)
	d.server.LogSlow(log, o.slow)
	log.Info("plimsoll starts", "version", versionText(), "url", d.url(), "data", o.data, "shards", o.cfg.Shards,
		"threads", o.cfg.Threads, "cores", runtime.NumCPU(), "clock", o.clock, "detect", o.detect, "universe", o.universe,
		"accounts_max", o.accountsMax, "ingress_slots", o.cfg.IngressSlots, "sequence_slots", o.cfg.SequenceSlots,
		"broadcast_slots", o.cfg.BroadcastSlots, "outbox_slots", o.cfg.OutboxSlots, "tickets", o.cfg.Tickets,
		"event_history", o.cfg.EventHistory)
	x.logStart(log, o.listen)
	d.supervisor.recovering()
	d.listen() // /healthz answers while the state is recovered, everything else says not_ready
	if err := o.open(d, p, log); err != nil {
		log.Error("cannot start", "data", o.data, "error", errors.Join(err, d.stop()))
		return codeOf(err)
	}
	listed, err := d.loadMissing(u)
	if err == nil && o.universe == universeEmbedded {
		err = d.openLiquidator()
	}
	if err != nil {
		log.Error("cannot list the universe", "universe", o.universe, "error", errors.Join(err, d.stop()))
		return exitFault
	}
	d.setReady()
	log.Info("ready", "listed_now", listed, "tokens", len(u.Tokens), "dexes", len(u.Dexes), "perps", len(u.Perps),
		"spots", len(u.Spots))
	d.supervisor.ready(d.engine.Status().Durable)
	return d.wait(ctx, log, &o.keep, hangups)
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
func (d *daemon) wait(ctx context.Context, log *slog.Logger, k *keepOptions, hangups <-chan os.Signal) int {
	code := exitDone
	stopKeeping := d.keepSnapshots(k, log)
	stopWatching := d.supervisor.watch(d.isAlive)
	for isRunning := true; isRunning; {
		isRunning = false
		select {
		case <-hangups:
			isRunning = true
			d.supervisor.reloading()
			d.access.reload(d.server, log)
			d.supervisor.ready(d.engine.Status().Durable)
		case <-ctx.Done():
			log.Info("draining", "reason", "signal", "longest", drainMax)
		case <-d.engine.Failed():
			log.Error("the engine has failed", "error", d.engine.Fault())
			code = exitFault
		case err := <-d.served:
			log.Error("the HTTP server has ended", "error", err)
			code = exitFault
		}
	}
	d.supervisor.stopping()
	stopKeeping()
	if err := d.stop(); err != nil {
		log.Warn("not everything drained in time", "error", err)
	}
	stopWatching()
	log.Info("stopped", "applied_seq", d.engine.Status().Durable)
	return code
}

// isAlive reports whether a read goes through the whole pipeline. One that is turned away
// because others are in front has met a pipeline that moves, or the next will tell.
func (d *daemon) isAlive() bool {
	_, err := d.engine.Read(0, func(*risk.Machine) {})
	return err == nil || errors.Is(err, engine.ErrBusy)
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
	case universeEmbedded:
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
var errNotLoopback = errors.New("the address is not loopback, and there is no TLS: everybody on the way could read tokens and " +
	"move money; give --tls-cert and --tls-key, listen on 127.0.0.1, or say --insecure if the network is trusted")

// listen opens the address of the HTTP API. isOpen: it may be one that other machines reach.
func listen(ctx context.Context, address string, isOpen bool) (net.Listener, error) {
	if _, _, err := net.SplitHostPort(address); err != nil {
		return nil, err
	}
	if !isOpen && !isLoopback(address) {
		return nil, errNotLoopback
	}
	var config net.ListenConfig
	return config.Listen(ctx, "tcp", address)
}
