package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// The README's command lines must run as they stand, one after the other in
// one folder, and print what it shows. Those with Python in them need NumPy.
func TestInteropReadme(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	numpy := exec.Command("/usr/bin/python3", "-c", "import numpy").Run() == nil
	if !numpy && os.Getenv("FUSECTL_INTEROP") == "1" {
		t.Fatal("no NumPy")
	}
	dir, ran := t.TempDir(), 0
	for _, s := range sessions(string(text)) {
		line := s.command
		if strings.Contains(line, "python3") {
			if !numpy {
				continue
			}
			line = strings.ReplaceAll(line, "python3", "/usr/bin/python3")
		}
		cmd := exec.Command("sh", "-e", "-c", line)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", s.command, err, out)
		}
		if string(out) != s.prints {
			t.Errorf("%s\nprinted\n%sthe README shows\n%s", s.command, out, s.prints)
		}
		ran++
	}
	if ran < 5 {
		t.Fatalf("only %d command lines were found", ran)
	}
}

// transcript is a command line and what is printed below it.
type transcript struct{ command, prints string }

// sessions finds the indented blocks whose lines start with "$ ".
func sessions(text string) (all []transcript) {
	open := false
	for line := range strings.SplitSeq(text, "\n") {
		body, indented := strings.CutPrefix(line, "    ")
		command, isCommand := strings.CutPrefix(body, "$ ")
		switch {
		case indented && isCommand:
			all = append(all, transcript{command: command})
			open = true
		case !indented:
			open = false
		case open && strings.HasSuffix(all[len(all)-1].command, `\`):
			last := &all[len(all)-1]
			last.command = strings.TrimSuffix(last.command, `\`) + body
		case open:
			all[len(all)-1].prints += body + "\n"
		}
	}
	return all
}
