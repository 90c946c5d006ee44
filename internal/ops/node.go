package ops

import (
	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/shape"
)

// computed is the part that all nodes have: an operation, a dtype and a shape.
type computed struct {
	op   string
	dt   dtype.Type
	sh   shape.Shape
	made *origin // of the whole result of a map by weights; nil: of none
}

func (c *computed) origin() *origin     { return c.made }
func (c *computed) madeBy(from *origin) { c.made = from }

func (c *computed) DType() dtype.Type  { return c.dt }
func (c *computed) Shape() shape.Shape { return c.sh }
func (c *computed) Op() string         { return c.op }

// madeBy notes the origin of x, the result of a map by weights.
func madeBy(x graph.Array, from *origin) {
	if n, ok := x.(interface{ madeBy(*origin) }); ok {
		n.madeBy(from)
	}
}

// originOf is the origin of x where that is the whole result of a map by weights;
// otherwise nil.
func originOf(x graph.Array) *origin {
	if n, ok := x.(interface{ origin() *origin }); ok {
		return n.origin()
	}
	return nil
}

// unary is the part that nodes of one operand have.
type unary struct {
	computed
	x graph.Array
}

func (u *unary) Operands(visit func(*graph.Array)) { visit(&u.x) }

func (c *computed) size() int64 { return int64(c.dt.Size()) }

// OpOf names the operation that gives x.
func OpOf(x graph.Array) string {
	for {
		n, ok := x.(graph.Node)
		switch {
		case !ok:
			return "copy"
		case n.Op() != "view" && n.Op() != "cast" && n.Op() != "hold":
			return n.Op()
		}
		x = graph.Operands(n)[0]
	}
}

// elementary is the operations that an exponential or the like counts for.
const elementary = 10

// wholeUnit is the unit of tiles of x that are to be whole rows of so many elements,
// where these are no larger than a tile should be.
func wholeUnit(x graph.Array, row int64) int64 {
	if row*int64(x.DType().Size()) > graph.DefaultTile {
		return 0
	}
	return row
}
