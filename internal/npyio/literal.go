package npyio

import (
	"strconv"
	"strings"
)

// The values of a Python literal, besides string, int64 and bool.
type (
	none  struct{}
	tuple []any
	list  []any
	dict  []entry
	entry struct{ key, value any }
)

// maxDepth bounds how deep a literal nests. Record types nest a few levels.
const maxDepth = 100

// parseLiteral parses the Python literals a header may hold: what
// ast.literal_eval accepts, less bytes, sets, floats and complex numbers, for
// which no header has a use. Under python2, integers may end in L.
func parseLiteral(text string, python2 bool) (any, error) {
	if strings.IndexByte(text, 0) >= 0 {
		return nil, malformed("header holds a null byte")
	}
	p := &parser{text: text, python2: python2}
	v, err := p.value(0)
	if err != nil {
		return nil, err
	}
	if p.skip(); p.at < len(p.text) {
		return nil, p.unexpected()
	}
	return v, nil
}

type parser struct {
	text    string
	at      int
	python2 bool
}

// peek is the next byte, or 0 at the end, which no text contains.
func (p *parser) peek() byte {
	if p.at < len(p.text) {
		return p.text[p.at]
	}
	return 0
}

func (p *parser) accept(c byte) bool {
	if p.peek() != c {
		return false
	}
	p.at++
	return true
}

// skip passes over white space, comments and continued lines.
func (p *parser) skip() {
	for p.at < len(p.text) {
		rest := p.text[p.at:]
		switch {
		case strings.IndexByte(" \t\f\r\n", rest[0]) >= 0:
			p.at++
		case strings.HasPrefix(rest, "\\\n"):
			p.at += 2
		case rest[0] == '#':
			end := strings.IndexByte(rest, '\n')
			if end < 0 {
				end = len(rest)
			}
			p.at += end
		default:
			return
		}
	}
}

func (p *parser) unexpected() error {
	if p.at >= len(p.text) {
		return malformed("header is cut off: its dictionary doesn't end")
	}
	return malformed("header is not a Python literal: unexpected %s at character %d", quoted(p.text[p.at:min(p.at+10, len(p.text))]), p.at)
}

func (p *parser) value(depth int) (any, error) {
	if depth > maxDepth {
		return nil, malformed("header nests more than %d levels deep", maxDepth)
	}
	p.skip()
	switch c := p.peek(); {
	case c == '{':
		return p.dict(depth)
	case c == '[':
		items, _, err := p.items(']', depth)
		return list(items), err
	case c == '(':
		items, comma, err := p.items(')', depth)
		if err == nil && len(items) == 1 && !comma {
			return items[0], nil // just a value in parentheses
		}
		return tuple(items), err
	case c == '-' || c == '+' || '0' <= c && c <= '9':
		return p.integer()
	case p.stringAhead():
		return p.strings()
	}
	word := p.word()
	switch word {
	case "True":
		return true, nil
	case "False":
		return false, nil
	case "None":
		return none{}, nil
	}
	p.at -= len(word)
	return nil, p.unexpected()
}

// items parses what stands between brackets, and reports whether the last item
// was followed by a comma.
func (p *parser) items(closing byte, depth int) (items []any, comma bool, err error) {
	p.at++
	for {
		if p.skip(); p.accept(closing) {
			return items, comma, nil
		}
		if len(items) > 0 && !comma {
			return nil, false, p.unexpected()
		}
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, false, err
		}
		items = append(items, v)
		p.skip()
		comma = p.accept(',')
	}
}

func (p *parser) dict(depth int) (any, error) {
	p.at++
	var d dict
	for comma := true; ; {
		if p.skip(); p.accept('}') {
			return d, nil
		}
		if !comma {
			return nil, p.unexpected()
		}
		key, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		if p.skip(); !p.accept(':') {
			return nil, p.unexpected()
		}
		value, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		d = append(d, entry{key, value})
		p.skip()
		comma = p.accept(',')
	}
}

// word passes over letters, digits and underscores.
func (p *parser) word() string {
	start := p.at
	for c := p.peek(); c == '_' || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'; c = p.peek() {
		p.at++
	}
	return p.text[start:p.at]
}

func (p *parser) integer() (any, error) {
	start, sign := p.at, ""
	if c := p.peek(); c == '-' || c == '+' {
		p.at++
		p.skip()
		sign = string(c)
	}
	digits := p.word()
	if p.python2 {
		end := p.at
		if p.skip(); p.word() != "L" {
			p.at = end
		}
		digits = strings.TrimSuffix(digits, "L")
	}
	// Python refuses the octals of C, which Go would take.
	octal := len(digits) > 1 && digits[0] == '0' && strings.IndexByte("_0123456789", digits[1]) >= 0 && strings.Trim(digits, "0_") != ""
	if digits == "" || digits[0] < '0' || digits[0] > '9' || octal {
		p.at = start
		return nil, p.unexpected()
	}
	n, err := strconv.ParseInt(sign+digits, 0, 64)
	if e, ok := err.(*strconv.NumError); ok && e.Err == strconv.ErrRange {
		return nil, malformed("header holds the integer %s, which doesn't fit in 64 bits", quoted(sign+digits))
	} else if err != nil {
		p.at = start
		return nil, p.unexpected()
	}
	return n, nil
}
