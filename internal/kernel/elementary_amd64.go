//go:build !noasm

package kernel

import (
	"math"
	"slices"
	"unsafe"

	"fusectl/internal/dtype"
)

// elementwise is a loop over n > 0 elements, a multiple of the float64s in a
// vector, whatever the elements are. c are the constants of the function.
type elementwise = func(dst, src *byte, n int, c *float64)

// elementwise2 are such loops for AVX2 and AVX-512.
type elementwise2 = [2]elementwise

// vectorized are the activations that have loops for instruction sets, for float32
// and float64.
var vectorized = [...]struct {
	name     string
	f32, f64 elementwise2
}{
	{"leaky-relu", elementwise2{leakyAVX2F32, leakyAVX512F32}, elementwise2{leakyAVX2F64, leakyAVX512F64}},
	{"rrelu", elementwise2{leakyAVX2F32, leakyAVX512F32}, elementwise2{leakyAVX2F64, leakyAVX512F64}},
	{"thresholded-relu", elementwise2{thresholdAVX2F32, thresholdAVX512F32}, elementwise2{thresholdAVX2F64, thresholdAVX512F64}},
	{"threshold", elementwise2{thresholdAVX2F32, thresholdAVX512F32}, elementwise2{thresholdAVX2F64, thresholdAVX512F64}},
	{"elu", elementwise2{eluAVX2F32, eluAVX512F32}, elementwise2{eluAVX2F64, eluAVX512F64}},
	{"selu", elementwise2{eluAVX2F32, eluAVX512F32}, elementwise2{eluAVX2F64, eluAVX512F64}},
	{"celu", elementwise2{eluAVX2F32, eluAVX512F32}, elementwise2{eluAVX2F64, eluAVX512F64}},
	{"gelu", elementwise2{geluAVX2F32, geluAVX512F32}, elementwise2{geluAVX2F64, geluAVX512F64}},
	{"gelu-tanh", elementwise2{geluTanhAVX2F32, geluTanhAVX512F32}, elementwise2{geluTanhAVX2F64, geluTanhAVX512F64}},
	{"quick-gelu", elementwise2{quickGeluAVX2F32, quickGeluAVX512F32}, elementwise2{quickGeluAVX2F64, quickGeluAVX512F64}},
	{"silu", elementwise2{siluAVX2F32, siluAVX512F32}, elementwise2{siluAVX2F64, siluAVX512F64}},
	{"hardswish", elementwise2{hardswishAVX2F32, hardswishAVX512F32}, elementwise2{hardswishAVX2F64, hardswishAVX512F64}},
	{"mish", elementwise2{mishAVX2F32, mishAVX512F32}, elementwise2{mishAVX2F64, mishAVX512F64}},
	{"softplus", elementwise2{softplusAVX2F32, softplusAVX512F32}, elementwise2{softplusAVX2F64, softplusAVX512F64}},
	{"sigmoid", elementwise2{sigmoidAVX2F32, sigmoidAVX512F32}, elementwise2{sigmoidAVX2F64, sigmoidAVX512F64}},
	{"hard-sigmoid", elementwise2{hardSigmoidAVX2F32, hardSigmoidAVX512F32}, elementwise2{hardSigmoidAVX2F64, hardSigmoidAVX512F64}},
	{"log-sigmoid", elementwise2{logSigmoidAVX2F32, logSigmoidAVX512F32}, elementwise2{logSigmoidAVX2F64, logSigmoidAVX512F64}},
	{"tanh", elementwise2{tanhAVX2F32, tanhAVX512F32}, elementwise2{tanhAVX2F64, tanhAVX512F64}},
	{"hard-tanh", elementwise2{clipAVX2F32, clipAVX512F32}, elementwise2{clipAVX2F64, clipAVX512F64}},
	{"softsign", elementwise2{softsignAVX2F32, softsignAVX512F32}, elementwise2{softsignAVX2F64, softsignAVX512F64}},
	{"hard-shrink", elementwise2{hardShrinkAVX2F32, hardShrinkAVX512F32}, elementwise2{hardShrinkAVX2F64, hardShrinkAVX512F64}},
	{"soft-shrink", elementwise2{softShrinkAVX2F32, softShrinkAVX512F32}, elementwise2{softShrinkAVX2F64, softShrinkAVX512F64}},
	{"abs", elementwise2{absAVX2F32, absAVX512F32}, elementwise2{absAVX2F64, absAVX512F64}},
	{"neg", elementwise2{negAVX2F32, negAVX512F32}, elementwise2{negAVX2F64, negAVX512F64}},
	{"sign", elementwise2{signAVX2F32, signAVX512F32}, elementwise2{signAVX2F64, signAVX512F64}},
	{"square", elementwise2{squareAVX2F32, squareAVX512F32}, elementwise2{squareAVX2F64, squareAVX512F64}},
	{"sqrt", elementwise2{sqrtAVX2F32, sqrtAVX512F32}, elementwise2{sqrtAVX2F64, sqrtAVX512F64}},
	{"rsqrt", elementwise2{rsqrtAVX2F32, rsqrtAVX512F32}, elementwise2{rsqrtAVX2F64, rsqrtAVX512F64}},
	{"reciprocal", elementwise2{reciprocalAVX2F32, reciprocalAVX512F32}, elementwise2{reciprocalAVX2F64, reciprocalAVX512F64}},
	{"exp", elementwise2{expAVX2F32, expAVX512F32}, elementwise2{expAVX2F64, expAVX512F64}},
	{"expm1", elementwise2{expm1AVX2F32, expm1AVX512F32}, elementwise2{expm1AVX2F64, expm1AVX512F64}},
	{"log", elementwise2{logAVX2F32, logAVX512F32}, elementwise2{logAVX2F64, logAVX512F64}},
	{"log1p", elementwise2{log1pAVX2F32, log1pAVX512F32}, elementwise2{log1pAVX2F64, log1pAVX512F64}},
	{"floor", elementwise2{floorAVX2F32, floorAVX512F32}, elementwise2{floorAVX2F64, floorAVX512F64}},
	{"ceil", elementwise2{ceilAVX2F32, ceilAVX512F32}, elementwise2{ceilAVX2F64, ceilAVX512F64}},
	{"round", elementwise2{roundAVX2F32, roundAVX512F32}, elementwise2{roundAVX2F64, roundAVX512F64}},
	{"clip", elementwise2{clipAVX2F32, clipAVX512F32}, elementwise2{clipAVX2F64, clipAVX512F64}},
}

