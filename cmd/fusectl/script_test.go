package main

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"image/png"
	"io"
	"math"
	"math/cmplx"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) { testscript.Main(sharing{m}, map[string]func(){"fusectl": main}) }

// sharedFolder is for what one test makes and others use, too.
var sharedFolder string

// sharing are the tests, with their shared folder.
type sharing struct{ *testing.M }

func (s sharing) Run() int {
	var err error
	if sharedFolder, err = os.MkdirTemp("", "fusectl-shared"); err != nil {
		panic(err)
	}
	defer os.RemoveAll(sharedFolder)
	return s.M.Run()
}

// Each script in testdata/script is one theme of the command line. Besides
// testscript's own commands they have:
//
//	npy FILE DTYPE SHAPE [VALUE...] [order=F] [endian=big] [descr=LITERAL] [extra=N]
//	npycheck FILE DTYPE SHAPE VALUE... [tol=T]
//	fails STATUS [<FILE] ARG...   fusectl ARG... fails as the contract has it
//	interrupt SIGNAL STATUS [stdin=open] ARG...
//	png FILE                      FILE is a picture
//	zip FILE ENTRY=FILE...        a zip archive of files, by the names of its entries
//
// SHAPE is 2,3 or () for a 0-d array.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Condition: func(cond string) (bool, error) {
			if cond == "root" {
				return os.Geteuid() == 0, nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"npy": cmdNpy, "npycheck": cmdNpyCheck, "fails": cmdFails, "interrupt": cmdInterrupt,
			"png": cmdPNG, "zip": cmdZip,
		},
	})
}

func cmdPNG(ts *testscript.TestScript, neg bool, args []string) {
	f, err := os.Open(ts.MkAbs(args[0]))
	ts.Check(err)
	defer f.Close()
	_, err = png.Decode(f)
	ts.Check(err)
}

func cmdZip(ts *testscript.TestScript, neg bool, args []string) {
	f, err := os.Create(ts.MkAbs(args[0]))
	ts.Check(err)
	defer f.Close()
	z := zip.NewWriter(f)
	for _, a := range args[1:] {
		entry, from, _ := strings.Cut(a, "=")
		w, err := z.Create(entry)
		ts.Check(err)
		_, err = io.WriteString(w, ts.ReadFile(from))
		ts.Check(err)
	}
	ts.Check(z.Close())
}

func cmdNpy(ts *testscript.TestScript, neg bool, args []string) {
	s := npySpec{dtype: args[1], shape: scriptShape(ts, args[2])}
	for _, a := range args[3:] {
		key, value, option := strings.Cut(a, "=")
		switch {
		case !option:
			s.values = append(s.values, scriptValue(ts, a))
		case key == "order":
			s.fortran = value == "F"
		case key == "endian":
			s.big = value == "big"
		case key == "descr":
			s.descr = value
		case key == "extra":
			n, err := strconv.Atoi(value)
			ts.Check(err)
			s.extra = n
		default:
			ts.Fatalf("npy: %s?", a)
		}
	}
	ts.Check(s.write(ts.MkAbs(args[0])))
}

func cmdNpyCheck(ts *testscript.TestScript, neg bool, args []string) {
	name, want, tol := args[0], []complex128{}, 0.0
	for _, a := range args[3:] {
		if t, ok := strings.CutPrefix(a, "tol="); ok {
			tol = real(scriptValue(ts, t))
			continue
		}
		want = append(want, scriptValue(ts, a))
	}
	shape, got, err := readNpy(ts.MkAbs(name), args[1])
	ts.Check(err)
	if !slices.Equal(shape, scriptShape(ts, args[2])) {
		ts.Fatalf("%s: shape %v, want %s", name, shape, args[2])
	}
	same := func(a, b complex128) bool {
		return a == b || cmplx.IsNaN(a) && cmplx.IsNaN(b) || cmplx.Abs(a-b) <= tol
	}
	if !slices.EqualFunc(got, want, same) {
		ts.Fatalf("%s: holds\n%v, want\n%v", name, got, want)
	}
}

func scriptShape(ts *testscript.TestScript, text string) (shape []int) {
	if text == "()" {
		return nil
	}
	for d := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(d)
		ts.Check(err)
		shape = append(shape, n)
	}
	return shape
}

func scriptValue(ts *testscript.TestScript, text string) complex128 {
	if text == "nan" {
		return complex(math.NaN(), 0)
	}
	v, err := strconv.ParseComplex(text, 128)
	ts.Check(err)
	return v
}

// The first word after the command's name is lower case, a flag, a path or a
// quoted name; the line has no full stop.
var errorLine = regexp.MustCompile(`^fusectl( [a-z]+)*: [^ ].*[^.]$`)

