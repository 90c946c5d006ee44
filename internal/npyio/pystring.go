package npyio

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// stringAhead reports whether a string, with or without a prefix, comes next.
func (p *parser) stringAhead() bool {
	at := p.at
	p.word()
	c := p.peek()
	p.at = at
	return c == '\'' || c == '"'
}

// strings parses one string or several that stand side by side.
func (p *parser) strings() (any, error) {
	var b strings.Builder
	for {
		if err := p.string(&b); err != nil {
			return nil, err
		}
		if p.skip(); !p.stringAhead() {
			return b.String(), nil
		}
	}
}

func (p *parser) string(b *strings.Builder) error {
	start, raw := p.at, false
	switch prefix := p.word(); prefix {
	case "", "u", "U":
	case "r", "R":
		raw = true
	default: // bytes and formatted strings among them: no header has a use for them
		p.at = start
		return p.unexpected()
	}
	quote := p.text[p.at : p.at+1]
	if triple := strings.Repeat(quote, 3); strings.HasPrefix(p.text[p.at:], triple) {
		quote = triple
	}
	p.at += len(quote)
	for p.at < len(p.text) {
		rest := p.text[p.at:]
		switch {
		case strings.HasPrefix(rest, quote):
			p.at += len(quote)
			return nil
		case rest[0] == '\\' && raw:
			_, n := utf8.DecodeRuneInString(rest[1:])
			b.WriteString(rest[:1+n])
			p.at += 1 + n
		case rest[0] == '\\':
			if err := p.escape(b); err != nil {
				return err
			}
		case len(quote) == 1 && (rest[0] == '\n' || rest[0] == '\r'):
			return p.unexpected()
		default:
			b.WriteByte(rest[0])
			p.at++
		}
	}
	return p.unexpected()
}

// escape parses a backslash and what belongs to it.
func (p *parser) escape(b *strings.Builder) error {
	const letters, means = "abfnrtv\\'\"", "\a\b\f\n\r\t\v\\'\""
	rest := p.text[p.at+1:]
	if rest == "" {
		return p.unexpected()
	}
	if i := strings.IndexByte(letters, rest[0]); i >= 0 {
		b.WriteByte(means[i])
		p.at += 2
		return nil
	}
	from, length, base := 1, 0, 16 // where the digits stand, how many, of what kind
	switch rest[0] {
	case '\n':
		p.at += 2
		return nil
	case 'x':
		length = 2
	case 'u':
		length = 4
	case 'U':
		length = 8
	case 'N': // a character's name: repr never writes it
		return p.unexpected()
	case '0', '1', '2', '3', '4', '5', '6', '7':
		from, base = 0, 8
		for length < 3 && length < len(rest) && '0' <= rest[length] && rest[length] <= '7' {
			length++
		}
	default: // Python keeps a backslash that means nothing
		b.WriteByte('\\')
		p.at++
		return nil
	}
	if len(rest) < from+length {
		return p.unexpected()
	}
	code, err := strconv.ParseUint(rest[from:from+length], base, 32)
	if err != nil || code > unicode.MaxRune || !utf8.ValidRune(rune(code)) { // half a surrogate pair is none
		return p.unexpected()
	}
	b.WriteRune(rune(code))
	p.at += 1 + from + length
	return nil
}

// pyString is Python's repr of a string. What counts as printable is the same
// in both languages: letters, marks, numbers, punctuation, symbols and the
// space; that may differ for characters newer than either's Unicode tables.
func pyString(s string) string {
	quote := '\''
	if strings.ContainsRune(s, '\'') && !strings.ContainsRune(s, '"') {
		quote = '"'
	}
	var b strings.Builder
	b.WriteRune(quote)
	for _, r := range s {
		switch {
		case r == quote || r == '\\':
			b.WriteRune('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r <= 0xFF:
			b.WriteString(hex(`\x`, r, 2))
		case r <= 0xFFFF:
			b.WriteString(hex(`\u`, r, 4))
		default:
			b.WriteString(hex(`\U`, r, 8))
		}
	}
	b.WriteRune(quote)
	return b.String()
}

func hex(prefix string, r rune, width int) string {
	digits := strconv.FormatInt(int64(r), 16)
	return prefix + strings.Repeat("0", width-len(digits)) + digits
}
