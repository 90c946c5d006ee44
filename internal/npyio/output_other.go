//go:build !linux

package npyio

import (
	"errors"
	"io/fs"
	"os"
)

// openUnnamed fails: files without a name are Linux's.
func openUnnamed(string) (*os.File, error) { return nil, errors.ErrUnsupported }

func linkUnnamed(*os.File, string, bool) error { return errors.ErrUnsupported }

// preallocate extends the file. What reserves room differs on every system.
func preallocate(f *os.File, size int64) error { return f.Truncate(size) }

// writable tells why the user may not write to a file. Renaming another one
// over it would not ask.
func writable(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return f.Close()
}

// keepOwner does nothing: a file that is replaced passes on its permissions
// alone.
func keepOwner(*os.File, fs.FileInfo) {}

// descriptor finds none: paths that lead to open descriptors are Linux's.
func descriptor(string) (*os.File, bool, error) { return nil, false, nil }

// closed can't be told.
func closed(*os.File) bool { return false }

// lockFolder does nothing.
func lockFolder(string) (unlock func()) { return func() {} }
