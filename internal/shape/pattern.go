package shape

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Pattern is an arrangement of axes in einops' notation, such as
// "n (h p) w c -> (n h) w (p c)": both sides name the axes in order, those in
// parentheses being one axis, the first of them outermost. Three dots stand for
// any number of axes, 1 and () for one of extent 1.
type Pattern struct {
	text        string
	left, right []composition
	sizes       map[string]int
}

// composition is the named axes that one axis is made of.
type composition struct {
	axes  []string
	apart bool // three dots outside of parentheses, an axis for each that they stand for
}

func (c composition) String() string {
	words := make([]string, len(c.axes))
	for i, name := range c.axes {
		words[i] = shown(name)
	}
	if len(words) == 1 {
		return words[0]
	}
	return "(" + strings.Join(words, " ") + ")"
}

// dots stand for the axes that a pattern doesn't name.
const dots = "..."

// numbered separates an axis that is given by its extent, which has no name, from
// others of that extent; it stands in no name.
const numbered = "#"

// shown is an axis as the pattern has it.
func shown(name string) string {
	name, _, _ = strings.Cut(name, numbered)
	return name
}

// PatternUse says which axes one side of a pattern may have for itself.
type PatternUse int

// The uses of patterns are einops' functions.
const (
	ToRearrange PatternUse = iota // none
	ToRepeat                      // new ones on the right side
	ToReduce                      // on the left side, which vanish
)

// PatternError says that a pattern is none, or that a shape doesn't fit it.
type PatternError struct{ Msg, Hint string }

func (e *PatternError) Error() string { return e.Msg }

// ParsePattern reads a pattern, with the extents of axes that the array doesn't
// tell or that are new. It is a *PatternError if any array would be refused:
// names that stand twice or, but for the use, on one side only, and axes in
// parentheses of which more than one extent is unknown.
func ParsePattern(text string, use PatternUse, sizes map[string]int) (*Pattern, error) {
	p := &Pattern{text: text, sizes: maps.Clone(sizes)}
	if p.sizes == nil {
		p.sizes = map[string]int{}
	}
	sides := strings.Split(text, "->")
	if len(sides) != 2 {
		return nil, p.wrong("want two sides with one -> between", "LEFT -> RIGHT, in quotes: 'n h w c -> n c h w'")
	}
	var err error
	if p.left, err = p.side(sides[0]); err != nil {
		return nil, err
	}
	if p.right, err = p.side(sides[1]); err != nil {
		return nil, err
	}
	if err := p.checkSides(use); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(sizes)) {
		switch {
		case !isAxisName(name) || !slices.Contains(append(names(p.left), names(p.right)...), name):
			return nil, p.wrong(fmt.Sprintf("has no axis %s, for which there is a size", name), "")
		case sizes[name] < 1:
			return nil, p.wrong(fmt.Sprintf("the size %s=%d: want at least 1", name, sizes[name]), "")
		}
	}
	return p, p.checkSizes()
}

// wrong is a PatternError about p.
func (p *Pattern) wrong(msg, hint string) error {
	return &PatternError{"'" + p.text + "': " + msg, hint}
}

// names are the axes of a side, in order.
func names(side []composition) (all []string) {
	for _, c := range side {
		all = append(all, c.axes...)
	}
	return all
}

// side reads one side of a pattern.
func (p *Pattern) side(text string) (side []composition, err error) {
	var word strings.Builder
	open := false
	end := func() error {
		name := word.String()
		word.Reset()
		switch {
		case name == "":
			return nil
		case open:
			c := &side[len(side)-1]
			c.axes, err = p.axis(c.axes, name)
		default:
			c := composition{apart: name == dots}
			c.axes, err = p.axis(nil, name)
			side = append(side, c)
		}
		return err
	}
	for _, r := range text {
		if r != '(' && r != ')' && !unicode.IsSpace(r) {
			word.WriteRune(r)
			continue
		}
		if err := end(); err != nil {
			return nil, err
		}
		switch {
		case r == '(' && open:
			return nil, p.wrong("has parentheses within parentheses", "")
		case r == ')' && !open:
			return nil, p.wrong("has a ) without its (", "")
		case r == '(':
			open = true
			side = append(side, composition{})
		case r == ')':
			open = false
		}
	}
	if open {
		return nil, p.wrong("has a ( without its )", "")
	}
	if err := end(); err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, name := range names(side) {
		if seen[name] {
			return nil, p.wrong(fmt.Sprintf("%s stands twice on one side", name), "")
		}
		seen[name] = true
	}
	return side, nil
}

