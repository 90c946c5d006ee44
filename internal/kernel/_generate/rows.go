package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// rowLoops are the loops that sum: many elements to one, or rows to one row.
func (s isa) rowLoops() {
	if s.bytes == 32 {
		s.sum(f32)
	}
	s.sum(f64)
	for _, n := range []number{f32, f64} {
		s.sumRows(n)
		s.sumAbsRows(n)
		s.sumSquareRows(n)
		s.momentRows(n)
		s.weighRows(n)
	}
}

// extrema are the loops that reduce rows to their maximum or minimum, op, or find it.
func (s isa) extrema(op string) {
	for _, kind := range ordered {
		s.extremumRows(op, kind)
	}
	s.argRows(op, f32, VCMPPS, VBLENDVPS, VMOVAPS, VPADDD)
	s.argRows(op, f64, VCMPPD, VBLENDVPD, VMOVAPD, VPADDQ)
}

// strips are the numbers of vectors that a loop can take of each row.
var strips = []int{1, 2, 3, 4, 8}

// addWidened adds as many numbers as a vector has float64s.
func (s isa) addWidened(n number, x Mem, acc reg.VecVirtual) {
	if n.bytes == 8 {
		VADDPD(x, acc, acc)
		return
	}
	VADDPD(s.widened(n, x), acc, acc)
}

// ahead is the distance at which a loop over memory asks for data: by itself the
// processor doesn't go on soon enough from one page to the next.
const ahead = 2048

// prefetch asks for so many bytes ahead of x.
func prefetch(x reg.Register, bytes int) {
	for line := 0; line < bytes; line += 64 {
		PREFETCHT0(Mem{Base: x, Disp: ahead + line})
	}
}

// sum adds n blocks of 32 numbers to the 32 lanes, all of which are in
// registers: more chains of additions than an addition takes cycles. n isn't 0.
// of float32, AVX2's vectors are the faster ones: there are two units that
// convert or add longer ones, and three that do these.
func (s isa) sum(of number) {
	TEXT("sum"+s.name+of.name, NOSPLIT, "func(lanes *float64, x *byte, n int)")
	Pragma("noescape")
	Doc("lanes[j] += x[32·i+j], for n blocks i of 32 elements, in order.")
	lanes, x, n := Load(Param("lanes"), GP64()), Load(Param("x"), GP64()), Load(Param("n"), GP64())
	const count = 32
	each := s.bytes / 8
	var acc []reg.VecVirtual
	for i := 0; i < count; i += each {
		v := s.vector()
		VMOVUPD(Mem{Base: lanes, Disp: 8 * i}, v)
		acc = append(acc, v)
	}
	Label("loop")
	for i, v := range acc {
		s.addWidened(of, Mem{Base: x, Disp: i * each * of.bytes}, v)
	}
	prefetch(x, count*of.bytes)
	ADDQ(U32(count*of.bytes), x)
	DECQ(n)
	JNZ(LabelRef("loop"))
	for i, v := range acc {
		VMOVUPD(v, Mem{Base: lanes, Disp: i * s.bytes})
	}
	VZEROUPPER()
	RET()
}

// strip is the body of a loop over rows: into reads x into acc, a vector of each part,
// begin comes before the first row and settle after the last one, and row, if there is one,
// before each.
type strip struct {
	begin, settle func(acc reg.VecVirtual)
	into          func(x Mem, acc []reg.VecVirtual)
	row           func()
	fixed         int            // parts that it doesn't change, the first ones
	apart         []reg.Register // where further parts of acc lie that don't follow it
}

func nothing(reg.VecVirtual) {}

