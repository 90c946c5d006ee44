package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"
)

// fma32 is a·b + c, rounded once: the product is exact in float64, and the sum
// is rounded to odd there, which rounding to float32 then takes as exact
// (Boldo and Melquiond 2008).
func fma32(a, b, c float32) float32 {
	p, x := float64(a)*float64(b), float64(c)
	s := p + x
	if math.IsNaN(s) || math.IsInf(s, 0) {
		return float32(s)
	}
	v := s - p
	e := (p - (s - v)) + (x - v)
	if bits := math.Float64bits(s); e != 0 && bits&1 == 0 {
		if (e > 0) == (s > 0) {
			bits++
		} else {
			bits--
		}
		s = math.Float64frombits(bits)
	}
	return float32(s)
}

func fma[T Float](a, b, c T) T {
	if kindOf[T]() == kindOf[float32]() {
		return T(fma32(float32(a), float32(b), float32(c)))
	}
	return T(math.FMA(float64(a), float64(b), float64(c)))
}

// productTwin is Multiply as its documentation has it, on plain matrices.
func productTwin[T Float](c []T, ldc int, a []T, lda int, b []T, m, n, k int, accumulate bool, bias []T) {
	for i := range m {
		for j := range n {
			at := &c[i*ldc+j]
			for k0 := 0; k0 == 0 || k0 < k; k0 += MaxDepth {
				var sum T
				for p := k0; p < min(k0+MaxDepth, k); p++ {
					sum = fma(a[i*lda+p], b[p*n+j], sum)
				}
				if accumulate || k0 > 0 {
					sum += *at
				}
				*at = sum
			}
			if bias != nil {
				*at += bias[j]
			}
		}
	}
}

func TestMultiply(t *testing.T) {
	t.Run("float32", testMultiply[float32])
	t.Run("float64", testMultiply[float64])
}

// testMultiply computes each product once by the twin, and then at every level.
func testMultiply[T Float](t *testing.T) {
	var tables []*Table
	for _, l := range Levels() {
		tables = append(tables, newTable(l))
	}
	rng := rand.New(rand.NewPCG(1, 2))
	sizes := [][3]int{{600, 5, 7}, {13, 1100, 3}, {25, 70, 600}, {1, 1, 1}, {1, 600, 257}, {600, 1, 257}, {5, 33, 0}, {0, 3, 3}, {3, 0, 3}, {65, 129, 256}}
	for range 60 {
		sizes = append(sizes, [3]int{1 + rng.IntN(30), 1 + rng.IntN(80), rng.IntN(40)})
	}
	for i, s := range sizes {
		m, n, k := s[0], s[1], s[2]
		for _, special := range []bool{false, true} {
			lda, ldc := k+i%3, n+i%2
			if i%5 == 4 { // overlapping rows
				lda = (k + 1) / 2
			}
			p := productCase[T]{
				i: i, a: Matrix[T]{normals[T](rng, m*lda+k), lda, m, k}, b: Dense(normals[T](rng, k*n), k, n),
				before: Matrix[T]{normals[T](rng, max((m-1)*ldc+n, 0)), ldc, m, n}, bias: normals[T](rng, n),
			}
			if special {
				sprinkle(rng, p.a.Data)
				sprinkle(rng, p.b.Data)
			}
			if i%4 == 0 {
				p.bias = nil
			}
			for _, accumulate := range []bool{false, true} {
				want := append([]T(nil), p.before.Data...)
				productTwin(want, ldc, p.a.Data, lda, p.b.Data, m, n, k, accumulate, p.bias)
				for _, transposed := range []bool{false, true} {
					for _, table := range tables {
						name := fmt.Sprintf("%s m=%d n=%d k=%d special=%v transposed=%v accumulate=%v", table.Name, m, n, k, special, transposed, accumulate)
						p.check(t, table, name, transposed, accumulate, want)
					}
				}
			}
		}
	}
}

// productCase is a product, c = a·b + bias; c holds before, which may be accumulated
// to. i is its number, which decides how its operands are given.
type productCase[T Float] struct {
	i            int
	a, b, before Matrix[T]
	bias         []T
}

