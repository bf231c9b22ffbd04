// Package arch_test holds the house rules that a compiler cannot hold: which room may
// import which, what the core may know, through which door a dependency enters, and how
// long a file may be. Each rule is a table; a change of the house is a line in a table.
package arch_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	module       = "plimsoll"
	fileLinesMax = 500 // of a file that is not a test
)

// floors lists the rooms from the ground up, one floor a line. A room imports rooms of
// lower floors only, so imports can only ever point down. A folder that is not listed
// belongs to the nearest listed folder above it.
var floors = [][]string{
	{"internal/invariant", "internal/prefetch", "client"}, // client is for outsiders: it knows nothing of the house
	{"fixedpoint", "ringbuf", "internal/journal", "internal/universe", "internal/metrics"},
	{"risk"},
	{"internal/engine", "risk/risktest"},
	{"internal/api"},
	{"bench", "internal/clienttest"}, // one measures internal/api in process, one has others' clients read it
	{"cmd/plimsoll"},
}

// pure lists, for the rooms that must replay bit for bit or must not wait, the only
// standard packages they may import: everything else is a way in for time, chance or locks.
var pure = map[string][]string{
	"internal/invariant": {},
	"fixedpoint":         {"cmp", "encoding/binary", "errors", "math/bits", "slices", "strconv", "unsafe"},
	"ringbuf":            {"errors", "math/bits", "runtime", "sync/atomic", "unsafe"},
	"risk":               {"cmp", "encoding/binary", "errors", "math/bits", "slices", "strconv", "unsafe"},
}

// exact lists the rooms in which money is computed: no float, no map, no thread.
var exact = []string{"fixedpoint", "risk"}

// door says where a dependency may enter. Test files of every room may import it as well
// where tests is true; the rooms' own test files always may.
type door struct {
	dependency string
	rooms      []string
	tests      bool
	reason     string
}

// doors lists every dependency (docs/decisions/0001-dependencies.md). What is not listed
// must not be imported.
var doors = []door{
	{"github.com/holiman/uint256", []string{"fixedpoint"}, false, "256-bit intermediates belong to exact numbers"},
	{"github.com/valyala/fasthttp", []string{"internal/api", "bench", "cmd/plimsoll"}, false, "HTTP ends at the api"},
	{"github.com/puzpuzpuz/xsync/v3", []string{"internal/api", "bench"}, false, "names are looked up at the edge"},
	{"github.com/hashicorp/raft", []string{"internal/journal", "bench"}, false, "one order is agreed on in one room"},
	{"github.com/hashicorp/raft-wal", []string{"internal/journal", "bench"}, false, "the log's files are one room's affair"},
	{"github.com/hashicorp/go-hclog", []string{"internal/journal", "bench"}, false, "what the log library speaks is translated at its door"},
	{"github.com/klauspost/compress", []string{"internal/journal"}, false, "snapshots are packed where they are written"},
	{"github.com/zeebo/blake3", []string{"internal/journal"}, false, "frames and snapshots are chained where they are written"},
	{"golang.org/x/sys", []string{"internal/journal", "cmd/plimsoll"}, false, "locks, free space and fdatasync of the system"},
	{"github.com/HdrHistogram/hdrhistogram-go", []string{"bench"}, true, "what the load tool reports is what others' tools read"},
	{"github.com/chromedp/chromedp", nil, true, "pages are tested in a real browser"},
	{"github.com/chromedp/cdproto", nil, true, "what that browser speaks"},
	{"pgregory.net/rapid", []string{"bench", "risk/risktest"}, true, "properties are for tests"},
	{"go.uber.org/goleak", []string{"bench"}, true, "leaks are looked for in tests"},
	{"github.com/shopspring/decimal", []string{"bench"}, true, "only measured against"},
	{"github.com/valyala/fastjson", []string{"bench"}, true, "only measured against"},
}

// testDoors lists the rooms whose test files alone may open a door that is shut to them.
var testDoors = map[string][]string{
	"github.com/puzpuzpuz/xsync/v3": {"ringbuf"}, // its queues are the rings' rivals
	"github.com/valyala/fasthttp":   {"internal/engine"},
	"golang.org/x/sys":              {"internal/engine"}, // a commit is measured against the system's own fdatasync
}

