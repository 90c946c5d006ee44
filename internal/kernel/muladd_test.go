package kernel

import (
	"bytes"
	"fmt"
	"math/big"
	"math/rand/v2"
	"testing"

	"fusectl/internal/dtype"
)

// mulAddTwin is c + a·b of integers of some bytes each, in integers without
// limit, of which the low bytes are kept.
func mulAddTwin(c, a, b []byte, k, cols, size int) []byte {
	at := func(x []byte, i int) *big.Int {
		v := new(big.Int)
		for j := size - 1; j >= 0; j-- {
			v.Lsh(v, 8).Or(v, big.NewInt(int64(x[i*size+j])))
		}
		return v
	}
	mask := new(big.Int).Lsh(big.NewInt(1), uint(8*size))
	out := make([]byte, 0, len(c))
	for i := range len(c) / size {
		sum := at(c, i)
		for p := range k {
			sum.Add(sum, new(big.Int).Mul(at(a, i/cols*k+p), at(b, p*cols+i%cols)))
		}
		low := sum.Mod(sum, mask).FillBytes(make([]byte, size))
		for j := range low {
			out = append(out, low[size-1-j])
		}
	}
	return out
}

// All integers are bytes that may be anything: two's complement makes no difference
// between signed and unsigned ones.
func TestMulAdd(t *testing.T) {
	sizes := [][3]int{{1, 1, 1}, {3, 0, 4}, {0, 3, 4}, {5, 17, 1}, {1, 33, 7}, {2, 16, 300}, {4, 35, 257}}
	eachTable(t, func(t *testing.T, table *Table) {
		for _, k := range dtype.All() {
			loop := table.MulAdd[k.Kind()]
			if (loop != nil) != k.IsInteger() {
				t.Fatalf("%v: a loop: %v", k, loop != nil)
			}
			if loop == nil {
				continue
			}
			rng := rand.New(rand.NewPCG(3, uint64(k.Kind())))
			random := func(n int) []byte {
				x := Alloc(n * k.Size())
				for i := range x {
					x[i] = byte(rng.Uint32())
				}
				return x
			}
			for _, s := range sizes {
				a, b := random(s[0]*s[1]), random(s[1]*s[2])
				c, unharmed := guarded(s[0] * s[2] * k.Size())
				copy(c, random(s[0]*s[2]))
				want := mulAddTwin(c, a, b, s[1], s[2], k.Size())
				loop(c, a, b, s[1], s[2])
				if what := fmt.Sprintf("%v %v", k, s); !unharmed() {
					t.Errorf("%s: wrote beyond the result", what)
				} else if !bytes.Equal(c, want) {
					t.Errorf("%s: got %v, want %v", what, c, want)
				}
			}
		}
	})
}
