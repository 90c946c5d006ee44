package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// norms are the statistics of rows, and what is done by them: every step is in
// float64, and rounded.
func (s isa) norms() {
	for _, of := range []number{f32, f64} {
		s.moments(of)
		s.momentsRows(of)
		s.normalize(of, "normalize", "dst = (src-mean)·scale + bias", nil, []string{"mean", "scale", "bias"},
			func(v reg.VecVirtual, by []reg.VecVirtual, _ []Mem) {
				VSUBPD(by[0], v, v)
				VMULPD(by[1], v, v)
				VADDPD(by[2], v, v)
			})
		s.normalize(of, "normalizeRow", "dst = (src-mean)·scale·weight + bias", []string{"weight", "bias"}, []string{"mean", "scale"},
			func(v reg.VecVirtual, by []reg.VecVirtual, columns []Mem) {
				VSUBPD(by[0], v, v)
				VMULPD(by[1], v, v)
				VMULPD(columns[0], v, v)
				VADDPD(columns[1], v, v)
			})
		s.normalize(of, "normalizeCols", "dst = (src-mean)·scale + bias", []string{"mean", "scale", "bias"}, nil,
			func(v reg.VecVirtual, _ []reg.VecVirtual, columns []Mem) {
				VSUBPD(columns[0], v, v)
				VMULPD(columns[1], v, v)
				VADDPD(columns[2], v, v)
			})
	}
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

// moments adds n blocks of 16 numbers, less one, and their squares to the 16
// lanes of either, all of which are in registers. n isn't 0.
func (s isa) moments(of number) {
	TEXT("moments"+s.name+of.name, NOSPLIT, "func(lanes *float64, x *byte, n int, about float64)")
	Pragma("noescape")
	Doc("lanes[j] += x[16·i+j]-about and lanes[16+j] += (x[16·i+j]-about)², for n blocks i of 16 elements, in order.")
	lanes, x, n := Load(Param("lanes"), GP64()), Load(Param("x"), GP64()), Load(Param("n"), GP64())
	about := s.weight(f64, "about")
	const count = 16
	each := s.bytes / 8
	var acc []reg.VecVirtual // of the sums, then of the squares
	for i := 0; i < 2*count; i += each {
		v := s.vector()
		VMOVUPD(Mem{Base: lanes, Disp: 8 * i}, v)
		acc = append(acc, v)
	}
	Label("loop")
	for i := range count / each {
		d := s.widened(of, Mem{Base: x, Disp: i * each * of.bytes})
		VSUBPD(about, d, d)
		VADDPD(d, acc[i], acc[i])
		VMULPD(d, d, d)
		VADDPD(d, acc[count/each+i], acc[count/each+i])
	}
	ADDQ(U32(count*of.bytes), x)
	DECQ(n)
	JNZ(LabelRef("loop"))
	for i, v := range acc {
		VMOVUPD(v, Mem{Base: lanes, Disp: i * s.bytes})
	}
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
