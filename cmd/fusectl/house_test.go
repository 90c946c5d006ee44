package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// house says which packages of ours each package may import: the floors of
// docs/design.md. A package that isn't here is refused, so that whoever adds
// one gives it a floor.
var house = map[string][]string{
	"cmd/fusectl":              {"internal/recipe", "internal/picture", "internal/npyio", "internal/measure", "internal/blocks", "internal/ops", "internal/graph", "internal/kernel", "internal/shape", "internal/dtype"},
	"bench/kernels":            {"internal/blocks", "internal/ops", "internal/graph", "internal/kernel", "internal/shape", "internal/dtype"},
	"internal/blocks":          {"internal/ops", "internal/graph", "internal/shape", "internal/dtype"},
	"internal/measure":         {"internal/ops", "internal/graph", "internal/kernel", "internal/shape", "internal/dtype"},
	"internal/ops":             {"internal/graph", "internal/kernel", "internal/shape", "internal/dtype"},
	"internal/graph":           {"internal/kernel", "internal/shape", "internal/dtype"},
	"internal/graph/graphtest": {"internal/graph", "internal/kernel", "internal/shape", "internal/dtype"}, // for tests alone
	"internal/npyio":           {"internal/kernel", "internal/shape", "internal/dtype"},
	"internal/kernel":          {"internal/dtype"},
	"internal/recipe":          {},
	"internal/picture":         {},
	"internal/shape":           {},
	"internal/dtype":           {},
}

// guests says which package alone may import a module of others.
var guests = map[string]string{
	"github.com/spf13/cobra":    "cmd/fusectl",
	"github.com/spf13/pflag":    "cmd/fusectl",
	"golang.org/x/term":         "cmd/fusectl",
	"github.com/kshedden/gonpy": "internal/npyio",
	"gonum.org/v1/gonum":        "internal/kernel",
	"golang.org/x/image":        "internal/picture",
}

type goFile struct {
	path, pkg string // from the module's root
	test      bool
	ast       *ast.File
}

func goFiles(t *testing.T) (files []goFile) {
	t.Helper()
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && p != root && (d.Name() == "testdata" || d.Name() == "vendor" || strings.HasPrefix(d.Name(), ".") || strings.HasPrefix(d.Name(), "_")):
			return fs.SkipDir
		case d.IsDir() || filepath.Ext(p) != ".go":
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), p, nil, 0)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		rel = filepath.ToSlash(rel)
		files = append(files, goFile{rel, path.Dir(rel), strings.HasSuffix(rel, "_test.go"), f})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 50 {
		t.Fatalf("found only %d files: is this the module's root?", len(files))
	}
	return files
}

func TestImportsPointDown(t *testing.T) {
	for _, f := range goFiles(t) {
		below, known := house[f.pkg]
		if !known {
			t.Errorf("%s: package %s has no floor: give it one in docs/design.md and here", f.path, f.pkg)
		}
		if f.test {
			continue // a test may fetch what it compares with from anywhere
		}
		for _, im := range f.ast.Imports {
			name, err := strconv.Unquote(im.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if ours, ok := strings.CutPrefix(name, "fusectl/"); ok && !slices.Contains(below, ours) {
				t.Errorf("%s imports %s: %s may import %v of ours", f.path, ours, f.pkg, below)
			}
			for guest, host := range guests {
				if (name == guest || strings.HasPrefix(name, guest+"/")) && f.pkg != host {
					t.Errorf("%s imports %s, which is for %s alone", f.path, name, host)
				}
			}
		}
	}
}

// The two libraries that carry weight must go on carrying it.
func TestGuestsAreThere(t *testing.T) {
	found := map[string]bool{}
	for _, f := range goFiles(t) {
		for _, im := range f.ast.Imports {
			name, _ := strconv.Unquote(im.Path.Value)
			for guest := range guests {
				if !f.test && (name == guest || strings.HasPrefix(name, guest+"/")) {
					found[guest] = true
				}
			}
		}
	}
	for guest := range guests {
		if !found[guest] {
			t.Errorf("nothing imports %s", guest)
		}
	}
}

// A package that ends the process takes from its caller the chance to clean up
// and to say what failed: only main may.
func TestOnlyMainExits(t *testing.T) {
	ends := map[string][]string{
		"os": {"Exit"}, "log": {"Fatal", "Fatalf", "Fatalln"}, "syscall": {"Exit"}, "runtime": {"Goexit"},
	}
	for _, f := range goFiles(t) {
		if f.test {
			continue
		}
		for _, d := range f.ast.Decls {
			fn, _ := d.(*ast.FuncDecl)
			inMain := f.path == "cmd/fusectl/main.go" && fn != nil && fn.Recv == nil && fn.Name.Name == "main"
			ast.Inspect(d, func(n ast.Node) bool {
				sel, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				pkg, ok := sel.X.(*ast.Ident)
				if ok && slices.Contains(ends[pkg.Name], sel.Sel.Name) && !inMain {
					t.Errorf("%s ends the process by %s.%s", f.path, pkg.Name, sel.Sel.Name)
				}
				return true
			})
		}
	}
}

var pronoun = regexp.MustCompile(`^\w+ (is|are) (what|how|that|those|where|which|whether|when)\b`)

// A comment says what kind of thing is declared, by a noun or a verb: "x is what ..."
// says nothing to hold on to.
func TestCommentsNameTheirThing(t *testing.T) {
	for _, f := range goFiles(t) {
		ast.Inspect(f.ast, func(n ast.Node) bool {
			var doc *ast.CommentGroup
			switch d := n.(type) {
			case *ast.FuncDecl:
				doc = d.Doc
			case *ast.GenDecl:
				doc = d.Doc
			case *ast.TypeSpec:
				doc = d.Doc
			case *ast.ValueSpec:
				doc = d.Doc
			}
			if text := doc.Text(); pronoun.MatchString(text) {
				line, _, _ := strings.Cut(text, "\n")
				t.Errorf("%s: %q: say what it is or does, by a noun or a verb", f.path, line)
			}
			return true
		})
	}
}
