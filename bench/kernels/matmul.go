package main

import "fusectl/internal/ops"

// matmul is the product of a [m,k] and b, [k,n] or, transposed, [n,k]. Both
// are given anew each time, so that what is done to b first counts.
func matmul(a, b *array, transposed bool, threads int) func() error {
	w := ops.Weights{Kernel: b, Layout: ops.Keras}
	if transposed {
		w.Layout = ops.Torch
	}
	return graph(threads, func() (ops.Array, error) { return ops.Linear(a, w, "", "nhwc") })
}
