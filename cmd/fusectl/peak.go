package main

import (
	"bytes"
	"fmt"
	"os"
)

// peakMemory is the most memory that the process has held so far, in bytes,
// where the system tells: Linux.
func peakMemory() (peak int64, ok bool) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, false
	}
	_, after, ok := bytes.Cut(status, []byte("VmHWM:"))
	if !ok {
		return 0, false
	}
	var kib int64
	if _, err := fmt.Fscan(bytes.NewReader(after), &kib); err != nil {
		return 0, false
	}
	return kib << 10, true
}
