package npyio

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/kshedden/gonpy"

	"fusectl/internal/dtype"
	"fusectl/internal/shape"
)

const interpreter = "/usr/bin/python3"

var noNumPy = sync.OnceValue(func() error {
	if out, err := exec.Command(interpreter, "-c", "import numpy").CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
})

// python runs a script under a Python that has NumPy, the independent judge of
// these tests. Without one they are skipped, unless FUSECTL_INTEROP=1 demands
// them.
func python(t *testing.T, script string, args ...string) []byte {
	t.Helper()
	if err := noNumPy(); err != nil {
		if os.Getenv("FUSECTL_INTEROP") == "1" {
			t.Fatalf("no NumPy: %v", err)
		}
		t.Skip("no NumPy")
	}
	cmd := exec.Command(interpreter, append([]string{"-W", "ignore", "-c", script}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("python: %v", err)
	}
	return out
}

// Each array is saved by NumPy, together with the bytes that Read is to yield:
// in stored order, little-endian unless the type is opaque.
const saveAll = `
import io, json, sys
import numpy as np
from numpy.lib import format as F
out, cases = sys.argv[1], []
def save(a, version=None):
    name = '%s/%d.npy' % (out, len(cases))
    with open(name, 'wb') as f:
        F.write_array(f, a, version=version) if version else np.save(f, a)
    order = 'F' if a.flags.f_contiguous and not a.flags.c_contiguous else 'C'
    opaque = a.dtype.kind in 'SUVMm'
    native = a if opaque else a.astype(a.dtype.newbyteorder('<'), order='K')
    with open(name[:-4] + '.bin', 'wb') as f:
        f.write(native.tobytes(order))
    cases.append(dict(file=name, descr=repr(F.dtype_to_descr(a.dtype)), shape=a.shape, fortran=order == 'F',
        big=not opaque and a.dtype.str[0] == '>', name=a.dtype.name, opaque=opaque, forced=version is not None))
rng = np.random.default_rng(1)
def fill(shape, dt):
    dt = np.dtype(dt)
    n = int(np.prod(shape, dtype=np.int64)) * dt.itemsize
    if dt.kind == 'b':
        return rng.integers(0, 2, shape).astype(bool)
    if dt.kind == 'U':
        return np.full(shape, 'aé中', dt)
    return np.frombuffer(rng.bytes(n), dt).reshape(shape).copy()
shapes = [(), (0,), (1,), (3,), (0, 4), (2, 3), (3, 1), (2, 3, 4), (1, 2, 1, 3), (2, 0, 5), (100000,), (1,) * 32, (2,) * 9]
kinds = ['?', 'i1', 'i2', 'i4', 'i8', 'u1', 'u2', 'u4', 'u8', 'f2', 'f4', 'f8', 'c8', 'c16', 'S5', 'U3', 'V2', 'V7', 'M8[ns]', 'm8[25s]', 'M8']
for k in kinds:
    for order in '<>':
        for s in shapes:
            a = fill(s, np.dtype(k).newbyteorder(order))
            save(a)
            if a.ndim > 1:
                save(np.asfortranarray(a))
    for version in [(1, 0), (2, 0), (3, 0)]:
        save(fill((2, 3), k), version)
        save(np.asfortranarray(fill((2, 3), k)), version)
for dt in [
    [('a', '<f4'), ('b', '>i2')],
    np.dtype([('a', 'u1'), ('b', 'f8'), ('c', 'u2')], align=True),
    [('a', 'f4', (2, 3)), ('b', [('c', 'S3'), ('d', '>U2', (2,))], (2,))],
    [(('title', 'a'), 'f4'), (("it's", 'b'), 'i4')],
    [('中文', 'f4'), ('é', 'i2')],
    [('é', 'i2')],
    [("quo'te", 'i2'), ('dou"ble', 'i2'), ('bo\'t"h', 'i2'), ('new\nline\t\\ \x7f\xa0\xad\u2028\U0001f600\U000e0001', 'i2')],
    [('x', 'M8[us]'), ('y', 'V3'), ('z', '?'), ('e', 'e')],
    {'names': ['a', 'b'], 'formats': ['u1', 'f4'], 'offsets': [3, 9], 'itemsize': 20},
    [('field%05d' % i, '<f4') for i in range(3000)],
    [('feld中%05d' % i, '<f4') for i in range(3000)],
]:
    for s in [(), (2,), (2, 3)]:
        a = fill(s, dt)
        save(a)
        if a.ndim > 1:
            save(np.asfortranarray(a))
# elements of no bytes
for s in [(), (0,), (3,), (2, 3), (2, 0, 5), (1 << 40,)]:
    z = np.lib.stride_tricks.as_strided(np.zeros((), [('a', 'S0'), ('b', 'U0'), ('c', 'V0'), ('d', 'f4', (0,)), ('e', [])]), s, (0,) * len(s))
    save(z)
    for k in 'abce':
        save(z[k])
    save(np.asfortranarray(z[['a', 'd']]))
# every length around a multiple of 64 and around the end of version 1
for n in range(130):
    save(fill((2,), [('x' * (n + 1), 'f4')]))
for n in range(65300, 65500):
    save(np.zeros(1, [('x' * n, 'f4')]))
json.dump(cases, open(out + '/cases.json', 'w'))
`

type savedCase struct {
	File, Descr, Name            string
	Shape                        []int
	Fortran, Big, Opaque, Forced bool
}

func TestInteropReadAndEncode(t *testing.T) {
	dir := t.TempDir()
	python(t, saveAll, dir)
	var cases []savedCase
	b, err := os.ReadFile(filepath.Join(dir, "cases.json"))
	if err == nil {
		err = json.Unmarshal(b, &cases)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d files", len(cases))
	for _, c := range cases {
		saved, err := os.ReadFile(c.File)
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(c.File[:len(c.File)-4] + ".bin")
		if err != nil {
			t.Fatal(err)
		}
		f, err := Open(c.File, Options{MaxHeader: 1 << 20})
		if err != nil {
			t.Errorf("%.200s %v: %v", c.Descr, c.Shape, err)
			continue
		}
		h := f.Header()
		if h.Descr != c.Descr || !slices.Equal(h.Shape, c.Shape) || h.FortranOrder != c.Fortran || h.BigEndian != c.Big || h.DType.IsOpaque() != c.Opaque || !c.Opaque && h.DType.String() != c.Name {
			t.Errorf("got %v: want %+v", h, c)
		}
		sameBytes(t, c.Descr+" "+h.Shape.String(), readAll(t, f), want)
		f.Close()
		if c.Forced {
			continue
		}
		sameBytes(t, "header of "+c.Descr+" "+h.Shape.String(), h.Encode(), saved[:h.DataOffset])
		path := filepath.Join(dir, "ours.npy")
		o, err := create(path, h.DType, h.Shape, CreateOptions{BigEndian: c.Big, Fortran: c.Fortran})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := o.Write(want); err != nil {
			t.Fatal(err)
		}
		if err := o.Commit(); err != nil {
			t.Fatal(err)
		}
		ours, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		sameBytes(t, "file of "+c.Descr+" "+h.Shape.String(), ours, saved)
	}
}

// NumPy reads what fusectl writes, and would have written the same bytes.
func TestInteropWritten(t *testing.T) {
	dir := t.TempDir()
	want := map[string][2]any{}
	for _, dt := range dtype.All() {
		for _, s := range []shape.Shape{{}, {0}, {5}, {2, 3, 4}, {2, 0, 3}, {1234567}} {
			name := dt.String() + s.String() + ".npy"
			data := counting(int(s.Len()) * dt.Size())
			if dt == dtype.Bool {
				for i := range data {
					data[i] &= 1
				}
			}
			writeAll(t, filepath.Join(dir, name), dt, s, data)
			numpys := dt.String()
			if dt == dtype.BFloat16 {
				numpys = "void16"
			}
			want[name] = [2]any{numpys, s}
		}
	}
	b, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	out := python(t, `
import io, json, sys
import numpy as np
def counting(n):
    return (np.arange(n) % 251).astype(np.uint8)
for name, (dt, shape) in json.loads(sys.argv[2]).items():
    path = sys.argv[1] + '/' + name
    a = np.load(path)
    n = a.nbytes
    data = counting(n) & 1 if dt == 'bool' else counting(n)
    if a.dtype.name != dt or a.shape != tuple(shape) or not a.flags.c_contiguous or a.tobytes() != data.tobytes():
        print(name, a.dtype.name, a.shape)
    m = np.load(path, mmap_mode='r') if n else a
    if not m.flags.aligned:
        print(name, 'is not aligned')
    again = io.BytesIO()
    np.save(again, a)
    saved = open(path, 'rb').read()
    if dt == 'void16':
        saved = saved.replace(b"'<V2'", b"'|V2'", 1)
    if again.getvalue() != saved:
        print(name, 'would be other bytes')
`, dir, string(b))
	if len(out) > 0 {
		t.Errorf("NumPy says: %s", out)
	}
}

// numpy.savez and savez_compressed put the same files into archives. Afterwards
// NumPy reads them again, with a member replaced and one added.
func TestInteropArchives(t *testing.T) {
	dir := t.TempDir()
	python(t, `
import sys, zipfile
import numpy as np
out = sys.argv[1] + '/'
rng = np.random.default_rng(1)
arrays = {}
for k in ['?', 'i1', 'i2', 'i4', 'i8', 'u1', 'u2', 'u4', 'u8', 'f2', 'f4', 'f8', 'c8', 'c16', 'S5', 'U3', 'V2', 'V7', 'M8[ns]']:
    for order in '<>':
        dt = np.dtype(k).newbyteorder(order)
        for s in [(), (0,), (3,), (2, 3, 4)]:
            n = int(np.prod(s)) * dt.itemsize
            a = rng.integers(0, 2, s).astype(bool) if k == '?' else np.full(s, 'aé', dt) if k == 'U3' else np.frombuffer(rng.bytes(n), dt).reshape(s)
            for a in [a, np.asfortranarray(a)] if len(s) > 1 else [a]:
                arrays['größe/%s %d' % (k, len(arrays))] = a
arrays['large'] = (np.arange(9 << 20) // 7).astype('u1').reshape(3, -1) # beyond what is kept in memory
np.savez(out + 'stored.npz', **arrays)
np.savez_compressed(out + 'deflated.npz', **arrays)
np.savez(out + 'one.npz', arrays['large'])
with zipfile.ZipFile(out + 'stored.npz') as z:
    for i, name in enumerate(arrays):
        open(out + '%d.npy' % i, 'wb').write(z.read(name + '.npy'))
`, dir)
	for _, name := range []string{"stored.npz", "deflated.npz"} {
		a, err := OpenArchive(filepath.Join(dir, name), Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		if len(a.Names()) != 19*2*5+1 {
			t.Fatalf("%s has %d arrays", name, len(a.Names()))
		}
		for i, member := range a.Names() {
			f, err := a.Open(member)
			if err != nil {
				t.Fatal(err)
			}
			want, err := Open(filepath.Join(dir, strconv.Itoa(i)+".npy"), Options{})
			if err != nil {
				t.Fatal(err)
			}
			if got := f.Header(); got.Descr != want.Header().Descr || !got.Shape.Equal(want.Header().Shape) || got.FortranOrder != want.Header().FortranOrder {
				t.Errorf("%s: got %v: want %v", f.Name(), got, want.Header())
			}
			sameBytes(t, f.Name(), readAll(t, f), readAll(t, want))
			f.Close()
			want.Close()
		}
	}
	one, err := Open(filepath.Join(dir, "one.npz"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer one.Close()

	outs := NewOutputs(CreateOptions{})
	for _, path := range []string{"stored.npz:large", "stored.npz:größe/new", "deflated.npz:large", "deflated.npz:größe/new", "new.npz:a", "new.npz:b/中", "default.npz", "default.npz"} {
		put(t, begin(t, outs, filepath.Join(dir, path)))
	}
	if err := outs.Commit(); err != nil {
		t.Fatal(err)
	}
	out := python(t, `
import sys, zipfile
import numpy as np
out = sys.argv[1] + '/'
want = np.arange(24, dtype='u1').view('<f4')
for name, n, members in [('stored', 192, ['large', 'größe/new']), ('deflated', 192, ['large', 'größe/new']), ('new', 2, ['a', 'b/中']), ('default', 2, ['arr_0', 'arr_1'])]:
    if zipfile.ZipFile(out + name + '.npz').testzip() is not None:
        print(name, 'is damaged')
    with np.load(out + name + '.npz', allow_pickle=False) as z:
        if len(z.files) != n:
            print(name, 'holds', len(z.files))
        for m in z.files:
            a = z[m]
            if m in members and not (a.dtype == want.dtype and a.shape == want.shape and a.tobytes() == want.tobytes()):
                print(name, m, a)
            if m not in members:
                old = np.load(out + '%d.npy' % (z.files.index(m) - 2))
                if a.dtype != old.dtype or a.shape != old.shape or a.tobytes() != old.tobytes():
                    print(name, m, 'is not what it was')
        for m in members:
            z[m]
`, dir)
	if len(out) > 0 {
		t.Errorf("NumPy says: %s", out)
	}
}

// Every type, order and shape that Outputs writes into archives.
func TestInteropArchivesWritten(t *testing.T) {
	dir := t.TempDir()
	for i, opt := range []CreateOptions{{}, {BigEndian: true}, {Fortran: true}, {BigEndian: true, Fortran: true}} {
		outs := NewOutputs(opt)
		for _, dt := range dtype.All() {
			for _, s := range []shape.Shape{{}, {0}, {5}, {2, 3, 4}, {2, 0, 3}} {
				data := counting(int(s.Len()) * dt.Size())
				if dt == dtype.Bool {
					for i := range data {
						data[i] &= 1
					}
				}
				o, err := outs.Create(filepath.Join(dir, strconv.Itoa(i)+".npz:"+dt.String()+s.String()), dt, s)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := o.Write(data); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := outs.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	out := python(t, `
import sys
import numpy as np
for i in range(4):
    with np.load('%s/%d.npz' % (sys.argv[1], i), allow_pickle=False) as z:
        if len(z.files) != 75:
            print(i, len(z.files))
        for name in z.files:
            a = z[name]
            dt, shape = name.split('(', 1)
            shape = tuple(int(n) for n in shape.rstrip(')').split(',') if n)
            big, fortran = i % 2 == 1, i > 1
            raw = (np.arange(a.nbytes) % 251).astype('u1')
            native = np.dtype('V2' if dt == 'bfloat16' else dt)
            want = (raw & 1 if dt == 'bool' else raw).view(native).reshape(shape, order='F' if fortran else 'C')
            if a.dtype != want.dtype.newbyteorder('>' if big else '<') or a.shape != shape or a.astype(native).tobytes() != want.tobytes():
                print(i, name, a.dtype, a.shape)
`, dir)
	if len(out) > 0 {
		t.Errorf("NumPy says: %s", out)
	}
}

// NumPy and fusectl accept and refuse the same headers, and understand them in
// the same way, but for the differences that the corpus names.
func TestInteropHeaders(t *testing.T) {
	cases := corpus()
	texts := make([][2]any, len(cases))
	for i, c := range cases {
		texts[i] = [2]any{int(c.major), []byte(c.text)}
	}
	b, err := json.Marshal(texts)
	if err != nil {
		t.Fatal(err)
	}
	out := python(t, `
import base64, io, json, struct, sys
import numpy as np
from numpy.lib import format as F
def load(major, text):
    b = base64.b64decode(text)
    f = io.BytesIO(struct.pack('<H' if major == 1 else '<I', len(b)) + b)
    try:
        shape, fortran, dt = F._read_array_header(f, (major, 0))
        if dt.hasobject:
            return None
        # what the header alone doesn't decide: dimensions that can't be
        a = np.ndarray(shape, dt, order='F' if fortran else 'C')
        return [repr(F.dtype_to_descr(dt)), shape, a.flags.f_contiguous and not a.flags.c_contiguous]
    except Exception:
        return None
json.dump([load(*c) for c in json.loads(sys.argv[1])], sys.stdout)
`, string(b))
	var answers [][]any
	if err := json.Unmarshal(out, &answers); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d headers", len(cases))
	for i, c := range cases {
		h, err := ParseHeader([]byte(c.text), c.major, dtype.Type{})
		numpy := answers[i]
		agrees := (err == nil) == (numpy != nil)
		switch {
		case agrees && c.differs != "":
			t.Errorf("%q: no difference: %s", c.text, c.differs)
		case !agrees && c.differs == "":
			t.Errorf("%q: NumPy: %v, fusectl: %v, %v", c.text, numpy, h.Descr, err)
		case agrees && err == nil:
			dims := shape.Shape{}
			for _, d := range numpy[1].([]any) {
				dims = append(dims, int(d.(float64)))
			}
			if h.Descr != numpy[0] || !h.Shape.Equal(dims) || h.FortranOrder != numpy[2] {
				t.Errorf("%q: NumPy: %v, fusectl: %v", c.text, numpy, h)
			}
		}
	}
}

type sink struct{ bytes.Buffer }

func (*sink) Close() error { return nil }

// gonpy writes no newline, pads to 16 bytes, and marks bytes as <u1.
func TestInteropGonpy(t *testing.T) {
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		for _, version := range []int{1, 2} {
			for _, c := range []struct {
				dt     dtype.Type
				values any
			}{
				{dtype.Int8, []int8{1, -2, 3, 4, 5, 6}},
				{dtype.Int16, []int16{1, -2, 3, 4, 5, 6}},
				{dtype.Int32, []int32{1, -2, 3, 4, 5, 6}},
				{dtype.Int64, []int64{1, -2, 3, 4, 5, 6}},
				{dtype.Uint8, []uint8{1, 2, 3, 4, 5, 6}},
				{dtype.Uint16, []uint16{1, 2, 3, 4, 5, 6}},
				{dtype.Uint32, []uint32{1, 2, 3, 4, 5, 6}},
				{dtype.Uint64, []uint64{1, 2, 3, 4, 5, 6}},
				{dtype.Float32, []float32{1, 2.5, 3, 4, 5, 6}},
				{dtype.Float64, []float64{1, 2.5, 3, 4, 5, 6}},
				{dtype.Complex64, []complex64{1, 2.5i, 3, 4, 5, 6}},
				{dtype.Complex128, []complex128{1, 2.5i, 3, 4, 5, 6}},
			} {
				var s sink
				w, _ := gonpy.NewWriter(&s)
				w.Endian, w.Shape, w.Version = order, []int{2, 3}, version
				if err := gonpyWrite(w, c.values); err != nil {
					t.Fatal(err)
				}
				f, err := Open(writeFile(t, s.Bytes()), Options{})
				if err != nil {
					t.Fatal(err)
				}
				want, _ := binary.Append(nil, binary.LittleEndian, c.values)
				if f.DType() != c.dt || !f.Shape().Equal(shape.Shape{2, 3}) {
					t.Errorf("got %v %v: want %v", f.DType(), f.Shape(), c.dt)
				}
				sameBytes(t, c.dt.String(), readAll(t, f), want)
				f.Close()
			}
		}
	}
	// and the other way
	b := append(NewHeader(dtype.Float64, shape.Shape{2, 3}).Encode(), counting(48)...)
	r, err := gonpy.NewReader(io.Reader(bytes.NewReader(b)))
	if err != nil {
		t.Fatal(err)
	}
	v, err := r.GetFloat64()
	if err != nil || !slices.Equal(r.Shape, []int{2, 3}) {
		t.Fatalf("%v, %v", r.Shape, err)
	}
	got, _ := binary.Append(nil, binary.LittleEndian, v)
	sameBytes(t, "read by gonpy", got, counting(48))
}

func gonpyWrite(w *gonpy.NpyWriter, values any) error {
	switch v := values.(type) {
	case []int8:
		return w.WriteInt8(v)
	case []int16:
		return w.WriteInt16(v)
	case []int32:
		return w.WriteInt32(v)
	case []int64:
		return w.WriteInt64(v)
	case []uint8:
		return w.WriteUint8(v)
	case []uint16:
		return w.WriteUint16(v)
	case []uint32:
		return w.WriteUint32(v)
	case []uint64:
		return w.WriteUint64(v)
	case []float32:
		return w.WriteFloat32(v)
	case []float64:
		return w.WriteFloat64(v)
	case []complex64:
		return w.WriteComplex64(v)
	case []complex128:
		return w.WriteComplex128(v)
	}
	panic("gonpy has no such type")
}