// locked lists the files between ingress and egress that import sync, each with the
// reason why nothing on the way of a command waits for it. Everything else is lock-free.
var locked = map[string]string{
	"internal/engine/engine.go": "Once: Close closes once",
	"internal/engine/runner.go": "WaitGroup: Close waits for the stages to end",
}

func TestImportsPointDown(t *testing.T) {
	for _, file := range sources(t) {
		if file.isTest {
			continue
		}
		from, known := floorOf(file.room)
		if !known {
			t.Errorf("%s: %s is on no floor: add it to floors, with a reason", file.path, file.room)
			continue
		}
		for _, imported := range file.imports() {
			dep, ours := strings.CutPrefix(imported, module+"/")
			if !ours {
				continue
			}
			room := roomOf(dep)
			to, known := floorOf(room)
			if room != file.room && (!known || to >= from) {
				t.Errorf("%s (floor %d) imports %s (floor %d): imports point down", file.path, from, dep, to)
			}
		}
	}
}

func TestPureRoomsImportOnlyWhatTheyMay(t *testing.T) {
	for _, file := range sources(t) {
		allowed, isPure := pure[file.room]
		if file.isTest || !isPure {
			continue
		}
		for _, imported := range file.imports() {
			if isStandard(imported) && !slices.Contains(allowed, imported) {
				t.Errorf("%s imports %s: %s is handed what it needs, it fetches nothing", file.path, imported, file.room)
			}
		}
	}
}

func TestDependenciesHaveDoors(t *testing.T) {
	for _, file := range sources(t) {
		for _, imported := range file.imports() {
			if isStandard(imported) || strings.HasPrefix(imported, module+"/") {
				continue
			}
			i := slices.IndexFunc(doors, func(d door) bool {
				return imported == d.dependency || strings.HasPrefix(imported, d.dependency+"/")
			})
			if i < 0 {
				t.Errorf("%s imports %s, which has no door: add one, with a decision record", file.path, imported)
				continue
			}
			d := doors[i]
			open := slices.Contains(d.rooms, file.room)
			if file.isTest {
				open = open || d.tests || slices.Contains(testDoors[d.dependency], file.room)
			}
			if !open {
				t.Errorf("%s imports %s: %s; its doors are %v", file.path, imported, d.reason, d.rooms)
			}
		}
	}
}

func TestCoreHoldsNoChance(t *testing.T) {
	for _, file := range sources(t) {
		if file.isTest || !slices.Contains(exact, file.room) {
			continue
		}
		ast.Inspect(file.parse(t, 0), func(n ast.Node) bool {
			if fault := chance(n); fault != "" {
				t.Errorf("%s: %s", file.position(n), fault)
			}
			return true
		})
	}
}

// chance names what could make a replay differ: map order, scheduling, and rounding that
// depends on the machine.
func chance(n ast.Node) string {
	switch n := n.(type) {
	case *ast.MapType:
		return "map: iteration order is random; use a slice or an index"
	case *ast.ChanType, *ast.GoStmt, *ast.SelectStmt, *ast.SendStmt:
		return "the core is single-threaded; threads belong to internal/engine"
	case *ast.BasicLit:
		if n.Kind == token.FLOAT || n.Kind == token.IMAG {
			return "float literal " + n.Value + ": money is exact; use fixedpoint"
		}
	case *ast.Ident:
		switch n.Name {
		case "float32", "float64", "complex64", "complex128":
			return n.Name + ": money is exact; use fixedpoint"
		}
	}
	return ""
}

// TestChanceSeesEveryForm breaks the rule in each way once, so that the walk above cannot
// go blind unnoticed.
func TestChanceSeesEveryForm(t *testing.T) {
	for _, body := range []string{
		"var x map[int]int", "var x chan int", "go f()", "select {}", "x := 0.5", "x := 1e3", "var x float64",
		"x := float32(1)", "x <- 1", "x := 1i", "var x complex128",
	} {
		text := "package p\nfunc f() {\n" + body + "\n}"
		file, err := parser.ParseFile(token.NewFileSet(), "", text, parser.SkipObjectResolution)
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		var fault string
		ast.Inspect(file, func(n ast.Node) bool {
			if fault == "" {
				fault = chance(n)
			}
			return true
		})
		if fault == "" {
			t.Errorf("chance does not see %q", body)
		}
	}
}

