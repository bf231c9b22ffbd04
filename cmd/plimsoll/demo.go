package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"plimsoll/internal/engine"
	"plimsoll/internal/universe"
)

// demoOptions are the flags of plimsoll demo.
type demoOptions struct {
	serve    *serveOptions // the daemon's own
	accounts int
	seconds  int
	tickMs   int
	seed     uint64
	isJSON   bool
	isCrash  bool
}

// spareAccounts are the slots left to captured accounts and to HTTP users.
const spareAccounts = 65_536

func newDemoFlags() (*flags, *demoOptions) {
	_, s := newServeFlags()
	o := &demoOptions{serve: s, accounts: 1_000_000, seconds: 0, tickMs: 3000, seed: 1}
	f := newFlags("demo", "Starts the daemon in this process on captured markets and accounts, adds synthetic accounts drawn around\n"+
		"them, streams ticks that move as the captured prices did, and prints a live table. HTTP is served all the while.\n"+
		"NOTHING IS KEPT.")
	f.number(&o.accounts, option{
		"accounts", "N", "Synthetic accounts.",
		"fewer for a quick look, more to see where this machine ends.",
	})
	f.number(&o.seconds, option{"seconds", "S", "How long ticks are streamed; 0 = until interrupted.", "scripts want an end."})
	f.toggle(&o.isJSON, option{
		"json", "", "Prints the figures as one JSON line, last on stdout; the table goes to stderr.",
		"scripts read it.",
	})
	f.text(&s.listen, option{
		"listen", "HOST:PORT", "Address of the HTTP API, loopback only.",
		"the port is taken; port 0 takes any free one.",
	})
	f.number64(&o.seed, option{
		"seed", "K", "Seed of accounts and ticks.",
		"another market; equal seeds give equal accounts and ticks.",
	})
	f.toggle(&o.isCrash, option{
		"crash", "", "Has prices fall as on 10 October 2025 within the first twelve minutes of market time: BTC by 13.1 %, " +
			"SOL by 26 %, HYPE by half. No market takes what is liquidated.",
		"see how many are liquidated, taken over and deleveraged.",
	})
	f.number(&o.tickMs, option{
		"tick-ms", "MS", "Market time of one tick, in milliseconds (the venue's oracle moves every 3 s).",
		"longer steps make accounts change bands sooner.",
	})
	f.number(&s.cfg.Shards, option{
		"shards", "N", "Accounts are split this many ways (half the cores less one by default).",
		"faster ticks on many cores; more than physical cores slows every tick.",
	})
	f.number(&s.cfg.Threads, option{
		"threads", "N", "Goroutines that run the pipeline; 0 chooses by cores.",
		"see how ticks gain from threads on this machine.",
	})
	return f, o
}

func (o *demoOptions) check() error {
	const accountsMax = 100_000_000
	if o.accounts < 0 || o.accounts > accountsMax {
		return fmt.Errorf("--accounts is %d, want 0 to %d", o.accounts, accountsMax)
	}
	if o.seconds < 0 {
		return fmt.Errorf("--seconds is %d, want 0 or more", o.seconds)
	}
	if o.tickMs < 1 || o.tickMs > 3_600_000 {
		return fmt.Errorf("--tick-ms is %d, want 1 to 3600000", o.tickMs)
	}
	o.serve.accountsMax = o.accounts + spareAccounts
	return o.serve.check()
}

// demo runs the whole daemon under load.
func demo(ctx context.Context, p *process) int {
	f, o := newDemoFlags()
	if code, done := p.parse(f); done {
		return code
	}
	if err := o.check(); err != nil {
		return p.misused(f, err)
	}
	listener, err := listen(ctx, o.serve.listen, false)
	if err != nil {
		printf(p.stderr, "plimsoll demo: cannot listen on %s: %v\n", o.serve.listen, err)
		return exitListen
	}
	e, err := engine.New(o.serve.cfg)
	if err != nil {
		printf(p.stderr, "plimsoll demo: %v\n", err)
		return exitFault
	}
	d := newDaemon(&o.serve.cfg, listener, nil)
	d.open(e)
	d.listen()
	out := p.stdout
	if o.isJSON {
		out = p.stderr
	}
	s := &show{d: d, o: o, screen: newScreen(out)}
	err = s.run(ctx)
	if stopErr := d.stop(); err == nil && stopErr != nil {
		err = stopErr
	}
	switch {
	case errors.Is(err, context.Canceled) && !s.hasRun:
		printf(p.stderr, "plimsoll demo: interrupted while loading\n")
		return exitDone
	case err != nil && !errors.Is(err, context.Canceled):
		printf(p.stderr, "plimsoll demo: %v\n", err)
		return exitFault
	}
	if o.isJSON {
		line, err := json.Marshal(&s.summary)
		if err != nil {
			printf(p.stderr, "plimsoll demo: %v\n", err)
			return exitFault
		}
		printf(p.stdout, "%s\n", line)
	}
	return exitDone
}

