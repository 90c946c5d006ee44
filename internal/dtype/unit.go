package dtype

import (
	"math/bits"
	"slices"
	"strconv"
)

// Unit is the time that a date or a duration counts by: Count times a base unit,
// such as 25 seconds. The zero Unit is NumPy's generic one, which takes any other's place.
type Unit struct {
	Count int64
	Base  string // Y, M, W, D, h, m, s, ms, us, ns, ps, fs or as
}

// units are the base units, each with how often the next goes into it. Months and
// days don't fit: only a calendar says.
var units = []struct {
	name string
	next uint64
}{
	{"Y", 12}, {"M", 0}, {"W", 7}, {"D", 24}, {"h", 60}, {"m", 60}, {"s", 1000}, {"ms", 1000}, {"us", 1000}, {"ns", 1000}, {"ps", 1000}, {"fs", 1000}, {"as", 0},
}

// month is the index of the last unit that only a calendar brings to days.
const month = 1

// UnitOf is count times a base unit, if there is one of that name.
func UnitOf(count int64, base string) (Unit, bool) {
	return Unit{count, base}, Unit{1, base}.index() >= 0
}

func (u Unit) index() int {
	return slices.IndexFunc(units, func(b struct {
		name string
		next uint64
	}) bool {
		return b.name == u.Base
	})
}

// String is the unit as NumPy writes it: [s], [25s], and nothing for the generic one.
func (u Unit) String() string {
	switch {
	case u == Unit{}:
		return ""
	case u.Count == 1:
		return "[" + u.Base + "]"
	}
	return "[" + strconv.FormatInt(u.Count, 10) + u.Base + "]"
}

// times gives the number of base units to in one of from, if that is less than
// NumPy's limit of 2^56.
func times(from, to int) (n uint64, ok bool) {
	n = 1
	for _, u := range units[from:to] {
		hi, lo := bits.Mul64(n, u.next)
		if hi != 0 || lo == 0 || lo >= 1<<56 {
			return 0, false
		}
		n = lo
	}
	return n, true
}

// common is the coarsest unit of which both are multiples, as NumPy has it. With a
// calendar, a year or a month beside a finer unit counts as a week.
func (u Unit) common(v Unit, calendar bool) (Unit, bool) {
	switch {
	case u == Unit{} || u == v:
		return v, true
	case v == Unit{}:
		return u, true
	case u.Count == 0 || v.Count == 0:
		return Unit{}, false
	}
	if u.index() > v.index() {
		u, v = v, u
	}
	from := u.index()
	if from <= month && v.index() > month {
		if !calendar {
			return Unit{}, false
		}
		from = month + 1
	}
	n, ok := times(from, v.index())
	hi, a := bits.Mul64(n, uint64(u.Count))
	if !ok || hi != 0 {
		return Unit{}, false
	}
	b := uint64(v.Count)
	for a != 0 {
		a, b = b%a, a
	}
	return Unit{int64(b), v.Base}, true
}

// Converted is n counts of u in another unit that u promotes to, of dates since 1970 if
// calendar: rounded down where a month begins within a count. It reports false where
// the number doesn't fit.
func (u Unit) Converted(n int64, to Unit, calendar bool) (int64, bool) {
	if u == to || u == (Unit{}) {
		return n, true
	}
	from, at := u.index(), to.index()
	if from <= month && at > month && calendar {
		n, ok := product(n, u.Count)
		if ok && from < month {
			n, ok = product(n, 12)
		}
		if !ok || n/12 > 1e16 || n/12 < -1e16 {
			return 0, false
		}
		days := daysFrom(n)
		day := month + 2
		if at < day { // weeks
			return floor(days, 7*to.Count), true
		}
		times, fits := times(day, at)
		n, ok = product(days, int64(times))
		return floor(n, to.Count), ok && fits
	}
	times, ok := times(from, at)
	hi, lo := bits.Mul64(times, uint64(u.Count))
	if lo /= uint64(to.Count); !ok || hi != 0 || lo > 1<<63-1 {
		return 0, false
	}
	return product(n, int64(lo))
}

// daysFrom is the days from 1970-01-01 to the first of a month, which counts from
// January 1970, in the Gregorian calendar.
func daysFrom(months int64) int64 {
	months += 1970*12 - 2 // from March of year 0: a leap day ends a year
	year := floor(months, 12)
	m := months - 12*year
	era := floor(year, 400)
	y := year - 400*era
	return 146097*era + 365*y + y/4 - y/100 + (153*m+2)/5 - 719468
}

func floor(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// product is a·b, of which neither may be NaT.
func product(a, b int64) (int64, bool) {
	if a == 0 || b == 0 {
		return 0, true
	}
	p := a * b
	return p, p/b == a && p != -1<<63 && a != -1<<63
}
