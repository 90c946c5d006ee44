package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"sync"
	"time"

	"fusectl/internal/graph"

	"golang.org/x/term"
)

// meter shows progress on standard error while work lasts.
type meter struct {
	w     io.Writer
	after time.Duration // before the first line: short work shows none
	on    bool
	mu    sync.Mutex
	done  graph.Cost
	all   graph.Cost
	quit  chan struct{}
	idle  sync.WaitGroup
	once  sync.Once
}

const meterPeriod = 200 * time.Millisecond

func newMeter(w *os.File, c common) *meter {
	m := &meter{w: w, after: time.Second, quit: make(chan struct{})}
	switch c.progress.value {
	case "always":
		m.on, m.after = true, 0
	case "auto":
		m.on = !c.quiet && term.IsTerminal(int(w.Fd()))
	}
	return m
}

// measure has the meter told of a computation, where it shows any.
func (m *meter) measure(o *graph.Options) {
	if m.on {
		o.Progress = func(done, all graph.Cost) {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.done, m.all = done, all
		}
	}
}

// measured is options with a meter that stop ends.
func (st *step) measured(o graph.Options) (_ graph.Options, stop func()) {
	m := newMeter(st.stderr, st.common)
	m.measure(&o)
	m.start()
	return o, m.stop
}

func (m *meter) start() {
	if !m.on {
		return
	}
	m.idle.Add(1)
	go func() {
		defer m.idle.Done()
		begun, shown := time.Now(), false
		tick := time.NewTicker(meterPeriod)
		defer tick.Stop()
		for {
			select {
			case <-m.quit:
				if shown || m.after == 0 {
					m.show(begun)
					fmt.Fprintln(m.w)
				}
				return
			case <-tick.C:
				if time.Since(begun) >= m.after {
					m.show(begun)
					shown = true
				}
			}
		}
	}()
}

// flopsOfByte is the operations that take about as long as a byte takes to move.
const flopsOfByte = 16

// show tells how far the work has come, by the bytes that it moves or by its
// arithmetic, whichever takes longer.
func (m *meter) show(begun time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	done, all, unit, size := m.done.Moved, m.all.Moved, "MiB", float64(1<<20)
	if m.all.Flops/flopsOfByte > all {
		done, all, unit, size = m.done.Flops, m.all.Flops, "GFLOP", 1e9
	}
	part := 1.0
	if all > 0 {
		part = float64(done) / float64(all)
	}
	rate := float64(done) / size / time.Since(begun).Seconds()
	fmt.Fprintf(m.w, "\r%3.0f%%  %.4g of %.4g %s  %.0f %s/s ", math.Floor(100*part), float64(done)/size, float64(all)/size, unit, rate, unit)
}

// stop ends the line, once.
func (m *meter) stop() {
	m.once.Do(func() { close(m.quit) })
	m.idle.Wait()
}
