package ops

import (
	"context"
	"errors"

	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// concat joins arrays along one axis: each row of the result is a part of
// each input, one after the other.
type concat struct {
	computed
	part []int64 // elements of a row from each input
	row  int64   // their sum
}

// Concat joins xs along axis, which may count from the end, as
// numpy.concatenate: the dtypes promote, and all other extents must agree.
// Types without arithmetic join when they are the same.
func Concat(xs []Array, axis int) (Array, error) {
	ax, err := shape.Axis(axis, len(xs[0].Shape()))
	if err != nil {
		return nil, errorf(xs[0], "%v: shape %v", err, xs[0].Shape())
	}
	shapes := make([]shape.Shape, len(xs))
	for i, x := range xs {
		shapes[i] = x.Shape()
	}
	out, err := shape.Concat(shapes, ax)
	if m := (*shape.MismatchError)(nil); errors.As(err, &m) {
		x := xs[m.Input]
		if m.Axis < 0 {
			return nil, errorf(x, "shape %v has %d dimensions, %v of %s has %d", x.Shape(), len(x.Shape()), shapes[0], NameOf(xs[0]), len(shapes[0]))
		}
		e := errorf(x, "shape %v does not join with %v of %s along axis %d: axis %d differs", x.Shape(), shapes[0], NameOf(xs[0]), ax, m.Axis)
		return nil, hintAlign(e, x)
	} else if err != nil {
		return nil, &Error{Msg: "the result is too large: " + err.Error()}
	}
	xs, t, err := promote(xs)
	if err != nil {
		return nil, err
	}
	if _, err := out.Check(t.Size()); err != nil {
		return nil, &Error{Msg: "the result is too large: " + err.Error()}
	}
	c := &concat{computed: computed{op: "concat", dt: t, sh: out, in: xs}}
	for _, x := range xs {
		p := x.Shape().Product(ax, len(out))
		c.part = append(c.part, p)
		c.row += p
	}
	return c, nil
}

func (c *concat) Memory(n int64) int64 {
	most := int64(0)
	for i, x := range c.in {
		part := min(n, (n/max(c.row, 1)+1)*c.part[i])
		most = max(most, part*c.size()+memoryOf(x, part))
	}
	return most
}

func (c *concat) Read(ctx context.Context, dst []byte, off int64) error {
	size := c.size()
	for len(dst) > 0 {
		row, col := off/c.row, off%c.row
		n := int64(len(dst)) / size
		if col == 0 && n >= c.row && len(c.in) > 1 {
			rows := n / c.row
			if err := c.rows(ctx, dst, row, rows); err != nil {
				return err
			}
			dst, off = dst[rows*c.row*size:], off+rows*c.row
			continue
		}
		// Part of a row: the rest of the part that off lies in.
		for i, p := range c.part {
			if col >= p {
				col -= p
				continue
			}
			take := min(n, p-col)
			if err := c.in[i].Read(ctx, dst[:take*size], row*p+col); err != nil {
				return err
			}
			dst, off = dst[take*size:], off+take
			break
		}
	}
	return nil
}

// rows fills dst with n whole rows: each input gives its part of all of them
// in one run.
func (c *concat) rows(ctx context.Context, dst []byte, row, n int64) error {
	size := c.size()
	at := int64(0)
	for i, p := range c.part {
		if p == 0 {
			continue
		}
		if n == 1 {
			if err := c.in[i].Read(ctx, dst[at*size:(at+p)*size], row*p); err != nil {
				return err
			}
		} else if err := c.scatter(ctx, dst[at*size:], i, row, n); err != nil {
			return err
		}
		at += p
	}
	return nil
}

func (c *concat) scatter(ctx context.Context, dst []byte, i int, row, n int64) error {
	p, size := c.part[i], c.size()
	buf := c.get(n * p * size)
	defer c.put(buf)
	if err := c.in[i].Read(ctx, buf, row*p); err != nil {
		return err
	}
	kernel.CopyRows(dst, int(c.row*size), buf, int(p*size), int(p*size), int(n))
	return nil
}
