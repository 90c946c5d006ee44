package main

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"fusectl/internal/dtype"
	"fusectl/internal/kernel"
	"fusectl/internal/npyio"
)

const golden = "../../testdata/golden"

// goldenCase is a command line and the array that a framework gave for it. See
// testdata/make/README.md.
type goldenCase struct {
	Name, Want, By string
	Out            string // where Args have outputs in {dir}, the one to compare
	Args           []string
	Tol            struct {
		Kind string
		N, X float64
		Why  string
	}

	dir string // where the files are that Args and Want name
}

var goldenInput = regexp.MustCompile(`\bin/[^,=:]+\.np[yz]`)

// args are the case's arguments with each input replaced by the path that
// replace gives for its absolute path; nil: by that path.
func (c goldenCase) args(replace func(path string) string) []string {
	args := slices.Clone(c.Args)
	for i, a := range args {
		args[i] = goldenInput.ReplaceAllStringFunc(a, func(name string) string {
			path := filepath.Join(c.dir, name)
			if replace != nil {
				path = replace(path)
			}
			return path
		})
	}
	return args
}

// goldenCases unpacks the golden arrays into files and gives the cases.
func goldenCases(t testing.TB) []goldenCase {
	t.Helper()
	dir := t.TempDir()
	folders, err := os.ReadDir(golden)
	if err != nil {
		t.Fatal(err)
	}
	var cases []goldenCase
	for _, f := range folders {
		from, to := filepath.Join(golden, f.Name()), filepath.Join(dir, f.Name())
		unpack(t, filepath.Join(from, "in.zip"), filepath.Join(to, "in"))
		unpack(t, filepath.Join(from, "want.npz"), filepath.Join(to, "want"))
		text, err := os.ReadFile(filepath.Join(from, "cases.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		for lines := json.NewDecoder(bytes.NewReader(text)); lines.More(); {
			var c goldenCase
			if err := lines.Decode(&c); err != nil {
				t.Fatal(err)
			}
			c.dir = to
			cases = append(cases, c)
		}
	}
	if len(cases) < 1000 {
		t.Fatalf("only %d cases", len(cases))
	}
	return cases
}

// unpack writes the members of an archive to files in a new folder.
func unpack(t testing.TB, archive, dir string) {
	t.Helper()
	z, err := zip.OpenReader(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	if err := os.CopyFS(dir, z); err != nil {
		t.Fatal(err)
	}
}

// Each case is run as a user would run it, by files in and a file out, with
// threads that change from case to case.
func TestGolden(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out.npy")
	sums := map[string][sha256.Size]byte{} // of what came out
	for i, c := range goldenCases(t) {
		t.Run(c.Name, func(t *testing.T) {
			args, out := c.args(nil), out
			if c.Out == "" {
				args = append(args, "-o", out)
			} else {
				dir := t.TempDir()
				for j, a := range args {
					args[j] = strings.ReplaceAll(a, "{dir}", dir)
				}
				out = filepath.Join(dir, c.Out)
			}
			args = append(args, fmt.Sprintf("--threads=%d", 1+i%3))
			if status, stderr := fusectl(t, args...); status != 0 {
				t.Fatalf("fusectl %s: status %d\n%s", strings.Join(c.Args, " "), status, stderr)
			}
			if err := compare(out, c); err != nil {
				t.Errorf("fusectl %s: %v\nwanted by %s", strings.Join(c.Args, " "), err, c.By)
			}
			data, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			sums[c.Name] = sha256.Sum256(data)
		})
	}
	if path := os.Getenv(goldenSums); path != "" {
		if err := os.WriteFile(path, fmt.Appendln(nil, sums), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// fusectl runs the program in this process, with nothing on standard input and
// output.
func fusectl(t testing.TB, args ...string) (status int, stderr string) {
	t.Helper()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	errs, err := os.CreateTemp(t.TempDir(), "stderr")
	if err != nil {
		t.Fatal(err)
	}
	defer errs.Close()
	status = run(args, null, null, errs)
	text, err := os.ReadFile(errs.Name())
	if err != nil {
		t.Fatal(err)
	}
	return status, string(text)
}

// load reads a C-order array whole.
func load(path string) (npyio.Header, []byte, error) {
	f, err := npyio.Open(path, npyio.Options{})
	if err != nil {
		return npyio.Header{}, nil, err
	}
	defer f.Close()
	h := f.Header()
	if h.FortranOrder {
		return h, nil, fmt.Errorf("%s is in Fortran order", path)
	}
	data := kernel.Alloc(int(h.Shape.Len()) * h.DType.Size())
	return h, data, f.Read(context.Background(), data, 0)
}

func compare(got string, c goldenCase) error {
	gh, g, err := load(got)
	if err != nil {
		return err
	}
	wh, w, err := load(filepath.Join(c.dir, c.Want))
	if err != nil {
		return err
	}
	if gh.DType != wh.DType || !gh.Shape.Equal(wh.Shape) {
		return fmt.Errorf("got %v %v, want %v %v", gh.DType, gh.Shape, wh.DType, wh.Shape)
	}
	if bytes.Equal(g, w) {
		return nil
	}
	if c.Tol.Kind != "exact" && c.Tol.Why == "" {
		return fmt.Errorf("the tolerance has no reason")
	}
	t := wh.DType
	if !t.IsFloat() && !t.IsComplex() {
		return fmt.Errorf("bytes differ: got %v, want %v", g, w)
	}
	gv, wv := components(t, g), components(t, w)
	largest := 0.0
	for _, x := range wv {
		if x-x == 0 { // finite
			largest = max(largest, math.Abs(x))
		}
	}
	for i, want := range wv {
		got := gv[i]
		if got == want && (c.Tol.Kind != "exact" || math.Signbit(got) == math.Signbit(want)) || got != got && want != want {
			continue
		}
		off := math.Abs(got - want)
		switch c.Tol.Kind {
		case "ulp":
			if off <= c.Tol.N*ulp(t, want) {
				continue
			}
		case "rel":
			if off <= c.Tol.X*largest {
				continue
			}
		}
		return fmt.Errorf("element %d: got %v, want %v: off by %.3g, %.3g ulp, %.3g of the largest; allowed %s %v", i, got, want,
			off, off/ulp(t, want), off/largest, c.Tol.Kind, c.Tol.N+c.Tol.X)
	}
	return nil
}

// components is the numbers of an array in float64, complex ones as two.
func components(t dtype.Type, data []byte) []float64 {
	from := t
	switch t {
	case dtype.Complex64:
		from = dtype.Float32
	case dtype.Complex128:
		from = dtype.Float64
	}
	out := kernel.Alloc(len(data) / from.Size() * 8)
	kernel.Active().Convert[from.Kind()][dtype.KindFloat64](out, data)
	return kernel.View[float64](out)
}

// ulp is the distance from x to the next number of t, or of its parts, away
// from 0.
func ulp(t dtype.Type, x float64) float64 {
	switch t {
	case dtype.Complex64:
		t = dtype.Float32
	case dtype.Complex128:
		t = dtype.Float64
	}
	return t.ULP(x)
}
