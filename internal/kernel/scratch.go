package kernel

import "sync"

// buffer is the working memory of loops that go by way of another kind: small
// enough to stay in the first-level cache beside their operands.
type buffer [512]float64

// scratch keeps buffers, so that a loop allocates nothing.
var scratch = sync.Pool{New: func() any { return new(buffer) }}

// through returns the loop that applies first and then second, a buffer at a
// time, where an element takes from, mid and to bytes before, between and
// after. The two are looked up when it runs. dst may be src if from == to.
func through(first, second *Loop2, from, mid, to int) Loop2 {
	return func(dst, src []byte) {
		buf := scratch.Get().(*buffer)
		defer scratch.Put(buf)
		b := Bytes(buf[:])
		for len(src) > 0 {
			n := min(len(b)/mid, len(src)/from)
			(*first)(b[:n*mid], src[:n*from])
			(*second)(dst[:n*to], b[:n*mid])
			dst, src = dst[n*to:], src[n*from:]
		}
	}
}
