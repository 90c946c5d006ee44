//go:build !noasm

package kernel

import (
	"unsafe"

	"fusectl/internal/dtype"
)

func (t *Table) vectorizeNorms(set int) {
	vectorizeMoments[float32](t, [2]func(lanes *float64, x *byte, n int, about float64){momentsAVX2F32, momentsAVX512F32}[set])
	vectorizeMoments[float64](t, [2]func(lanes *float64, x *byte, n int, about float64){momentsAVX2F64, momentsAVX512F64}[set])
	vectorizeMomentsRows[float32](t, []momentsStrip{momentsRowsAVX512F32, momentsRowsAVX2F32}[1-set:])
	vectorizeMomentsRows[float64](t, []momentsStrip{momentsRowsAVX512F64, momentsRowsAVX2F64}[1-set:])
	lanes := widths[set] / 8
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
	for k, steps := range map[dtype.Kind][2]func(dst, src, weight, bias *byte, n int, mean, scale float64){
		dtype.KindFloat32: {normalizeRowAVX2F32, normalizeRowAVX512F32},
		dtype.KindFloat64: {normalizeRowAVX2F64, normalizeRowAVX512F64},
	} {
		step, rest, size := steps[set], t.NormalizeRow[k], t.sizes[k]
		t.NormalizeRow[k] = func(dst, src []byte, mean, scale float64, weight, bias []float64) {
			if n := len(src) / size / lanes; n > 0 {
				whole := n * lanes
				_, _, _ = dst[whole*size-1], weight[whole-1], bias[whole-1]
				step(unsafe.SliceData(dst), unsafe.SliceData(src), &Bytes(weight)[0], &Bytes(bias)[0], n, mean, scale)
				dst, src, weight, bias = dst[whole*size:], src[whole*size:], weight[whole:], bias[whole:]
			}
			if len(src) > 0 {
				rest(dst, src, mean, scale, weight, bias)
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

// vectorizeMoments gives whole blocks of 16 elements to the assembly.
func vectorizeMoments[F Float](t *Table, blocks func(lanes *float64, x *byte, n int, about float64)) {
	t.Moments[kindOf[F]()] = func(x []byte, about float64) (sum, squares float64) {
		buf := scratch.Get().(*buffer)
		defer scratch.Put(buf)
		l := buf.lanes()
		s := View[F](x)
		sums, squared := (*halfLanes)(l[:]), (*halfLanes)(l[len(halfLanes{}):])
		if n := len(s) / len(sums); n > 0 {
			blocks(&l[0], unsafe.SliceData(x), n, about)
			s = s[n*len(sums):]
		}
		addMoments(sums, squared, s, about)
		return sums.sum(), squared.sum()
	}
}
