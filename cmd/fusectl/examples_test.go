package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"fusectl/internal/dtype"
	"fusectl/internal/npyio"
	"fusectl/internal/shape"
)

// exampleInputs are the files that the examples of the help name. An example
// that names another one needs a line here.
var exampleInputs = map[string][]int{
	"a.npy": {1, 8, 8, 4}, "b.npy": {1, 8, 8, 4}, "branch.npy": {1, 8, 8, 4}, "shortcut.npy": {1, 8, 8, 4},
	"map.npy": {2, 4, 4, 8}, "excitation.npy": {2, 1, 1, 8}, "up.npy": {1, 8, 8, 4}, "skip.npy": {1, 8, 8, 6}, "wide.npy": {1, 10, 9, 6},
	"image.npy": {2, 16}, "question.npy": {2, 16}, "words.npy": {2, 5, 16}, "p.npy": {8, 16}, "g.npy": {16, 8}, "s.npy": {16, 8},
	"c2.npy": {1, 8, 8, 4}, "c3.npy": {1, 4, 4, 4}, "c4.npy": {1, 2, 2, 4},
	"w2.npy": {4, 6}, "w3.npy": {4, 6}, "w4.npy": {4, 6}, "b2.npy": {6}, "b3.npy": {6}, "b4.npy": {6},
	"fc.npy": {8, 10}, "fc-bias.npy": {10}, "fc1.npy": {8, 2}, "fc2.npy": {2, 8}, "k.npy": {3, 3, 8, 5}, "k1.npy": {1, 1, 8, 4},
	"k7.npy": {7, 7, 2, 1}, "gamma.npy": {16}, "beta.npy": {16}, "tokens.npy": {2, 9, 8}, "k3.npy": {3, 8, 5}, "clip.npy": {1, 6, 4, 4, 8}, "k311.npy": {3, 1, 1, 8, 5},
	"x.npy": {2, 5, 16}, "wq.npy": {16, 16}, "wk.npy": {16, 16}, "wv.npy": {16, 16}, "wo.npy": {16, 16},
}

var exampleArchives = map[string]map[string][]int{
	"bn1.npz": {"weight": {5}, "bias": {5}, "running_mean": {5}, "running_var": {5}},
	"mha.npz": {"in_proj_weight": {48, 16}, "in_proj_bias": {48}, "out_proj.weight": {16, 16}, "out_proj.bias": {16}},
	"mix.npz": {"scalars": {3}, "gamma": {1}},
}

var exampleTexts = map[string]string{"se.fuse": `s = gap x --keepdims
z = linear s --weight fc1.npy --activation relu
g = linear z --weight fc2.npy --activation sigmoid
y = mul x g
`}

var exampleOutput = regexp.MustCompile(`-o '?([\w.{}-]+)'?`)

// What the help shows must run as it stands, and leave the files it names.
func TestExamplesRun(t *testing.T) {
	t.Parallel()
	root := newRootCommand(unbound(), "")
	var all []*cobra.Command
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		all = append(all, c)
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(root)
	for _, c := range all {
		t.Run(strings.ReplaceAll(c.CommandPath(), " ", "-"), func(t *testing.T) {
			if c.Example == "" {
				t.Fatalf("the help of %s has no example", c.CommandPath())
			}
			runExamples(t, c.Example)
		})
	}
	t.Run("pipe in the help of the root", func(t *testing.T) {
		for line := range strings.SplitSeq(root.Long, "\n") {
			if strings.HasPrefix(line, "  fusectl ") {
				runExamples(t, line)
				return
			}
		}
		t.Fatal("there is none")
	})
}

func runExamples(t *testing.T, text string) {
	dir := t.TempDir()
	for name, s := range exampleInputs {
		if err := (npySpec{dtype: "float32", shape: s, values: []complex128{0.5}}).write(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for name, members := range exampleArchives {
		set := npyio.NewOutputs(npyio.CreateOptions{})
		for member, s := range members {
			f, err := set.Create(filepath.Join(dir, name)+":"+member, dtype.Float32, s)
			if err == nil {
				_, err = f.Write(make([]byte, 4*shape.Shape(s).Len()))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := set.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range exampleTexts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for line := range strings.SplitSeq(strings.ReplaceAll(text, "\\\n", " "), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if !strings.Contains(line, "fusectl ") {
			t.Errorf("not a command line: %s", line)
		}
		cmd := exec.Command("sh", "-e", "-c", line)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", line, err, out)
			continue
		}
		if m := exampleOutput.FindStringSubmatch(line); m != nil && m[1] != "-" {
			made, err := filepath.Glob(filepath.Join(dir, strings.ReplaceAll(m[1], "{}", "*")))
			if err != nil || len(made) == 0 {
				t.Errorf("%s: left no %s", line, m[1])
			}
			for _, f := range made {
				if info, err := os.Stat(f); err != nil || info.Size() < 128 {
					t.Errorf("%s: %s: %v, %v", line, f, info, err)
				}
			}
		}
	}
}
