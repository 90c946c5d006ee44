package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"fusectl/internal/dtype"
	"fusectl/internal/npyio"
	"fusectl/internal/shape"
)

// newTestSession is a session whose streams are files in a folder of its own.
func newTestSession(t *testing.T) (s *session, dir string) {
	t.Helper()
	dir = t.TempDir()
	var streams [3]*os.File
	for i, name := range []string{"stdin", "stdout", "stderr"} {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		streams[i] = f
	}
	return newSession(streams[0], streams[1], streams[2]), dir
}

// writeBytes writes a uint8 array of one axis.
func writeBytes(t *testing.T, path string, data ...byte) {
	t.Helper()
	if err := os.WriteFile(path, append(npyio.NewHeader(dtype.Uint8, shape.Shape{len(data)}).Encode(), data...), 0o600); err != nil {
		t.Fatal(err)
	}
}

// elements are the bytes of an array in a file, after its header.
func elements(t *testing.T, path string, n int) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data[len(data)-n:]
}

func TestJobsOfASessionFollowOneAnother(t *testing.T) {
	s, dir := newTestSession(t)
	a, b, out := filepath.Join(dir, "a.npy"), filepath.Join(dir, "b.npy"), filepath.Join(dir, "out.npy")
	writeBytes(t, b, 1, 2, 3)
	for i := range byte(3) {
		writeBytes(t, a, i, 10*i, 20) // a job sees what a file holds when it begins
		if o := s.carryOut(t.Context(), []string{"add", a, b, "-o", out}); o.err != nil {
			t.Fatal(o.err)
		}
		if got, want := elements(t, out, 3), []byte{i + 1, 10*i + 2, 23}; !bytes.Equal(got, want) {
			t.Errorf("job %d: got %v, want %v", i, got, want)
		}
		if len(s.jobs) > 0 {
			t.Errorf("%d jobs are under way after theirs has ended", len(s.jobs))
		}
	}
	o := s.carryOut(t.Context(), []string{"add", a, filepath.Join(dir, "absent.npy"), "-o", out})
	var r *npyio.ReadError
	if !errors.As(o.err, &r) {
		t.Errorf("an absent file: got %v", o.err)
	}
	if o := s.carryOut(t.Context(), []string{"add", a, b, "then", "mul", "-", a, "-o", out}); o.err != nil {
		t.Errorf("a job after one that failed: %v", o.err)
	}
}

// What a job holds is let go with it: descriptors, standard input alone excepted,
// which only one job can read.
func TestAJobKeepsNothing(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("descriptors are counted in /proc")
	}
	s, dir := newTestSession(t)
	descriptors := func() int {
		all, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	a, archive := filepath.Join(dir, "a.npy"), filepath.Join(dir, "a.npz")
	writeBytes(t, a, 1, 2)
	if o := s.carryOut(t.Context(), []string{"convert", a, "-o", archive}); o.err != nil {
		t.Fatal(o.err)
	}
	before := descriptors()
	var plans []string
	for range 4 {
		if o := s.carryOut(t.Context(), []string{"gap", a, "--axes", "0", "then", "add", "-", archive + ":a", "-o", filepath.Join(dir, "out.npy")}); o.err != nil {
			t.Fatal(o.err)
		}
		at := offset(t, s.stdout)
		if o := s.carryOut(t.Context(), []string{"gap", a, "--axes", "0", "then", "add", "-", archive + ":a", "--dry-run"}); o.err != nil {
			t.Fatal(o.err)
		}
		text, err := os.ReadFile(s.stdout.Name())
		if err != nil {
			t.Fatal(err)
		}
		plans = append(plans, string(text[at:]))
	}
	if after := descriptors(); after != before {
		t.Errorf("%d descriptors are open, %d were before", after, before)
	}
	for _, p := range plans[1:] { // its memory, and its steps
		if p != plans[0] {
			t.Errorf("a later job's plan differs:\n%s\nthe first's:\n%s", p, plans[0])
		}
	}
	writeBytes(t, s.stdin.Name(), 7)
	if o := s.carryOut(t.Context(), []string{"gap", "-", "--axes", "0", "-o", a}); o.err != nil {
		t.Fatal(o.err)
	}
	o := s.carryOut(t.Context(), []string{"gap", "-", "--axes", "0", "-o", a})
	if o.err == nil || !strings.Contains(o.err.Error(), "can be read only once") || s.end(o) != exitUsage {
		t.Errorf("standard input for a second job: got %v", o.err)
	}
}

