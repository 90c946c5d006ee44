package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"fusectl/internal/ops"
)

// The table of activations names each with its parameters and their defaults, and act has
// a flag for each of these.
func TestEveryActivationIsDocumented(t *testing.T) {
	reference, err := os.ReadFile("../../docs/reference.md")
	if err != nil {
		t.Fatal(err)
	}
	table, _ := section(string(reference), "Activations")
	act, _, err := newRootCommand(unbound(), "").Find([]string{"act"})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range ops.Activations() {
		row := regexp.MustCompile("(?m)^\\|[^|]*`" + a.Name + "`[^|]*\\|[^|]*\\|([^|]*)\\|").FindStringSubmatch(table)
		if row == nil {
			t.Errorf("docs/reference.md: the table of activations has no row for %s", a.Name)
			continue
		}
		for _, p := range a.Parameters {
			if flag := fmt.Sprintf("`--%s %.4g`", p.Name, p.Default); !strings.Contains(row[1], flag) {
				t.Errorf("docs/reference.md: %s has %s: the table says %q", a.Name, flag, row[1])
			}
			if act.Flags().Lookup(p.Name) == nil {
				t.Errorf("act has no flag --%s for %s", p.Name, a.Name)
			}
		}
		if !strings.Contains(act.Long, a.Name) {
			t.Errorf("the help of act doesn't list %s", a.Name)
		}
	}
}
