package kernel

import (
	"bytes"
	"os"
	"regexp"
	"testing"
)

// TestDocNamesWhatIsThere looks up each "name in file.go" of the package's
// documentation on how a loop is added.
func TestDocNamesWhatIsThere(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, doc, _ = bytes.Cut(doc, []byte("# Adding a loop"))
	named := regexp.MustCompile(`(\w+) in ((?:\w+/)?\w+\.go)`).FindAllSubmatch(doc, -1)
	if len(named) < 5 {
		t.Errorf("%d names", len(named))
	}
	for _, m := range named {
		text, err := os.ReadFile(string(m[2]))
		if err != nil {
			t.Error(err)
		} else if !regexp.MustCompile(`(?m)^(func |var )(\(.*\) )?` + string(m[1]) + `\b|^\t` + string(m[1]) + ` `).Match(text) {
			t.Errorf("%s has no %s", m[2], m[1])
		}
	}
}