// rows writes a loop that reduces a strip of columns, some vectors wide, of
// rows, one or more of them, that begin stride bytes apart. The last vector
// begins last bytes into the strip's x, where the one before it ends or
// earlier: where they overlap, both compute and store the same. An element of
// acc has ratio times the bytes of one of x; acc has parts rows of those, one after the other,
// of which widths vectors can be in registers. more are further parameters.
func (s isa) rows(name, doc string, ratio, parts int, widths []int, more string, prepare func() strip) {
	TEXT(name, NOSPLIT, "func(acc *byte, x *byte, stride int, rows int, vectors int, last int"+more+")")
	Pragma("noescape")
	Doc(doc)
	acc, x := Load(Param("acc"), GP64()), Load(Param("x"), GP64())
	stride, rows := Load(Param("stride"), GP64()), Load(Param("rows"), GP64())
	vectors, last := Load(Param("vectors"), GP64()), Load(Param("last"), GP64())
	accs := []reg.Register{acc}
	for len(accs) < parts {
		next := GP64()
		LEAQ(Mem{Base: accs[len(accs)-1], Index: stride, Scale: uint8(ratio)}, next)
		accs = append(accs, next)
	}
	body := prepare()
	accs = append(accs, body.apart...)
	for _, width := range widths[1:] {
		CMPQ(vectors, U8(width))
		JE(LabelRef(fmt.Sprintf("vectors%d", width)))
	}
	for _, width := range widths {
		at := func(base reg.Register, i, ratio, bytes int) Mem {
			if i == width-1 {
				return Mem{Base: base, Index: last, Scale: uint8(ratio)}
			}
			return Mem{Base: base, Disp: i * bytes}
		}
		if width > 1 {
			Label(fmt.Sprintf("vectors%d", width))
		}
		v := make([][]reg.VecVirtual, width)
		for i := range v {
			for _, base := range accs {
				part := s.vector()
				VMOVUPS(at(base, i, ratio, s.bytes), part)
				body.begin(part)
				v[i] = append(v[i], part)
			}
		}
		loop := fmt.Sprintf("loop%d", width)
		Label(loop)
		if body.row != nil {
			body.row()
		}
		for i := range v {
			body.into(at(x, i, 1, s.bytes/ratio), v[i])
		}
		prefetch(x, width*s.bytes/ratio)
		ADDQ(stride, x)
		DECQ(rows)
		JNZ(LabelRef(loop))
		for i := range v {
			for k, base := range accs {
				if k < body.fixed {
					continue
				}
				body.settle(v[i][k])
				VMOVUPS(v[i][k], at(base, i, ratio, s.bytes))
			}
		}
		VZEROUPPER()
		RET()
	}
}

func (s isa) sumRows(of number) {
	s.rows("sumRows"+s.name+of.name, "acc[c] += x[r,c], in the order of the rows r.", 8/of.bytes, 1, strips, "", func() strip {
		return strip{nothing, nothing, func(x Mem, acc []reg.VecVirtual) { s.addWidened(of, x, acc[0]) }, nil, 0, nil}
	})
}

func (s isa) weighRows(of number) {
	s.rows("weighRows"+s.name+of.name, "acc[c] += x[r,c]·w[r], in the order of the rows r, every step rounded.", 8/of.bytes, 1, strips, ", w *float64", func() strip {
		w, weight := Load(Param("w"), GP64()), s.vector()
		return strip{nothing, nothing, func(x Mem, acc []reg.VecVirtual) {
			v := s.vector()
			if of.bytes == 8 {
				VMULPD(x, weight, v)
			} else {
				VCVTPS2PD(x, v)
				VMULPD(weight, v, v)
			}
			VADDPD(v, acc[0], acc[0])
		}, func() {
			VBROADCASTSD(Mem{Base: w}, weight)
			ADDQ(U8(8), w)
		}, 0, nil}
	})
}

func (s isa) sumAbsRows(of number) {
	s.rows("sumAbsRows"+s.name+of.name, "acc[c] += |x[r,c]|, in the order of the rows r.", 8/of.bytes, 1, strips, "", func() strip {
		magnitude := s.constant64(1<<63 - 1)
		return strip{nothing, nothing, func(x Mem, acc []reg.VecVirtual) {
			v := s.widened(of, x)
			VANDPD(magnitude, v, v)
			VADDPD(v, acc[0], acc[0])
		}, nil, 0, nil}
	})
}

