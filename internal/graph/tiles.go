package graph

import "fusectl/internal/shape"

// Tiling is the form of tile a node prefers. The zero value leaves it to the
// engine.
type Tiling struct {
	// Unit is a run that is cheapest computed whole, such as a row of pixels
	// or a block of queries: tiles are multiples of it where they can be.
	Unit int64
	// Size is the elements a tile should have at least; the engine makes tiles
	// larger than its own aim only for this.
	Size int64
	// Most, where it isn't 0, is the elements a tile should have at most: its
	// elements take much input each.
	Most int64
	// Rows > 1 says that the array is blocks of Rows runs, Stride apart, of
	// which a tile best takes TileRows by TileCols: a feature map with its
	// channels first, say, computed for some positions and all channels.
	Rows, Stride, TileRows, TileCols int64
}

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
