package kernel

import (
	"hash/crc32"
	"unsafe"
)

// Checksum is the CRC-32 of zip and gzip of p behind what has the CRC-32 sum: 0
// for nothing. It is hash/crc32's Update of its IEEETable.
func Checksum(sum uint32, p []byte) uint32 { return Active().checksum(sum, p) }

// folder turns steps > 0 blocks of size bytes, and the one of state before them,
// into one of the same CRC-32, where that begins at 0 instead of its usual
// complement.
type folder struct {
	size int // at most mostFolded
	fold func(state, src *byte, steps int)
}

const mostFolded = 512

// checksum is Checksum.
func (t *Table) checksum(sum uint32, p []byte) uint32 {
	if size := t.folder.size; size > 0 && len(p) >= 2*size {
		var state [mostFolded]byte
		copy(state[:size], p)
		le.PutUint32(state[:], le.Uint32(state[:])^^sum)
		p = p[size:]
		steps := len(p) / size
		t.folder.fold(&state[0], unsafe.SliceData(p), steps)
		sum = crc32.Update(^uint32(0), crc32.IEEETable, state[:size])
		p = p[steps*size:]
	}
	return crc32.Update(sum, crc32.IEEETable, p)
}
