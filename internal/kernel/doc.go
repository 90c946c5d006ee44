// Package kernel holds the inner loops: they run over flat slices, one file
// per kind of loop, one implementation per instruction set (cpu.go says which
// there are), and the set is chosen once, at first use. The package knows the
// kinds of dtype; it never knows shapes, arrays or files.
//
// A loop stands in Go in X.go, which documents it, serves where there is no
// other, and is what the others are tested against. X_amd64.go puts the others
// in the table. Files with _stubs and files of assembly are written by _generate, a
// file for each family of loops, or for each instruction set or element type of one.
//
// An operand is a []byte of whole, native little-endian elements, aligned to
// the element's size. The lengths of a loop's operands must fit each other: a
// caller that passes others has a bug, and the loop panics or computes a part.
// Bools are bytes 0 and 1, and loops write no others.
//
// What a loop of the table writes is fixed to the last bit. It depends neither
// on the instruction set nor on the machine: each floating-point product that is
// added to something is rounded first, by an explicit conversion, because Go
// may otherwise fuse the two where the machine can (arm64), and transcendental
// functions are this package's own (elementary.go), because those of math have
// assembly on some machines. An implementation of a loop for another
// instruction set must write the same bytes as the one in Go.
//
// Products (product.go) and the softmax of attention (attention.go) fuse
// multiply and add where the machine can. All instruction sets that do write the
// same bytes; those of the generic level differ by rounding.
package kernel
