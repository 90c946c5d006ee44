package kernel

import (
	"fmt"
	"testing"

	"fusectl/internal/dtype"
)

// BenchmarkMultiply packs B and multiplies, on one thread.
func BenchmarkMultiply(b *testing.B) {
	for _, l := range Levels() {
		t := newTable(l)
		b.Run(l+"/peak", func(b *testing.B) {
			n := 0
			for b.Loop() {
				n += t.Peak(dtype.KindFloat32, 1e9)
			}
			b.ReportMetric(float64(n)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
		})
		for _, s := range []struct {
			m, n, k    int
			transposed bool
		}{{1024, 1024, 1024, false}, {4096, 4096, 128, true}, {4096, 128, 4096, false}, {4096, 256, 256, false}, {4096, 1, 1024, false}, {1, 1024, 1024, false}, {4096, 8, 1024, false}, {8, 1024, 1024, false}, {4096, 1024, 8, false}} {
			b.Run(fmt.Sprintf("%s/%dx%dx%d", l, s.m, s.n, s.k), func(b *testing.B) {
				a, x, c := make([]float32, s.m*s.k), make([]float32, s.k*s.n), make([]float32, s.m*s.n)
				t.Normal[dtype.KindFloat32](Bytes(a), 1, 0)
				t.Normal[dtype.KindFloat32](Bytes(x), 2, 0)
				packed := make([]float32, PackedLen[float32](t, s.k, s.n))
				src := Dense(x, s.k, s.n)
				if s.transposed {
					src = Dense(x, s.n, s.k)
				}
				for b.Loop() {
					right := Pack(t, packed, src, s.transposed)
					Multiply(t, Dense(c, s.m, s.n), Dense(a, s.m, s.k).Left(), right, false, Epilogue[float32]{})
				}
				b.ReportMetric(2*float64(s.m)*float64(s.n)*float64(s.k)*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
			})
		}
	}
}
