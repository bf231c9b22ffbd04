package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"plimsoll/bench"
	"plimsoll/internal/engine"
)

// benchOptions are the flags of plimsoll bench.
type benchOptions struct {
	load   bench.Load
	rate   string
	mix    string
	format string
	seed   uint64

	url              string // "" = a daemon in this process
	tlsCA, cert, key string
	data             string
	cfg              engine.Config
	json, hgrm, html string
	isCompare        bool
	first, second    string // files of --compare
	thresholdPercent int
	isFailing        bool
}

func newBenchFlags(isCompare bool) (*flags, *benchOptions) {
	o := &benchOptions{load: bench.DefaultLoad(), data: dataNone, cfg: engine.DefaultConfig(), thresholdPercent: 10}
	o.cfg.Shards = shardsByCores()
	o.mix, o.format, o.seed = o.load.Mix.String(), string(o.load.Format), o.load.Seed
	f := newFlags("bench", "Loads a daemon and tells its throughput and its latency, counted from when each request was due, not\n"+
		"from when it could be sent: a stall is charged to everything that it delays. Without --url the daemon runs in this\n"+
		"process, behind a loopback socket. Without --rate, --max and --curve: the maximum, then half of it.\n"+
		"docs/BENCH.md says what the figures mean. Exit code 1: something failed, or there were errors.\n"+
		"'plimsoll bench --compare A.json B.json' compares two results.")
	o.addLoadFlags(f)
	o.addTargetFlags(f)
	o.addResultFlags(f)
	if isCompare {
		f.operand(&o.first, "A.json")
		f.operand(&o.second, "B.json")
	}
	return f, o
}

// addLoadFlags adds the flags that say what is sent.
func (o *benchOptions) addLoadFlags(f *flags) {
	l := &o.load
	f.text(&o.rate, option{
		"rate", "R|P%", "Requests a second that are due, whatever comes back (open loop), or a percentage of the maximum.",
		"the rate that you expect; a percentage to compare machines.",
	})
	f.toggle(&l.IsMax, option{
		"max", "", "Searches for the maximum: closed loop, and the highest rate kept up by an open one.",
		"know where this machine ends.",
	})
	f.toggle(&l.IsCurve, option{
		"curve", "", "Measures latency at 10 to 100 % of the maximum.",
		"see where latency begins to rise: how far a daemon may be loaded.",
	})
	f.text(&o.mix, option{
		"mix", "KINDS", "Weights of the kinds of request: order, cancel, fill, prices (a tick of all), read (an account's margin).",
		"your own traffic, such as order=45,cancel=40,fill=5,read=9,prices=1.",
	})
	f.text(&o.format, option{
		"format", "json|ndjson|binary", "How commands are written.",
		"see what the text costs.",
	})
	f.number(&l.Batch, option{
		"batch", "N", "Commands of one request; ticks and reads are alone.",
		"more commands a second, at the price of latency.",
	})
	f.number(&l.Connections, option{
		"connections", "N", "Keep-alive connections, each with one request in flight; 0 = 64, or 8 for batches above 8.",
		"see what many callers cost; too few make requests wait to be sent, which is counted.",
	})
	f.duration(&l.WarmUp, option{
		"warm-up", "TIME", "Load before anything is counted.", "caches, pools and the machine's clock need it.",
	})
	f.duration(&l.For, option{
		"for", "TIME", "How long is measured; for each point of --curve a third of it.",
		"p99.9 of 1,000 requests a second needs more than ten seconds.",
	})
	f.number(&l.Accounts, option{"accounts", "N", "Accounts that are opened for the load.", "more than fit the caches."})
	f.number(&l.Positions, option{"positions", "N", "Positions open in each account.", "an order is checked against all of them."})
	f.number(&l.Markets, option{"markets", "N", "Perps that are listed for the load; a tick moves all.", "longer or shorter ticks."})
	f.text(&l.Mode, option{"mode", "standard|unified|portfolio", "How the accounts are margined.", "compare what the modes cost."})
	f.number64(&o.seed, option{"seed", "K", "Seed of what the mix draws.", "another order of kinds; equal seeds give equal requests."})
	f.duration(&l.P99Max, option{
		"p99-max", "TIME", "Up to which p99 a rate counts as kept up by --max.", "the bound that you promise.",
	})
	f.duration(&l.Timeout, option{
		"timeout", "TIME", "How long what is in flight is waited for when a measurement is over.", "a daemon that stalls for longer.",
	})
}