func offset(t *testing.T, f *os.File) int64 {
	t.Helper()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

func TestJobsOfASessionSideBySide(t *testing.T) {
	s, dir := newTestSession(t)
	weights := filepath.Join(dir, "w.npy")
	if o := s.carryOut(t.Context(), []string{"random", "--shape", "64,32", "--seed", "1", "-o", weights}); o.err != nil {
		t.Fatal(o.err)
	}
	name := func(what string, i int) string { return filepath.Join(dir, what+string(rune('a'+i))+".npy") }
	const jobs = 4
	for i := range jobs {
		if o := s.carryOut(t.Context(), []string{"random", "--shape", "40,64", "--seed", string(rune('2' + i)), "-o", name("x", i)}); o.err != nil {
			t.Fatal(o.err)
		}
	}
	var done sync.WaitGroup
	for i := range jobs {
		done.Go(func() {
			for range 5 {
				if o := s.carryOut(t.Context(), []string{"linear", name("x", i), "--weight", weights, "--activation", "gelu", "-o", name("y", i)}); o.err != nil {
					t.Errorf("job %d: %v", i, o.err)
				}
			}
		})
	}
	done.Wait()
	for i := range jobs {
		alone, _ := newTestSession(t)
		if o := alone.carryOut(t.Context(), []string{"linear", name("x", i), "--weight", weights, "--activation", "gelu", "-o", name("z", i)}); o.err != nil {
			t.Fatal(o.err)
		}
		if o := alone.carryOut(t.Context(), []string{"diff", name("y", i), name("z", i), "--rtol", "0", "--atol", "0"}); o.err != nil {
			t.Errorf("job %d: side by side with others: %v", i, o.err)
		}
	}
}

// Standard output takes the array of one job: a second would follow the first, or
// mix with it.
func TestStandardOutputIsOneJobs(t *testing.T) {
	s, dir := newTestSession(t)
	a := filepath.Join(dir, "a.npy")
	writeBytes(t, a, 1, 2)
	if o := s.carryOut(t.Context(), []string{"act", a, "--activation", "relu"}); o.err != nil {
		t.Fatal(o.err)
	}
	o := s.carryOut(t.Context(), []string{"act", a, "--activation", "relu"})
	if o.err == nil || !strings.Contains(o.err.Error(), "standard output") || s.end(o) != exitUsage {
		t.Errorf("standard output for a second job: got %v", o.err)
	}
	if got, err := os.ReadFile(s.stdout.Name()); err != nil || !bytes.HasSuffix(got, []byte{1, 2}) || bytes.Count(got, []byte("NUMPY")) != 1 {
		t.Errorf("standard output has %q, %v", got, err)
	}
}

// Weights that jobs share are opened once and packed once: what stands in their files
// later, and whether they stand there at all, is no matter to jobs that come then.
func TestSharedWeightsArePackedOnce(t *testing.T) {
	s, dir := newTestSession(t)
	in := func(name string) string { return filepath.Join(dir, name) }
	run := func(t *testing.T, s *session, line ...string) {
		t.Helper()
		if o := s.carryOut(t.Context(), line); o.err != nil {
			t.Fatalf("%s: %v", strings.Join(line, " "), o.err)
		}
	}
	run(t, s, "random", "--shape", "64,48", "--seed", "1", "-o", in("w.npy"))
	run(t, s, "convert", in("w.npy"), "-o", in("m.npz:w"))
	run(t, s, "convert", in("w.npy"), "--order", "F", "-o", in("f.npy"))
	line := func(weight string, i int, out string) []string {
		return []string{"linear", in(fmt.Sprintf("x%d.npy", i)), "--weight", in(weight), "-o", in(out)}
	}
	const jobs = 3
	for i := range jobs {
		run(t, s, "random", "--shape", "2,500,64", "--seed", fmt.Sprint(2+i), "-o", in(fmt.Sprintf("x%d.npy", i)))
	}
	for _, weight := range []string{"w.npy", "m.npz:w", "f.npy"} {
		t.Run(weight, func(t *testing.T) {
			alone, _ := newTestSession(t)
			for i := range jobs {
				run(t, alone, line(weight, i, fmt.Sprintf("want%d.npy", i))...)
			}
			s.share(in(weight), defaults())
			file, _, _ := strings.Cut(weight, ":")
			for i := range jobs {
				run(t, s, line(weight, i, "got.npy")...)
				run(t, alone, "diff", in("got.npy"), in(fmt.Sprintf("want%d.npy", i)), "--rtol", "0", "--atol", "0")
				old, err := os.ReadFile(in(file))
				if err == nil { // what a job packed anew would be of zeros
					err = os.WriteFile(in(file), append(old[:len(old)-64*48*4:len(old)-64*48*4], make([]byte, 64*48*4)...), 0o600)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Remove(in(file)); err != nil {
				t.Fatal(err)
			}
			run(t, s, line(weight, 0, "got.npy")...)
			run(t, alone, "diff", in("got.npy"), in("want0.npy"), "--rtol", "0", "--atol", "0")
		})
	}
	for _, path := range []string{in("absent.npy"), in("x0.npy/none"), dir} {
		s.share(path, defaults())
		if o := s.carryOut(t.Context(), []string{"linear", in("x0.npy"), "--weight", path}); o.err == nil {
			t.Errorf("%s, which can't be shared, is no error of its job", path)
		}
	}
	s.close()
}
