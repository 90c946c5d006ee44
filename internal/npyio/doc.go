// Package npyio knows the .npy format and .npz, its archives: headers, dtype
// codes, byte order, order in memory, pipes and atomic writing. It never knows
// operations.
//
// A File is a lazy array: its header has been read and checked, its elements
// are fetched when they are asked for. An Archive is a .npz file, whose members
// are Files. An Output is a file, or a member of an archive, that takes its
// name only once it is complete; Outputs are several that do so together.
//
// Everything in a file is taken for hostile. No number in a header is believed
// before it has been checked, nothing is allocated from it, nothing in a file
// is ever run, and what is quoted from a file in a message is escaped and cut.
//
// Elements in memory are little-endian, which is the native order of every
// machine that fusectl is built for. Big-endian files are decoded by gonpy.
package npyio
