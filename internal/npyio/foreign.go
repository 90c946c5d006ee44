package npyio

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	anArray   = "a .npy array"
	anArchive = "a .npz archive"
	// peekBytes is the bytes that are looked at to tell what a file is: the magic of tar, the
	// last of all, stands at 257.
	peekBytes = 512
	// loads is the part of a hint that reads an array.
	loads = "np.load(FILE"
)

// kind is something that a file may be in place of an array or an archive.
type kind struct {
	is     string                  // after "is"
	at     int                     // where its magic stands
	magic  []string                // one of which it has; none: looks alone tells
	looks  func(start string) bool // what else it has to look like; nil: nothing
	unpack string                  // the command that unpacks it to standard output
	hints  []string                // FILE is the file, OUT what is to be written
}

// kinds lists the formats that are told from arrays; the first that fits counts.
// Hints name only Python libraries that whoever has such a file has too.
func kinds() []kind {
	const (
		again     = "it was copied or downloaded as text (FTP's ASCII mode, > in PowerShell): get it again, in binary mode"
		page      = "a server sent it in place of the file, as one does to say what is wrong: read it, and get the file again"
		picture   = "in Python: np.save(OUT, np.asarray(PIL.Image.open(FILE)))"
		untrusted = "fusectl never loads pickles, since that runs what they say"
		skip      = "skiprows=1 passes over a line of names"
	)
	return []kind{
		{is: "what is left of a .npy array that was copied as text", looks: mangled, hints: []string{again}},
		{is: "a Git LFS pointer", magic: []string{"version https://git-lfs.github.com/spec/", "version https://hawser.github.com/spec/"}, hints: []string{"git lfs pull brings the file that it stands for"}},
		{is: "a git-annex pointer", magic: []string{"/annex/objects/"}, hints: []string{"git annex get FILE brings the file that it stands for"}},
		{is: "compressed with gzip", magic: []string{"\x1f\x8b"}, unpack: "gunzip -c"},
		{is: "compressed with zstd", magic: []string{"\x28\xb5\x2f\xfd"}, unpack: "zstd -dc"},
		{is: "compressed with xz", magic: []string{"\xfd7zXZ\x00"}, unpack: "xz -dc"},
		{is: "compressed with bzip2", magic: []string{"BZh"}, looks: bzip2Block, unpack: "bzip2 -dc"},
		{is: "compressed with lz4", magic: []string{"\x04\x22\x4d\x18", "\x02\x21\x4c\x18"}, unpack: "lz4 -dc"},
		{is: "base64 text", magic: []string{"k05VTVBZ"}, unpack: "base64 -d"}, // of the magic
		{is: "a tar archive", at: 257, magic: []string{"ustar"}, hints: []string{"tar -tf FILE lists what it holds, and tar -xf FILE unpacks it"}},
		{is: "a 7z archive", magic: []string{"7z\xbc\xaf\x27\x1c"}, hints: []string{"7z x FILE unpacks it"}},
		{is: "an HDF5 file", magic: []string{"\x89HDF\r\n\x1a\n"}, hints: []string{"in Python: np.save(OUT, h5py.File(FILE)[DATASET][()])"}},
		{is: "a MATLAB 7.3 MAT-file, which is HDF5", magic: []string{"MATLAB 7.3 MAT-file"}, hints: []string{"in Python: np.save(OUT, h5py.File(FILE)[VARIABLE][()].T)"}},
		{is: "a MATLAB 5.0 MAT-file", magic: []string{"MATLAB 5.0 MAT-file"}, hints: []string{"in Python: np.save(OUT, scipy.io.loadmat(FILE)[VARIABLE])"}},
		{is: "a safetensors file", looks: safetensors, hints: []string{"in Python: np.savez(OUT, **safetensors.numpy.load_file(FILE))"}},
		torchFile("\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", nil), // before version 1.6: a pickle
		torchFile("PK\x03\x04", func(s string) bool { return isTorch(firstEntry(s)) }),
		{is: "a Python pickle", looks: pickled, hints: []string{untrusted, "if you trust it, in Python: np.save(OUT, pickle.load(open(FILE, 'rb')))"}},
		{is: "a PNG image", magic: []string{"\x89PNG\r\n\x1a\n"}, hints: []string{picture}},
		{is: "a JPEG image", magic: []string{"\xff\xd8\xff"}, hints: []string{picture}},
		{is: "a TIFF image", magic: []string{"II*\x00", "MM\x00*", "II+\x00", "MM\x00+"}, hints: []string{picture}},
		{is: "a GIF image", magic: []string{"GIF87a", "GIF89a"}, hints: []string{picture}},
		{is: "a WebP image", at: 8, magic: []string{"WEBP"}, looks: func(s string) bool { return strings.HasPrefix(s, "RIFF") }, hints: []string{picture}},
		{is: "a BMP image", magic: []string{"BM"}, looks: func(s string) bool { return len(s) > 9 && s[6:10] == "\x00\x00\x00\x00" }, hints: []string{picture}},
		{is: "a PDF document", magic: []string{"%PDF-"}},
		{is: "a program", magic: []string{"\x7fELF"}},
		{is: "an HTML page", looks: markup("<!doctype html", "<html", "<head", "<body"), hints: []string{page}},
		{is: "an XML document", looks: markup("<?xml"), hints: []string{page}},
		{is: "JSON text", looks: isJSON, hints: []string{page, "numbers in it, in Python: np.save(OUT, np.array(json.load(open(FILE))))"}},
		{is: "text of numbers", looks: numbers(","), hints: []string{"in Python: np.save(OUT, np.loadtxt(FILE, delimiter=','))", skip}},
		{is: "text of numbers", looks: numbers(";"), hints: []string{"in Python: np.save(OUT, np.loadtxt(FILE, delimiter=';'))", skip}},
		{is: "text of numbers", looks: numbers(""), hints: []string{"in Python: np.save(OUT, np.loadtxt(FILE))", skip}},
		{is: "a run of zeros", looks: func(s string) bool { return strings.Trim(s, "\x00") == "" }, hints: []string{
			"a download or copy that was not finished leaves such a file: get it again", "raw numbers without a header, in Python: np.save(OUT, np.fromfile(FILE, dtype=DTYPE))"}},
	}
}

