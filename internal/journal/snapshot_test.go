package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/raft"
	"github.com/hashicorp/raft-wal/types"

	"plimsoll/internal/journal/journaltest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// testChunks draws chunks of which some compress and some do not.
func testChunks(seed uint64, count int) []Chunk {
	rng := rand.New(rand.NewPCG(seed, 1))
	chunks := make([]Chunk, count)
	for i := range chunks {
		payload := make([]byte, rng.IntN(3000))
		for j := range payload {
			payload[j] = byte(j / 64)
			if i%2 == 1 {
				payload[j] = byte(rng.Uint32())
			}
		}
		chunks[i] = Chunk{Kind: uint8(i%5 + 1), Shard: uint16(i % 3), Payload: payload}
	}
	return chunks
}

// take writes and publishes a snapshot of the state at a raft index.
func take(store *snapshotStore, index uint64, chunks []Chunk) (SnapshotInfo, error) {
	created, err := store.Create(1, index, 2, testConfiguration(), 1, nil)
	if err != nil {
		return SnapshotInfo{}, err
	}
	sink := created.(*snapshotSink)
	w, err := sink.writer()
	for i := 0; err == nil && i < len(chunks); i++ {
		err = w.Chunk(chunks[i].Kind, chunks[i].Shard, chunks[i].Payload)
	}
	if err != nil {
		return SnapshotInfo{}, errors.Join(err, sink.Cancel())
	}
	sink.finish(SnapshotMeta{
		Seq: index * 10, TimeMs: 1, Chain: Chain{Number: index, Seq: index * 10, Link: Hash{1, 2}}, StateHash: "aa",
		Shards: 3, Accounts: uint64(len(chunks)), TakenUnixMs: 7,
	})
	return sink.info, sink.Close()
}

func testConfiguration() raft.Configuration {
	return raft.Configuration{Servers: []raft.Server{{ID: "1", Address: "one"}}}
}

// chunksOf reads all chunks back in the order of the file.
func chunksOf(r *SnapshotReader, workers int) ([]Chunk, error) {
	var mu sync.Mutex
	var chunks []Chunk
	err := r.Each(workers, func(worker int, c Chunk) error {
		if worker < 0 || worker >= workers {
			return fmt.Errorf("worker %d of %d", worker, workers)
		}
		c.Payload = slices.Clone(c.Payload)
		mu.Lock()
		defer mu.Unlock()
		chunks = append(chunks, c)
		return nil
	})
	return chunks, err
}

func sortChunks(chunks []Chunk) []Chunk {
	chunks = slices.Clone(chunks)
	slices.SortFunc(chunks, func(a, b Chunk) int {
		if a.Kind != b.Kind {
			return int(a.Kind) - int(b.Kind)
		}
		if a.Shard != b.Shard {
			return int(a.Shard) - int(b.Shard)
		}
		return bytes.Compare(a.Payload, b.Payload)
	})
	return chunks
}

func sameChunks(got, want []Chunk) error {
	got, want = sortChunks(got), sortChunks(want)
	if len(got) != len(want) {
		return fmt.Errorf("%d chunks, want %d", len(got), len(want))
	}
	for i := range got {
		if got[i].Kind != want[i].Kind || got[i].Shard != want[i].Shard || !bytes.Equal(got[i].Payload, want[i].Payload) {
			return fmt.Errorf("chunk %d of kind %d, shard %d differs", i, got[i].Kind, got[i].Shard)
		}
	}
	return nil
}

func isDamage(err error) bool {
	damage := (*DamageError)(nil)
	return errors.As(err, &damage)
}

