package recipe

import (
	"fmt"
	"slices"
	"strings"
)

// Step is one command: the words of its command line, and the name that its
// result has.
type Step struct {
	Name string   // may hold {} for a command with several results
	Args []string // the command and its arguments
	Line int      // in a recipe, from 1 on; in a chain, the step's number
	Text string   // as it was written
}

// shown is the characters of a step that messages quote.
const shown = 72

// Where says which step it is, for messages.
func (s Step) Where() string {
	text := s.Text
	if r := []rune(text); len(r) > shown {
		text = string(r[:shown]) + "…"
	}
	if s.Name == "" {
		return fmt.Sprintf("step %d (%s)", s.Line, text)
	}
	return fmt.Sprintf("line %d (%s)", s.Line, text)
}

// Error says what is wrong with the text of a recipe or a chain.
type Error struct {
	Where string // "": no step in particular
	Msg   string
}

func (e *Error) Error() string {
	if e.Where == "" {
		return e.Msg
	}
	return e.Where + ": " + e.Msg
}

// Then is the word that joins the steps of a chain.
const Then = "then"

// Chain splits a command line into steps at each "then".
func Chain(args []string) ([]Step, error) {
	var steps []Step
	for n := 1; ; n++ {
		end := slices.Index(args, Then)
		part := args
		if end >= 0 {
			part = args[:end]
		}
		s := Step{Args: part, Line: n, Text: strings.Join(part, " ")}
		if len(part) == 0 {
			return nil, &Error{Msg: fmt.Sprintf("step %d of the chain is empty: want a command on either side of then", n)}
		}
		steps = append(steps, s)
		if end < 0 {
			return steps, nil
		}
		args = args[end+1:]
	}
}

const nameLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"

// IsName reports whether a word can be the name of a result or of an input.
func IsName(word string) bool { return word != "" && strings.Trim(word, nameLetters) == "" }

// MostText is the bytes that a recipe may have.
const MostText = 1 << 20

// Parse reads a recipe: lines of the form "name = command arguments", words
// separated by blanks, quoted as in a shell where they hold some, # for
// comments, and \ at the end of a line that goes on in the next. A byte order
// mark is no part of it.
func Parse(text string) ([]Step, error) {
	switch {
	case len(text) > MostText:
		return nil, &Error{Msg: fmt.Sprintf("is longer than %d bytes: want a recipe, lines of NAME = COMMAND ARGUMENTS", MostText)}
	case strings.HasPrefix(text, "\xff\xfe") || strings.HasPrefix(text, "\xfe\xff"):
		return nil, &Error{Msg: "is text in UTF-16: want UTF-8"}
	case strings.Contains(text, "\x00"):
		return nil, &Error{Msg: "is no text, since it has NUL bytes: want a recipe, lines of NAME = COMMAND ARGUMENTS"}
	}
	text = strings.TrimPrefix(text, "\ufeff")
	var steps []Step
	lines := strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text), "\n")
	for i := 0; i < len(lines); i++ {
		first, line := i+1, lines[i]
		comment := strings.HasPrefix(strings.TrimSpace(line), "#")
		for !comment && goesOn(line) && i+1 < len(lines) {
			i++
			line = strings.TrimSuffix(line, `\`) + " " + lines[i]
		}
		words, err := split(line)
		if err != nil {
			return nil, &Error{Where: fmt.Sprintf("line %d", first), Msg: err.Error()}
		}
		if len(words) == 0 {
			continue
		}
		if len(words) < 3 || words[1] != "=" {
			return nil, &Error{Where: fmt.Sprintf("line %d", first), Msg: fmt.Sprintf("%q: want NAME = COMMAND ARGUMENTS", strings.Join(words, " "))}
		}
		s := Step{Name: words[0], Args: words[2:], Line: first, Text: strings.Join(words, " ")}
		if !IsName(strings.Replace(s.Name, "{}", "", 1)) || strings.Trim(s.Name[:1], "0123456789") == "" {
			return nil, &Error{Where: s.Where(), Msg: fmt.Sprintf("%q is no name: want letters, digits and _, and for several results {}", s.Name)}
		}
		for _, o := range steps {
			_, one := o.Number(s.Name)
			_, other := s.Number(o.Name)
			if o.Name == s.Name || one || other {
				return nil, &Error{Where: s.Where(), Msg: fmt.Sprintf("%s is the result of line %d already", s.Name, o.Line)}
			}
		}
		steps = append(steps, s)
	}
	if len(steps) == 0 {
		return nil, &Error{Msg: "the recipe has no step"}
	}
	return steps, nil
}

// goesOn reports whether a line ends in a \ that no other one escapes.
func goesOn(line string) bool {
	return (len(line)-len(strings.TrimRight(line, `\`)))%2 == 1
}

// split cuts a line into words, as a shell does without expansions: a \ takes
// the meaning from what follows, inside "" from \, ", $ and ` alone.
func split(line string) ([]string, error) {
	var words []string
	var word []byte // paths needn't be UTF-8
	in, quote := false, byte(0)
	flush := func() {
		if in {
			words = append(words, string(word))
		}
		in, word = false, nil
	}
	for i := 0; i < len(line); i++ {
		c := line[i]
		escapes := c == '\\' && i+1 < len(line) && (quote == 0 || quote == '"' && strings.IndexByte("\\\"$`", line[i+1]) >= 0)
		switch {
		case escapes:
			i++
			word, in = append(word, line[i]), true
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word = append(word, c)
		case c == '\'' || c == '"':
			quote, in = c, true
		case c == ' ' || c == '\t':
			flush()
		case c == '#' && !in:
			return words, nil
		default:
			word, in = append(word, c), true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("a quote (%c) isn't closed", quote)
	}
	flush()
	return words, nil
}

// Several reports whether the step's name takes several results.
func (s Step) Several() bool { return strings.Contains(s.Name, "{}") }

// Number gives the text that {} stands for in name, if that is a result of the
// step whose name has it.
func (s Step) Number(name string) (number string, ok bool) {
	before, after, several := strings.Cut(s.Name, "{}")
	if !several || len(name) <= len(before)+len(after) || !strings.HasPrefix(name, before) || !strings.HasSuffix(name, after) {
		return "", false
	}
	number = name[len(before) : len(name)-len(after)]
	return number, strings.Trim(number, "0123456789") == ""
}

// Find is the index of the step that gives name, which may be one of its
// several results or stand for all of them; -1: none does.
func Find(steps []Step, name string) int {
	return slices.IndexFunc(steps, func(s Step) bool {
		_, one := s.Number(name)
		return one || s.Name == name
	})
}
