package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
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
}

func goldenCases(t testing.TB) []goldenCase {
	t.Helper()
	f, err := os.Open(filepath.Join(golden, "cases.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var cases []goldenCase
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var c goldenCase
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		cases = append(cases, c)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return cases
}

// Each case is run as a user would run it, by files in and a file out, with
// threads that change from case to case.
func TestGolden(t *testing.T) {
	cases := goldenCases(t)
	if len(cases) < 1000 {
		t.Fatalf("only %d cases", len(cases))
	}
	t.Chdir(golden)
	out := filepath.Join(t.TempDir(), "out.npy")
	sums := map[string][sha256.Size]byte{} // of what came out
	for i, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			args, out := append([]string{}, c.Args...), out
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
	wh, w, err := load(c.Want)
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
