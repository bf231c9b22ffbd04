package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"
)

// loadRun is one run of the tool.
type loadRun struct {
	load   *Load
	venue  *loadVenue
	ours   *loadFleet
	echo   *loadFleet // nil: none
	server *echoServer
	began  time.Time // of the run at one rate
	report *Report
}

// RunLoad makes markets and accounts on the daemon at l.URL, loads it, and reports what was
// measured. When ctx ends in the middle the report holds what was measured until then, and the
// error is that of ctx.
func RunLoad(ctx context.Context, l Load) (report *Report, err error) {
	if err := l.Check(); err != nil {
		return nil, err
	}
	r := &loadRun{load: &l, report: newReport(&l)}
	r.note("setting up %d accounts with %d positions each on %s", l.Accounts, l.Positions, l.URL)
	if r.venue, err = newLoadVenue(ctx, &l); err != nil {
		return nil, fmt.Errorf("set up: %w", err)
	}
	r.report.Load.Daemon = r.venue.version
	defer func() { err = errors.Join(err, r.close()) }()
	if err := r.open(ctx); err != nil {
		return nil, err
	}
	runtime.GC() // what the setup left behind
	err = r.measure(ctx)
	r.report.Tidied = r.ours.tidy.commands.Load()
	if fault := r.ours.tidy.fault.Load(); fault != nil {
		r.report.Faults = append(r.report.Faults, "tidying: "+(*fault).Error())
	}
	if errors.Is(err, context.Canceled) && len(r.report.Runs) == 0 {
		return nil, err
	}
	return r.report, err
}

// open opens the connections.
func (r *loadRun) open(ctx context.Context) (err error) {
	if r.ours, err = newLoadFleet(ctx, r.venue, false, r.load); err != nil || !r.load.IsEcho {
		return err
	}
	if r.server, err = startEcho(ctx); err != nil {
		return err
	}
	echo := *r.load
	echo.URL, echo.TLS = "http://"+r.server.addr.String(), nil
	r.echo, err = newLoadFleet(ctx, r.venue, true, &echo)
	return err
}

// close ends what open and the setup have begun.
func (r *loadRun) close() (err error) {
	for _, f := range []*loadFleet{r.ours, r.echo} {
		if f != nil {
			f.close()
		}
	}
	if r.server != nil {
		err = r.server.stop()
	}
	const long = 10 * time.Second
	ctx, cancel := context.WithTimeout(context.Background(), long)
	defer cancel()
	return errors.Join(err, r.venue.cancelAll(ctx))
}

// measure goes through all that was asked for.
func (r *loadRun) measure(ctx context.Context) error {
	if err := r.warmUp(ctx); err != nil {
		return err
	}
	perSecond := r.load.Rate.PerSecond
	if r.load.needsMax() {
		if err := r.findMax(ctx); err != nil {
			return err
		}
		if r.load.Rate.OfMax > 0 {
			perSecond = r.load.Rate.OfMax * r.report.Max.Requests
		}
	}
	if r.load.IsMax {
		if err := r.findKeptUp(ctx); err != nil {
			return err
		}
	}
	if perSecond > 0 {
		if err := r.main(ctx, perSecond); err != nil {
			return err
		}
	}
	if r.load.IsCurve {
		return r.curve(ctx)
	}
	return nil
}

// warmUp sends the load without counting it.
func (r *loadRun) warmUp(ctx context.Context) error {
	if r.load.WarmUp == 0 {
		return nil
	}
	for _, f := range r.fleets() {
		r.note("warm-up of %s for %s", f.name, r.load.WarmUp)
		if err := f.drive(ctx, r.load.Rate.PerSecond, r.load.WarmUp, newRecorder()); err != nil {
			return err
		}
	}
	return nil
}

// target is a server that is measured.
type target struct {
	*loadFleet
	name     string
	recorder *recorder
}

// fleets returns what is measured: the daemon, and the echo server if it was asked for.
func (r *loadRun) fleets() []*target {
	all := []*target{{r.ours, "plimsoll", newRecorder()}}
	if r.echo != nil {
		all = append(all, &target{r.echo, "echo", newRecorder()})
	}
	return all
}

// findMax has every connection send its next request as soon as the last is answered, in eleven
// short rounds, the daemon's and the echo server's in turn. The maximum is the median of the rounds.
func (r *loadRun) findMax(ctx context.Context) error {
	const rounds, part, roundMin, roundMax = 11, 20, 50 * time.Millisecond, time.Second
	long := min(max(r.load.For/part, roundMin), roundMax)
	all := r.fleets()
	rates := make([][]float64, len(all))
	for n := range rounds {
		for i, t := range all {
			round := newRecorder()
			if err := t.drive(ctx, 0, long, round); err != nil {
				return err
			}
			run := round.run(t.name, 0)
			rates[i] = append(rates[i], run.perSecond())
			r.note("max %d/%d  %-8s  %s", n+1, rounds, t.name, run.rateLine())
			r.report.Faults = append(r.report.Faults, round.faults...)
		}
	}
	m := &Max{Rounds: rates[0], Requests: middle(rates[0])}
	m.Commands = m.Requests * float64(r.load.commandsEach())
	if r.echo != nil {
		m.EchoRounds, m.Echo = rates[1], middle(rates[1])
		for i := range rates[0] {
			m.Ratios = append(m.Ratios, rates[0][i]/max(rates[1][i], 1))
		}
		m.Ratio = middle(m.Ratios)
	}
	if m.Requests == 0 {
		return errors.New("nothing was answered")
	}
	r.report.Max = m
	return nil
}

