package shape

// Swap is the permutation of one pair of neighbouring blocks of axes: the
// source seen as [Outer, A, B, Inner] becomes [Outer, B, A, Inner].
type Swap struct{ Outer, A, B, Inner int64 }

// Swaps decomposes a permutation of s (out axis i is source axis perm[i]) into
// swaps of neighbouring blocks, applied in order. The permutations between
// layouts take one, the reversal of k axes k-1, the identity none.
func (s Shape) Swaps(perm []int) []Swap {
	order := make([]int, len(perm)) // source axes as they stand after the swaps so far
	for i := range order {
		order[i] = i
	}
	size := func(from, to int) int64 {
		n := int64(1)
		for _, a := range order[from:to] {
			n *= int64(s[a])
		}
		return n
	}
	var swaps []Swap
	for i := 0; i < len(perm); i++ {
		at := i
		for order[at] != perm[i] {
			at++
		}
		if at == i {
			continue
		}
		// Take along the axes that follow it in the result as well.
		end := at + 1
		for end < len(order) && i+end-at < len(perm) && order[end] == perm[i+end-at] {
			end++
		}
		sw := Swap{size(0, i), size(i, at), size(at, end), size(end, len(order))}
		if sw.A != 1 && sw.B != 1 { // moving axes of extent 1 moves no element
			swaps = append(swaps, sw)
		}
		moved := append([]int(nil), order[at:end]...)
		copy(order[i+len(moved):end], order[i:at])
		copy(order[i:], moved)
	}
	return swaps
}
