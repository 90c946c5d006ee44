package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fusectl/internal/kernel"
	"fusectl/internal/recipe"
)

const network = "testdata/network/"

// The trained network's forward pass gives PyTorch's class for every picture
// and its logits within float32's rounding: 2e-5 of the largest.
func TestNetworkIsPyTorchs(t *testing.T) {
	t.Chdir("../..")
	text, err := os.ReadFile(network + "digits.fuse")
	if err != nil {
		t.Fatal(err)
	}
	if lines := bytes.Count(text, []byte("\n")); lines > 40 {
		t.Errorf("the recipe has %d lines: want at most 40", lines)
	}
	if w, err := os.Stat(network + "weights.npz"); err != nil || w.Size() > 400_000 {
		t.Errorf("weights of %d bytes, %v: want at most 400,000", w.Size(), err)
	}
	dir := t.TempDir()
	out := filepath.Join(dir, "logits.npy")
	if status, stderr := fusectl(t, "run", network+"digits.fuse", "images="+network+"images.npy", "w="+network+"weights.npz", "logits="+out, "--layout", "nchw"); status != 0 {
		t.Fatalf("status %d: %s", status, stderr)
	}
	c := goldenCase{Want: network + "logits.npy"}
	c.Tol.Kind, c.Tol.X, c.Tol.Why = "rel", 2e-5, "some thousand float32 operations in a row, against float64"
	if err := compare(out, c); err != nil {
		t.Error(err)
	}
	if status, _ := fusectl(t, "diff", "-q", "--argmax", out, network+"logits.npy"); status != 0 {
		t.Error("some class is not PyTorch's")
	}
	oneByOne(t, string(text), dir, out)
}

// oneByOne runs each line of the recipe as a command of its own, through
// files, and wants the same bytes as those in whole.
func oneByOne(t *testing.T, text, dir, whole string) {
	steps, err := recipe.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	made := map[string]string{"images": network + "images.npy"}
	for _, s := range steps {
		var args []string
		for _, a := range s.Args {
			if path, ok := made[a]; ok {
				a = path
			} else if member, ok := strings.CutPrefix(a, "w:"); ok {
				a = network + "weights.npz:" + member
			} else if a == "w" {
				a = network + "weights.npz"
			}
			args = append(args, a)
		}
		path := filepath.Join(dir, "step-"+s.Name+".npy")
		if status, stderr := fusectl(t, append(args, "--layout", "nchw", "-o", path)...); status != 0 {
			t.Fatalf("%s: status %d: %s", s.Text, status, stderr)
		}
		made[s.Name] = path
		for _, level := range []string{"2", "3", "4"} {
			if s.Several() {
				made[strings.ReplaceAll(s.Name, "{}", level)] = strings.ReplaceAll(path, "{}", level)
			}
		}
	}
	_, got, err := load(whole)
	if err != nil {
		t.Fatal(err)
	}
	_, want, err := load(made["logits"])
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		a, b := kernel.View[float32](got), kernel.View[float32](want)
		for i := range a {
			if a[i] != b[i] {
				t.Fatalf("logit %d is %v by the recipe, %v step by step", i, a[i], b[i])
			}
		}
	}
}