// axis appends the axis that a word names: none for 1, which changes nothing.
func (p *Pattern) axis(to []string, word string) ([]string, error) {
	isNumber := strings.Trim(word, "0123456789") == ""
	n, err := strconv.Atoi(word)
	switch {
	case isNumber && (err != nil || n < 1):
		return nil, p.wrong(fmt.Sprintf("an axis of extent %s: want at least 1", word), "")
	case n == 1 && isNumber:
		return to, nil
	case isNumber:
		name := fmt.Sprintf("%d%s%d", n, numbered, len(p.sizes))
		p.sizes[name] = n
		return append(to, name), nil
	case word != dots && strings.Contains(word, "."):
		return nil, p.wrong(fmt.Sprintf("%s: dots stand as ... alone, for the axes that have no name", word), "")
	case word != dots && !isAxisName(word):
		return nil, p.wrong(fmt.Sprintf("%q is no name of an axis", word), "names are of letters, digits and _, begin with a letter and don't end with _")
	}
	return append(to, word), nil
}

// isAxisName reports whether einops would take a word as the name of an axis.
func isAxisName(word string) bool {
	for i, r := range word {
		if !unicode.IsLetter(r) && (i == 0 || r != '_' && !unicode.IsDigit(r)) {
			return false
		}
	}
	return !strings.HasSuffix(word, "_")
}

// checkSides refuses axes that one side has for itself.
func (p *Pattern) checkSides(use PatternUse) error {
	left, right := names(p.left), names(p.right)
	for _, c := range p.left {
		if slices.Contains(c.axes, dots) && !c.apart {
			return p.wrong("... stands in parentheses on the left, where it can't be told apart", "")
		}
	}
	for _, name := range left {
		switch one := !slices.Contains(right, name); {
		case one && use != ToReduce && name != shown(name):
			return p.wrong(fmt.Sprintf("the axis of extent %s on the left has no name by which the right could have it", shown(name)), "name it, and give the name an extent by --sizes NAME="+shown(name))
		case one && use != ToReduce:
			return p.wrong(fmt.Sprintf("%s stands on the left only", name), "fusectl reduce is for axes that vanish")
		}
	}
	for _, name := range right {
		switch one := !slices.Contains(left, name); {
		case one && name == dots:
			return p.wrong("... stands on the right only", "")
		case one && use == ToReduce:
			return p.wrong(fmt.Sprintf("%s stands on the right only", shown(name)), "")
		case one && use == ToRearrange:
			return p.wrong(fmt.Sprintf("%s stands on the right only", shown(name)), "fusectl repeat is for new axes, along which elements repeat")
		}
	}
	return nil
}

// checkSizes refuses axes whose extents no array would tell.
func (p *Pattern) checkSizes() error {
	left := names(p.left)
	for _, name := range names(p.right) {
		if _, known := p.sizes[name]; !known && !slices.Contains(left, name) {
			return p.wrong(fmt.Sprintf("the new axis %s has no extent", name), fmt.Sprintf("--sizes %s=2 gives it one", name))
		}
	}
	for _, c := range p.left {
		if unknown := p.unknown(c); len(unknown) > 1 {
			return p.wrong(fmt.Sprintf("%v can't be told apart: the extents of %s are unknown", c, strings.Join(unknown, " and ")), fmt.Sprintf("--sizes %s=2 gives one of them an extent; the array tells the last", unknown[len(unknown)-1]))
		}
	}
	return nil
}

// unknown are the axes of a composition that have no extent yet.
func (p *Pattern) unknown(c composition) (all []string) {
	for _, name := range c.axes {
		if _, known := p.sizes[name]; !known {
			all = append(all, name)
		}
	}
	return all
}

// Arrangement is a pattern on arrays of one shape. An array is seen as Apart, the
// axes of which in Gone are reduced; then it is seen as Kept, broadcast to Wide,
// transposed by Perm and seen as Out.
type Arrangement struct {
	Apart Shape // the axes of the left side, each for itself
	Gone  []int // those that the right side doesn't have
	Kept  Shape // the others, and axes of extent 1 where there will be new ones
	Wide  Shape // Kept with the extents of the new axes
	Perm  []int // the axes of Wide in the order in which the right side has them
	Out   Shape // the right side
}

