package npyio

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/kshedden/gonpy"

	"fusectl/internal/dtype"
	"fusectl/internal/shape"
)

// codecChunk bounds what is decoded at once, and so the memory it takes: gonpy
// returns a slice of its own and needs as much again to read it.
const codecChunk = 1 << 20

// fromBigEndian turns words of 2, 4 or 8 bytes from big-endian into
// little-endian, in place. gonpy decodes them, from a small .npy array that is
// put together for each chunk: so it never sees a byte of a header that came
// from outside, nor a file.
func fromBigEndian(ctx context.Context, b []byte, word int) error {
	for len(b) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(len(b), codecChunk)
		if err := decodeChunk(b[:n], word); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// toBigEndian writes the words of src, of 2, 4 or 8 bytes, to dst as
// big-endian.
func toBigEndian(dst, src []byte, word int) {
	le, be := binary.LittleEndian, binary.BigEndian
	for i := 0; i < len(src); i += word {
		switch word {
		case 2:
			be.PutUint16(dst[i:], le.Uint16(src[i:]))
		case 4:
			be.PutUint32(dst[i:], le.Uint32(src[i:]))
		default:
			be.PutUint64(dst[i:], le.Uint64(src[i:]))
		}
	}
}

// wordSize is the bytes of an element that have an order: of a complex number,
// those of each part.
func wordSize(t dtype.Type) int {
	if t.IsComplex() {
		return t.Size() / 2
	}
	return t.Size()
}

func decodeChunk(b []byte, word int) error {
	h := Header{Descr: fmt.Sprintf("'>u%d'", word), Shape: shape.Shape{len(b) / word}}
	r, err := gonpy.NewReader(io.MultiReader(bytes.NewReader(h.Encode()), bytes.NewReader(b)))
	if err != nil {
		return err
	}
	le := binary.LittleEndian
	switch word {
	case 2:
		v, err := r.GetUint16()
		for i, x := range v {
			le.PutUint16(b[2*i:], x)
		}
		return err
	case 4:
		v, err := r.GetUint32()
		for i, x := range v {
			le.PutUint32(b[4*i:], x)
		}
		return err
	default:
		v, err := r.GetUint64()
		for i, x := range v {
			le.PutUint64(b[8*i:], x)
		}
		return err
	}
}