func TestNoLocksBetweenIngressAndEgress(t *testing.T) {
	lockFree := []string{"fixedpoint", "ringbuf", "risk", "internal/engine"}
	for _, file := range sources(t) {
		if file.isTest || !slices.Contains(lockFree, file.room) || !slices.Contains(file.imports(), "sync") {
			continue
		}
		if _, ok := locked[file.path]; !ok {
			t.Errorf("%s imports sync: use sync/atomic, or add the file to locked with the reason", file.path)
		}
	}
}

func TestFilesFitInOneReading(t *testing.T) {
	for _, file := range sources(t) {
		if file.isTest {
			continue
		}
		data, err := os.ReadFile(filepath.FromSlash(file.path))
		if err != nil {
			t.Fatal(err)
		}
		if lines := bytes.Count(data, []byte{'\n'}); lines > fileLinesMax {
			t.Errorf("%s has %d lines, at most %d fit: split it by idea", file.path, lines, fileLinesMax)
		}
	}
}

// TestRoomsSayWhatTheyAre wants a doc.go with a package comment in every folder; a command
// may say it in main.go.
func TestRoomsSayWhatTheyAre(t *testing.T) {
	rooms, described := []string{}, []string{}
	for _, file := range sources(t) {
		if file.isTest {
			continue
		}
		dir, name := path.Split(file.path)
		isCommand := strings.HasPrefix(dir, "cmd/")
		rooms = append(rooms, dir)
		if name == "doc.go" || isCommand && name == "main.go" {
			comment := file.parse(t, parser.PackageClauseOnly|parser.ParseComments).Doc.Text()
			if strings.HasPrefix(comment, "Package ") || isCommand && comment != "" {
				described = append(described, dir)
			}
		}
	}
	slices.Sort(rooms)
	for _, dir := range slices.Compact(rooms) {
		if !slices.Contains(described, dir) {
			t.Errorf("%s has no doc.go with a package comment", dir)
		}
	}
}

// source is one Go file of the module.
type source struct {
	path   string // slash-separated, from the module's root
	room   string // the listed folder that it belongs to
	isTest bool
	syntax *ast.File // imports only
	set    *token.FileSet
}

// sources reads the import clauses of every Go file itself rather than asking 'go list', so
// that go test's cache sees every file that the verdict depends on.
func sources(t *testing.T) []*source {
	t.Helper()
	var files []*source
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return skip(name, entry)
		}
		slashed := filepath.ToSlash(name)
		if path.Ext(slashed) != ".go" || path.Dir(slashed) == "." {
			return nil
		}
		file := &source{
			path: slashed, room: roomOf(path.Dir(slashed)), isTest: strings.HasSuffix(slashed, "_test.go"),
			set: token.NewFileSet(),
		}
		file.syntax = file.parse(t, parser.ImportsOnly)
		files = append(files, file)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatal("no Go file found: the test does not run in the module's root")
	}
	return files
}

// skip leaves out what the go command leaves out: hidden folders, testdata, other modules.
func skip(name string, entry fs.DirEntry) error {
	if name == "." {
		return nil
	}
	base := entry.Name()
	if base == "testdata" || base[0] == '.' || base[0] == '_' {
		return filepath.SkipDir
	}
	if _, err := os.Stat(filepath.Join(name, "go.mod")); err == nil {
		return filepath.SkipDir
	}
	return nil
}

func (f *source) parse(t *testing.T, mode parser.Mode) *ast.File {
	t.Helper()
	syntax, err := parser.ParseFile(f.set, filepath.FromSlash(f.path), nil, mode|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return syntax
}

func (f *source) imports() []string {
	imports := make([]string, 0, len(f.syntax.Imports))
	for _, spec := range f.syntax.Imports {
		if imported, err := strconv.Unquote(spec.Path.Value); err == nil {
			imports = append(imports, imported)
		}
	}
	return imports
}

func (f *source) position(n ast.Node) token.Position { return f.set.Position(n.Pos()) }

// roomOf returns the nearest listed folder at or above dir, dir itself when there is none.
func roomOf(dir string) string {
	for at := dir; at != "." && at != "/"; at = path.Dir(at) {
		if _, known := floorOf(at); known {
			return at
		}
	}
	return dir
}

func floorOf(room string) (floor int, known bool) {
	for n, rooms := range floors {
		if slices.Contains(rooms, room) {
			return n, true
		}
	}
	return 0, false
}

// isStandard reports whether an import path is of the standard library: its first element
// has no dot, and it is not ours.
func isStandard(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return first != module && !strings.Contains(first, ".")
}
