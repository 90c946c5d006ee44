package dtype

import (
	"math"
	"testing"
)

func TestULP(t *testing.T) {
	for _, x := range []float64{1, 1.5, 1023.75, -3, 1e-300, 5e-324, 1e300} {
		if got, want := Float64.ULP(x), math.Nextafter(math.Abs(x), math.Inf(1))-math.Abs(x); got != want {
			t.Errorf("float64 at %v: got %v, want %v", x, got, want)
		}
	}
	for _, x := range []float32{1, 1.5, -3, 1e-38, 1e-45, 1e38} {
		abs := float32(math.Abs(float64(x)))
		if got, want := Float32.ULP(float64(x)), float64(math.Nextafter32(abs, float32(math.Inf(1)))-abs); got != want {
			t.Errorf("float32 at %v: got %v, want %v", x, got, want)
		}
	}
	for _, c := range []struct {
		t       Type
		x, want float64
	}{{Float16, 1, 0x1p-10}, {Float16, 0, 0x1p-24}, {Float16, 65504, 32}, {BFloat16, 1, 0x1p-7}, {BFloat16, 0, 0x1p-133}} {
		if got := c.t.ULP(c.x); got != c.want {
			t.Errorf("%v at %v: got %v, want %v", c.t, c.x, got, c.want)
		}
	}
}
