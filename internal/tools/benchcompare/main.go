package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// options are the flags.
type options struct {
	root      string
	base      string
	bench     string
	packages  string
	benchtime string
	rounds    int
	slowdown  float64 // 0.15: a ratio above 1.15 is too slow
	isShort   bool
	isForced  bool
}

// Exit codes.
const (
	exitFine    = 0
	exitWorse   = 1
	exitUnknown = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, out, complaints io.Writer) int {
	o, err := parse(args, complaints)
	if err != nil {
		return exitUnknown
	}
	worse, err := compare(ctx, o, out)
	switch {
	case errors.Is(err, errNothing):
		fmt.Fprintln(out, "bench-compare: nothing to compare with:", strings.TrimPrefix(err.Error(), errNothing.Error()+": "))
		return exitFine
	case err != nil:
		fmt.Fprintln(complaints, "bench-compare:", err)
		return exitUnknown
	case len(worse) > 0:
		fmt.Fprintf(out, "bench-compare: %d rows got worse, twice in a row:\n", len(worse))
		for _, v := range worse {
			fmt.Fprintln(out, " ", v)
		}
		return exitWorse
	}
	fmt.Fprintln(out, "bench-compare: no row got worse")
	return exitFine
}

func parse(args []string, complaints io.Writer) (*options, error) {
	o := &options{}
	flags := flag.NewFlagSet("benchcompare", flag.ContinueOnError)
	flags.SetOutput(complaints)
	flags.StringVar(&o.root, "root", ".", "any folder of the working tree")
	flags.StringVar(&o.base, "base", "",
		"commit to compare with; default: where the branch left the main one, else HEAD of a changed tree, else its parent")
	flags.StringVar(&o.bench, "bench", ".", "benchmarks to run, as of go test -bench")
	flags.StringVar(&o.packages, "packages", "./...", "packages that have them, separated by spaces")
	flags.StringVar(&o.benchtime, "benchtime", "100ms", "of one run of one row; longer is steadier")
	flags.IntVar(&o.rounds, "rounds", 10, "runs of each side; fewer than 5 can prove nothing at p < 0.01")
	flags.Float64Var(&o.slowdown, "slowdown", 0.15, "slowdown that fails, as a part of the old time")
	flags.BoolVar(&o.isShort, "short", true, "have benchmarks leave out their large cases")
	flags.BoolVar(&o.isForced, "force", false, "run even binaries that are the same byte for byte: shows the noise")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if o.rounds < roundsMin || o.slowdown <= 0 || flags.NArg() > 0 {
		err := fmt.Errorf("want at least %d rounds, a slowdown above 0 and no arguments", roundsMin)
		fmt.Fprintln(complaints, "bench-compare:", err)
		return nil, err
	}
	return o, nil
}

// compare measures both sides and returns what got worse.
func compare(ctx context.Context, o *options, out io.Writer) (worse []verdict, err error) {
	tree, err := openTree(ctx, o.root)
	if err != nil {
		return nil, err
	}
	base, why, err := tree.base(ctx, o.base)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(out, "bench-compare: base %s (%s), %d rounds, benchtime %s\n", base[:12], why, o.rounds, o.benchtime)
	scratch, err := os.MkdirTemp("", "bench-compare-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(scratch)
	oldRoot, remove, err := tree.checkOut(ctx, base, scratch)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	pairs, err := build(ctx, o, oldRoot, tree.root, scratch, out)
	if err != nil {
		return nil, err
	}
	for _, p := range pairs {
		again, err := p.judge(ctx, o, out)
		if err != nil {
			return nil, err
		}
		worse = append(worse, again...)
	}
	return worse, nil
}

// judge measures one package, and what looks worse once more.
func (p *pair) judge(ctx context.Context, o *options, out io.Writer) ([]verdict, error) {
	first, err := p.measure(ctx, o, o.bench, out)
	if err != nil {
		return nil, err
	}
	var worse []verdict
	oneSided := 0
	for _, v := range first.verdicts(p.name, o.slowdown) {
		if v.isOneSided {
			oneSided++
			continue
		}
		fmt.Fprintln(out, " ", v)
		if !v.isWorse() {
			continue
		}
		second, err := p.measure(ctx, o, v.pattern(), out)
		if err != nil {
			return nil, err
		}
		for _, w := range second.verdicts(p.name, o.slowdown) {
			if w.row == v.row {
				fmt.Fprintln(out, "  again:", w)
				if w.isAgain(&v) {
					worse = append(worse, w)
				}
			}
		}
	}
	if oneSided > 0 {
		fmt.Fprintf(out, "  %d rows are on one side only: not judged\n", oneSided)
	}
	return worse, nil
}
