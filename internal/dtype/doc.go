// Package dtype knows the element types fusectl computes with, their sizes,
// their names and NumPy's promotion table. It never knows data, shapes or the
// spelling of types in file headers.
package dtype
