package bench

import (
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
)

// Machine is what a run was measured on.
type Machine struct {
	CPU        string `json:"cpu"`
	Cores      int    `json:"cores"` // threads of the hardware
	GoMaxProcs int    `json:"gomaxprocs"`
	MemoryMB   int    `json:"memory_mb"`
	OS         string `json:"os"`
	Arch       string `json:"arch"`
	Kernel     string `json:"kernel"`
	LoadBefore string `json:"load_average_before"` // what else ran: over 1, 5 and 15 minutes
}

// BuildVersion is what was measured with.
type BuildVersion struct {
	Module   string `json:"module"`
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Modified bool   `json:"modified,omitempty"` // there were changes beyond the revision
	Go       string `json:"go"`
}

// thisMachine describes this machine as far as it tells.
func thisMachine() Machine {
	m := Machine{Cores: runtime.NumCPU(), GoMaxProcs: runtime.GOMAXPROCS(0), OS: runtime.GOOS, Arch: runtime.GOARCH}
	m.CPU = valueOf("/proc/cpuinfo", "model name")
	kib, _, _ := strings.Cut(valueOf("/proc/meminfo", "MemTotal"), " ")
	if n, err := strconv.Atoi(kib); err == nil {
		m.MemoryMB = n >> 10
	}
	if text, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel = strings.TrimSpace(string(text))
	}
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		if fields := strings.Fields(string(text)); len(fields) > 2 {
			m.LoadBefore = strings.Join(fields[:3], " ")
		}
	}
	return m
}

// valueOf returns what follows a key and a colon in a file of such lines.
func valueOf(path, key string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == key {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// buildVersion returns what this program was built from.
func buildVersion() BuildVersion {
	v := BuildVersion{Go: runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	v.Module, v.Version = info.Main.Path, info.Main.Version
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Revision = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
}
