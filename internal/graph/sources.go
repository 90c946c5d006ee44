package graph

// Keeper is a source that can't be read at any place at any time, such as a pipe,
// and so keeps some of what it has read in memory, and more of it elsewhere.
type Keeper interface {
	Array
	// ReadOnce says that from now on no element is read twice, and that readers
	// go forward: what has been read need not be kept.
	ReadOnce()
	// Keeps is the bytes of memory that it takes at most while it is read, and
	// before that.
	Keeps() (reading, before int64)
	// Release lets go of what is kept: it isn't read any more.
	Release()
}

// OnceReader is a node that reads an operand once, from front to back, where it
// is itself read so.
type OnceReader interface {
	// ReadsOnce says which operands those are, if every element of the node is read
	// once, in runs from one multiple of unit to another, and of what the operand's
	// runs are then multiples.
	ReadsOnce(unit int64, say func(operand *Array, unit int64))
}

// Sequential is a node that may read its operands one after the other.
type Sequential interface{ ReadsInTurn() bool }

// readOnce finds the sources of which the stages read no element twice.
func readOnce(stages []stage, o Options) map[Keeper]bool {
	seen, twice := map[Array]bool{}, map[Array]bool{}
	found := map[Keeper]bool{}
	var walk func(x Array, unit int64, ok bool)
	walk = func(x Array, unit int64, ok bool) {
		if twice[x] {
			return
		}
		if seen[x] {
			ok = false
		}
		seen[x] = true
		if !ok {
			twice[x] = true
		}
		if k, keeps := x.(Keeper); keeps {
			found[k] = ok
			return
		}
		n, isNode := x.(Node)
		if !isNode {
			return
		}
		if _, held := x.(*Materialized); held {
			return // a stage of its own fills it
		}
		units := map[*Array]int64{}
		if r, reads := x.(OnceReader); reads && ok {
			r.ReadsOnce(unit, func(x *Array, of int64) { units[x] = of })
		}
		n.Operands(func(x *Array) {
			of, once := units[x]
			walk(*x, of, once)
		})
	}
	for _, s := range stages {
		t := newTiles(s.x, o, o.InOrder && s.into == nil)
		unit := t.step
		if t.count == 1 {
			unit = t.total
		}
		walk(s.x, unit, t.Rows <= 1 && unit > 0)
	}
	return found
}

// keeping is the bytes that the sources of x keep while it is computed.
func (p *Plan) keeping(x Array) int64 {
	seen := map[Array]bool{}
	var walk func(Array) (bytes int64, once bool)
	walk = func(x Array) (bytes int64, once bool) {
		if seen[x] {
			return 0, true
		}
		seen[x] = true
		if k, ok := x.(Keeper); ok {
			bytes, _ = k.Keeps()
			return bytes, p.once[k]
		}
		n, ok := x.(Node)
		if _, held := x.(*Materialized); held || !ok {
			return 0, true
		}
		once = true
		most := int64(0)
		for _, in := range Operands(n) {
			b, o := walk(in)
			bytes, most, once = bytes+b, max(most, b), once && o
		}
		if t, ok := x.(Sequential); ok && once && t.ReadsInTurn() {
			bytes = min(bytes, 2*int64(p.o.Threads)*most)
		}
		return bytes, once
	}
	bytes, _ := walk(x)
	return bytes
}

// ahead is the bytes that pipes keep before or between the stages that read
// them: where there are several they are read ahead.
func (p *Plan) ahead(i int) (bytes int64) {
	if len(p.pipes) < 2 {
		return 0
	}
	for _, f := range p.pipes {
		reads := false
		sourcesUnder(p.stages[i].x, func(x Array) { reads = reads || x == Array(f.Keeper) })
		if i <= f.last && !reads {
			_, before := f.Keeps()
			bytes += before
		}
	}
	return bytes
}

// sourcesUnder calls f for each source that computing x reads, down to held
// arrays.
func sourcesUnder(x Array, f func(Array)) {
	if _, ok := x.(Node); !ok {
		f(x)
	}
	seen := map[Array]bool{}
	nodesUnder(x, func(n Node) {
		if _, held := n.(*Materialized); held {
			return
		}
		for _, in := range Operands(n) {
			if _, ok := in.(Node); !ok && !seen[in] {
				seen[in] = true
				f(in)
			}
		}
	})
}
