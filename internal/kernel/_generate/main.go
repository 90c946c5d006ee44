// Command generate writes the assembly of package kernel: `make generate` runs it,
// and the gate wants no difference. It is a module of its own, so that the
// assembler's library is no dependency of the program.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// isa is an instruction set's vectors.
type isa struct {
	name   string
	bytes  int // of a vector
	vector func() reg.VecVirtual
	unroll int // the k that a tile's loop takes at once
}

// AVX2's tiles are half as high and half as wide, so that a loop over two k costs
// them 2 to 6%; AVX512's are as fast as with four.
var (
	avx512 = isa{"AVX512", 64, ZMM, 2}
	avx2   = isa{"AVX2", 32, YMM, 4}
)

// number is an element type with its instructions.
type number struct {
	name      string
	bytes     int
	broadcast func(ops ...Op)
	move      func(ops ...Op) // loads and stores, unaligned
	add       func(ops ...Op)
	fma, fnma func(ops ...Op) // c += a·b, c -= a·b
	fmaScalar func(ops ...Op) // c += a·b for one number a in memory: AVX512 alone
}

var (
	f32 = number{"F32", 4, VBROADCASTSS, VMOVUPS, VADDPS, VFMADD231PS, VFNMADD231PS, VFMADD231PS_BCST}
	f64 = number{"F64", 8, VBROADCASTSD, VMOVUPD, VADDPD, VFMADD231PD, VFNMADD231PD, VFMADD231PD_BCST}
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

// file is a file of assembly, NAME_amd64.s: a family of loops, or one instruction
// set's, one element type's, one width's or one extremum's where the family is long.
type file struct {
	family string
	part   string // "_avx512_f32"; empty: the whole family
	write  func()
}

func files() []file {
	all := []file{{"attention", "", attentions}, {"checksum", "", checksums}, {"move", "", moves}, {"transpose", "", transposes}}
	for _, s := range []isa{avx512, avx2} {
		set := "_" + strings.ToLower(s.name)
		all = append(all,
			file{"loops", set, s.loops},
			file{"blends", set, s.blends},
			file{"norms", set, s.norms},
			file{"rows", set, s.rowLoops},
			file{"extrema", set + "_max", func() { s.extrema("max") }},
			file{"extrema", set + "_min", func() { s.extrema("min") }},
			file{"elementary", set, s.elementaries},
		)
		for _, n := range []number{f32, f64} {
			part := set + "_" + strings.ToLower(n.name)
			all = append(all,
				file{"tiles", part + "_narrow", func() { s.tiles(n, 1) }},
				file{"tiles", part + "_wide", func() { s.tiles(n, 2) }},
			)
		}
	}
	return all
}

func main() {
	log.SetFlags(0)
	name := flag.String("write", "", "the file or the family to write; none: all files, by a process each")
	flag.Parse()
	if *name == "" {
		if err := writeAll(".."); err != nil {
			log.Fatal(err)
		}
		return
	}
	ConstraintExpr("amd64,!noasm")
	for _, f := range files() {
		if *name == f.family || *name == f.family+f.part {
			f.write()
		}
	}
	Generate()
}

// writeAll writes all files into a folder, with the declarations of each family in
// FAMILY_stubs_amd64.go, and removes those of before.
func writeAll(dir string) error {
	for _, pattern := range []string{"*_amd64.s", "*_stubs_amd64.go"} {
		old, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return err
		}
		for _, path := range old {
			if err := os.Remove(path); err != nil {
				return err
			}
		}
	}
	declared := map[string]bool{}
	for _, f := range files() {
		name := f.family + f.part
		if err := run("-write", name, "-out", filepath.Join(dir, name+"_amd64.s")); err != nil {
			return err
		}
		if !declared[f.family] {
			declared[f.family] = true
			if err := run("-write", f.family, "-stubs", filepath.Join(dir, f.family+"_stubs_amd64.go"), "-pkg", "kernel"); err != nil {
				return err
			}
		}
	}
	return nil
}

// run runs this program again, since avo collects one file's functions in a
// process. Assembly without -out is dropped.
func run(args ...string) error {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%v: %v", args, err)
	}
	return nil
}
