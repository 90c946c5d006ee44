package main

import (
	"math"
	"strings"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// norms are the statistics of rows, and what is done by them: every step is in
// float64, and rounded.
func (s isa) norms() {
	s.standardize()
	for _, of := range []number{f32, f64} {
		s.rowMoments(of, "rowSums", "sums[r] is the sum of row r of x", true, false)
		s.rowMoments(of, "rowSquares", "squares[r] is the sum of the squares of row r of x", false, true)
		s.rowMoments(of, "rowMoments", "sums[r] and squares[r] are those of x[r,c]-about[r]", true, true)
		s.momentsRows(of)
		s.normalizeRows(of)
		s.normalize(of, "normalize", "dst = (src-mean)·scale + bias", nil, []string{"mean", "scale", "bias"},
			func(v reg.VecVirtual, by []reg.VecVirtual, _ []Mem) {
				VSUBPD(by[0], v, v)
				VMULPD(by[1], v, v)
				VADDPD(by[2], v, v)
			})
		s.normalize(of, "normalizeCols", "dst = (src-mean)·scale + bias", []string{"mean", "scale", "bias"}, nil,
			func(v reg.VecVirtual, _ []reg.VecVirtual, columns []Mem) {
				VSUBPD(columns[0], v, v)
				VMULPD(columns[1], v, v)
				VADDPD(columns[2], v, v)
			})
	}
}

// standardize makes a factor of the sum of squares.
func (s isa) standardize() {
	loop("standardize"+s.name, "off = sums/count, mean += off, scale = 1/√(max(scale-off·sums, 0)/count + epsilon), n vectors.",
		[]string{"mean", "scale", "sums"}, []int{s.bytes, s.bytes, s.bytes}, ", count, epsilon float64", func() step {
			count, epsilon := s.weight(f64, "count"), s.weight(f64, "epsilon")
			one, zero := s.constant64(math.Float64bits(1)), s.vector()
			s.zero(zero)
			return func(mean Mem, of []Mem) {
				scale, sums, off, v := s.vector(), s.vector(), s.vector(), s.vector()
				VMOVUPD(of[0], scale)
				VMOVUPD(of[1], sums)
				VDIVPD(count, sums, off)
				VMULPD(sums, off, sums)
				VSUBPD(sums, scale, scale)
				VMAXPD(scale, zero, scale) // a NaN stays
				VDIVPD(count, scale, scale)
				VADDPD(epsilon, scale, scale)
				VSQRTPD(scale, scale)
				VDIVPD(scale, one, scale)
				VMOVUPD(scale, of[0])
				VMOVUPD(mean, v)
				VADDPD(off, v, v)
				VMOVUPD(v, mean)
			}
		})
}

// widened is as many numbers as a vector has float64s.
func (s isa) widened(of number, x Mem) reg.VecVirtual {
	v := s.vector()
	if of.bytes == 8 {
		VMOVUPD(x, v)
	} else {
		VCVTPS2PD(x, v)
	}
	return v
}

// normalize writes a loop whose body is given elements in float64, the numbers
// that are one for all of them and columns of float64, one for each.
func (s isa) normalize(of number, name, doc string, columns, numbers []string, body func(v reg.VecVirtual, numbers []reg.VecVirtual, columns []Mem)) {
	params, more := append([]string{"dst", "src"}, columns...), ""
	size := s.bytes / 8 * of.bytes
	bytes := []int{size, size}
	for range columns {
		bytes = append(bytes, s.bytes)
	}
	for _, n := range numbers {
		more += ", " + n + " float64"
	}
	loop(name+s.name+of.name, doc+", n vectors of float64.", params, bytes, more, func() step {
		var by []reg.VecVirtual
		for _, n := range numbers {
			by = append(by, s.weight(f64, n))
		}
		return func(dst Mem, src []Mem) {
			v := s.widened(of, src[0])
			body(v, by, src[1:])
			if of.bytes == 8 {
				VMOVUPD(v, dst)
				return
			}
			s.narrow(v)
			VMOVUPS(s.half(v), dst)
		}
	})
}

// blockLen is the numbers of a row that a loop over rows takes at a time, in so many lanes.
const blockLen = 16

// tail is the mask of what a row has beyond its blocks.
type tail struct {
	isa
	n     reg.GPVirtual  // numbers, fewer than blockLen
	keep  []reg.Register // AVX512: the mask of each vector of float64
	masks reg.GPVirtual  // AVX2: as many ones as there are numbers, then zeros, in 32 bits each
}

// split gives a row's blocks and its tail.
func (s isa) split(cols reg.Register) (blocks reg.GPVirtual, t tail) {
	t = tail{isa: s, n: GP64()}
	MOVQ(cols, t.n)
	ANDQ(U8(blockLen-1), t.n)
	blocks = GP64()
	MOVQ(cols, blocks)
	SHRQ(U8(4), blocks)
	if s.bytes == 64 {
		ones, low, high := GP64(), K(), K()
		MOVQ(t.n, reg.RCX)
		MOVQ(U32(1), ones)
		SHLQ(reg.CL, ones)
		DECQ(ones)
		KMOVW(ones.As32(), low)
		KSHIFTRW(U8(8), low, high)
		t.keep = []reg.Register{low, high}
		return blocks, t
	}
	end := GP64()
	t.masks = GP64()
	LEAQ(tailMasks().Offset(4*blockLen), t.masks)
	MOVQ(t.n, end)
	SHLQ(U8(2), end)
	SUBQ(end, t.masks)
	return blocks, t
}

// tailMasks are ones for a block and zeros for another.
func tailMasks() Mem {
	m, ok := constants["tailMasks"]
	if !ok {
		m = GLOBL("tailMasks", RODATA|NOPTR)
		for i := range 2 * blockLen {
			bits := U32(0)
			if i < blockLen {
				bits = 1<<32 - 1
			}
			DATA(4*i, bits)
		}
		constants["tailMasks"] = m
	}
	return m
}

// mask is AVX2's for vector i of numbers of so many bytes.
func (t tail) mask(bytes, i int) reg.VecVirtual {
	at := Mem{Base: t.masks, Disp: 16 * i}
	if bytes == 4 {
		m := XMM()
		VMOVDQU(at, m)
		return m
	}
	m := YMM()
	VPMOVSXDQ(at, m)
	return m
}

// load widens what there is of vector i of a block; the rest is 0.
func (t tail) load(of number, x Mem, i int) reg.VecVirtual {
	v := t.vector()
	switch {
	case of.bytes == 8 && t.bytes == 64:
		VMOVUPD_Z(x, t.keep[i], v)
	case of.bytes == 8:
		VMASKMOVPD(x, t.mask(8, i), v)
	case t.bytes == 64:
		VCVTPS2PD_Z(x, t.keep[i], v)
	default:
		VMASKMOVPS(x, t.mask(4, i), v.AsX())
		VCVTPS2PD(v.AsX(), v)
	}
	return v
}

// sub is v - by of vector i, and 0 where there is none.
func (t tail) sub(by, v reg.VecVirtual, i int) {
	if t.bytes == 64 {
		VSUBPD_Z(by, v, t.keep[i], v)
		return
	}
	VSUBPD(by, v, v)
	VANDPD(t.mask(8, i), v, v)
}

// store rounds what there is of vector i.
func (t tail) store(of number, v reg.VecVirtual, dst Mem, i int) {
	switch {
	case of.bytes == 8 && t.bytes == 64:
		VMOVUPD(v, t.keep[i], dst)
	case of.bytes == 8:
		VMASKMOVPD(v, t.mask(8, i), dst)
	case t.bytes == 64:
		t.narrow(v)
		VMOVUPS(v.AsY(), t.keep[i], dst)
	default:
		t.narrow(v)
		VMASKMOVPS(v.AsX(), t.mask(4, i), dst)
	}
}

// eachBlock writes the loop over a row: block is given a nil tail or the last
// block's. advance moves its pointers on by a number of elements.
func eachBlock(blocks reg.Register, t tail, block func(t *tail), advance func(n Op)) {
	n := GP64()
	MOVQ(blocks, n)
	TESTQ(n, n)
	JZ(LabelRef("tail"))
	Label("block")
	block(nil)
	advance(U32(blockLen))
	DECQ(n)
	JNZ(LabelRef("block"))
	Label("tail")
	TESTQ(t.n, t.n)
	JZ(LabelRef("end"))
	block(&t)
	advance(t.n)
	Label("end")
}

// rowMoments sums each of some rows, one or more, in 16 lanes, all of which are in
// registers. Rows don't wait for each other, so that the processor begins the next
// while the lanes of one are combined.
func (s isa) rowMoments(of number, name, doc string, sums, squares bool) {
	about := sums && squares
	params := ""
	if sums {
		params += "sums, "
	}
	if squares {
		params += "squares, "
	}
	if about {
		params += "about, "
	}
	TEXT(name+s.name+of.name, NOSPLIT, "func("+strings.TrimSuffix(params, ", ")+" *float64, x *byte, cols, rows int)")
	Pragma("noescape")
	Doc(doc + ", in 16 lanes, combined by halves.")
	var to []reg.Register
	if sums {
		to = append(to, Load(Param("sums"), GP64()))
	}
	if squares {
		to = append(to, Load(Param("squares"), GP64()))
	}
	var from reg.Register
	var by reg.VecVirtual
	if about {
		from, by = Load(Param("about"), GP64()), s.vector()
	}
	x, cols, rows := Load(Param("x"), GP64()), Load(Param("cols"), GP64()), Load(Param("rows"), GP64())
	blocks, last := s.split(cols)
	each := s.bytes / 8
	acc := make([][]reg.VecVirtual, len(to))
	for k := range acc {
		for range blockLen / each {
			acc[k] = append(acc[k], s.vector())
		}
	}
	Label("row")
	for _, lanes := range acc {
		for _, v := range lanes {
			s.zero(v)
		}
	}
	if about {
		VBROADCASTSD(Mem{Base: from}, by)
		ADDQ(U8(8), from)
	}
	eachBlock(blocks, last, func(t *tail) {
		for i := range blockLen / each {
			at := Mem{Base: x, Disp: i * each * of.bytes}
			var d reg.VecVirtual
			if t != nil {
				d = t.load(of, at, i)
			} else {
				d = s.widened(of, at)
			}
			if about && t != nil {
				t.sub(by, d, i)
			} else if about {
				VSUBPD(by, d, d)
			}
			if sums {
				VADDPD(d, acc[0][i], acc[0][i])
			}
			if squares {
				VMULPD(d, d, d)
				VADDPD(d, acc[len(acc)-1][i], acc[len(acc)-1][i])
			}
		}
	}, func(n Op) { advance(x, n, of.bytes) })
	for k, lanes := range acc {
		v := lanes[0]
		for n := len(lanes) / 2; n > 0; n /= 2 {
			for j := range n {
				VADDPD(lanes[j+n], lanes[j], lanes[j])
			}
		}
		if s.bytes == 64 {
			high := YMM()
			VEXTRACTF64X4(U8(1), v, high)
			VADDPD(high, v.AsY(), v.AsY())
		}
		high := XMM()
		VEXTRACTF128(U8(1), v.AsY(), high)
		VADDPD(high, v.AsX(), v.AsX())
		VUNPCKHPD(v.AsX(), v.AsX(), high)
		VADDSD(high, v.AsX(), v.AsX())
		VMOVSD(v.AsX(), Mem{Base: to[k]})
		ADDQ(U8(8), to[k])
	}
	DECQ(rows)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}

// advance adds n numbers of so many bytes to a pointer.
func advance(p reg.Register, n Op, bytes int) {
	if fixed, ok := n.(U32); ok {
		ADDQ(fixed*U32(bytes), p)
		return
	}
	LEAQ(Mem{Base: p, Index: n.(reg.Register), Scale: uint8(bytes)}, p)
}

// normalizeRows normalises some rows, one or more, each by its numbers and by
// those of the columns.
func (s isa) normalizeRows(of number) {
	TEXT("normalizeRows"+s.name+of.name, NOSPLIT, "func(dst, src *byte, mean, scale, weight, bias *float64, cols, rows int)")
	Pragma("noescape")
	Doc("dst[r,c] = (src[r,c]-mean[r])·scale[r]·weight[c] + bias[c].")
	dst, src := Load(Param("dst"), GP64()), Load(Param("src"), GP64())
	mean, scale := Load(Param("mean"), GP64()), Load(Param("scale"), GP64())
	weight, bias := Load(Param("weight"), GP64()), Load(Param("bias"), GP64())
	cols, rows := Load(Param("cols"), GP64()), Load(Param("rows"), GP64())
	blocks, last := s.split(cols)
	each := s.bytes / 8
	by, factor, w, b := s.vector(), s.vector(), GP64(), GP64()
	Label("row")
	VBROADCASTSD(Mem{Base: mean}, by)
	VBROADCASTSD(Mem{Base: scale}, factor)
	ADDQ(U8(8), mean)
	ADDQ(U8(8), scale)
	MOVQ(weight, w)
	MOVQ(bias, b)
	eachBlock(blocks, last, func(t *tail) {
		for i := range blockLen / each {
			at := func(base reg.Register, bytes int) Mem { return Mem{Base: base, Disp: i * each * bytes} }
			if t != nil {
				v := t.load(of, at(src, of.bytes), i)
				VSUBPD(by, v, v)
				VMULPD(factor, v, v)
				VMULPD(t.load(f64, at(w, 8), i), v, v)
				VADDPD(t.load(f64, at(b, 8), i), v, v)
				t.store(of, v, at(dst, of.bytes), i)
				continue
			}
			v := s.widened(of, at(src, of.bytes))
			VSUBPD(by, v, v)
			VMULPD(factor, v, v)
			VMULPD(at(w, 8), v, v)
			VADDPD(at(b, 8), v, v)
			if of.bytes == 8 {
				VMOVUPD(v, at(dst, 8))
				continue
			}
			s.narrow(v)
			VMOVUPS(s.half(v), at(dst, 4))
		}
	}, func(n Op) {
		advance(src, n, of.bytes)
		advance(dst, n, of.bytes)
		advance(w, n, 8)
		advance(b, n, 8)
	})
	DECQ(rows)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}

// momentsRows is a strip of columns, four vectors of float64 wide, of rows, one or
// more of them, that begin stride bytes apart.
func (s isa) momentsRows(of number) {
	TEXT("momentsRows"+s.name+of.name, NOSPLIT, "func(sums, squares, about *float64, x *byte, stride, rows int)")
	Pragma("noescape")
	Doc("sums[c] += x[r,c]-about[c] and squares[c] += (x[r,c]-about[c])², in the order of the rows r.")
	sums, squares, about := Load(Param("sums"), GP64()), Load(Param("squares"), GP64()), Load(Param("about"), GP64())
	x, stride, rows := Load(Param("x"), GP64()), Load(Param("stride"), GP64()), Load(Param("rows"), GP64())
	const width = 4
	column := func(base reg.Register) (v [width]reg.VecVirtual) {
		for i := range v {
			v[i] = s.vector()
			VMOVUPD(Mem{Base: base, Disp: i * s.bytes}, v[i])
		}
		return v
	}
	by, sum, square := column(about), column(sums), column(squares)
	Label("loop")
	for i := range width {
		d := s.widened(of, Mem{Base: x, Disp: i * s.bytes / 8 * of.bytes})
		VSUBPD(by[i], d, d)
		VADDPD(d, sum[i], sum[i])
		VMULPD(d, d, d)
		VADDPD(d, square[i], square[i])
	}
	ADDQ(stride, x)
	DECQ(rows)
	JNZ(LabelRef("loop"))
	for i := range width {
		VMOVUPD(sum[i], Mem{Base: sums, Disp: i * s.bytes})
		VMOVUPD(square[i], Mem{Base: squares, Disp: i * s.bytes})
	}
	VZEROUPPER()
	RET()
}
