// Package ops holds the lazy array, the tile engine that computes it, and the
// operations, one file each: what shapes and dtypes an operation takes, and
// how it fills a run of its result from runs of its inputs. It never knows
// files, flags or how headers spell dtypes.
//
// An operation is a function from arrays to an array. Calling it settles
// shapes and dtypes and makes every complaint about them, and computes
// nothing. NewPlan lays the graph out, and the plan's writers compute it, tile
// by tile, on several workers. Which tiles, and how many workers, never
// changes a byte of the result.
package ops
