package kernel

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"fusectl/internal/dtype"
)

// eachTable runs a test for each instruction set of this machine.
func eachTable(t *testing.T, test func(t *testing.T, table *Table)) {
	for _, level := range Levels() {
		t.Run(level, func(t *testing.T) { test(t, newTable(level)) })
	}
}

// ownTests are the fields of the table whose loops have another form than those
// of cases, with the test that runs them at every level.
var ownTests = map[string]func(*testing.T){
	"multipliers":  TestMultiply,
	"MulAdd":       TestMulAdd,
	"attentionMax": TestSoftmaxLoops,
	"attentionExp": TestSoftmaxLoops,
	"HasNaN":       TestHasNaN,
	"ArgMaxRows":   TestArgRows,
	"ArgMinRows":   TestArgRows,
	"MomentRows":   TestMomentRows,
	"LogSumRows":   TestLogSumRows,
	"LerpCols":     TestColumns,
	"TapCols":      TestColumns,
	"FoldNormRows": TestFoldNormRows,
	"RowMoments":   TestRowMoments,
	"RowSums":      TestRowMoments,
	"RowSquares":   TestRowMoments,
	"MomentsRows":  TestMomentsRows,
	"Standardize":  TestStandardize,
	"rowCopiers":   TestCopyRows,
	"squares":      TestTranspose,
	"folder":       TestChecksum,
}

func TestEveryLoopHasACase(t *testing.T) {
	table := Active()
	tested := map[string]bool{}
	for _, c := range cases(table) {
		tested[c.entry] = true
	}
	var walk func(name string, v reflect.Value)
	walk = func(name string, v reflect.Value) {
		switch v.Kind() {
		case reflect.Array:
			for i := range v.Len() {
				walk(fmt.Sprintf("%s[%d]", name, i), v.Index(i))
			}
		case reflect.Func:
			if has := !v.IsNil(); has != tested[name] {
				t.Errorf("%s: in the table %v, tested %v", name, has, tested[name])
			}
		case reflect.String, reflect.Int: // Name, sizes
		default:
			t.Errorf("%s: neither cases nor ownTests run it", name)
		}
	}
	v := reflect.ValueOf(table).Elem()
	for i := range v.NumField() {
		if name := v.Type().Field(i).Name; ownTests[name] == nil {
			walk(name, v.Field(i))
		}
	}
}

// guarded returns n bytes between two fields of canaries, and a function that
// reports whether these are unharmed.
func guarded(n int) ([]byte, func() bool) { return guardedAt(n, 0) }

// guardedAt is guarded, beginning skip bytes after a multiple of 64.
func guardedAt(n, skip int) ([]byte, func() bool) {
	const guard, canary = 64, 0xa5
	all := Alloc(n + skip + 2*guard)
	all[0] = canary
	for n := 1; n < len(all); n *= 2 {
		copy(all[n:], all[:n])
	}
	start := guard + skip
	return all[start : start+n : start+n], func() bool {
		return bytes.Count(all[:start], []byte{canary}) == start &&
			bytes.Count(all[start+n:], []byte{canary}) == guard
	}
}

// TestLoops runs each loop over all lengths around the widths it is unrolled
// to, aligned to a vector and not, with and without dst being an operand, on
// awkward values, and compares.
func TestLoops(t *testing.T) {
	eachTable(t, func(t *testing.T, table *Table) {
		if testing.Short() && table.Name != Active().Name {
			t.Skip("the references are slow")
		}
		for _, c := range cases(table) {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				if c.cols > 0 {
					checkRows(t, c)
				} else {
					checkElementwise(t, c)
				}
			})
		}
	})
}

func checkElementwise(t *testing.T, c testCase) {
	const most = 300 // more than four vectors of bytes, of 64 each, and all but one of a fifth
	rng := rand.New(rand.NewPCG(1, 2))
	for draw := range 4 {
		src := make([][]byte, len(c.src))
		for i, k := range c.src {
			src[i] = sample(rng, k, most+1)
		}
		var want []byte
		if c.want != nil {
			want = make([]byte, (most+1)*c.dst.Size())
			c.want(want, src)
		}
		for n := range most + 1 {
			if draw > 0 && n < most {
				continue // other values matter, not other lengths
			}
			for skip := range 2 {
				checkRun(t, c, src, want, skip, n, 0)
				if c.alias {
					for i, k := range c.src {
						if k == c.dst { // two at once: below
							checkRun(t, c, src, want, skip, n, 1<<i)
						}
					}
				}
			}
		}
		if c.alias && len(src) == 2 { // f(x, x) into x
			src[1] = src[0]
			c.want(want, src)
			checkRun(t, c, src, want, 0, most, 3)
		}
	}
}

