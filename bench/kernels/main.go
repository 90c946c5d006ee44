// Command kernels is fusectl's worker beside those of its peers: it runs
// workloads of bench/workloads.py in one process, as bench/worker.py describes.
//
//	kernels THREADS
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"

	"fusectl/internal/kernel"
)

// request is a line of input.
type request struct {
	Workload json.RawMessage
	Repeat   int
}

// answer is a line of output: one of the three has a value, or none has where
// the workload can't be run. Form is for peers, which have several.
type answer struct {
	Version string   `json:"version,omitempty"`
	Error   string   `json:"error,omitempty"`
	MS      *float64 `json:"ms"`
	Form    string   `json:"form"`
}

func main() {
	if err := serve(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		_ = json.NewEncoder(os.Stdout).Encode(answer{Error: err.Error()})
	}
}

// serve answers until the input ends.
func serve(args []string, in io.Reader, out io.Writer) error {
	if len(args) != 1 {
		return fmt.Errorf("want one argument, the threads: got %d", len(args))
	}
	threads, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	if err := kernel.CheckCPU(); err != nil {
		return err
	}
	runtime.GOMAXPROCS(threads)
	requests, answers := json.NewDecoder(in), json.NewEncoder(out)
	if err := answers.Encode(answer{Version: "fusectl, " + kernel.Active().Name}); err != nil {
		return err
	}
	var now []byte
	var run func() error
	for {
		var r request
		if err := requests.Decode(&r); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if !bytes.Equal(r.Workload, now) {
			now, run = r.Workload, nil
			debug.FreeOSMemory() // before the next arrays are made
			if run, err = prepare(r.Workload, threads); err != nil {
				return err
			}
		}
		a, err := measure(run, r.Repeat)
		if err != nil {
			return err
		}
		if err := answers.Encode(a); err != nil {
			return err
		}
	}
}

// measure times a run; nil is one that there isn't.
func measure(run func() error, repeat int) (answer, error) {
	if run == nil {
		return answer{}, nil
	}
	start := time.Now()
	for range repeat {
		if err := run(); err != nil {
			return answer{}, err
		}
	}
	ms := time.Since(start).Seconds() * 1000 / float64(repeat)
	return answer{MS: &ms}, nil
}
