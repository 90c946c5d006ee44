package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"
)

// TestExpNegative holds the exponential of attention to float64's over all of
// its range, with and without fused multiply-add.
func TestExpNegative(t *testing.T) {
	for name, f := range map[string]func(a, b, c float32) float32{"rounded": mulAdd, "fused": fma32} {
		worst := 0.0
		for x := float32(-88); x <= 0; x += 1.0 / 4096 {
			got, want := float64(expNegativeBy(x, f)), math.Exp(float64(x))
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
			if got := expNegativeBy(x, f); got != want {
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
		twin := func(x float32) float32 { return expNegativeBy(x, fma32) }
		if l == genericLevel {
			twin = expNegative
		}
		rng := rand.New(rand.NewPCG(1, 2))
		for n := range 150 {
			for _, shift := range []int{0, 1, 5} {
				for _, special := range []bool{false, true} {
					got, unharmed := guarded((n + shift) * 4)
					x := View[float32](got)[shift:]
					copy(x, normals[float32](rng, n))
					for i := range x {
						x[i] *= 30
					}
					if special {
						sprinkle(rng, x)
					}
					want := append([]float32(nil), x...)
					top := rowMax(want)
					if m := table.softmax32.max(x); m != top {
						t.Fatalf("%s n=%d: the greatest is %v, want %v", l, n, m, top)
					}
					table.softmax32.scale(x, 0.7)
					rowScale(want, 0.7)
					same(t, l, n, "scale", x, want)
					top = rowMax(want)
					sum, wantSum := table.softmax32.exp(x, top), rowExp(want, top, twin)
					same(t, l, n, "exp", x, want)
					same(t, l, n, "sum", []float32{sum}, []float32{wantSum})
					if !unharmed() {
						t.Fatalf("%s n=%d: wrote beyond the row", l, n)
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
			AttentionBlock(table, s, len(s), 1, len(s), peak, sum, out, dv)
			for i, w := range s {
				for j := range dv {
					out[j] += T(w * values[(cut[0]+i)*dv+j])
				}
			}
		}
		AttentionFinish(table, out, sum, dv)
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
