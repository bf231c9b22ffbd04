package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const (
	crashDesks  = 4
	crashRounds = 20 // PLIMSOLL_CRASH_ROUNDS overrides
	crashShort  = 3
)

// roundsWanted returns how often the daemon is killed.
func roundsWanted(t *testing.T) int {
	t.Helper()
	text := os.Getenv("PLIMSOLL_CRASH_ROUNDS")
	switch {
	case text != "":
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("PLIMSOLL_CRASH_ROUNDS=%q: %v", text, err)
		}
		return n
	case testing.Short():
		return crashShort
	default:
		return crashRounds
	}
}

// loadAndKill loads a daemon for a while and calls end in the middle of it.
func loadAndKill(t *testing.T, d *realDaemon, desks []*desk, pause time.Duration, end func()) {
	t.Helper()
	var isOver atomic.Bool
	timer := time.AfterFunc(pause, func() {
		end()
		isOver.Store(true)
	})
	defer timer.Stop()
	each(t, desks, func(k *desk) error { return k.load(d.url, isOver.Load) })
	for !isOver.Load() {
		time.Sleep(time.Millisecond)
	}
}

// settleAll resolves what was in flight and checks all that the clients know.
func settleAll(t *testing.T, d *realDaemon, desks []*desk, most int) (applied, checked int) {
	t.Helper()
	var sums [2]atomic.Int64
	each(t, desks, func(k *desk) error {
		n, err := k.settle(d.url)
		if err != nil {
			return err
		}
		sums[0].Add(int64(n))
		n, err = k.recheck(d.url, most)
		sums[1].Add(int64(n))
		return err
	})
	checkState(t, d.url, desks)
	return int(sums[0].Load()), int(sums[1].Load())
}

// TestCrashes kills the daemon at random moments and checks, after each restart, everything
// that it ever acknowledged.
func TestCrashes(t *testing.T) {
	t.Parallel()
	rounds, seed := roundsWanted(t), uint64(time.Now().UnixNano())
	rng := rand.New(rand.NewPCG(seed, 0))
	dir := filepath.Join(t.TempDir(), "data")
	desks := newDesks(crashDesks, seed)
	for round := range rounds {
		d := upReal(t, dir, "--snapshot-every", "700ms", "--shards", strconv.Itoa(1+round%3))
		if round > 0 {
			before := replayReal(t, dir) // on the live directory: nothing has come since the restart
			if s := d.status(t); s.Seq != before.Seq || s.StateHash != before.StateHash {
				t.Fatalf("round %d: restarted at seq %d with hash %s, replay says %d and %s", round, s.Seq, s.StateHash, before.Seq, before.StateHash)
			}
		}
		applied, checked := settleAll(t, d, desks, recheckMost/max(1, round%4*8))
		was := d.status(t)
		loadAndKill(t, d, desks, time.Duration(20+rng.IntN(1200))*time.Millisecond, d.kill)
		t.Logf("round %d: seq %d at start; %d in flight had been applied; %d answers repeated equal; log: %s",
			round, was.Seq, applied, checked, recoveryLine(d.log.String()))
	}
	d := upReal(t, dir)
	settleAll(t, d, desks, recheckMost)
	was := d.status(t)
	if code := d.end(t); code != exitDone {
		t.Errorf("exit code %d after SIGTERM, want %d; log: %s", code, exitDone, shortLog(d.log.String()))
	}
	for _, shards := range []string{"1", "2", "4", "8"} {
		if r := replayReal(t, dir, "--shards", shards); r.Seq != was.Seq || r.StateHash != was.StateHash {
			t.Errorf("replay on %s shards gives seq %d hash %s, the daemon had %d %s", shards, r.Seq, r.StateHash, was.Seq, was.StateHash)
		}
	}
	if code, _, stderr := runReal(t, "verify", dir); code != exitDone {
		t.Errorf("verify: exit code %d: %s", code, stderr)
	}
	t.Logf("%d rounds, %d commands acknowledged, seed %d", rounds, acked(desks), seed)
}

func acked(desks []*desk) (n int) {
	for _, d := range desks {
		n += d.open
	}
	return n
}

// recoveryLine returns the line of a log that reports recovery.
func recoveryLine(log string) string {
	for line := range strings.SplitSeq(log, "\n") {
		if strings.Contains(line, "recovered") {
			return line
		}
	}
	return "none"
}

func TestSecondProcessIsRefused(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	first := upReal(t, dir)
	second := startReal(t, nil, dir)
	code, isUp := second.awaitUp(t)
	if isUp || code != exitFault || !strings.Contains(second.log.String(), "another process") {
		t.Errorf("second process: up %v, code %d, log: %s", isUp, code, shortLog(second.log.String()))
	}
	if code := first.end(t); code != exitDone {
		t.Errorf("first process: exit code %d", code)
	}
}

