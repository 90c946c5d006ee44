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

// entry is the place where the store keeps x; nil where it doesn't.
func (s *Store) entry(x Array) *kept {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	d, ok := x.(Derived)
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

// bytes is the size of all that the store holds.
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
