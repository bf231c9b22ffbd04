package main

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"plimsoll/internal/journal"
)

// The shutdown request of ext4 (EXT4_IOC_SHUTDOWN in Linux's fs/ext4/ext4.h) with its flag for
// "as when the power goes": neither dirty pages nor the file system's journal are written.
const (
	ext4Shutdown   = 0x8004587d
	ext4NoLogFlush = 2
)

// loopDisk is an ext4 file system in a file.
type loopDisk struct {
	t     *testing.T
	image string
	mount string
}

// newLoopDisk makes one, or skips the test where that is not possible.
func newLoopDisk(t *testing.T, megabytes int64) *loopDisk {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("SKIPPED: mounting a file system of its own needs root")
	}
	if _, err := exec.LookPath("mkfs.ext4"); err != nil {
		t.Skip("SKIPPED: there is no mkfs.ext4")
	}
	top := t.TempDir()
	d := &loopDisk{t: t, image: filepath.Join(top, "image"), mount: filepath.Join(top, "disk")}
	if err := os.WriteFile(d.image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(d.image, megabytes*mib); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(d.mount, 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mkfs.ext4", "-q", "-F", d.image).CombinedOutput(); err != nil { //nolint:noctx // short
		t.Skipf("SKIPPED: mkfs.ext4: %v: %s", err, out)
	}
	if err := d.attach(); err != nil {
		t.Skipf("SKIPPED: no loop device: %v", err)
	}
	t.Cleanup(func() { _ = d.detach() })
	return d
}

func (d *loopDisk) attach() error {
	if out, err := exec.Command("mount", "-o", "loop", d.image, d.mount).CombinedOutput(); err != nil { //nolint:noctx // short
		return fmt.Errorf("mount: %w: %s", err, out)
	}
	return nil
}

func (d *loopDisk) detach() error {
	if out, err := exec.Command("umount", d.mount).CombinedOutput(); err != nil { //nolint:noctx // short
		return fmt.Errorf("umount: %w: %s", err, out)
	}
	return nil
}

// losePower ends a daemon on the disk as a power failure would: frozen first, so that it does
// not see the file system go; then everything that was not synced is dropped.
func (d *loopDisk) losePower(daemon *realDaemon) {
	pid := daemon.cmd.Process.Pid
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		d.t.Error(err)
	}
	for end := time.Now().Add(time.Second); time.Now().Before(end); time.Sleep(100 * time.Microsecond) {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || bytes.Contains(stat, []byte(") T ")) {
			break
		}
	}
	if err := os.WriteFile(filepath.Join(d.mount, "unsynced"), bytes.Repeat([]byte("x"), 1<<16), 0o600); err != nil {
		d.t.Error(err)
	}
	dir, err := os.Open(d.mount)
	if err != nil {
		d.t.Error(err)
		return
	}
	flag := uint32(ext4NoLogFlush)
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, dir.Fd(), ext4Shutdown, uintptr(unsafe.Pointer(&flag))); errno != 0 {
		d.t.Errorf("ext4 shutdown: %v", errno)
	}
	_ = dir.Close()
	daemon.kill()
}

// TestPowerLoss cuts the power at random moments.
func TestPowerLoss(t *testing.T) {
	t.Parallel()
	disk := newLoopDisk(t, 512)
	rounds := 5
	if testing.Short() {
		rounds = 1
	}
	dir := filepath.Join(disk.mount, "data")
	desks := newDesks(crashDesks, 11)
	for round := range rounds {
		d := upReal(t, dir, "--snapshot-every", "300ms")
		applied, checked := settleAll(t, d, desks, recheckMost)
		loadAndKill(t, d, desks, time.Duration(150+211*round)*time.Millisecond, func() { disk.losePower(d) })
		if err := disk.detach(); err != nil {
			t.Fatal(err)
		}
		if err := disk.attach(); err != nil {
			t.Fatal(err)
		}
		if text, err := os.ReadFile(filepath.Join(disk.mount, "unsynced")); err == nil && len(text) > 0 && text[0] == 'x' {
			t.Fatal("what was not synced is still there: this is no power loss")
		}
		t.Logf("round %d: %d in flight had been applied, %d answers repeated equal; log: %s", round, applied, checked, recoveryLine(d.log.String()))
	}
	d := upReal(t, dir)
	settleAll(t, d, desks, recheckMost)
	t.Logf("%d commands acknowledged over %d power losses; log: %s", acked(desks), rounds, recoveryLine(d.log.String()))
	d.kill()
}

