package main

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"fusectl/internal/dtype"
	"fusectl/internal/kernel"
	"fusectl/internal/npyio"
)

const golden = "../../testdata/golden"

// goldenUnpacked is the environment variable that names the folder where another
// process has unpacked the golden arrays.
const goldenUnpacked = "FUSECTL_GOLDEN_UNPACKED"

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

	dir     string // where the files are that Args and Want name
	threads string // a flag; their number changes from case to case
}

// goldenCases gives the golden cases. Their arrays are unpacked into files once
// for all tests.
func goldenCases(t testing.TB) []goldenCase {
	t.Helper()
	cases, err := readGoldenCases()
	if err != nil {
		t.Fatal(err)
	}
	if len(cases) < 4000 {
		t.Fatalf("only %d cases", len(cases))
	}
	return cases
}

var readGoldenCases = sync.OnceValues(func() (cases []goldenCase, err error) {
	dir, unpacked := os.LookupEnv(goldenUnpacked)
	if !unpacked {
		dir = filepath.Join(sharedFolder, "golden")
	}
	folders, err := os.ReadDir(golden)
	if err != nil {
		return nil, err
	}
	for _, f := range folders {
		from, to := filepath.Join(golden, f.Name()), filepath.Join(dir, f.Name())
		if !unpacked {
			err = errors.Join(unpack(filepath.Join(from, "in.zip"), filepath.Join(to, "in")), unpack(filepath.Join(from, "want.npz"), filepath.Join(to, "want")))
			if err != nil {
				return nil, err
			}
		}
		text, err := os.ReadFile(filepath.Join(from, "cases.jsonl"))
		if err != nil {
			return nil, err
		}
		for lines := json.NewDecoder(bytes.NewReader(text)); lines.More(); {
			c := goldenCase{dir: to, threads: fmt.Sprintf("--threads=%d", 1+len(cases)%3)}
			if err := lines.Decode(&c); err != nil {
				return nil, err
			}
			cases = append(cases, c)
		}
	}
	return cases, nil
})

// unpack writes the members of an archive to files in a new folder.
func unpack(archive, dir string) error {
	z, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	defer z.Close()
	return os.CopyFS(dir, z)
}

var goldenInput = regexp.MustCompile(`\bin/[^,=:]+\.np[yz]`)

// args are the case's arguments, which name each input as rename does, given its
// path.
func (c goldenCase) args(rename func(path string) string) []string {
	args := slices.Clone(c.Args)
	for i, a := range args {
		args[i] = goldenInput.ReplaceAllStringFunc(a, func(name string) string { return rename(filepath.Join(c.dir, name)) })
	}
	return args
}

// goldenSums holds the sum of what each golden case, by its name, gave by files.
var goldenSums sync.Map

// byFiles runs the case as a user would run it, by files in and a file out, which
// it writes in dir.
func (c goldenCase) byFiles(t *testing.T, dir string) (out string) {
	t.Helper()
	args := c.args(func(path string) string { return path })
	if c.Out == "" {
		out = filepath.Join(dir, "out.npy")
		args = append(args, "-o", out)
	} else {
		dir = t.TempDir()
		out = filepath.Join(dir, c.Out)
		for i, a := range args {
			args[i] = strings.ReplaceAll(a, "{dir}", dir)
		}
	}
	if status, stderr := fusectl(t, append(args, c.threads)...); status != 0 {
		t.Fatalf("%v: status %d\n%s", c, status, stderr)
	}
	goldenSums.Store(c.Name, sum(t, out))
	return out
}

// sum gives the sum of the case's result by files, and runs it unless it has been.
func (c goldenCase) sum(t *testing.T) string {
	t.Helper()
	if _, ok := goldenSums.Load(c.Name); !ok {
		c.byFiles(t, t.TempDir())
	}
	s, _ := goldenSums.Load(c.Name)
	return s.(string)
}

// String is the command line, to be run where the golden arrays are unpacked.
func (c goldenCase) String() string { return "fusectl " + strings.Join(c.Args, " ") }

// sum is the hash of a file, in hexadecimal.
func sum(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(data))
}

func TestGolden(t *testing.T) {
	dir := t.TempDir()
	for _, c := range goldenCases(t) {
		t.Run(c.Name, func(t *testing.T) {
			if err := compare(c.byFiles(t, dir), c); err != nil {
				t.Errorf("%v: %v\nwanted by %s", c, err, c.By)
			}
		})
	}
	if path := os.Getenv(goldenSumsPath); path != "" {
		sums := map[string]string{}
		goldenSums.Range(func(name, sum any) bool {
			sums[name.(string)] = sum.(string)
			return true
		})
		text, err := json.Marshal(sums)
		if err == nil {
			err = os.WriteFile(path, text, 0o600)
		}
		if err != nil {
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
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	said := make(chan []byte)
	go func() {
		defer r.Close()
		text, _ := io.ReadAll(r)
		said <- text
	}()
	status = run(args, null, null, w)
	w.Close()
	return status, string(<-said)
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
