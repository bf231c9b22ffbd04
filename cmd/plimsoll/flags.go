package main

import (
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// flags are the flags of one verb: each can also be given by the environment, and each
// says why one would change it.
type flags struct {
	verb  string
	about string
	set   *flag.FlagSet
	order []option
	names []operand
	byEnv []string // flags that the environment has set
	args  []string // as given
}

// operand is an argument without a name, such as the directory of replay.
type operand struct {
	name  string // in capitals
	value *string
}

// option describes one flag.
type option struct {
	name string
	arg  string // what stands behind it, in capitals; "" for a switch
	what string // what it is
	why  string // why one would change it
}

func newFlags(verb, about string) *flags {
	set := flag.NewFlagSet(verb, flag.ContinueOnError)
	set.SetOutput(io.Discard)
	return &flags{verb: verb, about: about, set: set}
}

func (f *flags) text(p *string, o option) {
	f.set.StringVar(p, o.name, *p, o.what)
	f.order = append(f.order, o)
}

func (f *flags) number(p *int, o option) {
	f.set.IntVar(p, o.name, *p, o.what)
	f.order = append(f.order, o)
}

func (f *flags) number64(p *uint64, o option) {
	f.set.Uint64Var(p, o.name, *p, o.what)
	f.order = append(f.order, o)
}

func (f *flags) toggle(p *bool, o option) {
	f.set.BoolVar(p, o.name, *p, o.what)
	f.order = append(f.order, o)
}

// operand adds an argument that must be given, in the order of the calls.
func (f *flags) operand(p *string, name string) {
	f.names = append(f.names, operand{name, p})
}

// duration adds a length of time, such as 15m.
func (f *flags) duration(p *time.Duration, o option) {
	f.set.DurationVar(p, o.name, *p, o.what)
	f.order = append(f.order, o)
}

// envPrefix begins the name of every variable of ours.
const envPrefix = "PLIMSOLL_"

// envName returns the environment variable of a flag: PLIMSOLL_ACCOUNTS_MAX.
func (o *option) envName() string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(o.name, "-", "_"))
}

// parse reads the environment and then the arguments, which win. It returns flag.ErrHelp
// when help is asked for.
func (f *flags) parse(args []string, lookupEnv func(string) (string, bool)) error {
	for i := range f.order {
		o := &f.order[i]
		if value, ok := lookupEnv(o.envName()); ok {
			if err := f.set.Set(o.name, value); err != nil {
				return fmt.Errorf("%s=%q: %w", o.envName(), value, err)
			}
			f.byEnv = append(f.byEnv, o.name)
		}
	}
	f.args = args
	if err := f.set.Parse(args); err != nil {
		return err
	}
	for i := range f.names { // flags may stand before and behind them
		if f.set.NArg() == 0 {
			return fmt.Errorf("%s is missing", f.names[i].name)
		}
		*f.names[i].value = f.set.Arg(0)
		if err := f.set.Parse(f.set.Args()[1:]); err != nil {
			return err
		}
	}
	if f.set.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", f.set.Arg(0))
	}
	return nil
}

// source says where the value of a flag comes from.
func (f *flags) source(name string) string {
	for _, arg := range f.args {
		given, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-"), "=")
		if given == name && arg[0] == '-' {
			return "command line"
		}
	}
	if slices.Contains(f.byEnv, name) {
		return "environment"
	}
	return "default"
}

// operands returns the names of the operands, each behind a space.
func (f *flags) operands() string {
	var text strings.Builder
	for i := range f.names {
		text.WriteString(" " + f.names[i].name)
	}
	return text.String()
}

// printUsage prints one line a flag.
func (f *flags) printUsage(w io.Writer) {
	printf(w, "Usage: plimsoll %s%s", f.verb, f.operands())
	for i := range f.order {
		o := &f.order[i]
		if o.arg == "" {
			printf(w, " [--%s]", o.name)
		} else {
			printf(w, " [--%s %s]", o.name, o.arg)
		}
	}
	printf(w, "\n'plimsoll %s --help' explains each.\n", f.verb)
}

// printHelp prints every flag with its default, its environment variable and the reason
// to change it.
func (f *flags) printHelp(w io.Writer) {
	printf(w, "Usage: plimsoll %s%s [flags]\n\n%s\n", f.verb, f.operands(), f.about)
	if len(f.order) == 0 {
		return
	}
	printf(w, "\nFlags; each can also be given by the environment variable named, the command line wins:\n")
	for i := range f.order {
		o := &f.order[i]
		head := "--" + o.name
		if o.arg != "" {
			head += " " + o.arg
		}
		printf(w, "\n  %s   (default %s; %s)\n", head, f.defaultOf(o), o.envName())
		printf(w, "      %s\n      Why change it: %s\n", o.what, o.why)
	}
}

func (f *flags) defaultOf(o *option) string {
	value := f.set.Lookup(o.name).DefValue
	if value == "" {
		return "empty"
	}
	return value
}
