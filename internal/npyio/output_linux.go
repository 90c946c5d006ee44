package npyio

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// openUnnamed opens a new file in dir that has no name, and so vanishes with
// the process that has it open.
func openUnnamed(dir string) (*os.File, error) {
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o666)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "")
	if err := unix.Access(procPath(f), unix.F_OK); err != nil { // no /proc: it could not be given a name
		f.Close()
		return nil, err
	}
	return f, nil
}

func procPath(f *os.File) string { return fmt.Sprintf("/proc/self/fd/%d", f.Fd()) }

// linkUnnamed gives an unnamed file its name and closes it. Under exclude a
// file that has the name already is left, and the error is fs.ErrExist.
func linkUnnamed(f *os.File, target string, exclude bool) error {
	// Closing one of two descriptors tells of late errors, before anyone sees
	// the file, and leaves the other to name it by.
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return err
	}
	twin := os.NewFile(uintptr(fd), "")
	defer twin.Close()
	if err := f.Close(); err != nil {
		return err
	}
	link := func(path string) error {
		return unix.Linkat(unix.AT_FDCWD, procPath(twin), unix.AT_FDCWD, path, unix.AT_SYMLINK_FOLLOW)
	}
	err = link(target)
	if !errors.Is(err, unix.EEXIST) || exclude {
		return err
	}
	// No call replaces a name by a link: take another name and rename that.
	temp := tempName(target)
	if err := link(temp); err != nil {
		return err
	}
	if err := replace(temp, target); err != nil {
		os.Remove(temp)
		return err
	}
	return nil
}

// descriptor is a twin of the open descriptor of this process that path leads to,
// such as /dev/stdout; ok is false if it leads to none. The twin shares the
// position and the flags, which a file that is opened anew would not.
func descriptor(path string) (f *os.File, ok bool, err error) {
	for range 40 { // links, at most
		dir, err := filepath.EvalSymlinks(filepath.Dir(path))
		if err != nil {
			return nil, false, nil
		}
		if n, err := strconv.Atoi(filepath.Base(path)); err == nil && dir == fmt.Sprintf("/proc/%d/fd", os.Getpid()) {
			fd, err := unix.FcntlInt(uintptr(n), unix.F_DUPFD_CLOEXEC, 0)
			if err != nil {
				return nil, true, err
			}
			return os.NewFile(uintptr(fd), path), true, nil
		}
		link, err := os.Readlink(filepath.Join(dir, filepath.Base(path)))
		if err != nil {
			return nil, false, nil
		}
		if !filepath.IsAbs(link) {
			link = filepath.Join(dir, link)
		}
		path = link
	}
	return nil, false, nil
}

// closed reports whether f, standard output, was closed when the program began:
// Go opens /dev/null in its place, to read and write, where those who discard
// output open it to write.
func closed(f *os.File) bool {
	var st unix.Stat_t
	if unix.Fstat(int(f.Fd()), &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFCHR || st.Rdev != unix.Mkdev(1, 3) {
		return false
	}
	flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
	return err == nil && flags&unix.O_ACCMODE == unix.O_RDWR
}

// lockFolder waits until this process alone changes archives in a folder. The
// lock leaves nothing behind and ends with the process. A file system without
// locks has none.
func lockFolder(dir string) (unlock func()) {
	f, err := os.Open(dir)
	if err != nil {
		return func() {}
	}
	for unix.Flock(int(f.Fd()), unix.LOCK_EX) == unix.EINTR {
	}
	return func() { f.Close() }
}

// preallocate reserves size bytes on the disk. On ext4, writing 512 MiB in
// tiles of 256 KiB into a file preallocated so takes two thirds of the time
// that it takes into one that was only extended by ftruncate: measured, 88
// against 135 ms with one writer and 107 against 164 ms with two.
func preallocate(f *os.File, size int64) error {
	for {
		err := unix.Fallocate(int(f.Fd()), 0, 0, size)
		switch err {
		case unix.EINTR:
			continue
		case unix.EOPNOTSUPP, unix.ENOSYS, unix.EINVAL:
			return f.Truncate(size)
		}
		return err
	}
}

// writable tells why the user may not write to a file. Renaming another one
// over it would not ask.
func writable(path string) error {
	return unix.Faccessat(unix.AT_FDCWD, path, unix.W_OK, unix.AT_EACCESS)
}

// keepOwner gives f the owner of the file it replaces, if the system lets it.
func keepOwner(f *os.File, old fs.FileInfo) {
	if st, ok := old.Sys().(*syscall.Stat_t); ok {
		_ = f.Chown(int(st.Uid), int(st.Gid))
	}
}
