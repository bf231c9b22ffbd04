package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"

	"plimsoll/internal/engine"
	"plimsoll/internal/journal"
)

const (
	settingsName    = "settings.json"
	settingsVersion = 1
	settingsMode    = 0o640
	dataMode        = 0o750
)

// settings are what an engine must be built with so that a journal means the same again:
// each decides which commands are refused or answered as repeats. They stand in the data
// directory from the first start.
type settings struct {
	Version     int    `json:"version"`
	AccountsMax uint32 `json:"accounts_max"`
	ClientsMax  int    `json:"clients_max"`
	IDWindow    int    `json:"id_window"`
	CRC32C      string `json:"crc32c"` // of the same with this empty
}

func settingsOf(cfg *engine.Config) settings {
	return settings{Version: settingsVersion, AccountsMax: cfg.AccountsMax, ClientsMax: cfg.ClientsMax, IDWindow: cfg.IDWindow}
}

// impose makes cfg an engine of these settings.
func (s *settings) impose(cfg *engine.Config) {
	cfg.AccountsMax, cfg.ClientsMax, cfg.IDWindow = s.AccountsMax, s.ClientsMax, s.IDWindow
}

// sum returns the checksum of s.
func (s settings) sum() (string, error) {
	s.CRC32C = ""
	text, err := json.Marshal(&s)
	return fmt.Sprintf("%08x", crc32.Checksum(text, crc32.MakeTable(crc32.Castagnoli))), err
}

// errNewer says that a later version has written what is read.
var errNewer = errors.New("newer than this program")

// readSettings reads the settings of a data directory; os.ErrNotExist when it has none.
func readSettings(dir string) (s settings, err error) {
	path := filepath.Join(dir, settingsName)
	text, err := os.ReadFile(path)
	if err != nil {
		return s, err
	}
	bad := func(what string, err error) error {
		return &journal.DamageError{
			File: path, Offset: 0, What: what, Err: err,
			Do: "put a copy of it from a backup in its place: settings.json of any directory started with the same flags is equal",
		}
	}
	if err = json.Unmarshal(text, &s); err != nil {
		return s, bad("it is no JSON", err)
	}
	if s.Version > settingsVersion {
		return s, fmt.Errorf("%s: format version %d is %w, which reads up to %d", path, s.Version, errNewer, settingsVersion)
	}
	if sum, err := s.sum(); err != nil || sum != s.CRC32C {
		return s, bad("its checksum is "+sum+", it says "+s.CRC32C, err)
	}
	return s, nil
}

// write puts the settings into a data directory, at once and for good.
func (s settings) write(dir string) (err error) {
	if s.CRC32C, err = s.sum(); err != nil {
		return err
	}
	text, err := json.Marshal(&s)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, dataMode); err != nil {
		return err
	}
	return writeDurably(filepath.Join(dir, settingsName), append(text, '\n'))
}

// writeDurably writes a small file so that it is there whole or not at all.
func writeDurably(path string, text []byte) error {
	file, err := os.OpenFile(path+".tmp", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, settingsMode)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(path+".tmp", path)
	}
	return errors.Join(err, syncDir(filepath.Dir(path)))
}

// syncDir makes the names in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