func (s isa) sumSquareRows(of number) {
	s.rows("sumSquareRows"+s.name+of.name, "acc[c] += x[r,c]², in the order of the rows r.", 8/of.bytes, 1, strips, "", func() strip {
		return strip{nothing, nothing, func(x Mem, acc []reg.VecVirtual) {
			v := s.widened(of, x)
			VMULPD(v, v, v)
			VADDPD(v, acc[0], acc[0])
		}, nil, 0, nil}
	})
}

// momentRows keeps three parts in registers, of which AVX2 has as many as 4 vectors take.
func (s isa) momentRows(of number) {
	s.rows("momentRows"+s.name+of.name, "d = x[r,c] - acc[0,c], acc[1,c] += d, acc[2,c] += d², in the order of the rows r.", 8/of.bytes, 3, strips[:4], "", func() strip {
		return strip{nothing, nothing, func(x Mem, acc []reg.VecVirtual) {
			d := s.widened(of, x)
			VSUBPD(acc[0], d, d)
			VADDPD(d, acc[1], acc[1])
			VMULPD(d, d, d)
			VADDPD(d, acc[2], acc[2])
		}, nil, 1, nil}
	})
}

// extremumRows reduces rows to their maximum or minimum, op.
func (s isa) extremumRows(op, kind string) {
	s.rows(op+"Rows"+s.name+kind, "acc[c] = "+op+"(acc[c], x[r,c]) for all rows r.", 1, 1, strips, extra(kind), func() strip {
		m := s.extremum(kind, op == "min")
		return strip{m.begin, m.settle, func(x Mem, acc []reg.VecVirtual) {
			v := s.vector()
			VMOVUPS(x, v)
			m.into(v, acc[0])
		}, nil, 0, nil}
	})
}

// argRows finds where rows have their maximum or minimum, op: where the comparison says that
// an element isn't up to the best so far, it is better or a NaN, and nothing is better than that.
func (s isa) argRows(op string, of number, compare func(ops ...Op), blend func(mask, yes, no, dst Op), move, add func(ops ...Op)) {
	arg, sign, better := "argMaxRows", "<=", notAtMost
	if op == "min" {
		arg, sign, better = "argMinRows", ">=", notAtLeast
	}
	doc := "Where neither x[r,c] " + sign + " best[c] nor best[c] is NaN, best[c] = x[r,c] and found[c] = r, of best = acc, in the order of the rows r."
	s.rows(arg+s.name+of.name, doc, 1, 1, strips[:4], ", found *byte", func() strip {
		found := Load(Param("found"), GP64())
		r := s.vector() // the row's number, from -1 on
		if s.bytes == 64 {
			VPTERNLOGD(U8(0xff), r, r, r)
		} else {
			VPCMPEQD(r, r, r)
		}
		var one reg.VecVirtual
		if of.bytes == 4 {
			one = s.constant32(1)
		} else {
			one = s.constant64(1)
		}
		return strip{nothing, nothing, func(x Mem, acc []reg.VecVirtual) {
			v, best, at := s.vector(), acc[0], acc[1]
			VMOVUPS(x, v)
			if s.bytes == 64 {
				k := K()
				compare(U8(isNumber), best, best, k)
				compare(U8(better), best, v, k, k)
				move(v, k, best)
				move(r, k, at)
				return
			}
			is, number := s.vector(), s.vector()
			compare(U8(better), best, v, is)
			compare(U8(isNumber), best, best, number)
			VANDPS(is, number, is)
			blend(is, v, best, best)
			blend(is, r, at, at)
		}, func() { add(one, r, r) }, 0, []reg.Register{found}}
	})
}
