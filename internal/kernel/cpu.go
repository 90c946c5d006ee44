package kernel

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
)

// CPUVariable is the environment variable that lowers the instruction set by
// hand, to one of the names that Levels gives.
const CPUVariable = "FUSECTL_CPU"

// genericLevel is the one that every machine has.
const genericLevel = "generic"

// Levels are the instruction sets that this build and this machine have loops
// for, the best first: avx512 (F, DQ, BW, VL), avx2 (with FMA and F16C),
// generic (plain Go, also all that a build with the tag noasm has).
func Levels() []string { return append(machineLevels(), genericLevel) }

// level is the one to use, and what is wrong with CPUVariable, if anything.
func level() (string, error) {
	levels := Levels()
	want := os.Getenv(CPUVariable)
	switch {
	case want == "":
		return levels[0], nil
	case !slices.Contains(levels, want):
		return levels[0], fmt.Errorf("no instruction set %q for %s: this machine and this build have %s", want, CPUVariable, strings.Join(levels, ", "))
	}
	return want, nil
}

// Active returns the table for this machine, or for what CPUVariable lowers
// it to. It is made at the first call, so that a program that computes nothing
// does no work for it.
var Active = sync.OnceValue(func() *Table {
	name, _ := level()
	return newTable(name)
})

// CheckCPU says what is wrong with the value of CPUVariable, if anything.
func CheckCPU() error {
	_, err := level()
	return err
}

// newTable makes the table of one of Levels.
func newTable(name string) *Table {
	t := generic()
	t.Name = name
	if name != genericLevel {
		t.vectorize(name)
	}
	return t
}
