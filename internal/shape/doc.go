// Package shape is the integer algebra of arrays: element counts with
// overflow checks, broadcasting, axes, strides, coalescing, concatenation,
// reduction, layouts and patterns of named axes. It turns an operation's shapes
// into plans of flat runs. It never knows data.
package shape
