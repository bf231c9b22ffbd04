package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var variable = regexp.MustCompile(`PLIMSOLL_[A-Z0-9_]*[A-Z0-9]`)

var flagInText = regexp.MustCompile("`--([a-z][a-z0-9-]+)")

// shipped reads a file of the repository.
func shipped(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestWhatIsShippedNamesFlagsThatAre(t *testing.T) {
	t.Parallel()
	known, names := map[string]bool{}, map[string]bool{}
	for _, v := range verbs() {
		_, help, _ := execute(t.Context(), nil, v.name, "--help")
		for _, h := range headInHelp.FindAllStringSubmatch(help, -1) {
			names[h[1]], known[h[4]] = true, true
		}
	}
	for _, path := range []string{"deploy/plimsoll.service", "deploy/Dockerfile", "docs/OPERATIONS.md"} {
		text := shipped(t, path)
		for _, name := range variable.FindAllString(text, -1) {
			if !known[name] {
				t.Errorf("%s: %s sets no flag", path, name)
			}
		}
		for _, m := range flagInText.FindAllStringSubmatch(text, -1) {
			if !names[m[1]] {
				t.Errorf("%s: there is no --%s", path, m[1])
			}
		}
	}
}

func TestTheUnitHoldsWhatTheDaemonDoes(t *testing.T) {
	t.Parallel()
	unit := "\n" + shipped(t, "deploy/plimsoll.service")
	for _, want := range []string{
		"Type=notify", "WatchdogSec=30", "ExecStart=/usr/local/bin/plimsoll serve", "ExecStartPre=/usr/local/bin/plimsoll check-config",
		"ExecReload=/bin/kill -HUP $MAINPID", "Restart=on-failure", "RestartPreventExitStatus=2 3 4", "ProtectSystem=strict",
		"NoNewPrivileges=yes", "CapabilityBoundingSet=", "MemoryDenyWriteExecute=yes", "PrivateDevices=yes", "LimitNOFILE=65536",
		"TimeoutStartSec=infinity", "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX", "SystemCallFilter=@system-service",
	} {
		if !strings.Contains(unit, "\n"+want+"\n") {
			t.Errorf("the unit lacks %s", want)
		}
	}
	operations := shipped(t, "docs/OPERATIONS.md")
	for _, code := range []string{"| 0 |", "| 1 |", "| 2 |", "| 3 |", "| 4 |", "| 70 |", "| 71 |"} {
		if !strings.Contains(operations, "\n"+code) {
			t.Errorf("docs/OPERATIONS.md does not explain the exit code %s", code)
		}
	}
}