func (t *Table) vectorizeElementary(level string) {
	set, vector := 0, 4
	if level == avx512 {
		set, vector = 1, 8
	}
	for _, v := range vectorized {
		t.floats(v.name, padded(v.f32[set], vector, 4), padded(v.f64[set], vector, 8))
	}
	if level == avx512 {
		t.Pow[dtype.KindFloat32], t.Pow[dtype.KindFloat64] = padded3(powAVX512F32, 8, 4), padded3(powAVX512F64, 8, 8)
		t.LogSumRows[dtype.KindFloat32], t.LogSumRows[dtype.KindFloat64] = logSumInVectors[float32](8, addExpAVX512F32), logSumInVectors[float64](8, addExpAVX512F64)
		t.softmaxInVectors(softmaxPasses[float32]{8, softmaxMaxAVX512F32, softmaxExpAVX512F32, softmaxDivideAVX512F32},
			softmaxPasses[float64]{8, softmaxMaxAVX512F64, softmaxExpAVX512F64, softmaxDivideAVX512F64})
	} else {
		t.Pow[dtype.KindFloat32], t.Pow[dtype.KindFloat64] = padded3(powAVX2F32, 4, 4), padded3(powAVX2F64, 4, 8)
		t.LogSumRows[dtype.KindFloat32], t.LogSumRows[dtype.KindFloat64] = logSumInVectors[float32](4, addExpAVX2F32), logSumInVectors[float64](4, addExpAVX2F64)
		t.softmaxInVectors(softmaxPasses[float32]{4, softmaxMaxAVX2F32, softmaxExpAVX2F32, softmaxDivideAVX2F32},
			softmaxPasses[float64]{4, softmaxMaxAVX2F64, softmaxExpAVX2F64, softmaxDivideAVX2F64})
	}
}