// On finds what the pattern is on an array of shape s. A shape that doesn't fit
// is a *PatternError.
func (p *Pattern) On(s Shape) (Arrangement, error) {
	left, right := p.left, p.right
	q := &Pattern{text: p.text, sizes: maps.Clone(p.sizes)}
	if at := slices.IndexFunc(left, func(c composition) bool { return c.apart }); at >= 0 {
		n := len(s) - (len(left) - 1)
		if n < 0 {
			return Arrangement{}, q.unfit(s, fmt.Sprintf("the left side has at least %d axes", len(left)-1), "")
		}
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf("%s%d", dots, i))
			q.sizes[all[i]] = s[at+i]
		}
		left, right = spread(left, all), spread(right, all)
	}
	if len(left) != len(s) {
		return Arrangement{}, q.unfit(s, fmt.Sprintf("the left side has %d axes", len(left)), "... stands for axes that the pattern doesn't name")
	}
	for i, c := range left {
		if err := q.solve(s, i, c); err != nil {
			return Arrangement{}, err
		}
	}
	return q.arrange(s, left, right)
}

// spread puts the names of axes in the place of three dots.
func spread(side []composition, all []string) (out []composition) {
	for _, c := range side {
		if c.apart {
			for _, name := range all {
				out = append(out, composition{axes: []string{name}})
			}
			continue
		}
		if at := slices.Index(c.axes, dots); at >= 0 {
			c.axes = slices.Concat(c.axes[:at], all, c.axes[at+1:])
		}
		out = append(out, c)
	}
	return out
}

// unfit is the error of a shape that doesn't fit.
func (p *Pattern) unfit(s Shape, msg, hint string) error {
	return &PatternError{fmt.Sprintf("shape %v does not fit '%s': %s", s, p.text, msg), hint}
}

// solve finds the extent of the axis of c that is unknown, c being axis i of s.
func (p *Pattern) solve(s Shape, i int, c composition) error {
	known, with := Shape{}, []string{}
	for _, name := range c.axes {
		if n, ok := p.sizes[name]; ok {
			known = append(known, n)
			with = append(with, fmt.Sprintf("%s=%d", name, n))
		}
	}
	n, err := known.Check(1)
	if unknown := p.unknown(c); err == nil && len(unknown) > 0 && int64(s[i])%n == 0 {
		p.sizes[unknown[0]] = s[i] / int(n)
		return nil
	} else if err == nil && len(unknown) == 0 && n == int64(s[i]) {
		return nil
	}
	switch {
	case len(c.axes) == 0:
		return p.unfit(s, fmt.Sprintf("axis %d has extent %d, where the left side has 1", i, s[i]), "")
	case len(c.axes) == 1:
		return p.unfit(s, fmt.Sprintf("axis %d has extent %d, not %s", i, s[i], shownSizes(with)), "")
	case len(known) == len(c.axes):
		return p.unfit(s, fmt.Sprintf("axis %d has extent %d, which isn't %v with %s", i, s[i], c, shownSizes(with)), "")
	}
	return p.unfit(s, fmt.Sprintf("axis %d has extent %d, which %v doesn't divide with %s", i, s[i], c, shownSizes(with)), "")
}

// shownSizes are extents as messages have them: of an axis without a name, the number.
func shownSizes(with []string) string {
	for i, word := range with {
		with[i] = shown(word)
	}
	return strings.Join(with, ", ")
}

// arrange arranges an array of shape s, all extents being known.
func (p *Pattern) arrange(s Shape, left, right []composition) (a Arrangement, err error) {
	from, to := names(left), names(right)
	a.Apart, a.Gone, a.Out = p.extents(from), []int{}, Shape{}
	var wide []string
	for i, name := range from {
		if slices.Contains(to, name) {
			wide = append(wide, name)
		} else {
			a.Gone = append(a.Gone, i)
		}
	}
	for i, name := range to { // a new axis follows the one that it follows on the right: so it is moved least
		if slices.Contains(from, name) {
			continue
		}
		at := 0
		if i > 0 {
			at = slices.Index(wide, to[i-1]) + 1
		}
		wide = slices.Insert(wide, at, name)
	}
	a.Wide = p.extents(wide)
	a.Kept = a.Wide.Clone()
	for i, name := range wide {
		if !slices.Contains(from, name) {
			a.Kept[i] = 1
		}
	}
	for _, name := range to {
		a.Perm = append(a.Perm, slices.Index(wide, name))
	}
	for _, c := range right {
		a.Out = append(a.Out, int(p.extents(c.axes).Len()))
	}
	for _, t := range []Shape{a.Apart, a.Wide, a.Out} { // of which Wide tells whether Out is what it was counted to be
		if _, err := t.Check(1); err != nil {
			return a, p.unfit(s, err.Error(), "")
		}
	}
	return a, nil
}

// extents are the extents of named axes.
func (p *Pattern) extents(axes []string) Shape {
	s := make(Shape, len(axes))
	for i, name := range axes {
		s[i] = p.sizes[name]
	}
	return s
}
