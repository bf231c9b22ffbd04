package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"github.com/hashicorp/raft-wal/types"
)

// A slot of a slot file, little endian: magic u32, length of the content u32, number u64,
// CRC32C of all that u32, of the content too, zero u32, content.
const (
	slotMagic      = 0x544c5350 // "PSLT"
	slotHeaderSize = 24
	slotCount      = 2
)

// slotFile holds a small value in a file of fixed size that is written in place: two slots
// of slotBytes each, so that one is whole while the other is written.
type slotFile struct {
	file      types.WritableFile
	slotBytes int
	number    uint64 // of the newest value
	buf       []byte
}

// openSlots opens dir/name, or makes it, and returns the newest whole value: nil when there is none.
func openSlots(files Files, dir, name string, slotBytes int) (*slotFile, []byte, error) {
	file, err := files.OpenWriter(dir, name)
	if errors.Is(err, os.ErrNotExist) {
		file, err = files.Create(dir, name, uint64(slotCount*slotBytes)) //nolint:gosec // a positive constant
		if err == nil {
			err = file.Sync()
		}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("journal: open %s: %w", name, err)
	}
	s := &slotFile{file: file, slotBytes: slotBytes, buf: make([]byte, slotBytes)}
	var newest []byte
	for slot := range slotCount {
		number, content, err := s.read(slot)
		if err != nil {
			return nil, nil, errors.Join(fmt.Errorf("journal: read %s: %w", name, err), file.Close())
		}
		if content != nil && (newest == nil || number > s.number) {
			s.number, newest = number, content
		}
	}
	return s, newest, nil
}

// read returns a slot's value, nil when it holds none.
func (s *slotFile) read(slot int) (number uint64, content []byte, err error) {
	b := make([]byte, s.slotBytes)
	n, err := s.file.ReadAt(b, int64(slot*s.slotBytes))
	if err != nil && err != io.EOF {
		return 0, nil, err
	}
	b = b[:n]
	if n < slotHeaderSize {
		return 0, nil, nil
	}
	length := binary.LittleEndian.Uint32(b[4:])
	isValue := binary.LittleEndian.Uint32(b) == slotMagic && uint64(length)+slotHeaderSize <= uint64(n)
	if isValue {
		content = b[slotHeaderSize : slotHeaderSize+int(length)]
		isValue = slotCRC(b, content) == binary.LittleEndian.Uint32(b[16:])
	}
	if !isValue {
		return 0, nil, nil // empty, or torn, or damaged
	}
	return binary.LittleEndian.Uint64(b[8:]), content, nil
}

func slotCRC(header, content []byte) uint32 {
	return crc32.Update(crc32.Checksum(header[:16], castagnoli), castagnoli, content)
}

// write puts a value into the slot that number falls to, without syncing.
func (s *slotFile) write(number uint64, content []byte) error {
	if len(content)+slotHeaderSize > s.slotBytes {
		return fmt.Errorf("journal: %d bytes do not fit a slot of %d", len(content), s.slotBytes)
	}
	b := s.buf[:slotHeaderSize+len(content)]
	clear(b[:slotHeaderSize])
	binary.LittleEndian.PutUint32(b, slotMagic)
	binary.LittleEndian.PutUint32(b[4:], uint32(len(content))) //nolint:gosec // less than a slot
	binary.LittleEndian.PutUint64(b[8:], number)
	binary.LittleEndian.PutUint32(b[16:], slotCRC(b, content))
	copy(b[slotHeaderSize:], content)
	slot := int64(number % slotCount) //nolint:gosec // 0 or 1
	_, err := s.file.WriteAt(b, slot*int64(s.slotBytes))
	if err == nil {
		s.number = number
	}
	return err
}

// writeBoth makes a value durable in one slot and then in the other: when it returns, either
// alone is enough.
func (s *slotFile) writeBoth(content []byte) error {
	for range slotCount {
		if err := s.write(s.number+1, content); err != nil {
			return err
		}
		if err := s.file.Sync(); err != nil {
			return err
		}
	}
	return nil
}

// settle makes the newest value durable, which may be in memory only after a kill or a failed
// sync: first where it stands, as the other slot may hold the only value on disk, then there too.
func (s *slotFile) settle(content []byte) error {
	for range slotCount {
		if err := s.write(s.number, content); err != nil {
			return err
		}
		if err := s.file.Sync(); err != nil {
			return err
		}
		s.number++
	}
	s.number--
	return nil
}
