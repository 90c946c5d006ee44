package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Each case gives the same bytes when its inputs are pipes, which one producer
// feeds one after the other, whatever the order.
func TestGoldenByPipes(t *testing.T) {
	if testing.Short() {
		t.Skip("the cases are run twice")
	}
	t.Parallel()
	for i, c := range goldenCases(t) {
		if c.Out != "" {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			dir := t.TempDir()
			out := filepath.Join(dir, "out")
			fifos := map[string]string{}
			args := c.args(func(path string) string {
				if filepath.Ext(path) == ".npz" {
					return path
				}
				if fifos[path] == "" {
					fifos[path] = filepath.Join(dir, filepath.Base(path))
					if err := unix.Mkfifo(fifos[path], 0o600); err != nil {
						t.Fatal(err)
					}
				}
				return fifos[path]
			})
			order := slices.Sorted(maps.Keys(fifos))
			if i%2 == 1 {
				slices.Reverse(order)
			}
			go func() {
				for _, path := range order {
					data, err := os.ReadFile(path)
					if err == nil {
						err = os.WriteFile(fifos[path], data, 0)
					}
					if err != nil {
						return // a reader that has seen the header may be content
					}
				}
			}()
			if status, stderr := fusectl(t, append(args, "-o", out, c.threads)...); status != 0 {
				t.Fatalf("%v: status %d\n%s", c, status, stderr)
			}
			if sum(t, out) != c.sum(t) {
				t.Errorf("%v: other bytes than of files", c)
			}
		})
	}
}

// Pipes that a job has begun to open are closed with it, though it failed before it
// read them, and standard input among them is no later job's.
func TestPipesEndWithTheirJob(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	s, dir := newTestSession(t)
	s.stdin = r
	fifo, a := filepath.Join(dir, "fifo"), filepath.Join(dir, "a.npy")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	writeBytes(t, a, 1, 2)
	data, err := os.ReadFile(a)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	fed := make(chan error, 1)
	go func() { fed <- os.WriteFile(fifo, data, 0) }()
	if o := s.carryOut(t.Context(), []string{"add", filepath.Join(dir, "absent.npy"), fifo, "-"}); o.err == nil {
		t.Fatal("an absent input is none")
	}
	if err := <-fed; err != nil {
		t.Fatal(err)
	}
	o := s.carryOut(t.Context(), []string{"gap", "-", "--axes", "0"})
	if o.err == nil || !strings.Contains(o.err.Error(), "can be read only once") {
		t.Errorf("standard input after a job that had begun to read it: got %v", o.err)
	}
	for begun := time.Now(); ; time.Sleep(time.Millisecond) {
		open := 0
		all, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range all {
			if to, _ := os.Readlink("/proc/self/fd/" + d.Name()); to == fifo {
				open++
			}
		}
		if open == 0 {
			return
		}
		if time.Since(begun) > 10*time.Second {
			t.Fatalf("%d descriptors of the pipe are open after its job", open)
		}
	}
}
