package main

import (
	"sync"

	"fusectl/internal/dtype"
	"fusectl/internal/kernel"
)

// matmul is the product of a [m,k] and b, [k,n] or, transposed, [n,k]. Both
// are given anew each time, so that packing b counts.
func matmul(a, b *array, transposed bool, threads int) func() error {
	if a.t == dtype.Float64 {
		return product[float64](a, b, transposed, threads)
	}
	return product[float32](a, b, transposed, threads)
}

func product[T kernel.Float](a, b *array, transposed bool, threads int) func() error {
	t := kernel.Active()
	m, k, n, ld := a.s[0], a.s[1], b.s[1], b.s[1]
	if transposed {
		n, ld = b.s[0], b.s[1]
	}
	left, right := kernel.View[T](a.data), kernel.View[T](b.data)
	packed := kernel.View[T](kernel.Alloc(kernel.PackedLen[T](t, k, n) * a.t.Size()))
	c := kernel.View[T](kernel.Alloc(m * n * a.t.Size()))
	panel := t.Panel(a.t.Kind())
	panels := (n + panel - 1) / panel
	pack := func() kernel.Right[T] {
		share(threads, panels, func(from, to int) { // each thread packs some panels
			j, last := from*panel, min(to*panel, n)
			at := j
			if transposed {
				at = j * ld
			}
			kernel.Pack(t, packed[j*k:], right[at:], ld, k, last-j, transposed)
		})
		return kernel.Right[T]{Data: packed, K: k, N: n}
	}
	return func() error {
		whole := kernel.Right[T]{Data: right, K: k, N: n, Stride: ld}
		if m >= kernel.FewRows || transposed || !t.InPlace(a.t.Kind()) {
			whole = pack()
		}
		share(threads, m, func(from, to int) { // and multiplies some rows
			kernel.Multiply(t, c[from*n:], n, kernel.Rows(left[from*k:], k), whole, to-from, false, kernel.Epilogue[T]{})
		})
		return nil
	}
}

// share runs f on n things, a part of them on each thread.
func share(threads, n int, f func(from, to int)) {
	var all sync.WaitGroup
	for i := range min(threads, n) {
		all.Go(func() {
			parts := min(threads, n)
			f(i*n/parts, (i+1)*n/parts)
		})
	}
	all.Wait()
}
