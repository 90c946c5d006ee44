package main

import (
	"sync"

	"fusectl/internal/kernel"
)

// matmul is the product of a [m,k] and b, [k,n] or, transposed, [n,k]. Both
// are given anew each time, so that packing b counts.
func matmul(a, b *array, transposed bool, threads int) func() error {
	return kernel.Instance(a.t.Kind(), product[float32], product[float64])(a, b, transposed, threads)
}

func product[T kernel.Float](a, b *array, transposed bool, threads int) func() error {
	t := kernel.Active()
	left := kernel.Dense(kernel.View[T](a.data), a.s[0], a.s[1])
	right := kernel.Dense(kernel.View[T](b.data), b.s[0], b.s[1])
	k, n := left.Cols, right.Cols
	if transposed {
		n = right.Rows
	}
	packed := kernel.View[T](kernel.Alloc(kernel.PackedLen[T](t, k, n) * a.t.Size()))
	c := kernel.Dense(kernel.View[T](kernel.Alloc(left.Rows*n*a.t.Size())), left.Rows, n)
	panel := t.Panel(a.t.Kind())
	panels := (n + panel - 1) / panel
	pack := func() kernel.Right[T] {
		share(threads, panels, func(from, to int) { // each thread packs some panels
			j, last := from*panel, min(to*panel, n)
			part := right.Slice(j, last-j)
			if !transposed {
				part = right
				part.Data, part.Cols = right.Data[j:], last-j
			}
			kernel.Pack(t, packed[j*k:], part, transposed)
		})
		return kernel.Right[T]{Data: packed, K: k, N: n}
	}
	return func() error {
		var whole kernel.Right[T]
		if c.Rows >= kernel.FewRows || transposed || !t.InPlace(a.t.Kind()) {
			whole = pack()
		} else {
			whole = right.Right()
		}
		share(threads, c.Rows, func(from, to int) { // and multiplies some rows
			kernel.Multiply(t, c.Slice(from, to-from), left.Slice(from, to-from).Left(), whole, false, kernel.Epilogue[T]{})
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
