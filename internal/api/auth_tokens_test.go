package api

import (
	"strings"
	"testing"
	"time"
)

func TestATokenLineComesBack(t *testing.T) {
	secret := NewSecret()
	if len(secret) < secretMin || len(secret)+len(bearer) > 64 || secret == NewSecret() {
		t.Errorf("%q is no token", secret)
	}
	line, err := TokenLine("desk-1", secret, ScopeRead|ScopeTrade, Rate{PerSecond: 500})
	if err != nil || strings.Contains(line, secret) {
		t.Fatalf("%q %v", line, err)
	}
	tokens, err := ParseTokens([]byte("# tokens\n\n  "+line+"\r\n"), Rate{PerSecond: 7})
	if err != nil {
		t.Fatal(err)
	}
	k := tokens.find([]byte(secret))
	if k == nil || k.owner.name != "desk-1" || k.scopes != ScopeRead|ScopeTrade || k.owner.rate.limit != (Rate{500, 500}) {
		t.Errorf("%+v", k)
	}
	if tokens.find([]byte(secret+"x")) != nil || tokens.find(nil) != nil {
		t.Error("another token is found")
	}
	digest := k.digest
	digest[31] ^= 1 // the place in the index is the same, the token another
	k.digest = digest
	if tokens.find([]byte(secret)) != nil {
		t.Error("only a part of the hash is compared")
	}
}

func TestTokenLinesThatCannotBe(t *testing.T) {
	long := strings.Repeat("x", secretMin)
	for _, c := range []struct {
		name, secret string
		scopes       Scope
	}{
		{"", long, ScopeRead},
		{"two words", long, ScopeRead},
		{strings.Repeat("n", 43), long, ScopeRead},
		{"a", long, 0},
		{"a", long, 1 << 5},
		{"a", "short", ScopeRead},
		{"a", strings.Repeat("x", 129), ScopeRead},
		{"a", long + " y", ScopeRead},
		{"a", long + "é", ScopeRead},
	} {
		if line, err := TokenLine(c.name, c.secret, c.scopes, Rate{}); err == nil {
			t.Errorf("%q %q %d makes %q", c.name, c.secret, c.scopes, line)
		}
	}
}

func TestFilesOfTokensThatAreWrong(t *testing.T) {
	hash := "sha256:" + strings.Repeat("ab", 32)
	other := "sha256:" + strings.Repeat("cd", 32)
	for _, c := range []struct{ text, want string }{
		{"", "holds no token"},
		{"# desk read " + hash, "holds no token"},
		{"desk read", "line 1: 2 columns"},
		{"\n\ndesk read plim_secret", "line 3: the hash is not"},
		{"desk read " + hash[:70], "line 1: the hash is not"},
		{"desk read " + hash + "ab", "line 1: the hash is not"},
		{"desk read sha512:" + hash[7:], "line 1: the hash is not"},
		{"desk read sha256:" + strings.Repeat("zz", 32), "line 1: the hash is not"},
		{"desk all " + hash, `no scope "all"`},
		{"desk read, " + hash, `no scope ""`},
		{"désk read " + hash, "the name is"},
		{"desk read " + hash + " rate=0", "no option"},
		{"desk read " + hash + " rate=x", "no option"},
		{"desk read " + hash + " speed=3", "no option"},
		{"desk read " + hash + " burst=3", "burst without a rate"},
		{"a read " + hash + "\nb read " + hash, "line 2: the token of b stands on a line above"},
		{"a read " + hash + "\na read " + other + " rate=5", "line 2: a has another rate"},
		{"x\ny", "line 2: 1 columns"}, // every fault is told
	} {
		_, err := ParseTokens([]byte(c.text), Rate{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.text, err, c.want)
		}
		if err != nil && (strings.Contains(err.Error(), "plim_secret") || strings.Contains(err.Error(), "abab")) {
			t.Errorf("%q: the error tells a secret or a hash: %v", c.text, err)
		}
	}
	two := "a read " + hash + "\na trade " + other // while one replaces the other
	tokens, err := ParseTokens([]byte(two), Rate{PerSecond: 9, Burst: 2})
	if err != nil || tokens.list[0].owner != tokens.list[1].owner || tokens.list[0].owner.rate.limit != (Rate{9, 2}) {
		t.Errorf("two tokens of one name: %v", err)
	}
	if _, err := ParseTokens([]byte(strings.Repeat("a\n", 3)), Rate{}); strings.Count(err.Error(), "line ") != 3 {
		t.Errorf("not every line at fault is told: %v", err)
	}
}

func TestABucketFillsAsItSays(t *testing.T) {
	var b bucket
	b.set(Rate{PerSecond: 10, Burst: 3})
	const ms = int64(time.Millisecond)
	for i, c := range []struct {
		atMs, count int64
		isOK        bool
		waitMs      int64
	}{
		{1000, 1, true, 0},
		{1000, 1, true, 0},
		{1000, 1, true, 0}, // the burst
		{1000, 1, false, 100},
		{1099, 1, false, 1},
		{1100, 1, true, 0},
		{1100, 1, false, 100},
		{9000, 1, true, 0},
		{9000, 1, true, 0},
		{9000, 1, true, 0},
		{9000, 1, false, 100}, // never more than the burst
		{20000, 50, true, 0},  // a batch overdraws
		{20000, 1, false, 4800},
		{24799, 1, false, 1},
		{24800, 1, true, 0},
	} {
		wait, ok := b.take(c.atMs*ms, c.count)
		if ok != c.isOK || wait != time.Duration(c.waitMs*ms) {
			t.Errorf("step %d: %v %v, want %v %d ms", i, ok, wait, c.isOK, c.waitMs)
		}
	}
}

func TestATokenThatSendsTooMuchWaits(t *testing.T) {
	g := newGuarded(t, func(c *Config) { c.Tokens = tokensOf(t, "slow read,trade rate=10 burst=2", "free read") })
	ask := func(name string, want int) {
		t.Helper()
		status, reply, h := g.ask(secretOf(name), "GET", "/v1/status", "")
		if status != want {
			t.Fatalf("%s: %d %s, want %d", name, status, reply, want)
		}
		if status == 429 {
			e := errorIn(t, reply)
			if e.Code != "rate_limited" || e.Limit != "token_rate=10/s,burst=2" || h.Get("Retry-After") == "" || h.Get("Retry-After") == "0" {
				t.Errorf("%+v, Retry-After %q", e, h.Get("Retry-After"))
			}
		}
	}
	ask("slow", 200)
	ask("slow", 200)
	ask("slow", 429)
	ask("free", 200)
	g.server.SetTokens(tokensOf(t, "slow read,trade rate=10 burst=2", "free read"))
	ask("slow", 429) // the same name has used up what it had
	time.Sleep(300 * time.Millisecond)
	open := `{"type":"open_account","account":"a","mode":"portfolio"}`
	batch := "[" + strings.Repeat(open+",", 49) + open + "]"
	if status, reply := g.command("slow", batch); status != 200 {
		t.Fatalf("a batch: %d %s", status, reply)
	}
	_, _, h := g.ask(secretOf("slow"), "GET", "/v1/status", "")
	if after := h.Get("Retry-After"); after != "5" {
		t.Errorf("after 50 commands at 10 a second: Retry-After %q, want 5", after)
	}
	if n := g.server.AccessCounts().RateLimited; n != 3 {
		t.Errorf("%d are counted, want 3", n)
	}
}
