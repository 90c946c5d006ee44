package npyio

import (
	"context"
	"sync"
	"time"
)

// Pipes are the pipes that are read together. One process may feed several of
// them, and stop at one that isn't read; so where there are several, each is also
// read ahead: by a little, and as far as it goes while another one is waited for.
// It is safe for concurrent use.
type Pipes struct {
	mu       sync.Mutex
	moved    sync.Cond
	spools   []*spool      // of which the header has been read
	number   int           // of pipes
	waiting  int           // readers that wait for a pipe
	since    time.Time     // the first of them began to wait, or another one was served
	patience time.Duration // that is had with that
}

const (
	// ahead is the bytes that a pipe is read ahead of what is asked of it.
	ahead = 2 << 20
	// mostPatience is the time for which another pipe is waited for before this one is read
	// further ahead: producers that work side by side have their turns.
	mostPatience  = 50 * time.Millisecond
	leastPatience = 100 * time.Microsecond
)

// NewPipes is an empty set.
func NewPipes() *Pipes {
	p := &Pipes{patience: mostPatience}
	p.moved.L = &p.mu
	return p
}

// Await opens a pipe by open, and waits for it from now on, though it may have no
// writer yet.
func (p *Pipes) Await(open func() (*File, error)) (*File, error) {
	p.join()
	defer func() {
		p.opened(nil)
		p.mu.Lock()
		p.number--
		p.mu.Unlock()
	}()
	return open()
}

// join counts a pipe. While its header is read, it is waited for.
func (p *Pipes) join() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.number++
	p.wait()
	p.start()
}

// opened ends the wait for a header; s is nil where that failed.
func (p *Pipes) opened(s *spool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.arrived()
	if s != nil {
		p.spools = append(p.spools, s)
		p.start()
	}
}

// start has pipes that are several read ahead.
func (p *Pipes) start() {
	if p.number < 2 {
		return
	}
	for _, s := range p.spools {
		go s.run()
	}
	p.spools = nil
}

// wait counts a reader that waits.
func (p *Pipes) wait() {
	if p.waiting == 0 {
		p.since = time.Now()
	}
	p.waiting++
	if p.number > 1 {
		p.moved.Broadcast()
	}
}

// arrived ends the wait of a reader.
func (p *Pipes) arrived() {
	p.waiting--
	p.moved.Broadcast()
}

// starving reports whether another pipe than s has been waited for for long.
func (p *Pipes) starving(s *spool) bool {
	return p.waiting > s.waiting && time.Since(p.since) >= p.patience
}

// sleep waits until something has moved, or ctx has ended.
func (p *Pipes) sleep(ctx context.Context) {
	defer context.AfterFunc(ctx, p.wake)()
	p.moved.Wait()
}

// wake has everyone look again. It takes the lock, so that nobody is missed who
// is about to wait.
func (p *Pipes) wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.moved.Broadcast()
}
