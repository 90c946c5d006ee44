package main

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// This file writes and reads .npy files by hand, so that tests of the whole
// program lean on nothing of internal/npyio. Values go through complex128,
// which holds all that the scripts use.

// npyCodes maps dtypes to the codes of headers. bfloat16 has none of its own.
var npyCodes = map[string]string{
	"bool": "|b1", "int8": "|i1", "uint8": "|u1", "int16": "<i2", "uint16": "<u2", "int32": "<i4", "uint32": "<u4",
	"int64": "<i8", "uint64": "<u8", "float16": "<f2", "bfloat16": "<V2", "float32": "<f4", "float64": "<f8",
	"complex64": "<c8", "complex128": "<c16",
}

func npySize(dtype string) int {
	n, _ := strconv.Atoi(npyCodes[dtype][2:])
	return n
}

// npyHeader is the start of a file of version 1.0, padded as NumPy pads it.
func npyHeader(descr string, fortran bool, shape []int) []byte {
	order := map[bool]string{true: "True", false: "False"}[fortran]
	text := fmt.Sprintf("{'descr': %s, 'fortran_order': %s, 'shape': %s, }", descr, order, npyTuple(shape))
	// NumPy leaves room for the growing axis up to 21 digits, then pads to 64.
	if len(shape) > 0 {
		text += strings.Repeat(" ", 21-len(strconv.Itoa(shape[map[bool]int{true: len(shape) - 1}[fortran]])))
	}
	text += strings.Repeat(" ", 63-(10+len(text))%64) + "\n"
	b := append([]byte("\x93NUMPY\x01\x00"), 0, 0)
	binary.LittleEndian.PutUint16(b[8:], uint16(len(text)))
	return append(b, text...)
}

func npyTuple(shape []int) string {
	var b strings.Builder
	for i, d := range shape {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprint(&b, d)
	}
	if len(shape) == 1 {
		b.WriteString(",")
	}
	return "(" + b.String() + ")"
}

// npyElement is one value as it stands in a little-endian file.
func npyElement(dtype string, v complex128) []byte {
	x := real(v)
	b := make([]byte, 16)
	le := binary.LittleEndian
	switch dtype {
	case "bool":
		if x != 0 {
			b[0] = 1
		}
	case "uint64":
		le.PutUint64(b, uint64(x))
	case "float16":
		le.PutUint16(b, halfBits(x))
	case "bfloat16":
		le.PutUint16(b, uint16(math.Float32bits(float32(x))>>16))
	case "float32":
		le.PutUint32(b, math.Float32bits(float32(x)))
	case "float64":
		le.PutUint64(b, math.Float64bits(x))
	case "complex64":
		le.PutUint32(b, math.Float32bits(float32(x)))
		le.PutUint32(b[4:], math.Float32bits(float32(imag(v))))
	case "complex128":
		le.PutUint64(b, math.Float64bits(x))
		le.PutUint64(b[8:], math.Float64bits(imag(v)))
	default:
		le.PutUint64(b, uint64(int64(x)))
	}
	return b[:npySize(dtype)]
}

// npyValue is the reverse of npyElement.
func npyValue(dtype string, b []byte) complex128 {
	le := binary.LittleEndian
	switch dtype {
	case "bool", "uint8":
		return complex(float64(b[0]), 0)
	case "int8":
		return complex(float64(int8(b[0])), 0)
	case "int16":
		return complex(float64(int16(le.Uint16(b))), 0)
	case "uint16":
		return complex(float64(le.Uint16(b)), 0)
	case "int32":
		return complex(float64(int32(le.Uint32(b))), 0)
	case "uint32":
		return complex(float64(le.Uint32(b)), 0)
	case "int64":
		return complex(float64(int64(le.Uint64(b))), 0)
	case "uint64":
		return complex(float64(le.Uint64(b)), 0)
	case "float16":
		return complex(halfValue(le.Uint16(b)), 0)
	case "bfloat16":
		return complex(float64(math.Float32frombits(uint32(le.Uint16(b))<<16)), 0)
	case "float32":
		return complex(float64(math.Float32frombits(le.Uint32(b))), 0)
	case "float64":
		return complex(math.Float64frombits(le.Uint64(b)), 0)
	case "complex64":
		return complex128(complex(math.Float32frombits(le.Uint32(b)), math.Float32frombits(le.Uint32(b[4:]))))
	default:
		return complex(math.Float64frombits(le.Uint64(b)), math.Float64frombits(le.Uint64(b[8:])))
	}
}

