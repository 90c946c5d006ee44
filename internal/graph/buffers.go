package graph

import (
	"math/bits"
	"sync"

	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// buffers are lent to whoever computes, and kept when they come back for the next
// borrower: once every worker has had its turn, nothing is allocated any more. All
// nodes share them, so that a graph of many inputs holds no more than what its
// workers use at one time.
var buffers = struct {
	sync.Mutex
	free map[int64][][]byte // by size
}{free: map[int64][][]byte{}}

// bufferSize is the size of the buffer that is lent for n bytes: at most an eighth
// more, so that tiles at a border use those of the others.
func bufferSize(n int64) int64 {
	const least = 12 // log2
	step := int64(1) << (max(bits.Len64(uint64(max(n-1, 0))), least) - 4)
	return shape.CeilDiv(n, step) * step
}

// GetBuffer lends n bytes, of any content.
func GetBuffer(n int64) []byte {
	size := bufferSize(n)
	buffers.Lock()
	defer buffers.Unlock()
	free := buffers.free[size]
	if len(free) == 0 {
		return kernel.Alloc(int(size))[:n]
	}
	buffers.free[size] = free[:len(free)-1]
	return free[len(free)-1][:n]
}

// PutBuffer takes a buffer back; nil is none.
func PutBuffer(b []byte) {
	if b == nil {
		return
	}
	buffers.Lock()
	defer buffers.Unlock()
	size := int64(cap(b))
	buffers.free[size] = append(buffers.free[size], b)
}

// dropBuffers forgets the buffers that aren't lent and tells how many bytes they
// had.
func dropBuffers() (bytes int64) {
	buffers.Lock()
	defer buffers.Unlock()
	for size, free := range buffers.free {
		bytes += size * int64(len(free))
	}
	clear(buffers.free)
	return bytes
}
