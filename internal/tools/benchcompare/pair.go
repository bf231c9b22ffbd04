package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/perf/benchfmt"
)

// roundsMin is the least number of runs a side for which p < 0.01 can be reached at all.
const roundsMin = 5

// side is the test binary of a package before or after.
type side struct{ binary, dir string }

// pair is one package on both sides.
type pair struct {
	name     string
	old, new side
}

// hasBenchmarks lists packages, one a line, with the folder's test files.
const hasBenchmarks = `{{$d := .Dir}}{{.ImportPath}}` +
	`{{range .TestGoFiles}} {{$d}}/{{.}}{{end}}{{range .XTestGoFiles}} {{$d}}/{{.}}{{end}}`

var benchmark = regexp.MustCompile(`(?m)^func (Benchmark\w+)\(`) //nolint:gochecknoglobals // a constant in all but name

// build compiles the test binaries of both sides and pairs those of one package.
func build(ctx context.Context, o *options, oldRoot, newRoot, scratch string, out io.Writer) ([]pair, error) {
	old, err := compile(ctx, o, oldRoot, filepath.Join(scratch, "old"))
	if err != nil {
		return nil, fmt.Errorf("base: %w", err)
	}
	now, err := compile(ctx, o, newRoot, filepath.Join(scratch, "new"))
	if err != nil {
		return nil, fmt.Errorf("working tree: %w", err)
	}
	var pairs []pair
	for _, name := range slices.Sorted(keys(old, now)) {
		a, inOld := old[name]
		b, inNew := now[name]
		switch {
		case !inNew:
			fmt.Fprintf(out, "%s: only in the base\n", name)
		case !inOld:
			fmt.Fprintf(out, "%s: only in the working tree\n", name)
		case !o.isForced && isSame(a.binary, b.binary):
			fmt.Fprintf(out, "%s: the same binary\n", name)
		default:
			pairs = append(pairs, pair{name: name, old: a, new: b})
		}
	}
	return pairs, nil
}

// keys yields the keys of two maps, each once.
func keys(a, b map[string]side) func(yield func(string) bool) {
	all := map[string]bool{}
	for k := range a {
		all[k] = true
	}
	for k := range b {
		all[k] = true
	}
	return func(yield func(string) bool) {
		for k := range all {
			if !yield(k) {
				return
			}
		}
	}
}

// compile builds the test binary of every package of a side that has a benchmark asked for.
// Paths are trimmed and nothing of the repository is stamped in, so that equal sources give
// equal binaries and share the build cache.
func compile(ctx context.Context, o *options, root, to string) (map[string]side, error) {
	args := append([]string{"list", "-f", hasBenchmarks}, strings.Fields(o.packages)...)
	listed, err := output(ctx, root, "go", args...)
	if err != nil {
		return nil, err
	}
	first, _, _ := strings.Cut(o.bench, "/")
	wanted, err := regexp.Compile(first)
	if err != nil {
		return nil, fmt.Errorf("-bench: %w", err)
	}
	sides := map[string]side{}
	for line := range strings.Lines(listed) {
		fields := strings.Fields(line)
		if len(fields) < 2 || !slices.ContainsFunc(fields[1:], func(file string) bool { return holds(file, wanted) }) {
			continue
		}
		s := side{binary: filepath.Join(to, strings.ReplaceAll(fields[0], "/", "_")+".test"), dir: filepath.Dir(fields[1])}
		if _, err := output(ctx, root, "go", "test", "-c", "-trimpath", "-buildvcs=false", "-o", s.binary, fields[0]); err != nil {
			return nil, err
		}
		sides[fields[0]] = s
	}
	return sides, nil
}

// holds reports whether a file has a benchmark that matches.
func holds(file string, wanted *regexp.Regexp) bool {
	text, err := os.ReadFile(file)
	if err != nil {
		return false
	}
	for _, found := range benchmark.FindAllSubmatch(text, -1) {
		if wanted.Match(found[1]) {
			return true
		}
	}
	return false
}

func isSame(a, b string) bool {
	x, err := os.ReadFile(a)
	if err != nil {
		return false
	}
	y, err := os.ReadFile(b)
	return err == nil && bytes.Equal(x, y)
}

// measure runs both sides in turn, so many rounds; the side that goes first changes.
func (p *pair) measure(ctx context.Context, o *options, pattern string, out io.Writer) (*samples, error) {
	s := &samples{}
	began := time.Now()
	for round := range o.rounds {
		for turn := range 2 {
			isNew := (round+turn)%2 == 1
			at := &p.old
			if isNew {
				at = &p.new
			}
			rows, err := at.run(ctx, o, pattern)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", p.name, err)
			}
			s.add(rows, isNew)
		}
	}
	fmt.Fprintf(out, "%s: %d rows, %d rounds in %.1f s\n", p.name, len(s.rows), o.rounds, time.Since(began).Seconds())
	return s, nil
}

// run runs a side's benchmarks once.
func (s *side) run(ctx context.Context, o *options, pattern string) ([]measured, error) {
	args := []string{"-test.run=^$", "-test.bench=" + pattern, "-test.benchmem", "-test.benchtime=" + o.benchtime, "-test.timeout=1h"}
	if o.isShort {
		args = append(args, "-test.short")
	}
	c := exec.CommandContext(ctx, s.binary, args...)
	c.Dir = s.dir
	c.Env = environment()
	out, err := c.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, tail(out))
	}
	return read(bytes.NewReader(out))
}

// tail returns the end of what a benchmark said, which is where it says what failed.
func tail(out []byte) []byte {
	const most = 4000
	return out[max(0, len(out)-most):]
}

// measured is what one run says of one row.
type measured struct {
	row       string
	seconds   float64 // 0: has no time
	allocs    float64
	hasAllocs bool
}

// read reads the standard benchmark format.
func read(r io.Reader) ([]measured, error) {
	var rows []measured
	reader := benchfmt.NewReader(r, "")
	for reader.Scan() {
		result, ok := reader.Result().(*benchfmt.Result)
		if !ok {
			continue
		}
		m := measured{row: withoutThreads(result.Name)}
		m.seconds, _ = result.Value("sec/op")
		m.allocs, m.hasAllocs = result.Value("allocs/op")
		rows = append(rows, m)
	}
	return rows, reader.Err()
}

// withoutThreads drops the -2 of two threads.
func withoutThreads(name benchfmt.Name) string {
	base, parts := name.Parts()
	text := bytes.Clone(base)
	for _, part := range parts {
		if part[0] == '/' {
			text = append(text, part...)
		}
	}
	return string(text)
}
