package npyio

import (
	"encoding/binary"
	"strings"

	"fusectl/internal/dtype"
)

// Encode returns the bytes that numpy.save writes before the first element:
// magic, version, length and the dictionary, padded so that data starts at a
// multiple of 64. The version is the oldest that can hold it: 1.0, or 2.0 for
// more than 65535 bytes, or 3.0 for names beyond Latin-1.
func (h Header) Encode() []byte {
	order := "False"
	if h.FortranOrder {
		order = "True"
	}
	text := "{'descr': " + h.Descr + ", 'fortran_order': " + order + ", 'shape': " + dtype.Tuple(h.Shape) + ", }"
	if n := len(h.Shape); n > 0 {
		grows := h.Shape[0]
		if h.FortranOrder {
			grows = h.Shape[n-1]
		}
		text += strings.Repeat(" ", growthDigits-len(dtype.Tuple([]int{grows}))+len("(,)"))
	}
	body, latin1 := toLatin1(text)
	if !latin1 {
		return frame(3, []byte(text))
	}
	if b := frame(1, body); b != nil {
		return b
	}
	return frame(2, body)
}

// frame puts the prefix of a version before the text and pads it. It returns
// nil if version 1 can't hold that.
func frame(major byte, text []byte) []byte {
	lengthBytes := 4
	if major == 1 {
		lengthBytes = 2
	}
	prefix := len(magic) + 2 + lengthBytes
	length := len(text) + 1
	length += align - (prefix+length)%align // 64 and not 0 where nothing is missing, as NumPy does
	if major == 1 && length > 0xFFFF {
		return nil
	}
	b := make([]byte, 0, prefix+length)
	b = append(b, magic...)
	b = append(b, major, 0)
	b = binary.LittleEndian.AppendUint32(b, uint32(length))[:prefix]
	b = append(b, text...)
	b = append(b, strings.Repeat(" ", length-len(text)-1)...)
	return append(b, '\n')
}

// toLatin1 encodes s, or reports false if it has characters beyond Latin-1.
func toLatin1(s string) ([]byte, bool) {
	b := make([]byte, 0, len(s))
	for _, r := range s {
		if r > 0xFF {
			return nil, false
		}
		b = append(b, byte(r))
	}
	return b, true
}
