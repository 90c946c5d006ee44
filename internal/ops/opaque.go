package ops

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/kernel"
)

// recast is an array whose values are converted by a function that may refuse some: of an
// opaque type to another one that it promotes to, or of integers that must be of a
// certain range.
type recast struct {
	unary
	conversion
}

// conversion turns values that lie side by side into others.
type conversion struct {
	// apply may spoil src, and its errors say what a value is that has no place in
	// the result.
	apply func(dst, src []byte) error
	holds int    // bytes that it holds meanwhile, for each value
	hint  string // what to do about a value that has no place; "": nothing
}

// promoteOpaque is x in an opaque type that its own promotes to.
func promoteOpaque(x graph.Array, t dtype.Type) graph.Array {
	if x.DType() == t {
		return x
	}
	c := convert(dtype.Field{Type: x.DType()}, dtype.Field{Type: t})
	return &recast{unary{computed{op: "cast", dt: t, sh: x.Shape()}, x}, c}
}

func (*recast) ReadsByRegion() bool { return true }

func (r *recast) Tiling() graph.Tiling { return graph.TilingOf(r.x) }

func (r *recast) ReadsOnce(unit int64, say func(*graph.Array, int64)) { say(&r.x, unit) }

func (r *recast) Memory(n int64) int64 {
	return n*int64(r.x.DType().Size()+r.holds) + graph.MemoryOf(r.x, n)
}

func (r *recast) Read(ctx context.Context, dst []byte, off int64) error {
	return r.ReadRegion(ctx, dst, graph.OneRun(off, int64(len(dst))/r.size()))
}

func (r *recast) ReadRegion(ctx context.Context, dst []byte, region graph.Region) error {
	src := graph.GetBuffer(region.Runs * region.Len * int64(r.x.DType().Size()))
	defer graph.PutBuffer(src)
	if err := graph.ReadRegion(ctx, r.x, src, region); err != nil {
		return err
	}
	err := r.apply(dst, src)
	if err == nil {
		return nil
	}
	e := graph.Errorf(r.x, "holds %v", err)
	if r.hint != "" {
		e.Hint("%s", r.hint)
	}
	return e
}

// convert is the conversion of a field's values into those of another.
func convert(from, to dtype.Field) conversion {
	x, y := from.Type.Definition(), to.Type.Definition()
	switch x.Sort {
	case dtype.SubArray:
		c := convert(x.Elem, y.Elem)
		c.holds *= x.Len()
		return c
	case dtype.Record:
		return convertRecords(x.Fields, y.Fields, from.Type.Size(), to.Type.Size())
	}
	return conversion{apply: convertValues(from, to)}
}

// convertRecords converts field by field: each is taken out of all records, and put
// into those of the result, which have no padding.
func convertRecords(from, to []dtype.Field, size, width int) conversion {
	var columns []column
	all := conversion{}
	src, dst := 0, 0
	for _, f := range from {
		n := f.Type.Size()
		if !f.IsPadding() {
			t := to[len(columns)]
			c := column{convert(f, t), src, dst, n, t.Type.Size()}
			columns = append(columns, c)
			dst += c.width
			all.holds = max(all.holds, c.size+c.width+c.holds)
		}
		src += n
	}
	all.apply = func(dst, src []byte) error {
		if width == 0 {
			return nil
		}
		n := len(dst) / width
		for _, c := range columns {
			if err := c.convert(dst, width, src, size, n); err != nil {
				return err
			}
		}
		return nil
	}
	return all
}

// column is a field of records.
type column struct {
	conversion
	src, dst, size, width int // where it is in either, and its bytes
}

// convert converts the field of n records, which lie size and width bytes apart.
func (c column) convert(dst []byte, width int, src []byte, size, n int) error {
	out, in := graph.GetBuffer(int64(n*c.width)), graph.GetBuffer(int64(n*c.size))
	defer graph.PutBuffer(out)
	defer graph.PutBuffer(in)
	kernel.CopyRows(in, c.size, src[c.src:], size, c.size, n)
	if err := c.apply(out, in); err != nil {
		return err
	}
	kernel.CopyRows(dst[c.dst:], width, out, c.width, c.width, n)
	return nil
}

// convertValues converts values of sorts that aren't made of others.
func convertValues(from, to dtype.Field) func(dst, src []byte) error {
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
				what := "the duration"
				if x.Sort == dtype.Date {
					what = "the date 1970 +"
				}
				return fmt.Errorf("%s %d%v, which is beyond what 64 bits hold of %v", what, n, x.Unit, y.Unit)
			}
			n = to
		}
		binary.LittleEndian.PutUint64(dst[i:], uint64(n))
	}
	return nil
}
