package npyio

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// foreignStarts are beginnings of files by what is published of their formats, with
// what is to be said of them and a part of the hints.
func foreignStarts() []struct{ is, hint, start string } {
	numpy := string(raw(1, text("'<f4'", "False", "(2,)"), counting(8)))
	header := func(s string) string {
		return string(binary.LittleEndian.AppendUint64(nil, uint64(len(s)))) + s
	}
	return []struct{ is, hint, start string }{
		{"a Git LFS pointer", "git lfs pull", "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"},
		{"a git-annex pointer", "git annex get", "/annex/objects/SHA256E-s5--ab.npy\n"},
		{"compressed with gzip", "gunzip -c FILE", "\x1f\x8b\x08\x00aaaaaaaa"},
		{"compressed with zstd", "zstd -dc FILE", "\x28\xb5\x2f\xfd\x24\x08aaaa"},
		{"compressed with xz", "xz -dc FILE", "\xfd7zXZ\x00\x00\x04aaaa"},
		{"compressed with bzip2", "bzip2 -dc FILE", "BZh91AY&SYaaaa"},
		{"compressed with bzip2", "bzip2 -dc FILE", "BZh9\x17\x72\x45\x38\x50\x90\x00\x00\x00\x00"},
		{"compressed with lz4", "lz4 -dc FILE", "\x04\x22\x4d\x18\x64\x40aaaa"},
		{"base64 text", "base64 -d FILE", "k05VTVBZAQB2AHsn"},
		{"a tar archive", "tar -xf FILE", "x.npy" + strings.Repeat("\x00", 252) + "ustar\x0000"},
		{"a 7z archive", "7z x FILE", "7z\xbc\xaf\x27\x1c\x00\x04"},
		{"an HDF5 file", "h5py", "\x89HDF\r\n\x1a\n\x00\x00\x00"},
		{"a MATLAB 7.3 MAT-file", "h5py", "MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: Mon Jan  1 00:00:00 2024 HDF5 schema 1.00 ."},
		{"a MATLAB 5.0 MAT-file", "scipy.io.loadmat", "MATLAB 5.0 MAT-file Platform: posix, Created on: Mon Jan  1 00:00:00 2024"},
		{"a safetensors file", "safetensors.numpy.load_file", header(`{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`) + "abcd"},
		{"a safetensors file", "safetensors.numpy.load_file", header("{}")},
		{"a PyTorch file", "torch.load", "\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03."},
		{"a PNG image", "PIL", "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"},
		{"a JPEG image", "PIL", "\xff\xd8\xff\xe0\x00\x10JFIF\x00"},
		{"a TIFF image", "PIL", "II*\x00\x08\x00\x00\x00"},
		{"a TIFF image", "PIL", "MM\x00*\x00\x00\x00\x08"},
		{"a GIF image", "PIL", "GIF89a\x01\x00\x01\x00"},
		{"a BMP image", "PIL", "BM\x46\x00\x00\x00\x00\x00\x00\x00\x36\x00"},
		{"a WebP image", "PIL", "RIFF\x24\x00\x00\x00WEBPVP8 "},
		{"a PDF document", "", "%PDF-1.7\n"},
		{"a program", "", "\x7fELF\x02\x01\x01\x00"},
		{"an HTML page", "get the file again", "\r\n<!DOCTYPE html>\n<html>"},
		{"an HTML page", "get the file again", "\xef\xbb\xbf<html lang=en>"},
		{"an XML document", "get the file again", "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code>"},
		{"JSON text", "json.load", `{"message": "Not Found", "status": "404"}`},
		{"JSON text", "json.load", "[[1, 2.5], [3, 4e-1], [5, 6"},
		{"JSON text", "json.load", "[0.1" + strings.Repeat(", 0.1234", 100)},
		{"text of numbers", "delimiter=','", "1,2,3\n4,5,6\n"},
		{"text of numbers", "delimiter=','", "a,b\n1.5, nan\r\n-2e3, inf\r\n1"},
		{"text of numbers", "delimiter=','", "1.25" + strings.Repeat(",0.123456", 100)},
		{"text of numbers", "delimiter=';'", "1;2\n3;4"},
		{"text of numbers", "np.loadtxt(FILE))", "# made by hand\n1.000e+00 2.000e+00\n3.000e+00 4.0"},
		{"text of numbers", "np.loadtxt(FILE))", "1\t2\n"},
		{"text of numbers", "np.loadtxt(FILE))", "42"},
		{"a run of zeros", "get it again", strings.Repeat("\x00", 4000)},
		{"a run of zeros", "np.fromfile", "\x00\x00"},
		{"what is left of a .npy array that was copied as text", "binary mode", "\xef\xbb\xbf" + numpy},
		{"what is left of a .npy array that was copied as text", "binary mode", "\xc2" + numpy},
		{"what is left of a .npy array that was copied as text", "binary mode", "?" + numpy[1:]},
		{"what is left of a .npy array that was copied as text", "binary mode", numpy[1:]},
	}
}