// checkRun runs one call on n elements, without the first skip ones of src and
// want; dst stands in for the operands in mask.
func checkRun(t *testing.T, c testCase, src [][]byte, want []byte, skip, n, mask int) {
	t.Helper()
	size := c.dst.Size()
	dst, unharmed := guardedAt(n*size, skip*size)
	cut, before := make([][]byte, len(src)), make([][]byte, len(src))
	for i, k := range c.src {
		cut[i] = src[i][skip*k.Size() : (skip+n)*k.Size()]
		before[i] = bytes.Clone(cut[i])
	}
	operands := slices.Clone(cut)
	for i := range cut {
		if mask>>i&1 == 1 {
			copy(dst, cut[i])
			operands[i] = dst
		}
	}
	c.run(dst, operands)
	if !unharmed() {
		t.Fatalf("skip=%d n=%d mask=%b: wrote outside dst", skip, n, mask)
	}
	for i := range cut {
		if !bytes.Equal(before[i], cut[i]) {
			t.Fatalf("skip=%d n=%d mask=%b: wrote to operand %d", skip, n, mask, i)
		}
	}
	if want != nil {
		compare(t, c, dst, want[skip*size:(skip+n)*size], cut)
	}
}

func checkRows(t *testing.T, c testCase) {
	rng := rand.New(rand.NewPCG(3, 4))
	k := c.src[0]
	counts := []int{0, 1, 2, 3, 4, 5, 7, 8, 9, 13}
	if c.cols <= 3 {
		counts = append(counts, 15, 16, 17, 31, 32, 33, 47, 48, 49, 63, 64, 65, 70, 127, 128, 129, 1023, 1024, 1025, 2100)
	}
	if c.cols == 1500 {
		counts = counts[:6] // the references are slow
	}
	for i, rows := range counts {
		skip := i % 2
		x := sample(rng, k, rows*c.cols+skip)[skip*k.Size():]
		if rows%2 == 1 { // else nearly all is NaN
			clearSpecials(k, x)
		}
		dst, unharmed := guardedAt(c.cols*c.dst.Size(), skip*c.dst.Size())
		copy(dst, sample(rng, c.dst, c.cols))
		if rows%2 == 1 {
			clearSpecials(c.dst, dst)
		}
		want := Alloc(len(dst))
		copy(want, dst)
		c.want(want, [][]byte{x})
		before := bytes.Clone(x)
		c.run(dst, [][]byte{x})
		if !unharmed() || !bytes.Equal(before, x) {
			t.Fatalf("rows=%d: wrote outside acc", rows)
		}
		compare(t, c, dst, want, nil)
	}
}

// TestLevelsAgree wants the bytes of the loops in Go, also where the reference
// allows others.
func TestLevelsAgree(t *testing.T) {
	want := cases(generic())
	eachTable(t, func(t *testing.T, table *Table) {
		for i, c := range cases(table) {
			rng := rand.New(rand.NewPCG(9, 10))
			n, length := 1500, 1500
			if c.cols > 0 {
				length = c.cols
				n = n / c.cols * c.cols
			}
			src := make([][]byte, len(c.src))
			for j, k := range c.src {
				src[j] = sample(rng, k, n)
			}
			got, ref := Alloc(length*c.dst.Size()), Alloc(length*c.dst.Size())
			c.run(got, src)
			want[i].run(ref, src)
			t.Run(c.name, func(t *testing.T) { compare(t, testCase{dst: c.dst, src: c.src}, got, ref, nil) })
		}
	})
}

// clearSpecials puts 1 in the place of infinities and NaNs, leaving zeros of
// either sign.
func clearSpecials(k dtype.Type, b []byte) {
	if !k.IsFloat() && !k.IsComplex() {
		return
	}
	part, one := k, fromFloat64(1)
	switch k {
	case dtype.Complex64:
		part = dtype.Float32
	case dtype.Complex128:
		part = dtype.Float64
	}
	exponent := map[dtype.Type]uint64{dtype.Float16: 0x7c00, dtype.BFloat16: 0x7f80, dtype.Float32: 0x7f800000, dtype.Float64: 0x7ff0000000000000}[part]
	for i := range len(b) / part.Size() {
		var w [8]byte
		copy(w[:], b[i*part.Size():(i+1)*part.Size()])
		if binary.LittleEndian.Uint64(w[:])&exponent == exponent {
			store(part, b, i, value{re: one})
		}
	}
}

// compare wants the same bytes, but takes one NaN for another, and floats that
// differ by c.ulps.
func compare(t *testing.T, c testCase, got, want []byte, src [][]byte) {
	t.Helper()
	if bytes.Equal(got, want) {
		return
	}
	part := c.dst
	switch part {
	case dtype.Complex64:
		part = dtype.Float32
	case dtype.Complex128:
		part = dtype.Float64
	}
	for i := range len(got) / part.Size() {
		g, w := got[i*part.Size():(i+1)*part.Size()], want[i*part.Size():(i+1)*part.Size()]
		if bytes.Equal(g, w) {
			continue
		}
		if part.IsFloat() {
			x, y := load(part, g, 0).re, load(part, w, 0).re
			if x.isNaN() && y.isNaN() || c.ulps > 0 && ulpsApart(part, g, w) <= c.ulps {
				continue
			}
		}
		var from []string
		for j, k := range c.src {
			if src != nil && part == c.dst {
				v := load(k, src[j], i)
				from = append(from, fmt.Sprint(v.re.f, v.re.special, v.im.f))
			}
		}
		t.Fatalf("element %d of %d: got % x, want % x, from %s", i, len(got)/part.Size(), g, w, strings.Join(from, ", "))
	}
}

