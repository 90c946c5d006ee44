package main

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"fusectl/internal/dtype"
	"fusectl/internal/npyio"
	"fusectl/internal/ops"
	"fusectl/internal/shape"
)

// common is the flags that every command has.
type common struct {
	output    string
	threads   int
	memory    size
	dtype     typeFlag
	as        typeFlag
	layout    layoutFlag
	maxHeader size
	dryRun    bool
	json      bool
	noClobber bool
	progress  choice
	quiet     bool
	verbose   bool
}

// defaults are the flags' values where none are given.
func defaults() common {
	return common{
		output: "-", threads: runtime.GOMAXPROCS(0), layout: layoutFlag(shape.NHWC), maxHeader: 64 << 10,
		progress: choice{"auto", []string{"auto", "always", "never"}},
	}
}

// later gives the flags that hold for the steps after one: all but those about
// its own inputs and result.
func (c common) later() common {
	c.output, c.dtype, c.as = "-", typeFlag{}, typeFlag{}
	return c
}

// addFlags defines the flags, with c's values as their defaults.
func (c *common) addFlags(f *pflag.FlagSet) {
	f.SortFlags = false
	f.StringVarP(&c.output, "output", "o", c.output, "write the result to `PATH`; - is standard output")
	f.IntVarP(&c.threads, "threads", "j", c.threads, "workers; the result doesn't depend on `N`")
	f.Var(&c.memory, "memory", "refuse work that needs more than `SIZE`, such as 512M; 0: no ceiling")
	f.Var(&c.dtype, "dtype", "convert the result to dtype `T`")
	f.Var(&c.as, "as", "read raw 2-byte void inputs as dtype `T`: bfloat16")
	f.Var(&c.layout, "layout", "axes of maps, a letter each: nhwc (any map with its channels last), nchw, ntc, chw, ...")
	f.Var(&c.maxHeader, "max-header", "refuse inputs whose header is longer than `SIZE`")
	f.BoolVar(&c.dryRun, "dry-run", c.dryRun, "print what would be computed, from the headers alone")
	f.BoolVar(&c.json, "json", c.json, "print errors, plans and reports as JSON")
	f.BoolVar(&c.noClobber, "no-clobber", c.noClobber, "refuse to replace an existing output")
	f.Var(&c.progress, "progress", "progress on standard error: auto, always or never")
	f.BoolVarP(&c.quiet, "quiet", "q", c.quiet, "no warnings and no progress")
	f.BoolVarP(&c.verbose, "verbose", "v", c.verbose, "say what was done, and how long it took")
}

// size is a flag of bytes with an optional unit: 512M, 1.5GiB, 65536.
type size int64

func (s *size) Type() string   { return "SIZE" }
func (s *size) String() string { return strconv.FormatInt(int64(*s), 10) }
func (s *size) Set(text string) error {
	number := strings.TrimSuffix(strings.TrimSuffix(strings.ToUpper(text), "B"), "I")
	shift := 0
	if n := len(number); n > 0 {
		if at := strings.IndexByte("KMGT", number[n-1]); at >= 0 {
			number, shift = number[:n-1], 10*(at+1)
		}
	}
	v, err := strconv.ParseFloat(number, 64)
	if err != nil || !(v >= 0) || math.Ldexp(v, shift) >= math.MaxInt64 {
		return fmt.Errorf("want a number of bytes, such as 512M or 2GiB")
	}
	*s = size(math.Ldexp(v, shift))
	return nil
}

// typeFlag is a dtype by name; its zero value is none.
type typeFlag struct{ t dtype.Type }

func (f *typeFlag) Type() string   { return "T" }
func (f *typeFlag) String() string { return f.t.String() }
func (f *typeFlag) Set(name string) (err error) {
	f.t, err = dtype.Parse(name)
	return err
}

// layoutFlag is a layout's word.
type layoutFlag shape.Layout

