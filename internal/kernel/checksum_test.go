package kernel

import (
	"hash/crc32"
	"testing"
)

func TestChecksum(t *testing.T) {
	eachTable(t, testChecksum)
}

// testChecksum sums all lengths up to some steps of the widest loop, each in two
// parts, aligned to nothing.
func testChecksum(t *testing.T, table *Table) {
	const most = 4*mostFolded + 70
	p := randomBytes(most + 1)[1:]
	for n := range most {
		part := n * 2 / 3
		sum := table.checksum(table.checksum(0, p[:part]), p[part:n])
		if want := crc32.ChecksumIEEE(p[:n]); sum != want {
			t.Fatalf("%d bytes: %08x, want %08x", n, sum, want)
		}
	}
	long := randomBytes(1 << 20)
	if got, want := table.checksum(0, long), crc32.ChecksumIEEE(long); got != want {
		t.Errorf("1 MiB: %08x, want %08x", got, want)
	}
}

func BenchmarkChecksum(b *testing.B) {
	p := randomBytes(256 << 10)
	for _, level := range Levels() {
		b.Run(level, func(b *testing.B) {
			table := newTable(level)
			b.SetBytes(int64(len(p)))
			for b.Loop() {
				table.checksum(0, p)
			}
		})
	}
}
