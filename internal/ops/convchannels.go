package ops

import (
	"context"

	"fusectl/internal/graph"
)

// channelsFirstConv is a convolution of maps with their channels first, [N,C,...], with
// weights, a matrix [out, C/groups·taps] in memory: the product of that matrix
// and the patches under the window, which are packed from the map's rows a part
// at a time. A linear map of channels is one, too.
type channelsFirstConv struct {
	computed
	windows
	maps, weights graph.Array
	groups, cn    int   // cn: channels of a group
	out           int64 // channels of the result
	epilogue      epilogue
}

func (p *channelsFirstConv) patch() int64 { return int64(p.cn * p.taps()) }

// channels is a source of maps [N,C,...]: the lines of a span, of each channel.
type channels struct {
	source
	stride int // elements from one channel to the next
}

// readChannels gives the source of n windows of a plane of the result. buf is to
// be put back.
func (p *channelsFirstConv) readChannels(ctx context.Context, plane, first, n int64) (src channels, buf []byte, err error) {
	src.span = p.span(plane, first, n)
	if src.lines == 0 || src.planes == 0 {
		return src, nil, nil
	}
	src.width = p.x.in
	perPlane := int64(p.y.in * p.x.in)
	src.skip = src.from
	from, run := int64(src.y*src.width+src.from), int64(src.lines*(src.to-src.from))
	image, z := plane/int64(p.z.out), p.z.tap(int(plane%int64(p.z.out)), src.z)
	ch := int64(p.ch)
	r := graph.Region{
		Off:  (image*ch*int64(p.z.in)+int64(z))*perPlane + from,
		Runs: ch, Len: run, Stride: int64(p.z.in) * perPlane,
	}
	next := int64(p.z.dilation) * perPlane // from a plane to the one under the next tap
	if m, ok := p.maps.(graph.Resident); ok {
		src.data, src.stride, src.apart = m.Bytes()[r.Off*p.size():], int(r.Stride), int(next)
		return src, nil, nil
	}
	each := ch * run
	src.stride, src.apart = int(run), int(each)
	src.data = graph.GetBuffer(int64(src.planes) * each * p.size())
	for i := range int64(src.planes) {
		if err := graph.ReadRegion(ctx, p.maps, src.data[i*each*p.size():(i+1)*each*p.size()], r); err != nil {
			return src, src.data, err
		}
		r.Off += next
	}
	return src, src.data, nil
}

// box is a part of a result: channels [out,out+rows) at n positions from number
// first of a plane on. A channel's begin stride elements after the one before's.
type box struct{ out, rows, first, n, stride int64 }
