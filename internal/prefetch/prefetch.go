package prefetch

import "unsafe"

// lineBytes is the size of a cache line on amd64 and arm64 servers.
const lineBytes = 64

// Item starts to load every cache line of *p and waits for none. It reads nothing in the
// sense of the memory model: another goroutine may be writing *p.
func Item[T any](p *T) { span(unsafe.Pointer(p), unsafe.Sizeof(*p)) }

// Items is Item for all of a slice; s itself must not be written meanwhile.
func Items[T any](s []T) {
	if len(s) > 0 {
		span(unsafe.Pointer(&s[0]), uintptr(len(s))*unsafe.Sizeof(s[0]))
	}
}

// span asks for the lines of size bytes from p on; size is not 0.
func span(p unsafe.Pointer, size uintptr) {
	for at := uintptr(0); at < size; at += lineBytes {
		line(unsafe.Add(p, at))
	}
	line(unsafe.Add(p, size-1)) // p may stand in the middle of a line
}
