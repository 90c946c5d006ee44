package npyio

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"io"
	"math"
)

const (
	localHeaderLen = 30        // bytes of it that every member has
	newestZip      = 63        // 6.3: the newest version of the zip format
	sizesFollow    = 8         // the flag that says that sizes and CRC-32 follow the data
	zip64Sizes     = 1         // the extra field that holds long sizes
	fewExtra       = 64        // bytes of extra field that most members don't exceed
	mostExtra      = 1<<16 - 1 // and that none does
)

// checkLocal compares what stands before a member's data, which begins at start,
// with the directory of the archive: one may have been changed without the
// other, to show different readers different things.
func checkLocal(r io.ReaderAt, e *zip.File, start int64) error {
	const again = "copy or save the archive again"
	if v := e.ReaderVersion & 0xff; v > newestZip {
		return malformed("needs version %d.%d of the zip format: the newest is %d.%d", v/10, v%10, newestZip/10, newestZip%10)
	}
	h, extra, err := localHeader(r, e, start)
	if err != nil {
		return err
	}
	if h == nil {
		return malformed("has another name before its data than in the directory of its archive").hint(again)
	}
	flags := binary.LittleEndian.Uint16(h[6:])
	sum := uint64(binary.LittleEndian.Uint32(h[14:]))
	packed, size := uint64(binary.LittleEndian.Uint32(h[18:])), uint64(binary.LittleEndian.Uint32(h[22:]))
	if long := fieldOf(extra, zip64Sizes); size == math.MaxUint32 && len(long) >= 8 {
		size, long = binary.LittleEndian.Uint64(long), long[8:]
		if packed == math.MaxUint32 && len(long) >= 8 {
			packed = binary.LittleEndian.Uint64(long)
		}
	}
	for _, f := range []struct {
		what         string
		local, whole uint64
		later        bool // it may be told after the data
	}{
		{"method", uint64(binary.LittleEndian.Uint16(h[8:])), uint64(e.Method), false},
		{"encryption", uint64(flags & 1), uint64(e.Flags & 1), false},
		{"CRC-32", sum, uint64(e.CRC32), true},
		{"compressed size", packed, e.CompressedSize64, true},
		{"size", size, e.UncompressedSize64, true},
	} {
		if f.local != f.whole && !(f.later && flags&sizesFollow != 0 && f.local == 0) {
			return malformed("has another %s before its data, %d, than in the directory of its archive, %d", f.what, f.local, f.whole).hint(again)
		}
	}
	return nil
}

// localHeader is the header before a member's data and its extra field. The
// directory says where it begins, but package zip tells only where it ends: it
// is the one that has the member's name and ends there, or nil if none has.
func localHeader(r io.ReaderAt, e *zip.File, start int64) (h, extra []byte, err error) {
	fixed := int64(localHeaderLen + len(e.Name))
	for _, most := range []int64{fewExtra, mostExtra} {
		from := max(start-fixed-most, 0)
		b := make([]byte, start-from)
		if _, err := r.ReadAt(b, from); err != nil {
			return nil, nil, err
		}
		for at := int64(len(b)) - fixed; at >= 0; at-- {
			h := b[at:]
			if string(h[:4]) == "PK\x03\x04" && int(binary.LittleEndian.Uint16(h[26:])) == len(e.Name) &&
				int64(binary.LittleEndian.Uint16(h[28:])) == int64(len(h))-fixed && bytes.Equal(h[localHeaderLen:fixed], []byte(e.Name)) {
				return h, h[fixed:], nil
			}
		}
	}
	return nil, nil, nil
}

// fieldOf is the data of an extra field of that number, or nil.
func fieldOf(extra []byte, id uint16) []byte {
	for len(extra) >= 4 {
		n := min(len(extra), 4+int(binary.LittleEndian.Uint16(extra[2:])))
		if binary.LittleEndian.Uint16(extra) == id {
			return extra[4:n]
		}
		extra = extra[n:]
	}
	return nil
}
