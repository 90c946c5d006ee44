//go:build !noasm

package kernel

import "golang.org/x/sys/cpu"

func (t *Table) vectorizeChecksums(level string) {
	const vpclmulqdq = 1 << 10
	switch {
	case level == avx512 && cpu.X86.HasAVX512VPCLMULQDQ:
		t.folder = folder{512, foldCRCAVX512}
	case level == avx2 && extendedFeatures()&vpclmulqdq != 0:
		t.folder = folder{256, foldCRCAVX2}
	}
}
