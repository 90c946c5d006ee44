// Package ops holds the operations, one file each: what shapes and dtypes an
// operation takes, and how it fills a run of its result from runs of its
// operands. It never knows files, flags or how headers spell dtypes.
//
// An operation is a function from arrays to an array. Calling it settles
// shapes and dtypes and makes every complaint about them, and computes
// nothing: package graph does.
package ops
