package blocks

import (
	"slices"

	"fusectl/internal/graph"
	"fusectl/internal/ops"
	"fusectl/internal/shape"
)

// modal is the inputs of a mode, with the vectors among them spread.
type modal struct {
	given, xs []graph.Array // as they came, and with as many axes as the widest
	widest    graph.Array
	features  int  // the axis of its features
	batched   bool // its first axis is a batch
}

// spread gives vectors among xs, [N,D] or [D], as many axes as the maps or
// sequences beside them have, so that each counts for all positions of its batch
// element. It tells whether there are any. Other arrays of fewer axes broadcast
// as NumPy has it; film and bilinear take [N,1,D] beside a map for vectors, too,
// and refuse the rest.
func spread(xs []graph.Array, mode string, l shape.Layout) (m modal, found bool, err error) {
	m = modal{given: xs, xs: slices.Clone(xs)}
	m.widest = slices.MaxFunc(xs, func(a, b graph.Array) int { return len(a.Shape()) - len(b.Shape()) })
	n := len(m.widest.Shape())
	m.features = l.Features(n)
	if m.batched = len(l) != n || l.Batched(); !m.batched {
		for i, x := range xs {
			if s := x.Shape(); len(s) == 2 && n > 2 {
				return m, false, graph.Errorf(xs[i], "shape %v beside %s, which has no batch: want a vector (D,)", s, graph.Described(m.widest))
			}
		}
	}
	for i, x := range xs {
		s := x.Shape()
		if len(s) == 0 || len(s) == n {
			continue
		}
		if len(s) > 2 {
			if mode != "film" && mode != "bilinear" {
				continue
			}
			if s.Product(1, len(s)-1) != 1 {
				return m, false, graph.Errorf(x, "shape %v beside %s: %s wants as many dimensions, or vectors (N,D), which count for all positions", s, graph.Described(m.widest), mode)
			}
		}
		each := make(shape.Shape, n)
		for a := range each {
			each[a] = 1
		}
		if len(s) > 1 {
			each[0] = s[0]
		}
		each[m.features] = x.Shape().Last()
		if m.xs[i], err = ops.Reshape(x, each); err != nil {
			return m, false, err
		}
		found = true
	}
	return m, found, nil
}

// extent finds the extent of an axis, on which vectors must agree with each other
// and with the maps beside them; 1 agrees with any. what is the format of an extent.
func (m modal) extent(axis int, what string) (int, error) {
	n, of := 1, m.widest
	for _, vectors := range []bool{false, true} { // which are to blame
		for i, x := range m.xs {
			s := x.Shape()
			if len(s) < len(m.widest.Shape()) || s[axis] == 1 || vectors != (len(m.given[i].Shape()) < len(s)) {
				continue
			}
			if n != 1 && s[axis] != n {
				return 0, graph.Errorf(m.given[i], "shape %v: "+what+": want the %d of %s", m.given[i].Shape(), s[axis], n, graph.Described(of))
			}
			n, of = s[axis], m.given[i]
		}
	}
	return n, nil
}

// vectorsBeside gives xs to a mode, with vectors that count for all positions of
// the maps or sequences beside them.
func vectorsBeside(xs []graph.Array, mode string, axis int, l shape.Layout) ([]graph.Array, error) {
	m, found, err := spread(xs, mode, l)
	if err != nil || !found {
		return xs, err
	}
	batch := xs[0].Shape()[0]
	if m.batched {
		if batch, err = m.extent(0, "a batch of %d"); err != nil {
			return nil, err
		}
	}
	switch mode {
	case "add", "mul", "gate":
		_, err = m.extent(m.features, "%d features")
	case "concat":
		err = m.fill(batch, axis)
	}
	return m.xs, err
}

// fill repeats vectors at all positions, and all arrays over the batch, to be
// joined along an axis: that of the features, since vectors have no other.
func (m modal) fill(batch, axis int) error {
	positions := m.widest.Shape()
	n := len(positions)
	for i, x := range m.xs {
		all := x.Shape().Clone()
		if len(all) < n {
			continue
		}
		if len(m.given[i].Shape()) < n {
			if axis != m.features && axis != m.features-n {
				return graph.Errorf(m.given[i], "shape %v: vectors beside %s join its features, which are axis %d: got axis %d", m.given[i].Shape(), graph.Described(m.widest), m.features, axis).
					Hint("--axis %d joins them to the features of each position", m.features)
			}
			all = positions.Clone()
			all[m.features] = m.given[i].Shape().Last()
		}
		all[0] = batch
		var err error
		if m.xs[i], err = ops.Broadcast(x, all); err != nil {
			return err
		}
	}
	return nil
}

// asSequences is two arrays, of which vectors [N,D] beside a map or a sequence
// are given one position, [N,1,D].
func asSequences(xs []graph.Array) ([]graph.Array, error) {
	out := slices.Clone(xs)
	for i, x := range xs {
		s, beside := x.Shape(), xs[1-i].Shape()
		if len(s) != 2 || len(beside) < 3 {
			continue
		}
		if s[0] != beside[0] {
			return nil, graph.Errorf(x, "shape %v: a batch of %d: want the %d of %s", s, s[0], beside[0], graph.Described(xs[1-i]))
		}
		var err error
		if out[i], err = ops.Reshape(x, shape.Shape{s[0], 1, s[1]}); err != nil {
			return nil, err
		}
	}
	return out, nil
}
