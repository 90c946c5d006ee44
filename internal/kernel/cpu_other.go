//go:build !amd64 || noasm

package kernel

func machineLevels() []string { return nil }

func (t *Table) vectorize(string) {}
