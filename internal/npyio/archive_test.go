package npyio

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"fusectl/internal/dtype"
	"fusectl/internal/shape"
)

// zipped is a member of an archive that is put together by hand.
type zipped struct {
	name     string
	data     []byte
	deflated []byte                  // of data, where that has been done
	lie      func(h *zip.FileHeader) // changes what the archive says about it
	store    bool
}

// deflaters are used again: each is of a megabyte.
var deflaters = sync.Pool{New: func() any {
	w, _ := flate.NewWriter(nil, flate.BestSpeed)
	return w
}}

func deflate(b []byte) []byte {
	var z bytes.Buffer
	w := deflaters.Get().(*flate.Writer)
	defer deflaters.Put(w)
	w.Reset(&z)
	w.Write(b)
	w.Close()
	return z.Bytes()
}

func archiveOf(entries ...zipped) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Store, CRC32: crc32.ChecksumIEEE(e.data), UncompressedSize64: uint64(len(e.data))}
		body := e.data
		if !e.store {
			if h.Method, body = zip.Deflate, e.deflated; body == nil {
				body = deflate(e.data)
			}
		}
		h.CompressedSize64 = uint64(len(body))
		if e.lie != nil {
			e.lie(h)
		}
		w, err := z.CreateRaw(h)
		if err != nil {
			panic(err)
		}
		w.Write(body)
	}
	z.Close()
	return b.Bytes()
}

