package graph

import "sync"

// progress counts the part of a plan's cost that is done: of each stage, its share
// of tiles. It is safe for concurrent use.
type progress struct {
	all    Cost
	mu     sync.Mutex
	done   Cost
	stages map[Array]*stageProgress
}

// newProgress counts the bytes of the results among what is moved where they are
// written.
func newProgress(stages []stage, written bool) *progress {
	p := &progress{stages: map[Array]*stageProgress{}}
	for _, s := range stages {
		c := CostOf(s.x, isMaterialized)
		if s.into == nil && !written {
			c.Moved -= SizeOf(s.x)
		}
		p.all = p.all.plus(c)
		p.stages[s.x] = &stageProgress{all: c}
	}
	return p
}

// tile counts n elements of the stage x, and tells what is done with them.
func (p *progress) tile(x Array, n int64, tell func(done, all Cost)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.stages[x]
	before := s.all.share(s.done, x.Shape().Len())
	s.done += n
	after := s.all.share(s.done, x.Shape().Len())
	p.done = p.done.plus(Cost{after.Flops - before.Flops, after.Moved - before.Moved})
	tell(p.done, p.all)
}
