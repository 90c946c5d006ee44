package shape

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Index selects a part of an array, in NumPy's words: integers, slices with steps, an
// ellipsis and None, separated by commas.
type Index struct {
	text  string
	parts []indexPart
}

// indexPart is one word of an index.
type indexPart struct {
	kind              byte // 'i' an integer, ':' a slice, '.' the ellipsis, 'n' a new axis
	start, stop, step *int // of a slice; nil where nothing is said. Of an integer, start
}

// Range is n positions of an axis from Start on, Step apart; Step may be negative.
type Range struct{ Start, N, Step int }

// String is the index in brackets, as it was written.
func (x Index) String() string { return "[" + x.text + "]" }

// ParseIndex reads what stands between the brackets of an index.
func ParseIndex(text string) (Index, error) {
	x := Index{text: text}
	ellipsis := false
	words := strings.Split(text, ",")
	if n := len(words); n > 1 && strings.TrimSpace(words[n-1]) == "" {
		words = words[:n-1] // x[0,] is x[0]
	}
	for _, word := range words {
		word = strings.TrimSpace(word)
		switch {
		case word == "...":
			if ellipsis {
				return x, errors.New("has two ellipses: want one at most")
			}
			ellipsis = true
			x.parts = append(x.parts, indexPart{kind: '.'})
		case word == "None":
			x.parts = append(x.parts, indexPart{kind: 'n'})
		case strings.Contains(word, ":"):
			p, err := parseSlice(word)
			if err != nil {
				return x, err
			}
			x.parts = append(x.parts, p)
		default:
			n, err := strconv.Atoi(word)
			if err != nil {
				return x, fmt.Errorf("%q is no index: want integers, slices such as 2:8:2, ... and None", word)
			}
			x.parts = append(x.parts, indexPart{kind: 'i', start: &n})
		}
	}
	return x, nil
}

// parseSlice reads start:stop:step, any of which may be absent.
func parseSlice(word string) (indexPart, error) {
	p := indexPart{kind: ':'}
	numbers := strings.Split(word, ":")
	if len(numbers) > 3 {
		return p, fmt.Errorf("%q is no slice: want start:stop:step", word)
	}
	for i, to := range []**int{&p.start, &p.stop, &p.step}[:len(numbers)] {
		text := strings.TrimSpace(numbers[i])
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil {
			return p, fmt.Errorf("%q is no slice: want start:stop:step, of integers", word)
		}
		*to = &n
	}
	if p.step != nil && *p.step == 0 {
		return p, fmt.Errorf("%q is no slice: its step is 0", word)
	}
	return p, nil
}

// Of selects from an array of shape s: it gives a range of each of its axes, and
// the shape of the result, which lacks the axes that integers choose from and
// has those of None.
func (x Index) Of(s Shape) (ranges []Range, out Shape, err error) {
	named := 0
	for _, p := range x.parts {
		if p.kind == 'i' || p.kind == ':' {
			named++
		}
	}
	if named > len(s) {
		return nil, nil, fmt.Errorf("has %d indices for %s", named, CountAxes(len(s), ""))
	}
	out = Shape{}
	whole := func(n int) { // the next n axes
		for range n {
			extent := s[len(ranges)]
			ranges, out = append(ranges, Range{0, extent, 1}), append(out, extent)
		}
	}
	for _, p := range x.parts {
		axis := len(ranges)
		switch p.kind {
		case '.':
			whole(len(s) - named)
		case 'n':
			out = append(out, 1)
		case 'i':
			n, extent := *p.start, s[axis]
			if n < -extent || n >= extent {
				return nil, nil, fmt.Errorf("index %d is out of bounds for axis %d, whose extent is %d", n, axis, extent)
			}
			if n < 0 {
				n += extent
			}
			ranges = append(ranges, Range{n, 1, 1})
		case ':':
			r := p.resolve(s[axis])
			ranges, out = append(ranges, r), append(out, r.N)
		}
	}
	whole(len(s) - len(ranges))
	return ranges, out, nil
}

// resolve is the range of a slice of extent positions, as Python's slice.indices.
func (p indexPart) resolve(extent int) Range {
	step := 1
	if p.step != nil {
		step = *p.step
	}
	low, high := 0, extent // what start and stop may be
	if step < 0 {
		low, high = -1, extent-1
	}
	at := func(n *int, absent int) int {
		switch {
		case n == nil:
			return absent
		case *n < 0:
			return max(*n+extent, low)
		}
		return min(*n, high)
	}
	first, end := low, high
	if step < 0 {
		first, end = high, low
	}
	start, stop := at(p.start, first), at(p.stop, end)
	n := 0
	switch {
	case step > 0 && start < stop:
		n = (stop-start-1)/step + 1
	case step < 0 && stop < start:
		n = (start-stop-1)/-step + 1
	}
	if n == 0 {
		return Range{0, 0, 1}
	}
	return Range{start, n, step}
}
