// Package kernel holds the inner loops: they run over flat slices, one file
// per kind of loop, one implementation per instruction set (cpu.go says which
// there are), and the set is chosen once, at first use. The package knows the
// kinds of dtype; it never knows shapes, arrays or files.
//
// A loop stands in Go in X.go, which documents it, serves where there is no
// other, and is what the others are tested against. X_amd64.go puts the others
// in the table. Assembly and its declarations in FAMILY_stubs_amd64.go are written
// by _generate: FAMILY_amd64.s, or a file for each instruction set
// (rows_avx2_amd64.s), element type and width of it.
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
// # Adding a loop
//
// A loop is a field of [Table], by the kind of its elements; there is no other
// form. Lerp, the blend of two rows, shows each part:
//
//   - the definition: the comment of Lerp in table.go says what is computed, to the
//     last bit, for which kinds, and which operands may be one;
//   - the loop in Go: lerp in lerp.go, put in the table by fillBlends in lerp.go, which
//     generic in table.go calls;
//   - the case: blendCases in cases_test.go computes the result by another way. All
//     cases run over all lengths around a vector, misaligned, in place, with canaries,
//     NaN, infinities and denormals, at every instruction set, and as benchmarks. A loop
//     of a form that no case has, such as LerpCols, has a test of its own, listed by
//     ownTests in table_test.go. TestEveryLoopHasACase in table_test.go names a field
//     without either;
//   - the generator, where assembly is worth it: lerp in _generate/blend.go is given
//     vectors, and loop in _generate/loops.go writes the loop around them. make generate
//     writes the assembly and its declarations, the stubs;
//   - the table of an instruction set: vectorizeBlends in blends_amd64.go gives whole
//     vectors to the assembly and the rest to the loop before it.
//
// Functions that are made of loops take the table ([Multiply], [AttentionBlock],
// [Pack]), and matrices as [Matrix]; those that move bytes and know no kind are plain
// ones ([CopyRows], [Fill], [Gather]). Where a caller has a function for each of the two
// kinds of float, [Instance] chooses.
//
// # Products
//
// Products (product.go) and the softmax of attention (attention.go) fuse
// multiply and add where the machine can. All instruction sets that do write the
// same bytes; those of the generic level differ by rounding.
package kernel
