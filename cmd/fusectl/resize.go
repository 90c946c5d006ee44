package main

import (
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"fusectl/internal/ops"
	"fusectl/internal/shape"
)

func newResizeCommand(e *env) *cobra.Command {
	var mode string
	var extents list
	var scale, coeff float64
	var corners bool
	cmd := &cobra.Command{
		Use:   "resize X --size H,W | --scale F",
		Short: "scale a feature map up or down",
		Long: `Scales the two spatial axes of a feature map. bilinear and bicubic have
half-pixel centres without antialiasing (tf.image.resize; PyTorch's
interpolate; --align-corners is its align_corners=True), nearest takes position floor(i·in/out), nearest-exact the nearest centre.`,
		Example: `  fusectl resize map.npy --scale 2 -o doubled.npy
  fusectl resize map.npy --size 5,7 --mode nearest -o odd.npy`,
		Args: inputs(1, 1),
		RunE: fuses(e, func(xs []ops.Array) (ops.Array, error) {
			if err := ops.CheckResizeMode(mode); err != nil {
				return nil, usagef("--mode: %v", err)
			}
			size, err := pair("size", extents, 1)
			if err != nil {
				return nil, err
			}
			l := shape.Layout(e.layout)
			switch s := xs[0].Shape(); {
			case (extents == nil) == (scale == 0):
				return nil, usagef("needs one of --size and --scale")
			case !(coeff < 0) || math.IsInf(coeff, 0):
				return nil, usagef("--cubic-coeff %g: want a number below 0", coeff)
			case scale < 0 || math.IsNaN(scale) || math.IsInf(scale, 0):
				return nil, usagef("--scale %s: want a number above 0", strconv.FormatFloat(scale, 'g', -1, 64))
			case extents == nil && len(s) == 4: // other ranks are the operation's to refuse
				for i, a := range l.Spatial(4) {
					size[i] = int(float64(s[a]) * scale)
				}
			}
			return ops.Resize(xs[0], size[0], size[1], ops.ResizeOptions{Mode: mode, AlignCorners: corners, CubicCoeff: coeff, Layout: l})
		}),
	}
	f := cmd.Flags()
	f.StringVar(&mode, "mode", "bilinear", "`MODE`: "+strings.Join(ops.ResizeModes, ", "))
	f.Var(&extents, "size", "the result's height and width, H,W")
	f.Float64Var(&scale, "scale", 0, "times the extents, `F`, rounded down")
	f.BoolVar(&corners, "align-corners", false, "the corners' centres coincide (bilinear, bicubic)")
	f.Float64Var(&coeff, "cubic-coeff", ops.DefaultCubicCoeff, "coefficient `A` of the bicubic kernel; TensorFlow has -0.5")
	complete(cmd, "mode", ops.ResizeModes)
	return cmd
}
