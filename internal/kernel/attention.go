package kernel

import (
	"math"

	"fusectl/internal/dtype"
)

// The steps of attention with a running maximum and sum, for the scores of a
// block of queries, a row each, against a block of keys.

// AttentionMask applies a mask of the scores' shape: scores[i,j] += mask[i,j], or,
// where fill is set, scores[i,j] = -inf if mask[i,j] is 0.
func AttentionMask[T Float](t *Table, scores, mask Matrix[T], fill bool) {
	k := kindOf[T]()
	for i := range scores.Rows {
		row, by := Bytes(scores.Row(i)), Bytes(mask.Row(i))
		if fill {
			t.Mask[k](row, by)
		} else {
			t.Add[k](row, row, by)
		}
	}
}

// AttentionCausal sets scores[i,j] = -inf where j > i + offset, offset being
// the position of the first query less that of the first key.
func AttentionCausal[T Float](scores Matrix[T], offset int) {
	hidden := [1]T{T(math.Inf(-1))}
	for i := range scores.Rows {
		if j := max(i+offset+1, 0); j < scores.Cols {
			Fill(Bytes(scores.Row(i)[j:]), Bytes(hidden[:]))
		}
	}
}

func (t *Table) fillAttention() {
	t.attentionMax[dtype.KindFloat32], t.attentionMax[dtype.KindFloat64] = rowMax[float32], rowMax[float64]
	t.attentionExp[dtype.KindFloat32], t.attentionExp[dtype.KindFloat64] = expRows(expNegative), expRows(exp)
	t.Mask[dtype.KindFloat32], t.Mask[dtype.KindFloat64] = mask[float32], mask[float64]
	t.HasNaN[dtype.KindFloat32], t.HasNaN[dtype.KindFloat64] = hasNaN[float32], hasNaN[float64]
}

func mask[T Float](x, by []byte) {
	v, m := View[T](x), View[T](by)
	m = m[:len(v)]
	hidden := T(math.Inf(-1))
	for i := range v {
		if m[i] == 0 {
			v[i] = hidden
		}
	}
}

func hasNaN[T Float](x []byte) bool {
	for _, v := range View[T](x) {
		if v != v {
			return true
		}
	}
	return false
}

// AttentionLanes is the sums in which a row's weights are added up.
const AttentionLanes = 16

func rowMax[T Float](out, x []byte, ld, n int) {
	all := View[T](x)
	for r := range View[T](out) {
		top := T(math.Inf(-1))
		for _, v := range all[r*ld : r*ld+n] {
			if v > top {
				top = v
			}
		}
		View[T](out)[r] = top
	}
}

// expRows is attentionExp by the given function.
func expRows[T Float](exp func(T) T) func(sum, x, top []byte, ld, n int) {
	return func(sum, x, top []byte, ld, n int) {
		all, greatest := View[T](x), View[T](top)
		for r := range View[T](sum) {
			var l [AttentionLanes]T
			row := all[r*ld : r*ld+n]
			for i, v := range row {
				e := exp(v - greatest[r])
				row[i] = e
				l[i%len(l)] += e
			}
			for n := len(l) / 2; n > 0; n /= 2 {
				for j := range n {
					l[j] += l[j+n]
				}
			}
			View[T](sum)[r] = l[0]
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
// smaller peak, sum[i] and row i of out, to the new one. sum[i] grows by the row's
// weights. A NaN score makes the row NaN; while all scores of a row are -Inf, its
// weights are 0. float32 weights are within 2 ulp of e^x, x being the rounded
// difference, and 0 where x < -87.
//
// What lies between the scores' columns, up to a multiple of AttentionLanes, is
// overwritten. work has 2 elements for each row.
func AttentionBlock[T Float](t *Table, scores Matrix[T], peak, sum []T, out Matrix[T], work []T) {
	kind, n, m := kindOf[T](), scores.Rows, scores.Cols
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
	t.attentionMax[kind](Bytes(top), Bytes(scores.Data), scores.Stride, whole)
	for i := range n {
		switch {
		case top[i] > peak[i]:
			if peak[i] > least {
				by := T(exp(float64(peak[i] - top[i])))
				sum[i] *= by
				t.Scale[kind](Bytes(out.Row(i)), float64(by))
			}
			peak[i] = top[i]
		case peak[i] == least && !t.HasNaN[kind](Bytes(scores.Row(i))):
			top[i] = 0 // e^(-Inf-0) is 0
		default:
			top[i] = peak[i]
		}
	}
	t.attentionExp[kind](Bytes(more), Bytes(scores.Data), Bytes(top), scores.Stride, whole)
	for i := range n {
		sum[i] += more[i]
	}
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
