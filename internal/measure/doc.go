// Package measure holds what reads an array and gives no array: statistics, the
// comparison of two arrays, an array's values. The work is that of the tile
// engine of package graph, whose tiles come here in place of a file.
package measure