// torchFile is a file of torch.save, in the form that has that magic.
func torchFile(magic string, looks func(string) bool) kind {
	return kind{is: "a PyTorch file", magic: []string{magic}, looks: looks, hints: []string{
		"a state dict, in Python: np.savez(OUT, **{k: v.numpy() for k, v in torch.load(FILE, 'cpu', weights_only=True).items()})",
		"a tensor, in Python: np.save(OUT, torch.load(FILE, 'cpu', weights_only=True).numpy())"}}
}

// foreign says what a file is that starts so and isn't what is wanted: an array
// or an archive.
func foreign(start []byte, wanted string) *ReadError {
	s := string(start)
	switch {
	case s == "":
		return malformed("is empty: want %s", wanted)
	case strings.HasPrefix(s, magic):
		return malformed("is a .npy array, not %s", wanted).hint("under a name without .npz it is read as an array; np.savez makes an archive of arrays")
	}
	for _, k := range kinds() {
		if k.fits(s) {
			return k.error(wanted)
		}
	}
	if isZipMagic(s) {
		return notRegular("is a zip archive, which can be read only from a file")
	}
	return malformed("is not %s: it starts with %s", wanted, quoted(s))
}

func (k kind) fits(s string) bool {
	has := func(magic string) bool { return len(s) > k.at && strings.HasPrefix(s[k.at:], magic) }
	return (k.magic == nil || slices.ContainsFunc(k.magic, has)) && (k.looks == nil || k.looks(s))
}

func (k kind) error(wanted string) *ReadError {
	e := malformed("is %s, not %s", k.is, wanted).hint(k.hints...)
	switch {
	case k.unpack == "":
	case wanted == anArchive: // which isn't read from a pipe
		e.hint("unpack it: " + k.unpack + " FILE > OUT.npz")
	default:
		e.hint("unpack it into a pipe: " + k.unpack + " FILE | fusectl COMMAND -")
	}
	return e
}

// foreignZip says what else than a .npz archive has entries of these names; nil:
// nothing that is known. An entry that ends in .npy makes it one.
func foreignZip(entries []string) *ReadError {
	has := func(f func(string) bool) bool { return slices.ContainsFunc(entries, f) }
	var k kind
	switch {
	case has(func(e string) bool { return strings.HasSuffix(e, ".npy") }):
		return nil
	case has(isTorch) && has(func(e string) bool { return strings.HasSuffix(e, "/constants.pkl") }):
		k = kind{is: "a TorchScript module", hints: []string{
			"in Python: np.savez(OUT, **{k: v.numpy() for k, v in torch.jit.load(FILE, 'cpu').state_dict().items()})"}}
	case has(isTorch):
		k = torchFile("", nil)
	case has(func(e string) bool { return e == "model.weights.h5" }):
		k = kind{is: "a Keras model", hints: []string{
			"in Python: np.savez(OUT, **{w.path: w.numpy() for w in keras.saving.load_model(FILE).weights})"}}
	default:
		return nil
	}
	return k.error(anArchive)
}

// isTorch reports whether a zip archive with an entry of that name is one that
// torch.save or torch.jit.save writes.
func isTorch(entry string) bool {
	return strings.HasSuffix(entry, "/data.pkl") && strings.Count(entry, "/") == 1
}

// firstEntry is the name of the first entry of a zip archive, or what of it is
// there.
func firstEntry(s string) string {
	if len(s) < localHeaderLen {
		return ""
	}
	name := s[localHeaderLen:]
	return name[:min(len(name), int(binary.LittleEndian.Uint16([]byte(s[26:]))))]
}

func isZipMagic(s string) bool {
	return strings.HasPrefix(s, "PK\x03\x04") || strings.HasPrefix(s, "PK\x05\x06")
}

