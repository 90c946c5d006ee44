package main

import (
	"go/ast"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// names holds all that documents may name in code font: the paths of the tree, and what its
// packages declare, as pkg.Name, pkg.Type.Method, Type.Method and Name.
type names struct{ paths, declared map[string]bool }

func (n names) declare(pkg, name string) {
	n.declared[pkg+"."] = true
	n.declared[pkg+"."+name] = true
	n.declared[name] = true
	n.declared[name[strings.LastIndex(name, ".")+1:]] = true
}

func namesOfTree(t *testing.T) names {
	t.Helper()
	n := names{map[string]bool{}, map[string]bool{}}
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() == ".git" {
			return fs.SkipDir
		}
		rel, err := filepath.Rel(root, p)
		n.paths[filepath.ToSlash(rel)] = true
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range goFiles(t) {
		pkg := f.pkg[strings.LastIndex(f.pkg, "/")+1:]
		for _, d := range f.ast.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				n.declare(pkg, receiver(d)+d.Name.Name)
			case *ast.GenDecl:
				for _, s := range d.Specs {
					switch s := s.(type) {
					case *ast.TypeSpec:
						n.declare(pkg, s.Name.Name)
						for _, member := range membersOf(s.Type) {
							n.declare(pkg, s.Name.Name+"."+member)
						}
					case *ast.ValueSpec:
						for _, id := range s.Names {
							n.declare(pkg, id.Name)
						}
					}
				}
			}
		}
	}
	return n
}

// receiver is the type that a method belongs to, with a dot; "" of a function.
func receiver(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return ""
	}
	e := f.Recv.List[0].Type
	if star, ok := e.(*ast.StarExpr); ok {
		e = star.X
	}
	if generic, ok := e.(*ast.IndexExpr); ok {
		e = generic.X
	}
	id, ok := e.(*ast.Ident)
	if !ok {
		return "?."
	}
	return id.Name + "."
}

// membersOf are the fields of a struct and the methods of an interface.
func membersOf(typ ast.Expr) (all []string) {
	var fields *ast.FieldList
	switch typ := typ.(type) {
	case *ast.StructType:
		fields = typ.Fields
	case *ast.InterfaceType:
		fields = typ.Methods
	default:
		return nil
	}
	for _, f := range fields.List {
		for _, id := range f.Names {
			all = append(all, id.Name)
		}
	}
	return all
}

var (
	codeFont  = regexp.MustCompile("`([^`\n]+)`")
	filePath  = regexp.MustCompile(`^[\w./-]*\w\.(go|s|md|txt|sh|py|mjs|fuse)$|^(cmd|internal|docs|bench|testdata)/[\w./-]+$`)
	qualified = regexp.MustCompile(`^([a-z]+)\.[A-Za-z]\w*(\.\w+)?$`)
	declared  = regexp.MustCompile(`^[A-Z]\w*\.[A-Z]\w*$|^[A-Z]+[a-z]\w*$|^[a-z]+[A-Z]\w*$`) // Type.Method, Name, camelCase
)

// stale lists the files and the declarations that a document names in code font and
// the tree doesn't have. A document may be in a folder of its own, but names paths
// from the root.
func (n names) stale(text string) (all []string) {
	for _, m := range codeFont.FindAllStringSubmatch(text, -1) {
		name := m[1]
		if filePath.MatchString(name) {
			if !n.paths[strings.TrimSuffix(name, "/")] {
				all = append(all, name)
			}
			continue
		}
		name, _, _ = strings.Cut(name, "(") // a call
		q := qualified.FindStringSubmatch(name)
		if (q != nil && n.declared[q[1]+"."] || declared.MatchString(name)) && !n.declared[name] {
			all = append(all, name)
		}
	}
	return all
}

// What CONTRIBUTING.md and docs/design.md name must be there: files, and what packages
// declare.
func TestDocumentsNameWhatThereIs(t *testing.T) {
	n := namesOfTree(t)
	for _, path := range []string{"CONTRIBUTING.md", "docs/design.md"} {
		text, err := os.ReadFile(filepath.Join("..", "..", path))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range n.stale(string(text)) {
			t.Errorf("%s names `%s`, which isn't there", path, name)
		}
	}
	const some = "`cmd/fusectl/env.go` `main.go` `graph.NoPlan` `npyio.File.Write` `internal/opera` `graph.Plan.WriteAt(x)` `ops.Add` `newEnv` " +
		"`cmd/fusectl/main.go` `graph.Array.Read` `kernel.Table.Add` `w.npy` `weights.npz` `Plan` `Plan.Undo` `os.Exit` `internal/ops` `newSession`"
	if got := strings.Join(n.stale(some), " "); got != "cmd/fusectl/env.go main.go graph.NoPlan npyio.File.Write internal/opera newEnv Plan.Undo" {
		t.Errorf("of names of which some are stale: %s", got)
	}
}

// docs/design.md lists each file of ops once, by what it is for.
func TestDesignListsTheFilesOfOps(t *testing.T) {
	text, err := os.ReadFile("../../docs/design.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "## The rooms of ops\n")
	section, _, _ = strings.Cut(section, "\n## ")
	listed := map[string]int{}
	for line := range strings.SplitSeq(section, "\n") {
		if strings.HasPrefix(line, "| ") {
			for _, m := range codeFont.FindAllStringSubmatch(line, -1) {
				listed[m[1]]++
			}
		}
	}
	delete(listed, "internal/ops") // the head of the table
	files, err := filepath.Glob("../../internal/ops/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), ".go")
		if strings.HasSuffix(name, "_test") || name == "doc" {
			continue
		}
		if listed[name] != 1 {
			t.Errorf("the table of docs/design.md lists %s %d times: want once", name, listed[name])
		}
		delete(listed, name)
	}
	for name := range listed {
		t.Errorf("the table of docs/design.md lists %s, which is no file of ops", name)
	}
}
