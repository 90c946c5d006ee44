package kernel

// The assembly of this package is written by the program in _generate, which
// is a module of its own. CI runs it and wants no difference.
//
//go:generate go run -C _generate .