func writeArchive(t *testing.T, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.npz")
	if err := os.WriteFile(path, b, 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// vector is the .npy file of n bytes that count.
func vector(n int) []byte {
	return raw(1, text("'|u1'", "False", fmt.Sprintf("(%d,)", n)), counting(n))
}

func TestArchive(t *testing.T) {
	path := writeArchive(t, archiveOf(
		zipped{name: "a.npy", data: vector(10), store: true},
		zipped{name: "b.npy", data: vector(20)},
		zipped{name: "layer/kernel:0.npy", data: vector(30)},
		zipped{name: "größe 中.npy", data: vector(40), store: true},
		zipped{name: "readme.txt", data: []byte("hello")},
		zipped{name: "../up.npy", data: vector(50), lie: func(h *zip.FileHeader) { h.Flags |= 8 }}, // sizes in a data descriptor
		zipped{name: "exactly", data: vector(60)},
		zipped{name: "twice.npy", data: vector(1)},
		zipped{name: "twice.npy", data: vector(70)},
		zipped{name: "odd.npy.npy", data: vector(80)},
		zipped{name: "folder/", store: true},
	))
	a, err := OpenArchive(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	want := []string{"a", "b", "layer/kernel:0", "größe 中", "readme.txt", "../up", "exactly", "twice", "odd.npy"}
	if !slices.Equal(a.Names(), want) {
		t.Errorf("got the names %q: want %q", a.Names(), want)
	}
	for name, n := range map[string]int{"a": 10, "a.npy": 10, "b": 20, "layer/kernel:0": 30, "größe 中": 40, "../up": 50, "exactly": 60, "twice": 70, "odd.npy": 80} {
		for how, open := range map[string]func() (*File, error){
			"archive": func() (*File, error) { return a.Open(name) },
			"address": func() (*File, error) { return Open(path+":"+name, Options{}) },
		} {
			f, err := open()
			if err != nil {
				t.Errorf("%s: %v", how, err)
				continue
			}
			if f.Name() != path+":"+name {
				t.Errorf("the name is %q", f.Name())
			}
			sameBytes(t, name, readAll(t, f), counting(n))
			part := make([]byte, 3)
			if err := f.Read(context.Background(), part, 5); err != nil {
				t.Error(err)
			}
			sameBytes(t, name+" from element 5 on", part, counting(n)[5:8])
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	_, err = a.Open("none")
	wantReadError(t, err, `x.npz: has no array "none": it has a, b, layer/kernel:0, "größe 中", readme.txt, ../up, exactly, twice, odd.npy`)
	_, err = Open(path, Options{})
	wantReadError(t, err, "x.npz: holds several arrays: a, b, layer/kernel:0")
	if e := err.(*ReadError); len(e.Hints) != 1 || e.Hints[0] != "name one: "+path+":a" {
		t.Errorf("got the hints %q", e.Hints)
	}
	_, err = a.Open("readme.txt")
	wantReadError(t, err, "x.npz:readme.txt: is not a .npy array")
}

func TestArchiveOfOne(t *testing.T) {
	b := archiveOf(zipped{name: "note", data: []byte("hello")}, zipped{name: "arr_0.npy", data: vector(10)})
	f, err := Open(writeFile(t, b), Options{}) // whatever its name ends in
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sameBytes(t, "elements", readAll(t, f), counting(10))
	if !strings.HasSuffix(f.Name(), "x.npy:arr_0") {
		t.Errorf("the name is %q", f.Name())
	}
}

func TestCutAddress(t *testing.T) {
	for s, want := range map[string][2]string{
		"x.npz:a":         {"x.npz", "a"},
		"d/x.NPZ:a":       {"d/x.NPZ", "a"},
		"x.npz:a:0":       {"x.npz", "a:0"},
		"x.npz:y.npz:a":   {"x.npz:y.npz", "a"},
		"x.npz:":          {"x.npz", ""},
		"c:x.npz:a/b.npy": {"c:x.npz", "a/b.npy"},
		"x.npz":           {},
		"x.npy:a":         {},
		":npz":            {},
		"":                {},
	} {
		path, member, ok := cutAddress(s)
		if path != want[0] || member != want[1] || ok != (want[0] != "") {
			t.Errorf("%q is %q and %q, %v", s, path, member, ok)
		}
	}
}

// A file that is called like an address is opened as what it is.
func TestColonInName(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.npz:a")
	if err := os.WriteFile(path, vector(10), 0o666); err != nil {
		t.Skip(err)
	}
	f, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
}

func TestMembersAreReadAsFiles(t *testing.T) {
	path := writeArchive(t, archiveOf(
		zipped{name: "big.npy", data: raw(1, text("'>i4'", "True", "(2,3)"), counting(24))},
		zipped{name: "brain.npy", data: raw(1, text("'|V2'", "False", "(3,)"), counting(6))},
		zipped{name: "object.npy", data: raw(1, text("'|O'", "False", "(3,)"), nil), store: true},
		zipped{name: "more.npy", data: append(vector(10), 1, 2, 3)},
		zipped{name: "more stored.npy", data: append(vector(10), 1, 2, 3), store: true},
		zipped{name: "empty.npy", data: vector(0)},
	))
	f, err := Open(path+":big", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !f.Shape().Equal(shape.Shape{3, 2}) {
		t.Errorf("got the shape %v", f.Shape())
	}
	got := readAll(t, f)
	sameBytes(t, "big-endian", got[:4], []byte{3, 2, 1, 0})
	f.Close()
	f, err = Open(path+":brain", Options{As: dtype.BFloat16})
	if err != nil || f.DType() != dtype.BFloat16 {
		t.Fatalf("got %v", err)
	}
	f.Close()
	_, err = Open(path+":object", Options{})
	wantReadError(t, err, "holds Python objects")
	for _, name := range []string{":more", ":more stored"} {
		f, err = Open(path+name, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if w := f.Warnings(); len(w) != 1 || w[0] != "3 bytes after the array are ignored" {
			t.Errorf("got %q", w)
		}
		sameBytes(t, name, readAll(t, f), counting(10))
		f.Close()
	}
	f, err = Open(path+":empty", Options{})
	if err != nil || len(readAll(t, f)) != 0 {
		t.Fatalf("got %v", err)
	}
	f.Close()
}

// zip64Entry has its sizes in the directory's zip64 field, as those beyond
// 4 GiB do.
func zip64Entry(e zipped) []byte {
	e.lie = func(h *zip.FileHeader) {
		h.Extra = binary.LittleEndian.AppendUint16(nil, 1)
		h.Extra = binary.LittleEndian.AppendUint16(h.Extra, 16)
		h.Extra = binary.LittleEndian.AppendUint64(h.Extra, h.UncompressedSize64)
		h.Extra = binary.LittleEndian.AppendUint64(h.Extra, h.CompressedSize64)
	}
	b := archiveOf(e)
	copy(b[bytes.LastIndex(b, []byte("PK\x01\x02"))+20:], "\xff\xff\xff\xff\xff\xff\xff\xff")
	return b
}

func TestZip64(t *testing.T) {
	for _, store := range []bool{false, true} {
		path := writeArchive(t, zip64Entry(zipped{name: "a.npy", data: vector(1000), store: store}))
		// and after another member was added to it
		for _, then := range []func(){func() {}, func() { writeAll(t, path+":b", dtype.Float32, six, sixData) }} {
			then()
			f, err := Open(path+":a", Options{})
			if err != nil {
				t.Fatal(err)
			}
			sameBytes(t, "elements", readAll(t, f), counting(1000))
			f.Close()
		}
	}
	extra := []byte("\x01\x00\x02\x00ab\x07\x00\x01\x00c\x01\x00\x00\x00d")
	if got := withoutZip64(extra); string(got) != "\x07\x00\x01\x00cd" {
		t.Errorf("got %q", got)
	}
}

func TestHostileArchives(t *testing.T) {
	one := archiveOf(zipped{name: "a.npy", data: vector(1000), store: true})
	flat := archiveOf(zipped{name: "a.npy", data: vector(1000)})
	claim := func(size uint64) func(*zip.FileHeader) {
		return func(h *zip.FileHeader) { h.UncompressedSize64 = size }
	}
	bomb := append(vector(8), make([]byte, 32<<20)...)
	tera := raw(1, text("'<f8'", "False", "(137438953472,)"), nil)
	many := make([]zipped, 3000)
	for i := range many {
		many[i] = zipped{name: fmt.Sprintf("\x1b[31m%d\n.npy", i), data: vector(1)}
	}
	for _, c := range []struct {
		name, want string
		file       []byte
	}{
		{"empty archive", "without an array", archiveOf()},
		{"no array", "a.txt: is not a .npy array", archiveOf(zipped{name: "a.txt", data: []byte("hello")})},
		{"a folder", "without an array", archiveOf(zipped{name: "a/", store: true})},
		{"cut in the data", "truncated or damaged", one[:200]},
		{"cut in the directory", "truncated or damaged", one[:len(one)-10]},
		{"signature alone", "truncated or damaged", []byte("PK\x03\x04")},
		{"cut at the front", "is not where the directory of its archive says", append([]byte("PK\x03\x04"), one[300:]...)},
		{"encrypted", "is encrypted", archiveOf(zipped{name: "a.npy", data: vector(9), lie: func(h *zip.FileHeader) { h.Flags |= 1 }})},
		{"lzma", "is compressed by method 14", archiveOf(zipped{name: "a.npy", data: vector(9), lie: func(h *zip.FileHeader) { h.Method = 14 }})},
		{"wrong CRC", "is damaged: the CRC-32", archiveOf(zipped{name: "a.npy", data: vector(9), lie: func(h *zip.FileHeader) { h.CRC32++ }})},
		{"wrong deflate", "not valid deflate", archiveOf(zipped{name: "a.npy", data: []byte("\xff\xff\xff\xff"), store: true, lie: func(h *zip.FileHeader) { h.Method = zip.Deflate }})},
		{"damaged local header", "is not where the directory", append([]byte("PK\x03\x04"), bytes.Replace(one, []byte("PK\x03\x04"), []byte("PK\x03\x05"), 1)...)},
		{"bomb", "claims to inflate to 33554432 bytes more than its array has", archiveOf(zipped{name: "a.npy", data: bomb})},
		{"bomb that claims its array's size", "inflates to more bytes", archiveOf(zipped{name: "a.npy", data: bomb, lie: claim(uint64(len(vector(8))))})},
		{"less than claimed", "inflates to fewer bytes", archiveOf(zipped{name: "a.npy", data: vector(1000)[:600], lie: claim(uint64(len(vector(1000))))})},
		{"less than claimed, header alone", "inflates to fewer bytes", archiveOf(zipped{name: "a.npy", data: []byte("\x93NU"), lie: claim(900)})},
		{"impossible ratio", "is malformed: its archive claims 1099511627776 bytes", archiveOf(zipped{name: "a.npy", data: tera, lie: claim(1 << 40)})},
		{"impossible size", "is malformed: its archive claims 18446744073709551615 bytes", archiveOf(zipped{name: "a.npy", data: tera, lie: claim(1<<64 - 1)})},
		{"terabytes", "expected 1099511627776 bytes of data", archiveOf(zipped{name: "a.npy", data: tera})},
		{"terabytes, stored", "expected 1099511627776 bytes of data", archiveOf(zipped{name: "a.npy", data: tera, store: true})},
		{"more than the archive has", "is truncated: its archive claims 1099511627776 bytes", archiveOf(zipped{name: "a.npy", data: tera, store: true, lie: func(h *zip.FileHeader) {
			h.UncompressedSize64, h.CompressedSize64 = 1<<40, 1<<40
		}})},
		{"stored in other sizes", "is malformed: its archive claims 5 bytes", archiveOf(zipped{name: "a.npy", data: vector(9), store: true, lie: claim(5)})},
		{"short data", "expected 1000 bytes of data", archiveOf(zipped{name: "a.npy", data: vector(1000)[:500]})},
		{"short header", "expected 8 bytes of header, found 3", archiveOf(zipped{name: "a.npy", data: []byte("\x93NU")})},
		{"empty member", "is empty", archiveOf(zipped{name: "a.npy"})},
		{"archive in an archive", "is a zip archive", archiveOf(zipped{name: "a.npy", data: flat})},
		{"many names", `holds several arrays: "\x1b[31m0\n", `, archiveOf(many...)},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := writeArchive(t, c.file)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			f, err := Open(path, Options{})
			if err == nil {
				err = f.Read(context.Background(), make([]byte, min(2000, f.Shape().Len())), 0)
				f.Close()
			}
			runtime.ReadMemStats(&after)
			wantReadError(t, err, c.want)
			if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20+20*uint64(len(c.file)) {
				t.Errorf("took %d bytes of memory", n)
			}
		})
	}
}

// An archive's directory is at its end, so a pipe would have to be kept whole.
func TestArchiveNeedsAFile(t *testing.T) {
	b := archiveOf(zipped{name: "a.npy", data: vector(9)})
	_, err := OpenReader("a pipe", bytes.NewReader(b), Options{})
	wantReadError(t, err, "a pipe: is a zip archive, which can be read only from a file")
	in, err := os.Open(writeArchive(t, b))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	_, err = OpenStdin(in, Options{})
	wantReadError(t, err, "standard input: is a zip archive")
	if e := err.(*ReadError); len(e.Hints) != 1 || !strings.Contains(e.Hints[0], "save the archive as a file") {
		t.Errorf("got the hints %q", e.Hints)
	}
	dir := t.TempDir()
	_, err = OpenArchive(dir, Options{})
	wantReadError(t, err, "is a directory")
	_, err = Open(filepath.Join(dir, "none.npz:a"), Options{})
	wantReadError(t, err, "none.npz: no such file")
}

func FuzzArchive(f *testing.F) {
	f.Add(archiveOf())
	f.Add(archiveOf(zipped{name: "a.npy", data: vector(10)}, zipped{name: "b.npy", data: vector(10), store: true}))
	f.Add(zip64Entry(zipped{name: "a.npy", data: vector(10)}))
	f.Add(archiveOf(zipped{name: "a.npy", data: append(vector(8), make([]byte, 3<<20)...)}))
	f.Add(archiveOf(zipped{name: "a.npy", data: vector(9), lie: func(h *zip.FileHeader) { h.Flags |= 8; h.UncompressedSize64 = 5 << 20 }}))
	path := filepath.Join(f.TempDir(), "x.npz")
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(path, b, 0o666); err != nil {
			t.Fatal(err)
		}
		a, err := OpenArchive(path, Options{})
		if err != nil {
			wantReadError(t, err, "")
			return
		}
		defer a.Close()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for _, name := range a.Names() {
			m, err := a.Open(name)
			if err != nil {
				wantReadError(t, err, "")
				continue
			}
			// An array is no larger than deflate can have made it.
			size := m.Shape().Len() * int64(m.DType().Size())
			if size > (int64(len(b))+1)*maxRatio {
				t.Errorf("%d bytes hold an array of %d", len(b), size)
			}
			part := int64(max(1, m.DType().Size()))
			for _, off := range []int64{0, m.Shape().Len() / 2, m.Shape().Len() - 1, 0} {
				if size == 0 {
					break
				}
				if err := m.Read(context.Background(), make([]byte, part), off); err != nil {
					wantReadError(t, err, "")
				}
			}
			m.Close()
		}
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > uint64(len(a.Names())+1)*(16<<20) {
			t.Errorf("%d bytes of archive took %d of memory", len(b), n)
		}
	})
}
