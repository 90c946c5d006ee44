package ops

import (
	"context"
	"math"
	"unsafe"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/kernel"
)

// filtered is a resized map of which each position is a weighted sum of all the
// positions under a kernel as wide as the map shrinks: antialiasing. Rows are summed
// first, in float64, and then columns.
type filtered struct {
	*resized
	yTaps, xTaps []filterTaps
}

// filterTaps is the source positions that one is summed from, those from number
// first on, and their weights.
type filterTaps struct {
	first   int
	weights []float64
}

// Tables counts the taps of both axes, too.
func (f *filtered) Tables() int64 {
	bytes := f.resized.Tables()
	for _, taps := range [][]filterTaps{f.yTaps, f.xTaps} {
		for _, t := range taps {
			bytes += int64(unsafe.Sizeof(t)) + 8*int64(cap(t.weights))
		}
	}
	return bytes
}

func (t *filterTaps) end() int { return t.first + len(t.weights) }

// filterRows is the most rows of the result that are summed at a time.
const filterRows = 4

// newFiltered is r by the kernel of linear interpolation, or of cubic with a coefficient
// that isn't 0.
func newFiltered(r *resized, a float64) *filtered {
	radius, filter := 1.0, triangle
	if a != 0 {
		radius, filter = 2, func(x float64) float64 {
			if x < 1 {
				return cubicNear(a, x)
			}
			return cubicFar(a, x)
		}
	}
	taps := func(p axisPlan) []filterTaps {
		out := make([]filterTaps, len(p.lo))
		step := float64(p.in) / float64(len(p.lo))
		if p.scale != 0 {
			step = 1 / p.scale
		}
		for i := range out {
			out[i] = newFilterTaps((float64(i)+0.5)*step, max(step, 1), radius, p.in, filter)
		}
		return out
	}
	r.skips = false
	return &filtered{r, taps(r.y), taps(r.x)}
}

// triangle is the kernel of linear interpolation, of numbers that aren't negative.
func triangle(x float64) float64 { return max(1-x, 0) }

// newFilterTaps is the taps of a kernel around centre, wider by width than it is where a
// map doesn't shrink, that lie among in positions; their weights sum to 1.
func newFilterTaps(centre, width, radius float64, in int, filter func(x float64) float64) filterTaps {
	centre = min(centre, float64(in))
	t := filterTaps{first: int(max(centre-radius*width+0.5, 0))}
	end := int(min(centre+radius*width+0.5, float64(in)))
	t.weights = make([]float64, 0, max(end-t.first, 0))
	sum := 0.0
	for at := t.first; at < end; at++ {
		w := 0.0
		if x := math.Abs(float64(at)+0.5-centre) / width; x < radius {
			w = filter(x)
		}
		if w == 0 && len(t.weights) == 0 { // a position without weight is none, even where it is NaN
			t.first++
			continue
		}
		t.weights, sum = append(t.weights, w), sum+w
	}
	for n := len(t.weights); t.weights[n-1] == 0; n-- {
		t.weights = t.weights[:n-1]
	}
	for i := range t.weights {
		t.weights[i] /= sum
	}
	return t
}

func (f *filtered) Flops() int64 {
	flops := int64(0)
	for _, t := range f.yTaps {
		flops += 2 * f.outer * int64(len(t.weights)) * f.srcRow()
	}
	for _, t := range f.xTaps {
		flops += 2 * f.outer * int64(len(t.weights)*len(f.yTaps)) * f.inner
	}
	return flops
}

func (f *filtered) Memory(n int64) int64 {
	return f.resized.Memory(n) + (filterRows*f.srcRow()+f.row())*int64(dtype.Float64.Size())
}

func (f *filtered) Read(ctx context.Context, dst []byte, off int64) error {
	return wholeRows(dst, off, f.row(), f.size(), func(dst []byte, row, n int64) error {
		src := f.open()
		defer func() { graph.PutBuffer(src.buf) }()
		height := int64(len(f.yTaps))
		for n > 0 {
			outer, y := row/height, row%height
			take := min(n, filterRows, height-y)
			part := dst[:take*f.row()*f.size()]
			if err := f.rows(ctx, part, &src, outer, f.yTaps[y:y+take]); err != nil {
				return err
			}
			dst, row, n = dst[len(part):], row+take, n-take
		}
		return nil
	})
}

// rows computes the rows of one image or channel that have these taps.
func (f *filtered) rows(ctx context.Context, dst []byte, src *sourceRows, outer int64, taps []filterTaps) error {
	size, line := int(f.size()), f.srcRow()
	sums := graph.GetBuffer(filterRows * line * 8) // as large for fewer rows, so that buffers serve all
	scaled := graph.GetBuffer(f.row() * 8)
	defer func() { graph.PutBuffer(sums); graph.PutBuffer(scaled) }()
	clear(sums[:int64(len(taps))*line*8])
	loops := kernel.Active()
	at, end := f.y.in, 0
	for i := range taps {
		at, end = min(at, taps[i].first), max(end, taps[i].end())
	}
	for at < end {
		// Several rows that lie together, since neighbours read the same ones.
		rows, n, err := src.rows(ctx, outer*int64(f.y.in)+int64(at), int64(end-at))
		if err != nil {
			return err
		}
		for i := range taps {
			t := &taps[i]
			if from, to := max(at, t.first), min(at+n, t.end()); from < to {
				loops.WeighRows[f.dt.Kind()](kernel.View[float64](sums)[int64(i)*line:int64(i+1)*line],
					rows[int64(from-at)*line*int64(size):int64(to-at)*line*int64(size)], t.weights[from-t.first:to-t.first])
			}
		}
		at += n
	}
	inner := int(f.inner)
	out := kernel.View[float64](scaled)
	for i := range taps {
		clear(out)
		sum := sums[int64(i)*line*8:]
		for j := range f.xTaps {
			t := &f.xTaps[j]
			loops.WeighRows[dtype.KindFloat64](out[j*inner:(j+1)*inner], sum[t.first*inner*8:t.end()*inner*8], t.weights)
		}
		loops.Convert[dtype.KindFloat64][f.dt.Kind()](dst[int64(i)*f.row()*f.size():int64(i+1)*f.row()*f.size()], scaled)
	}
	return nil
}
