package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"

	"fusectl/internal/dtype"
)

// expNegativeFused is expNegative with multiplications and additions fused.
func expNegativeFused(x float32) float32 {
	const magic = 0x1.8p23
	if x < -87 {
		return 0
	}
	shifted := fma32(x, math.Log2E, magic)
	k := shifted - magic
	r := fma32(k, 2.12194440e-4, fma32(k, -0.693359375, x))
	q := r * r
	p := fma32(1.9875691500e-4, r, 1.3981999507e-3)
	p = fma32(p, q, fma32(8.3334519073e-3, r, 4.1665795894e-2))
	p = fma32(p, q, fma32(1.6666665459e-1, r, 5.0000001201e-1))
	p = fma32(p, q, r+1)
	return p * math.Float32frombits(math.Float32bits(shifted)<<23+math.Float32bits(1))
}

// TestExpNegative holds the exponential of attention to float64's over all of
// its range, with and without fused multiply-add.
func TestExpNegative(t *testing.T) {
	for name, f := range map[string]func(float32) float32{"rounded": expNegative, "fused": expNegativeFused} {
		worst := 0.0
		for x := float32(-88); x <= 0; x += 1.0 / 4096 {
			got, want := float64(f(x)), math.Exp(float64(x))
			if x < -87 {
				if got != 0 {
					t.Fatalf("%s: e^%v is %v, want 0", name, x, got)
				}
				continue
			}
			ulp := math.Ldexp(1, math.Ilogb(want)-23)
			worst = max(worst, math.Abs(got-want)/ulp)
		}
		t.Logf("%s: %.3f ulp", name, worst)
		if worst > 2 {
			t.Errorf("%s: an error of %v ulp, more than 2", name, worst)
		}
		for x, want := range map[float32]float32{0: 1, float32(math.Inf(-1)): 0, -math.MaxFloat32: 0} {
			if got := f(x); got != want {
				t.Errorf("%s: e^%v is %v, want %v", name, x, got, want)
			}
		}
	}
}

// TestSoftmaxLoops holds each level's loops to their twins in Go, bit by bit:
// with multiply and add fused where the level fuses them.
func TestSoftmaxLoops(t *testing.T) {
	for _, l := range Levels() {
		table := newTable(l)
		twin := expRows(expNegativeFused)
		if l == genericLevel {
			twin = expRows(expNegative)
		}
		rng := rand.New(rand.NewPCG(1, 2))
		for rows := range 5 {
			for n := AttentionLanes; n <= 10*AttentionLanes; n += AttentionLanes {
				for _, shift := range []int{0, 1, 5} {
					for _, special := range []bool{false, true} {
						ld := n + shift
						got, unharmed := guarded((rows*ld + shift) * 4)
						x := View[float32](got)[shift:]
						copy(x, normals[float32](rng, len(x)))
						for i := range x {
							x[i] *= 30
						}
						if special {
							sprinkle(rng, x)
						}
						want := append([]float32(nil), x...)
						top, sum := make([]float32, rows), make([]float32, rows)
						wantTop, wantSum := make([]float32, rows), make([]float32, rows)
						rowMax[float32](Bytes(wantTop), Bytes(want), ld, n)
						table.attentionMax[dtype.KindFloat32](Bytes(top), Bytes(x), ld, n)
						same(t, l, n, "greatest", top, wantTop)
						table.attentionExp[dtype.KindFloat32](Bytes(sum), Bytes(x), Bytes(wantTop), ld, n)
						twin(Bytes(wantSum), Bytes(want), Bytes(wantTop), ld, n)
						same(t, l, n, "exp", x, want)
						same(t, l, n, "sum", sum, wantSum)
						if !unharmed() {
							t.Fatalf("%s n=%d: wrote beyond the rows", l, n)
						}
					}
				}
			}
		}
	}
}

func same(t *testing.T, level string, n int, what string, got, want []float32) {
	t.Helper()
	for i := range got {
		if got[i] != want[i] && !(got[i] != got[i] && want[i] != want[i]) {
			t.Fatalf("%s n=%d: %s[%d] is %v, want %v", level, n, what, i, got[i], want[i])
		}
	}
}

// TestAttentionBlock feeds a row's scores in pieces, and compares with a softmax
// of the whole row in float64.
func TestAttentionBlock(t *testing.T) {
	for _, l := range Levels() {
		t.Run(l+"/float32", func(t *testing.T) { testAttentionBlock[float32](t, newTable(l)) })
		t.Run(l+"/float64", func(t *testing.T) { testAttentionBlock[float64](t, newTable(l)) })
	}
}