// halfValue follows the definition of IEEE 754's binary16.
func halfValue(h uint16) float64 {
	sign := 1 - 2*float64(h>>15)
	exp, frac := int(h>>10&31), float64(h&1023)
	switch {
	case exp == 31 && frac != 0:
		return math.NaN()
	case exp == 31:
		return sign * math.Inf(1)
	case exp == 0:
		return sign * math.Ldexp(frac, -24)
	}
	return sign * math.Ldexp(1024+frac, exp-25)
}

// halfBits looks for the number that has this very value.
func halfBits(x float64) uint16 {
	for h := range 1 << 16 {
		if v := halfValue(uint16(h)); v == x || v != v && x != x {
			return uint16(h)
		}
	}
	panic(fmt.Sprintf("%v is no float16", x))
}

// npySpec is an array as a script describes it.
type npySpec struct {
	dtype        string
	shape        []int
	values       []complex128 // in C order; one fills the array, none counts from 0
	fortran, big bool
	descr        string // in place of the dtype's
	extra        int    // bytes too many, or if negative too few
}

func (s npySpec) write(path string) error {
	n := 1
	for _, d := range s.shape {
		n *= d
	}
	size := npySize(s.dtype)
	data := make([]byte, n*size)
	for i := range n {
		v := complex(float64(i), 0)
		switch {
		case len(s.values) == 1:
			v = s.values[0]
		case i < len(s.values):
			v = s.values[i]
		}
		at := i
		if s.fortran {
			at = fortranIndex(i, s.shape)
		}
		e := npyElement(s.dtype, v)
		if s.big {
			half := size
			if strings.HasPrefix(s.dtype, "complex") {
				half = size / 2
			}
			for p := 0; p < size; p += half {
				reverse(e[p : p+half])
			}
		}
		copy(data[at*size:], e)
	}
	descr := s.descr
	if descr == "" {
		descr = "'" + npyCodes[s.dtype] + "'"
		if s.big {
			descr = strings.Replace(descr, "<", ">", 1)
		}
	}
	b := append(npyHeader(descr, s.fortran, s.shape), data...)
	if s.extra > 0 {
		b = append(b, make([]byte, s.extra)...)
	}
	return os.WriteFile(path, b[:len(b)+min(s.extra, 0)], 0o666)
}

func reverse(b []byte) {
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
}

// fortranIndex gives the place in Fortran order of element i of C order.
func fortranIndex(i int, shape []int) int {
	index := make([]int, len(shape))
	for a := len(shape) - 1; a >= 0; a-- {
		index[a] = i % shape[a]
		i /= shape[a]
	}
	at, stride := 0, 1
	for a, d := range shape {
		at += index[a] * stride
		stride *= d
	}
	return at
}

var npyHeaderForm = regexp.MustCompile(`^\{'descr': '(.*)', 'fortran_order': (True|False), 'shape': \((.*)\), \} *\n$`)

// readNpy reads a file that must be byte for byte what numpy.save writes.
func readNpy(path, dtype string) (shape []int, values []complex128, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	if len(b) < 10 || string(b[:8]) != "\x93NUMPY\x01\x00" {
		return nil, nil, fmt.Errorf("%s is no .npy file of version 1.0", path)
	}
	start := 10 + int(binary.LittleEndian.Uint16(b[8:]))
	m := npyHeaderForm.FindStringSubmatch(string(b[10:start]))
	if m == nil || start%64 != 0 {
		return nil, nil, fmt.Errorf("%s: header %q", path, b[10:start])
	}
	for d := range strings.FieldsFuncSeq(m[3], func(r rune) bool { return r == ',' || r == ' ' }) {
		n, err := strconv.Atoi(d)
		if err != nil {
			return nil, nil, err
		}
		shape = append(shape, n)
	}
	if want := npyHeader("'"+npyCodes[dtype]+"'", false, shape); string(want) != string(b[:start]) {
		return nil, nil, fmt.Errorf("%s: header %q, want %q", path, b[:start], want)
	}
	size := npySize(dtype)
	data := b[start:]
	if len(data)%size != 0 {
		return nil, nil, fmt.Errorf("%s: %d bytes of data", path, len(data))
	}
	for i := 0; i < len(data); i += size {
		values = append(values, npyValue(dtype, data[i:]))
	}
	return shape, values, nil
}
