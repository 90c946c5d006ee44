package ops

import (
	"fusectl/internal/dtype"
	"fusectl/internal/graph"
	"fusectl/internal/kernel"
)

// A group of few output channels, as a depthwise convolution has it, doesn't fill a
// product's tile, and patches for it take longer to pack than to multiply. Such a
// convolution of channels-first maps sums lines, each shifted by a tap and times its
// weight: the lines under some positions are copied once, with their padding, so that
// rows of the result that follow one another are summed as one line.

const (
	narrowMost   = 4    // output channels of a group
	narrowDeep   = 512  // elements of a patch, whose sum isn't cut into blocks
	narrowStride = 4    // of columns, since those between are summed too
	narrowReach  = 256  // of a window along y and x, since lines between taps are copied too
	narrowRun    = 1024 // elements that are summed at once, where lines aren't longer
	narrowVector = 16   // what they are a multiple of
)

// narrow reports whether lines are summed.
func (p *channelsFirstConv) narrow() bool {
	return p.out <= int64(narrowMost*p.groups) && p.taps() > 1 && p.patch() <= narrowDeep && p.x.stride <= narrowStride &&
		max((p.y.size-1)*p.y.dilation, (p.x.size-1)*p.x.dilation) < narrowReach
}

// narrowLines is the form of the lines under some positions of one plane.
type narrowLines struct {
	y, x        int // the first position
	rows, cols  int // of the result; cols counts those between strides, too
	pitch       int // elements of a line
	lines       int // for each tap along z
	atOnce, run int // rows that are summed at once, and their elements
}

func (p *channelsFirstConv) narrowLines(first, n int64) narrowLines {
	y, x := p.at(first)
	endY, endX := p.at(first + n - 1)
	l := narrowLines{y: y, x: x, rows: endY - y + 1}
	if l.rows > 1 {
		l.x, endX = 0, p.x.out-1
	}
	l.cols = (endX-l.x)*p.x.stride + 1
	l.pitch = l.cols + (p.x.size-1)*p.x.dilation
	l.lines = (l.rows-1)*p.y.stride + (p.y.size-1)*p.y.dilation + 1
	l.atOnce = 1
	if p.y.stride == 1 {
		l.atOnce = min(max(narrowRun/l.pitch, 1), l.rows)
	}
	l.run = ((l.atOnce-1)*l.pitch + l.cols + narrowVector - 1) / narrowVector * narrowVector
	return l
}

// elements counts those of the lines of so many planes, and of three runs.
func (l *narrowLines) elements(planes int) int64 {
	return int64(planes)*int64(l.lines*l.pitch) + narrowVector + 3*int64(l.run)
}

// narrowElements is the most of them for n positions of a plane.
func (p *channelsFirstConv) narrowElements(n int64) int64 {
	n = min(n, p.perPlane())
	if n == 0 {
		return 0
	}
	l := p.narrowLines(0, n)
	l.lines += p.y.stride // n positions may begin and end within a row
	return l.elements(p.cn * p.z.size)
}

// convNarrow computes a box of the result.
func convNarrow[T kernel.Float](p *channelsFirstConv, dst []byte, src []channels, b box) {
	out := kernel.View[T](dst)
	for i, left := 0, b.n; left > 0; i++ {
		b.n = min(left, p.perPlane()-b.first)
		narrowPlane(p, out, &src[i], b)
		out, left, b.first = out[b.n:], left-b.n, 0
	}
}

