package ops

import (
	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/shape"
)

// computed is the part that all nodes have: an operation, a dtype and a shape.
type computed struct {
	op string
	dt dtype.Type
	sh shape.Shape
}

func (c *computed) DType() dtype.Type  { return c.dt }
func (c *computed) Shape() shape.Shape { return c.sh }
func (c *computed) Op() string         { return c.op }

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
