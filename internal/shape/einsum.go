package shape

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Label names an axis of an operand of Einsum: a letter or, of the axes that an
// ellipsis stands for, the last one -1, the one before it -2, and so on.
type Label rune

// ellipsis stands for its axes in subscripts, which say nothing of their number.
const ellipsis Label = 0

func (l Label) String() string {
	if l <= ellipsis {
		return "..."
	}
	return string(l)
}

// Einsum is a sum of products in the notation of numpy.einsum, such as
// "ij,jk->ik": subscripts for each operand, a label an axis, and for the result. Axes
// of one label are one index, and an index that the result hasn't is summed over.
type Einsum struct {
	spec   string
	inputs [][]Label
	output []Label
}

// maxOperands is NumPy 2's limit.
const maxOperands = 64

// EinsumError says that a text is no Einsum.
type EinsumError struct{ Msg, Hint string }

func (e *EinsumError) Error() string { return e.Msg }

func (e *Einsum) wrong(hint, format string, args ...any) *EinsumError {
	return &EinsumError{fmt.Sprintf("%q: ", e.spec) + fmt.Sprintf(format, args...), hint}
}

// ParseEinsum reads the notation, in which spaces mean nothing. Without -> the
// result has the axes of the ellipses, then the labels that stand once, in
// alphabetical order, capitals first.
func ParseEinsum(spec string) (*Einsum, error) {
	e := &Einsum{spec: spec}
	if n := strings.Count(spec, ",") + 1; n > maxOperands {
		return nil, &EinsumError{Msg: fmt.Sprintf("%d operands: want at most %d", n, maxOperands)}
	}
	left, right, explicit := strings.Cut(strings.Join(strings.Fields(spec), ""), "->")
	for i, text := range strings.Split(left, ",") {
		labels, err := e.subscripts(text, fmt.Sprintf("operand %d", i+1))
		if err != nil {
			return nil, err
		}
		e.inputs = append(e.inputs, labels)
	}
	if !explicit {
		e.output = e.implicit()
		return e, nil
	}
	var err error
	if e.output, err = e.subscripts(right, "the result"); err != nil {
		return nil, err
	}
	for i, l := range e.output {
		switch {
		case slices.Contains(e.output[:i], l):
			return nil, e.wrong("a label that an operand has twice stands for its diagonal, and once in the result: ii->i", "the result has %v twice", l)
		case l != ellipsis && !slices.ContainsFunc(e.inputs, func(in []Label) bool { return slices.Contains(in, l) }):
			return nil, e.wrong("labels of the result are labels of the operands", "the result's %v is in no operand", l)
		}
	}
	return e, nil
}

// subscripts reads the labels of one operand, or of the result.
func (e *Einsum) subscripts(text, whose string) (labels []Label, err error) {
	for rest := text; rest != ""; {
		r, _ := utf8.DecodeRuneInString(rest)
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z':
			labels = append(labels, Label(r))
			rest = rest[1:]
		case strings.HasPrefix(rest, ellipsis.String()) && slices.Contains(labels, ellipsis):
			return nil, e.wrong("", "%s, %q, has a second ellipsis", whose, text)
		case strings.HasPrefix(rest, ellipsis.String()):
			labels = append(labels, ellipsis)
			rest = rest[len(ellipsis.String()):]
		case r == '.':
			return nil, e.wrong("an ellipsis is three dots, ..., and stands for any number of axes", "%s, %q, has a dot that is no part of an ellipsis", whose, text)
		default:
			return nil, e.wrong("a label is a letter, a to z or A to Z; a comma divides operands, -> comes before the result, once", "%q in %s, %q, is no label", r, whose, text)
		}
	}
	return labels, nil
}

func (e *Einsum) implicit() (output []Label) {
	times := map[Label]int{}
	for _, in := range e.inputs {
		for _, l := range in {
			times[l]++
		}
	}
	for l, n := range times {
		if n == 1 || l == ellipsis {
			output = append(output, l)
		}
	}
	slices.Sort(output)
	return output
}

