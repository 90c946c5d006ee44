package graph

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
