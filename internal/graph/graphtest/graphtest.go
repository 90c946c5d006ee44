// Package graphtest holds what tests of operations share: arrays in memory, and
// a graph computed in every way that the engine has.
package graphtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// Mem is an array in memory that isn't a node, as a file is none.
type Mem struct {
	Label string
	Type  dtype.Type
	Dims  shape.Shape
	Data  []byte
}

func (m *Mem) Name() string       { return m.Label }
func (m *Mem) DType() dtype.Type  { return m.Type }
func (m *Mem) Shape() shape.Shape { return m.Dims }
func (m *Mem) Read(_ context.Context, dst []byte, off int64) error {
	size := int64(m.Type.Size())
	if len(dst)%m.Type.Size() != 0 || off < 0 || off*size+int64(len(dst)) > int64(len(m.Data)) {
		return fmt.Errorf("%s: read of %d bytes at element %d of %v", m.Label, len(dst), off, m.Dims)
	}
	copy(dst, m.Data[off*size:])
	return nil
}

func ArrayOf[T any](name string, t dtype.Type, s shape.Shape, v []T) *Mem {
	if int64(len(v)) != s.Len() {
		panic(fmt.Sprintf("%d values for shape %v", len(v), s))
	}
	data := kernel.Alloc(len(v) * t.Size())
	copy(data, kernel.Bytes(v))
	return &Mem{name, t, s, data}
}

// Randn is a normal float32 array.
func Randn(seed uint64, dims ...int) *Mem {
	r := rand.New(rand.NewPCG(seed, 1))
	s := shape.Shape(dims)
	v := make([]float32, s.Len())
	for i := range v {
		v[i] = float32(r.NormFloat64())
	}
	return ArrayOf(fmt.Sprintf("x%d.npy", seed), dtype.Float32, s, v)
}

// Of is randn in another dtype.
func Of(t dtype.Type, x *Mem) *Mem {
	data := kernel.Alloc(int(x.Dims.Len()) * t.Size())
	src := x.Data
	if t.IsInteger() || t == dtype.Bool { // spread over the small integers
		scaled := make([]float32, x.Dims.Len())
		for i, v := range kernel.View[float32](x.Data) {
			scaled[i] = float32(math.Abs(float64(v * 20)))
		}
		src = kernel.Bytes(scaled)
	}
	kernel.Active().Convert[dtype.KindFloat32][t.Kind()](data, src)
	return &Mem{x.Label, t, x.Dims, data}
}

// File is an io.WriterAt that must be written exactly once everywhere.
type File struct {
	mu      sync.Mutex
	Data    []byte
	Written []byte
}

func (f *File) WriteAt(p []byte, off int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range p {
		f.Written[off+int64(i)]++
	}
	return copy(f.Data[off:], p), nil
}

func WriteAt(t testing.TB, x graph.Array, o graph.Options) []byte {
	t.Helper()
	p, err := graph.NewPlan(o, x)
	if err != nil {
		t.Fatalf("%s: %v", formula(x, 3), err)
	}
	f := &File{Data: make([]byte, graph.SizeOf(x)), Written: make([]byte, graph.SizeOf(x))}
	if err := p.WriteAt(context.Background(), f); err != nil {
		t.Fatalf("%s: %v", formula(x, 3), err)
	}
	for i, n := range f.Written {
		if n != 1 {
			t.Fatalf("%s: byte %d was written %d times", formula(x, 3), i, n)
		}
	}
	return f.Data
}

func WriteTo(t testing.TB, x graph.Array, o graph.Options) []byte {
	t.Helper()
	o.InOrder = true
	p, err := graph.NewPlan(o, x)
	if err != nil {
		t.Fatalf("%s: %v", formula(x, 3), err)
	}
	var b bytes.Buffer
	if err := p.WriteTo(context.Background(), &b); err != nil {
		t.Fatalf("%s: %v", formula(x, 3), err)
	}
	return b.Bytes()
}

// Result computes x in every way the engine has, and by reads of random runs,
// and returns the bytes that all of them must give. build makes the graph
// anew, so that nothing held is shared.
func Result(t testing.TB, build func() graph.Array) []byte {
	t.Helper()
	want := WriteAt(t, build(), graph.Options{})
	least := 1 + int64(len(want))/4096 // thousands of tiles; of an element each where there are no more
	for _, o := range []graph.Options{
		{Threads: 3, Tile: least}, {Threads: 1, Tile: 40}, {Threads: 2, Tile: 1000}, {Threads: 3, Tile: 1 << 20},
	} {
		if got := WriteAt(t, build(), o); !bytes.Equal(got, want) {
			t.Fatalf("%s: %d threads and tiles of %d bytes give other bytes, at %d", formula(build(), 3), o.Threads, o.Tile, Differ(got, want))
		}
		if got := WriteTo(t, build(), o); !bytes.Equal(got, want) {
			t.Fatalf("%s: %d threads and tiles of %d bytes give other bytes in order, at %d", formula(build(), 3), o.Threads, o.Tile, Differ(got, want))
		}
	}
	WriteAt(t, &probe{build(), func(x graph.Array) error { return checkRuns(x, want) }}, graph.Options{})
	return want
}

// formula says what computes x, for messages: add(conv(x1.npy, x2.npy), x3.npy). What
// is deeper than depth is left out.
func formula(x graph.Array, depth int) string {
	n, ok := x.(graph.Node)
	if !ok {
		return graph.NameOf(x)
	}
	var of []string
	for _, operand := range graph.Operands(n) {
		if depth > 0 {
			of = append(of, formula(operand, depth-1))
		} else {
			of = []string{"..."}
		}
	}
	return fmt.Sprintf("%s(%s)", n.Op(), strings.Join(of, ", "))
}

