package graph

import (
	"context"
	"fmt"
	"slices"

	"fusectl/internal/dtype"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// Array is a lazy array: its dtype and shape are known before any data is
// read, and any run of its elements can be asked for.
type Array interface {
	DType() dtype.Type
	Shape() shape.Shape
	// Read fills dst with native elements from element off on, in C order.
	// len(dst) is a whole number of elements inside the array. It is safe for
	// concurrent use.
	Read(ctx context.Context, dst []byte, off int64) error
}

// Node is an array that is computed from others. What the engine asks of it
// beyond Array is how it is built and what it costs.
type Node interface {
	Array
	// Op is the operation's name, as --dry-run shows it.
	Op() string
	// Operands shows each field that holds an array that the node reads. Another array
	// of the same elements may be put there, as long as nothing is computed.
	Operands(visit func(*Array))
	// Memory is the bytes that a Read of n elements holds while it runs,
	// those of the inputs it reads included, and dst not.
	Memory(n int64) int64
}

// Arithmetic is a node whose arithmetic isn't one operation an element.
type Arithmetic interface {
	// Flops is the floating-point operations that computing the whole node
	// takes, its inputs apart; moving data is none.
	Flops() int64
}

// Tiler is a node that prefers to be computed in tiles of a certain form.
type Tiler interface{ Tiling() Tiling }

// Tabled is a node that holds tables from when it is made, as large as its axes.
type Tabled interface {
	// Tables is the bytes of them.
	Tables() int64
}

// RegionReader is an array that reads several runs at once for less than one
// by one.
type RegionReader interface {
	// ReadRegion fills dst with the region's runs, one after the other.
	ReadRegion(ctx context.Context, dst []byte, r Region) error
}

// Resident is an array that lies in memory as a whole, from when it is read on.
type Resident interface {
	Array
	Bytes() []byte
}

// Region is Runs runs of Len elements each; the first starts at element Off,
// each further one Stride elements after the one before.
type Region struct{ Off, Runs, Len, Stride int64 }

// OneRun is the region of n elements from off on.
func OneRun(off, n int64) Region { return Region{Off: off, Runs: 1, Len: n, Stride: n} }

// Error says that arrays don't fit an operation: a shape, a dtype, an axis.
type Error struct {
	Name  string // the input at fault, if it is one
	Msg   string
	Hints []string
}

func (e *Error) Error() string {
	if e.Name == "" {
		return e.Msg
	}
	return e.Name + ": " + e.Msg
}

// Errorf is an Error about x.
func Errorf(x Array, format string, args ...any) *Error {
	return &Error{Name: NameOf(x), Msg: fmt.Sprintf(format, args...)}
}

// Hint adds a line that says what would be right, or what to do next.
func (e *Error) Hint(format string, args ...any) *Error {
	e.Hints = append(e.Hints, fmt.Sprintf(format, args...))
	return e
}

// NameOf is the name of the file that x is or, where it has but one, is
// computed from; otherwise the operation that computes it.
func NameOf(x Array) string {
	switch x := sourceOf(x).(type) {
	case interface{ Name() string }:
		return x.Name()
	case Node:
		return x.Op()
	}
	return ""
}

// sourceOf is the file, or what has a name, that x is or is computed from, by its first
// inputs.
func sourceOf(x Array) Array {
	for {
		if _, named := x.(interface{ Name() string }); named {
			return x
		}
		n, ok := x.(Node)
		if !ok {
			return x
		}
		xs := Operands(n)
		if len(xs) == 0 {
			return x
		}
		x = xs[0]
	}
}

// Described is an operand as a message names it, with its shape: its file, or
// what has been computed from that. A file in Fortran order comes transposed.
func Described(x Array) string {
	s, of := x.Shape(), sourceOf(x).Shape().Clone()
	if !s.Equal(of) {
		if slices.Reverse(of); !s.Equal(of) {
			return fmt.Sprintf("what is computed from %s, whose shape is %v", NameOf(x), s)
		}
	}
	return fmt.Sprintf("%s, whose shape is %v", NameOf(x), s)
}

// SizeOf is the bytes that x takes.
func SizeOf(x Array) int64 { return x.Shape().Len() * int64(x.DType().Size()) }

// Operands are the arrays that a node reads.
func Operands(n Node) (xs []Array) {
	n.Operands(func(x *Array) { xs = append(xs, *x) })
	return xs
}

// eachNode calls f once for each node of a graph, after those that it reads. f may
// put other arrays in the place of the node's operands.
func eachNode(xs []Array, f func(Node)) {
	seen := map[Node]bool{}
	var walk func(Array)
	walk = func(x Array) {
		n, ok := x.(Node)
		if !ok || seen[n] {
			return
		}
		seen[n] = true
		n.Operands(func(x *Array) { walk(*x) })
		f(n)
	}
	for _, x := range xs {
		walk(x)
	}
}

// flopsOf is the operations that computing n takes, its operands apart.
func flopsOf(n Node) int64 {
	if w, ok := n.(Arithmetic); ok {
		return w.Flops()
	}
	return n.Shape().Len()
}

// MemoryOf is the bytes that a read of n elements of x holds.
func MemoryOf(x Array, n int64) int64 {
	if nd, ok := x.(Node); ok {
		return nd.Memory(n)
	}
	return 0
}

// TilingOf is the form of tile that x prefers; the zero Tiling if any will do.
func TilingOf(x Array) Tiling {
	if t, ok := x.(Tiler); ok {
		return t.Tiling()
	}
	return Tiling{}
}

// inPlace is a region of x in x's own memory, if it has any and the region is one
// run; otherwise nil.
func inPlace(x Array, r Region) []byte {
	m, ok := x.(Resident)
	if !ok || r.Runs > 1 && r.Stride != r.Len {
		return nil
	}
	size := int64(x.DType().Size())
	return m.Bytes()[r.Off*size : (r.Off+r.Runs*r.Len)*size]
}

// Peek gives a region of x, to read: in x's own memory, or else in buf.
func Peek(ctx context.Context, x Array, buf []byte, r Region) ([]byte, error) {
	if data := inPlace(x, r); data != nil {
		return data, nil
	}
	return buf, ReadRegion(ctx, x, buf, r)
}

// PeekRun gives n elements of x from off on, to read: where they lie, or else in a
// buffer, which is to be put back; nil where there is none.
func PeekRun(ctx context.Context, x Array, off, n int64) (data, buf []byte, err error) {
	if data := inPlace(x, OneRun(off, n)); data != nil {
		return data, nil, nil
	}
	buf = GetBuffer(n * int64(x.DType().Size()))
	return buf, buf, x.Read(ctx, buf, off)
}

// PeekBuffer is the elements that a PeekRun of n elements of x has in a buffer.
func PeekBuffer(x Array, n int64) int64 {
	if _, ok := x.(Resident); ok {
		return 0
	}
	return n
}

// coverMost is the bytes that a read of a region with small gaps fetches in one
// piece at most.
const coverMost = 64 << 10

// FarApart reports whether runs of a region are read one by one, because each
// begins so many bytes after the one before.
func FarApart(bytes int64) bool { return bytes > coverMost/8 }

// ReadRegion fills dst with a region of x, by x's own ReadRegion if it has one.
func ReadRegion(ctx context.Context, x Array, dst []byte, r Region) error {
	if len(dst) == 0 { // of elements of no bytes, whose size nothing below divides by
		return nil
	}
	if r.Runs == 1 || r.Stride == r.Len {
		return x.Read(ctx, dst, r.Off)
	}
	if rr, ok := x.(RegionReader); ok {
		return rr.ReadRegion(ctx, dst, r)
	}
	size := int64(x.DType().Size())
	run, stride := r.Len*size, r.Stride*size
	if FarApart(stride) {
		return ReadRuns(ctx, x, dst, r)
	}
	// Short runs close together: one read that covers many beats many reads.
	per := coverMost / stride
	buf := GetBuffer(coverMost)
	defer PutBuffer(buf)
	for i := int64(0); i < r.Runs; i += per {
		n := min(per, r.Runs-i)
		cover := buf[:(n-1)*stride+run]
		if err := x.Read(ctx, cover, r.Off+i*r.Stride); err != nil {
			return err
		}
		kernel.CopyRows(dst[i*run:], int(run), cover, int(stride), int(run), int(n))
	}
	return nil
}

// ReadRuns fills dst with a region of x, run by run.
func ReadRuns(ctx context.Context, x Array, dst []byte, r Region) error {
	run := r.Len * int64(x.DType().Size())
	for i := range r.Runs {
		if err := x.Read(ctx, dst[i*run:(i+1)*run], r.Off+i*r.Stride); err != nil {
			return err
		}
	}
	return nil
}

// Tiling is the form of tile a node prefers. The zero value leaves it to the
// engine.
type Tiling struct {
	// Unit is a run that is cheapest computed whole, such as a row of pixels
	// or a block of queries: tiles are multiples of it where they can be.
	Unit int64
	// Size is the elements a tile should have at least; the engine makes tiles
	// larger than its own aim only for this.
	Size int64
	// Most, where it isn't 0, is the elements a tile should have at most: its
	// elements take much input each.
	Most int64
	// Rows > 1 says that the array is blocks of Rows runs, Stride apart, of
	// which a tile best takes TileRows by TileCols: a feature map with its
	// channels first, say, computed for some positions and all channels.
	Rows, Stride, TileRows, TileCols int64
}

// Keeper is a source that can't be read at any place at any time, such as a pipe,
// and so keeps some of what it has read in memory, and more of it elsewhere.
type Keeper interface {
	Array
	// ReadOnce says that from now on no element is read twice, and that readers
	// go forward: what has been read need not be kept.
	ReadOnce()
	// Keeps is the bytes of memory that it takes at most while it is read, and
	// before that.
	Keeps() (reading, before int64)
	// Release lets go of what is kept: it isn't read any more.
	Release()
}

// OnceReader is a node that reads an operand once, from front to back, where it
// is itself read so.
type OnceReader interface {
	// ReadsOnce says which operands those are, if every element of the node is read
	// once, in runs from one multiple of unit to another, and of what the operand's
	// runs are then multiples.
	ReadsOnce(unit int64, say func(operand *Array, unit int64))
}

// Sequential is a node that may read its operands one after the other.
type Sequential interface{ ReadsInTurn() bool }
