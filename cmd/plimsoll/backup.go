package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"plimsoll/internal/journal"
)

// A backup is a directory of copies of snapshots, one file of frames one after the other as
// docs/JOURNAL.md has them, and a manifest, written last, with the length and the SHA-256 of
// each.
const (
	backupVersion  = 1
	backupManifest = "backup.json"
	backupFrames   = "frames"
	copyBuffer     = 1 << 20
)

// backupIndex is the manifest.
type backupIndex struct {
	Version  int          `json:"version"`
	Settings settings     `json:"settings"`
	FirstSeq uint64       `json:"first_seq"` // of the frames; 0 = there are none
	LastSeq  uint64       `json:"last_seq"`
	Count    uint64       `json:"frames"`
	Files    []backupFile `json:"files"`
}

// backupFile is one file of a backup.
type backupFile struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
	Seq    uint64 `json:"seq,omitempty"` // of a snapshot
}

// backup copies a data directory.
func backup(_ context.Context, p *process) int {
	var dir, dest string
	f := newFlags("backup", "Copies the settings, the snapshots and every committed frame of a data directory into a new directory,\n"+
		"with checksums. The data directory is not changed and may be in use. 'plimsoll restore' makes a data directory of it.")
	f.operand(&dir, "DIR")
	f.operand(&dest, "DEST")
	if code, done := p.parse(f); done {
		return code
	}
	index, err := makeBackup(dir, dest)
	if err != nil {
		return p.failed("backup", err)
	}
	printf(p.stdout, "%s: %d snapshots, %s frames, seq %d to %d\n",
		dest, len(index.Files)-1, countText(index.Count), index.FirstSeq, index.LastSeq)
	return exitDone
}

func makeBackup(dir, dest string) (*backupIndex, error) {
	past, err := newPast(dir, 1, 0)
	if err != nil {
		return nil, err
	}
	if err := makeNew(dest); err != nil {
		return nil, err
	}
	index := &backupIndex{Version: backupVersion, Settings: past.settings}
	snapshots, err := journal.ListSnapshots(dir)
	if err != nil {
		return nil, err
	}
	for i := range snapshots {
		name := filepath.Base(snapshots[i].File)
		file, err := copyFile(snapshots[i].File, filepath.Join(dest, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // newer ones have taken its place meanwhile
		}
		if err != nil {
			return nil, err
		}
		file.Seq = snapshots[i].Seq
		index.Files = append(index.Files, file)
	}
	if err := index.copyFrames(dir, dest); err != nil {
		return nil, err
	}
	text, err := json.MarshalIndent(index, "", "  ")
	if err != nil {
		return nil, err
	}
	return index, writeDurably(filepath.Join(dest, backupManifest), append(text, '\n'))
}

// makeNew makes a directory that must not hold anything yet.
func makeNew(dir string) error {
	entries, err := os.ReadDir(dir)
	if err == nil && len(entries) > 0 {
		return fmt.Errorf("%s is not empty; name a new directory", dir)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.MkdirAll(dir, dataMode)
}

// summed is a new file that knows its checksum.
type summed struct {
	file  *os.File
	out   *bufio.Writer
	sum   hash.Hash
	bytes int64
}

func newSummed(path string) (*summed, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, settingsMode)
	if err != nil {
		return nil, err
	}
	return &summed{file: file, out: bufio.NewWriterSize(file, copyBuffer), sum: sha256.New()}, nil
}

func (s *summed) Write(b []byte) (int, error) {
	s.sum.Write(b) // never fails
	n, err := s.out.Write(b)
	s.bytes += int64(n)
	return n, err
}

// close makes the file durable.
func (s *summed) close() (backupFile, error) {
	err := errors.Join(s.out.Flush(), s.file.Sync(), s.file.Close())
	return backupFile{Name: filepath.Base(s.file.Name()), Bytes: s.bytes, SHA256: hex.EncodeToString(s.sum.Sum(nil))}, err
}

// copyFile copies a file and makes the copy durable.
func copyFile(from, to string) (file backupFile, err error) {
	in, err := os.Open(from)
	if err != nil {
		return file, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	out, err := newSummed(to)
	if err != nil {
		return file, err
	}
	_, err = io.Copy(out, in)
	file, closeErr := out.close()
	return file, errors.Join(err, closeErr)
}

// copyFrames writes every committed frame.
func (b *backupIndex) copyFrames(dir, dest string) error {
	out, err := newSummed(filepath.Join(dest, backupFrames))
	if err != nil {
		return err
	}
	var frame []byte
	_, err = journal.Scan(dir, func(_ journal.Place, h *journal.Header, body []byte) error {
		if b.FirstSeq == 0 {
			b.FirstSeq = h.FirstSeq
		}
		b.LastSeq, b.Count = h.LastSeq, b.Count+1
		frame = journal.AppendFrame(frame[:0], h, body)
		_, err := out.Write(frame)
		return err
	})
	file, closeErr := out.close()
	b.Files = append(b.Files, file)
	return errors.Join(err, closeErr)
}