// show is one run of the demo.
type show struct {
	d       *daemon
	o       *demoOptions
	screen  *screen
	fit     fitted
	figures figures
	summary summary
	hasRun  bool // ticks were streamed: there is something to report
}

// run lists, imports, loads and ticks, in this order.
func (s *show) run(ctx context.Context) error {
	u := universe.Embedded()
	fund := []depositCommand{{"deposit", liquidatorAddress, "USDC", liquidatorFund}}
	if err := errors.Join(s.d.load(&u), s.d.openLiquidator(), apply(s.d, fund)); err != nil {
		return err
	}
	s.fit = fit(&u)
	s.opening(&u)
	captures, err := s.importCaptures(&u)
	if err != nil {
		return err
	}
	s.d.setReady()
	s.summary = summary{
		Version: versionText(), Shards: s.d.shards, Seed: s.o.seed, NothingIsKept: s.d.engine.Status().NothingIsKept,
		RSSBytesEmpty: residentBytes(),
	}
	m, err := readMarket(s.d)
	if err != nil {
		return err
	}
	if err := s.load(ctx, m, &u, captures); err != nil {
		return err
	}
	s.hasRun = true
	ctx, stop := context.WithCancel(ctx)
	if s.figures.events, err = watch(ctx, s.d.url()); err != nil {
		stop()
		return err
	}
	defer func() {
		stop()
		<-s.figures.events.done
	}()
	walk := newWalker(s.o.seed, m, &s.fit, int64(s.o.tickMs))
	if s.o.isCrash {
		walk.crash(m, int64(s.o.tickMs))
	}
	return errors.Join(s.stream(ctx, &ticker{d: s.d, walk: walk}), s.settle(ctx))
}

// settle says what liquidations came to in the end.
func (s *show) settle(ctx context.Context) error {
	totals, err := s.figures.events.client.Totals(context.WithoutCancel(ctx))
	if err != nil {
		return err
	}
	s.summary.Negative = totals.Negative
	s.screen.line("%s; %s accounts below zero; ledger: solvent %v",
		s.figures.liquidationLine(), countText(totals.Negative), totals.Solvent)
	return nil
}

// opening says what runs.
func (s *show) opening(u *universe.Universe) {
	delisted := 0
	for i := range u.Perps {
		if u.Perps[i].IsDelisted {
			delisted++
		}
	}
	median, btc := s.fit.volatilities()
	s.screen.line("Plimsoll %s answers on %s (try %s/v1/status); shards: %d; NOTHING IS KEPT",
		versionText(), s.d.url(), s.d.url(), s.d.shards)
	s.screen.line("markets: %d perps (%d delisted, halted), %d dexes, %d tokens, %d spot pairs",
		len(u.Perps), delisted, len(u.Dexes), len(u.Tokens), len(u.Spots))
	s.screen.line("ticks: %d perps with a history; daily volatility BTC %s %%, median perp %s %%; one tick is %s of market time",
		s.fit.moved, decimalText(btc, 2), decimalText(median, 2), time.Duration(s.o.tickMs)*time.Millisecond)
}

// importCaptures imports the captured accounts, each at its own prices, through the decoder
// of HTTP users. The portfolio accounts come last and touch different perps, so all their
// captured prices are in force at the end, when their ratios are read.
func (s *show) importCaptures(u *universe.Universe) ([]*captured, error) {
	captures, err := readCaptures()
	if err != nil {
		return nil, err
	}
	im := &importer{u: u}
	for _, c := range captures {
		tick, movedPPM := im.prices(c)
		if err = apply(s.d, []priceCommand{tick}); err == nil {
			err = apply(s.d, []importCommand{im.command(c)})
		}
		if err != nil {
			return nil, fmt.Errorf("capture %s: %w", c.name, err)
		}
		if c.mode != modePortfolio {
			continue
		}
		s.figures.ratios = append(s.figures.ratios, ratioNow{
			capture: c.name, account: c.account, slot: s.d.dir.Account([]byte(c.account)), venue: c.ratio,
		})
		if movedPPM > 0 {
			s.screen.line("%s: a capture of two replies, seconds apart; marks moved by <= %d millionths to the moment of the ratio",
				c.name, movedPPM)
		}
	}
	s.screen.line("captured accounts: %d, imported at their captured prices (%d positions and balances of unlisted markets left out)",
		len(captures), im.skipped)
	for i := range s.figures.ratios {
		r := &s.figures.ratios[i]
		if r.atPrice, err = s.d.readRatio(r.slot); err != nil {
			return nil, err
		}
		verdict := "equal to the digit"
		if r.atPrice != r.venue {
			verdict = "NOT EQUAL"
		}
		s.screen.line("  %-32s portfolio margin ratio %s, the venue said %s: %s", r.capture, r.atPrice, r.venue, verdict)
	}
	return captures, nil
}

