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

// AttentionBlock turns scores into weights exp(score - peak), peak[i] being
// the largest score of row i so far, and brings what was accumulated under a
// smaller peak, sum[i] and the row out[i] of dv elements, to the new one.
// sum[i] grows by the row's weights. A NaN score makes the row NaN; while all
// scores of a row are -inf, its weights are 0.
func AttentionBlock[T Float](scores []T, ld, n, m int, peak, sum, out []T, dv int) {
	for i := range n {
		s := scores[i*ld : i*ld+m]
		top := peak[i]
		for _, v := range s {
			if v > top || v != v {
				top = v
			}
		}
		if math.IsInf(float64(top), -1) {
			clear(s)
			continue
		}
		if peak[i] != top {
			by := T(math.Exp(float64(peak[i] - top)))
			sum[i] *= by
			for j := range out[i*dv : (i+1)*dv] {
				out[i*dv+j] *= by
			}
			peak[i] = top
		}
		total := 0.0
		for j, v := range s {
			e := T(math.Exp(float64(v - top)))
			s[j] = e
			total += float64(e)
		}
		sum[i] += T(total)
	}
}

// AttentionFinish divides each row of dv elements by its sum of weights. A row
// that attended to nothing is zeros.
func AttentionFinish[T Float](out, sum []T, dv int) {
	for i, t := range sum {
		if t == 0 {
			continue
		}
		row := out[i*dv : (i+1)*dv]
		for j := range row {
			row[j] /= t
		}
	}
}
