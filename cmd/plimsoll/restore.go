package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"plimsoll/internal/journal"
	"plimsoll/risk"
)

// restore makes a data directory of a backup.
func restore(_ context.Context, p *process) int {
	var from, dir string
	var seq uint64
	f := newFlags("restore", "Makes a new data directory of a backup, as of its last command or of any earlier one that it reaches.\n"+
		"Every checksum is compared first. 'plimsoll serve --data DIR' then goes on from there.")
	f.operand(&from, "BACKUP")
	f.operand(&dir, "DIR")
	f.number64(&seq, option{"seq", "N", "The last command to keep; 0 = the last of the backup.", "undo what came after it."})
	if code, done := p.parse(f); done {
		return code
	}
	r, err := openBackup(from)
	if err == nil {
		err = r.make(dir, seq)
	}
	if err != nil {
		return p.failed("restore", err)
	}
	printf(p.stdout, "%s: state as of seq %d, from %s and %s frames\n", dir, r.last, r.base(), countText(r.frames))
	return exitDone
}

// restorer reads a backup.
type restorer struct {
	dir    string
	index  backupIndex
	start  *backupFile // the snapshot to begin with, or nil
	last   uint64      // seq reached
	frames uint64
}

func (r *restorer) base() string {
	if r.start == nil {
		return "the first frame"
	}
	return r.start.Name
}

// openBackup reads the manifest and compares every checksum.
func openBackup(dir string) (*restorer, error) {
	path := filepath.Join(dir, backupManifest)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is no backup, or one that was not finished: it has no %s", dir, backupManifest)
	}
	if err != nil {
		return nil, err
	}
	bad := func(file, what string, err error) error {
		return &journal.DamageError{File: file, Offset: 0, What: what, Do: "use another backup", Err: err}
	}
	r := &restorer{dir: dir}
	if err := json.Unmarshal(text, &r.index); err != nil {
		return nil, bad(path, "it is no JSON", err)
	}
	if r.index.Version > backupVersion {
		return nil, fmt.Errorf("%s: format version %d is %w, which reads up to %d",
			path, r.index.Version, errNewer, backupVersion)
	}
	if sum, err := r.index.Settings.sum(); err != nil || sum != r.index.Settings.CRC32C {
		return nil, bad(path, "the checksum of the settings is "+sum+", it says "+r.index.Settings.CRC32C, err)
	}
	for i := range r.index.Files {
		x := &r.index.Files[i]
		file := filepath.Join(dir, x.Name)
		if sum, err := fileSum(file); err != nil || sum != x.SHA256 {
			return nil, bad(file, "its SHA-256 is "+sum+", the manifest says "+x.SHA256, err)
		}
	}
	return r, nil
}

func fileSum(path string) (sum string, err error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	_, err = io.Copy(h, file)
	return hex.EncodeToString(h.Sum(nil)), errors.Join(err, file.Close())
}

// make writes the data directory.
func (r *restorer) make(dir string, seq uint64) error {
	var newest uint64
	for i := range r.index.Files {
		x := &r.index.Files[i]
		newest = max(newest, x.Seq)
		if x.Name != backupFrames && (seq == 0 || x.Seq <= seq) && (r.start == nil || x.Seq > r.start.Seq) {
			r.start = x
		}
	}
	if r.start != nil {
		r.last = r.start.Seq
	}
	newest = max(newest, r.index.LastSeq)
	if seq == 0 {
		seq = newest
	}
	if seq > newest || r.index.Count > 0 && r.last < seq && r.index.FirstSeq > r.last+1 {
		return fmt.Errorf("seq %d is not in the backup: its frames hold seq %d to %d, and it would begin with %s (seq %d)",
			seq, r.index.FirstSeq, r.index.LastSeq, r.base(), r.last)
	}
	if err := makeNew(dir); err != nil {
		return err
	}
	if r.start != nil {
		snapshots := filepath.Join(dir, "snapshots")
		if err := os.MkdirAll(snapshots, dataMode); err != nil {
			return err
		}
		if _, err := copyFile(filepath.Join(r.dir, r.start.Name), filepath.Join(snapshots, r.start.Name)); err != nil {
			return err
		}
		if err := syncDir(snapshots); err != nil {
			return err
		}
	}
	if err := r.write(dir, seq); err != nil {
		return err
	}
	if r.last != seq {
		return fmt.Errorf("the backup ends at seq %d, before %d", r.last, seq)
	}
	return r.index.Settings.write(dir) // last: without it nothing starts
}

