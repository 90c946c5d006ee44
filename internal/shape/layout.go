package shape

import (
	"fmt"
	"slices"
	"strings"
)

// Layout names the axes of a map by a letter each: n is the batch, c the channels, and
// every other letter a spatial axis. The channels are last (TensorFlow's
// order) or come first after the batch (PyTorch's). A map without a batch has no n.
//
// A layout is the word that a user gave, until Of makes it the word of one array.
// NHWC and NCHW stand for families: channels last or first, with as many spatial
// axes as an array has.
type Layout string

// The two families.
const (
	NHWC Layout = "nhwc"
	NCHW Layout = "nchw"
)

// ParseLayout reads a layout's word.
func ParseLayout(word string) (Layout, error) {
	for i, r := range word {
		switch {
		case r < 'a' || r > 'z':
			return "", fmt.Errorf("want a letter from a to z for each axis, such as nhwc, ntc or chw")
		case strings.ContainsRune(word[:i], r):
			return "", fmt.Errorf("names %c twice: want a letter of its own for each axis", r)
		}
	}
	l := Layout(word)
	c := l.Channel()
	switch {
	case c < 0:
		return "", fmt.Errorf("names no channels: want a c among the letters, such as nhwc, ntc or chw")
	case strings.IndexByte(word, 'n') > 0:
		return "", fmt.Errorf("want n, the batch, first, such as nhwc")
	case c != len(l)-1 && c != l.first():
		return "", fmt.Errorf("want c, the channels, last or before the spatial axes, such as nhwc or nchw")
	case len(l.Spatial()) == 0:
		return "", fmt.Errorf("names no spatial axis: want a letter for each, such as nhwc, ntc or chw")
	}
	return l, nil
}

// first is the number of batch axes: 1 or 0.
func (l Layout) first() int {
	if l.Batched() {
		return 1
	}
	return 0
}

// Batched reports whether a map has a batch axis, which is its first.
func (l Layout) Batched() bool { return strings.HasPrefix(string(l), "n") }

// Channel is the axis of the channels; -1 where there is none.
func (l Layout) Channel() int { return strings.IndexByte(string(l), 'c') }

// ChannelsFirst reports whether the channels come before the spatial axes.
func (l Layout) ChannelsFirst() bool { return l.Channel() < len(l)-1 }

// Spatial lists the axes that are neither batch nor channels. They follow one
// another.
func (l Layout) Spatial() []int {
	var axes []int
	for a := l.first(); a < len(l); a++ {
		if a != l.Channel() {
			axes = append(axes, a)
		}
	}
	return axes
}

// Family reports whether the word stands for maps of any number of axes.
func (l Layout) Family() bool { return l == NHWC || l == NCHW }

// spatialLetters end with the axes that few maps have: width last.
const spatialLetters = "qrsuvtdhw"

// Like is the word of a map of so many spatial axes whose channels are where l has
// them: sequences have the length l, volumes a depth d.
func (l Layout) Like(spatial int, batched bool) Layout {
	letters := "l"
	switch {
	case spatial > len(spatialLetters):
		letters = strings.Repeat("?", spatial) // more than anybody names
	case spatial != 1:
		letters = spatialLetters[len(spatialLetters)-spatial:]
	}
	word := letters + "c"
	if l.ChannelsFirst() {
		word = "c" + letters
	}
	if batched {
		word = "n" + word
	}
	return Layout(word)
}

// Of is the word for an array of ndim axes, a letter each. spatial is the number of
// spatial axes where a kernel or a size tells it, and 0 where nothing does; then
// an array with one axis less than a batch of such maps is one map. ok is false where the
// word has other axes than the array. Of a family, arrays of 2 axes and fewer are
// vectors: nc, c, and the empty word.
func (l Layout) Of(ndim, spatial int) (word Layout, ok bool) {
	switch exact := len(l) == ndim; {
	case spatial == 0 && exact:
		return l, true
	case spatial == 0 && l.Family():
		return l.Like(max(ndim-2, 0), true)[max(2-ndim, 0):], true
	case spatial == 0:
		return "", false
	case exact && len(l.Spatial()) == spatial:
		return l, true
	case ndim == spatial+1 && len(l) == ndim+1 && l.Batched():
		return l[1:], true
	case l.Family() && (ndim == spatial+2 || ndim == spatial+1):
		return l.Like(spatial, ndim == spatial+2), true
	}
	return "", false
}

// Maps reports whether operations on features take an array of ndim axes as a map:
// it has 4 axes and more, or the word has a letter for each. Others are sequences
// and vectors.
func (l Layout) Maps(ndim int) bool { return ndim > 3 || len(l) == ndim }

// Features is the axis that operations on features work on: the channels of maps, and
// the last axis of sequences and vectors. It is -1 where there is no axis.
func (l Layout) Features(ndim int) int {
	switch {
	case len(l) == ndim:
		return l.Channel()
	case l.Maps(ndim) && l.ChannelsFirst():
		return 1
	}
	return ndim - 1
}

// Reordered is the word of form's letters with the channels where l has them.
func (l Layout) Reordered(form Layout) Layout {
	letters := string(form[form.first():])
	spatial := strings.Replace(letters, "c", "", 1)
	if l.ChannelsFirst() {
		return form[:form.first()] + "c" + Layout(spatial)
	}
	return form[:form.first()] + Layout(spatial) + "c"
}

// Sized names the extents of a shape: n=8 h=32 w=32 c=64.
func (l Layout) Sized(s Shape) string {
	words := make([]string, len(s))
	for i, n := range s {
		words[i] = fmt.Sprintf("%c=%d", l[i], n)
	}
	return strings.Join(words, " ")
}

// Permutation takes a map whose axes l names to the order of another word of the same
// letters; ok is false where the letters differ.
func (l Layout) Permutation(to Layout) (perm []int, ok bool) {
	if len(l) != len(to) {
		return nil, false
	}
	for _, letter := range []byte(to) {
		perm = append(perm, strings.IndexByte(string(l), letter))
	}
	return perm, !slices.Contains(perm, -1)
}
