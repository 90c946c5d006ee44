package ops

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"

	"fusectl/internal/dtype"
	"fusectl/internal/kernel"
)

// recast is an array of an opaque type in another one that it promotes to.
type recast struct {
	computed
	columns []column
}

// column is what becomes of some bytes of each element: those of a field, or all.
type column struct {
	src, dst, srcSize, dstSize int // where they are, in bytes
	// convert turns whole columns into one another, each without gaps. It may spoil
	// src, and its errors say what a value is that has no place in the result.
	convert func(dst, src []byte) error
}

// promoteOpaque is x in an opaque type that its own promotes to.
func promoteOpaque(x Array, t dtype.Type) Array {
	if x.DType() == t {
		return x
	}
	r := &recast{computed: computed{op: "cast", dt: t, sh: x.Shape(), in: []Array{x}}}
	r.columns = columnsOf(nil, dtype.Field{Type: x.DType()}, dtype.Field{Type: t}, 0, 0, 1)
	return r
}

func (*recast) byRegion() bool { return true }

func (r *recast) Tiling() Tiling { return tilingOf(r.in[0]) }

func (r *recast) once(_ int, unit int64) (int64, bool) { return unit, true }

// Memory is the source, and one column before and after it is converted.
func (r *recast) Memory(n int64) int64 {
	size, widest := int64(r.in[0].DType().Size()), 0
	if len(r.columns) > 1 {
		for _, c := range r.columns {
			widest = max(widest, c.srcSize+c.dstSize)
		}
	}
	return n*(size+int64(widest)) + memoryOf(r.in[0], n)
}

func (r *recast) Read(ctx context.Context, dst []byte, off int64) error {
	return r.ReadRegion(ctx, dst, flat(off, int64(len(dst))/r.size()))
}

func (r *recast) ReadRegion(ctx context.Context, dst []byte, region Region) error {
	n := region.Runs * region.Len
	size := int64(r.in[0].DType().Size())
	src := getBuffer(n * size)
	defer putBuffer(src)
	if err := readRegion(ctx, r.in[0], src, region); err != nil {
		return err
	}
	for _, c := range r.columns {
		if err := c.apply(dst, src, int(n), int(r.size()), int(size)); err != nil {
			return errorf(r.in[0], "holds %v", err)
		}
	}
	return nil
}

// apply converts a column of n elements.
func (c column) apply(dst, src []byte, n, dstStride, srcStride int) error {
	if c.srcSize == srcStride && c.dstSize == dstStride {
		return c.convert(dst, src)
	}
	from, to := getBuffer(int64(n*c.srcSize)), getBuffer(int64(n*c.dstSize))
	defer putBuffer(from)
	defer putBuffer(to)
	kernel.CopyRows(from, c.srcSize, src[c.src:], srcStride, c.srcSize, n)
	if err := c.convert(to, from); err != nil {
		return err
	}
	kernel.CopyRows(dst[c.dst:], dstStride, to, c.dstSize, c.dstSize, n)
	return nil
}

// columnsOf adds the columns that take n values side by side of one field to those
// of another, which begin at some byte of an element.
func columnsOf(columns []column, from, to dtype.Field, src, dst, n int) []column {
	x, y := from.Type.Definition(), to.Type.Definition()
	switch x.Sort {
	case dtype.SubArray:
		return columnsOf(columns, x.Elem, y.Elem, src, dst, n*x.Len())
	case dtype.Record:
		for i := range n {
			s, d, k := src+i*from.Type.Size(), dst+i*to.Type.Size(), 0
			for _, f := range x.Fields {
				if !f.IsPadding() {
					columns = columnsOf(columns, f, y.Fields[k], s, d, 1)
					d += y.Fields[k].Type.Size()
					k++
				}
				s += f.Type.Size()
			}
		}
		return columns
	}
	return append(columns, column{src, dst, n * from.Type.Size(), n * to.Type.Size(), conversion(from, to)})
}

// conversion is a column's convert for values of sorts other than records.
func conversion(from, to dtype.Field) func(dst, src []byte) error {
	x, y := from.Type.Definition(), to.Type.Definition()
	size, width := from.Type.Size(), to.Type.Size()
	native := orderFix(from, x)
	switch {
	case x.Sort == dtype.Unknown:
		if from.Type == to.Type {
			break
		}
		convert := kernel.Active().Convert[from.Type.Kind()][to.Type.Kind()]
		return func(dst, src []byte) error {
			native(src)
			convert(dst, src)
			return nil
		}
	case x.Sort == dtype.Bytes && y.Sort == dtype.Text:
		return func(dst, src []byte) error { return decodeASCII(dst, src, size, width) }
	case x.Sort == dtype.Date || x.Sort == dtype.Duration:
		if x.Unit == y.Unit {
			break
		}
		return func(dst, src []byte) error {
			native(src)
			return convertTimes(dst, src, x, y)
		}
	}
	return func(dst, src []byte) error {
		native(src)
		if size < width { // NUL bytes behind shorter texts
			clear(dst)
		}
		if size > 0 {
			kernel.CopyRows(dst, width, src, size, size, len(src)/size)
		}
		return nil
	}
}

// orderFix brings values of a field to the byte order of this machine, in place.
func orderFix(f dtype.Field, d dtype.Definition) func(src []byte) {
	word := 0
	switch {
	case d.Sort == dtype.Text && d.BigEndian:
		word = 4
	case d.BigEndian:
		word = 8
	case f.BigEndian && f.Type.IsComplex():
		word = f.Type.Size() / 2
	case f.BigEndian:
		word = f.Type.Size()
	}
	if word < 2 {
		return func([]byte) {}
	}
	swap := kernel.Active().Swap[word]
	return func(src []byte) { swap(src, src) }
}

// decodeASCII turns bytes, size each, into code points, width bytes each.
func decodeASCII(dst, src []byte, size, width int) error {
	clear(dst)
	for ; len(src) >= size && size > 0; dst, src = dst[width:], src[size:] {
		for i, b := range src[:size] {
			if b >= 0x80 {
				return fmt.Errorf("the bytes %q, which are no ASCII and so no text", src[:size])
			}
			dst[4*i] = b
		}
	}
	return nil
}

// convertTimes brings dates or durations from one unit to another.
func convertTimes(dst, src []byte, x, y dtype.Definition) error {
	for i := 0; i < len(src); i += 8 {
		n := int64(binary.LittleEndian.Uint64(src[i:]))
		if n != math.MinInt64 { // NaT
			to, ok := x.Unit.Converted(n, y.Unit, x.Sort == dtype.Date)
			if !ok {
				return fmt.Errorf("a time of %d%v, which is beyond what 64 bits hold of %v", n, x.Unit, y.Unit)
			}
			n = to
		}
		binary.LittleEndian.PutUint64(dst[i:], uint64(n))
	}
	return nil
}