// String is the text that was read.
func (e *Einsum) String() string { return e.spec }

// Operands is the number of operands.
func (e *Einsum) Operands() int { return len(e.inputs) }

// Subscripts is the labels of operand i, as the text has them but for spaces.
func (e *Einsum) Subscripts(i int) string {
	var b strings.Builder
	for _, l := range e.inputs[i] {
		b.WriteString(l.String())
	}
	return b.String()
}

// Axes is the number of axes that operand i has or, with an ellipsis, has at least.
func (e *Einsum) Axes(i int) (n int, more bool) {
	n = len(e.inputs[i])
	if slices.Contains(e.inputs[i], ellipsis) {
		return n - 1, true
	}
	return n, false
}

// Indices are the labels of all axes of an Einsum of certain operands.
type Indices struct {
	Inputs  [][]Label // an operand's may stand several times
	Output  []Label
	Extents map[Label]int // an axis of extent 1 may stand for a larger one, but in an operand that has its label twice
}

// RankError says that an operand has another number of axes than its subscripts
// name.
type RankError struct{ Input int }

func (e *RankError) Error() string {
	return fmt.Sprintf("operand %d has another number of axes than its subscripts", e.Input)
}

// ExtentError says that two axes of one label don't go together.
type ExtentError struct {
	Label                    Label
	Input, Axis, Other, With int // axis With of operand Other came first
}

func (e *ExtentError) Error() string {
	return fmt.Sprintf("index %v: axis %d of operand %d does not go with axis %d of operand %d", e.Label, e.Axis, e.Input, e.With, e.Other)
}

// EllipsisError says that an ellipsis stands for axes of an operand that the
// result has no place for.
type EllipsisError struct{ Input int }

func (e *EllipsisError) Error() string {
	return fmt.Sprintf("the result has no ellipsis for that of operand %d", e.Input)
}

// Of gives the labels of operands of certain shapes, as many as Operands. Shapes that
// don't fit give a *RankError, an *ExtentError or an *EllipsisError.
func (e *Einsum) Of(shapes []Shape) (Indices, error) {
	x := Indices{Extents: map[Label]int{}}
	most := 0 // axes of an ellipsis
	for i, s := range shapes {
		labels, ok := expand(e.inputs[i], len(s)-len(e.inputs[i])+1)
		if !ok || len(labels) != len(s) {
			return x, &RankError{i}
		}
		x.Inputs = append(x.Inputs, labels)
		if n := len(s) - len(e.inputs[i]) + 1; slices.Contains(e.inputs[i], ellipsis) {
			if n > 0 && !slices.Contains(e.output, ellipsis) {
				return x, &EllipsisError{i}
			}
			most = max(most, n)
		}
	}
	x.Output, _ = expand(e.output, most)
	type place struct{ input, axis int }
	largest := map[Label]place{}
	for i, s := range shapes {
		for a, l := range x.Inputs[i] {
			if first := slices.Index(x.Inputs[i], l); s[first] != s[a] {
				return x, &ExtentError{l, i, a, i, first}
			}
			at, ok := largest[l]
			switch n := x.Extents[l]; {
			case !ok || n == 1:
				x.Extents[l], largest[l] = s[a], place{i, a}
			case s[a] != n && s[a] != 1:
				return x, &ExtentError{l, i, a, at.input, at.axis}
			}
		}
	}
	return x, nil
}

// expand puts n labels in the place of the ellipsis. It reports false where there is
// an ellipsis and n is negative.
func expand(labels []Label, n int) ([]Label, bool) {
	at := slices.Index(labels, ellipsis)
	if at < 0 {
		return labels, true
	}
	if n < 0 {
		return nil, false
	}
	out := slices.Clone(labels[:at])
	for i := range n {
		out = append(out, Label(i-n))
	}
	return append(out, labels[at+1:]...), true
}
