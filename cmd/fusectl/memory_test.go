package main

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

var heldAtPeak = regexp.MustCompile(`held (\d+) bytes of memory at the peak`)

// build makes the program as it is installed.
func build(t *testing.T) (program string) {
	t.Helper()
	program = filepath.Join(t.TempDir(), "fusectl")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// What --dry-run predicts is what the program, as it is installed, holds at
// its peak, within 20%.
func TestMemoryIsPredicted(t *testing.T) {
	if runtime.GOOS != "linux" || testing.Short() {
		t.Skip("the peak is read from Linux's /proc, of a program built without the race detector")
	}
	t.Parallel()
	dir := t.TempDir()
	program := build(t)
	fusectl := func(args string, more ...string) string {
		cmd := exec.Command(program, append(strings.Fields(args), more...)...)
		cmd.Env = append(os.Environ(), "GOGC=100") // as users run it, whatever the tests have
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", args, err, out)
		}
		return string(out)
	}
	for file, shape := range map[string]string{
		"c2.npy": "1,512,512,64", "c3.npy": "1,256,256,64", "c4.npy": "1,128,128,64", "s.npy": "4096,64", "w.npy": "64,64", "k.npy": "3,3,64,16", "k2.npy": "3,3,16,16",
		"long.npy": "1,300000,32", "k5.npy": "5,32,8",
	} {
		fusectl("random --shape "+shape, "-o", file)
	}
	fusectl("convert c2.npy --order F", "-o", "fortran.npy")
	deflate(t, dir, "c3.npy", "one.npz", 1)
	deflate(t, dir, "c3.npy", "four.npz", 4)
	fusectl("random --shape 512,512", "-o", "m.npy")
	deflate(t, dir, "m.npy", "many.npz", 40)
	testdata, err := filepath.Abs("../../testdata")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(testdata, filepath.Join(dir, "testdata")); err != nil {
		t.Fatal(err)
	}
	for _, args := range []string{
		"add c2.npy c2.npy",
		"sub c2.npy 1",
		"average c2.npy c2.npy --weights 1,2",
		"gap c2.npy",
		"resize c3.npy --scale 2",
		"resize c2.npy --scale 0.1 --mode cubic --antialias",
		"pool c2.npy --mode lp --window 3 --stride 2 --ceil-mode",
		"convert c2.npy --to-layout nchw",
		"linear c2.npy --weight w.npy",
		"matmul c2.npy w.npy",
		"einsum nhwc,nhwd->ncd c2.npy c2.npy",
		"einsum nhwc,nhwd->nhcd c4.npy c4.npy", // batches of matrices
		"concat fortran.npy fortran.npy",
		"add fortran.npy c2.npy",
		"gap fortran.npy",
		"add one.npz c3.npy",
		"concat one.npz one.npz --axis 2",
		"concat --axis 0" + members("many.npz:m%02d", 40),
		"add" + members("four.npz:m%02d", 4),
		"conv c2.npy --weight k.npy --padding same",
		"conv long.npy --weight k5.npy --padding causal", // lines of a plane, read in part
		"pool long.npy --window 4",
		"resize long.npy --scale 2", // tables of each position
		"resize long.npy --scale 2 --mode cubic",
		"resize long.npy --scale 0.5 --antialias",
		"fpn c2.npy c3.npy c4.npy --lateral w.npy,w.npy,w.npy",
		"attention s.npy",
		"norm c2.npy --kind layer",
		"norm c2.npy --kind group --groups 8", // of more than is held whole
		"conv c2.npy --weight k.npy --padding same then conv --weight k2.npy --padding same then conv --weight k2.npy --padding same",
		"run testdata/network/digits.fuse images=testdata/network/images.npy w=testdata/network/weights.npz --layout nchw",
	} {
		lines := strings.Split(strings.TrimSpace(fusectl(args, "--dry-run", "--json", "-o", "out.npy")), "\n")
		var plan planReport
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &plan); err != nil {
			t.Fatal(err)
		}
		m := heldAtPeak.FindStringSubmatch(fusectl(args, "-v", "-o", "out.npy"))
		if m == nil {
			t.Fatal("-v tells no peak")
		}
		held, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		if ratio := held / float64(plan.Memory); ratio < 0.8 || ratio > 1.2 {
			t.Errorf("%s: predicted %d bytes, held %.0f: %.2f of it", args, plan.Memory, held, ratio)
		} else {
			t.Logf("%s: held %.2f of what was predicted", args, ratio)
		}
	}
}

// deflate packs a file into a new archive, deflated, under the names m00, m01, ...
func deflate(t *testing.T, dir, file, archive string, times int) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(dir, archive))
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	var deflated bytes.Buffer
	d, err := flate.NewWriter(&deflated, flate.BestSpeed)
	if err == nil {
		_, err = d.Write(data)
	}
	if err = errors.Join(err, d.Close()); err != nil {
		t.Fatal(err)
	}
	for i := range times {
		w, err := z.CreateRaw(&zip.FileHeader{
			Name: fmt.Sprintf("m%02d.npy", i), Method: zip.Deflate, CRC32: crc32.ChecksumIEEE(data),
			UncompressedSize64: uint64(len(data)), CompressedSize64: uint64(deflated.Len()),
		})
		if err == nil {
			_, err = w.Write(deflated.Bytes())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(z.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
}

func members(format string, n int) (args string) {
	for i := range n {
		args += " " + fmt.Sprintf(format, i)
	}
	return args
}
