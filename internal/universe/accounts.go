package universe

import (
	"fmt"
	"strings"
)

// Account is one captured account: JSON is the capture file, byte for byte.
type Account struct {
	Name string // "lifi_portfolio_margin"; the file's name up to its date
	JSON []byte
}

// Accounts returns the captured accounts in the order of their names. The amounts of the
// tula captures are scaled by one hidden factor per account: linear formulas hold on them,
// caps and tier bounds do not.
func Accounts() []Account {
	entries, err := files.ReadDir("data/accounts")
	if err != nil {
		panic(fmt.Sprintf("universe: BUG: %v", err))
	}
	accounts := make([]Account, len(entries))
	for i, entry := range entries {
		name, _, _ := strings.Cut(entry.Name(), "_2026-")
		accounts[i] = Account{Name: name, JSON: read("data/accounts/" + entry.Name())}
	}
	return accounts
}
