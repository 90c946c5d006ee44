//go:build !noasm

package kernel

import "golang.org/x/sys/cpu"

// The instruction sets that there are loops for, beside plain Go.
const (
	avx512 = "avx512"
	avx2   = "avx2"
)

func machineLevels() []string {
	var levels []string
	x := &cpu.X86
	if x.HasAVX2 && x.HasFMA && x.HasF16C {
		levels = append(levels, avx2)
		if x.HasAVX512F && x.HasAVX512DQ && x.HasAVX512BW && x.HasAVX512VL {
			levels = append([]string{avx512}, levels...)
		}
	}
	return levels
}

// vectorize puts the loops of an instruction set in the place of those in Go.
func (t *Table) vectorize(level string) {
	t.vectorizeMoves(level)
	t.vectorizeProducts(level)
	t.vectorizeAttention(level)
	t.vectorizeLoops(level)
	t.vectorizeElementary(level)
	t.vectorizeChecksums(level)
}
