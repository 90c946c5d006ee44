//go:build !noasm

package kernel

func (t *Table) vectorizeMoves(level string) {
	switch level {
	case avx512:
		t.rowCopiers = []rowCopier{{64, copyRowsAVX512}, {32, copyRowsAVX2}}
		t.squares = [2]squares{{16, transposeAVX512F32}, {8, transposeAVX512F64}}
	case avx2:
		t.rowCopiers = []rowCopier{{32, copyRowsAVX2}}
		t.squares = [2]squares{{8, transposeAVX2F32}, {4, transposeAVX2F64}}
	}
}
