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
	var recompute bool
	cmd := &cobra.Command{
		Use:   "resize X --size H,W | --scale F",
		Short: "scale a feature map up or down",
		Long: `Scales the two spatial axes of a feature map. bilinear and bicubic have
half-pixel centres without antialiasing (tf.image.resize; PyTorch's
interpolate; --align-corners is its align_corners=True), nearest takes position
floor(i·step), nearest-exact the nearest centre.

The step from a position of the result to the next is 1/F under --scale, as
PyTorch's scale_factor and ONNX's Resize have it, also where F times an extent
isn't whole; --recompute-scale (PyTorch's recompute_scale_factor) makes it the
quotient of the extents, as it is under --size.

bicubic is PyTorch's: coefficient -0.75, and what lies outside is the nearest
position inside. TensorFlow's and JAX's is --cubic-coeff -0.5
--exclude-outside: what lies outside is dropped and the rest brought to 1.`,
		Example: `  fusectl resize map.npy --scale 2 -o doubled.npy
  fusectl resize map.npy --size 5,7 --mode nearest -o odd.npy`,
		Args: inputs(1, 1),
		RunE: fuses(st, func(xs []graph.Array) (graph.Array, error) {
			if err := oneOf("mode", o.Mode, ops.ResizeModes); err != nil {
				return nil, err
			}
			size, err := perAxis("size", extents, 1)
			if err != nil {
				return nil, err
			}
			scale, err := scalePair(scales)
			if err != nil {
				return nil, err
			}
			o.Layout = shape.Layout(st.layout)
			switch s := xs[0].Shape(); {
			case (extents == nil) == (scales == nil):
				return nil, usagef("needs one of --size and --scale")
			case recompute && scales == nil:
				return nil, usagef("--recompute-scale goes with --scale")
			case !(o.CubicCoeff < 0) || math.IsInf(o.CubicCoeff, 0):
				return nil, usagef("--cubic-coeff %g: want a number below 0", o.CubicCoeff)
			case scales != nil:
				size = nil
				told := len(scale)
				if told == 1 {
					told = 0
				}
				form, err := ops.MapForm("resizing", xs[0], o.Layout, told)
				if err != nil {
					return nil, err
				}
				for i, a := range form.Spatial() {
					size = append(size, int(min(float64(s[a])*scale[min(i, len(scale)-1)], math.MaxInt32)))
				}
				if !recompute {
					o.Scale = scale
				}
			}
			if err := st.twoSpatial("resizing takes a feature map", xs[0]); err != nil {
				return nil, err
			}
			return ops.Resize(xs[0], size, o)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&o.Mode, "mode", "bilinear", "`MODE`: "+strings.Join(ops.ResizeModes, ", "))
	f.Var(&extents, "size", "the result's height and width, H,W")
	f.Var(&scales, "scale", "times the extents, rounded down: F, or F,G for height and width")
	f.BoolVar(&recompute, "recompute-scale", false, "step by the quotient of the extents, not by 1/F")
	f.BoolVar(&o.AlignCorners, "align-corners", false, "the corners' centres coincide (bilinear, bicubic)")
	f.Float64Var(&o.CubicCoeff, "cubic-coeff", ops.DefaultCubicCoeff, "coefficient `A` of the bicubic kernel: PyTorch's; TensorFlow and JAX have -0.5")
	f.BoolVar(&o.ExcludeOutside, "exclude-outside", false, "bicubic: drop what lies outside the map (TensorFlow, JAX)")
	complete(cmd, "mode", ops.ResizeModes)
	return cmd
}

// scalePair reads --scale, one number for both axes or one each.
func scalePair(words list) ([]float64, error) {
	p := make([]float64, len(words))
	for i, word := range words {
		var err error
		p[i], err = strconv.ParseFloat(word, 64)
		if err != nil || len(words) > 2 || !(p[i] > 0) || math.IsInf(p[i], 0) {
			return nil, usagef("--scale %s: want a number above 0, or two, of height and width", words.String())
		}
	}
	return p, nil
}