// load imports the synthetic accounts, with a progress bar.
func (s *show) load(ctx context.Context, m *market, u *universe.Universe, captures []*captured) error {
	if s.o.accounts == 0 {
		return nil
	}
	synthesizer, err := newSynthesizer(s.o.seed, m, u, captures, s.o.accounts)
	if err != nil {
		return err
	}
	start := time.Now()
	bar := &progress{screen: s.screen, total: s.o.accounts, start: start}
	l := &loader{d: s.d, s: synthesizer}
	err = l.run(ctx, s.o.accounts, bar.told)
	bar.end(l.loaded)
	took := time.Since(start)
	s.summary.Synthetic, s.summary.LoadSeconds = l.loaded, secondsNumber(took)
	s.summary.LoadPerSecond = json.Number(rateText(uint64(l.loaded), took))
	debug.FreeOSMemory() // what growing left behind
	resident := residentBytes()
	s.screen.line("loaded in %s s, %s accounts/s; resident memory %s MB, everything included: %s bytes an account",
		s.summary.LoadSeconds, s.summary.LoadPerSecond, countText(resident/million), countText(resident/uint64(max(1, l.loaded))))
	return err
}

// stream ticks until the time is up or ctx ends, and shows the figures each second.
func (s *show) stream(ctx context.Context, t *ticker) error {
	s.figures.times = &t.times
	start := time.Now()
	shown, shownTicks := start, uint64(0)
	for {
		now := time.Now()
		isOver := ctx.Err() != nil || s.o.seconds > 0 && now.Sub(start) >= time.Duration(s.o.seconds)*time.Second
		if isOver || now.Sub(shown) >= time.Second {
			f := &s.figures
			f.ticks, f.elapsed = t.times.count, now.Sub(start)
			f.lately, f.latelyIn = f.ticks-shownTicks, now.Sub(shown)
			if err := s.read(); err != nil {
				return err
			}
			s.screen.show(f)
			shown, shownTicks = now, f.ticks
		}
		if isOver {
			s.figures.summarise(&s.summary)
			return ctx.Err()
		}
		select {
		case err := <-s.d.served:
			return fmt.Errorf("the HTTP server has ended: %w", err)
		default:
		}
		if err := t.tick(); err != nil {
			return err
		}
	}
}

// read takes the figures of this moment from the engine.
func (s *show) read() (err error) {
	f := &s.figures
	f.marketMs = int64(f.ticks) * int64(s.o.tickMs)
	if f.sums, err = s.d.readSums(); err != nil {
		return err
	}
	m, err := readMarket(s.d)
	if err != nil {
		return err
	}
	f.buffer = m.token(m.numeraire).Pool.Buffer.V
	for i := range f.ratios {
		if f.ratios[i].now, err = s.d.readRatio(f.ratios[i].slot); err != nil {
			return err
		}
	}
	return nil
}

// progress shows how far loading is: on a terminal a bar, elsewhere a line now and then.
type progress struct {
	screen *screen
	total  int
	start  time.Time
	last   time.Time
}

// told is called after every batch; most calls print nothing.
func (p *progress) told(loaded int) {
	pause := 2 * time.Second
	if p.screen.isTerminal {
		pause = 200 * time.Millisecond
	}
	if now := time.Now(); now.Sub(p.last) >= pause {
		p.last = now
		p.print(loaded, "")
	}
}

func (p *progress) end(loaded int) { p.print(loaded, "\n") }

func (p *progress) print(loaded int, end string) {
	rate := perSecondText(uint64(loaded), time.Since(p.start))
	text := fmt.Sprintf("synthetic accounts: %s of %s, %s/s", countText(uint64(loaded)), countText(uint64(p.total)), rate)
	if !p.screen.isTerminal {
		p.screen.line("%s", text)
		return
	}
	const width = 30
	bar := [width]byte{}
	for i := range bar {
		bar[i] = '.'
		if i*p.total < loaded*width {
			bar[i] = '#'
		}
	}
	printf(p.screen.w, "\r\x1b[2K[%s] %s%s", bar[:], text, end)
}
