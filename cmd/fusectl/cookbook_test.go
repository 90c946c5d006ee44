package main

import (
	"image"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The cookbook's commands run as they stand. They draw the pictures that stand
// beside it, and give what its Python gives.
func TestInteropCookbook(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../docs/cookbook.md")
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(filepath.Join(root, "testdata"), filepath.Join(dir, "testdata")); err != nil {
		t.Fatal(err)
	}
	for _, s := range sessions(string(data)) {
		cmd := exec.Command("sh", "-e", "-c", s.command)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", s.command, err, out)
		}
		if string(out) != s.prints {
			t.Errorf("%s\nprinted\n%sthe cookbook shows\n%s", s.command, out, s.prints)
		}
	}
	t.Run("Pictures", func(t *testing.T) { samePictures(t, string(data), dir) })
	t.Run("PyTorch", func(t *testing.T) { sameAsPyTorch(t, string(data), dir) })
}

// samePictures compares the pictures that the cookbook's commands have drawn in
// dir with those that stand beside its text.
func samePictures(t *testing.T, text, dir string) {
	pictures, err := filepath.Glob("../../docs/pictures/*.png")
	if err != nil || len(pictures) < 8 {
		t.Fatalf("%d pictures, %v", len(pictures), err)
	}
	for _, path := range pictures {
		name := filepath.Base(path)
		if !strings.Contains(text, "(pictures/"+name+")") {
			t.Errorf("%s is not in the cookbook", name)
		}
		if err := samePicture(filepath.Join(dir, name), path); err != "" {
			t.Errorf("%s is not what show draws now: %s", name, err)
		}
	}
	for _, link := range regexp.MustCompile(`\(pictures/(.*?)\)`).FindAllStringSubmatch(text, -1) {
		if _, err := os.Stat("../../docs/pictures/" + link[1]); err != nil {
			t.Error(err)
		}
	}
}

// sameAsPyTorch runs the cookbook's Python in dir and compares what it gives with
// what the commands have left there: to 1e-4 of the values, since PyTorch computes
// in float32 as fusectl does, in other orders.
func sameAsPyTorch(t *testing.T, text, dir string) {
	// To find the module is enough: to import it takes seconds.
	if exec.Command("/usr/bin/python3", "-c", "import importlib.util, sys; sys.exit(importlib.util.find_spec('torch') is None)").Run() != nil {
		if os.Getenv("FUSECTL_INTEROP") == "1" {
			t.Fatal("no PyTorch")
		}
		t.Skip("no PyTorch")
	}
	var program strings.Builder
	for _, block := range regexp.MustCompile("(?s)```python\n(.*?)```").FindAllStringSubmatch(text, -1) {
		program.WriteString(block[1])
	}
	cmd := exec.Command("/usr/bin/python3", "-c", program.String())
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	results, err := filepath.Glob(filepath.Join(dir, "*.torch.npy"))
	if err != nil || len(results) < 15 {
		t.Fatalf("%d results, %v", len(results), err)
	}
	for _, torch := range results {
		ours := strings.TrimSuffix(torch, ".torch.npy") + ".npy"
		cmd := exec.Command("fusectl", "diff", ours, torch, "--rtol", "1e-4", "--atol", "1e-5")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", filepath.Base(ours), err, out)
		}
	}
}

// samePicture tells how two pictures differ. A colour may be off by 2 of 255:
// values may differ in their last bit between machines.
func samePicture(got, want string) string {
	a, err := readPNG(got)
	if err != nil {
		return err.Error()
	}
	b, err := readPNG(want)
	if err != nil {
		return err.Error()
	}
	if a.Bounds() != b.Bounds() {
		return "its size differs"
	}
	for y := range a.Bounds().Dy() {
		for x := range a.Bounds().Dx() {
			r1, g1, b1, _ := a.At(x, y).RGBA()
			r2, g2, b2, _ := b.At(x, y).RGBA()
			for _, d := range []int{int(r1>>8) - int(r2>>8), int(g1>>8) - int(g2>>8), int(b1>>8) - int(b2>>8)} {
				if d < -2 || d > 2 {
					return "colours differ"
				}
			}
		}
	}
	return ""
}

func readPNG(path string) (image.Image, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return png.Decode(f)
}
