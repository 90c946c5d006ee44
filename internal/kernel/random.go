package kernel

import (
	"math"

	"fusectl/internal/dtype"
)

// Element i of every random sequence is made from draw i of SplitMix64 alone,
// so that a sequence may be computed in any order and in pieces.

func (t *Table) fillRandom() {
	t.Uniform[dtype.KindFloat32] = uniform32
	t.Uniform[dtype.KindFloat64] = uniform64
	t.Normal[dtype.KindFloat32] = normal[float32]
	t.Normal[dtype.KindFloat64] = normal[float64]
}

// draw returns number i, counted from 0, of the SplitMix64 generator started
// with seed: Steele, Lea and Flood, "Fast splittable pseudorandom number
// generators", OOPSLA 2014, with David Stafford's mixing function 13.
func draw(seed uint64, i int64) uint64 {
	z := seed + (uint64(i)+1)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// uniform32 takes the upper 24 bits of a draw as a multiple of 2^-24.
func uniform32(dst []byte, seed uint64, off int64) {
	d := View[float32](dst)
	for i := range d {
		d[i] = float32(draw(seed, off+int64(i))>>40) * 0x1p-24
	}
}

// uniform64 takes the upper 53 bits of a draw as a multiple of 2^-53.
func uniform64(dst []byte, seed uint64, off int64) {
	d := View[float64](dst)
	for i := range d {
		d[i] = float64(draw(seed, off+int64(i))>>11) * 0x1p-53
	}
}

// normal takes the upper 52 bits of a draw as the number u = (bits+½)·2^-52,
// which is exact and neither 0 nor 1, and gives the normal quantile of u: a
// number between -8.3 and 8.3. float32 is that number rounded.
func normal[F Float](dst []byte, seed uint64, off int64) {
	d := View[F](dst)
	for i := range d {
		u := (float64(draw(seed, off+int64(i))>>12) + 0.5) * 0x1p-52
		d[i] = F(normalQuantile(u))
	}
}

// The coefficients of Wichura's routine PPND16, from the highest power down:
// near the middle, in the tail, and far in the tail.
var (
	middleNum = [...]float64{
		2.5090809287301226727e+3, 3.3430575583588128105e+4, 6.7265770927008700853e+4, 4.5921953931549871457e+4,
		1.3731693765509461125e+4, 1.9715909503065514427e+3, 1.3314166789178437745e+2, 3.3871328727963666080e+0,
	}
	middleDen = [...]float64{
		5.2264952788528545610e+3, 2.8729085735721942674e+4, 3.9307895800092710610e+4, 2.1213794301586595867e+4,
		5.3941960214247511077e+3, 6.8718700749205790830e+2, 4.2313330701600911252e+1, 1,
	}
	tailNum = [...]float64{
		7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1, 1.27045825245236838258e+0,
		3.64784832476320460504e+0, 5.76949722146069140550e+0, 4.63033784615654529590e+0, 1.42343711074968357734e+0,
	}
	tailDen = [...]float64{
		1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2, 1.48103976427480074590e-1,
		6.89767334985100004550e-1, 1.67638483018380384940e+0, 2.05319162663775882187e+0, 1,
	}
	farTailNum = [...]float64{
		2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3, 2.65321895265761230930e-2,
		2.96560571828504891230e-1, 1.78482653991729133580e+0, 5.46378491116411436990e+0, 6.65790464350110377720e+0,
	}
	farTailDen = [...]float64{
		2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5, 7.86869131145613259100e-4,
		1.48753612908506148525e-2, 1.36929880922735805310e-1, 5.99832206555887937690e-1, 1,
	}
)

// normalQuantile returns the x that a normal variable stays below with
// probability u, 0 < u < 1: M. J. Wichura, "Algorithm AS 241: The percentage
// points of the normal distribution", Applied Statistics 37 (1988).
func normalQuantile(u float64) float64 {
	q := u - 0.5
	if math.Abs(q) <= 0.425 {
		r := 0.180625 - float64(q*q)
		return float64(q*poly(r, middleNum[:])) / poly(r, middleDen[:])
	}
	r := math.Sqrt(-log(min(u, 1-u)))
	if r <= 5 {
		r = poly(r-1.6, tailNum[:]) / poly(r-1.6, tailDen[:])
	} else {
		r = poly(r-5, farTailNum[:]) / poly(r-5, farTailDen[:])
	}
	return math.Copysign(r, q)
}