// hintsOf are the hints of a ReadError, in one line.
func hintsOf(err error) string {
	if e := (*ReadError)(nil); errors.As(err, &e) {
		return strings.Join(e.Hints, "; ")
	}
	return ""
}

// What stands in place of an array is named with the next step, from a file, a
// pipe, a member of an archive, and where an archive is wanted.
func TestForeign(t *testing.T) {
	for _, c := range foreignStarts() {
		t.Run(c.is, func(t *testing.T) {
			check := func(err error, says, hint string) {
				t.Helper()
				wantReadError(t, err, says)
				if h := hintsOf(err); !strings.Contains(h, hint) || hint == "" && h != "" {
					t.Errorf("hints are %q: want %q", h, hint)
				}
			}
			path := writeFile(t, []byte(c.start))
			_, err := Open(path, Options{})
			check(err, path+": is "+c.is, c.hint)
			if !strings.HasSuffix(err.Error(), ", not a .npy array") {
				t.Errorf("got %v", err)
			}
			_, err = OpenReader("a pipe", strings.NewReader(c.start), Options{})
			check(err, "a pipe: is "+c.is, c.hint)
			_, err = OpenArchive(path, Options{})
			check(err, "is "+c.is, strings.TrimSuffix(c.hint, " | "))
			if h := hintsOf(err); !strings.HasSuffix(err.Error(), ", not a .npz archive") || strings.Contains(h, "COMMAND -") {
				t.Errorf("got %v, hints %q", err, h)
			}
			for _, store := range []bool{false, true} {
				a := writeArchive(t, archiveOf(zipped{name: "m.npy", data: []byte(c.start), store: store}))
				_, err = Open(a+":m", Options{})
				check(err, a+":m: is "+c.is, c.hint)
				if h := hintsOf(err); strings.Contains(h, "FILE") && !strings.HasPrefix(h, "take the member out of the archive: unzip -p ARCHIVE NAME > FILE; ") {
					t.Errorf("hints are %q", h)
				}
			}
		})
	}
}

// What isn't known is told by its first bytes, and never taken for something else.
func TestForeignUnknown(t *testing.T) {
	for _, s := range []string{
		"This is no array.", "hi", "NUMPY is a library.\n", "cat\ndog\npig\n", "cat\ndog\nqueue\n", "version 2 of what was said\n", "name,age\nbob,3\n",
		"{'a': 1}", "[x]", "{\"a\" 1}", "BMW\n", "BZhang\n", "Ignore\n.\n", "1,2\nx,y\n", "\x80\x02", "\x80\x06\x95", "\x00\x00\x80\x3f\x00\x00\x00\x40", "\xff\xfeh\x00i\x00",
		"\x10\x00\x00\x00\x00\x00\x00\x00{x", "\xff\xff\xff\xff\xff\xff\xff\x7f{\"", "II+", "RIFF\x24\x00\x00\x00WAVEfmt ", "(empty)", "}quote",
	} {
		_, err := OpenReader("a pipe", strings.NewReader(s), Options{})
		wantReadError(t, err, "a pipe: is not a .npy array: it starts with ")
		if h := hintsOf(err); h != "" {
			t.Errorf("%q: hints are %q", s, h)
		}
	}
	_, err := OpenArchive(writeFile(t, nil), Options{})
	wantReadError(t, err, "is empty: want a .npz archive")
	_, err = OpenArchive(writeFile(t, vector(100)), Options{})
	wantReadError(t, err, "is a .npy array, not a .npz archive")
}

// Only what has come is looked at, and no read waits for more than it takes to see
// that there is no array.
func TestForeignPipe(t *testing.T) {
	r, w := io.Pipe()
	defer r.Close()
	go func() {
		w.Write([]byte("<!doctyp"))
		w.Write([]byte("e html>\n")) // and no end
	}()
	done := make(chan error, 1)
	go func() {
		_, err := OpenReader("a pipe", r, Options{})
		done <- err
	}()
	select {
	case err := <-done:
		wantReadError(t, err, "a pipe: is an HTML page")
	case <-time.After(10 * time.Second):
		t.Fatal("it waits for the end of the pipe")
	}
	counted := &countingReader{r: strings.NewReader(strings.Repeat("x", 1<<20))}
	_, err := OpenReader("a pipe", counted, Options{})
	wantReadError(t, err, "it starts with")
	if counted.n > peekBytes {
		t.Errorf("%d bytes were read", counted.n)
	}
	_, err = OpenReader("a pipe", iotest.TimeoutReader(strings.NewReader("version https://git-lfs")), Options{}) // the second read fails
	wantReadError(t, err, "it starts with \"version \"")
}