// ulpsApart counts the floats from a to b; between a NaN and a number, and
// between zeros of unlike sign, it's more than any tolerance.
func ulpsApart(k dtype.Type, a, b []byte) uint64 {
	var x, y int64
	if k == dtype.Float32 {
		x, y = int64(int32(binary.LittleEndian.Uint32(a))), int64(int32(binary.LittleEndian.Uint32(b)))
	} else {
		x, y = int64(binary.LittleEndian.Uint64(a)), int64(binary.LittleEndian.Uint64(b))
	}
	if load(k, a, 0).re.isNaN() != load(k, b, 0).re.isNaN() || (x < 0) != (y < 0) {
		return math.MaxUint64
	}
	return uint64(max(x-y, y-x))
}

// TestMaxIsCanonical pins what compare forgives: the NaN that a maximum gives, and a
// minimum.
func TestMaxIsCanonical(t *testing.T) {
	for _, c := range []struct {
		k         dtype.Kind
		a, b, nan uint64
	}{
		{dtype.KindFloat16, 0xfc01, 0x7c00, 0x7e00},
		{dtype.KindBFloat16, 0xff81, 0x7f80, 0x7fc0},
		{dtype.KindFloat32, 0xff800001, 0x7f800000, 0x7fc00000},
		{dtype.KindFloat32, 0x7fffffff, 0xffffffff, 0x7fc00000},
		{dtype.KindFloat64, 0xfff0000000000001, 0x7ff0000000000000, 0x7ff8000000000000},
	} {
		eachTable(t, func(t *testing.T, table *Table) {
			size := table.sizes[c.k]
			const n = 40 // some vectors and some rest
			a := bytes.Repeat(Bytes([]uint64{c.a})[:size], n)
			b := bytes.Repeat(Bytes([]uint64{c.b})[:size], n)
			want := bytes.Repeat(Bytes([]uint64{c.nan})[:size], n)
			got := Alloc(n * size)
			for range 2 {
				for name, loop := range map[string]Loop3{"max": table.Max[c.k], "min": table.Min[c.k]} {
					loop(got, a, b)
					if !bytes.Equal(got, want) {
						t.Errorf("%s(% x, % x) = % x, want % x", name, a[:size], b[:size], got, want[:size])
					}
				}
				a, b = b, a
			}
		})
	}
}

func TestAlloc(t *testing.T) {
	for n := range 200 {
		b := Alloc(n)
		if len(b) != n || cap(b) != n {
			t.Errorf("Alloc(%d): length %d, capacity %d", n, len(b), cap(b))
		}
		if n > 0 && reflect.ValueOf(b).Pointer()%64 != 0 {
			t.Errorf("Alloc(%d) isn't aligned", n)
		}
	}
}

// BenchmarkLoops counts the bytes of all operands, which take 64 KiB each, or
// less, and so lie in the second-level cache.
func BenchmarkLoops(b *testing.B) {
	for _, level := range Levels() {
		for _, c := range cases(newTable(level)) {
			b.Run(level+"/"+c.name, func(b *testing.B) { benchmarkLoop(b, c) })
		}
	}
}

func benchmarkLoop(b *testing.B, c testCase) {
	rng := rand.New(rand.NewPCG(5, 6))
	widest := c.dst.Size()
	for _, k := range c.src {
		widest = max(widest, k.Size())
	}
	n := (64 << 10) / widest
	length := n
	if c.cols > 0 {
		length = c.cols
		n = max(1, n/c.cols) * c.cols
	}
	src := make([][]byte, len(c.src))
	total := 0
	for i, k := range c.src {
		src[i] = Alloc(n * k.Size())
		fillNormal(rng, k, src[i])
		total += len(src[i])
	}
	dst := Alloc(length * c.dst.Size())
	if c.cols == 0 {
		total += len(dst)
	}
	b.SetBytes(int64(total))
	for b.Loop() {
		c.run(dst, src)
	}
}

// fillNormal fills b with ordinary numbers of both signs.
func fillNormal(rng *rand.Rand, k dtype.Type, b []byte) {
	f := make([]float64, len(b)/k.Size())
	for i := range f {
		f[i] = 2 * rng.NormFloat64()
	}
	Active().Convert[dtype.KindFloat64][k.Kind()](b, Bytes(f))
}
