package npyio

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"hash/crc32"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
)

func TestCombine(t *testing.T) {
	data := counting(5000)
	for _, at := range []int{0, 1, 2, 3, 100, 4095, 4999, 5000} {
		got := combine(crc32.ChecksumIEEE(data[:at]), crc32.ChecksumIEEE(data[at:]), int64(len(data)-at))
		if want := crc32.ChecksumIEEE(data); got != want {
			t.Errorf("cut at %d: got %x, want %x", at, got, want)
		}
	}
}

// A bit that was flipped in a stored member is found once all of it has been
// read, in whatever pieces and by however many readers; a read of a part is not
// refused.
func TestDamagedStoredMember(t *testing.T) {
	const n = 20000
	good := vector(n)
	whole := archiveOf(zipped{name: "a.npy", data: good, store: true}, zipped{name: "b.npy", data: good, store: true})
	at := bytes.Index(whole, good)
	for name, flip := range map[string]int{"header": 120, "first": 128, "middle": 128 + n/2, "last": len(good) - 1} {
		b := bytes.Clone(whole)
		b[at+flip] ^= 1
		if name == "header" { // a blank that is a tab now
			b[at+flip] = '\t'
		}
		path := writeArchive(t, b)
		for how, read := range map[string]func(f *File) error{
			"at once": func(f *File) error { return f.Read(context.Background(), make([]byte, n), 0) },
			"pieces in any order, overlapping": func(f *File) error {
				r := rand.New(rand.NewPCG(1, 2))
				offs := r.Perm(n / 10)
				for _, o := range offs {
					if err := f.Read(context.Background(), make([]byte, min(13, n-10*o)), int64(10*o)); err != nil {
						return err
					}
				}
				return nil
			},
			"too many pieces to keep": func(f *File) error {
				var err error
				for start := range 2 {
					for o := start; o < n && err == nil; o += 2 {
						err = f.Read(context.Background(), make([]byte, 1), int64(o))
					}
				}
				return err
			},
			"several readers": func(f *File) error {
				errs := make([]error, 4)
				var all sync.WaitGroup
				for w := range 4 {
					all.Go(func() {
						for o := w * 100; o < n && errs[w] == nil; o += 400 {
							errs[w] = f.Read(context.Background(), make([]byte, 100), int64(o))
						}
					})
				}
				all.Wait()
				i := slices.IndexFunc(errs, func(err error) bool { return err != nil })
				return errs[max(i, 0)]
			},
		} {
			for member, want := range map[string]string{"a": "x.npz:a: is damaged: the CRC-32", "b": ""} {
				f, err := Open(path+":"+member, Options{})
				if err != nil {
					t.Fatal(err)
				}
				if err := f.Read(context.Background(), make([]byte, 100), 50); err != nil {
					t.Errorf("%s: a part of %s: %v", name, member, err)
				}
				err = read(f)
				if want != "" {
					wantReadError(t, err, want)
				} else if err != nil {
					t.Errorf("%s, %s: %v", name, how, err)
				}
				f.Close()
			}
		}
	}
}

// What stands before the data of a member and the directory of the archive must
// say the same.
func TestLocalHeaders(t *testing.T) {
	whole := archiveOf(zipped{name: "a.npy", data: vector(100), store: true})
	directory := bytes.LastIndex(whole, []byte("PK\x01\x02"))
	for name, c := range map[string]struct {
		change func(b []byte)
		want   string
	}{
		"as it is":     {func([]byte) {}, ""},
		"name":         {func(b []byte) { b[30] = 'z' }, "another name before its data"},
		"method":       {func(b []byte) { b[8] = 8 }, "another method before its data, 8,"},
		"encrypted":    {func(b []byte) { b[6] |= 1 }, "another encryption before its data"},
		"CRC-32":       {func(b []byte) { b[14] ^= 1 }, "another CRC-32 before its data"},
		"size":         {func(b []byte) { b[22]++ }, "another size before its data, 171,"},
		"packed size":  {func(b []byte) { b[18]++ }, "another compressed size before its data"},
		"version":      {func(b []byte) { b[directory+6] = 99 }, "needs version 9.9 of the zip format"},
		"descriptor":   {func(b []byte) { b[6] |= 8; copy(b[14:26], make([]byte, 12)) }, ""},
		"no sizes":     {func(b []byte) { copy(b[14:26], make([]byte, 12)) }, "another CRC-32 before its data, 0,"},
		"CRC-32 twice": {func(b []byte) { b[14] ^= 1; b[directory+16] ^= 1 }, "is damaged: the CRC-32"},
	} {
		b := bytes.Clone(whole)
		c.change(b)
		f, err := Open(writeArchive(t, b)+":a", Options{})
		if err == nil {
			err = f.Read(context.Background(), make([]byte, 100), 0)
			f.Close()
		}
		if c.want == "" && err != nil {
			t.Errorf("%s: %v", name, err)
		} else if c.want != "" {
			wantReadError(t, err, c.want)
		}
	}
	// An extra field of the length of none that is common.
	long := binary.LittleEndian.AppendUint16([]byte{0xfe, 0xca}, 5000)
	long = append(long, make([]byte, 5000)...)
	b := archiveOf(zipped{name: "a.npy", data: vector(100), store: true, lie: func(h *zip.FileHeader) { h.Extra = long }})
	f, err := Open(writeArchive(t, b)+":a", Options{})
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
}
