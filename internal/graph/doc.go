// Package graph holds the lazy array and what computes it: which arrays are
// materialised, in which order and in which tiles, by how many workers and in
// how much memory. It knows no operation: a node tells what it reads and what
// that costs by the methods of Node and the small interfaces beside it (Tiler,
// RegionReader, Arithmetic, OnceReader, Sequential, Regional, Scatterer).
//
// NewPlan lays a graph out, and the plan's writers compute it. Which tiles, and
// how many workers, never changes a byte of the result.
package graph
