package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// documents holds the texts that must name each command: see CONTRIBUTING.md.
type documents struct {
	readme, reference string
	scripts           string   // all of testdata/script
	golden            []string // the first words of the golden cases' command lines
}

func readDocuments(t *testing.T) (d documents) {
	t.Helper()
	read := func(path string) string {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	d.readme, d.reference = read("../../README.md"), read("../../docs/reference.md")
	scripts, err := filepath.Glob("testdata/script/*.txt")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("%d scripts, %v", len(scripts), err)
	}
	for _, path := range scripts {
		d.scripts += read(path)
	}
	for _, c := range goldenCases(t) {
		d.golden = append(d.golden, c.Args[0])
	}
	return d
}

// everywhere is the section of the reference with the flags that commands share.
const everywhere = "Flags of every command"

// section is the text below a heading, up to the next one of its level or above.
func section(text, heading string) (body string, ok bool) {
	at := regexp.MustCompile("(?m)^(#+) " + regexp.QuoteMeta(heading) + "$").FindStringSubmatchIndex(text)
	if at == nil {
		return "", false
	}
	body = text[at[1]:]
	if end := regexp.MustCompile(fmt.Sprintf("(?m)^#{1,%d} ", at[3]-at[2])).FindStringIndex(body); end != nil {
		body = body[:end[0]]
	}
	return body, true
}

// forgotten lists what a command lacks: the file, and what to add to it.
func (d documents) forgotten(c command, cmd *cobra.Command) (all []string) {
	lacks := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	if row := regexp.MustCompile("(?m)^\\|[^|]*`" + c.name + "[ `]"); !row.MatchString(d.readme) {
		lacks("README.md: add a row for `%s` to the table of commands", c.name)
	}
	own, ok := section(d.reference, "`"+c.name+"`")
	if !ok {
		lacks("docs/reference.md: add a section ### `%s`", c.name)
	}
	shared, _ := section(d.reference, everywhere)
	cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
		named := regexp.MustCompile(`--` + f.Name + `([^a-z0-9-]|$)`)
		if f.Name != "help" && ok && !named.MatchString(own) && !named.MatchString(shared) {
			lacks("docs/reference.md: say in the section ### `%s` what --%s does", c.name, f.Name)
		}
	})
	if shown := regexp.MustCompile(`\b(fusectl|then) ` + c.name + `(\s|$)`); !shown.MatchString(cmd.Example) {
		lacks("cmd/fusectl: add to the Example of %s a line that uses it; examples_test.go runs it", c.name)
	}
	if c.group != "other" && !slices.Contains(d.golden, c.name) {
		lacks("testdata/make: add a golden case that begins with %s to one of the scripts, and run make golden", c.name)
	}
	if used := regexp.MustCompile(`(?m)(\bfusectl |\bfails \d+ (<\S+ )?|\bthen | = )` + c.name + `\b`); !used.MatchString(d.scripts) {
		lacks("cmd/fusectl/testdata/script: use %s in a script", c.name)
	}
	return all
}

func TestNothingIsForgottenOfACommand(t *testing.T) {
	d := readDocuments(t)
	root := newRootCommand(unbound(), "")
	root.PersistentFlags().VisitAll(func(f *pflag.Flag) {
		if shared, _ := section(d.reference, everywhere); !strings.Contains(shared, "--"+f.Name) {
			t.Errorf("docs/reference.md: say in the section %q what --%s does", everywhere, f.Name)
		}
	})
	for _, c := range commands() {
		cmd, _, err := root.Find([]string{c.name})
		if err != nil || cmd.Name() != c.name {
			t.Errorf("cmd/fusectl: the Use of %s begins with %q", c.name, cmd.Name())
			continue
		}
		for _, what := range d.forgotten(c, cmd) {
			t.Error(what)
		}
	}
}

// A command that has everything, and then lacks one thing after the other, to see
// that each is missed.
func TestWhatIsForgottenIsNamed(t *testing.T) {
	whole := documents{
		readme:    "| command | what |\n|---|---|\n| `warp X` | bends space |\n",
		reference: "## Commands\n\n### `warp`\n\nBends by `--factor`.\n\n### Flags of every command\n\n`--null`\n\n## Numbers\n\n`--depth`\n",
		scripts:   "fusectl add a.npy b.npy -o c.npy\nfails 2 warp a.npy\n",
		golden:    []string{"add", "warp"},
	}
	build := func(example string, flags ...string) *cobra.Command {
		cmd := &cobra.Command{Use: "warp X", Example: example}
		for _, f := range append(flags, "factor", "null") {
			cmd.Flags().String(f, "", "")
		}
		return cmd
	}
	const example = "  fusectl warp a.npy --factor 9 -o b.npy"
	for _, c := range []struct {
		lack  string // what is taken away
		take  func(d *documents)
		cmd   *cobra.Command
		names string // what the message must say; "": nothing is missed
	}{
		{"nothing", func(*documents) {}, build(example), ""},
		{"the row", func(d *documents) { d.readme = "`warp` bends\n| `add`, `warper` | `warp` |\n" }, build(example), "README.md"},
		{"the section", func(d *documents) { d.reference = strings.Replace(d.reference, "### `warp`", "### `wrap`", 1) }, build(example), "docs/reference.md"},
		{"a flag, which another section has", func(*documents) {}, build(example, "depth"), "--depth"},
		{"a flag, of which there is a longer one", func(d *documents) { d.reference = strings.Replace(d.reference, "--factor", "--factor-mode", 1) }, build(example), "--factor"},
		{"the example", func(*documents) {}, build("  fusectl warper a.npy then gap"), "Example"},
		{"the golden case", func(d *documents) { d.golden = d.golden[:1] }, build(example), "testdata/make"},
		{"the script", func(d *documents) { d.scripts = "fails 2 unwarp\n# warp\nstdout warp\n" }, build(example), "testdata/script"},
	} {
		d := whole
		c.take(&d)
		missed := d.forgotten(command{name: "warp", group: "fuse"}, c.cmd)
		switch {
		case c.names == "" && len(missed) > 0:
			t.Errorf("without %s: %q is missed", c.lack, missed)
		case c.names != "" && (len(missed) != 1 || !strings.Contains(missed[0], c.names) || !strings.Contains(missed[0], "warp")):
			t.Errorf("without %s: %q is missed, want one line with %q in it", c.lack, missed, c.names)
		}
	}
	if d := (documents{}); len(d.forgotten(command{name: "warp", group: "other"}, build(example))) != 3 {
		t.Error("a command around the operations has no golden case")
	}
}
