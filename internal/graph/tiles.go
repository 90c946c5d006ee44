package graph

import "fusectl/internal/shape"

// tiles cuts an array into tiles.
type tiles struct {
	Tiling
	total, step      int64 // elements in all and, when flat, in a tile
	down, over, most int64 // blocked: tiles down and across a block; either way: elements of the largest tile
	count            int64
}

// blockMost is the largest block, in bytes, that is computed whole where an
// output takes tiles in order only.
const blockMost = 16 << 20

func newTiles(x Array, o Options, inOrder bool) tiles {
	size := int64(x.DType().Size())
	t := tiles{total: x.Shape().Len()}
	if t.total == 0 || size == 0 { // nothing is read or written
		return tiles{}
	}
	t.Tiling = TilingOf(x)
	aim := max(o.Tile/size, 1)
	if t.Rows > 1 && inOrder {
		if block := t.Rows * t.Stride; block*size <= blockMost {
			t.Tiling = Tiling{Unit: block}
		} else {
			t.Tiling = Tiling{}
		}
	}
	if t.Rows > 1 {
		t.TileRows = min(max(t.TileRows, 1), t.Rows)
		t.TileCols = min(max(t.TileCols, 1), t.Stride)
		t.down, t.over = shape.CeilDiv(t.Rows, t.TileRows), shape.CeilDiv(t.Stride, t.TileCols)
		t.count = t.total / (t.Rows * t.Stride) * t.down * t.over
		t.most = t.TileRows * t.TileCols
		return t
	}
	t.step = max(t.Size, aim)
	if t.Most > 0 {
		t.step = min(t.step, t.Most)
	}
	if t.Unit > 1 {
		t.step = max(t.step/t.Unit, 1) * t.Unit
	}
	t.step = min(t.step, t.total)
	t.count, t.most = shape.CeilDiv(t.total, t.step), t.step
	return t
}

// region is the i-th tile.
func (t *tiles) region(i int64) Region {
	if t.Rows <= 1 {
		off := i * t.step
		return OneRun(off, min(t.step, t.total-off))
	}
	block, in := i/(t.down*t.over), i%(t.down*t.over)
	row, col := in/t.over*t.TileRows, in%t.over*t.TileCols
	return Region{
		Off:    (block*t.Rows+row)*t.Stride + col,
		Runs:   min(t.TileRows, t.Rows-row),
		Len:    min(t.TileCols, t.Stride-col),
		Stride: t.Stride,
	}
}
