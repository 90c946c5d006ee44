//go:build !unix

package npyio

// descriptorLimit is the number of descriptors that the process may have.
func descriptorLimit() int { return 1 << 20 }
