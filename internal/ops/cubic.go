package ops

import (
	"context"
	"unsafe"

	"fusectl/internal/graph"
	"fusectl/internal/kernel"
)

// cubic is a resized map of which each position is a sum of 4 by 4 source
// positions (Keys 1981).
type cubic struct {
	*resized
	yTaps, xTaps []kernel.Taps // nil: an absent axis
}

// Tables counts the taps of both axes, too.
func (c *cubic) Tables() int64 {
	return c.resized.Tables() + int64(len(c.yTaps)+len(c.xTaps))*int64(unsafe.Sizeof(kernel.Taps{}))
}

// newCubic makes r one with coefficient a of the kernel; exclude drops taps
// outside and brings the sum of the others to 1.
func newCubic(r *resized, a float64, exclude bool) *cubic {
	taps := func(p axisPlan) []kernel.Taps {
		if p.absent {
			return nil
		}
		out := make([]kernel.Taps, len(p.lo))
		for i := range out {
			f := p.frac[i]
			out[i].W = [4]float64{cubicFar(a, f+1), cubicNear(a, f), cubicNear(a, 1-f), cubicFar(a, 2-f)}
			for k := range out[i].At {
				at := p.lo[i] - 1 + int32(k)
				out[i].At[k] = min(max(at, 0), int32(p.in-1))
				if exclude && at != out[i].At[k] {
					out[i].W[k] = 0
				}
			}
			if w := &out[i].W; exclude {
				sum := w[0] + w[1] + w[2] + w[3]
				for k := range w {
					w[k] /= sum
				}
			}
		}
		return out
	}
	return &cubic{r, taps(r.y), taps(r.x)}
}

func cubicNear(a, x float64) float64 { return ((a+2)*x-(a+3))*x*x + 1 }
func cubicFar(a, x float64) float64  { return ((a*x-5*a)*x+8*a)*x - 4*a }

func (c *cubic) Flops() int64 { return 2 * (4 + 4) * c.sh.Len() }

func (c *cubic) Memory(n int64) int64 { return c.resized.Memory(n) + 2*c.row()*c.size() }

func (c *cubic) Read(ctx context.Context, dst []byte, off int64) error {
	return wholeRows(dst, off, c.row(), c.size(), func(dst []byte, row, n int64) error {
		return c.rows(ctx, dst, row, n)
	})
}

// scale gives a source row the result's width.
func (c *cubic) scale(dst, src []byte) {
	if c.xTaps == nil {
		copy(dst, src)
	} else {
		kernel.Active().TapCols[c.dt.Kind()](dst, src, c.xTaps, int(c.inner))
	}
}

// rows computes n result rows from row on. The scaled source rows are kept in
// the slot of their number modulo 4, since a result row needs 4 in line.
func (c *cubic) rows(ctx context.Context, dst []byte, row, n int64) error {
	bytes := c.row() * c.size()
	src := c.open()
	var kept, taps [4][]byte
	at := [4]int64{-1, -1, -1, -1}
	for k := range kept {
		kept[k] = graph.GetBuffer(bytes)
	}
	defer func() {
		graph.PutBuffer(src.buf)
		for _, b := range kept {
			graph.PutBuffer(b)
		}
	}()
	height := int64(len(c.y.lo))
	for i := range n {
		outer, y := (row+i)/height, (row+i)%height
		out := dst[i*bytes : (i+1)*bytes]
		if c.yTaps == nil {
			line, err := src.row(ctx, outer)
			if err != nil {
				return err
			}
			c.scale(out, line)
			continue
		}
		for k, from := range c.yTaps[y].At {
			want := outer*int64(c.y.in) + int64(from)
			slot := want % 4
			if at[slot] != want {
				line, err := src.row(ctx, want)
				if err != nil {
					return err
				}
				c.scale(kept[slot], line)
				at[slot] = want
			}
			taps[k] = kept[slot]
		}
		kernel.Active().SumTaps[c.dt.Kind()](out, taps, c.yTaps[y].W)
	}
	return nil
}
