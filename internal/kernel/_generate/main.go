// Command generate writes the assembly of package kernel, one family of loops
// at a time: `go generate` in that package runs it. It is a module of its own,
// so that the assembler's library is no dependency of the program.
package main

import (
	"flag"
	"log"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// isa is an instruction set's vectors.
type isa struct {
	name   string
	bytes  int // of a vector
	vector func() reg.VecVirtual
}

var (
	avx512 = isa{"AVX512", 64, ZMM}
	avx2   = isa{"AVX2", 32, YMM}
)

// number is an element type with its instructions.
type number struct {
	name      string
	bytes     int
	broadcast func(ops ...Op)
	move      func(ops ...Op) // loads and stores, unaligned
	add       func(ops ...Op)
	fma, fnma func(ops ...Op) // c += a·b, c -= a·b
}

var (
	f32 = number{"F32", 4, VBROADCASTSS, VMOVUPS, VADDPS, VFMADD231PS, VFNMADD231PS}
	f64 = number{"F64", 8, VBROADCASTSD, VMOVUPD, VADDPD, VFMADD231PD, VFNMADD231PD}
)

// zero clears a vector register.
func (s isa) zero(v reg.VecVirtual) {
	if s.bytes == 64 {
		VPXORD(v, v, v)
	} else {
		VXORPS(v, v, v)
	}
}

// xor is dst = a ^ b.
func (s isa) xor(a, b, dst reg.VecVirtual) {
	if s.bytes == 64 {
		VPXORQ(a, b, dst)
	} else {
		VPXOR(a, b, dst)
	}
}

// families are the groups of functions, a file of assembly each.
var families = map[string]func(){
	"tiles":      tiles,
	"transpose":  transposes,
	"move":       moves,
	"attention":  attentions,
	"loops":      loops,
	"rows":       rowLoops,
	"elementary": elementaries,
	"checksum":   checksums,
}

func main() {
	family := flag.String("family", "", "the group of functions to write")
	flag.Parse()
	write, ok := families[*family]
	if !ok {
		log.Fatalf("no family %q", *family)
	}
	ConstraintExpr("amd64,!noasm")
	write()
	Generate()
}