// TestRestartChangesNothing holds that a start lists the universe once.
func TestRestartChangesNothing(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	first := upReal(t, dir)
	was := first.status(t)
	first.kill()
	second := upReal(t, dir)
	if s := second.status(t); s != was {
		t.Errorf("after kill -9: %+v, was %+v", s, was)
	}
	if code := second.end(t); code != exitDone {
		t.Errorf("exit code %d", code)
	}
	third := upReal(t, dir)
	if s := third.status(t); s != was {
		t.Errorf("after SIGTERM: %+v, was %+v", s, was)
	}
	if !strings.Contains(third.log.String(), "snapshot=") {
		t.Errorf("no snapshot in the recovery report: %s", third.log.String())
	}
	third.kill()
}

// TestReplayBackupRestore goes back in time, and makes a second directory of a live one.
func TestReplayBackupRestore(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	dir := filepath.Join(top, "data")
	desks := newDesks(2, 1)
	d := upReal(t, dir)
	var seqs []realStatus
	for i := range 4 {
		loadAndKill(t, d, desks, 80*time.Millisecond, func() {})
		seqs = append(seqs, d.status(t))
		if i == 1 {
			reply, err := http.Post(d.url+"/v1/snapshot", "", http.NoBody) //nolint:noctx // as above
			if err != nil || reply.StatusCode != http.StatusOK {
				t.Fatalf("POST /v1/snapshot: %v %v", reply, err)
			}
			reply.Body.Close()
		}
	}
	for i, s := range seqs {
		if r := replayReal(t, dir, "--seq", strconv.FormatUint(s.Seq, 10)); r.StateHash != s.StateHash || r.Seq != s.Seq {
			t.Errorf("replay to seq %d gives %d %s, the daemon had %s", s.Seq, r.Seq, r.StateHash, s.StateHash)
		}
		restored := filepath.Join(top, fmt.Sprint("restored", i))
		backup := filepath.Join(top, fmt.Sprint("backup", i))
		if code, _, stderr := runReal(t, "backup", dir, backup); code != exitDone {
			t.Fatalf("backup: exit code %d: %s", code, stderr)
		}
		if code, _, stderr := runReal(t, "restore", backup, restored, "--seq", strconv.FormatUint(s.Seq, 10)); code != exitDone {
			t.Fatalf("restore: exit code %d: %s", code, stderr)
		}
		other := upReal(t, restored)
		if got := other.status(t); got != s {
			t.Errorf("restored to %+v, want %+v", got, s)
		}
		other.kill()
	}
	// A backup and a check of a directory that is being written.
	var code int
	var stderr string
	moving, copied := filepath.Join(top, "moving"), filepath.Join(top, "copied")
	loadAndKill(t, d, desks, 100*time.Millisecond, func() {
		if code, _, stderr = runReal(t, "verify", dir); code == exitDone {
			code, _, stderr = runReal(t, "backup", dir, moving)
		}
	})
	if code != exitDone {
		t.Fatalf("verify or backup under load: exit code %d: %s", code, stderr)
	}
	if code, _, stderr = runReal(t, "restore", moving, copied); code != exitDone {
		t.Fatalf("restore of a backup under load: exit code %d: %s", code, stderr)
	}
	got := replayReal(t, copied)
	if want := replayReal(t, dir, "--seq", strconv.FormatUint(got.Seq, 10)); got.StateHash != want.StateHash {
		t.Errorf("a backup under load ends at seq %d with hash %s, the directory had %s", got.Seq, got.StateHash, want.StateHash)
	}
	// The margin of an account as of now equals what the daemon answers.
	account := deskAccount(1, moneyAccounts)
	_, want := get(t, d.url+"/v1/accounts/"+account+"/margin")
	code, margin, stderr := runReal(t, "replay", dir, "--account", account)
	if code != exitDone || strings.TrimSpace(margin) != want {
		t.Errorf("replay --account: exit code %d, %s\n got %s\nwant %s", code, stderr, margin, want)
	}
	if code := d.end(t); code != exitDone {
		t.Errorf("exit code %d", code)
	}
}

// TestHarnessSeesALoss is the negative control: a state that lacks the last acknowledged
// command must not pass.
func TestHarnessSeesALoss(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	dir, copied, less := filepath.Join(top, "data"), filepath.Join(top, "copied"), filepath.Join(top, "less")
	desks := newDesks(1, 5)
	d := upReal(t, dir)
	loadAndKill(t, d, desks, 50*time.Millisecond, func() {})
	d.kill()
	k := desks[0]
	last := k.record[k.open-1].seq
	if code, _, stderr := runReal(t, "backup", dir, copied); code != exitDone {
		t.Fatalf("backup: exit code %d: %s", code, stderr)
	}
	if code, _, stderr := runReal(t, "restore", copied, less, "--seq", strconv.FormatUint(last-1, 10)); code != exitDone {
		t.Fatalf("restore: exit code %d: %s", code, stderr)
	}
	d = upReal(t, less)
	if _, err := k.recheck(d.url, recheckMost); err == nil || !strings.Contains(err.Error(), "LOST") {
		t.Errorf("the loss of seq %d goes unseen: %v", last, err)
	}
	d.kill()
}
