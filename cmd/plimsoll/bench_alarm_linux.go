package main

import (
	"os"
	"time"

	"golang.org/x/sys/unix"

	"plimsoll/bench"
)

// timerAlarm wakes by a timer of the kernel that Go's network poller waits for: to within some
// microseconds, where time.Sleep of an idle process is rounded up to a millisecond.
type timerAlarm struct {
	file *os.File
	fd   int
	beat [8]byte
}

func newAlarm() (bench.Alarm, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("timerfd_create", err)
	}
	return &timerAlarm{file: os.NewFile(uintptr(fd), "timer"), fd: fd}, nil
}

// Sleep waits for a time above 0.
func (a *timerAlarm) Sleep(long time.Duration) error {
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(long.Nanoseconds())}
	if err := unix.TimerfdSettime(a.fd, 0, &spec, nil); err != nil {
		return os.NewSyscallError("timerfd_settime", err)
	}
	_, err := a.file.Read(a.beat[:])
	return err
}

// Close gives the timer back.
func (a *timerAlarm) Close() error { return a.file.Close() }
