package npyio

import (
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"fusectl/internal/dtype"
	"fusectl/internal/shape"
)

const (
	magic          = "\x93NUMPY"
	align          = 64       // data starts at a multiple of this, so that it can be mapped
	growthDigits   = 21       // room for the growing axis, as NumPy leaves it
	maxHeaderBytes = 64 << 10 // Options.MaxHeader unless told otherwise
)

// Header describes the array of a .npy file.
type Header struct {
	Major, Minor uint8       // version of the format, as read
	Descr        string      // Python literal of the dtype, as NumPy writes it
	DType        dtype.Type  // element type; opaque ones keep the bytes as they are stored
	BigEndian    bool        // elements are stored big-endian; never of an opaque type
	FortranOrder bool        // the first axis runs fastest, and that makes a difference
	Shape        shape.Shape // logical shape, as NumPy shows it
	DataOffset   int64       // bytes before the first element, as read
}

// NewHeader is the header of an array that is written in C order,
// little-endian. An opaque dtype must be one that this package has read.
func NewHeader(t dtype.Type, s shape.Shape) Header {
	return Header{Descr: literalOf(t), DType: t, Shape: s}
}

// ParseHeader parses the text of a header: the Python dictionary that follows
// the length, in a file of that major version. as is Options.As. The errors
// are *ReadError without a name.
func ParseHeader(text []byte, major uint8, as dtype.Type) (Header, error) {
	s, err := decode(text, major)
	if err != nil {
		return Header{}, err
	}
	v, err := parseLiteral(s, major < 3)
	if err != nil {
		return Header{}, err
	}
	values, err := entries(v)
	if err != nil {
		return Header{}, err
	}
	h := Header{Major: major}
	extents, ok := values["shape"].(tuple)
	if ok {
		h.Shape, ok = integers(extents)
	}
	if !ok {
		return Header{}, malformed("shape is not a tuple of integers")
	}
	if h.FortranOrder, ok = values["fortran_order"].(bool); !ok {
		return Header{}, malformed("fortran_order is neither True nor False")
	}
	d, err := parseDescr(values["descr"])
	if err != nil {
		return Header{}, err
	}
	if d.typ.Definition().Sort == dtype.SubArray {
		return Header{}, malformed("dtype %s is a sub-array, which only a field can be", quoted(d.code))
	}
	h.Descr, h.DType, h.BigEndian = d.code, d.typ, d.big
	if h.DType == dtype.BFloat16 {
		h.Descr = literalOf(h.DType)
	}
	if err := h.reinterpret(as); err != nil {
		return Header{}, err
	}
	if _, err := h.Shape.Check(h.DType.Size()); err != nil {
		return Header{}, malformed("%v", err)
	}
	h.FortranOrder = h.FortranOrder && !oneOrder(h.DType, h.Shape)
	return h, nil
}

// decode is the header's text as a string.
func decode(text []byte, major uint8) (string, error) {
	if major >= 3 {
		if !utf8.Valid(text) {
			return "", malformed("header is not valid UTF-8")
		}
		return string(text), nil
	}
	var b strings.Builder
	b.Grow(len(text))
	for _, c := range text {
		b.WriteRune(rune(c)) // Latin-1
	}
	return b.String(), nil
}

// entries are the values of a header's dictionary, which must have the three
// keys and no other.
func entries(v any) (map[string]any, error) {
	d, ok := v.(dict)
	if !ok {
		return nil, malformed("header is not a dictionary")
	}
	keys := []string{"descr", "fortran_order", "shape"}
	values := map[string]any{}
	for _, e := range d {
		key, ok := e.key.(string)
		if !ok {
			return nil, malformed("header has a key that is not a string")
		}
		if !slices.Contains(keys, key) {
			return nil, malformed("header has the unknown key %s", quoted(key))
		}
		if _, twice := values[key]; twice {
			return nil, malformed("header has the key %q twice", key)
		}
		values[key] = e.value
	}
	for _, key := range keys {
		if _, ok := values[key]; !ok {
			return nil, malformed("header lacks the key %q", key)
		}
	}
	return values, nil
}

// reinterpret takes raw data of 2 bytes for bfloat16 where that is asked for.
// It is never guessed: the file doesn't say.
func (h *Header) reinterpret(as dtype.Type) error {
	switch {
	case as == dtype.Type{} || as == h.DType:
		return nil
	case as == dtype.BFloat16 && h.Descr == "'|V2'":
		h.DType, h.Descr = as, literalOf(as)
		return nil
	}
	return malformed("holds %s, which can't be taken for %v", h.Descr, as).hint("only raw data of 2 bytes (|V2) can be taken for another dtype, bfloat16")
}

// oneOrder reports whether C order and Fortran order are the same, as they are
// where at most one axis is longer than 1, or elements have no bytes. NumPy then
// calls it C order.
func oneOrder(t dtype.Type, s shape.Shape) bool {
	if t.Size() == 0 {
		return true
	}
	long := 0
	for _, d := range s {
		if d == 0 {
			return true
		}
		if d > 1 {
			long++
		}
	}
	return long <= 1
}

// readHeader reads a header from the start of a file, up to limit bytes of
// text, and leaves r at the first element.
func readHeader(r io.Reader, limit int, as dtype.Type) (Header, error) {
	prefix := make([]byte, len(magic)+2, len(magic)+6)
	n, err := io.ReadFull(r, prefix)
	switch start := string(prefix[:n]); {
	case err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		return Header{}, err
	case err != nil && n > 0 && (strings.HasPrefix(magic, start) || strings.HasPrefix(start, magic)):
		return Header{}, shortHeader(len(prefix), n, err)
	case !strings.HasPrefix(start, magic):
		// One more read, not all that it takes: it waits for nothing that may never come.
		more := make([]byte, peekBytes-n)
		m, _ := r.Read(more)
		return Header{}, foreign(append(prefix[:n], more[:m]...), anArray)
	}
	major, minor := prefix[len(magic)], prefix[len(magic)+1]
	if major < 1 || major > 3 || minor != 0 {
		return Header{}, malformed("version %d.%d of the .npy format is unknown: want 1.0, 2.0 or 3.0", major, minor)
	}
	length := make([]byte, 4)
	lengthBytes := 4
	if major == 1 {
		lengthBytes = 2
	}
	if n, err := io.ReadFull(r, length[:lengthBytes]); err != nil {
		return Header{}, shortHeader(lengthBytes, n, err)
	}
	claim := int64(binary.LittleEndian.Uint32(length))
	if claim > int64(limit) {
		return Header{}, malformed("claims a header of %d bytes: more than the limit of %d", claim, limit)
	}
	// ReadAll and not a buffer of that size: it grows with what arrives.
	text, err := io.ReadAll(io.LimitReader(r, claim))
	if err != nil || int64(len(text)) < claim {
		return Header{}, shortHeader(int(claim), len(text), err)
	}
	h, err := ParseHeader(text, major, as)
	h.Minor, h.DataOffset = minor, int64(len(prefix)+lengthBytes)+claim
	return h, err
}

func shortHeader(want, got int, err error) error {
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return malformed("is truncated: expected %d bytes of header, found %d", want, got)
	}
	return err
}