// commandsEach returns how many commands a request carries where the mix has one kind of them.
func (l *Load) commandsEach() int {
	for _, kind := range []Kind{KindOrder, KindFill, KindCancel} {
		if l.Mix[kind] == l.Mix.total() {
			return l.Batch
		}
	}
	return 1
}

// middle returns the median.
func middle(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// findKeptUp halves its way to the highest rate of an open loop that is kept up: p99 from the
// intended start within the bound, nothing refused, no error.
func (r *loadRun) findKeptUp(ctx context.Context) error {
	const steps = 5
	low, high := 0.0, 1.1*r.report.Max.Requests
	long := max(r.load.For/steps, min(time.Second, r.load.For))
	for step := range steps {
		rate := (low + high) / 2
		if step == 0 {
			rate = 0.8 * r.report.Max.Requests
		}
		rec := newRecorder()
		if err := r.ours.drive(ctx, rate, long, rec); err != nil {
			return err
		}
		run := rec.run("plimsoll", rate)
		isKept := run.isKeptUp(r.load.P99Max)
		verdict := "not kept up"
		if isKept {
			low, verdict = rate, "kept up"
		} else {
			high = rate
		}
		r.note("search %d/%d  %s at %.0f/s: %s", step+1, steps, verdict, rate, run.rateLine())
	}
	r.report.Max.KeptUp, r.report.Max.KeptUpP99 = low, int64(r.load.P99Max)
	return nil
}

// main is the measurement at one rate. Daemon and echo server are loaded in turn, half a second or
// a twentieth of the time each, so that both meet the same machine.
func (r *loadRun) main(ctx context.Context, perSecond float64) error {
	const parts, least = 20, 500 * time.Millisecond
	all := r.fleets()
	long := r.load.For
	if len(all) > 1 {
		long = max(r.load.For/parts, min(least, r.load.For))
	}
	before := r.journal(ctx)
	r.began = time.Now()
	var err error
	for left := r.load.For; left > 0 && err == nil; left -= long {
		for _, t := range all {
			if err = r.watched(ctx, t, perSecond, min(long, left)); err != nil {
				break
			}
		}
	}
	if all[0].recorder.took > 0 {
		for _, t := range all {
			r.report.Runs = append(r.report.Runs, t.recorder.run(t.name, perSecond))
			r.report.Faults = append(r.report.Faults, t.recorder.faults...)
		}
		r.report.addJournal(before, r.journal(ctx))
	}
	return err
}

// curve measures at parts of the maximum.
func (r *loadRun) curve(ctx context.Context) error {
	const third = 3
	long := max(r.load.For/third, min(time.Second, r.load.For))
	for _, part := range []float64{0.1, 0.25, 0.5, 0.7, 0.8, 0.9, 0.95, 1} {
		rate := part * r.report.Max.Requests
		for _, t := range r.fleets() {
			if err := t.drive(ctx, rate, long, t.recorder); err != nil {
				return err
			}
			run := t.recorder.run(t.name, rate)
			r.report.Curve = append(r.report.Curve, run.point(part))
			r.report.Faults = append(r.report.Faults, t.recorder.faults...)
			r.note("curve %3.0f%%  %-8s  %s", part*100, t.name, run.rateLine())
		}
	}
	return nil
}

// watched drives a slice, and tells and keeps what each second was like.
func (r *loadRun) watched(ctx context.Context, t *target, perSecond float64, long time.Duration) error {
	done, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		r.watch(t, done)
	}()
	err := t.drive(ctx, perSecond, long, t.recorder)
	close(done)
	<-gone
	return err
}

// watch cuts the seconds of a slice until it is over.
func (r *loadRun) watch(t *target, done <-chan struct{}) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	from := time.Now()
	for isOver := false; !isOver; {
		select {
		case <-ticker.C:
		case <-done:
			isOver = true
		}
		const least = 50 * time.Millisecond // a rest that short is added to nothing
		now := time.Now()
		if isOver && now.Sub(from) < least && len(t.recorder.series) > 0 {
			return
		}
		s := t.recorder.cut(from.Sub(r.began), now.Sub(from))
		from = now
		r.second(t.name, &s)
	}
}