func (t *Table) softmaxInVectors(f32 softmaxPasses[float32], f64 softmaxPasses[float64]) {
	t.SoftmaxRows[dtype.KindFloat32], t.SoftmaxRows[dtype.KindFloat64] = f32.softmax(), f64.softmax()
	t.LogSoftmaxRows[dtype.KindFloat32], t.LogSoftmaxRows[dtype.KindFloat64] = f32.logSoftmax(), f64.logSoftmax()
}

// mostElements is the elements of a call, which can't be preempted.
const mostElements = 1 << 14

// padded makes a loop for any number of elements: what is less than a vector
// goes by way of a whole one.
func padded(loop elementwise, vector, size int) loopOf {
	step := vector * size
	return func(c []float64) Loop2 {
		constants := unsafe.SliceData(c)
		return func(dst, src []byte) {
			for len(src) >= step {
				n := min(len(src)/step*step, mostElements*size)
				loop(&dst[0], &src[0], n/size, constants)
				dst, src = dst[n:], src[n:]
			}
			if len(src) > 0 {
				buf := scratch.Get().(*buffer)
				piece := Bytes(buf[:])[:step]
				clear(piece[copy(piece, src):])
				loop(&piece[0], &piece[0], vector, constants)
				copy(dst, piece[:len(src)])
				scratch.Put(buf)
			}
		}
	}
}

// padded3 is padded for a loop over two inputs.
func padded3(loop func(dst, a, b *byte, n int), vector, size int) Loop3 {
	step := vector * size
	return func(dst, a, b []byte) {
		for len(dst) >= step {
			n := min(len(dst)/step*step, mostElements*size)
			_, _ = a[n-1], b[n-1]
			loop(&dst[0], &a[0], &b[0], n/size)
			dst, a, b = dst[n:], a[n:], b[n:]
		}
		if len(dst) > 0 {
			buf := scratch.Get().(*buffer)
			x, y := Bytes(buf[:])[:step], Bytes(buf[:])[step:2*step]
			clear(x[copy(x, a[:len(dst)]):])
			clear(y[copy(y, b[:len(dst)]):])
			loop(&x[0], &x[0], &y[0], vector)
			copy(dst, x)
			scratch.Put(buf)
		}
	}
}

// logSumInVectors makes LogSumRows of a loop over whole vectors; what is left of a row is
// computed in Go.
func logSumInVectors[F Float](vector int, loop func(top, sum, x *byte, n int)) func(top, sum []float64, x []byte) {
	return func(top, sum []float64, x []byte) {
		cols := len(top)
		whole := cols / vector * vector
		for s := View[F](x); cols > 0 && len(s) >= cols; s = s[cols:] {
			for c := 0; c < whole; {
				n := min(whole-c, mostElements)
				loop(first(top[c:c+n]), first(sum[c:c+n]), first(s[c:c+n]), n)
				c += n
			}
			logSumRow(top[whole:], sum[whole:], s[whole:])
		}
	}
}

// softmaxPasses are three passes over a row, in whole vectors of so many elements. What
// is less goes by way of one of its own, filled up with -Inf, of which the
// exponential adds nothing.
type softmaxPasses[F Float] struct {
	vector int
	most   func(x *byte, n int, least float64) float64
	exp    func(dst, src *byte, n int, top float64, sums *byte, mask int)
	divide func(x *byte, n int, by float64)
}

// softmaxRow is the working memory of a row.
type softmaxRow[F Float] struct {
	sums    *lanes
	in, out []F // the row's last vector, and its exponentials
	drop    []F // for exponentials of which only the sum matters: whole rounds of the lanes
}

func (p softmaxPasses[F]) row(buf *buffer) softmaxRow[F] {
	sums := (*lanes)(buf[:])
	r := softmaxRow[F]{sums: sums, in: View[F](Bytes(buf[len(sums):]))[:p.vector], out: View[F](Bytes(buf[len(sums)+p.vector:]))[:p.vector]}
	drop := View[F](Bytes(buf[len(sums)+2*p.vector:]))
	r.drop = drop[:len(drop)/len(sums)*len(sums)]
	for i := range r.in {
		r.in[i] = F(math.Inf(-1))
	}
	return r
}

