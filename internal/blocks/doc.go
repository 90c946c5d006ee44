// Package blocks holds what papers build of operations: pyramids,
// squeeze-and-excitation, CBAM, the modes of cross-modal fusion, attention with
// heads, projections and maps as sequences. It is written with what package ops
// exports, as a user's own block would be, and knows no files and no flags' types.
package blocks
