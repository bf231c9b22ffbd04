package api

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// curl is one line of docs/API.md.
type curl struct {
	text     string
	statuses string // allowed
	method   string
	path     string
	header   http.Header
	body     string
	isStream bool
}

// TestEveryCurlOfTheDocs runs every curl line of docs/API.md against a fresh house, in order,
// and wants every route and every command among them.
func TestEveryCurlOfTheDocs(t *testing.T) {
	file, err := os.ReadFile("../../docs/API.md")
	if err != nil {
		t.Fatal(err)
	}
	h, stop := newDurableHouse(t, t.TempDir(), 1)
	defer stop()
	d := readContract(t)
	rows, commands := map[int]bool{}, map[string]bool{}
	for _, c := range curls(t, string(file)) {
		status, reply := h.curl(t, &c)
		if !slices.Contains(strings.Fields(c.statuses), strconv.Itoa(status)) {
			t.Errorf("%d, want %s: %s\n%.300s", status, c.statuses, c.text, reply)
		}
		path, _, _ := strings.Cut(c.path, "?")
		row := routeOf([]byte(path))
		rows[row] = true
		if row == routeOther || routeTable[row].method != c.method {
			t.Errorf("no route: %s", c.text)
			continue
		}
		if path != "/v1/commands" {
			continue
		}
		var types struct{ Type string }
		if json.Unmarshal([]byte(c.body), &types) == nil {
			commands[types.Type] = true
			d.check(t, "CommandBody", c.body)
		}
		if strings.HasPrefix(reply, "[") && strings.Contains(reply, `"ok":false`) {
			t.Errorf("refused: %s\n%s", c.text, reply)
		}
	}
	for row := range routeTable {
		if !rows[row] {
			t.Errorf("docs/API.md has no curl for %s", routeTable[row].path)
		}
	}
	commands["transfer"] = true // in a batch
	for i := range specs {
		if !commands[specs[i].name] {
			t.Errorf("docs/API.md has no curl with a %s command", specs[i].name)
		}
	}
}

// curl does what curl would do.
func (h *house) curl(t *testing.T, c *curl) (status int, reply string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	if c.isStream {
		ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
	}
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, c.method, h.url()+c.path, strings.NewReader(c.body))
	if err != nil {
		t.Fatalf("%s: %v", c.text, err)
	}
	request.Header = c.header
	response, err := h.client.Do(request)
	if err != nil {
		t.Fatalf("%s: %v", c.text, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil && !c.isStream {
		t.Fatalf("%s: %v", c.text, err)
	}
	if c.isStream && len(body) == 0 {
		t.Errorf("nothing came: %s", c.text)
	}
	return response.StatusCode, string(body)
}

// curls reads the blocks of shell in a page; a block may say which statuses its lines get.
func curls(t *testing.T, page string) (all []curl) {
	t.Helper()
	for _, block := range strings.Split(page, "```sh")[1:] {
		block, _, _ = strings.Cut(block, "```")
		statuses, lines, _ := strings.Cut(block, "\n")
		if statuses = strings.TrimSpace(statuses); statuses == "" {
			statuses = "200"
		}
		for _, words := range shellLines(t, lines) {
			c := curl{text: strings.Join(words, " "), statuses: statuses, method: "GET", header: http.Header{}}
			c.read(t, words)
			all = append(all, c)
		}
	}
	if len(all) < 50 {
		t.Fatalf("only %d lines were found", len(all))
	}
	return all
}

// read takes the words of a curl line as curl does.
func (c *curl) read(t *testing.T, words []string) {
	t.Helper()
	if words[0] != "curl" {
		t.Fatalf("not curl: %s", c.text)
	}
	for i := 1; i < len(words); i++ {
		word := words[i]
		next := func() string { i++; return words[i] }
		switch word {
		case "-s":
		case "-sN":
			c.isStream = true
		case "-X":
			c.method = next()
		case "-o", "--max-time":
			next()
		case "-H":
			key, value, _ := strings.Cut(next(), ": ")
			c.header.Set(key, value)
		case "--json":
			c.method, c.body = "POST", next()
			c.header.Set("Content-Type", "application/json")
		case "--data-binary":
			c.method, c.body = "POST", next()
			if c.header.Get("Content-Type") == "" {
				c.header.Set("Content-Type", "application/x-www-form-urlencoded")
			}
		default:
			path, ok := strings.CutPrefix(word, "localhost:8640")
			if !ok {
				t.Fatalf("%s: what is %s?", c.text, word)
			}
			c.path = path
		}
	}
}

// shellLines splits lines into words; single quotes hold spaces and line breaks.
func shellLines(t *testing.T, text string) (lines [][]string) {
	t.Helper()
	var words []string
	var word []byte
	isQuoted, isWord := false, false
	end := func() {
		if isWord {
			words = append(words, string(word))
		}
		word, isWord = word[:0], false
	}
	for _, b := range []byte(text) {
		switch {
		case b == '\'':
			isQuoted, isWord = !isQuoted, true
		case isQuoted:
			word = append(word, b)
		case b == ' ':
			end()
		case b == '\n':
			end()
			if len(words) > 0 {
				lines = append(lines, words)
			}
			words = nil
		default:
			word, isWord = append(word, b), true
		}
	}
	if isQuoted {
		t.Fatalf("a quote is open at the end of %s", text)
	}
	return lines
}
