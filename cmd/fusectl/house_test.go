package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
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
		f, err := parser.ParseFile(token.NewFileSet(), p, nil, parser.ParseComments)
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

// vagueComments lists the first lines of a file's comments on declarations that say
// no noun: "x is what ...".
func vagueComments(f *ast.File) (all []string) {
	ast.Inspect(f, func(n ast.Node) bool {
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
			all = append(all, line)
		}
		return true
	})
	return all
}

// A comment says what kind of thing is declared, by a noun or a verb: "x is what ..."
// says nothing to hold on to.
func TestCommentsNameTheirThing(t *testing.T) {
	for _, f := range goFiles(t) {
		for _, line := range vagueComments(f.ast) {
			t.Errorf("%s: %q: say what it is or does, by a noun or a verb", f.path, line)
		}
	}
	const source = "package p\n\n// f is what g calls.\nfunc f() {}\n\n// c is how it goes.\nconst c = 1\n\n// t is a type that is what it is.\ntype t int\n"
	f, err := parser.ParseFile(token.NewFileSet(), "p.go", source, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	if all := vagueComments(f); len(all) != 2 {
		t.Errorf("of three comments, two of which say nothing: %q", all)
	}
}

// noImports gives empty packages: what a package's files name of one another is
// found without knowing others.
type noImports struct{}

func (noImports) Import(p string) (*types.Package, error) {
	pkg := types.NewPackage(p, path.Base(p))
	pkg.MarkComplete()
	return pkg, nil
}

// filesNamedBy are, for each file of a package, the others that declare what it names.
func filesNamedBy(t *testing.T, pkg string) map[string][]string {
	t.Helper()
	fset := token.NewFileSet()
	paths, err := filepath.Glob(filepath.Join("..", "..", filepath.FromSlash(pkg), "*.go"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s: %d files, %v", pkg, len(paths), err)
	}
	var files []*ast.File
	for _, p := range paths {
		if strings.HasSuffix(p, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, p, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	uses := map[*ast.Ident]types.Object{}
	conf := types.Config{Importer: noImports{}, Error: func(error) {}} // of names in the packages that are empty
	checked, _ := conf.Check(pkg, fset, files, &types.Info{Uses: uses})
	named := map[string][]string{}
	for id, o := range uses {
		from, to := filepath.Base(fset.Position(id.Pos()).Filename), filepath.Base(fset.Position(o.Pos()).Filename)
		if o.Pkg() == checked && from != to && !slices.Contains(named[from], to) {
			named[from] = append(named[from], to)
		}
	}
	return named
}

// circle is a way from a file back to itself; nil if there is none.
func circle(named map[string][]string) []string {
	done := map[string]bool{}
	var way []string
	var walk func(string) []string
	walk = func(f string) []string {
		if i := slices.Index(way, f); i >= 0 {
			return append(slices.Clone(way[i:]), f)
		}
		if done[f] {
			return nil
		}
		way = append(way, f)
		for _, next := range named[f] {
			if c := walk(next); c != nil {
				return c
			}
		}
		way, done[f] = way[:len(way)-1], true
		return nil
	}
	for f := range named {
		if c := walk(f); c != nil {
			return c
		}
	}
	return nil
}

// The files of a package stand on floors, too: none names what one above it declares.
func TestFilesPointDown(t *testing.T) {
	for _, pkg := range []string{"internal/graph", "internal/ops", "internal/blocks", "internal/measure"} {
		named := filesNamedBy(t, pkg)
		if c := circle(named); c != nil {
			t.Errorf("%s: files name each other in a circle: %s", pkg, strings.Join(c, " -> "))
		}
		if pkg == "internal/ops" && (len(named) < 20 || !slices.Contains(named["conv.go"], "window.go")) {
			t.Errorf("%s: found the names of only %d files", pkg, len(named))
		}
	}
	if c := circle(map[string][]string{"a": {"b"}, "b": {"c"}, "c": {"b"}}); len(c) != 3 {
		t.Errorf("of a circle of two: %v", c)
	}
}
