package graph

import (
	"context"
	"slices"

	"fusectl/internal/dtype"
	"fusectl/internal/shape"
)

// Materialized is an array that the plan computes once, into memory, before what
// reads it: for operands that are expensive and read more than once. It is the
// only place where a whole array is held.
type Materialized struct {
	of     Array
	data   []byte
	byPlan bool  // a plan has put it into the graph
	kept   *kept // where the plan's store keeps it; nil: the plan lets it go
}

// Materialize returns x materialised; what is so already is returned as it is.
func Materialize(x Array) *Materialized {
	if h, ok := x.(*Materialized); ok {
		return h
	}
	return &Materialized{of: x}
}

// InMemory returns x if it lies in memory, and otherwise x materialised.
func InMemory(x Array) Resident {
	if r, ok := x.(Resident); ok {
		return r
	}
	return Materialize(x)
}

// MaterializeComputed returns x materialised if it is computed, and as it is if it
// is a file or a view of files, which can be read again for less.
func MaterializeComputed(x Array) Array {
	if isView(x) {
		return x
	}
	return InMemory(x)
}

// isView reports whether x is a source, or is only seen in another form: its nodes
// compute nothing and take any tile for what its bytes cost.
func isView(x Array) bool {
	view := true
	nodesUnder(x, func(n Node) {
		if !isMaterialized(n) && (flopsOf(n) > 0 || TilingOf(n).Rows > 1) {
			view = false
		}
	})
	if _, node := x.(Node); node {
		sourcesUnder(x, func(x Array) {
			if k, ok := x.(Keeper); ok {
				reading, _ := k.Keeps()
				view = view && reading == 0
			}
		})
	}
	return view
}

// smallMost is the bytes up to which an array is materialised for windows that
// overlap.
const smallMost = 64 << 20

// MaterializeSmall returns x materialised if it is a node, views included, that
// windows move over: a large array stays as it is, since its rows between two tiles
// are cheap enough to compute twice.
func MaterializeSmall(x Array) Array {
	if _, computed := x.(Node); !computed || SizeOf(x) > smallMost {
		return x
	}
	return InMemory(x)
}

func (h *Materialized) DType() dtype.Type  { return h.of.DType() }
func (h *Materialized) Shape() shape.Shape { return h.of.Shape() }

// Op is the name under which plans show that an array is materialised.
func (*Materialized) Op() string { return "hold" }

// Of is the array that is materialised.
func (h *Materialized) Of() Array { return h.of }

func (h *Materialized) Operands(visit func(*Array)) { visit(&h.of) }

// Flops is 0: nothing is computed.
func (*Materialized) Flops() int64 { return 0 }

// Memory is 0: what is materialised is counted once, by the plan.
func (h *Materialized) Memory(int64) int64 { return 0 }

// Bytes makes Materialized a Resident.
func (h *Materialized) Bytes() []byte { return h.data }

func (h *Materialized) Read(_ context.Context, dst []byte, off int64) error {
	copy(dst, h.data[off*int64(h.DType().Size()):])
	return nil
}

// restore takes out of a graph what an earlier plan materialised in it, and leaves
// nothing to that plan's store.
func restore(xs []Array) {
	eachNode(xs, func(n Node) {
		if h, ok := n.(*Materialized); ok {
			h.kept = nil
		}
		n.Operands(func(x *Array) {
			for h, ok := (*x).(*Materialized); ok && h.byPlan; h, ok = (*x).(*Materialized) {
				*x = h.of
			}
		})
	})
}

// Regional is a node that reads its operands by the regions that it is itself
// read by.
type Regional interface{ ReadsByRegion() bool }

// Scatterer is a node of which all but tiles of the form that it prefers are dear.
type Scatterer interface{ Scattered() bool }

// scattered reports whether tiles of x are cheap only in the form that x prefers.
func scattered(x Array) bool {
	if s, ok := x.(Scatterer); ok {
		return s.Scattered()
	}
	n, ok := x.(Regional)
	return ok && n.ReadsByRegion() && slices.ContainsFunc(Operands(x.(Node)), scattered)
}

// materializeScattered materialises what is scattered below nodes that read by
// other regions than they are read by.
func materializeScattered(xs []Array) {
	eachNode(xs, func(n Node) {
		r, regions := n.(Regional)
		if isMaterialized(n) || regions && r.ReadsByRegion() {
			return
		}
		n.Operands(func(x *Array) {
			if scattered(*x) {
				*x = &Materialized{of: *x, byPlan: true}
			}
		})
	})
}

// nodesUnder calls f for each node that computing x runs, down to held arrays.
func nodesUnder(x Array, f func(Node)) {
	seen := map[Array]bool{}
	var walk func(Array)
	walk = func(x Array) {
		n, ok := x.(Node)
		if !ok || seen[x] {
			return
		}
		seen[x] = true
		f(n)
		if _, held := x.(*Materialized); held {
			return
		}
		for _, in := range Operands(n) {
			walk(in)
		}
	}
	walk(x)
}

// sourcesUnder calls f for each source that computing x reads, down to held
// arrays.
func sourcesUnder(x Array, f func(Array)) {
	if _, ok := x.(Node); !ok {
		f(x)
	}
	seen := map[Array]bool{}
	nodesUnder(x, func(n Node) {
		if _, held := n.(*Materialized); held {
			return
		}
		for _, in := range Operands(n) {
			if _, ok := in.(Node); !ok && !seen[in] {
				seen[in] = true
				f(in)
			}
		}
	})
}

func isMaterialized(x Array) bool { _, ok := x.(*Materialized); return ok }
