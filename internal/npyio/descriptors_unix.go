//go:build unix

package npyio

import "golang.org/x/sys/unix"

// descriptorLimit is the number of descriptors that the process may have.
func descriptorLimit() int {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil || uint64(l.Cur) > 1<<20 {
		return 1 << 20
	}
	return int(l.Cur)
}