func newTestStore(t testing.TB, files Files, dir string, keep int) *snapshotStore {
	t.Helper()
	store, err := newSnapshotStore(files, dir, keep)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func TestSnapshotComesBack(t *testing.T) {
	dir := t.TempDir()
	store := newTestStore(t, OSFiles{}, dir, 2)
	chunks := testChunks(1, 100)
	big := bytes.Repeat([]byte("account "), 200_000)
	noise := make([]byte, ChunkBytesMax)
	for i := 0; i < len(noise); i += 8 {
		binary.LittleEndian.PutUint64(noise[i:], rand.Uint64())
	}
	chunks = append(chunks, Chunk{Kind: 9, Payload: big}, Chunk{Kind: 10, Payload: noise}, Chunk{Kind: 11})
	if _, err := take(store, 5, chunks); err != nil {
		t.Fatal(err)
	}
	infos, err := ListSnapshots(dir)
	if err != nil || len(infos) != 1 {
		t.Fatalf("ListSnapshots: %v, %v", infos, err)
	}
	if want := store.Infos()[0]; infos[0].File != want.File || infos[0].SnapshotMeta != want.SnapshotMeta {
		t.Errorf("listed %+v, published %+v", infos[0], want)
	}
	if infos[0].Seq != 50 || infos[0].RaftIndex != 5 || infos[0].RaftTerm != 2 || infos[0].Version != SnapshotVersion {
		t.Errorf("meta %+v", infos[0].SnapshotMeta)
	}
	if infos[0].Bytes > int64(len(noise)+len(big)/2+200_000) {
		t.Errorf("%d bytes: what compresses was not compressed", infos[0].Bytes)
	}
	for _, workers := range []int{1, 4, 1000} {
		r, err := OpenSnapshot(infos[0].File)
		if err != nil {
			t.Fatal(err)
		}
		got, err := chunksOf(r, workers)
		if err == nil {
			err = sameChunks(got, chunks)
		}
		if err = errors.Join(err, r.Close()); err != nil {
			t.Fatalf("%d workers: %v", workers, err)
		}
	}
}

func TestSnapshotRefusesTooLargeChunks(t *testing.T) {
	disk := journaltest.New(1)
	if _, err := take(newTestStore(t, disk, "d", 1), 1, []Chunk{{Payload: make([]byte, ChunkBytesMax+1)}}); err == nil {
		t.Error("a chunk above the limit was taken")
	}
	if names, _ := disk.ListDir("d/snapshots"); len(names) != 0 {
		t.Errorf("left over: %v", names)
	}
}

// TestSnapshotGolden reads a file that version 1 wrote, and refuses it with any bit of it
// flipped, and when it is cut off anywhere.
func TestSnapshotGolden(t *testing.T) {
	path := filepath.Join("testdata", "snapshot-v1.snap")
	chunks := testChunks(42, 4)
	for i := range chunks {
		chunks[i].Payload = chunks[i].Payload[:min(len(chunks[i].Payload), 300)]
	}
	if *update {
		dir := t.TempDir()
		store := newTestStore(t, OSFiles{}, dir, 1)
		if _, err := take(store, 3, chunks); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(store.Infos()[0].File)
		if err == nil {
			err = errors.Join(os.MkdirAll("testdata", 0o755), os.WriteFile(path, data, 0o644))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	read := func(data []byte) ([]Chunk, error) {
		disk := journaltest.New(0)
		if err := errors.Join(disk.MkdirAll("d"), put(disk, "d", "a.snap", data)); err != nil {
			t.Fatal(err)
		}
		r, err := openSnapshot(disk, "d", "a.snap")
		if err != nil {
			return nil, err
		}
		got, err := chunksOf(r, 2)
		return got, errors.Join(err, r.Close())
	}
	got, err := read(data)
	if err == nil {
		err = sameChunks(got, chunks)
	}
	if err != nil {
		t.Fatal(err)
	}
	for bit := range len(data) * 8 {
		data[bit/8] ^= 1 << (bit % 8)
		if _, err := read(data); !isDamage(err) {
			t.Fatalf("bit %d of byte %d flipped: %v", bit%8, bit/8, err)
		}
		data[bit/8] ^= 1 << (bit % 8)
	}
	for size := range data {
		if _, err := read(data[:size]); !isDamage(err) {
			t.Fatalf("cut to %d bytes: %v", size, err)
		}
	}
}

func put(files Files, dir, name string, data []byte) error {
	file, err := files.Create(dir, name, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteAt(data, 0)
	return errors.Join(err, file.Sync(), file.Close())
}

func TestNewerSnapshotSaysSo(t *testing.T) {
	header := binary.LittleEndian.AppendUint32([]byte(snapshotMagic), SnapshotVersion+1)
	header = binary.LittleEndian.AppendUint32(header, 0)
	binary.LittleEndian.PutUint32(header[12:], crc32.Checksum(header[:12], castagnoli))
	err := checkSnapshotHeader("f", header)
	if !isDamage(err) || !strings.Contains(err.Error(), "version 2") || !strings.Contains(err.Error(), "newer") {
		t.Errorf("%v", err)
	}
}

func TestSnapshotRetention(t *testing.T) {
	disk := journaltest.New(1)
	store := newTestStore(t, disk, "d", 2)
	for index := uint64(1); index <= 5; index++ {
		if _, err := take(store, index, testChunks(index, 3)); err != nil {
			t.Fatal(err)
		}
	}
	if err := put(disk, "d/snapshots", "x.snap.tmp", []byte("half")); err != nil {
		t.Fatal(err)
	}
	store = newTestStore(t, disk, "d", 2)
	metas, err := store.List()
	if err != nil || len(metas) != 2 || metas[0].Index != 5 || metas[1].Index != 4 {
		t.Fatalf("%v, %v", metas, err)
	}
	if metas[0].Term != 2 || metas[0].ConfigurationIndex != 1 || len(metas[0].Configuration.Servers) != 1 {
		t.Errorf("raft's part: %+v", metas[0])
	}
	if names, _ := disk.ListDir("d/snapshots"); len(names) != 2 {
		t.Errorf("left over: %v", names)
	}
	if store.oldestIndex() != 4 {
		t.Errorf("oldest index %d", store.oldestIndex())
	}
}

func TestDamagedSnapshotFallsBack(t *testing.T) {
	for _, where := range []string{"chunk", "manifest"} {
		disk := journaltest.New(1)
		store := newTestStore(t, disk, "d", 2)
		older, newer := testChunks(1, 5), testChunks(2, 5)
		if _, err := take(store, 1, older); err != nil {
			t.Fatal(err)
		}
		if _, err := take(store, 2, newer); err != nil {
			t.Fatal(err)
		}
		damaged := store.Infos()[0]
		bit := int64(snapshotHeaderSize+chunkHeaderSize+1) * 8
		if where == "manifest" {
			bit = (damaged.Bytes - snapshotFooterSize - 2) * 8
		}
		if err := disk.Flip("d/snapshots", filepath.Base(damaged.File), bit); err != nil {
			t.Fatal(err)
		}
		store = newTestStore(t, disk, "d", 2)
		got, err := restore(store)
		if err == nil {
			err = sameChunks(got, older)
		}
		if err != nil {
			t.Fatalf("%s: %v", where, err)
		}
		if rejected := store.Rejected(); len(rejected) != 1 || !strings.Contains(rejected[0].Error(), damaged.File) {
			t.Errorf("%s: rejected %v", where, rejected)
		}
	}
}

// restore does what raft does at its start: the newest that opens.
func restore(store *snapshotStore) ([]Chunk, error) {
	metas, err := store.List()
	if err != nil {
		return nil, err
	}
	for _, meta := range metas {
		_, source, err := store.Open(meta.ID)
		if err != nil {
			continue
		}
		r, err := snapshotReaderOf(source)
		if err != nil {
			return nil, err
		}
		chunks, err := chunksOf(r, 2)
		return chunks, errors.Join(err, source.Close())
	}
	return nil, os.ErrNotExist
}

func TestSnapshotIsShipped(t *testing.T) {
	disk := journaltest.New(1)
	leader, follower := newTestStore(t, disk, "a", 2), newTestStore(t, disk, "b", 2)
	chunks := testChunks(1, 9)
	if _, err := take(leader, 8, chunks); err != nil {
		t.Fatal(err)
	}
	ship := func(index uint64, spoil func([]byte)) error {
		meta, source, err := leader.Open(filepath.Base(leader.Infos()[0].File))
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(source)
		if err = errors.Join(err, source.Close()); err != nil || int64(len(data)) != meta.Size {
			t.Fatal(len(data), meta.Size, err)
		}
		spoil(data)
		sink, err := follower.Create(meta.Version, index, meta.Term, meta.Configuration, meta.ConfigurationIndex, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(sink, bytes.NewReader(data)); err != nil {
			t.Fatal(err)
		}
		return sink.Close()
	}
	if err := ship(8, func(data []byte) { data[100] ^= 1 }); !isDamage(err) {
		t.Errorf("damaged on the way: %v", err)
	}
	if err := ship(9, func([]byte) {}); err == nil {
		t.Error("a snapshot of another log entry was taken")
	}
	if names, _ := disk.ListDir("b/snapshots"); len(names) != 0 {
		t.Errorf("left over: %v", names)
	}
	if err := ship(8, func([]byte) {}); err != nil {
		t.Fatal(err)
	}
	got, err := restore(follower)
	if err == nil {
		err = sameChunks(got, chunks)
	}
	if err != nil {
		t.Error(err)
	}
}

// wrapped is a reader as raft wraps it to count what is read.
type wrapped struct{ io.ReadCloser }

func (w wrapped) WrappedReadCloser() io.ReadCloser { return w.ReadCloser }

func TestSnapshotReaderOf(t *testing.T) {
	r := &SnapshotReader{}
	if got, err := snapshotReaderOf(wrapped{wrapped{&snapshotStream{reader: r}}}); got != r || err != nil {
		t.Error(got, err)
	}
	if _, err := snapshotReaderOf(io.NopCloser(nil)); err == nil {
		t.Error("a stranger's reader was taken")
	}
}

// flakyFile loses what a failed sync was to keep: every sync after that one succeeds.
type flakyFile struct {
	types.WritableFile
	syncs int
}

func (f *flakyFile) WriteAt(b []byte, _ int64) (int, error) { return len(b), nil }

func (f *flakyFile) Sync() error {
	if f.syncs++; f.syncs == 1 {
		return errors.New("the disk is gone for a moment")
	}
	return nil
}

// A sync that fails while a snapshot is written spoils it, whatever later syncs say.
func TestSnapshotDoesNotForgetAFailedSync(t *testing.T) {
	file := &flakyFile{}
	w, err := newSnapshotWriter(file)
	if err != nil {
		t.Fatal(err)
	}
	payload := make([]byte, 64<<10)
	for i := 0; i < 8*syncEvery/len(payload) && err == nil; i++ {
		_, _ = rand.NewChaCha8([32]byte{byte(i)}).Read(payload)
		err = w.Chunk(1, 0, payload)
	}
	if _, finish := w.finish(SnapshotMeta{}, snapshotRaft{}); err == nil || finish == nil {
		t.Errorf("chunk: %v, finish: %v after %d syncs, want the failure of the first", err, finish, file.syncs)
	}
}
