package ops

import (
	"context"

	"fusectl/internal/graph"
	"fusectl/internal/kernel"
	"fusectl/internal/shape"
)

// insertion spreads the positions of an axis: position i comes to before +
// i·stride, zeros fill the rest.
type insertion struct{ before, stride int }

// source is the position that comes to position i, of in ones; -1 if none does.
func (a insertion) source(i, in int) int {
	i -= a.before
	if i < 0 || i%a.stride != 0 || i/a.stride >= in {
		return -1
	}
	return i / a.stride
}

// zeroInserted is maps [n,z,y,x,inner] with zeros between their positions and
// around them, which transposed convolutions have.
type zeroInserted struct {
	unary
	axes [maxSpatial]insertion
}

// insertZeros spreads x to shape to along its spatial axes, which begin with axis
// first.
func insertZeros(x graph.Array, first int, axes []insertion, to shape.Shape) graph.Array {
	n := len(axes)
	each := [maxSpatial]insertion{{0, 1}, {0, 1}, {0, 1}}
	copy(each[maxSpatial-n:], axes)
	maps := volumes(x, first, n)
	out := maps.Shape().Clone()
	copy(out[1+maxSpatial-n:], to[first:first+n])
	return reshape(&zeroInserted{unary{computed{op: "insert-zeros", dt: x.DType(), sh: out}, maps}, each}, to)
}

func (*zeroInserted) Flops() int64 { return 0 }

// lines are the elements along x, of the source and of the result.
func (p *zeroInserted) lines() (src, out int64) {
	return p.x.Shape().Product(3, 5), p.sh.Product(3, 5)
}

func (p *zeroInserted) Memory(n int64) int64 {
	line, out := p.lines()
	return (line+2*out)*p.size() + graph.MemoryOf(p.x, line)
}

func (p *zeroInserted) Tiling() graph.Tiling {
	_, out := p.lines()
	return graph.Tiling{Unit: out}
}

func (p *zeroInserted) Read(ctx context.Context, dst []byte, off int64) error {
	s := p.x.Shape()
	line, out := p.lines()
	pixel := s[4] * int(p.size())
	return wholeRows(dst, off, out, p.size(), func(dst []byte, row, n int64) error {
		clear(dst)
		src := graph.GetBuffer(line * p.size())
		defer graph.PutBuffer(src)
		for i := range n {
			at := row + i
			y := p.axes[1].source(int(at%int64(p.sh[2])), s[2])
			at /= int64(p.sh[2])
			z := p.axes[0].source(int(at%int64(p.sh[1])), s[1])
			at /= int64(p.sh[1])
			if y < 0 || z < 0 {
				continue
			}
			if err := p.x.Read(ctx, src, ((at*int64(s[1])+int64(z))*int64(s[2])+int64(y))*line); err != nil {
				return err
			}
			kernel.CopyRows(dst[i*out*p.size()+int64(p.axes[2].before*pixel):], p.axes[2].stride*pixel, src, pixel, pixel, s[3])
		}
		return nil
	})
}