// TestFullDisk fills the disk under a daemon.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	disk := newLoopDisk(t, 512)
	desks := newDesks(2, 13)
	d := upReal(t, filepath.Join(disk.mount, "data"), "--free-low-mb", "64", "--snapshot-every", "0")
	loadAndKill(t, d, desks, 100*time.Millisecond, func() {})
	ballast := filepath.Join(disk.mount, "ballast")
	fill := func() {
		// Until nothing more fits: dd ends with an error then.
		_ = exec.Command("dd", "if=/dev/zero", "of="+ballast, "bs=1M").Run() //nolint:noctx // short
	}
	fill()
	k := desks[0]
	k.draw()
	awaitAnswer(t, d, k, http.StatusServiceUnavailable, `"read_only"`)
	checkState(t, d.url, desks)                                                                                          // reads go on
	if reply, err := http.Post(d.url+"/v1/snapshot", "", http.NoBody); err != nil || reply.StatusCode == http.StatusOK { //nolint:noctx // as above
		t.Logf("a snapshot fitted: %v", err)
	} else {
		reply.Body.Close()
	}
	select {
	case <-d.done:
		t.Fatalf("ended with code %d; log: %s", d.code, shortLog(d.log.String()))
	default:
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	awaitAnswer(t, d, k, http.StatusOK, `"ok":`)
	settleAll(t, d, desks, recheckMost)
	d.kill()

	// Full before the start: it comes up, and only reads.
	fill()
	d = upReal(t, filepath.Join(disk.mount, "data"), "--free-low-mb", "64")
	checkState(t, d.url, desks)
	k.draw()
	awaitAnswer(t, d, k, http.StatusServiceUnavailable, `"read_only"`)
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	awaitAnswer(t, d, k, http.StatusOK, `"ok":`)
	settleAll(t, d, desks, recheckMost)
	d.kill()
}

// TestReadOnlyByFlag is what TestFullDisk shows, without root.
func TestReadOnlyByFlag(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	desks := newDesks(1, 17)
	d := upReal(t, dir)
	loadAndKill(t, d, desks, 50*time.Millisecond, func() {})
	d.kill()
	d = upReal(t, dir, "--free-low-mb", "1000000000")
	k := desks[0]
	k.draw()
	awaitAnswer(t, d, k, http.StatusServiceUnavailable, `"read_only"`)
	if status, body := get(t, d.url+"/v1/accounts/"+deskAccount(0, 0)); status != http.StatusOK {
		t.Errorf("a read answers %d %s", status, body)
	}
	d.kill()
	d = upReal(t, dir)
	settleAll(t, d, desks, recheckMost)
	d.kill()
}

// awaitAnswer sends the last command of a desk until the answer is the one wanted.
func awaitAnswer(t *testing.T, d *realDaemon, k *desk, want int, part string) {
	t.Helper()
	var status int
	var text string
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		var answers []answer
		status, answers, text = k.send(d.url, k.open, k.open+1)
		isWanted := status == want || want == http.StatusOK && status == http.StatusUnprocessableEntity
		if answers != nil {
			k.take(answers)
			if !isWanted {
				k.draw()
			}
		}
		if isWanted && strings.Contains(text, part) {
			return
		}
	}
	t.Fatalf("a command answers %d %s, want %d and %s; log: %s", status, text, want, part, shortLog(d.log.String()))
}

// strace returns the start of a command line that injects a fault, or skips.
func strace(t *testing.T, inject string) []string {
	t.Helper()
	path, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("SKIPPED: there is no strace")
	}
	if out, err := exec.Command(path, "-o", os.DevNull, "true").CombinedOutput(); err != nil { //nolint:noctx // short
		t.Skipf("SKIPPED: strace may not trace here: %v: %s", err, out)
	}
	return []string{path, "-f", "-o", os.DevNull, "-e", "trace=fdatasync,fsync", "-e", "inject=" + inject}
}

// TestSyncFails has fsync report an error once: what the disk then holds is unknown, so the
// daemon ends, and a new one starts from what is there.
func TestSyncFails(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	desks := newDesks(2, 19)
	d := startReal(t, strace(t, "fdatasync:error=EIO:when=150"), dir, "--snapshot-every", "0")
	if code, isUp := d.awaitUp(t); !isUp {
		t.Fatalf("ended with code %d; log: %s", code, shortLog(d.log.String()))
	}
	each(t, desks, func(k *desk) error { return k.load(d.url, func() bool { return false }) })
	if code := d.awaitEnd(t); code != journal.ExitStorageFault || !strings.Contains(d.log.String(), "exit code 70") {
		t.Errorf("exit code %d, want %d; log: %s", code, journal.ExitStorageFault, shortLog(d.log.String()))
	}
	if acked(desks) == 0 {
		t.Error("nothing was acknowledged before the fault")
	}
	d = upReal(t, dir)
	settleAll(t, d, desks, recheckMost)
	d.kill()
}

// TestSyncHangs has fsync not come back.
func TestSyncHangs(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	desks := newDesks(2, 23)
	d := startReal(t, strace(t, "fdatasync:delay_exit=20000000:when=150"), dir, "--snapshot-every", "0", "--hang-limit", "500ms")
	if code, isUp := d.awaitUp(t); !isUp {
		t.Fatalf("ended with code %d; log: %s", code, shortLog(d.log.String()))
	}
	loadAndKill(t, d, desks, 500*time.Millisecond, func() { // the tracer holds who exits while it delays: both are killed
		for began := time.Now(); time.Since(began) < 20*time.Second && !strings.Contains(d.log.String(), "exit code 71"); {
			time.Sleep(10 * time.Millisecond)
		}
		d.kill()
	})
	if !strings.Contains(d.log.String(), "exit code 71") {
		t.Errorf("no word of code 71; log: %s", shortLog(d.log.String()))
	}
	d = upReal(t, dir)
	settleAll(t, d, desks, recheckMost)
	d.kill()
}
