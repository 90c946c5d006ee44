package npyio

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/kshedden/gonpy"

	"fusectl/internal/dtype"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// codecChunk bounds what gonpy decodes at once, and so the memory it takes: it
// returns a slice of its own and needs as much again to read it.
const codecChunk = 1 << 20

// fromBigEndian turns elements of t from big-endian into little-endian, in
// place. Numbers are words to be reversed; gonpy decodes the complex ones.
func fromBigEndian(ctx context.Context, b []byte, t dtype.Type) error {
	if !t.IsComplex() {
		swap(b, b, wordSize(t))
		return nil
	}
	for len(b) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(len(b), codecChunk)
		if err := decodeParts(b[:n], wordSize(t)); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// swap reverses the bytes of each word, of 2, 4 or 8 bytes: dst may be src.
func swap(dst, src []byte, word int) { kernel.Active().Swap[word](dst, src) }

// wordSize is the bytes of an element that have an order: of a complex number,
// those of each part.
func wordSize(t dtype.Type) int {
	if t.IsComplex() {
		return t.Size() / 2
	}
	return t.Size()
}

// decodeParts has gonpy read a small .npy array that is put together for the
// chunk: so it never sees a byte of a header that came from outside, nor a file.
// The parts of complex numbers go as integers, since a float that is moved about
// may lose what kind of NaN it is.
func decodeParts(b []byte, word int) error {
	h := Header{Descr: fmt.Sprintf("'>u%d'", word), Shape: shape.Shape{len(b) / word}}
	r, err := gonpy.NewReader(io.MultiReader(bytes.NewReader(h.Encode()), bytes.NewReader(b)))
	if err != nil {
		return err
	}
	if word == 4 {
		v, err := r.GetUint32()
		copy(b, kernel.Bytes(v))
		return err
	}
	v, err := r.GetUint64()
	copy(b, kernel.Bytes(v))
	return err
}