// check multiplies by a table, from b or its transpose, and compares with want.
func (p productCase[T]) check(t *testing.T, table *Table, name string, transposed, accumulate bool, want []T) {
	t.Helper()
	k, n, i := p.b.Rows, p.b.Cols, p.i
	src := p.b
	if transposed {
		src = Dense(make([]T, n*k), n, k)
		for r := range k {
			for j := range n {
				src.Data[j*k+r] = p.b.Data[r*n+j]
			}
		}
	}
	var one T
	fill := i%3 == 2 // packed a part at a time
	packed, packedUnharmed := guarded(PackedLen[T](table, k, n) * int(unsafe.Sizeof(one)))
	right := Pack(table, View[T](packed), src, transposed)
	if fill {
		right = Right[T]{K: k, N: n, Fill: func(buf []T, k0, depth, j, n int) {
			part := src.Slice(k0, depth)
			col := &j
			part.Cols = n
			if transposed {
				part, col = src.Slice(j, n), &k0
				part.Cols = depth
			}
			part.Data = part.Data[min(*col, len(part.Data)):]
			Pack(table, buf, part, transposed)
		}}
	}
	if !transposed && !fill && i%2 == 0 && table.InPlace(kindOf[T]()) {
		right = src.Right()
	}
	got, unharmed := guarded(len(p.before.Data) * int(unsafe.Sizeof(one)))
	c := Matrix[T]{View[T](got), p.before.Stride, p.before.Rows, p.before.Cols}
	copy(c.Data, p.before.Data)
	left := p.a.Left()
	if i%2 == 1 { // gathered, as a convolution does
		left = Left[T]{Line: 1 + i%20, Begun: i % 3, At: func(buf []T, i, h, k0, k int) ([]T, int) {
			for r := range h {
				copy(buf[r*k:(r+1)*k], p.a.Data[(i+r)*p.a.Stride+k0:])
			}
			return buf[:h*k], k
		}}
	}
	Multiply(table, c, left, right, accumulate, Epilogue[T]{Bias: p.bias})
	if !unharmed() || !packedUnharmed() {
		t.Fatalf("%s: wrote beyond its operands", name)
	}
	for j := range c.Data {
		if !agree(table, c.Data[j], want[j], k) {
			t.Fatalf("%s: element %d is %v, want %v", name, j, c.Data[j], want[j])
		}
	}
}

// agree wants the twin's bits where multiply and add are fused. gonum rounds
// each product and sums in an order of its own: each of 2k roundings of numbers
// below k·9 (products of normal numbers, of which none is beyond 3 sigma twice)
// may differ.
func agree[T Float](t *Table, got, want T, k int) bool {
	if got == want || got != got && want != want {
		return true
	}
	if t.Name != genericLevel {
		return false
	}
	eps := 0x1p-24
	if kindOf[T]() == kindOf[float64]() {
		eps = 0x1p-53
	}
	return math.Abs(float64(got-want)) <= 2*eps*float64(k+2)*(9+math.Abs(float64(want)))
}

func normals[T Float](rng *rand.Rand, n int) []T {
	x := make([]T, n)
	for i := range x {
		x[i] = T(rng.NormFloat64())
	}
	return x
}

// sprinkle puts zeros and, rarely, infinities, NaN and denormals among x: a
// product that skips zeros loses the NaN of 0·Inf.
func sprinkle[T Float](rng *rand.Rand, x []T) {
	specials := []T{T(math.Inf(1)), T(math.Inf(-1)), T(math.NaN()), T(math.Copysign(0, -1)), T(1e-40), T(5e-324)}
	for i := range x {
		switch r := rng.IntN(60); {
		case r < 10:
			x[i] = 0
		case r == 10:
			x[i] = specials[rng.IntN(len(specials))]
		}
	}
}

// Strips cover all rows, one after the other, none is too high, and none crosses
// the end of a line.
func TestStrips(t *testing.T) {
	for _, line := range []int{0, 1, 5, 12, 13, 40} {
		for begun := range max(line, 1) {
			for _, most := range []int{1, 6, 12, 64} {
				for m := 1; m < 90; m++ {
					l := Left[float32]{Line: line, Begun: begun}
					for i := 0; i < m; {
						h := l.stripHeight(i, m, most)
						if h < 1 || h > most || i+h > m || line > 0 && (i+begun)/line != (i+h-1+begun)/line {
							t.Fatalf("lines of %d, %d begun: a strip of %d rows from %d of %d, at most %d", line, begun, h, i, m, most)
						}
						i += h
					}
				}
			}
		}
	}
}