// write appends the frames that lead from the snapshot to seq to a new log.
func (r *restorer) write(dir string, seq uint64) (err error) {
	o := journal.DefaultOptions(dir)
	o.FreeLowBytes = 1
	var fault error
	o.Fatal = func(_ int, err error) { fault = err }
	log, _, err := journal.Open(o, idleHandler{})
	if err != nil {
		return err
	}
	log.Start(func() {})
	defer func() { err = errors.Join(err, log.Close(), fault) }()
	file, err := os.Open(filepath.Join(r.dir, backupFrames))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	in := bufio.NewReaderSize(file, copyBuffer)
	for r.last < seq {
		h, body, err := readFrame(in)
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if h.LastSeq <= r.last {
			continue
		}
		if h.LastSeq > seq {
			body = cutFrame(&h, body, seq)
		}
		if err := appendWaiting(log, &h, body); err != nil {
			return err
		}
		r.last, r.frames = h.LastSeq, r.frames+1
	}
	return awaitDurable(log, r.last, r.frames)
}

// readFrame reads one frame of a backup.
func readFrame(in *bufio.Reader) (h journal.Header, body []byte, err error) {
	const countAt, sizeAt = 32, 36 // of docs/JOURNAL.md
	head, err := in.Peek(journal.HeaderSize)
	if err != nil {
		return h, nil, err
	}
	size := uint64(binary.LittleEndian.Uint32(head[countAt:])) * uint64(binary.LittleEndian.Uint32(head[sizeAt:]))
	if size > journal.FrameBytesMax {
		_, _, err = journal.ParseFrame(head)
		return h, nil, errors.Join(errors.New("a frame of the backup is too long"), err)
	}
	frame := make([]byte, journal.HeaderSize+int(size))
	if _, err := io.ReadFull(in, frame); err != nil {
		return h, nil, err
	}
	return journal.ParseFrame(frame)
}

// cutFrame keeps the groups of a frame up to seq.
func cutFrame(h *journal.Header, body []byte, seq uint64) []byte {
	kept := 0
	var c risk.Command
	for (kept+1)*risk.CommandSize <= len(body) {
		if !risk.DecodeCommand(body[kept*risk.CommandSize:], &c) || c.Seq > seq {
			break
		}
		h.TimeMs = c.TimeMs
		kept++
	}
	h.LastSeq, h.Count = seq, uint32(kept)
	return body[:kept*risk.CommandSize]
}

// waitPause is how long restore waits for the disk before it asks again.
const waitPause = time.Millisecond

func appendWaiting(log *journal.Log, h *journal.Header, body []byte) error {
	for {
		err := log.Append(h, body)
		if !errors.Is(err, journal.ErrInFlight) {
			return err
		}
		time.Sleep(waitPause)
	}
}

// awaitDurable waits until everything appended is on disk.
func awaitDurable(log *journal.Log, seq, frames uint64) error {
	for frames > 0 {
		durable, err := log.Durable()
		if err != nil {
			return err
		}
		if durable >= seq {
			break
		}
		time.Sleep(waitPause)
	}
	return nil
}

// idleHandler is the state of a log that is only written.
type idleHandler struct{}

func (idleHandler) Restore(*journal.SnapshotReader) error { return nil }
func (idleHandler) Replay(*journal.Header, []byte) error  { return nil }
func (idleHandler) Snapshot(journal.Chain) (journal.SnapshotSource, error) {
	return nil, errors.New("nothing to take a snapshot of")
}
