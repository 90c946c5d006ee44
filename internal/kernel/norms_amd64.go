//go:build !noasm

package kernel

import (
	"unsafe"

	"fusectl/internal/dtype"
)

func (t *Table) vectorizeNorms(set int) {
	vectorizeRows(t, dtype.KindFloat32, [2]rowLoops{
		{rowSumsAVX2F32, rowSquaresAVX2F32, rowMomentsAVX2F32, normalizeRowsAVX2F32},
		{rowSumsAVX512F32, rowSquaresAVX512F32, rowMomentsAVX512F32, normalizeRowsAVX512F32},
	}[set])
	vectorizeRows(t, dtype.KindFloat64, [2]rowLoops{
		{rowSumsAVX2F64, rowSquaresAVX2F64, rowMomentsAVX2F64, normalizeRowsAVX2F64},
		{rowSumsAVX512F64, rowSquaresAVX512F64, rowMomentsAVX512F64, normalizeRowsAVX512F64},
	}[set])
	vectorizeMomentsRows[float32](t, []momentsStrip{momentsRowsAVX512F32, momentsRowsAVX2F32}[1-set:])
	vectorizeMomentsRows[float64](t, []momentsStrip{momentsRowsAVX512F64, momentsRowsAVX2F64}[1-set:])
	lanes := widths[set] / 8
	step := [2]func(mean, scale, sums *byte, n int, count, epsilon float64){standardizeAVX2, standardizeAVX512}[set]
	t.Standardize = func(mean, scale, sums []float64, count, epsilon float64) {
		if n := len(sums) / lanes; n > 0 {
			whole := n * lanes
			_, _ = mean[whole-1], scale[whole-1]
			step(&Bytes(mean)[0], &Bytes(scale)[0], &Bytes(sums)[0], n, count, epsilon)
			mean, scale, sums = mean[whole:], scale[whole:], sums[whole:]
		}
		standardize(mean, scale, sums, count, epsilon)
	}
	for k, steps := range map[dtype.Kind][2]func(dst, src *byte, n int, mean, scale, bias float64){
		dtype.KindFloat32: {normalizeAVX2F32, normalizeAVX512F32},
		dtype.KindFloat64: {normalizeAVX2F64, normalizeAVX512F64},
	} {
		step, rest, size := steps[set], t.Normalize[k], t.sizes[k]
		t.Normalize[k] = func(dst, src []byte, mean, scale, bias float64) {
			if n := len(src) / size / lanes; n > 0 {
				whole := n * lanes * size
				_ = dst[whole-1]
				step(unsafe.SliceData(dst), unsafe.SliceData(src), n, mean, scale, bias)
				dst, src = dst[whole:], src[whole:]
			}
			if len(src) > 0 {
				rest(dst, src, mean, scale, bias)
			}
		}
	}
	for k, steps := range map[dtype.Kind][2]func(dst, src, mean, scale, bias *byte, n int){
		dtype.KindFloat32: {normalizeColsAVX2F32, normalizeColsAVX512F32},
		dtype.KindFloat64: {normalizeColsAVX2F64, normalizeColsAVX512F64},
	} {
		step, rest, size := steps[set], t.NormalizeCols[k], t.sizes[k]
		t.NormalizeCols[k] = func(dst, src []byte, mean, scale, bias []float64) {
			if n := len(src) / size / lanes; n > 0 {
				whole := n * lanes
				_, _, _, _ = dst[whole*size-1], mean[whole-1], scale[whole-1], bias[whole-1]
				step(unsafe.SliceData(dst), unsafe.SliceData(src), &Bytes(mean)[0], &Bytes(scale)[0], &Bytes(bias)[0], n)
				dst, src, mean, scale, bias = dst[whole*size:], src[whole*size:], mean[whole:], scale[whole:], bias[whole:]
			}
			if len(src) > 0 {
				rest(dst, src, mean, scale, bias)
			}
		}
	}
}

// momentsStrip is an assembly loop over some columns of rows.
type momentsStrip = func(sums, squares, about *float64, x *byte, stride, rows int)

// vectorizeMomentsRows gives what columns make whole strips to the assembly, of
// which the last takes 16 and each one before it twice as many.
func vectorizeMomentsRows[F Float](t *Table, strips []momentsStrip) {
	k := kindOf[F]()
	size := t.sizes[k]
	t.MomentsRows[k] = func(sums, squares []float64, x []byte, about []float64) {
		cols, c := len(sums), 0
		if cols == 0 || len(x) < cols*size {
			return
		}
		rows := len(x) / size / cols
		for i, strip := range strips {
			for lanes := 16 << (len(strips) - 1 - i); c+lanes <= cols; c += lanes {
				_, _ = squares[c+lanes-1], about[c+lanes-1]
				strip(&sums[c], &squares[c], &about[c], &x[c*size], cols*size, rows)
			}
		}
		if c < cols {
			momentsRows(sums, squares, View[F](x), about, c)
		}
	}
}

// rowLoops are assembly loops over whole rows of any length but 0.
type rowLoops struct {
	sums, squares func(to *float64, x *byte, cols, rows int)
	moments       func(sums, squares, about *float64, x *byte, cols, rows int)
	normalize     func(dst, src *byte, mean, scale, weight, bias *float64, cols, rows int)
}

func vectorizeRows(t *Table, k dtype.Kind, loops rowLoops) {
	size := t.sizes[k]
	one := func(loop func(to *float64, x *byte, cols, rows int)) func(to []float64, x []byte) {
		return func(to []float64, x []byte) {
			if len(to) == 0 || len(x) < len(to)*size {
				clear(to)
				return
			}
			loop(&to[0], &x[0], len(x)/size/len(to), len(to))
		}
	}
	t.RowSums[k], t.RowSquares[k] = one(loops.sums), one(loops.squares)
	t.RowMoments[k] = func(sums, squares []float64, x []byte, about []float64) {
		rows := len(sums)
		if rows == 0 || len(x) < rows*size {
			clear(sums)
			clear(squares)
			return
		}
		_, _ = squares[rows-1], about[rows-1]
		loops.moments(&sums[0], &squares[0], &about[0], &x[0], len(x)/size/rows, rows)
	}
	t.NormalizeRows[k] = func(dst, src []byte, mean, scale, weight, bias []float64) {
		rows, cols := len(mean), len(weight)
		if rows == 0 || cols == 0 {
			return
		}
		_, _, _, _ = dst[rows*cols*size-1], src[rows*cols*size-1], scale[rows-1], bias[cols-1]
		loops.normalize(&dst[0], &src[0], &mean[0], &scale[0], &weight[0], &bias[0], cols, rows)
	}
}
