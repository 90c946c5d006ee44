package ops

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"

	"fusectl/internal/dtype"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// mem is an array in memory that isn't a node, as a file is none.
type mem struct {
	name string
	t    dtype.Type
	s    shape.Shape
	data []byte
}

func (m *mem) Name() string       { return m.name }
func (m *mem) DType() dtype.Type  { return m.t }
func (m *mem) Shape() shape.Shape { return m.s }
func (m *mem) Read(_ context.Context, dst []byte, off int64) error {
	size := int64(m.t.Size())
	if len(dst)%m.t.Size() != 0 || off < 0 || off*size+int64(len(dst)) > int64(len(m.data)) {
		return fmt.Errorf("%s: read of %d bytes at element %d of %v", m.name, len(dst), off, m.s)
	}
	copy(dst, m.data[off*size:])
	return nil
}

func arrayOf[T any](name string, t dtype.Type, s shape.Shape, v []T) *mem {
	if int64(len(v)) != s.Len() {
		panic(fmt.Sprintf("%d values for shape %v", len(v), s))
	}
	data := kernel.Alloc(len(v) * t.Size())
	copy(data, kernel.Bytes(v))
	return &mem{name, t, s, data}
}

// randn is a normal float32 array.
func randn(seed uint64, dims ...int) *mem {
	r := rand.New(rand.NewPCG(seed, 1))
	s := shape.Shape(dims)
	v := make([]float32, s.Len())
	for i := range v {
		v[i] = float32(r.NormFloat64())
	}
	return arrayOf(fmt.Sprintf("x%d.npy", seed), dtype.Float32, s, v)
}

// of is randn in another dtype.
func of(t dtype.Type, x *mem) *mem {
	data := kernel.Alloc(int(x.s.Len()) * t.Size())
	src := x.data
	if t.IsInteger() || t == dtype.Bool { // spread over the small integers
		scaled := make([]float32, x.s.Len())
		for i, v := range kernel.View[float32](x.data) {
			scaled[i] = float32(math.Abs(float64(v * 20)))
		}
		src = kernel.Bytes(scaled)
	}
	kernel.Active().Convert[dtype.KindFloat32][t.Kind()](data, src)
	return &mem{x.name, t, x.s, data}
}

// file is an io.WriterAt that must be written exactly once everywhere.
type file struct {
	mu      sync.Mutex
	data    []byte
	written []byte
}

func (f *file) WriteAt(p []byte, off int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range p {
		f.written[off+int64(i)]++
	}
	return copy(f.data[off:], p), nil
}

func writeAt(t testing.TB, x Array, o Options) []byte {
	t.Helper()
	p, err := NewPlan(o, x)
	if err != nil {
		t.Fatal(err)
	}
	f := &file{data: make([]byte, sizeOf(x)), written: make([]byte, sizeOf(x))}
	if err := p.WriteAt(context.Background(), f); err != nil {
		t.Fatal(err)
	}
	for i, n := range f.written {
		if n != 1 {
			t.Fatalf("byte %d was written %d times", i, n)
		}
	}
	return f.data
}

func writeTo(t testing.TB, x Array, o Options) []byte {
	t.Helper()
	o.InOrder = true
	p, err := NewPlan(o, x)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := p.WriteTo(context.Background(), &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// result computes x in every way the engine has, and by reads of random runs,
// and returns the bytes that all of them must give. build makes the graph
// anew, so that nothing held is shared.
func result(t testing.TB, build func() Array) []byte {
	t.Helper()
	want := writeAt(t, build(), Options{})
	for _, o := range []Options{
		{Threads: 3, Tile: 1}, {Threads: 1, Tile: 40}, {Threads: 2, Tile: 1000}, {Threads: 3, Tile: 1 << 20},
	} {
		if got := writeAt(t, build(), o); !bytes.Equal(got, want) {
			t.Fatalf("%d threads and tiles of %d bytes give other bytes, at %d", o.Threads, o.Tile, differ(got, want))
		}
		if got := writeTo(t, build(), o); !bytes.Equal(got, want) {
			t.Fatalf("%d threads and tiles of %d bytes give other bytes in order, at %d", o.Threads, o.Tile, differ(got, want))
		}
	}
	writeAt(t, &probe{build(), func(x Array) error { return checkRuns(x, want) }}, Options{})
	return want
}

// probe is a node that looks at its operand when it is read.
type probe struct {
	x    Array
	look func(Array) error
}

func (p *probe) DType() dtype.Type           { return dtype.Bool }
func (p *probe) Shape() shape.Shape          { return shape.Shape{} }
func (p *probe) Op() string                  { return "probe" }
func (p *probe) Operands(visit func(*Array)) { visit(&p.x) }
func (p *probe) Memory(n int64) int64        { return 0 }
func (p *probe) Read(_ context.Context, dst []byte, _ int64) error {
	clear(dst)
	return p.look(p.x)
}

// checkRuns reads random runs of x, whose elements are want.
func checkRuns(x Array, want []byte) error {
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

func differ(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// must unwraps a constructor's result.
func must(x Array, err error) Array {
	if err != nil {
		panic(err)
	}
	return x
}

// indices calls f with the multi-index of every element of s, in C order.
func indices(s shape.Shape, f func(at []int)) {
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

// flatIndex is the C-order place of at in s, whose missing leading axes and
// axes of extent 1 are broadcast.
func flatIndex(s shape.Shape, at []int) int {
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
