package graph

// Options say how a graph is computed. No byte of the result depends on them.
type Options struct {
	Threads  int                  // workers; at least 1
	Memory   int64                // ceiling for what Plan.Memory counts; 0: none
	Base     int64                // bytes that the program takes by itself
	Tile     int64                // bytes a tile aims at; 0: DefaultTile
	InOrder  bool                 // results are written by WriteTo
	Only     bool                 // no other plan reads the sources after this one, but those that the store shares
	Store    *Store               // keeps arrays from plan to plan; may be nil
	Progress func(done, all Cost) // told at the beginning and after each tile, in turn; may be nil
}

// DefaultTile is the bytes a tile aims at: small enough to stay in the
// second-level cache with what it is computed from, large enough that the
// system calls that move it cost little.
const DefaultTile = 512 << 10

// stage is an array that is computed as a whole: into memory, or as a result.
type stage struct {
	x     Array
	into  *Materialized   // nil: it is a result
	frees []*Materialized // what no later stage reads
	done  []Keeper        // likewise
}
