package main

import (
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"fusectl/internal/graph"
	"fusectl/internal/ops"
	"fusectl/internal/shape"
)

func newResizeCommand(st *step) *cobra.Command {
	var extents, scales list
	var o ops.ResizeOptions
	var coeff string
	var corners bool
	cmd := &cobra.Command{
		Use:   "resize X --size H,W | --scale F",
		Short: "scale a feature map up or down",
		Long: `Scales the one, two or three spatial axes of a feature map: linear (bilinear of
two axes, trilinear of three), cubic (bicubic of two), nearest, nearest-exact,
which takes the nearest centre, and area, the average of the positions that
pool --output-size pools. Without flags they are PyTorch's interpolate;
tf.image.resize has the same bilinear, and nearest-exact for nearest.

The step from a position of the result to the next is 1/F under --scale, as
PyTorch's scale_factor and ONNX's Resize have it, also where F times an extent
isn't whole; --recompute-scale (PyTorch's recompute_scale_factor) makes it the
quotient of the extents, as it is under --size.

--antialias widens the kernels of linear and cubic by as much as the map
shrinks, as PyTorch's antialias=True and tf.image.resize's do; both have -0.5 for
cubic's coefficient then, and drop what lies outside.

Else cubic is PyTorch's: coefficient -0.75, and what lies outside is the nearest
position inside. TensorFlow's and JAX's is --cubic-coeff -0.5
--exclude-outside: what lies outside is dropped and the rest brought to 1.

--coordinates and --nearest have the names of ONNX's Resize. Its own default,
half-pixel and round-prefer-floor, isn't nearest's, asymmetric and floor.`,
		Example: `  fusectl resize map.npy --scale 2 -o doubled.npy
  fusectl resize map.npy --size 5,7 --mode nearest -o odd.npy
  # a thumbnail without moiré
  fusectl resize map.npy --scale 0.5,0.25 --antialias -o small.npy`,
		Args: inputs(1, 1),
		RunE: fuses(st, func(xs []graph.Array) (graph.Array, error) {
			if err := oneOf("mode", o.Mode, ops.ResizeModes); err != nil {
				return nil, err
			}
			for _, f := range []struct {
				flag, word string
				of         []string
			}{{"coordinates", o.Coordinates, ops.Coordinates}, {"nearest", o.Rounding, ops.Roundings}} {
				if f.word != "" {
					if err := oneOf(f.flag, f.word, f.of); err != nil {
						return nil, err
					}
				}
			}
			size, err := perAxis("size", extents, 1)
			if err != nil {
				return nil, err
			}
			if o.Scale, err = scaleFactors(scales); err != nil {
				return nil, err
			}
			if o.CubicCoeff, err = cubicCoeff(coeff); err != nil {
				return nil, err
			}
			switch {
			case (extents == nil) == (scales == nil):
				return nil, usagef("needs one of --size and --scale")
			case o.Recompute && scales == nil:
				return nil, usagef("--recompute-scale goes with --scale")
			case corners && o.Coordinates != "":
				return nil, usagef("--align-corners is --coordinates align-corners: give one of them")
			case corners:
				o.Coordinates = "align-corners"
			}
			o.Layout = shape.Layout(st.layout)
			st.takesMaps(o.Told(size), xs[0])
			return ops.Resize(xs[0], size, o)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&o.Mode, "mode", "linear", "`MODE`: "+strings.Join(ops.ResizeModes, ", "))
	f.Var(&extents, "size", "the result's extent along each spatial axis, such as H,W, or one for all")
	f.Var(&scales, "scale", "times the extents, rounded down: a number for each spatial axis, or one for all")
	f.BoolVar(&o.Recompute, "recompute-scale", false, "step by the quotient of the extents, not by 1/F")
	f.BoolVar(&o.Antialias, "antialias", false, "linear, cubic: a smaller result averages what it skips")
	f.BoolVar(&corners, "align-corners", false, "the corners' centres coincide: --coordinates align-corners")
	f.StringVar(&o.Coordinates, "coordinates", "", "where a position comes from, `HOW`: "+strings.Join(ops.Coordinates, ", ")+"; default half-pixel, of nearest asymmetric")
	f.StringVar(&o.Rounding, "nearest", "", "nearest: how coordinates are rounded, `HOW`: "+strings.Join(ops.Roundings, ", ")+"; default floor")
	f.StringVar(&coeff, "cubic-coeff", "", "coefficient `A` of the cubic kernel, below 0; default -0.75, with --antialias -0.5")
	f.BoolVar(&o.ExcludeOutside, "exclude-outside", false, "cubic: drop what lies outside the map (TensorFlow, JAX)")
	complete(cmd, "mode", ops.ResizeModes)
	complete(cmd, "coordinates", ops.Coordinates)
	complete(cmd, "nearest", ops.Roundings)
	return cmd
}

// scaleFactors reads --scale.
func scaleFactors(words list) ([]float64, error) {
	p := make([]float64, len(words))
	for i, word := range words {
		var err error
		p[i], err = strconv.ParseFloat(word, 64)
		if err != nil || !(p[i] > 0) || math.IsInf(p[i], 0) {
			return nil, usagef("--scale %s: want a number above 0 for each spatial axis, or one for all", words.String())
		}
	}
	return p, nil
}

// cubicCoeff reads --cubic-coeff; 0 is the default.
func cubicCoeff(word string) (float64, error) {
	if word == "" {
		return 0, nil
	}
	a, err := strconv.ParseFloat(word, 64)
	if err != nil || !(a < 0) || math.IsInf(a, 0) {
		return 0, usagef("--cubic-coeff %s: want a number below 0", word)
	}
	return a, nil
}
