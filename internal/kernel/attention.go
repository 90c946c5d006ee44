package kernel

import "math"

// The steps of attention with a running maximum and sum, for a block of n
// queries against a block of m keys. Rows of scores start ld elements apart.

// AttentionMask applies a mask [n,m]: scores[i,j] += mask[i,j], or, where fill
// is set, scores[i,j] = -inf if mask[i,j] is 0.
func AttentionMask[T Float](scores []T, ld int, mask []T, n, m int, fill bool) {
	inf := T(math.Inf(-1))
	for i := range n {
		s, k := scores[i*ld:i*ld+m], mask[i*m:(i+1)*m]
		if !fill {
			for j := range s {
				s[j] += k[j]
			}
			continue
		}
		for j := range s {
			if k[j] == 0 {
				s[j] = inf
			}
		}
	}
}

// AttentionCausal sets scores[i,j] = -inf where j > i + offset, offset being
// the position of the first query less that of the first key.
func AttentionCausal[T Float](scores []T, ld, n, m, offset int) {
	inf := T(math.Inf(-1))
	for i := range n {
		for j := max(i+offset+1, 0); j < m; j++ {
			scores[i*ld+j] = inf
		}
	}
}

// softmaxLoops are the loops of AttentionBlock over a row.
type softmaxLoops[T Float] struct {
	// max is the greatest of x, NaNs apart; -Inf if there is none.
	max func(x []T) T
	// exp computes x[i] = e^(x[i]-top) for x[i] <= top, and returns the sum,
	// which is that of whole attentionLanes, added by halves, plus that of the
	// rest.
	exp func(x []T, top T) T
	// scale computes x[i] *= by.
	scale func(x []T, by T)
}

func (t *Table) fillAttention() {
	t.softmax32 = softmaxLoops[float32]{rowMax[float32], func(x []float32, top float32) float32 { return rowExp(x, top, expNegative) }, rowScale[float32]}
	t.softmax64 = softmaxLoops[float64]{rowMax[float64], func(x []float64, top float64) float64 { return rowExp(x, top, exp) }, rowScale[float64]}
}

// softmaxOf is t's loops for T.
func softmaxOf[T Float](t *Table) softmaxLoops[T] {
	var loops any = t.softmax64
	if kindOf[T]() == kindOf[float32]() {
		loops = t.softmax32
	}
	return loops.(softmaxLoops[T])
}

// attentionLanes are the lanes in which a row's weights are summed.
const attentionLanes = 16

func rowMax[T Float](x []T) T {
	top := T(math.Inf(-1))
	for _, v := range x {
		if v > top {
			top = v
		}
	}
	return top
}

func rowExp[T Float](x []T, top T, exp func(T) T) T {
	whole, rest := cutLanes(x)
	sum := laneExp(whole, top, exp)
	if len(rest) > 0 {
		sum += laneExp(rest, top, exp)
	}
	return sum
}

// cutLanes cuts x where the last multiple of attentionLanes ends.
func cutLanes[T Float](x []T) (whole, rest []T) {
	n := len(x) - len(x)%attentionLanes
	return x[:n], x[n:]
}

func laneExp[T Float](x []T, top T, exp func(T) T) T {
	var l [attentionLanes]T
	for i, v := range x {
		e := exp(v - top)
		x[i] = e
		l[i%len(l)] += e
	}
	for n := len(l) / 2; n > 0; n /= 2 {
		for j := range n {
			l[j] += l[j+n]
		}
	}
	return l[0]
}

func rowScale[T Float](x []T, by T) {
	for i := range x {
		x[i] *= by
	}
}

// expNegative is e^x for x <= 0, within 2 ulp, and 0 for x < -87, where the
// result would soon be none that float32 has whole digits for. With k the
// integer nearest to x/ln 2, it is 2^k·e^r, r = x - k·ln 2, and e^r is 1 + r +
// r²·p(r), p being the polynomial of Cephes's expf (Moshier 1989). The loops of
// instruction sets fuse each multiplication with the addition after it.
func expNegative(x float32) float32 { return expNegativeBy(x, mulAdd) }

// mulAdd is a·b + c with both results rounded.
func mulAdd(a, b, c float32) float32 { return float32(a*b) + c }

// expNegativeBy is expNegative with the given a·b + c.
func expNegativeBy(x float32, fma func(a, b, c float32) float32) float32 {
	const magic = 0x1.8p23 // adding it rounds to an integer, which is then the low bits
	if x < -87 {
		return 0
	}
	shifted := fma(x, math.Log2E, magic)
	k := shifted - magic
	r := fma(k, -0.693359375, x) // exact: the constant has few bits
	r = fma(k, 2.12194440e-4, r)
	p := float32(1.9875691500e-4)
	for _, c := range [...]float32{1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1} {
		p = fma(p, r, c)
	}
	p = fma(p, float32(r*r), r) + 1
	return p * math.Float32frombits(math.Float32bits(shifted)<<23+math.Float32bits(1))
}

// AttentionBlock turns scores into weights e^(score-peak), peak[i] being the
// largest score of row i so far, and brings what was accumulated under a
// smaller peak, sum[i] and the row out[i] of dv elements, to the new one.
// sum[i] grows by the row's weights. A NaN score makes the row NaN; while all
// scores of a row are -Inf, its weights are 0. float32 weights are within 2 ulp
// of e^x, x being the rounded difference, and 0 where x < -87.
func AttentionBlock[T Float](t *Table, scores []T, ld, n, m int, peak, sum, out []T, dv int) {
	loops := softmaxOf[T](t)
	for i := range n {
		s := scores[i*ld : i*ld+m]
		top := max(peak[i], loops.max(s))
		if math.IsInf(float64(top), -1) && !hasNaN(s) {
			clear(s)
			continue
		}
		if top > peak[i] {
			if peak[i] > T(math.Inf(-1)) {
				by := T(exp(float64(peak[i] - top)))
				sum[i] *= by
				loops.scale(out[i*dv:(i+1)*dv], by)
			}
			peak[i] = top
		}
		sum[i] += loops.exp(s, top)
	}
}

func hasNaN[T Float](x []T) bool {
	for _, v := range x {
		if v != v {
			return true
		}
	}
	return false
}

// AttentionFinish multiplies each row of dv elements by the reciprocal of its
// sum of weights. A row that attended to nothing is zeros.
func AttentionFinish[T Float](t *Table, out, sum []T, dv int) {
	scale := softmaxOf[T](t).scale
	for i, s := range sum {
		if s != 0 {
			scale(out[i*dv:(i+1)*dv], 1/s)
		}
	}
}

// Scale computes x[i] *= by.
func Scale[T Float](t *Table, x []T, by T) { softmaxOf[T](t).scale(x, by) }
