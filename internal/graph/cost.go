package graph

import (
	"math/bits"
)

// Cost counts the work of computing arrays.
type Cost struct {
	Flops int64 // floating-point operations
	Moved int64 // bytes read from the inputs and written as results
}

// CostOf is the cost of computing x once, each of its nodes once, from the
// arrays for which given holds and the sources.
func CostOf(x Array, given func(Array) bool) Cost {
	c := Cost{Moved: SizeOf(x)}
	seen := map[Array]bool{}
	var walk func(Array)
	walk = func(in Array) {
		if seen[in] {
			return
		}
		seen[in] = true
		n, ok := in.(Node)
		if !ok || in != x && given(in) {
			c.Moved += SizeOf(in)
			return
		}
		c.Flops += flopsOf(n)
		for _, in := range Operands(n) {
			walk(in)
		}
	}
	walk(x)
	return c
}

type stageProgress struct {
	all  Cost
	done int64 // elements
}

func (c Cost) plus(o Cost) Cost { return Cost{c.Flops + o.Flops, c.Moved + o.Moved} }

// share is n of all parts of c.
func (c Cost) share(n, all int64) Cost {
	of := func(v int64) int64 {
		hi, lo := bits.Mul64(uint64(v), uint64(n))
		q, _ := bits.Div64(hi, lo, uint64(all))
		return int64(q)
	}
	return Cost{of(c.Flops), of(c.Moved)}
}

const (
	// commonFlops is the operations an element from which on a value comes from
	// memory for less than it is computed again.
	commonFlops = 8
	// commonMost is the bytes of a value up to which it is held for having
	// several readers, where --memory allows it.
	commonMost = 512 << 20
)

// reader is an input of a node, or a result of the graph.
type reader struct {
	at *Array
	by *Materialized // what reads, if it is that
}

// materializeCommon puts a Materialized between a node and its readers where there are several and
// computing it for each of them would cost more. It changes the graph of xs in
// place; the elements of xs count as readers.
func materializeCommon(xs []Array, memory int64) {
	most := int64(commonMost)
	if memory > 0 {
		most = min(most, memory/4)
	}
	readers := map[Array][]reader{}
	var order []Node // inputs first
	var walk func(reader)
	walk = func(r reader) {
		n, ok := (*r.at).(Node)
		if !ok {
			return
		}
		readers[n] = append(readers[n], r)
		if len(readers[n]) > 1 {
			return
		}
		h, _ := n.(*Materialized)
		n.Operands(func(x *Array) { walk(reader{x, h}) })
		order = append(order, n)
	}
	for i := range xs {
		walk(reader{at: &xs[i]})
	}
	for _, n := range order {
		if _, held := n.(*Materialized); held || len(readers[n]) < 2 {
			continue
		}
		var h *Materialized
		for _, r := range readers[n] {
			if r.by != nil && (h == nil || h.byPlan) {
				h = r.by // it is held anyway
			}
		}
		if h == nil {
			if SizeOf(n) > most || computeCost(n) < commonFlops*n.Shape().Len() {
				continue
			}
			h = &Materialized{of: n, byPlan: true}
		}
		for _, r := range readers[n] {
			switch r.by {
			case h:
			case nil:
				*r.at = h
			default: // a second Materialized of the same array
				for _, r := range readers[r.by] {
					*r.at = h
				}
			}
		}
	}
}

// computeCost is the operations that computing x takes once what it needs held is.
func computeCost(x Array) int64 {
	return CostOf(x, isMaterialized).Flops
}