// mangled reports whether s starts as an array does of which something has read
// and written the bytes as text: with a byte order mark, as UTF-8 or UTF-16, or
// without what has no place in ASCII.
func mangled(s string) bool {
	s = s[:min(len(s), 24)]
	if rest, ok := strings.CutPrefix(s, "\xff\xfe"); ok {
		s = strings.ReplaceAll(rest, "\x00", "")
	} else if rest, ok := strings.CutPrefix(s, "\xfe\xff"); ok {
		s = strings.ReplaceAll(rest, "\x00", "")
	}
	before, after, ok := strings.Cut(s, "NUMPY")
	return ok && len(before) <= len("\xef\xbb\xbf\xef\xbf\xbd") && // a mark, and what stands for the first byte
		after != "" && after[0] >= 1 && after[0] <= 3 // the version
}

// bzip2Block reports whether s is a stream of bzip2: a level, and a block or the
// end.
func bzip2Block(s string) bool {
	return len(s) >= 10 && s[3] >= '1' && s[3] <= '9' && (s[4:10] == "1AY&SY" || s[4:10] == "\x17\x72\x45\x38\x50\x90")
}

// safetensors reports whether s is the length of a header, of at most the 100 MB
// that the format allows, and the beginning of one.
func safetensors(s string) bool {
	return len(s) >= 10 && binary.LittleEndian.Uint64([]byte(s)) <= 100e6 && (s[8:10] == `{"` || s[8:10] == "{}")
}

// pickled reports whether s is a pickle. From protocol 2 on it says so, and goes on
// with a frame or an opcode that can come first; one of 0 or 1 starts with a
// container or a string, which is memorised, a number, or something global.
func pickled(s string) bool {
	if len(s) > 2 && s[0] == '\x80' && s[1] >= 2 && s[1] <= 5 {
		return s[1] >= 4 && s[2] == '\x95' || strings.IndexByte("}])(cXUTVSKJMGIFLNCB\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f\x96", s[2]) >= 0
	}
	return regexp.MustCompile(`^([}\]]q\x00|\([dlt](p\d|q\x00|\.)|\([IFL]-?\d[\dLe.+-]*\n|[IFL]-?\d[\dLe.+-]*\n\.|[VS][^\n]*\np\d+\n|` +
		`\(?[ci][A-Za-z_][\w.]*\n[A-Za-z_]\w*\n(p\d+\n|q\x00|\(|\)))`).MatchString(s)
}

// plainText is s as the text after a byte order mark and white space.
func plainText(s string) string {
	return strings.TrimLeft(strings.TrimPrefix(s, "\xef\xbb\xbf"), " \t\r\n")
}

// markup tells text that starts with one of some tags, in any case.
func markup(tags ...string) func(string) bool {
	return func(s string) bool {
		s = strings.ToLower(plainText(s))
		return slices.ContainsFunc(tags, func(tag string) bool { return strings.HasPrefix(s, tag) })
	}
}

// isJSON reports whether s is an object or an array of JSON, or the beginning of
// one.
func isJSON(s string) bool {
	s = plainText(s)
	if s == "" || s[0] != '{' && s[0] != '[' {
		return false
	}
	d := json.NewDecoder(strings.NewReader(s))
	for {
		if _, err := d.Token(); err != nil {
			return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		}
	}
}

// numbers tells text of which each line, up to the last, which may be cut off, and
// but for the first, which may hold names, is numbers with a separator between
// them; "" is white space.
func numbers(separator string) func(string) bool {
	cut := strings.Fields
	if separator != "" {
		cut = func(line string) []string { return strings.Split(line, separator) }
	}
	numeric := func(line string, cutOff bool) bool {
		fields := cut(line)
		if cutOff && len(fields) > 1 {
			fields = fields[:len(fields)-1]
		}
		return (separator == "" || strings.Contains(line, separator)) && !slices.ContainsFunc(fields, func(f string) bool {
			_, err := strconv.ParseFloat(strings.TrimSpace(f), 64)
			return err != nil && !errors.Is(err, strconv.ErrRange)
		})
	}
	return func(s string) bool {
		var lines []string
		for line := range strings.Lines(plainText(s)) {
			if t := strings.TrimSpace(line); t != "" && t[0] != '#' {
				lines = append(lines, line)
			}
		}
		found := false
		for i, line := range lines {
			cutOff := !strings.HasSuffix(line, "\n")
			switch ok := numeric(line, cutOff); {
			case ok:
				found = true
			case i > 0 && !(cutOff && found):
				return false
			}
		}
		return found
	}
}

// ofMember makes the hints of an error fit a member of an archive: what is said of
// a FILE is said of the archive, or of the member once it is taken out of it.
func ofMember(err error) error {
	e := (*ReadError)(nil)
	if !errors.As(err, &e) {
		return err
	}
	var hints []string
	out := false
	for _, h := range e.Hints {
		if before, rest, ok := strings.Cut(h, loads); ok {
			options, rest, _ := strings.Cut(rest, ")")
			h = before + "np.load(ARCHIVE" + options + ")[NAME]" + rest
		}
		hints, out = append(hints, h), out || strings.Contains(h, "FILE")
	}
	if out {
		hints = slices.Insert(hints, 0, "take the member out of the archive: unzip -p ARCHIVE NAME > FILE")
	}
	e.Hints = hints
	return e
}
