package npyio

import (
	"archive/zip"
	"context"
	"hash/crc32"
	"io"
	"slices"
	"sync"

	"fusectl/internal/kernel"
)

// stored is the data of a stored member of an archive. Its bytes are summed as
// they are read, in whatever order and by however many workers: once all have
// been read, the CRC-32 is the archive's, or the read fails.
type stored struct {
	regular
	entry *zip.File
	whole io.ReaderAt // the member, its header included
	head  int64       // bytes of header
	size  int64       // bytes of elements
	rest  int64       // bytes after them

	mu   sync.Mutex
	runs []summed // of elements, in order, none beside the next
	done bool     // nothing more has to be summed
	err  error    // why the member is refused
}

// summed is a run of bytes and its CRC-32.
type summed struct {
	from, to int64
	sum      uint32
}

// mostRuns bounds the runs that are kept; a member read in more is summed as a
// whole, at once.
const mostRuns = 4096

func (s *stored) read(ctx context.Context, p []byte, off int64) error {
	if err := s.regular.read(ctx, p, off); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.done && len(p) > 0 {
		// The part of p that no run covers, from its first such byte on.
		i, covered := slices.BinarySearchFunc(s.runs, off, func(r summed, off int64) int {
			switch {
			case r.to <= off:
				return -1
			case r.from > off:
				return 1
			}
			return 0
		})
		if covered {
			skip := min(s.runs[i].to-off, int64(len(p)))
			p, off = p[skip:], off+skip
			continue
		}
		n := int64(len(p))
		if i < len(s.runs) {
			n = min(n, s.runs[i].from-off)
		}
		part := p[:n]
		p = p[n:]
		s.mu.Unlock()
		sum := kernel.Checksum(0, part)
		s.mu.Lock()
		s.add(summed{off, off + n, sum})
		off += n
	}
	return s.err
}

// add takes a run into account, unless another reader has meanwhile.
func (s *stored) add(r summed) {
	i, _ := slices.BinarySearchFunc(s.runs, r.from, func(o summed, from int64) int {
		if o.to <= from {
			return -1
		}
		return 1
	})
	if s.done || i < len(s.runs) && s.runs[i].from < r.to {
		return // it may be summed again by whoever reads it again
	}
	if i > 0 && s.runs[i-1].to == r.from {
		i--
		r = s.runs[i].then(r)
		s.runs = slices.Delete(s.runs, i, i+1)
	}
	if i < len(s.runs) && s.runs[i].from == r.to {
		r = r.then(s.runs[i])
		s.runs = slices.Delete(s.runs, i, i+1)
	}
	s.runs = slices.Insert(s.runs, i, r)
	switch {
	case r.to-r.from == s.size:
		s.finish(r.sum)
	case len(s.runs) > mostRuns:
		s.finish(s.sumOf(s.head, s.size))
	}
}

// finish compares the sum of header, elements and what follows with that of the
// archive.
func (s *stored) finish(elements uint32) {
	s.done, s.runs = true, nil
	sum := combine(s.sumOf(0, s.head), elements, s.size)
	sum = combine(sum, s.sumOf(s.head+s.size, s.rest), s.rest)
	if s.err == nil && sum != s.entry.CRC32 {
		s.err = inflateFailed(zip.ErrChecksum)
	}
}

// sumOf is the CRC-32 of n bytes of the member.
func (s *stored) sumOf(from, n int64) uint32 {
	h := crc32.NewIEEE()
	if m, err := io.Copy(h, io.NewSectionReader(s.whole, from, n)); s.err == nil && (err != nil || m < n) {
		s.err = err
		if err == nil {
			s.err = malformed("was cut short while it was read")
		}
	}
	return h.Sum32()
}

// then is r and the run after it as one.
func (r summed) then(next summed) summed {
	return summed{r.from, next.to, combine(r.sum, next.sum, next.to-next.from)}
}

// combine is the CRC-32 of two runs of bytes one after the other, from that of
// each and the length of the second: the first is multiplied by x^(8·n), modulo
// the polynomial of the CRC, as zlib's crc32_combine has it.
func combine(first, second uint32, n int64) uint32 {
	for i, power := range powers() {
		if n>>i&1 != 0 {
			first = multiply(first, power)
		}
	}
	return first ^ second
}

// powers are x^(8·2^i), with the lowest power in the highest bit.
var powers = sync.OnceValue(func() (powers [63]uint32) {
	powers[0] = 1 << (31 - 8)
	for i := range len(powers) - 1 {
		powers[i+1] = multiply(powers[i], powers[i])
	}
	return powers
})

// multiply is the product of two polynomials modulo that of the CRC.
func multiply(a, b uint32) (product uint32) {
	for ; a != 0; a <<= 1 {
		if a&(1<<31) != 0 {
			product ^= b
		}
		carry := b & 1
		b >>= 1
		if carry != 0 {
			b ^= crc32.IEEE
		}
	}
	return product
}
