package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/x448/float16"

	"fusectl/internal/dtype"
)

func convertOne[D, S any](from, to dtype.Type, v S) D {
	out := make([]D, 1)
	Active().Convert[from.Kind()][to.Kind()](Bytes(out), Bytes([]S{v}))
	return out[0]
}

// TestFloat16To32 compares all values with x448/float16, NaNs by their bits.
func TestFloat16To32(t *testing.T) {
	all := make([]uint16, 1<<16)
	for h := range all {
		all[h] = uint16(h)
	}
	eachTable(t, func(t *testing.T, table *Table) {
		got := make([]uint32, len(all))
		table.Convert[dtype.KindFloat16][dtype.KindFloat32](Bytes(got), Bytes(all))
		for h, bits := range got {
			if want := math.Float32bits(float16.Frombits(uint16(h)).Float32()); bits != want {
				t.Errorf("%#04x: %#08x, want %#08x", h, bits, want)
			}
		}
	})
}

// TestFloat32To16 compares with x448/float16 every 1009th float32, and those
// beside the middles between two float16, where rounding is decided.
func TestFloat32To16(t *testing.T) {
	var bits []uint32
	for b := uint64(0); b < 1<<32; b += 1009 {
		bits = append(bits, uint32(b))
	}
	for h := range 0x7c00 {
		a := float64(float16.Frombits(uint16(h)).Float32())
		b := float64(float16.Frombits(uint16(h + 1)).Float32())
		if h == 0x7bff {
			b = 0x1p16
		}
		middle := math.Float32bits(float32((a + b) / 2))
		for _, u := range []uint32{middle - 1, middle, middle + 1} {
			bits = append(bits, u, u|1<<31)
		}
	}
	eachTable(t, func(t *testing.T, table *Table) {
		got := make([]uint16, len(bits))
		table.Convert[dtype.KindFloat32][dtype.KindFloat16](Bytes(got), Bytes(bits))
		for i, u := range bits {
			if want := float16.Fromfloat32(math.Float32frombits(u)).Bits(); got[i] != want {
				t.Fatalf("%#08x: %#04x, want %#04x", u, got[i], want)
			}
		}
	})
}

// TestTo16RoundsOnce gives numbers just beside the middle between two 16-bit
// floats, so near that float32, or for integers float64, can't tell them from
// it: rounding twice would go astray.
func TestTo16RoundsOnce(t *testing.T) {
	for _, to := range []struct {
		k    dtype.Type
		last uint16  // the bits of the last finite value
		next float64 // what would come after it
	}{{dtype.Float16, 0x7bff, 0x1p16}, {dtype.BFloat16, 0x7f7f, 0x1p128}} {
		for h := range to.last + 1 {
			a := float64(convertOne[float32](to.k, dtype.Float32, h))
			b := to.next
			if h < to.last {
				b = float64(convertOne[float32](to.k, dtype.Float32, h+1))
			}
			even := h + h&1
			middle := (a + b) / 2
			for f, want := range map[float64]uint16{
				a: h, math.Nextafter(middle, a): h, middle: even, math.Nextafter(middle, b): h + 1,
			} {
				if got := convertOne[uint16](dtype.Float64, to.k, f); got != want {
					t.Errorf("%x to %v: %#04x, want %#04x", f, to.k, got, want)
				}
				if got := convertOne[uint16](dtype.Float64, to.k, -f); got != want|0x8000 {
					t.Errorf("%x to %v: %#04x, want %#04x", -f, to.k, got, want|0x8000)
				}
			}
		}
	}
	middle := int64(0x101 << 54) // between 2^62 and the bfloat16 after it
	for v, want := range map[int64]uint16{middle - 1: 0x5e80, middle: 0x5e80, middle + 1: 0x5e81, 3 << 61: 0x5ec0} {
		if got := convertOne[uint16](dtype.Int64, dtype.BFloat16, v); got != want {
			t.Errorf("int64 %#x: %#04x, want %#04x", v, got, want)
		}
		if got := convertOne[uint16](dtype.Int64, dtype.BFloat16, -v); got != want|0x8000 {
			t.Errorf("int64 %#x: %#04x, want %#04x", -v, got, want|0x8000)
		}
		if got := convertOne[uint16](dtype.Uint64, dtype.BFloat16, 2*uint64(v)); got != want+0x80 {
			t.Errorf("uint64 %#x: %#04x, want %#04x", 2*uint64(v), got, want+0x80)
		}
	}
}

// TestNaNsStayNaNs converts NaNs of all payloads, the least of which vanish in
// a narrower type, where they must not leave an infinity.
func TestNaNsStayNaNs(t *testing.T) {
	for _, from := range dtype.All() {
		for _, to := range dtype.All() {
			if !from.IsFloat() || !to.IsFloat() {
				continue
			}
			t.Run(fmt.Sprintf("%v/%v", from, to), func(t *testing.T) {
				inf := map[dtype.Type]uint64{
					dtype.Float16: 0x7c00, dtype.BFloat16: 0x7f80, dtype.Float32: 0x7f800000, dtype.Float64: 0x7ff << 52,
				}[from]
				rng := rand.New(rand.NewPCG(1, uint64(from.Size())))
				const n = 100
				var src []byte
				for i := range uint64(n) {
					bits := inf | 1 + i
					if i > n/2 {
						bits = inf | 1 | rng.Uint64()
					}
					src = append(src, Bytes([]uint64{bits})[:from.Size()]...)
				}
				eachTable(t, func(t *testing.T, table *Table) {
					dst := Alloc(n * to.Size())
					table.Convert[from.Kind()][to.Kind()](dst, src)
					for i := range n {
						if !load(to, dst, i).re.isNaN() {
							t.Errorf("% x became % x", src[i*from.Size():(i+1)*from.Size()], dst[i*to.Size():(i+1)*to.Size()])
						}
					}
				})
			})
		}
	}
}