func (l *layoutFlag) Type() string   { return "LAYOUT" }
func (l *layoutFlag) String() string { return string(*l) }
func (l *layoutFlag) Set(word string) error {
	parsed, err := shape.ParseLayout(word)
	*l = layoutFlag(parsed)
	return err
}

// choice is one word of several.
type choice struct {
	value string
	of    []string
}

func (c *choice) Type() string   { return strings.Join(c.of, "|") }
func (c *choice) String() string { return c.value }
func (c *choice) Set(word string) error {
	if !slices.Contains(c.of, word) {
		return fmt.Errorf("want one of %s", strings.Join(c.of, ", "))
	}
	c.value = word
	return nil
}

// oneOf refuses a flag's word that is none of those.
func oneOf(flag, word string, of []string) error {
	if slices.Contains(of, word) {
		return nil
	}
	return usagef("--%s %s: want one of %s", flag, word, strings.Join(of, ", "))
}

// list is words separated by commas. A flag that is repeated adds to it.
type list []string

func (l *list) Type() string   { return "LIST" }
func (l *list) String() string { return strings.Join(*l, ",") }
func (l *list) Set(text string) error {
	*l = append(*l, splitList(text)...)
	return nil
}

// pathList is a list of paths: one that holds commas, and is there, wins over the
// words between them.
type pathList struct{ list }

const mostCommas = 8 // in a path

func (l *pathList) Set(text string) error {
	words := splitList(text)
	for len(words) > 0 {
		n := 1
		for m := min(len(words), mostCommas+1); m > 1 && !npyio.Exists(words[0]); m-- {
			if npyio.Exists(strings.Join(words[:m], ",")) {
				n = m
				break
			}
		}
		l.list = append(l.list, strings.Join(words[:n], ","))
		words = words[n:]
	}
	return nil
}

// coefficients reads the numbers of --coef.
func coefficients(words []string) ([]ops.Number, error) {
	var out []ops.Number
	for _, w := range words {
		n, err := number(w)
		if err != nil {
			return nil, usagef("--coef %s: %v", strings.Join(words, ","), err)
		}
		out = append(out, n)
	}
	return out, nil
}

// extents reads the shape of --shape; an empty word is that of a 0-d array.
func extents(words list) (shape.Shape, error) {
	if words.String() == "" {
		return shape.Shape{}, nil
	}
	return numbers("shape", words)
}

// number reads a number: one spelled as an integer is one.
func number(word string) (ops.Number, error) {
	v, err := strconv.ParseFloat(word, 64)
	integer := strings.Trim(word, "+-0123456789") == ""
	switch {
	case err != nil:
		return ops.Number{}, fmt.Errorf("%q is no number", word)
	case integer && math.Abs(v) >= 1<<53:
		return ops.Number{}, fmt.Errorf("%s is an integer beyond 2^53, where not all have a float64: want it in an array", word)
	}
	return ops.Number{Value: v, Integer: integer}, nil
}

func isNumber(word string) bool {
	_, err := strconv.ParseFloat(word, 64)
	return err == nil
}

// wantsValue reports whether a word is a flag whose value is the next one.
func wantsValue(f *pflag.FlagSet, word string) bool {
	takes := func(f *pflag.Flag) bool { return f != nil && f.NoOptDefVal == "" }
	if name, long := strings.CutPrefix(word, "--"); long {
		return takes(f.Lookup(name))
	}
	letters, short := strings.CutPrefix(word, "-")
	for i := range letters {
		if takes(f.ShorthandLookup(letters[i : i+1])) {
			return short && i == len(letters)-1
		}
	}
	return false
}

// numbers reads a list of integers.
func numbers(flag string, words []string) ([]int, error) {
	var out []int
	for _, w := range words {
		v, err := strconv.Atoi(w)
		if err != nil {
			return nil, usagef("--%s %s: %q is no integer", flag, strings.Join(words, ","), w)
		}
		out = append(out, v)
	}
	return out, nil
}