// addTargetFlags adds the flags that say what is loaded.
func (o *benchOptions) addTargetFlags(f *flags) {
	f.text(&o.url, option{
		"url", "URL", "A daemon that runs; markets and accounts are made there, and stay. Empty: one in this process.",
		"measure over a network, or without sharing a process with what loads it.",
	})
	f.text(&o.load.Token, option{
		"token", "TOKEN", "Bearer token for --url, with scopes admin, feed, trade and read; better in the environment.",
		"the daemon asks for one.",
	})
	f.text(&o.load.Prefix, option{
		"prefix", "NAME", "Begins the names of markets and accounts.", "two that load one daemon at a time.",
	})
	f.text(&o.tlsCA, option{"tls-ca", "FILE", "Who must have signed the certificate of --url, PEM.", "a certificate of your own."})
	f.text(&o.cert, option{"tls-cert", "FILE", "Certificate shown to --url, PEM.", "the daemon asks for one."})
	f.text(&o.key, option{"tls-key", "FILE", "Key of --tls-cert, PEM.", "it goes with the certificate."})
	f.text(&o.data, option{
		"data", "DIR|none", "Where the daemon in this process keeps its journal: a directory that is new or empty.",
		"see what durability costs on a disk.",
	})
	f.number(&o.cfg.Shards, option{
		"shards", "N", "Shards of the daemon in this process.",
		"faster ticks on many cores; more than physical cores slows every tick.",
	})
	f.number(&o.cfg.Threads, option{
		"threads", "N", "Goroutines that run its pipeline; 0 chooses by cores.", "see how it gains from threads on this machine.",
	})
	f.toggle(&o.load.IsEcho, option{
		"echo", "", "Loads a bare echo server in this process in turn with the daemon, and tells the ratios.",
		"know how much of a figure is HTTP and the machine.",
	})
}

// addResultFlags adds the flags that say what becomes of the result.
func (o *benchOptions) addResultFlags(f *flags) {
	f.text(&o.json, option{"json", "FILE", "Writes the result as JSON, histograms included.", "compare it later."})
	f.text(&o.hgrm, option{
		"hgrm", "FILE", "Writes percentile distributions in HdrHistogram's text form: FILE, and beside it service times and kinds.",
		"its plotter draws them.",
	})
	f.text(&o.html, option{"html", "FILE", "Writes a report with plots, in one file.", "show it to somebody."})
	f.toggle(&o.isCompare, option{
		"compare", "", "Compares two results instead: --compare A.json B.json.", "see what a change has done.",
	})
	f.number(&o.thresholdPercent, option{
		"threshold", "N", "By how many percent a figure of --compare must be worse to be called so.",
		"machines that are shared move by more from run to run.",
	})
	f.toggle(&o.isFailing, option{
		"fail", "", "Ends --compare with code 1 when a figure is worse.", "a pipeline that must not get slower.",
	})
}

// check completes the load, and says everything that is wrong with the flags.
func (o *benchOptions) check() error {
	var faults []error
	var err error
	if o.load.Mix, err = bench.ParseMix(o.mix); err != nil {
		faults = append(faults, fmt.Errorf("--mix: %w", err))
	}
	if o.rate != "" {
		if o.load.Rate, err = bench.ParseRate(o.rate); err != nil {
			faults = append(faults, fmt.Errorf("--rate: %w", err))
		}
	}
	if o.thresholdPercent < 0 {
		faults = append(faults, fmt.Errorf("--threshold is %d, want 0 or more", o.thresholdPercent))
	}
	if o.url != "" && o.data != dataNone {
		faults = append(faults, errors.New("--data is for the daemon in this process, and --url names another"))
	}
	if o.url == "" && o.tlsCA+o.cert != "" {
		faults = append(faults, errors.New("--tls-ca and --tls-cert are for --url"))
	}
	if (o.cert == "") != (o.key == "") {
		faults = append(faults, errors.New("--tls-cert and --tls-key go together"))
	}
	o.load.Format, o.load.Seed, o.load.URL = bench.Format(o.format), o.seed, o.url
	if o.url == "" {
		o.load.URL = "http://127.0.0.1:0" // until the daemon listens
		const spare = 1024
		o.cfg.AccountsMax = uint32(max(0, o.load.Accounts)) + spare
	}
	o.cfg.Now = func() int64 { return time.Now().UnixMilli() }
	return errors.Join(append(faults, o.load.Check(), o.cfg.Validate(), o.checkData())...)
}

// checkData refuses a directory that holds something: nobody wants this load in a journal of
// theirs.
func (o *benchOptions) checkData() error {
	if o.data == dataNone || o.url != "" {
		return nil
	}
	entries, err := os.ReadDir(o.data)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && len(entries) > 0 {
		err = fmt.Errorf("%s is not empty, and the load must not get into a journal that somebody needs", o.data)
	}
	if err != nil {
		return fmt.Errorf("--data: %w", err)
	}
	return nil
}

