// Plimsoll is a portfolio-margin risk engine for an exchange: one daemon behind HTTP.
//
//	main.go      which verb               daemon.go    engine, names and HTTP as one thing
//	flags.go     flags and environment    listing.go   a universe as commands
//	serve*.go    plimsoll serve           keep.go      what a data directory is kept with
//	access.go    tokens, TLS, limits       notify.go    the service manager
//	settings.go  what must not change     past.go      a data directory's state as of a place
//	replay.go, inspect.go, verify.go, backup.go, restore.go, demo*.go, bench*.go, version.go: the
//	other verbs
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Exit codes of every verb.
const (
	exitDone   = 0
	exitFault  = 1 // something failed while running
	exitUsage  = 2 // flags, verbs or environment are wrong; nothing was started
	exitDamage = 3 // what is on disk is not what was written there; nothing was changed
	exitListen = 4 // the address cannot, or must not, be listened on
	// 70 and 71 are journal.ExitStorageFault and ExitStorageHangs: the disk refused or kept a write.
)

// process is what a verb sees of the world.
type process struct {
	args      []string  // after the verb
	stdin     io.Reader // nil: there is none
	stdout    io.Writer
	stderr    io.Writer
	lookupEnv func(name string) (string, bool)
	environ   func() []string // nil: nobody can list it
}

// verb is one thing the binary can do.
type verb struct {
	name  string
	about string
	run   func(ctx context.Context, p *process) int
}

func verbs() []verb {
	return []verb{
		{"serve", "run the daemon", serve},
		{"demo", "run the daemon on captured accounts and many synthetic ones, under a stream of ticks", demo},
		{"bench", "load a daemon and tell its throughput, and its latency from when each request was due", runBench},
		{"replay", "rebuild the state of a data directory as of any place in its order, and hash it", replay},
		{"inspect", "print the frames and snapshots of a data directory", inspect},
		{"verify", "check every checksum, link and state hash of a data directory", verify},
		{"backup", "copy the snapshots and the frames of a data directory, which may be in use", backup},
		{"restore", "make a data directory of a backup, as of any place in it", restore},
		{"check-config", "check flags, environment and files of serve, and print what it would use", checkConfig},
		{"token", "make a bearer token and its line for --auth-file", token},
		{"version", "print the version", version},
	}
}

func main() {
	ctx, stop := context.WithCancel(context.Background())
	go endOnSignal(stop)
	code := run(ctx, &process{
		args: os.Args[1:], stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, lookupEnv: os.LookupEnv, environ: os.Environ,
	})
	stop()
	os.Exit(code)
}

// endOnSignal stops the verb on the first signal, and the process on the second: whoever
// sends one does not want to wait for what is in flight.
func endOnSignal(stop func()) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	<-signals
	stop()
	again := <-signals
	printf(os.Stderr, "plimsoll: %s again: ends at once; what was acknowledged is in the data directory\n", again)
	os.Exit(exitFault)
}

// run chooses the verb and returns the exit code. The verb ends when ctx does.
func run(ctx context.Context, p *process) int {
	if len(p.args) == 0 {
		printVerbs(p.stderr)
		return exitUsage
	}
	name := p.args[0]
	p.args = p.args[1:]
	switch name {
	case "help", "--help", "-help", "-h":
		printVerbs(p.stdout)
		return exitDone
	}
	for _, v := range verbs() {
		if v.name == name {
			return v.run(ctx, p)
		}
	}
	printf(p.stderr, "plimsoll: there is no verb %q\n\n", name)
	printVerbs(p.stderr)
	return exitUsage
}

func printVerbs(w io.Writer) {
	printf(w, "Plimsoll: a portfolio-margin risk engine\n\nUsage: plimsoll VERB [flags]\n\n")
	for _, v := range verbs() {
		printf(w, "  %-12s  %s\n", v.name, v.about)
	}
	printf(w, "\n'plimsoll VERB --help' gives every flag, its default and why one would change it.\n"+
		"Exit codes: 0 done, 1 runtime fault, 2 usage, 3 data damaged, 4 cannot listen, 70 storage fault, 71 storage hangs.\n")
}

// parse reads the flags of a verb. done says that the verb has nothing left to do and
// ends with code.
func (p *process) parse(f *flags) (code int, done bool) {
	err := f.parse(p.args, p.lookupEnv)
	switch {
	case err == nil:
		return exitDone, false
	case errors.Is(err, flag.ErrHelp):
		f.printHelp(p.stdout)
		return exitDone, true
	default:
		return p.misused(f, err), true
	}
}

// misused reports wrong usage of a verb.
func (p *process) misused(f *flags, err error) int {
	printf(p.stderr, "plimsoll %s: %v\n\n", f.verb, err)
	f.printUsage(p.stderr)
	return exitUsage
}

// printf prints to a stream of the process. Nobody is left to tell when that fails.
func printf(w io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }
