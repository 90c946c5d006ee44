package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"fusectl/internal/shape"
)

// The patterns that the reference shows must be patterns, with the sizes that stand
// behind them.
func TestPatternsOfTheReference(t *testing.T) {
	text, err := os.ReadFile("../../docs/reference.md")
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile("`'([^']*->[^']*)'`(?: `([\\w=,]+)`)?")
	for name, use := range map[string]shape.PatternUse{"`rearrange`": shape.ToRearrange, "`repeat`": shape.ToRepeat} {
		body, ok := section(string(text), name)
		rows := row.FindAllStringSubmatch(body, -1)
		if !ok || len(rows) < 5 {
			t.Fatalf("the section %s shows %d patterns", name, len(rows))
		}
		for _, m := range rows {
			var sizes list
			if m[2] != "" {
				sizes = strings.Split(m[2], ",")
			}
			if _, err := pattern(m[1], use, sizes); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}
