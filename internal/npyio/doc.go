// Package npyio knows the .npy format: headers, dtype codes, byte order,
// order in memory, pipes and atomic writing. It never knows operations.
//
// A File is a lazy array: its header has been read and checked, its elements
// are fetched when they are asked for. An Output is a file that takes its name
// only once it is complete.
//
// Everything in a file is taken for hostile. No number in a header is believed
// before it has been checked, nothing is allocated from it, nothing in a file
// is ever run, and what is quoted from a file in a message is escaped and cut.
//
// Elements in memory are little-endian, which is the native order of every
// machine that fusectl is built for. Big-endian files are decoded by gonpy.
package npyio
