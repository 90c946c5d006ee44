package shape

// Broadcast is NumPy's rule for two shapes: aligned at the last axis, each
// pair of extents must be equal or one of them 1. It reports false where the
// shapes don't fit.
func Broadcast(a, b Shape) (Shape, bool) {
	if len(a) < len(b) {
		a, b = b, a
	}
	out := a.Clone()
	for i, d := range b {
		at := len(a) - len(b) + i
		switch {
		case out[at] == d || d == 1:
		case out[at] == 1:
			out[at] = d
		default:
			return nil, false
		}
	}
	return out, true
}

// Repeat is one level of a coalesced broadcast: Len positions, which either
// all see the same source elements (Same) or walk through the source.
type Repeat struct {
	Len  int64
	Same bool
}

// Repeats coalesces the broadcast of src to dst, which must be one that
// Broadcast accepted, into alternating levels, outermost first. Axes of
// extent 1 vanish; an array that isn't repeated at all gives at most one
// level, which walks.
func Repeats(src, dst Shape) []Repeat {
	var levels []Repeat
	lead := len(dst) - len(src)
	for i, d := range dst {
		if d == 1 {
			continue
		}
		same := i < lead || src[i-lead] == 1
		if n := len(levels); n > 0 && levels[n-1].Same == same {
			levels[n-1].Len *= int64(d)
			continue
		}
		levels = append(levels, Repeat{int64(d), same})
	}
	return levels
}
