package ops

import (
	"math"
	"slices"

	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// contraction is a sum of products: the axes of its operands have labels, and what
// has one label is one index. It is computed as permutations, diagonals, sums over
// indices that one operand has for itself, elementwise products and products of
// matrices.
type contraction struct {
	dt      dtype.Type // of the result
	extents map[shape.Label]int
}

// term is an operand of a contraction, or a product of some.
type term struct {
	x      graph.Array
	labels []shape.Label
	made   bool // it costs more than a move to compute it again
}

type labels = []shape.Label

// common are the labels of a that are in b, too.
func common(a, b labels) (both labels) {
	for _, l := range a {
		if slices.Contains(b, l) {
			both = append(both, l)
		}
	}
	return both
}

// without are the labels of a that aren't in b.
func without(a, b labels) (rest labels) {
	for _, l := range a {
		if !slices.Contains(b, l) {
			rest = append(rest, l)
		}
	}
	return rest
}

// like is set in the order of order, which has all its labels.
func like(set, order labels) labels { return common(order, set) }

func (c *contraction) shape(of labels) shape.Shape {
	s := make(shape.Shape, len(of))
	for i, l := range of {
		s[i] = c.extents[l]
	}
	return s
}

func (c *contraction) len(of labels) int64 { return c.shape(of).Len() }

// contract computes the sum of products of xs, whose axes have the labels of
// indices, in dtype t, to which all of them promote.
func contract(t dtype.Type, xs []graph.Array, indices shape.Indices) (graph.Array, error) {
	c := &contraction{t, indices.Extents}
	out := c.shape(indices.Output)
	if _, err := out.Check(t.Size()); err != nil {
		return nil, &graph.Error{Msg: "the result is too large: " + err.Error()}
	}
	for _, x := range xs {
		if graph.SizeOf(x) == 0 { // nothing is summed
			if out.Len() == 0 {
				return empty(t, out), nil
			}
			return repeat(Constant(t, 0), out), nil
		}
	}
	terms := make([]term, len(xs))
	for i, x := range xs {
		terms[i] = c.squeezed(x, indices.Inputs[i])
	}
	for i := range terms {
		terms[i] = c.summed(terms[i], c.needed(terms, indices.Output, i))
	}
	for len(terms) > 1 {
		i, j := c.cheapest(terms, indices.Output)
		kept, last := c.needed(terms, indices.Output, i, j), len(terms) == 2
		product, err := c.multiply(terms[i], terms[j], kept, last)
		if err != nil {
			return nil, err
		}
		terms[i] = product
		terms = slices.Delete(terms, j, j+1)
	}
	only := terms[0]
	y := c.arranged(only, common(indices.Output, only.labels))
	return cast(reshape(y, out), t), nil
}

// squeezed is x with an axis for each label, the diagonal of several, and without
// axes of extent 1, which stand for those of others or say nothing.
func (c *contraction) squeezed(x graph.Array, of labels) term {
	x, of = diagonal(x, of)
	var left labels
	var s shape.Shape
	for a, l := range of {
		if n := x.Shape()[a]; n > 1 {
			left, s = append(left, l), append(s, n)
		}
	}
	return term{x: reshape(x, s), labels: left}
}

// needed are the labels that the result or another term than those of some numbers
// has.
func (c *contraction) needed(terms []term, output labels, but ...int) labels {
	all := slices.Clone(output)
	for i, t := range terms {
		if !slices.Contains(but, i) {
			all = append(all, without(t.labels, all)...)
		}
	}
	return all
}

// summed is t summed over all labels but those that are kept.
func (c *contraction) summed(t term, kept labels) term {
	var axes []int
	for a, l := range t.labels {
		if !slices.Contains(kept, l) {
			axes = append(axes, a)
		}
	}
	if len(axes) == 0 {
		return t
	}
	return term{sums(c.cast(t.x), axes), common(t.labels, kept), true}
}

// cast is x in the dtype that is computed in. Sums of floats are left in float64, so that
// they are rounded once where nothing else is done with them.
func (c *contraction) cast(x graph.Array) graph.Array { return cast(x, c.dt.Compute()) }

// cheapest chooses the two terms whose product has the fewest elements more than
// themselves, and of several such pairs the one with the fewest operations: the greedy
// order of numpy.einsum_path.
func (c *contraction) cheapest(terms []term, output labels) (first, second int) {
	least, fewest := math.Inf(1), math.Inf(1)
	size := func(of labels) float64 {
		n := 1.0
		for _, l := range of {
			n *= float64(c.extents[l])
		}
		return n
	}
	for j := range terms {
		for i := range j {
			a, b := terms[i].labels, terms[j].labels
			all := append(slices.Clone(a), without(b, a)...)
			more := size(common(all, c.needed(terms, output, i, j))) - size(a) - size(b)
			if work := size(all); more < least || more == least && work < fewest {
				least, fewest, first, second = more, work, i, j
			}
		}
	}
	return first, second
}

// multiply is the product of two terms, summed over the labels that aren't kept. The last
// one of a contraction is to have its labels in the order of kept.
func (c *contraction) multiply(a, b term, kept labels, last bool) (term, error) {
	both := common(a.labels, b.labels)
	sum, out := without(both, kept), common(append(slices.Clone(a.labels), without(b.labels, both)...), kept)
	if last {
		out = common(kept, out)
	}
	if _, err := c.shape(out).Check(c.dt.Compute().Size()); err != nil {
		return term{}, &graph.Error{Msg: "a product of two operands is too large: " + err.Error()}
	}
	m, n, batch := without(a.labels, both), without(b.labels, both), without(both, sum)
	switch {
	case len(sum) == 0:
		return c.each(a, b, out), nil
	case len(m) == 0 && len(n) == 0: // vectors
		return c.summed(c.each(a, b, a.labels), out), nil
	case len(batch) == 0 && c.dt.IsFloat() && !c.long(m, n, sum):
		return c.linear(a, b, sum, out, last)
	}
	return c.products(a, b, batch, sum, out, last)
}

// each is the elementwise product of two terms.
func (c *contraction) each(a, b term, out labels) term {
	t := c.dt.Compute()
	var xs []graph.Array
	for _, t := range []term{a, b} {
		s := c.shape(out)
		for i, l := range out {
			if !slices.Contains(t.labels, l) {
				s[i] = 1
			}
		}
		xs = append(xs, repeat(reshape(c.cast(c.arranged(t, common(out, t.labels))), s), c.shape(out)))
	}
	y := &nary{computed{op: "mul", dt: t, sh: c.shape(out)}, xs, kernel.Active().Mul[t.Kind()]}
	return term{y, out, a.made || b.made}
}

// arranged is t's array with its axes in the order of some labels. What is computed
// and moved is held if it is small, since a tile may take parts of its rows.
func (c *contraction) arranged(t term, order labels) graph.Array {
	x := t.x
	if t.made && c.moved(t, order) > 0 {
		x = graph.MaterializeSmall(x)
	}
	return transpose(x, permutation(t.labels, order))
}

// grouped is arranged with one axis for each group of labels.
func (c *contraction) grouped(t term, groups ...labels) graph.Array {
	var s shape.Shape
	for _, g := range groups {
		s = append(s, int(c.len(g)))
	}
	return c.cast(reshape(c.arranged(t, slices.Concat(groups...)), s))
}

// permutation takes axes of some labels to another order of them.
func permutation(from, to labels) []int {
	perm := make([]int, len(to))
	for i, l := range to {
		perm[i] = slices.Index(from, l)
	}
	return perm
}

// moved is the elements that move when a term's axes are put in an order: none where
// they stand so, and more where blocks of axes are exchanged several times, so that
// the whole is held.
func (c *contraction) moved(t term, order labels) int64 {
	switch n := len(c.shape(t.labels).Swaps(permutation(t.labels, order))); n {
	case 0, 1:
		return int64(n) * c.len(order)
	}
	return 4 * c.len(order)
}

// linear is the product of two terms without a common label that is kept, as a
// linear map: the larger one is mapped, along an axis, by the smaller one.
func (c *contraction) linear(x, w term, sum, out labels, last bool) (term, error) {
	if c.len(x.labels) < c.len(w.labels) {
		x, w = w, x
	}
	free, outputs := without(x.labels, sum), without(w.labels, sum)
	type form struct {
		before, sum, after, outputs labels
		layout                      WeightLayout
	}
	var best form
	least := int64(math.MaxInt64)
	for _, free := range []labels{like(free, out), free} {
		for _, sum := range []labels{like(sum, x.labels), like(sum, w.labels)} {
			for _, outputs := range []labels{like(outputs, out), outputs} {
				for cut := len(free); cut >= 0; cut-- {
					f := form{free[:cut], sum, free[cut:], outputs, Keras}
					cost := c.moved(x, slices.Concat(f.before, sum, f.after))
					asKeras, asTorch := c.moved(w, slices.Concat(sum, outputs)), c.moved(w, slices.Concat(outputs, sum))
					if asTorch < asKeras {
						f.layout = Torch
					}
					cost += min(asKeras, asTorch)
					if last {
						cost += c.moved(term{labels: slices.Concat(f.before, outputs, f.after)}, out)
					}
					if cost < least {
						least, best = cost, f
					}
				}
			}
		}
	}
	weight := c.grouped(w, best.sum, best.outputs)
	if best.layout == Torch {
		weight = c.grouped(w, best.outputs, best.sum)
	}
	if len(best.after) > 0 && x.made {
		x.x = graph.MaterializeSmall(x.x) // positions are read apart
	}
	groups := []labels{best.before, best.sum}
	if len(best.after) > 0 {
		groups = append(groups, best.after)
	}
	y, err := linear(c.grouped(x, groups...), Weights{Kernel: weight, Layout: best.layout}, 1)
	if err != nil {
		return term{}, err
	}
	order := slices.Concat(best.before, best.outputs, best.after)
	return term{reshape(y, c.shape(order)), order, true}, nil
}

// long reports whether sums of a product of two terms without a common label that is kept are
// cut into chunks.
func (c *contraction) long(m, n, sum labels) bool {
	return sumChunk(1, c.len(m), c.len(n), c.len(sum)) < c.len(sum)
}

// products is the product of two terms as products of matrices, one for each position
// of the batch.
func (c *contraction) products(a, b term, batch, sum, out labels, last bool) (term, error) {
	type form struct {
		left, right      term
		batch, m, sum, n labels
	}
	var best form
	least := int64(math.MaxInt64)
	for _, side := range [][2]term{{a, b}, {b, a}} {
		l, r := side[0], side[1]
		m, n := without(l.labels, r.labels), without(r.labels, l.labels)
		for _, batch := range []labels{like(batch, out), like(batch, l.labels), like(batch, r.labels)} {
			for _, m := range []labels{like(m, out), m} {
				for _, n := range []labels{like(n, out), n} {
					for _, sum := range []labels{like(sum, l.labels), like(sum, r.labels)} {
						cost := c.moved(l, slices.Concat(batch, m, sum)) + c.moved(r, slices.Concat(batch, sum, n))
						if last {
							cost += c.moved(term{labels: slices.Concat(batch, m, n)}, out)
						}
						if !multipliesPairs(c.len(batch), c.len(m), c.len(n), c.len(sum)) {
							cost += 2 * c.len(r.labels) // it is held
						}
						if cost < least {
							least, best = cost, form{l, r, batch, m, sum, n}
						}
					}
				}
			}
		}
	}
	x, y := c.grouped(best.left, best.batch, best.m, best.sum), c.grouped(best.right, best.batch, best.sum, best.n)
	order := slices.Concat(best.batch, best.m, best.n)
	product, err := multiplyMatrices(x, y)
	if err != nil {
		return term{}, err
	}
	return term{reshape(product, c.shape(order)), order, true}, nil
}
