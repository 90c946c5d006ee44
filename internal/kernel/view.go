package kernel

import (
	"encoding/binary"
	"unsafe"
)

// le is the byte order of elements in memory, for loops that move several at a time from
// addresses that needn't be aligned.
var le = binary.LittleEndian

// View returns b as a slice of elements of type T, sharing its memory. b must
// be aligned for T; bytes after the last whole element are left out.
func View[T any](b []byte) []T {
	var t T
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/int(unsafe.Sizeof(t)))
}

// Bytes returns the memory of s as bytes: the inverse of View.
func Bytes[T any](s []T) []byte {
	var t T
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*int(unsafe.Sizeof(t)))
}

// Alloc returns n zero bytes that begin at a multiple of 64: a cache line, and
// the widest vector register.
func Alloc(n int) []byte {
	const align = 64
	b := make([]byte, n+align-1)
	skip := int(-uintptr(unsafe.Pointer(unsafe.SliceData(b))) % align)
	return b[skip : skip+n : skip+n]
}