func testAttentionBlock[T Float](t *testing.T, table *Table) {
	const keys, dv = 100, 3
	nan, inf := T(math.NaN()), T(math.Inf(1))
	rng := rand.New(rand.NewPCG(3, 4))
	var one T
	tolerance := 4 * math.Ldexp(1, -8*int(unsafe.Sizeof(one))+8) // 2 ulp a weight, and as much again for the sums
	if unsafe.Sizeof(one) == 8 {
		tolerance = 0x1p-50
	}
	for name, change := range map[string]func(s []T){
		"plain":      func(s []T) {},
		"first -inf": func(s []T) { fill(s[:40], -inf) },
		"all -inf":   func(s []T) { fill(s, -inf) },
		"a NaN":      func(s []T) { s[50] = nan },
		"only NaN":   func(s []T) { fill(s, -inf); s[3] = nan },
		"an inf":     func(s []T) { s[77] = inf },
	} {
		scores, values := normals[T](rng, keys), normals[T](rng, keys*dv)
		for i := range scores {
			scores[i] *= 9
		}
		change(scores)
		peak, sum, out := []T{-inf}, []T{0}, make([]T, dv)
		for _, cut := range [][2]int{{0, 33}, {33, 34}, {34, 100}} {
			s := append([]T(nil), scores[cut[0]:cut[1]]...)
			s = append(s, make([]T, AttentionLanes)...)[:len(s)]
			AttentionBlock(table, Matrix[T]{s[:len(s)+AttentionLanes], len(s) + AttentionLanes, 1, len(s)}, peak, sum, Dense(out, 1, dv), make([]T, 2))
			for i, w := range s {
				for j := range dv {
					out[j] += T(w * values[(cut[0]+i)*dv+j])
				}
			}
		}
		AttentionFinish(table, Dense(out, 1, dv), sum)
		top, total, want := math.Inf(-1), 0.0, make([]float64, dv)
		for _, s := range scores {
			top = math.Max(top, float64(s))
		}
		for i, s := range scores {
			w := math.Exp(float64(s) - top)
			total += w
			for j := range dv {
				want[j] += w * float64(values[i*dv+j])
			}
		}
		for j := range dv {
			w := want[j] / total
			if name == "all -inf" {
				w = 0
			}
			g := float64(out[j])
			if math.IsNaN(w) != math.IsNaN(g) || math.Abs(w-g) > tolerance*4 {
				t.Errorf("%s: out[%d] is %v, want %v", name, j, g, w)
			}
		}
	}
}

func fill[T any](x []T, v T) {
	for i := range x {
		x[i] = v
	}
}

func TestHasNaN(t *testing.T) {
	eachTable(t, func(t *testing.T, table *Table) {
		testHasNaN[float32](t, table)
		testHasNaN[float64](t, table)
	})
}

func testHasNaN[T Float](t *testing.T, table *Table) {
	has := table.HasNaN[kindOf[T]()]
	for n := range 70 {
		x := make([]T, n)
		fill(x, T(math.Inf(1)))
		if has(Bytes(x)) {
			t.Errorf("%d infinities: a NaN is found", n)
		}
		for i := range x {
			x[i] = T(math.NaN())
			if !has(Bytes(x)) {
				t.Errorf("element %d of %d: the NaN isn't found", i, n)
			}
			x[i] = 0
		}
	}
}

// BenchmarkSoftmaxLoops counts the bytes of a block of scores.
func BenchmarkSoftmaxLoops(b *testing.B) {
	const rows, n = 48, 256
	for _, l := range Levels() {
		table := newTable(l)
		scores, x := Alloc(4*rows*n), Alloc(4*rows*n)
		table.Normal[kindOf[float32]()](scores, 1, 0)
		top, sum := Alloc(4*rows), Alloc(4*rows)
		most, exp := table.attentionMax[dtype.KindFloat32], table.attentionExp[dtype.KindFloat32]
		most(top, scores, n, n)
		for name, loop := range map[string]func(){
			"max":   func() { most(top, scores, n, n) },
			"exp":   func() { copy(x, scores); exp(sum, x, top, n, n) },
			"scale": func() { table.Scale[kindOf[float32]()](x, 1) },
		} {
			b.Run(l+"/"+name, func(b *testing.B) {
				b.SetBytes(int64(len(x)))
				for b.Loop() {
					loop()
				}
			})
		}
	}
}