// narrowPlane computes a box of one plane.
func narrowPlane[T kernel.Float](p *channelsFirstConv, dst []T, src *channels, b box) {
	l := p.narrowLines(b.first, b.n)
	buf := graph.GetBuffer(l.elements(p.cn*p.z.size) * p.size())
	defer graph.PutBuffer(buf)
	lines := kernel.View[T](buf)
	sums := lines[len(lines)-3*l.run:]
	s := narrowSums[T]{kind: p.dt.Kind(), lines: lines, sum: sums[:l.run], more: sums[l.run : 2*l.run], zeros: sums[2*l.run:]}
	clear(lines[len(lines)-3*l.run-narrowVector : len(lines)-3*l.run])
	clear(s.zeros)
	k, per := p.patch(), p.out/int64(p.groups)
	weights := kernel.View[T](p.weights.(graph.Resident).Bytes())
	_, startX := p.at(b.first)
	filled := int64(-1)
	for i := range b.rows {
		o := b.out + i
		if g := o / per; g != filled {
			narrowFill(p, lines, src, &l, int(g)*p.cn)
			s.taps(p, src, &l)
			filled = g
		}
		var bias T
		if one := biasOf[T](p.epilogue, int(o), 1); one != nil {
			bias = one[0]
		}
		row := dst[i*b.stride : i*b.stride+b.n]
		for y := 0; y < l.rows; y += l.atOnce {
			rows := min(l.atOnce, l.rows-y)
			s.add(weights[o*k:(o+1)*k], y*p.y.stride*l.pitch, ((rows-1)*l.pitch+l.cols+narrowVector-1)/narrowVector*narrowVector)
			for r := range rows {
				from, at := 0, (y+r)*p.x.out-startX
				if at < 0 { // the first row, in which the box begins
					from, at = startX, 0
				}
				n := min(p.x.out-from, len(row)-at)
				narrowOut(row[at:at+n], s.sum[r*l.pitch+(from-l.x)*p.x.stride:], p.x.stride, bias)
			}
		}
		if p.epilogue.activation != nil {
			p.epilogue.activation(kernel.Bytes(row), kernel.Bytes(row))
		}
	}
}

// narrowFill copies the lines of the channels of a group, from number c0 on.
func narrowFill[T kernel.Float](p *channelsFirstConv, dst []T, src *channels, l *narrowLines, c0 int) {
	data := kernel.View[T](src.data)
	x := p.x.tap(l.x, 0)
	from := min(max(-x, 0), l.pitch) // columns [from,to) lie inside
	to := max(min(p.x.in-x, l.pitch), from)
	for c := range p.cn {
		for kz := src.z; kz < src.z+src.planes; kz++ {
			for i := range l.lines {
				at := ((c*p.z.size+kz)*l.lines + i) * l.pitch
				line := dst[at : at+l.pitch]
				y := p.y.tap(l.y, 0) + i
				if y < 0 || y >= p.y.in || from == to {
					clear(line)
					continue
				}
				clear(line[:from])
				clear(line[to:])
				copy(line[from:to], data[(c0+c)*src.stride+(kz-src.z)*src.apart+(y-src.y)*src.width-src.skip+x+from:])
			}
		}
	}
}

// narrowSums sums lines. A tap that lies outside along z isn't there.
type narrowSums[T kernel.Float] struct {
	kind             dtype.Kind
	lines            []T
	sum, more, zeros []T
	n                int
	at, weight       [narrowDeep]int32 // where each tap's lines begin, and the number of its weight
}

// taps finds the taps.
func (s *narrowSums[T]) taps(p *channelsFirstConv, src *channels, l *narrowLines) {
	s.n = 0
	for c := range p.cn {
		for kz := src.z; kz < src.z+src.planes; kz++ {
			for ky := range p.y.size {
				for kx := range p.x.size {
					s.at[s.n] = int32(((c*p.z.size+kz)*l.lines+ky*p.y.dilation)*l.pitch + kx*p.x.dilation)
					s.weight[s.n] = int32(((c*p.z.size+kz)*p.y.size+ky)*p.x.size + kx)
					s.n++
				}
			}
		}
	}
}

// add computes n sums, the taps of the first one being shifted by so many elements.
func (s *narrowSums[T]) add(weights []T, shift, n int) {
	t, kind := kernel.Active(), s.kind
	to := kernel.Bytes(s.sum[:n])
	if s.n == 0 { // all taps lie outside
		clear(to)
	}
	for i := 0; i < s.n; i += 4 {
		var rows [4][]byte
		var w [4]float64
		for j := range rows {
			rows[j] = kernel.Bytes(s.zeros[:n])
			if i+j < s.n {
				at := int(s.at[i+j]) + shift
				rows[j], w[j] = kernel.Bytes(s.lines[at:at+n]), float64(weights[s.weight[i+j]])
			}
		}
		if i == 0 {
			t.SumTaps[kind](to, rows, w)
			continue
		}
		more := kernel.Bytes(s.more[:n])
		t.SumTaps[kind](more, rows, w)
		t.Add[kind](to, to, more)
	}
}

// narrowOut fills dst with every stride-th sum, plus a bias.
func narrowOut[T kernel.Float](dst, sums []T, stride int, bias T) {
	if len(dst) == 0 {
		return
	}
	if stride == 1 && bias == 0 {
		copy(dst, sums)
		return
	}
	sums = sums[:(len(dst)-1)*stride+1]
	for i := range dst {
		dst[i] = sums[i*stride] + bias
	}
}
