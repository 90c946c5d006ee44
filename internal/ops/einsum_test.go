package ops

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/graph/graphtest"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

func parsed(t testing.TB, spec string) *shape.Einsum {
	t.Helper()
	e, err := shape.ParseEinsum(spec)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// sumOfProducts is an Einsum by its definition: for each position of the result the
// products of the operands' elements at all positions of the other indices are
// added, one after the other.
func sumOfProducts[T any](indices shape.Indices, shapes []shape.Shape, xs [][]T, zero T, mul, add func(a, b T) T) (out []T) {
	order := slices.Clone(indices.Output)
	for l := range indices.Extents {
		if !slices.Contains(order, l) {
			order = append(order, l)
		}
	}
	var all shape.Shape
	steps := make([][]int, len(xs)) // elements of an operand from one position of each index to the next
	for i, s := range shapes {
		steps[i] = make([]int, len(order))
		for a, l := range indices.Inputs[i] {
			if s[a] > 1 {
				steps[i][slices.Index(order, l)] += int(s.Product(a+1, len(s)))
			}
		}
	}
	for _, l := range order {
		all = append(all, indices.Extents[l])
	}
	n := len(indices.Output)
	at := make([]int, len(order))
	graphtest.Indices(all[:n], func(result []int) {
		sum := zero
		copy(at, result)
		graphtest.Indices(all[n:], func(rest []int) {
			copy(at[n:], rest)
			var product T
			for i, x := range xs {
				place := 0
				for k, step := range steps[i] {
					place += at[k] * step
				}
				if i == 0 {
					product = x[place]
				} else {
					product = mul(product, x[place])
				}
			}
			sum = add(sum, product)
		})
		out = append(out, sum)
	})
	return out
}

// numbers holds random numbers of any dtype: as an array, and as what the definition computes
// with. Integers take their whole range.
func numbers(seed uint64, t dtype.Type, s shape.Shape) (x *graphtest.Mem, floats []complex128, integers []uint64) {
	r := rand.New(rand.NewPCG(seed, 2))
	if !t.IsInteger() && t != dtype.Bool {
		parts := make([]float64, 2*s.Len())
		for i := range parts {
			parts[i] = r.NormFloat64()
		}
		wide := graphtest.ArrayOf("", dtype.Complex128, s, kernel.View[complex128](kernel.Bytes(parts)))
		x = &graphtest.Mem{Label: fmt.Sprintf("x%d.npy", seed), Type: t, Dims: s, Data: kernel.Alloc(int(s.Len()) * t.Size())}
		kernel.Active().Convert[dtype.KindComplex128][t.Kind()](x.Data, wide.Data)
		back := kernel.Alloc(int(s.Len()) * 16)
		kernel.Active().Convert[t.Kind()][dtype.KindComplex128](back, x.Data)
		return x, kernel.View[complex128](back), nil
	}
	integers = make([]uint64, s.Len())
	for i := range integers {
		integers[i] = r.Uint64()
		if t == dtype.Bool {
			integers[i] = uint64(r.IntN(4) / 3)
		}
	}
	x = &graphtest.Mem{Label: fmt.Sprintf("x%d.npy", seed), Type: t, Dims: s, Data: kernel.Alloc(int(s.Len()) * t.Size())}
	kernel.Active().Convert[dtype.KindUint64][t.Kind()](x.Data, kernel.Bytes(integers))
	return x, nil, integers
}

// isEinsum holds an Einsum of random numbers to its definition, in every way that the
// engine computes it. rel is how much of the largest element of the result a float
// may be off.
func isEinsum(t *testing.T, spec string, typ dtype.Type, rel float64, shapes ...shape.Shape) {
	t.Helper()
	e := parsed(t, spec)
	indices, err := e.Of(shapes)
	if err != nil {
		t.Fatal(err)
	}
	var xs []graph.Array
	var floats [][]complex128
	var integers [][]uint64
	for i, s := range shapes {
		x, f, n := numbers(uint64(i+1), typ, s)
		xs, floats, integers = append(xs, x), append(floats, f), append(integers, n)
	}
	var y graph.Array
	got := graphtest.Result(t, func() graph.Array {
		y = graphtest.Must(Einsum(e, xs))
		return y
	})
	if y.DType() != typ {
		t.Fatalf("%s of %v gives %v", spec, typ, y.DType())
	}
	if integers[0] != nil {
		mul, add := func(a, b uint64) uint64 { return a * b }, func(a, b uint64) uint64 { return a + b }
		if typ == dtype.Bool {
			add = func(a, b uint64) uint64 { return a | b }
		}
		want := kernel.Alloc(len(got))
		kernel.Active().Convert[dtype.KindUint64][typ.Kind()](want, kernel.Bytes(sumOfProducts(indices, shapes, integers, 0, mul, add)))
		if !bytes.Equal(got, want) {
			t.Errorf("%s of %v %v: other bytes, at %d", spec, typ, shapes, graphtest.Differ(got, want))
		}
		return
	}
	want := sumOfProducts(indices, shapes, floats, 0, func(a, b complex128) complex128 { return a * b }, func(a, b complex128) complex128 { return a + b })
	if !typ.IsComplex() {
		for i, v := range want {
			want[i] = complex(real(v), 0)
		}
	}
	wide := kernel.Alloc(len(want) * 16)
	kernel.Active().Convert[typ.Kind()][dtype.KindComplex128](wide, got)
	within(t, kernel.View[float64](wide), kernel.View[float64](kernel.Bytes(want)), rel)
}

// einsums are the forms that are computed in ways of their own.
var einsums = []struct {
	spec   string
	shapes []shape.Shape
}{
	{"ij->ji", []shape.Shape{{3, 4}}},
	{"abcd->dcba", []shape.Shape{{2, 3, 4, 5}}},
	{"ii->i", []shape.Shape{{6, 6}}},
	{"ii->i", []shape.Shape{{1, 1}}},
	{"ii", []shape.Shape{{6, 6}}},
	{"iij->ji", []shape.Shape{{4, 4, 5}}},
	{"ijij->ij", []shape.Shape{{3, 4, 3, 4}}},
	{"iii->i", []shape.Shape{{5, 5, 5}}},
	{"bii->bi", []shape.Shape{{3, 40, 40}}},
	{"ijk->", []shape.Shape{{5, 6, 7}}},
	{"ijk->ik", []shape.Shape{{5, 6, 7}}},
	{"ijk->j", []shape.Shape{{5, 6, 7}}},
	{"ij->i", []shape.Shape{{3, 1500}}},
	{"i,j->ij", []shape.Shape{{5}, {6}}},
	{"i,j,k->kij", []shape.Shape{{5}, {6}, {7}}},
	{"i,->i", []shape.Shape{{5}, {}}},
	{",", []shape.Shape{{}, {}}},
	{"ij,ij->ji", []shape.Shape{{5, 6}, {5, 6}}},
	{"i,i", []shape.Shape{{900}, {900}}},
	{"nd,nd->n", []shape.Shape{{30, 9}, {30, 9}}},
	{"...i,...i", []shape.Shape{{3, 1, 9}, {4, 9}}},
	{"ij,jk", []shape.Shape{{5, 7}, {7, 6}}},
	{"ij,jk->ki", []shape.Shape{{5, 7}, {7, 6}}},
	{"ij,kj->ik", []shape.Shape{{50, 7}, {40, 7}}},
	{"ji,jk->ik", []shape.Shape{{7, 50}, {7, 40}}},
	{"ij,jk->ik", []shape.Shape{{5, 1}, {7, 6}}},
	{"ij,jk->ik", []shape.Shape{{5, 7}, {1, 6}}},
	{"ij,ji", []shape.Shape{{5, 7}, {7, 5}}},
	{"ij,j->i", []shape.Shape{{5, 7}, {7}}},
	{"nhwc,nhwd->ncd", []shape.Shape{{2, 3, 4, 8}, {2, 3, 4, 9}}},
	{"bqhd,bkhd->bhqk", []shape.Shape{{2, 5, 3, 8}, {2, 7, 3, 8}}},
	{"bhqk,bkhd->bqhd", []shape.Shape{{2, 3, 5, 7}, {2, 7, 3, 8}}},
	{"nchw,kc->nkhw", []shape.Shape{{2, 3, 6, 7}, {4, 3}}},
	{"nchw,kc->nhwk", []shape.Shape{{2, 3, 6, 7}, {4, 3}}},
	{"nchw,nc->nhw", []shape.Shape{{2, 3, 6, 7}, {2, 3}}},
	{"...i,ij->...j", []shape.Shape{{2, 3, 4}, {4, 5}}},
	{"...ij,...jk->...ik", []shape.Shape{{2, 1, 4, 5}, {3, 5, 6}}},
	{"bij,bjk->bik", []shape.Shape{{20, 3, 4}, {20, 4, 3}}},
	{"bij,bkj->bik", []shape.Shape{{17, 20, 9}, {17, 18, 9}}},
	{"bij,bjk->bik", []shape.Shape{{3, 20, 9}, {3, 9, 34}}},
	{"bij,bjk->kbi", []shape.Shape{{3, 4, 9}, {3, 9, 5}}},
	{"abcd,cbe->dae", []shape.Shape{{2, 3, 4, 5}, {4, 3, 6}}},
	{"bnd,bne,bnf->bdef", []shape.Shape{{2, 5, 3}, {2, 5, 4}, {2, 5, 6}}},
	{"ij,jk,kl->il", []shape.Shape{{3, 9}, {9, 4}, {4, 5}}},
	{"ij,jk,kl->li", []shape.Shape{{3, 9}, {9, 4}, {4, 5}}},
	{"bi,bij,bj->b", []shape.Shape{{3, 4}, {3, 4, 5}, {3, 5}}},
	{"aab,bc,cd->da", []shape.Shape{{4, 4, 5}, {5, 3}, {3, 6}}},
	{"ij,jk->ik", []shape.Shape{{3, 0}, {0, 4}}},
	{"ij,jk->ik", []shape.Shape{{0, 3}, {3, 4}}},
	{"i->", []shape.Shape{{0}}},
}

func TestEinsumIsItsDefinition(t *testing.T) {
	for _, typ := range dtype.All() {
		t.Run(typ.String(), func(t *testing.T) {
			t.Parallel()
			// A few roundings of each step of a float, relative to the largest element; 16-bit
			// floats are rounded once, by half of one.
			rel := map[dtype.Type]float64{
				dtype.Float16: 5e-4, dtype.BFloat16: 4e-3, dtype.Float32: 1e-6, dtype.Complex64: 1e-6, dtype.Float64: 4e-15, dtype.Complex128: 4e-15,
			}[typ]
			for _, c := range einsums {
				isEinsum(t, c.spec, typ, rel, c.shapes...)
			}
		})
	}
}

// Sums long enough to be cut into chunks, matrices held packed and in pairs, and
// such as are read a part at a time.
func TestLargeEinsumIsItsDefinition(t *testing.T) {
	for _, c := range []struct {
		spec   string
		shapes []shape.Shape
	}{
		{"nc,nd->cd", []shape.Shape{{3001, 5}, {3001, 18}}},
		{"cn,nd->cd", []shape.Shape{{20, 2100}, {2100, 3}}},
		{"bcn,bnd->bdc", []shape.Shape{{2, 17, 1100}, {2, 1100, 3}}},
		{"k,kn->n", []shape.Shape{{1300}, {1300, 40}}},
		{"k,kn->n", []shape.Shape{{1300}, {1300, 600}}},           // more of k than is read at once
		{"bij,bjk->bik", []shape.Shape{{17, 50, 3}, {17, 3, 70}}}, // a result larger than its operands: held
		{"cn,nd->cd", []shape.Shape{{400, 1100}, {1100, 3}}},      // more rows than are read at once
		{"ij,jk->ik", []shape.Shape{{500, 30}, {30, 70}}},
	} {
		for _, typ := range []dtype.Type{dtype.Float32, dtype.Int16, dtype.Complex64} {
			t.Run(fmt.Sprint(c.spec, c.shapes, typ), func(t *testing.T) {
				t.Parallel()
				// Some sqrt(k) roundings of float32, as of a linear map.
				isEinsum(t, c.spec, typ, 2e-6, c.shapes...)
			})
		}
	}
}

// The same numbers by other nodes: attention without softmax, a transpose, a linear map,
// a sum, a mean.
func TestEinsumAgreesWithOthers(t *testing.T) {
	q, k, v := graphtest.Randn(1, 2, 30, 8), graphtest.Randn(2, 2, 40, 8), graphtest.Randn(3, 2, 40, 5)
	floats := func(x graph.Array) []float64 { return floats(x, graphtest.WriteAt(t, x, graph.Options{Threads: 2})) }
	of := func(spec string, xs ...graph.Array) graph.Array { return graphtest.Must(Einsum(parsed(t, spec), xs)) }
	attended, _, err := Attend(q, k, v, AttendOptions{Scale: 40, Form: "dot-product"})
	if err != nil {
		t.Fatal(err)
	}
	within(t, floats(of("bqd,bkd,bke->bqe", q, k, v)), floats(attended), 1e-6)
	within(t, floats(of("bqd->dbq", q)), floats(graphtest.Must(Transpose(q, []int{2, 0, 1}))), 0)
	within(t, floats(of("bqd->bd", q)), floats(graphtest.Must(Reduce(q, "sum", ReduceOptions{Axes: []int{1}}))), 0)
	w := graphtest.Randn(4, 8, 9)
	mapped := floats(graphtest.Must(Linear(q, Weights{Kernel: w, Layout: Keras}, LinearOptions{Axis: -1})))
	within(t, floats(of("bqd,de->bqe", q, w)), mapped, 0)
	within(t, floats(graphtest.Must(MatMul(q, w, MatMulOptions{}))), mapped, 0)
	turned := graphtest.Permuted(w, []int{1, 0})
	within(t, floats(graphtest.Must(MatMul(q, turned, MatMulOptions{TransposeB: true}))), mapped, 0)
	// A·I = A, whatever the dtype; (A·B)ᵀ = Bᵀ·Aᵀ.
	for _, typ := range dtype.All() {
		a, _, _ := numbers(5, typ, shape.Shape{3, 6, 7})
		one := make([]float32, 49)
		for i := range 7 {
			one[8*i] = 1
		}
		identity := graphtest.Must(Cast(graphtest.ArrayOf("i.npy", dtype.Float32, shape.Shape{7, 7}, one), typ))
		got := graphtest.Result(t, func() graph.Array { return graphtest.Must(MatMul(a, identity, MatMulOptions{})) })
		if !bytes.Equal(got, a.Data) {
			t.Errorf("%v: a matrix times the identity is another one", typ)
		}
		b, _, _ := numbers(6, typ, shape.Shape{7, 6})
		ab := graphtest.WriteAt(t, of("bij->bji", graphtest.Must(MatMul(a, b, MatMulOptions{}))), graph.Options{})
		ba := graphtest.WriteAt(t, graphtest.Must(MatMul(b, a, MatMulOptions{TransposeA: true, TransposeB: true})), graph.Options{})
		if typ.IsInteger() && !bytes.Equal(ab, ba) {
			t.Errorf("%v: a product transposed is another one than that of the transposed", typ)
		}
	}
}

func TestMatMulTakesVectors(t *testing.T) {
	for _, c := range []struct {
		a, b shape.Shape
		o    MatMulOptions
		spec string
	}{
		{shape.Shape{7}, shape.Shape{7}, MatMulOptions{}, "k,k->"},
		{shape.Shape{5, 7}, shape.Shape{7}, MatMulOptions{}, "mk,k->m"},
		{shape.Shape{7}, shape.Shape{7, 6}, MatMulOptions{}, "k,kn->n"},
		{shape.Shape{7}, shape.Shape{2, 3, 7, 6}, MatMulOptions{}, "k,abkn->abn"},
		{shape.Shape{2, 3, 5, 7}, shape.Shape{7}, MatMulOptions{}, "abmk,k->abm"},
		{shape.Shape{7, 5}, shape.Shape{7}, MatMulOptions{TransposeA: true}, "km,k->m"},
		{shape.Shape{7}, shape.Shape{3, 6, 7}, MatMulOptions{TransposeB: true}, "k,ank->an"},
		{shape.Shape{2, 1, 5, 7}, shape.Shape{3, 7, 6}, MatMulOptions{}, "abmk,bkn->abmn"},
		{shape.Shape{2, 3, 7, 5}, shape.Shape{3, 6, 7}, MatMulOptions{true, true}, "abkm,bnk->abmn"},
	} {
		a, b := graphtest.Randn(1, c.a...), graphtest.Randn(2, c.b...)
		x := graphtest.Must(MatMul(a, b, c.o))
		want := graphtest.Must(Einsum(parsed(t, c.spec), []graph.Array{a, b}))
		if !x.Shape().Equal(want.Shape()) {
			t.Errorf("%v by %v: shape %v, want %v", c.a, c.b, x.Shape(), want.Shape())
		} else if !bytes.Equal(graphtest.WriteAt(t, x, graph.Options{}), graphtest.WriteAt(t, want, graph.Options{})) {
			t.Errorf("%v by %v gives other bytes than %s", c.a, c.b, c.spec)
		}
	}
}

// Types promote as of all operands at once, before anything is computed.
func TestEinsumPromotes(t *testing.T) {
	a := graphtest.ArrayOf("a.npy", dtype.Uint8, shape.Shape{3}, []uint8{200, 100, 250})
	b := graphtest.ArrayOf("b.npy", dtype.Int16, shape.Shape{}, []int16{2})
	x := graphtest.Must(Einsum(parsed(t, "i,->"), []graph.Array{a, b})) // the sum of a alone must not wrap
	if got := kernel.View[int16](graphtest.WriteAt(t, x, graph.Options{})); x.DType() != dtype.Int16 || got[0] != 1100 {
		t.Errorf("got %v of %v", got, x.DType())
	}
	// 2048 + 1 + 1 is 2050 in float16 where the sum is rounded once.
	h := graphtest.ArrayOf("h.npy", dtype.Float16, shape.Shape{3}, []uint16{0x6800, 0x3c00, 0x3c00})
	for _, spec := range []string{"i->", "i,i->"} {
		xs := []graph.Array{h, graphtest.ArrayOf("1.npy", dtype.Float16, shape.Shape{3}, []uint16{0x3c00, 0x3c00, 0x3c00})}[:len(spec)/2]
		x = graphtest.Must(Einsum(parsed(t, spec), xs[:parsed(t, spec).Operands()]))
		if got := kernel.View[uint16](graphtest.WriteAt(t, x, graph.Options{}))[0]; got != 0x6801 {
			t.Errorf("%s: got %#x, want 0x6801, 2050", spec, got)
		}
	}
	// The exact sum of these float32 numbers, 1, is lost where they are added in float32.
	cancels := graphtest.ArrayOf("c.npy", dtype.Float32, shape.Shape{3}, []float32{1e8, 1, -1e8})
	x = graphtest.Must(Einsum(parsed(t, "i->"), []graph.Array{cancels}))
	if got := kernel.View[float32](graphtest.WriteAt(t, x, graph.Options{}))[0]; got != 1 {
		t.Errorf("1e8 + 1 - 1e8 is %v", got)
	}
}

// Nothing is skipped for being zero.
func TestEinsumPropagatesNaN(t *testing.T) {
	nan := float32(math.NaN())
	a := graphtest.ArrayOf("a.npy", dtype.Float32, shape.Shape{2, 2}, []float32{0, 0, 1, 2})
	b := graphtest.ArrayOf("b.npy", dtype.Float32, shape.Shape{2, 2}, []float32{nan, 1, 3, float32(math.Inf(1))})
	x := graphtest.Must(MatMul(a, b, MatMulOptions{}))
	same(t, "a product with NaN", graphtest.WriteAt(t, x, graph.Options{}), []float32{nan, nan, nan, float32(math.Inf(1))})
}

// What is held, and what a plan takes in all, of arrays that no memory holds.
func TestEinsumStreams(t *testing.T) {
	const million = 1 << 20
	of := func(dims ...int) graph.Array { return huge("x.npy", dtype.Float32, dims...) }
	for _, c := range []struct {
		spec string
		xs   []graph.Array
		held int64 // at most
	}{
		{"nd,de->ne", []graph.Array{of(100*million, 64), of(64, 64)}, 64 * 64 * 4},
		{"nd,ed->ne", []graph.Array{of(100*million, 64), of(64, 64)}, 64 * 64 * 4},
		{"nd,d->n", []graph.Array{of(100*million, 64), of(64)}, 64 * 64 * 4},
		{"nchw,kc->nkhw", []graph.Array{of(1000, 256, 128, 128), of(64, 256)}, 64 * 256 * 4},
		{"nc,nd->cd", []graph.Array{of(100*million, 64), of(100*million, 32)}, 64*64*32*4 + 64*32*8},
		{"nhwc,nhwd->ncd", []graph.Array{of(2, 8192, 8192, 64), of(2, 8192, 8192, 32)}, 2*64*64*32*4 + 2*64*32*8},
		{"nd,nd->n", []graph.Array{of(100*million, 64), of(100*million, 64)}, 0},
		{"i,i->", []graph.Array{of(4000 * million), of(4000 * million)}, 1024 * 8},
		{"bij,bjk->bik", []graph.Array{of(million, 64, 64), of(million, 64, 64)}, 0},
		{"bij,bjk->bik", []graph.Array{of(64, 2048, 2048), of(64, 2048, 2048)}, 0},
		{"ij,jk->ik", []graph.Array{of(million, 4096), of(4096, 4096)}, 4096 * 4096 * 4 * 2}, // packed from memory
		{"bqhd,bkhd->bhqk", []graph.Array{of(8, 8192, 8, 64), of(8, 1024, 8, 64)}, 8 * 1024 * 8 * 64 * 4},
		{"i,j->ij", []graph.Array{of(million), of(million)}, 8 * million},
		{"ij->ji", []graph.Array{of(million, million)}, 0},
		{"...ij->...", []graph.Array{of(million, 512, 512)}, 0},
	} {
		x, err := Einsum(parsed(t, c.spec), c.xs)
		if err != nil {
			t.Errorf("%s: %v", c.spec, err)
			continue
		}
		p, err := graph.NewPlan(graph.Options{Threads: 2}, x)
		if err != nil {
			t.Fatal(err)
		}
		if p.Held() > c.held {
			t.Errorf("%s: holds %d bytes, want at most %d", c.spec, p.Held(), c.held)
		}
		if most := p.Held() + 64<<20; p.Memory() > most {
			t.Errorf("%s: takes %d bytes, want at most %d", c.spec, p.Memory(), most)
		}
	}
}

func TestEinsumRefusals(t *testing.T) {
	f32 := dtype.Float32
	of := func(name string, dims ...int) graph.Array { return huge(name, f32, dims...) }
	einsum := func(spec string, xs ...graph.Array) error {
		_, err := Einsum(parsed(t, spec), xs)
		return err
	}
	matmul := func(a, b graph.Array, o MatMulOptions) error {
		_, err := MatMul(a, b, o)
		return err
	}
	a, b := of("a.npy", 2, 3), of("b.npy", 4, 5)
	const side = 1 << 29
	_, tooLarge := shape.Shape{1 << 40, 1 << 40}.Check(4)
	_, wide := shape.Shape{1 << 57, 2, 2, 4}.Check(4)
	_, cube := shape.Shape{side, side, side}.Check(4)
	checkRefusals(t, []refusal{
		{"too few operands", einsum("ij,jk->ik", a), "", `"ij,jk->ik" has 2 operands: got 1`, nil},
		{"text", einsum("i->i", huge("t.npy", dtype.BytesOf(3), 4)), "t.npy", "dtype |S3 has no arithmetic", nil},
		{"too many axes", einsum("i->i", a), "a.npy", `shape (2,3) has 2 axes: "i", operand 1 of "i->i", has 1`, []string{"an ellipsis stands for axes without a label: ...i"}},
		{"too few axes", einsum("ij,klm", a, b), "b.npy", `shape (4,5) has 2 axes: "klm", operand 2 of "ij,klm", has 3`, nil},
		{"too few axes beside an ellipsis", einsum("...klm->...", a), "a.npy", `shape (2,3) has 2 axes: "...klm", operand 1 of "...klm->...", has at least 3`, nil},
		{"two extents", einsum("ij,jk->ik", a, b), "b.npy", `shape (4,5): axis 0, j in "ij,jk->ik", has the extent 4: want 3, as axis 1 of a.npy, whose shape is (2,3), or 1`, nil},
		{"no diagonal", einsum("ii->i", a), "a.npy", `shape (2,3): axes 0 and 1 are both i in "ii->i", and must be equal for a diagonal`, nil},
		{"ellipses that don't broadcast", einsum("...,...", a, b), "b.npy", "shape (4,5): axis 0 has the extent 4: want 2, as axis 0 of a.npy, whose shape is (2,3), or 1", nil},
		{"an ellipsis that vanishes", einsum("...j->j", a), "a.npy", `shape (2,3): the ellipsis of "...j" in "...j->j" stands for axes that the result has no place for`,
			[]string{"write ... in the result, too; axes to sum over need labels"}},
		{"too large", einsum("i,j->ij", of("c.npy", 1<<40), of("d.npy", 1<<40)), "", "the result is too large: " + tooLarge.Error(), nil},
		{"too large on the way", einsum("ij,ik,il,jk,jl,kl->", of("c.npy", side, side), of("c.npy", side, side), of("c.npy", side, side), of("c.npy", side, side), of("c.npy", side, side), of("c.npy", side, side)), "",
			"a product of two operands is too large: " + cube.Error(), nil},

		{"complex numbers too large as pairs", matmul(huge("c.npy", dtype.Complex64, 1<<57, 2, 2), huge("d.npy", dtype.Complex64, 1<<57, 2, 2), MatMulOptions{}), "", "the result is too large: " + wide.Error(), nil},

		{"matmul of a number", matmul(of("n.npy"), a, MatMulOptions{}), "n.npy", "shape () is no matrix: want at least 1 axis", []string{"mul multiplies by a number"}},
		{"matmul by a number", matmul(a, of("n.npy"), MatMulOptions{}), "n.npy", "shape () is no matrix: want at least 1 axis", []string{"mul multiplies by a number"}},
		{"matmul of a transposed vector", matmul(of("v.npy", 3), a, MatMulOptions{TransposeA: true}), "v.npy", "shape (3,) is a vector's, which has no two axes to exchange", nil},
		{"matmul of others", matmul(a, b, MatMulOptions{}), "b.npy", "shape (4,5): axis 0 has the extent 4: want 3, as axis 1 of a.npy, whose shape is (2,3)", nil},
		{"matmul by one that fits transposed", matmul(a, of("b.npy", 4, 3), MatMulOptions{}), "b.npy", "shape (4,3): axis 0 has the extent 4: want 3, as axis 1 of a.npy, whose shape is (2,3)",
			[]string{"--transpose-b exchanges its last two axes"}},
		{"matmul of one that fits transposed", matmul(a, of("b.npy", 7, 2, 4), MatMulOptions{}), "b.npy", "shape (7,2,4): axis 1 has the extent 2: want 3, as axis 1 of a.npy, whose shape is (2,3)",
			[]string{"--transpose-a exchanges the last two axes of a.npy"}},
		{"matmul by one that fits as it is", matmul(a, of("b.npy", 3, 4), MatMulOptions{TransposeB: true}), "b.npy", "shape (3,4): axis 1 has the extent 4: want 3, as axis 1 of a.npy, whose shape is (2,3)", nil},
		{"matmul by a row", matmul(of("a.npy", 5, 3), of("b.npy", 1, 4), MatMulOptions{}), "b.npy", "shape (1,4): axis 0 has the extent 1: want 3, as axis 1 of a.npy, whose shape is (5,3)", nil},
		{"matmul of batches", matmul(of("a.npy", 2, 5, 3), of("b.npy", 4, 3, 6), MatMulOptions{}), "b.npy", "shape (4,3,6): axis 0 has the extent 4: want 2, as axis 0 of a.npy, whose shape is (2,5,3), or 1", nil},
	})
}
