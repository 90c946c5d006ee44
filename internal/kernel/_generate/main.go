// Command generate writes the assembly of package kernel: `go generate` in that
// package runs it. It is a module of its own,
// so that the assembler's library is no dependency of the program.
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

// file is a file of assembly, NAME_amd64.s, and that of its declarations,
// NAME_stubs_amd64.go: a family of loops, one instruction set's or one element
// type's where that is much.
type file struct {
	name  string
	write func()
}

func files() []file {
	all := []file{{"attention", attentions}, {"checksum", checksums}, {"move", moves}, {"transpose", transposes}}
	for _, s := range []isa{avx512, avx2} {
		set := "_" + strings.ToLower(s.name)
		all = append(all,
			file{"loops" + set, s.loops},
			file{"rows" + set, s.rowLoops},
			file{"elementary" + set, s.elementaries},
		)
		for _, n := range []number{f32, f64} {
			all = append(all, file{"tiles" + set + "_" + strings.ToLower(n.name), func() { s.tiles(n) }})
		}
	}
	return all
}

func main() {
	log.SetFlags(0)
	name := flag.String("file", "", "the file to write; none: all of them, by a process each")
	flag.Parse()
	if *name == "" {
		if err := writeAll(".."); err != nil {
			log.Fatal(err)
		}
		return
	}
	for _, f := range files() {
		if f.name == *name {
			ConstraintExpr("amd64,!noasm")
			f.write()
			Generate()
			return
		}
	}
	log.Fatalf("no file %q", *name)
}

// writeAll writes all files into a folder, and removes those of before.
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
	for _, f := range files() {
		path := filepath.Join(dir, f.name)
		cmd := exec.Command(os.Args[0], "-file", f.name, "-out", path+"_amd64.s", "-stubs", path+"_stubs_amd64.go", "-pkg", "kernel")
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%s: %v", f.name, err)
		}
	}
	return nil
}