// probe is a node that looks at its operand when it is read.
type probe struct {
	x    graph.Array
	look func(graph.Array) error
}

func (p *probe) DType() dtype.Type                 { return dtype.Bool }
func (p *probe) Shape() shape.Shape                { return shape.Shape{} }
func (p *probe) Op() string                        { return "probe" }
func (p *probe) Operands(visit func(*graph.Array)) { visit(&p.x) }
func (p *probe) Memory(n int64) int64              { return 0 }
func (p *probe) Read(_ context.Context, dst []byte, _ int64) error {
	clear(dst)
	return p.look(p.x)
}

// checkRuns reads random runs of x, whose elements are want.
func checkRuns(x graph.Array, want []byte) error {
	size, n := int64(x.DType().Size()), x.Shape().Len()
	r := rand.New(rand.NewPCG(uint64(n), 7))
	for range 60 {
		if n == 0 {
			break
		}
		off := r.Int64N(n)
		length := 1 + r.Int64N(min(n-off, 300))
		dst := kernel.Alloc(int(length * size))
		if err := x.Read(context.Background(), dst, off); err != nil {
			return err
		}
		if !bytes.Equal(dst, want[off*size:(off+length)*size]) {
			return fmt.Errorf("a read of %d elements at %d gives other bytes than the whole", length, off)
		}
	}
	return nil
}

func Differ(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// Must unwraps a constructor's result.
func Must(x graph.Array, err error) graph.Array {
	if err != nil {
		panic(err)
	}
	return x
}

// Indices calls f with the multi-index of every element of s, in C order.
func Indices(s shape.Shape, f func(at []int)) {
	at := make([]int, len(s))
	for range s.Len() {
		f(at)
		for a := len(s) - 1; a >= 0; a-- {
			if at[a]++; at[a] < s[a] {
				break
			}
			at[a] = 0
		}
	}
}

// FlatIndex is the C-order place of at in s, whose missing leading axes and
// axes of extent 1 are broadcast.
func FlatIndex(s shape.Shape, at []int) int {
	i, lead := 0, len(at)-len(s)
	for a, d := range s {
		k := at[lead+a]
		if d == 1 {
			k = 0
		}
		i = i*d + k
	}
	return i
}

// Permuted is x, of float32, with its axes permuted.
func Permuted(x *Mem, perm []int) *Mem {
	src := kernel.View[float32](x.Data)
	data := kernel.Alloc(len(x.Data))
	dst, k := kernel.View[float32](data), 0
	s := x.Dims.Permute(perm)
	Indices(s, func(at []int) {
		from := make([]int, len(at))
		for i, p := range perm {
			from[p] = at[i]
		}
		dst[k] = src[FlatIndex(x.Dims, from)]
		k++
	})
	return &Mem{x.Label, x.Type, s, data}
}

// Floats is the elements of a result in float64.
func Floats(x graph.Array, data []byte) []float64 {
	out := kernel.Alloc(int(x.Shape().Len()) * 8)
	kernel.Active().Convert[x.DType().Kind()][dtype.KindFloat64](out, data)
	return kernel.View[float64](out)
}

// Values is the elements of x in float64.
func Values(x *Mem) []float64 { return Floats(x, x.Data) }

// Within fails unless got is within rel of want, relative to the largest of
// want: sums cancel, so a single small element says nothing of the error.
func Within(t testing.TB, got, want []float64, rel float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d elements: want %d", len(got), len(want))
	}
	largest := 0.0
	for _, w := range want {
		largest = max(largest, math.Abs(w))
	}
	for i := range want {
		if d := math.Abs(got[i] - want[i]); !(d <= rel*largest) {
			t.Fatalf("element %d: got %v, want %v; off by %.3g of the largest, allowed %.3g", i, got[i], want[i], d/largest, rel)
		}
	}
}

// Pipe is a source that keeps what it has read, is told whether it is read once, and
// counts what is read.
type Pipe struct {
	Mem
	Reading, Before int64 // what it keeps
	Once, Released  bool  // what it was told
	Times           []int // how often each element was read
	Back            bool  // a read began before the end of the one before it
	mu              sync.Mutex
	last            int64
}

func NewPipe(x *Mem, reading, before int64) *Pipe {
	return &Pipe{Mem: *x, Reading: reading, Before: before, Times: make([]int, x.Dims.Len())}
}

func (p *Pipe) ReadOnce()                      { p.Once = true }
func (p *Pipe) Release()                       { p.Released = true }
func (p *Pipe) Keeps() (reading, before int64) { return p.Reading, p.Before }
func (p *Pipe) Read(ctx context.Context, dst []byte, off int64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := int64(len(dst) / p.Type.Size())
	for i := range n {
		p.Times[off+i]++
	}
	p.Back = p.Back || off < p.last
	p.last = off + n
	return p.Mem.Read(ctx, dst, off)
}

// Refused fails unless err is a *graph.Error about an input, "" being none, that says
// msg and has these hints.
func Refused(t testing.TB, what string, err error, input, msg string, hints []string) {
	t.Helper()
	var e *graph.Error
	switch {
	case !errors.As(err, &e):
		t.Errorf("%s: got %v, want an error that says %q", what, err, msg)
	case e.Name != input || e.Msg != msg:
		t.Errorf("%s:\n got %q: %q\nwant %q: %q", what, e.Name, e.Msg, input, msg)
	case !slices.Equal(e.Hints, hints):
		t.Errorf("%s: hints %q, want %q", what, e.Hints, hints)
	}
}
