package kernel

import "fusectl/internal/dtype"

// Loop2 is a loop over one input: len(dst) and len(src) hold equally many
// elements.
type Loop2 = func(dst, src []byte)

// Loop3 is a loop over two inputs: all three operands hold equally many
// elements, and dst may be a, b or both.
type Loop3 = func(dst, a, b []byte)

// Table holds the loops, by the kind of their elements. An entry is nil where
// the loop isn't defined for that kind. Loops are safe for concurrent use.
type Table struct {
	// Name is the instruction set the loops are written for.
	Name string

	// Add computes dst[i] = a[i] + b[i]: integers wrap, bools are or-ed, and
	// the 16-bit floats have no entry (compute in float32).
	Add [dtype.NumKinds]Loop3

	// Sub computes dst[i] = a[i] - b[i]: integers wrap, and bools and the 16-bit
	// floats have no entry (compute in float32).
	Sub [dtype.NumKinds]Loop3

	// Mul computes dst[i] = a[i] * b[i]: integers wrap, bools are and-ed, the
	// four products of a complex one are rounded before they are added, and
	// the 16-bit floats have no entry (compute in float32).
	Mul [dtype.NumKinds]Loop3

	// Div computes dst[i] = a[i] / b[i] for float32, float64 and the complex kinds. A
	// complex quotient is Smith's, as NumPy has it: with the greater part of b, of
	// two the real one, divided out of both, every step rounded. By 0 it is the two
	// quotients of a's parts by +0.
	Div [dtype.NumKinds]Loop3

	// MulAdd computes c += a·b for matrices of integers, which wrap: c is [rows, cols],
	// a [rows, k] and b [k, cols]. c is neither a nor b.
	MulAdd [dtype.NumKinds]func(c, a, b []byte, k, cols int)

	// Max computes dst[i] = max(a[i], b[i]). On real floats it is IEEE
	// 754-2019's maximum: a NaN in either operand gives the quiet NaN with no
	// payload, and +0 is greater than -0; so the result doesn't depend on the
	// order of the operands. On complex numbers it is numpy.maximum: the
	// order is lexicographic, an operand with a NaN in it wins over one
	// without, and a wins ties. The 16-bit floats have entries.
	Max [dtype.NumKinds]Loop3

	// Min computes dst[i] = min(a[i], b[i]) likewise, with -0 less than +0: a NaN in
	// either operand gives the quiet NaN with no payload. Complex kinds have no entry.
	Min [dtype.NumKinds]Loop3

	// Pow computes dst[i] = a[i] to the power b[i]. Integers wrap, 0 to the power 0 is
	// 1, and so is any integer to a negative power, which is for callers to refuse.
	// float32 and float64 have the special cases of C's pow (annex F), among them 1
	// for all x to the power 0 and for 1 to all powers, NaN included, and give the quiet
	// NaN with no payload; float64 is within 1 ulp, and float32 is that result rounded.
	// Other kinds have no entry.
	Pow [dtype.NumKinds]Loop3

	// AddScaled computes acc[i] += x[i] * by for float32 and float64, in float64, the
	// product rounded.
	AddScaled [dtype.NumKinds]func(acc []float64, x []byte, by float64)

	// Prelu computes dst[i] = a[i] if that is positive, else a[i] * b[i], for float32
	// and float64.
	Prelu [dtype.NumKinds]Loop3

	// Scale computes x[i] *= by for float32 and float64, by being one of these.
	Scale [dtype.NumKinds]func(x []byte, by float64)

	// DivideBy computes dst[i] = src[i] / by for float32 and float64, by being one of
	// these. dst may be src.
	DivideBy [dtype.NumKinds]func(dst, src []byte, by float64)

	// Mask sets x[i] = -Inf where by[i] is 0, for float32 and float64.
	Mask [dtype.NumKinds]func(x, by []byte)

	// HasNaN reports whether an element of x is NaN, for float32 and float64.
	HasNaN [dtype.NumKinds]func(x []byte) bool

	// Convert[from][to] computes dst[i] = to(src[i]), for all pairs. The same
	// kind copies; otherwise dst and src must not overlap. It is NumPy's
	// astype where that is defined: integers wrap, floats round to nearest,
	// ties to even, and once only (also from float64 to a 16-bit float), to
	// bool is != 0 (true for NaN), a complex number loses its imaginary part.
	// From float to integer truncates; values beyond the integer's range give
	// its nearest end, and NaN gives 0.
	Convert [dtype.NumKinds][dtype.NumKinds]Loop2

	// Sum adds all elements of x to acc[0], in this order: 32 lanes begin at 0,
	// lane j sums the elements whose index is j modulo 32, in order; then
	// lanes[j] += lanes[j+16] for j < 16, the same with 8, 4, 2 and 1; then
	// acc[0] += lanes[0]. Defined for all but complex kinds, whose sums are those of
	// pairs of floats.
	Sum [dtype.NumKinds]func(acc []float64, x []byte)

	// SumRows computes, with cols = len(acc) and x rows of cols elements,
	//
	//	for r := range rows { for c := range cols { acc[c] += float64(x[r*cols+c]) } }
	//
	// in that order, so that rows may come in any number of calls. Defined for
	// the kinds that Sum is.
	SumRows [dtype.NumKinds]func(acc []float64, x []byte)

	// WeighRows computes, with cols = len(acc) and x rows of cols elements, a weight each,
	//
	//	for r := range w { for c := range cols { acc[c] += float64(x[r*cols+c])*w[r] } }
	//
	// in that order, every step rounded. Defined for float32 and float64.
	WeighRows [dtype.NumKinds]func(acc []float64, x []byte, w []float64)

	// MaxRows computes, with cols the number of elements in acc and x rows of
	// cols elements,
	//
	//	for r := range rows { for c := range cols { acc[c] = max(acc[c], x[r*cols+c]) } }
	//
	// with the max of Max. Defined for all kinds.
	MaxRows [dtype.NumKinds]func(acc, x []byte)

	// MinRows is MaxRows with the minimum in the maximum's place: IEEE 754-2019's on
	// floats, so a NaN gives the quiet one with no payload, and -0 is less than +0.
	// Defined for all but complex kinds.
	MinRows [dtype.NumKinds]func(acc, x []byte)

	// SumAbsRows and SumSquareRows are SumRows of the elements' magnitudes and of their
	// squares, which are rounded to float64 before they are added. Defined for float32 and
	// float64.
	SumAbsRows, SumSquareRows [dtype.NumKinds]func(acc []float64, x []byte)

	// MomentRows computes, with acc three rows k, s and q of cols elements, and x rows of cols
	// elements,
	//
	//	for r := range rows { for c := range cols {
	//		d := float64(x[r*cols+c]) - k[c]
	//		s[c] += d
	//		q[c] += d*d
	//	} }
	//
	// in that order, every step rounded. Defined for float32 and float64.
	MomentRows [dtype.NumKinds]func(acc []float64, x []byte)

	// LogSumRows adds e^x of rows of cols = len(top) elements to e^top·sum, so that no exponential
	// overflows:
	//
	//	for r := range rows { for c := range cols {
	//		x := float64(x[r*cols+c])
	//		if e := exp(-|x - top[c]|); x <= top[c] { sum[c] += e } else { top[c], sum[c] = x, sum[c]*e+1 }
	//	} }
	//
	// every step rounded, and e being 1 where x is top[c], which may be infinite. Defined for
	// float32 and float64.
	LogSumRows [dtype.NumKinds]func(top, sum []float64, x []byte)

	// ArgMaxRows and ArgMinRows compute, with x rows of cols = len(index) elements,
	//
	//	for r := range rows { for c := range cols { if x[r*cols+c] > best[c] {
	//		best[c], index[c] = x[r*cols+c], at+r
	//	} } }
	//
	// or with <, where a NaN is greater and less than all numbers, and zeros are equal.
	// Defined for all but the 16-bit floats, which are compared as float32, and complex
	// kinds.
	ArgMaxRows, ArgMinRows [dtype.NumKinds]func(best []byte, index []int64, x []byte, at int64)

	// SoftmaxRows computes, for each row of cols elements,
	//
	//	dst[c] = exp(src[c]-max(src)) / sum over c of exp(src[c]-max(src))
	//
	// for float32 and float64, in float64 until an exponential and a quotient
	// are stored; the sum is Sum's. dst may be src. A row of
	// nothing but -Inf gives zeros, one with a NaN or +Inf gives NaNs.
	SoftmaxRows [dtype.NumKinds]func(dst, src []byte, cols int)

	// LogSoftmaxRows computes, for each row of cols elements,
	//
	//	dst[c] = src[c]-max(src) - log(sum over c of exp(src[c]-max(src)))
	//
	// for float32 and float64, in float64 until a result is stored. The sum is Sum's and
	// leaves the first maximum out, whose exponential is 1, so that nothing cancels where
	// the others are small. dst may be src. A row of nothing but -Inf gives -Inf, one
	// with a NaN or +Inf gives NaNs.
	LogSoftmaxRows [dtype.NumKinds]func(dst, src []byte, cols int)

	// HardmaxRows gives, for each row of cols float32 or float64 elements, 1 for the first
	// maximum and 0 for the others; NaNs where there is a NaN. dst may be src.
	HardmaxRows [dtype.NumKinds]func(dst, src []byte, cols int)

	// FastNormalizeRows computes, for each row of cols float32 or float64 elements,
	//
	//	dst[c] = max(src[c], 0) / (sum over c of max(src[c], 0) + epsilon)
	//
	// which are BiFPN's fast normalised weights (Tan et al. 2020). The sum is kept in
	// float64, in order. dst may be src.
	FastNormalizeRows [dtype.NumKinds]func(dst, src []byte, cols int, epsilon float64)

	// PowerRows computes, for each row of cols float32 or float64 elements,
	// r[c] = sign(src[c])·sqrt(|src[c]|) and dst = r / max(length of r, 1e-12): the
	// power and l2 normalisation of bilinear features (Perronnin et al. 2010; Yu
	// et al. 2017). The squares are summed in float64. dst may be src.
	PowerRows [dtype.NumKinds]func(dst, src []byte, cols int)

	// FoldNormRows computes, for each row of NormColumns float64 elements, a
	// channel's variance, mean, weight, bias and the bias of the map before it, the
	// numbers by which a batch normalisation scales and shifts the map's product:
	// dst[0] = weight / sqrt(variance + epsilon), dst[1] = bias + (before -
	// mean)·dst[0]. dst may be src.
	FoldNormRows [dtype.NumKinds]func(dst, src []byte, epsilon float64)

	// RowMoments gives for each row r of x, of which there are len(sums), the sum of
	// x[r,c]-about[r], and that of its square, for float32 and float64, every step in
	// float64 and rounded, in this order: 16 lanes begin at 0, lane j sums the
	// elements whose c is j modulo 16, in order; then lanes[j] += lanes[j+8] for
	// j < 8, the same with 4, 2 and 1.
	RowMoments [dtype.NumKinds]func(sums, squares []float64, x []byte, about []float64)

	// RowSums and RowSquares give one of the two about 0.
	RowSums    [dtype.NumKinds]func(sums []float64, x []byte)
	RowSquares [dtype.NumKinds]func(squares []float64, x []byte)

	// Standardize makes of RowMoments, of rows of count elements about means that are
	// rounded, what these are normalised by, scale being the sums of squares before:
	//
	//	off := sums[i]/count
	//	mean[i] += off
	//	scale[i] = 1/sqrt(max(scale[i]-off*sums[i], 0)/count + epsilon)
	//
	// for all i of sums, every step rounded.
	Standardize func(mean, scale, sums []float64, count, epsilon float64)

	// MomentsRows computes, with cols = len(sums) and x rows of cols elements of
	// float32 or float64, d being x[r*cols+c]-about[c],
	//
	//	for r := range rows { for c := range cols { sums[c] += d; squares[c] += d*d } }
	//
	// every step in float64 and rounded, in that order, so that rows may come in any
	// number of calls.
	MomentsRows [dtype.NumKinds]func(sums, squares []float64, x []byte, about []float64)

	// Normalize computes dst[i] = (src[i]-mean)·scale + bias for float32 and float64,
	// every step in float64 and rounded, and the result to the kind. dst may be src.
	Normalize [dtype.NumKinds]func(dst, src []byte, mean, scale, bias float64)

	// NormalizeRows computes dst[r,c] = (src[r,c]-mean[r])·scale[r]·weight[c] + bias[c]
	// for len(mean) rows of len(weight) elements, as Normalize computes it, from left to
	// right.
	NormalizeRows [dtype.NumKinds]func(dst, src []byte, mean, scale, weight, bias []float64)

	// NormalizeCols computes dst[i] = (src[i]-mean[i])·scale[i] + bias[i], likewise.
	NormalizeCols [dtype.NumKinds]func(dst, src []byte, mean, scale, bias []float64)

	// Lerp computes dst[i] = a[i] + (b[i]-a[i])·w for float32 and float64, every
	// step rounded, as tf.image.resize does. A NaN or an infinity in either row
	// propagates. dst may be a or b.
	Lerp [dtype.NumKinds]func(dst, a, b []byte, w float64)

	// SumTaps computes dst[i] = Σ rows[k][i]·w[k] for float32 and float64, in
	// the order of k, every step rounded.
	SumTaps [dtype.NumKinds]func(dst []byte, rows [4][]byte, w [4]float64)

	// LerpCols blends pairs of columns of one row of float32 or float64, a column
	// being inner elements: column j of dst is src[lo[j]] + (src[hi[j]] -
	// src[lo[j]])·w[j], as Lerp computes it. Where w[j] is 0 it is src[lo[j]] alone.
	LerpCols [dtype.NumKinds]func(dst, src []byte, lo, hi []int32, w []float64, inner int)

	// TapCols sums columns of one row of float32 or float64, a column being inner
	// elements: column j of dst is the sum over k of src[taps[j].At[k]]·W[k], as
	// SumTaps computes it.
	TapCols [dtype.NumKinds]func(dst, src []byte, taps []Taps, inner int)

	// Swap[size] reverses the bytes of each element of size bytes: 2, 4 or 8.
	// dst may be src.
	Swap [9]Loop2

	// Uniform and Normal fill dst with the elements from number off on of a
	// random sequence that seed determines, for float32 and float64: uniform
	// in [0, 1), and normal with mean 0 and variance 1. See random.go for the
	// definitions.
	Uniform, Normal [dtype.NumKinds]func(dst []byte, seed uint64, off int64)

	// attentionMax and attentionExp are the loops of AttentionBlock, over rows of n
	// elements, which start ld elements apart: n > 0 is a multiple of AttentionLanes.
	// The one gives the greatest of each row, NaNs apart; -Inf where there is none.
	attentionMax [dtype.NumKinds]func(out, x []byte, ld, n int)
	// The other computes x = e^(x-top) for x <= top, top and the sum being one number
	// a row. Each sum is AttentionLanes sums, added by halves.
	attentionExp [dtype.NumKinds]func(sum, x, top []byte, ld, n int)

	multipliers [dtype.NumKinds]multiplier
	rowCopiers  []rowCopier
	squares     [2]squares // of elements of 4 and of 8 bytes
	folder      folder     // for Checksum
	activations [len(activations)][dtype.NumKinds]loopOf
	sizes       [dtype.NumKinds]int
}

// generic returns the loops in plain Go.
func generic() *Table {
	t := &Table{}
	for _, typ := range dtype.All() {
		t.sizes[typ.Kind()] = typ.Size()
	}
	t.fillArith()
	t.fillPow()
	t.fillConvert()
	t.fillReduce()
	t.fillActivations()
	t.fillSoftmax()
	t.fillNormalize()
	t.fillBlends()
	t.fillSwap()
	t.fillRandom()
	t.fillProducts()
	t.fillAttention()
	return t
}

type integer interface {
	int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64
}
