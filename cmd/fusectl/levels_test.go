package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"fusectl/internal/kernel"
)

// goldenSumsPath is the environment variable that names the file to which
// TestGolden writes goldenSums.
const goldenSumsPath = "FUSECTL_GOLDEN_SUMS"

// fused are the levels that fuse multiply and add, and therefore give the same
// bytes.
func fused(t *testing.T) []string {
	levels := kernel.Levels()
	fused := levels[:len(levels)-1]
	if len(fused) < 2 {
		t.Skipf("this machine and this build have %v: nothing to compare", levels)
	}
	return fused
}

// The golden cases hold at every level, and those that fuse multiply and add
// give the same bytes in all of them.
func TestGoldenAtEveryLevel(t *testing.T) {
	if testing.Short() {
		t.Skip("the golden cases once more for each instruction set")
	}
	t.Parallel()
	cases, own := goldenCases(t), kernel.Active().Name
	sums := map[string]map[string]string{own: {}}
	for _, c := range cases {
		sums[own][c.Name] = c.sum(t)
	}
	for _, level := range kernel.Levels() {
		if level == own {
			continue // TestGolden holds it
		}
		path := filepath.Join(t.TempDir(), "sums")
		cmd := exec.Command(os.Args[0], "-test.run=^TestGolden$")
		cmd.Env = append(os.Environ(), kernel.CPUVariable+"="+level, goldenUnpacked+"="+filepath.Join(sharedFolder, "golden"), goldenSumsPath+"="+path)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", level, err, out)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var made map[string]string
		if err := json.Unmarshal(text, &made); err != nil || len(made) != len(cases) {
			t.Fatalf("%s: %d sums, %v", level, len(made), err)
		}
		sums[level] = made
	}
	levels := fused(t)
	for _, level := range levels[1:] {
		for _, c := range cases {
			if sums[level][c.Name] != sums[levels[0]][c.Name] {
				t.Errorf("%s: %s and %s give other bytes: %v", c.Name, level, levels[0], c)
			}
		}
	}
}

// Shapes that take several blocks, and edges, of every kernel.
func TestSameBytesFromEveryInstructionSet(t *testing.T) {
	t.Parallel()
	levels := fused(t)
	dir := t.TempDir()
	fusectl := func(level, args string) {
		t.Helper()
		cmd := exec.Command("fusectl", strings.Fields(args)...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), kernel.CPUVariable+"="+level)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s %s: %v\n%s", level, args, err, out)
		}
	}
	for file, shape := range map[string]string{
		"s.npy": "2,301,70", "x.npy": "1,37,41,70", "y.npy": "1,37,41,70", "w.npy": "70,83", "d.npy": "3,700", "dw.npy": "700,1", "k.npy": "3,3,70,19",
		"g.npy": "3,3,35,6", "q.npy": "70,70", "f.npy": "83,70", "c.npy": "16,70,9,11", "k1.npy": "1,1,70,33",
	} {
		fusectl(levels[0], "random --shape "+shape+" -o "+file)
	}
	for _, args := range []string{
		"random --shape 3,77",
		"random --shape 3,77 --distribution uniform --dtype float64",
		"add x.npy y.npy --coef 0.3,-1.7 --activation gelu",
		"mul x.npy y.npy --gate sigmoid --activation tanh",
		"mul x.npy y.npy --gate softmax --activation silu",
		"act x.npy --activation log-softmax then act --activation mish then act --activation softplus --beta 2",
		"act x.npy --activation swiglu then act --activation elu then act --activation log",
		"add x.npy y.npy --dtype float16",
		"gap x.npy", "gmp x.npy", "gap x.npy --axes -1", "gmp x.npy --axes -1",
		"resize x.npy --size 53,90", "resize x.npy --size 53,90 --mode bicubic", "resize x.npy --size 53,90 --layout nchw",
		"resize x.npy --size 13,20 --antialias", "resize x.npy --size 13,20 --mode cubic --antialias --layout nchw",
		"linear x.npy --weight w.npy --activation hardswish",
		"linear d.npy --weight dw.npy",
		"linear s.npy --weight q.npy --dtype float64",
		"conv x.npy --weight k.npy --padding same --activation relu",
		"conv x.npy --weight k.npy --stride 2 --dilation 2",
		"conv x.npy --weight g.npy --groups 2 --padding 1",
		"conv x.npy --weight k1.npy",
		"conv c.npy --weight k.npy --layout nchw --weight-layout keras --padding 1",
		"pool x.npy --mode average --window 3 --stride 2",
		"attention s.npy", "attention s.npy --scale auto --causal", "attention s.npy --wq q.npy --wk q.npy --wv q.npy --heads 7 --scale auto",
		"attention x.npy --spatial --residual --scale auto",
		"se x.npy --fc1 w.npy --fc2 f.npy",
	} {
		var want []byte
		for _, level := range levels {
			fusectl(level, args+" -o out.npy")
			got, err := os.ReadFile(filepath.Join(dir, "out.npy"))
			if err != nil {
				t.Fatal(err)
			}
			if want == nil {
				want = got
			} else if !bytes.Equal(got, want) {
				t.Errorf("%s: %s and %s give other bytes", args, level, levels[0])
			}
		}
	}
}
