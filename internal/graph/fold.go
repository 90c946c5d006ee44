package graph

// Folder is a node that its operand may take over at no cost, where nothing else
// reads that operand.
type Folder interface {
	Node
	// Foldable is that operand.
	Foldable() Array
	// Fold says whether the node is alone in reading it.
	Fold(alone bool)
}

// fold lets operands take over what alone reads them. It changes the graph of xs
// in place; the elements of xs count as readers.
func fold(xs []Array) {
	readers := map[Array]int{}
	var folders []Folder
	var walk func(Array)
	walk = func(x Array) {
		readers[x]++
		n, ok := x.(Node)
		if !ok || readers[x] > 1 {
			return
		}
		if f, ok := n.(Folder); ok {
			f.Fold(false)
			folders = append(folders, f)
		}
		n.Operands(func(x *Array) { walk(*x) })
	}
	for _, x := range xs {
		walk(x)
	}
	for _, f := range folders {
		f.Fold(readers[f.Foldable()] == 1)
	}
}
