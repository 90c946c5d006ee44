package kernel

import "math"

// The steps of attention with a running maximum and sum, for the scores of a
// block of queries, a row each, against a block of keys.

// AttentionMask applies a mask of the scores' shape: scores[i,j] += mask[i,j], or,
// where fill is set, scores[i,j] = -inf if mask[i,j] is 0.
func AttentionMask[T Float](scores, mask Matrix[T], fill bool) {
	inf := T(math.Inf(-1))
	for i := range scores.Rows {
		s, k := scores.Row(i), mask.Row(i)
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
func AttentionCausal[T Float](scores Matrix[T], offset int) {
	inf := T(math.Inf(-1))
	for i := range scores.Rows {
		row := scores.Row(i)
		for j := max(i+offset+1, 0); j < len(row); j++ {
			row[j] = inf
		}
	}
}

// softmaxLoops are the loops of AttentionBlock over rows of n elements, which
// start ld elements apart. n > 0 is a multiple of AttentionLanes.
type softmaxLoops[T Float] struct {
	// max gives the greatest of each row, NaNs apart; -Inf where there is none.
	max func(out, x []T, ld, n int)
	// exp computes x = e^(x-top) for x <= top, top and the sum being one number
	// a row. Each sum is AttentionLanes sums, added by halves.
	exp func(sum, x []T, ld, n int, top []T)
}

func (t *Table) fillAttention() {
	t.softmax32 = softmaxLoops[float32]{rowMax[float32], expRows(expNegative)}
	t.softmax64 = softmaxLoops[float64]{rowMax[float64], expRows(exp)}
}

// softmaxOf is t's loops for T.
func softmaxOf[T Float](t *Table) softmaxLoops[T] {
	var loops any = t.softmax64
	if kindOf[T]() == kindOf[float32]() {
		loops = t.softmax32
	}
	return loops.(softmaxLoops[T])
}

// AttentionLanes is the sums in which a row's weights are added up.
const AttentionLanes = 16

func rowMax[T Float](out, x []T, ld, n int) {
	for r := range out {
		top := T(math.Inf(-1))
		for _, v := range x[r*ld : r*ld+n] {
			if v > top {
				top = v
			}
		}
		out[r] = top
	}
}

// expRows is the loop exp of softmaxLoops by the given function.
func expRows[T Float](exp func(T) T) func(sum, x []T, ld, n int, top []T) {
	return func(sum, x []T, ld, n int, top []T) {
		for r := range sum {
			var l [AttentionLanes]T
			row := x[r*ld : r*ld+n]
			for i, v := range row {
				e := exp(v - top[r])
				row[i] = e
				l[i%len(l)] += e
			}
			for n := len(l) / 2; n > 0; n /= 2 {
				for j := range n {
					l[j] += l[j+n]
				}
			}
			sum[r] = l[0]
		}
	}
}

// expNegative is e^x for x <= 0, within 2 ulp, and 0 for x < -87, where the
// result would soon be none that float32 has whole digits for. With k the
// integer nearest to x/ln 2, it is 2^k·e^r, r = x - k·ln 2, and e^r is 1 + r +
// r²·p(r), p being the polynomial of Cephes's expf (Moshier 1989), in pairs of
// terms, which can be computed at the same time. The loops of instruction sets
// fuse each multiplication with the addition after it.
func expNegative(x float32) float32 {
	const magic = 0x1.8p23 // adding it rounds to an integer, which is then the low bits
	if x < -87 {
		return 0
	}
	shifted := float32(x*math.Log2E) + magic
	k := shifted - magic
	r := x - float32(k*0.693359375) // the product is exact: the constant has few bits
	r += float32(k * 2.12194440e-4)
	q := float32(r * r)
	p := float32(1.9875691500e-4*r) + 1.3981999507e-3
	p = float32(p*q) + (float32(8.3334519073e-3*r) + 4.1665795894e-2)
	p = float32(p*q) + (float32(1.6666665459e-1*r) + 5.0000001201e-1)
	p = float32(p*q) + (r + 1)
	return p * math.Float32frombits(math.Float32bits(shifted)<<23+math.Float32bits(1))
}

// AttentionBlock turns scores into weights e^(score-peak), peak[i] being the
// largest score of row i so far, and brings what was accumulated under a
// smaller peak, sum[i] and row i of out, to the new one. sum[i] grows by the row's weights. A NaN score makes the row NaN; while all
// scores of a row are -Inf, its weights are 0. float32 weights are within 2 ulp
// of e^x, x being the rounded difference, and 0 where x < -87.
//
// What lies between the scores' columns, up to a multiple of AttentionLanes, is
// overwritten. work has 2 elements for each row.
func AttentionBlock[T Float](t *Table, scores Matrix[T], peak, sum []T, out Matrix[T], work []T) {
	loops, scale := softmaxOf[T](t), t.Scale[kindOf[T]()]
	n, m := scores.Rows, scores.Cols
	whole := (m + AttentionLanes - 1) / AttentionLanes * AttentionLanes
	least := T(math.Inf(-1))
	if whole > m {
		for i := range n {
			rest := scores.Data[i*scores.Stride+m : i*scores.Stride+whole]
			for j := range rest {
				rest[j] = least
			}
		}
	}
	top, more := work[:n], work[n:2*n]
	loops.max(top, scores.Data, scores.Stride, whole)
	for i := range n {
		switch {
		case top[i] > peak[i]:
			if peak[i] > least {
				by := T(exp(float64(peak[i] - top[i])))
				sum[i] *= by
				scale(Bytes(out.Row(i)), float64(by))
			}
			peak[i] = top[i]
		case peak[i] == least && !HasNaN(scores.Row(i)):
			top[i] = 0 // e^(-Inf-0) is 0
		default:
			top[i] = peak[i]
		}
	}
	loops.exp(more, scores.Data, scores.Stride, whole, top)
	for i := range n {
		sum[i] += more[i]
	}
}

// HasNaN reports whether an element of x is NaN.
func HasNaN[T Float](x []T) bool {
	for _, v := range x {
		if v != v {
			return true
		}
	}
	return false
}

// AttentionFinish multiplies each row by the reciprocal of its sum of weights. A
// row that attended to nothing is zeros.
func AttentionFinish[T Float](t *Table, out Matrix[T], sum []T) {
	for i, s := range sum {
		if s != 0 {
			t.Scale[kindOf[T]()](Bytes(out.Row(i)), float64(1/s))
		}
	}
}
