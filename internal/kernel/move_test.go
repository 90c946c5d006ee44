package kernel

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

func randomBytes(n int) []byte {
	rng := rand.New(rand.NewPCG(uint64(n), 1))
	b := Alloc(n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

var sizes = []int{1, 2, 3, 4, 5, 8, 12, 16, 24, 200}

func TestCopyRows(t *testing.T) {
	eachTable(t, testCopyRows)
}

func testCopyRows(t *testing.T, table *Table) {
	for _, size := range append([]int{31, 32, 33, 63, 64, 65, 96, 127, 128, shortRow, shortRow + 1}, sizes...) {
		for _, gap := range []int{0, 1, 7} {
			for _, srcStride := range []int{0, size, size + 3} {
				for rows := range 20 {
					stride := size + gap
					src := randomBytes(max(rows*srcStride, size))
					dst, unharmed := guarded(rows * stride)
					want := bytes.Clone(dst)
					for r := range rows {
						for i := range size {
							want[r*stride+i] = src[r*srcStride+i]
						}
					}
					table.copyRows(dst, stride, src, srcStride, size, rows)
					if !bytes.Equal(dst, want) || !unharmed() {
						t.Fatalf("size %d, strides %d and %d, %d rows", size, stride, srcStride, rows)
					}
				}
			}
		}
	}
}

func TestRepeat(t *testing.T) {
	for _, size := range sizes {
		for _, times := range []int{0, 1, 2, 3, 7, 8, 31, 127, 128, 129, 1000} {
			for n := range 6 {
				src := randomBytes(n * size)
				dst, unharmed := guarded(n * size * times)
				var want []byte
				for i := range n {
					want = append(want, bytes.Repeat(src[i*size:(i+1)*size], times)...)
				}
				Repeat(dst, src, size, times)
				if !bytes.Equal(dst, want) || !unharmed() {
					t.Fatalf("size %d, %d times, %d elements", size, times, n)
				}
			}
		}
	}
}

func TestFill(t *testing.T) {
	for _, size := range append([]int{0, 8191, 8192, 10000}, sizes...) {
		for _, n := range []int{0, 1, 2, 63, 64, 65, 4095, 8192, 8193, 100_000} {
			pattern := randomBytes(size)
			dst, unharmed := guarded(n)
			want := bytes.Clone(dst)
			for i := range want {
				if size > 0 {
					want[i] = pattern[i%size]
				}
			}
			Fill(dst, pattern)
			if !bytes.Equal(dst, want) || !unharmed() {
				t.Fatalf("pattern of %d, dst of %d", size, n)
			}
		}
	}
}

func TestTranspose(t *testing.T) {
	eachTable(t, testTranspose)
}

// testTranspose transposes matrices whose rows lie some bytes apart.
func testTranspose(t *testing.T, table *Table) {
	for _, size := range sizes {
		for _, rows := range []int{0, 1, 2, 3, 15, 16, 17, 33} {
			for _, cols := range []int{0, 1, 2, 3, 15, 16, 17, 70} {
				from, to := (cols+rows%2)*size, (rows+cols%3)*size // strides
				src := randomBytes(rows * from)
				dst, unharmed := guarded(cols * to)
				want := bytes.Clone(dst)
				for r := range rows {
					for c := range cols {
						copy(want[c*to+r*size:][:size], src[r*from+c*size:])
					}
				}
				table.transposeRows(dst, to, src, from, rows, cols, size)
				if !bytes.Equal(dst, want) || !unharmed() {
					t.Fatalf("size %d, %d rows, %d columns", size, rows, cols)
				}
			}
		}
	}
}

// BenchmarkMove counts bytes read and written.
func BenchmarkMove(b *testing.B) {
	run := func(name string, moved int, f func()) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(moved))
			for b.Loop() {
				f()
			}
		})
	}
	const n = 256 << 10
	src, dst := randomBytes(n), Alloc(2*n)
	for _, size := range sizes {
		rows := n / size
		run(fmt.Sprintf("CopyRows/size=%d", size), 2*rows*size, func() { CopyRows(dst, 2*size, src, size, size, rows) })
		for _, times := range []int{2, 100} {
			few := n / size / times
			run(fmt.Sprintf("Repeat/size=%d/times=%d", size, times), few*size*(times+1), func() {
				Repeat(dst[:few*times*size], src[:few*size], size, times)
			})
		}
		for _, cols := range []int{3, 64} {
			rows := n / size / cols
			run(fmt.Sprintf("Transpose/size=%d/cols=%d", size, cols), 2*rows*cols*size, func() {
				Transpose(dst[:rows*cols*size], src, rows, cols, size)
			})
			run(fmt.Sprintf("Transpose/size=%d/rows=%d", size, cols), 2*rows*cols*size, func() {
				Transpose(dst[:rows*cols*size], src, cols, rows, size)
			})
		}
		run(fmt.Sprintf("Fill/size=%d", size), n, func() { Fill(dst[:n], src[:size]) })
	}
}
