package main

import (
	"bufio"
	"os"
	"regexp"
	"strings"
	"testing"
)

// onnxLeast is the number of ONNX's node tests of fusion, pooling, products, elementwise
// arithmetic, reduction, normalisation and arrangement that have a command line at least.
const onnxLeast = 437

var partOfSplit = regexp.MustCompile(`-\d+$`)

// ONNX's node tests are golden cases, which TestGolden runs, and those that are none
// stand in a list with the reason.
func TestNodeTestsOfONNX(t *testing.T) {
	said := map[string]bool{}
	for _, c := range goldenCases(t) {
		if command, name, ok := strings.Cut(c.Name, "/onnx/"); ok {
			if command == "split" { // a case for each part
				name = partOfSplit.ReplaceAllString(name, "")
			}
			said[name] = true
		}
	}
	if len(said) < onnxLeast {
		t.Errorf("%d of ONNX's node tests are said, want %d", len(said), onnxLeast)
	}
	list, err := os.Open("../../testdata/onnx.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer list.Close()
	unsaid := 0
	for lines := bufio.NewScanner(list); lines.Scan(); unsaid++ {
		name, why, ok := strings.Cut(lines.Text(), ": ")
		if !ok || why == "" {
			t.Errorf("%q has no reason", lines.Text())
		}
		if said[name] {
			t.Errorf("%s is said, and stands among those that aren't", name)
		}
	}
	if unsaid == 0 || unsaid > len(said)/2 {
		t.Errorf("%d of ONNX's node tests aren't said, %d are", unsaid, len(said))
	}
}
