package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/perf/benchfmt"
)

// options are the flags.
type options struct {
	root      string
	from      string
	benchtime string
	isLarge   bool
}

func main() {
	o := &options{}
	flag.StringVar(&o.root, "root", ".", "the project's folder")
	flag.StringVar(&o.from, "from", "", "read a run from this file, relative to root, and measure nothing; an empty one gives an empty table")
	flag.StringVar(&o.benchtime, "benchtime", "1s", "of one row")
	flag.BoolVar(&o.isLarge, "large", false, "with ten million accounts: needs 8 GB")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "bench-results:", err)
		os.Exit(1)
	}
}

func run(o *options) error {
	file := o.from
	if file == "" {
		file = filepath.Join("bin", "results.txt")
		if err := measure(o, filepath.Join(o.root, file)); err != nil {
			return err
		}
	}
	text, err := os.ReadFile(filepath.Join(o.root, file))
	if err != nil {
		return err
	}
	all, head, err := read(bytes.NewReader(text))
	if err != nil {
		return err
	}
	if len(all) == 0 && o.from == "" {
		return fmt.Errorf("%s holds no benchmark", file)
	}
	return os.WriteFile(filepath.Join(o.root, "bench", "RESULTS.md"), page(all, head), 0o644)
}

// measure runs the benchmarks into a file, headed by what only the running machine knows.
func measure(o *options, file string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	args := []string{"test", "./bench", "-run", "^$", "-bench", pattern, "-benchmem", "-benchtime", o.benchtime, "-timeout", "4h"}
	c := exec.Command("go", args...)
	c.Dir, c.Env = o.root, environment()
	command := "go " + strings.ReplaceAll(strings.Join(args, " "), pattern, "'"+pattern+"'")
	if o.isLarge {
		c.Env = append(c.Env, largeEnv+"=1")
		command = largeEnv + "=1 " + command
	}
	fmt.Fprintf(out, "command: %s\ndate: %s\nmachine: %s\nload-before: %s\ncommit: %s\n",
		command, time.Now().UTC().Format("2 January 2006, 15:04 UTC"), machine(), load(), commit(o.root))
	c.Stdout, c.Stderr = io.MultiWriter(out, os.Stdout), os.Stderr
	if err := c.Run(); err != nil {
		return fmt.Errorf("%s: %w", command, err)
	}
	fmt.Fprintf(out, "load-after: %s\n", load())
	return out.Close()
}

// largeEnv has the benchmarks add ten million accounts.
const largeEnv = "PLIMSOLL_BENCH_LARGE"

// environment is ours without what the caller's go left there.
func environment() []string {
	var kept []string
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); name != "GOFLAGS" && name != "PWD" && name != largeEnv {
			kept = append(kept, v)
		}
	}
	return kept
}

func machine() string {
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return fmt.Sprintf("%d cores, %s %s, %s", runtime.NumCPU(), runtime.GOOS, bytes.TrimSpace(kernel), runtime.Version())
}

// load returns the load average of one and five minutes: what others did meanwhile.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	fields := strings.Fields(string(text))
	if err != nil || len(fields) < 2 {
		return "unknown"
	}
	return fields[0] + ", " + fields[1]
}

func commit(root string) string {
	c := exec.Command("git", "describe", "--always", "--dirty", "--abbrev=12")
	c.Dir = root
	out, err := c.Output()
	if err != nil {
		return "unknown"
	}
	return string(bytes.TrimSpace(out))
}

// read reads a run: its figures, and the lines "key: value" around them.
func read(r io.Reader) (all rows, head map[string]string, err error) {
	all, head = rows{}, map[string]string{}
	reader := benchfmt.NewReader(r, "")
	for reader.Scan() {
		result, ok := reader.Result().(*benchfmt.Result)
		if !ok {
			continue
		}
		for _, c := range result.Config {
			head[c.Key] = string(c.Value)
		}
		units := map[string]float64{}
		for _, v := range result.Values {
			unit, value := v.Unit, v.Value
			if v.OrigUnit != "" {
				unit, value = v.OrigUnit, v.OrigValue
			}
			units[unit] = value
		}
		all[plain(result.Name)] = units
	}
	return all, head, reader.Err()
}

// plain drops the -2 of two threads.
func plain(name benchfmt.Name) string {
	base, parts := name.Parts()
	text := bytes.Clone(base)
	for _, part := range parts {
		if part[0] == '/' {
			text = append(text, part...)
		}
	}
	return string(text)
}

// page writes the document.
func page(all rows, head map[string]string) []byte {
	b := &bytes.Buffer{}
	fmt.Fprintf(b, `# What was measured

Written by `+"`make bench-results`"+`; do not edit. Figures of account modes stand as standard / unified / portfolio;
times are medians, ratios medians of interleaved pairs of this one run. bench/doc.go says what each benchmark does.

- machine: %s, %s; load average %s before
- command: `+"`%s`"+`
- date: %s, commit %s

| Goal | Target | Measured | |
|---|---|---|---|
`, known(head, "cpu"), known(head, "machine"), known(head, "load-before"),
		known(head, "command"), known(head, "date"), known(head, "commit"))
	for _, g := range goals() {
		measured, verdict := g.cell(all)
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", g.what, g.target, measured, verdict)
	}
	return b.Bytes()
}

func known(head map[string]string, key string) string {
	if v, ok := head[key]; ok {
		return v
	}
	return "unknown"
}
