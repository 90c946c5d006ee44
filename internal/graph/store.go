package graph

import "sync"

// Store keeps materialised arrays from one plan to the next: what jobs of one process
// make of the sources that they share, such as the panels of a weight. It is safe
// for concurrent use; nil keeps nothing.
type Store struct {
	mu     sync.Mutex
	shared map[Array]bool
	kept   map[keptKey]*kept
	size   int64 // of what is kept
}

// Derived is a node that depends on one source alone, by moving and converting its
// elements.
type Derived interface {
	// Derivation is that source and how the node is made of it: nodes of one
	// derivation have the same elements. The source is nil where it can't be told.
	Derivation() (source Array, how string)
}

type keptKey struct {
	source Array
	how    string
}

// kept is an array in a store; whoever fills it holds mu.
type kept struct {
	store *Store
	mu    sync.Mutex
	data  []byte // nil: not yet
}

// NewStore is an empty store.
func NewStore() *Store {
	return &Store{shared: map[Array]bool{}, kept: map[keptKey]*kept{}}
}

// Share says that plans to come read a source again.
func (s *Store) Share(source Array) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shared[source] = true
}

// entry is where the store keeps h; nil where it doesn't.
func (s *Store) entry(h *Materialized) *kept {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	d, ok := h.of.(Derived)
	if !ok || len(s.shared) == 0 {
		return nil
	}
	source, how := d.Derivation()
	if source == nil || !s.shared[source] {
		return nil
	}
	key := keptKey{source, how}
	if s.kept[key] == nil {
		s.kept[key] = &kept{store: s}
	}
	return s.kept[key]
}

// bytes is how much the store holds.
func (s *Store) bytes() int64 {
	if s == nil {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.size
}

// fill is the array, which compute makes unless it is there.
func (k *kept) fill(compute func() ([]byte, error)) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.data != nil {
		return k.data, nil
	}
	data, err := compute()
	if err != nil {
		return nil, err
	}
	k.data = data
	k.store.mu.Lock()
	defer k.store.mu.Unlock()
	k.store.size += int64(len(data))
	return data, nil
}

// keep finds which arrays of the plan the store keeps, and takes those that it has.
func (p *Plan) keep() {
	has := int64(0)
	seen := map[Node]bool{}
	var walk func(Array)
	walk = func(x Array) {
		n, ok := x.(Node)
		if !ok || seen[n] {
			return
		}
		seen[n] = true
		n.Operands(func(x *Array) { walk(*x) })
		h, ok := n.(*Materialized)
		if !ok {
			return
		}
		h.kept = p.o.Store.entry(h)
		if h.kept == nil {
			return
		}
		p.kept += SizeOf(h)
		h.kept.mu.Lock()
		defer h.kept.mu.Unlock()
		if h.data = h.kept.data; h.data != nil {
			has += SizeOf(h)
		}
	}
	for _, x := range p.outs {
		walk(x)
	}
	p.o.Base += p.o.Store.bytes() - has // what other plans have left there
}
