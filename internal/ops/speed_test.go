package ops

import (
	"context"
	"fmt"
	"testing"

	"fusectl/internal/dtype"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// resident is an array that lies in memory.
type resident struct {
	sh   shape.Shape
	data []byte
}

func (m *resident) DType() dtype.Type  { return dtype.Float32 }
func (m *resident) Shape() shape.Shape { return m.sh }
func (m *resident) Bytes() []byte      { return m.data }
func (m *resident) Read(_ context.Context, dst []byte, off int64) error {
	copy(dst, m.data[4*off:])
	return nil
}

func someNumbers(s ...int) *resident {
	m := &resident{shape.Shape(s), kernel.Alloc(int(4 * shape.Shape(s).Len()))}
	kernel.Active().Normal[dtype.KindFloat32](m.data, 1, 0)
	return m
}

func BenchmarkSpeed(b *testing.B) {
	type work struct {
		name string
		make func() (Array, error)
	}
	attention := func(s ...int) work {
		q, k, v := someNumbers(s...), someNumbers(s...), someNumbers(s...)
		return work{fmt.Sprint("attention", s), func() (Array, error) {
			return Attention(nil, AttentionOptions{Query: q, Key: k, Value: v, AutoScale: true})
		}}
	}
	var works []work
	works = append(works, attention(1, 1, 4096, 128), attention(1, 8, 1024, 64), attention(1, 16, 4096, 64), attention(64, 1, 64, 128))
	x, w := someNumbers(1, 64, 64, 128), someNumbers(128, 128)
	works = append(works, work{"projected", func() (Array, error) {
		ws := Weights{Kernel: w, Layout: Keras}
		return Attention(x, AttentionOptions{WQ: ws, WK: ws, WV: ws, AutoScale: true})
	}})
	for _, l := range []shape.Layout{shape.NHWC, shape.NCHW} {
		x, y, w3, w1 := someNumbers(1, 100, 100, 256), someNumbers(4, 64, 64, 256), someNumbers(3, 3, 256, 256), someNumbers(1, 1, 256, 256)
		if l == shape.NCHW {
			x.sh, y.sh = shape.Shape{1, 256, 100, 100}, shape.Shape{4, 256, 64, 64}
		}
		works = append(works, work{fmt.Sprint("conv3x3 ", l), func() (Array, error) {
			return Conv(x, Weights{Kernel: w3, Layout: Keras}, ConvOptions{Padding: Padding{Each: [2]int{1, 1}}, Layout: l})
		}}, work{fmt.Sprint("conv1x1 ", l), func() (Array, error) {
			return Conv(y, Weights{Kernel: w1, Layout: Keras}, ConvOptions{Layout: l})
		}})
	}
	small, wide := someNumbers(1, 56, 56, 64), someNumbers(3, 3, 64, 64)
	works = append(works, work{"conv3x3 64", func() (Array, error) {
		return Conv(small, Weights{Kernel: wide, Layout: Keras}, ConvOptions{Padding: Padding{Same: true}, Layout: shape.NHWC})
	}})
	rgb, first := someNumbers(1, 224, 224, 3), someNumbers(7, 7, 3, 64)
	works = append(works, work{"conv7x7 3->64 s2", func() (Array, error) {
		return Conv(rgb, Weights{Kernel: first, Layout: Keras}, ConvOptions{Stride: [2]int{2, 2}, Padding: Padding{Same: true}, Layout: shape.NHWC})
	}})
	for _, w := range works {
		for threads := 1; threads <= 2; threads++ {
			b.Run(fmt.Sprintf("%s/%d", w.name, threads), func(b *testing.B) {
				var dst []byte
				var flops int64
				for b.Loop() {
					y, err := w.make()
					if err != nil {
						b.Fatal(err)
					}
					if dst == nil {
						dst = kernel.Alloc(int(sizeOf(y)))
					}
					p, err := NewPlan(Options{Threads: threads}, y)
					if err != nil {
						b.Fatal(err)
					}
					if err := p.Into(b.Context(), dst); err != nil {
						b.Fatal(err)
					}
					flops = CostOf(y, func(Array) bool { return false }).Flops
				}
				b.ReportMetric(float64(flops)*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
			})
		}
	}
}