type countingReader struct {
	r io.Reader
	n int
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

func TestForeignZip(t *testing.T) {
	member := func(names ...string) []byte {
		var members []zipped
		for _, n := range names {
			members = append(members, zipped{name: n, data: []byte("\x80\x02}q\x00.")})
		}
		return archiveOf(members...)
	}
	for _, c := range []struct {
		is, hint string
		zip      []byte
	}{
		{"a PyTorch file", "torch.load", member("archive/data.pkl", "archive/data/0", "archive/version")},
		{"a PyTorch file", "torch.load", member("model_best/data.pkl", "model_best/.data/serialization_id")},
		{"a TorchScript module", "torch.jit.load", member("m/data.pkl", "m/code/__torch__.py", "m/constants.pkl", "m/version")},
		{"a Keras model", "keras.saving.load_model", member("metadata.json", "config.json", "model.weights.h5")},
	} {
		path := writeFile(t, c.zip)
		_, open := Open(path, Options{})
		_, archive := OpenArchive(path, Options{})
		_, inside := Open(path+":archive/data/0", Options{})
		for _, err := range []error{open, archive, inside} {
			wantReadError(t, err, path+": is "+c.is+", not a .npz archive")
			if h := hintsOf(err); !strings.Contains(h, c.hint) {
				t.Errorf("hints are %q: want %q", h, c.hint)
			}
		}
	}
	_, err := OpenReader("a pipe", bytes.NewReader(member("archive/data.pkl", "archive/version")), Options{})
	wantReadError(t, err, "a pipe: is a PyTorch file, not a .npy array")
	// Arrays make an archive, whatever else it holds.
	a, err := OpenArchive(writeFile(t, archiveOf(zipped{name: "a/data.pkl", data: []byte("x")}, zipped{name: "w.npy", data: vector(3)})), Options{})
	if err != nil {
		t.Fatal(err)
	}
	a.Close()
}

// The hints of what a member's header says are of an archive too.
func TestMemberHints(t *testing.T) {
	path := writeArchive(t, archiveOf(
		zipped{name: "meta.npy", data: raw(1, text("'|O'", "False", "()"), []byte("\x80\x02}q\x00."))},
		zipped{name: "long.npy", data: raw(1, text("'<f16'", "False", "(1,)"), make([]byte, 16)), store: true}))
	for name, want := range map[string]string{
		"meta": "if you trust the file, save its numbers in Python: np.load(ARCHIVE, allow_pickle=True)[NAME], and np.save or np.savez of what in it can be an array of numbers",
		"long": "re-save it in Python as float64 or complex128: np.save(OUT, np.load(ARCHIVE)[NAME].astype(np.float64))",
	} {
		_, err := Open(path+":"+name, Options{})
		if h := hintsOf(err); h != want {
			t.Errorf("%s: hints are %q: want %q", name, h, want)
		}
	}
}

// saveForeign makes files with the programs that make them: the first word of the
// name is the number of the line in the list that it prints.
const saveForeign = `
import bz2, gzip, io, json, lzma, os, pickle, subprocess, sys, tarfile, zipfile
import numpy as np
out, cases = sys.argv[1], []
def put(what, data):
    name = '%s/%d' % (out, len(cases))
    with open(name, 'wb') as f:
        f.write(data)
    cases.append([name, what])
rng = np.random.default_rng(0)
a = rng.standard_normal((30, 40)).astype('f4')
b = io.BytesIO()
np.save(b, a)
npy = b.getvalue()
class Old:
    pass
values = [a, {'w': a}, [a, a], (a,), [], {}, (1, 2.5), [1, 2, 3], {'a': 1}, [1.5], 'text', 'x' * 300, b'bytes', 12, -3, 70000, 10**30, 2.5, True,
    np.float32(1), np.arange(3), set([1]), frozenset([2]), range(4), (1,), (), Old(), [None], {1: [2]}, ['a'], object, np.dtype('f4'), bytearray(b'x'), 1j, a.tolist()]
for protocol in range(6):
    for v in values:
        if protocol < 2 and type(v) in (tuple, ) and len(v) == 0:
            continue # two bytes
        p = pickle.dumps(v, protocol)
        if protocol < 2 and (p[:1] in b'KMJUTXGCB)' or p[:2] in (b'(K', b'(X', b'(U', b'(G', b'(c', b'(M')):
            continue # numbers and strings alone: nothing tells that they are pickles
        put('a Python pickle', p)
put('compressed with gzip', gzip.compress(npy))
put('compressed with bzip2', bz2.compress(npy))
put('compressed with bzip2', bz2.compress(b''))
put('compressed with xz', lzma.compress(npy))
for tool, what in (['zstd', '-qc'], 'zstd'), (['lz4', '-qc'], 'lz4'):
    try:
        put('compressed with ' + what, subprocess.run(tool, input=npy, stdout=subprocess.PIPE, check=True).stdout)
    except FileNotFoundError:
        pass
import base64
put('base64 text', base64.b64encode(npy))
for form in tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT:
    t = io.BytesIO()
    with tarfile.open(fileobj=t, mode='w', format=form) as f:
        i = tarfile.TarInfo('x.npy')
        i.size = len(npy)
        f.addfile(i, io.BytesIO(npy))
    put('a tar archive', t.getvalue())
for v in {'a': [1, None, 'é']}, [1, 2], [], {}, a.tolist(), [{'x': True}]:
    for indent in None, 2:
        put('JSON text', json.dumps(v, indent=indent).encode())
for kw in {}, {'delimiter': ','}, {'delimiter': ';'}, {'delimiter': '\t'}, {'fmt': '%d'}, {'delimiter': ',', 'header': 'a,b,c'}, {'delimiter': ',', 'header': 'x,y', 'comments': ''}, {'fmt': '%.3f', 'newline': '\r\n'}:
    for v in a, a[:3, :2], a[:, :1], a[0, :1], np.array([[np.nan, np.inf], [-np.inf, 1e-300]]):
        if kw.get('comments') == '' and (v.shape[-1] > 2 or v.ndim < 2 or v.shape[1] < 2):
            continue # names of another number
        if kw == {'fmt': '%d'} and not np.isfinite(v).all():
            continue
        t = io.BytesIO()
        np.savetxt(t, v, **kw)
        put('text of numbers', t.getvalue())
left = 'what is left of a .npy array that was copied as text'
put(left, npy.decode('latin-1').encode('utf-8'))
put(left, b'\xef\xbb\xbf' + npy.decode('latin-1').encode('utf-8'))
put(left, npy.decode('utf-8', 'replace').encode('utf-8'))
put(left, npy.decode('ascii', 'replace').encode('ascii', 'replace'))
put(left, npy.decode('ascii', 'ignore').encode('ascii'))
put(left, npy.decode('cp437').encode('utf-8'))
put(left, npy.decode('cp437').encode('utf-16'))
put(left, b'\xfe\xff' + npy.decode('cp437').encode('utf-16-be'))
put(left, npy.decode('cp1252', 'replace').encode('utf-16'))
try:
    import torch
except ImportError:
    torch = None
if torch:
    m = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    for v in m.state_dict(), m, torch.ones(3), {'epoch': 3}:
        t = io.BytesIO()
        torch.save(v, t)
        put('a PyTorch file', t.getvalue())
        t = io.BytesIO()
        torch.save(v, t, _use_new_zipfile_serialization=False)
        put('a PyTorch file', t.getvalue())
    t = io.BytesIO()
    torch.jit.save(torch.jit.script(m), t)
    put('a TorchScript module', t.getvalue())
# what is not to be taken for anything: raw numbers
for v in [rng.standard_normal(200), rng.standard_normal(200).astype('f4'), rng.standard_normal(200).astype('f2'), rng.integers(0, 255, 900).astype('u1'), np.arange(300), np.arange(300, dtype='u1'), np.ones(99)]:
    put('', v.tobytes())
json.dump(cases, open(out + '/cases.json', 'w'))
`

func TestInteropForeign(t *testing.T) {
	dir := t.TempDir()
	python(t, saveForeign, dir)
	b, err := os.ReadFile(filepath.Join(dir, "cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases [][2]string
	if err := json.Unmarshal(b, &cases); err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, c := range cases {
		data, err := os.ReadFile(c[0])
		if err != nil {
			t.Fatal(err)
		}
		seen[c[1]]++
		wanted := ": is " + c[1] + ", not a .np"
		if c[1] == "" {
			wanted = ": is not a .npy array: it starts with"
		}
		_, err = Open(c[0], Options{})
		if err == nil || !strings.Contains(err.Error(), wanted) {
			t.Errorf("%s, which starts with %q: got %v", c[1], data[:min(40, len(data))], err)
		}
		_, err = OpenReader("a pipe", bytes.NewReader(data), Options{})
		if c[1] == "a TorchScript module" { // its first entry doesn't tell it from another one
			wanted = ": is a zip archive, which can be read only from a file"
		}
		if err == nil || !strings.Contains(err.Error(), wanted) {
			t.Errorf("%s, which starts with %q, on a pipe: got %v", c[1], data[:min(40, len(data))], err)
		}
	}
	t.Logf("%v", seen)
}

func FuzzForeign(f *testing.F) {
	for _, c := range foreignStarts() {
		f.Add([]byte(c.start))
	}
	var z bytes.Buffer
	w := zip.NewWriter(&z)
	w.Create("archive/data.pkl")
	w.Close()
	f.Add(z.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		wantReadError(t, foreign(b, anArray), "")
		wantReadError(t, foreign(b, anArchive), "")
	})
}