// cmdFails asserts what holds of every failure: the status, nothing on
// standard output, one line and hints on standard error, and a folder in
// which nothing has changed. What the line says is left to the script.
func cmdFails(ts *testscript.TestScript, neg bool, args []string) {
	before := listing(ts)
	status, args := args[0], args[1:]
	run := append([]string{"fusectl"}, args...)
	if path, ok := strings.CutPrefix(args[0], "<"); ok { // a redirection needs a shell
		run = append([]string{"sh", "-c", `f=$1; shift; exec fusectl "$@" <"$f"`, "sh", path}, args[1:]...)
	}
	err := ts.Exec(run[0], run[1:]...)
	checkStatus(ts, err, status)
	if out := ts.ReadFile("stdout"); out != "" {
		ts.Fatalf("a failure wrote %q to standard output", out)
	}
	text, ended := strings.CutSuffix(ts.ReadFile("stderr"), "\n")
	lines := strings.Split(text, "\n")
	for len(lines) > 1 && strings.HasPrefix(lines[0], "fusectl: warning: ") {
		lines = lines[1:]
	}
	if !ended || !errorLine.MatchString(lines[0]) || !lowerCase(lines[0]) {
		ts.Fatalf("not an error of one line, lower case, without a full stop: %q", lines[0])
	}
	for _, l := range lines[1:] {
		if !strings.HasPrefix(l, "hint: ") {
			ts.Fatalf("neither error nor hint: %q", l)
		}
	}
	checkListing(ts, before)
}

func lowerCase(line string) bool {
	_, msg, _ := strings.Cut(line, ": ")
	first, _, _ := strings.Cut(msg, " ")
	return strings.ContainsAny(first, "./-") || first == strings.ToLower(first)
}

func checkStatus(ts *testscript.TestScript, err error, want string) {
	status := 0
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		status = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got := strconv.Itoa(status); got != want {
		ts.Fatalf("exit status %s, want %s", got, want)
	}
}

// listing is the script's folder, hidden files too, with what they hold.
func listing(ts *testscript.TestScript) map[string]string {
	files := map[string]string{}
	ts.Check(filepath.WalkDir(ts.MkAbs("."), func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		files[path] = d.Type().String()
		if d.Type().IsRegular() {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			files[path] = string(b)
		}
		return nil
	}))
	return files
}

func checkListing(ts *testscript.TestScript, before map[string]string) {
	after := listing(ts)
	for path, data := range after {
		if old, ok := before[path]; !ok {
			ts.Fatalf("litter: %s", path)
		} else if old != data {
			ts.Fatalf("%s has changed", path)
		}
	}
	if len(after) < len(before) {
		ts.Fatalf("of %d files %d are left", len(before), len(after))
	}
}

// cmdInterrupt sends a signal to a job once it shows progress or, where it
// waits on an open pipe and shows none, after a moment. The job must end soon
// with the status (-1: by the signal) and leave the folder as it was.
func cmdInterrupt(ts *testscript.TestScript, neg bool, args []string) {
	signal := map[string]syscall.Signal{"INT": syscall.SIGINT, "TERM": syscall.SIGTERM, "KILL": syscall.SIGKILL}[args[0]]
	before, status, args := listing(ts), args[1], args[2:]
	var cmd *exec.Cmd
	if args[0] == "stdin=open" {
		cmd = exec.Command("fusectl", args[1:]...)
		r, w, err := os.Pipe()
		ts.Check(err)
		defer r.Close()
		defer w.Close()
		cmd.Stdin = r
	} else {
		cmd = exec.Command("fusectl", append(args, "--progress", "always")...)
	}
	cmd.Dir = ts.MkAbs(".")
	stderr, err := cmd.StderrPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	begun := make(chan struct{})
	drained := make(chan string)
	go func() {
		first := make([]byte, 1)
		n, _ := stderr.Read(first)
		close(begun)
		var rest bytes.Buffer
		_, _ = io.Copy(&rest, stderr)
		drained <- string(first[:n]) + rest.String()
	}()
	select {
	case <-begun:
	case <-time.After(time.Second):
	}
	ts.Check(cmd.Process.Signal(signal))
	late := time.AfterFunc(5*time.Second, func() { _ = cmd.Process.Kill() })
	text := <-drained
	err = cmd.Wait()
	if !late.Stop() {
		ts.Fatalf("still running 5 s after SIG%s", args[0])
	}
	checkStatus(ts, err, status)
	if strings.Contains(text, "fusectl") {
		ts.Fatalf("an interrupted job said %q", text)
	}
	checkListing(ts, before)
}