// loadTLS returns how an https URL is spoken to.
func (o *benchOptions) loadTLS() (*tls.Config, error) {
	if o.tlsCA+o.cert == "" {
		return nil, nil //nolint:nilnil // whom the system trusts
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.tlsCA != "" {
		text, err := os.ReadFile(o.tlsCA)
		if err != nil {
			return nil, fmt.Errorf("--tls-ca: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("--tls-ca: %s holds no certificate in PEM form", o.tlsCA)
		}
	}
	if o.cert != "" {
		pair, err := tls.LoadX509KeyPair(o.cert, o.key)
		if err != nil {
			return nil, fmt.Errorf("--tls-cert: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// runBench loads a daemon, or compares two results.
func runBench(ctx context.Context, p *process) int {
	f, o := newBenchFlags(slices.ContainsFunc(p.args, func(arg string) bool {
		return strings.HasPrefix(strings.TrimLeft(arg, "-"), "compare") && strings.HasPrefix(arg, "-")
	}))
	if code, done := p.parse(f); done {
		return code
	}
	if o.isCompare && o.second == "" {
		return p.misused(f, errors.New("--compare wants A.json B.json behind it"))
	}
	err := o.check()
	if err == nil {
		o.load.TLS, err = o.loadTLS()
	}
	if err != nil {
		return p.misused(f, err)
	}
	if o.isCompare {
		return o.compare(p)
	}
	target := o.url
	if o.url == "" {
		d, code := o.start(ctx, p)
		if d == nil {
			return code
		}
		defer func() { _ = d.stop() }() // what it held is not needed any more
		o.load.URL, target = d.url(), o.where()
	}
	screen := newScreen(p.stderr)
	o.load.Progress, o.load.InPlace, o.load.Alarm = p.stderr, screen.isTerminal, newAlarm
	report, err := bench.RunLoad(ctx, o.load)
	if report == nil {
		printf(p.stderr, "plimsoll bench: %v\n", err)
		return exitFault
	}
	report.Load.Target, report.Flags = target, valuesOf(f)
	if err != nil {
		printf(p.stderr, "plimsoll bench: ended early: %v\n", err)
	}
	if err := errors.Join(err, report.WriteText(p.stdout), o.write(report)); err != nil {
		printf(p.stderr, "plimsoll bench: %v\n", err)
		return exitFault
	}
	if count := report.ErrorCount(); count > 0 {
		printf(p.stderr, "plimsoll bench: %d requests came to an error\n", count)
		return exitFault
	}
	return exitDone
}

// where says in words where the daemon in this process is.
func (o *benchOptions) where() string {
	text := "a daemon in this process, over loopback"
	if o.data == dataNone {
		return text + "; nothing is journaled"
	}
	return text + "; journaled in a directory"
}

// start runs a daemon in this process.
func (o *benchOptions) start(ctx context.Context, p *process) (d *daemon, code int) {
	listener, err := listen(ctx, "127.0.0.1:0", false)
	if err != nil {
		printf(p.stderr, "plimsoll bench: %v\n", err)
		return nil, exitListen
	}
	log := slog.New(slog.NewTextHandler(p.stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	d = newDaemon(&o.cfg, listener, nil)
	d.listen()
	if o.data == dataNone {
		var e *engine.Engine
		if e, err = engine.New(o.cfg); err == nil {
			d.open(e)
		}
	} else {
		keep := defaultKeep()
		err = d.recover(&o.cfg, keep.journal(o.data, p, log), log)
	}
	if err != nil {
		printf(p.stderr, "plimsoll bench: %v\n", errors.Join(err, d.stop()))
		return nil, codeOf(err)
	}
	d.setReady()
	return d, exitDone
}

// write writes the files that were asked for.
func (o *benchOptions) write(r *bench.Report) error {
	const mode = 0o644
	put := func(path string, text []byte, err error) error {
		if err != nil {
			return err
		}
		return os.WriteFile(path, text, mode)
	}
	var faults []error
	if o.json != "" {
		text, err := r.JSON()
		faults = append(faults, put(o.json, text, err))
	}
	if o.html != "" {
		text, err := r.HTML()
		faults = append(faults, put(o.html, text, err))
	}
	if o.hgrm != "" {
		files, err := r.HGRMFiles()
		faults = append(faults, err)
		ext := filepath.Ext(o.hgrm)
		for suffix, text := range files {
			faults = append(faults, put(strings.TrimSuffix(o.hgrm, ext)+suffix+ext, text, nil))
		}
	}
	return errors.Join(faults...)
}

// compare prints the differences between two results.
func (o *benchOptions) compare(p *process) int {
	a, err := bench.ReadReport(o.first)
	b, errB := bench.ReadReport(o.second)
	if err = errors.Join(err, errB); err != nil {
		printf(p.stderr, "plimsoll bench: %v\n", err)
		return exitFault
	}
	const percent = 100
	c := bench.Compare(a, b, float64(o.thresholdPercent)/percent)
	if err := c.WriteText(p.stdout); err != nil {
		printf(p.stderr, "plimsoll bench: %v\n", err)
		return exitFault
	}
	if o.isFailing && c.Worse() > 0 {
		return exitFault
	}
	return exitDone
}

// valuesOf returns the flags as they were in force, without the secret.
func valuesOf(f *flags) map[string]string {
	values := map[string]string{}
	for i := range f.order {
		if name := f.order[i].name; name != "token" {
			values[name] = f.set.Lookup(name).Value.String()
		}
	}
	return values
}
