package main

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/term"
)

// meter shows progress on standard error while work lasts.
type meter struct {
	w     io.Writer
	total int64
	after time.Duration // before the first line: short work shows none
	on    bool
	done  atomic.Int64
	quit  chan struct{}
	idle  sync.WaitGroup
	once  sync.Once
}

const meterPeriod = 200 * time.Millisecond

func newMeter(e *env) *meter {
	m := &meter{w: e.stderr, after: time.Second, quit: make(chan struct{})}
	switch e.progress.value {
	case "always":
		m.on, m.after = true, 0
	case "auto":
		m.on = !e.quiet && term.IsTerminal(int(e.stderr.Fd()))
	}
	return m
}

func (m *meter) add(bytes int64) { m.done.Add(bytes) }

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

func (m *meter) show(begun time.Time) {
	done, total := m.done.Load(), max(m.total, 1)
	rate := float64(done) / time.Since(begun).Seconds() / (1 << 20)
	fmt.Fprintf(m.w, "\r%3d%%  %d of %d MiB  %.0f MiB/s ", done*100/total, done>>20, total>>20, rate)
}

// stop ends the line, once.
func (m *meter) stop() {
	m.once.Do(func() { close(m.quit) })
	m.idle.Wait()
}