func first[F Float](x []F) *byte { return (*byte)(unsafe.Pointer(unsafe.SliceData(x))) }

// greatest is the greatest number of a row, NaNs apart. It takes the row's last vector.
func (p softmaxPasses[F]) greatest(r softmaxRow[F], s []F) float64 {
	whole := len(s) / p.vector * p.vector
	rest := copy(r.in, s[whole:])
	top := math.Inf(-1)
	if whole > 0 {
		top = p.most(first(s), whole, top)
	}
	if rest > 0 {
		top = p.most(first(r.in), p.vector, top)
	}
	return top
}

const lanesMask = int(unsafe.Sizeof(lanes{})) - 1

// tail adds the exponentials of the row's last vector, after whole elements.
func (p softmaxPasses[F]) tail(r softmaxRow[F], whole int, top float64) {
	p.exp(first(r.out), first(r.in), p.vector, top, (*byte)(unsafe.Pointer(&r.sums[whole%len(r.sums)])), lanesMask)
}

func (p softmaxPasses[F]) softmax() func(dst, src []byte, cols int) {
	generic := rows(softmax[F])
	return func(dst, src []byte, cols int) {
		if cols < 4 {
			generic(dst, src, cols)
			return
		}
		buf := scratch.Get().(*buffer)
		defer scratch.Put(buf)
		r, whole := p.row(buf), cols/p.vector*p.vector
		d, s := View[F](dst), View[F](src)
		for ; len(s) >= cols; d, s = d[cols:], s[cols:] {
			top := p.greatest(r, s[:cols])
			if math.IsInf(top, 0) {
				softmax(d[:cols], s[:cols])
				continue
			}
			*r.sums = lanes{}
			if whole > 0 {
				p.exp(first(d), first(s), whole, top, (*byte)(unsafe.Pointer(r.sums)), lanesMask)
			}
			if whole < cols {
				p.tail(r, whole, top)
			}
			sum := r.sums.sum()
			if sum != sum { // there is a NaN in the row
				fillRow(d[:cols], math.NaN())
				continue
			}
			if whole > 0 {
				p.divide(first(d), whole, sum)
			}
			if whole < cols {
				p.divide(first(r.out), p.vector, sum)
				copy(d[whole:cols], r.out)
			}
		}
	}
}

func (p softmaxPasses[F]) logSoftmax() func(dst, src []byte, cols int) {
	generic := rows(logSoftmax[F])
	return func(dst, src []byte, cols int) {
		if cols < 4 {
			generic(dst, src, cols)
			return
		}
		buf := scratch.Get().(*buffer)
		defer scratch.Put(buf)
		r, whole := p.row(buf), cols/p.vector*p.vector
		d, s := View[F](dst), View[F](src)
		for ; len(s) >= cols; d, s = d[cols:], s[cols:] {
			top := p.greatest(r, s[:cols])
			if math.IsInf(top, 0) {
				logSoftmax(d[:cols], s[:cols])
				continue
			}
			// Without the first maximum, which is -Inf for the while.
			row := d[:cols]
			copy(row, s)
			at := slices.Index(row, F(top))
			row[at] = F(math.Inf(-1))
			if at >= whole {
				r.in[at-whole] = row[at]
			}
			*r.sums = lanes{}
			for i := 0; i < whole; i += len(r.drop) {
				p.exp(first(r.drop), first(row[i:]), min(whole-i, len(r.drop)), top, (*byte)(unsafe.Pointer(r.sums)), lanesMask)
			}
			if whole < cols {
				p.tail(r, whole, top)
			}
			row[at] = F(top)
			sum := r.sums.sum()
			if sum != sum {
				fillRow(row, math.NaN())
				continue
			}
			log := logOnePlus(sum)
			for i, v := range row {
				row[i] = F(float64(v) - top - log)
			}
		}
	}
}
