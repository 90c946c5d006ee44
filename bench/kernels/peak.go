package main

import (
	"fusectl/internal/dtype"
	"fusectl/internal/kernel"
)

// peak is flops multiplications and additions in registers alone, on each
// thread its share: as fast as the cores can. There is none for plain Go.
func peak(t dtype.Type, flops float64, threads int) func() error {
	table := kernel.Active()
	if table.Peak(t.Kind(), 1) == 0 {
		return nil
	}
	return func() error {
		share(threads, threads, func(int, int) { table.Peak(t.Kind(), int(flops)/threads) })
		return nil
	}
}
