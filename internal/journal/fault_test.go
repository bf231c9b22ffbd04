package journal

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/raft-wal/types"
)

// sick is a disk that can be made to refuse, to hang and to be full.
type sick struct {
	OSFiles
	refuses atomic.Pointer[string] // names that contain it cannot be synced
	hangs   atomic.Pointer[chan struct{}]
	free    atomic.Int64
}

func (s *sick) wrap(file types.WritableFile, name string, err error) (types.WritableFile, error) {
	if err != nil {
		return nil, err
	}
	return sickFile{file, name, s}, nil
}

func (s *sick) Create(dir, name string, size uint64) (types.WritableFile, error) {
	file, err := s.OSFiles.Create(dir, name, size)
	return s.wrap(file, name, err)
}

func (s *sick) OpenWriter(dir, name string) (types.WritableFile, error) {
	file, err := s.OSFiles.OpenWriter(dir, name)
	return s.wrap(file, name, err)
}

func (s *sick) Free(dir string) (uint64, error) {
	if free := s.free.Load(); free != 0 {
		return uint64(free), nil
	}
	return s.OSFiles.Free(dir)
}

type sickFile struct {
	types.WritableFile
	name string
	disk *sick
}

func (f sickFile) WriteAt(b []byte, at int64) (int, error) {
	if name := f.disk.refuses.Load(); name != nil && strings.Contains(f.name, *name) && *name == highwaterName {
		return 0, syscall.EIO
	}
	return f.WritableFile.WriteAt(b, at)
}

func (f sickFile) Sync() error {
	if wait := f.disk.hangs.Load(); wait != nil {
		<-*wait
	}
	if name := f.disk.refuses.Load(); name != nil && strings.Contains(f.name, *name) {
		return syscall.EIO
	}
	return f.WritableFile.Sync()
}

func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}

func TestWriteErrorIsFatal(t *testing.T) {
	for _, name := range []string{".wal", metaName, highwaterName} {
		t.Run(name, func(t *testing.T) {
			o, fatal := testOptions(t, t.TempDir())
			disk := &sick{}
			o.files, o.SegmentBytes = disk, 16<<10
			l, _, _ := mustOpen(t, o)
			write(t, l, 20)
			disk.refuses.Store(&name)
			acked := uint64(0)
			for seq := l.next.Seq + 1; len(fatal.all()) == 0; seq++ {
				h := Header{FirstSeq: seq, LastSeq: seq, Count: 1, RecordSize: testRecordSize}
				if err := l.Append(&h, bodyOf(seq)); err != nil {
					break
				}
				until(t, "committed or failed", func() bool {
					durable, err := l.Durable()
					acked = durable
					return durable >= seq || err != nil
				})
			}
			until(t, "fatal", func() bool { return len(fatal.all()) > 0 })
			time.Sleep(150 * time.Millisecond) // raft has had its chance to stand for election again
			seq, err := l.Durable()
			if codes := fatal.all(); len(codes) != 1 || codes[0] != ExitStorageFault || err == nil || seq != acked {
				t.Errorf("codes %v, durable %d (acknowledged %d), %v", codes, seq, acked, err)
			}
			if err := l.Append(&Header{}, nil); err == nil {
				t.Error("Append after the fault succeeded")
			}
			disk.refuses.Store(nil)
			mustClose(t, l)
			l, report, _ := mustOpen(t, o)
			if report.LastSeq < acked {
				t.Errorf("%d came back, %d were acknowledged", report.LastSeq, acked)
			}
			mustClose(t, l)
		})
	}
}

func TestHangIsFatal(t *testing.T) {
	o, fatal := testOptions(t, t.TempDir())
	disk := &sick{}
	o.files, o.HangLimit = disk, 100*time.Millisecond
	l, _, _ := mustOpen(t, o)
	write(t, l, 5)
	wait := make(chan struct{})
	disk.hangs.Store(&wait)
	add(t, l, 6)
	until(t, "fatal", func() bool { return len(fatal.all()) > 0 })
	if codes := fatal.all(); codes[0] != ExitStorageHangs {
		t.Errorf("codes %v", codes)
	}
	disk.hangs.Store(nil)
	close(wait)
	time.Sleep(50 * time.Millisecond)
	if seq, err := l.Durable(); seq != 5 || err == nil {
		t.Errorf("after the hang %d is acknowledged, %v", seq, err)
	}
	mustClose(t, l)
}

func TestLowSpaceIsReported(t *testing.T) {
	o, _ := testOptions(t, t.TempDir())
	disk := &sick{}
	o.files, o.FreeLowBytes = disk, 1000
	l, _, _ := mustOpen(t, o)
	defer mustClose(t, l)
	for _, step := range []struct {
		free  int64
		isLow bool
	}{{999, true}, {1050, true}, {1100, false}, {1000, false}, {1, true}} {
		disk.free.Store(step.free)
		until(t, "the watcher looks", func() bool { free, _ := l.Space(); return free == uint64(step.free) })
		time.Sleep(time.Millisecond)
		if _, isLow := l.Space(); isLow != step.isLow {
			t.Errorf("with %d bytes free: low = %t", step.free, isLow)
		}
	}
}

const lockDirEnv = "JOURNAL_TEST_LOCK_DIR"

func TestSecondProcessIsRefused(t *testing.T) {
	if dir := os.Getenv(lockDirEnv); dir != "" {
		o, _ := testOptions(t, dir)
		l, _, _ := mustOpen(t, o)
		write(t, l, 3)
		os.Stdout.WriteString("ready\n")
		time.Sleep(time.Minute)
	}
	dir := t.TempDir()
	child := exec.Command(os.Args[0], "-test.run=^TestSecondProcessIsRefused$")
	child.Env = append(os.Environ(), lockDirEnv+"="+dir)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "ready\n" {
		t.Fatalf("%q, %v", line, err)
	}
	o, _ := testOptions(t, dir)
	if _, _, err := Open(o, &book{}); !errors.Is(err, ErrLocked) {
		t.Errorf("while another process has it: %v", err)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // killed
	l, report, _ := mustOpen(t, o)
	if report.LastSeq != 3 {
		t.Errorf("%+v", report)
	}
	if _, _, err := Open(o, &book{}); !errors.Is(err, ErrLocked) {
		t.Errorf("within the process: %v", err)
	}
	mustClose(t, l)
}

func TestAppendDoesNotAllocatePerCommand(t *testing.T) {
	o, _ := testOptions(t, t.TempDir())
	o.SegmentBytes = 64 << 20
	l, _, _ := mustOpen(t, o)
	defer mustClose(t, l)
	const records = 1024
	body := make([]byte, records*128)
	seq := uint64(0)
	perFrame := testing.AllocsPerRun(100, func() {
		h := Header{FirstSeq: seq + 1, LastSeq: seq + records, Count: records, RecordSize: 128}
		if err := l.Append(&h, body); err != nil {
			t.Fatal(err)
		}
		seq += records
		settle(t, l, seq)
	})
	if perFrame > 64 {
		t.Errorf("%.0f allocations for a frame of %d records", perFrame, records)
	}
	t.Logf("%.0f allocations for a frame of %d records, all stages", perFrame, records)
}
