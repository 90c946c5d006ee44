package main

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"math"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"fusectl/internal/graph"
	"fusectl/internal/measure"
	"fusectl/internal/npyio"
	"fusectl/internal/ops"
	"fusectl/internal/picture"
	"fusectl/internal/shape"
)

// showFlags is the flags of show.
type showFlags struct {
	index, channels string
	heatmap         bool
	picture         picture.Options
}

func newShowCommand(st *step) *cobra.Command {
	s := showFlags{picture: picture.Options{Low: math.NaN(), High: math.NaN()}}
	var low, high string
	cmd := &cobra.Command{
		Use:   "show X -o PICTURE.png",
		Short: "draw feature maps, or attention's weights, as a PNG or JPEG",
		Long: `Draws the channels of a feature map as maps in a grid, with a legend: of 4
dimensions the images that --index names, of 3 the one image that it is, of 5
the slices of volumes. A sequence, which --layout ntc or its like says it is, is
one map a batch element, of channels by time. Arrays of 1 and 2 dimensions, and with
--heatmap the last two axes of any, are drawn as heat maps with the indices
along their sides: attention's weights, say.

NaN is marked in a colour that no colour map has; infinities have the colours
of the ends. --low and --high set what the ends stand for; without them they
are the least and the greatest number that is drawn. An output that ends in
.jpg or .jpeg is a JPEG, any other a PNG.`,
		Example: `  fusectl show map.npy -o map.png
  # a sequence [N,T,C]
  fusectl show x.npy --layout ntc -o features.png
  # where each position of it looks
  fusectl attention x.npy --save-scores scores.npy -o y.npy
  fusectl show scores.npy --heatmap -o scores.png`,
		Args: inputs(1, 1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if err := st.mustBeLast(); err != nil {
				return err
			}
			for _, f := range []struct {
				name, text string
				to         *float64
			}{{"low", low, &s.picture.Low}, {"high", high, &s.picture.High}} {
				if f.text == "" {
					continue
				}
				if *f.to, err = strconv.ParseFloat(f.text, 64); err != nil || math.IsNaN(*f.to) {
					return usagef("--%s %s: want a number", f.name, f.text)
				}
			}
			if err := oneOf("color-map", s.picture.ColorMap, picture.ColorMaps()); err != nil {
				return err
			}
			x, err := st.open(args[0])
			if err != nil {
				return err
			}
			return st.show(cmd.Context(), s, args[0], x)
		},
	}
	f := cmd.Flags()
	f.StringVar(&s.index, "index", "0", "the images that are drawn, such as 0 or 0-7,`N`")
	f.StringVar(&s.channels, "channels", "", "the channels that are drawn, such as 0-15,`N`; default those of the first 64 maps")
	f.BoolVar(&s.heatmap, "heatmap", false, "draw the last two axes, a picture for each index of the others")
	f.StringVar(&s.picture.Title, "title", "", "a `TEXT` above the picture; default its name, dtype and shape")
	f.StringVar(&s.picture.ColorMap, "color-map", picture.ColorMaps()[0], "`NAME`: "+strings.Join(picture.ColorMaps(), ", "))
	f.StringVar(&low, "low", "", "the `NUMBER` that the first colour stands for")
	f.StringVar(&high, "high", "", "the `NUMBER` that the last colour stands for")
	f.BoolVar(&s.picture.Each, "each", false, "each map has a range of its own")
	f.IntVar(&s.picture.Columns, "columns", 0, "`N` maps side by side")
	f.IntVar(&s.picture.Cell, "cell", 0, "pixels of a map's longer side, at most `N`")
	complete(cmd, "color-map", picture.ColorMaps())
	return cmd
}

// show draws x, which name names, to the output.
func (st *step) show(ctx context.Context, s showFlags, name string, x graph.Array) error {
	if term.IsTerminal(int(st.stdout.Fd())) && st.output == "-" {
		u := usagef("standard output is a terminal, which can't show a picture")
		u.hints = []string{"write it to a file with -o PICTURE.png"}
		return u
	}
	encode, err := encoder(st.output)
	if err != nil {
		return err
	}
	planes, sequence, err := st.planes(s, x)
	if err != nil {
		return err
	}
	if sequence && s.channels != "" {
		return usagef("--channels chooses maps: the picture of a sequence has all of them as its rows")
	}
	maps, err := st.maps(ctx, s, planes)
	if err != nil {
		return err
	}
	if s.picture.Title == "" {
		s.picture.Title = fmt.Sprintf("%s: %v %v", name, x.DType(), x.Shape())
	}
	s.picture.Ticks = s.heatmap || sequence || len(x.Shape()) <= 2
	img, err := picture.Draw(maps, s.picture)
	if err != nil {
		return usagef("%v", err)
	}
	var b bytes.Buffer
	if err := encode(&b, img); err != nil {
		return err
	}
	if st.output == "-" {
		_, err := st.out.Write(b.Bytes())
		return err
	}
	set := st.newOutputs(st.writing)
	defer set.Abort()
	f, err := set.File(st.output)
	if err != nil {
		return err
	}
	if _, err := f.Write(b.Bytes()); err != nil {
		return &npyio.WriteError{Name: st.output, Msg: npyio.Bare(err), Err: err}
	}
	return set.Commit()
}

// encoder writes a picture in the format that an output's name asks for.
func encoder(output string) (func(io.Writer, image.Image) error, error) {
	switch ext := strings.ToLower(filepath.Ext(output)); ext {
	case ".jpg", ".jpeg":
		return func(w io.Writer, m image.Image) error { return jpeg.Encode(w, m, &jpeg.Options{Quality: 95}) }, nil
	case ".gif", ".webp", ".bmp", ".tif", ".tiff", ".svg", ".pdf":
		return nil, usagef("-o %s: a picture is a PNG or a JPEG: want a name that ends in .png, .jpg or .jpeg", npyio.Printable(output))
	}
	return png.Encode, nil
}

// shownMost is the number of maps of an image that are drawn unless --channels says
// more.
const shownMost = 64

// maps reads the maps of [images, channels, slices, rows, columns] that the flags
// select.
func (st *step) maps(ctx context.Context, s showFlags, planes graph.Array) ([]picture.Map, error) {
	p := planes.Shape()
	images, err := selection("index", s.index, p[0], p[0])
	if err != nil {
		return nil, err
	}
	channels, err := selection("channels", s.channels, p[1], max(shownMost/p[2], 1))
	if err != nil {
		return nil, err
	}
	rows, err := ops.Reshape(planes, shape.Shape{p[0] * p[1] * p[2], p[3], p[4]})
	if err != nil {
		return nil, err
	}
	var maps []picture.Map
	for _, i := range images {
		for _, c := range channels {
			for z := range p[2] {
				one, err := ops.Rows(rows, (i*p[1]+c)*p[2]+z, 1)
				if err != nil {
					return nil, err
				}
				v, err := measure.Values(ctx, one, st.options(false))
				if err != nil {
					return nil, err
				}
				var label []string
				for _, number := range []struct{ of, i int }{{len(images), i}, {p[1], c}, {p[2], z}} {
					if number.of > 1 {
						label = append(label, strconv.Itoa(number.i))
					}
				}
				maps = append(maps, picture.Map{Label: strings.Join(label, ", "), Rows: p[3], Cols: p[4], Values: v})
			}
		}
	}
	return maps, nil
}

// planes is x as [images, channels, slices, rows, columns]. Those of a sequence are
// its channels by its positions.
func (st *step) planes(s showFlags, x graph.Array) (planes graph.Array, sequence bool, err error) {
	d, l := x.Shape(), shape.Layout(st.layout)
	n := len(d)
	if d.Len() == 0 {
		return nil, false, &graph.Error{Name: graph.NameOf(x), Msg: fmt.Sprintf("shape %v has no element to draw", d)}
	}
	to := shape.Shape{1, 1, 1, 1, 1}
	told := 0
	switch {
	case s.heatmap || n < 2 || n == 2 && len(l) != 2:
		copy(to[5-min(n, 2):], d[max(n-2, 0):])
		if to[1] = int(d.Product(0, max(n-2, 0))); n == 4 {
			to[0], to[1] = d[0], d[1] // images and heads
		}
		planes, err = ops.Reshape(x, to)
		return planes, false, err
	case n == 3 && len(l) != 3:
		told = 2
	case n > 5:
		return nil, false, &graph.Error{Name: graph.NameOf(x), Msg: fmt.Sprintf("shape %v: show draws maps of up to 3 spatial axes", d), Hints: []string{"--heatmap draws the last two axes of any array"}}
	}
	form, err := ops.MapForm("show", x, l, told)
	if err != nil {
		return nil, false, err
	}
	first := shape.NCHW.Reordered(form)
	perm, _ := form.Permutation(first) // of the same letters
	if x, err = ops.Transpose(x, perm); err != nil {
		return nil, false, err
	}
	d = x.Shape()
	if first.Batched() {
		to[0], d = d[0], d[1:]
	}
	sequence = len(d) == 2
	if !sequence {
		to[1], d = d[0], d[1:]
	}
	copy(to[5-len(d):], d)
	planes, err = ops.Reshape(x, to)
	return planes, sequence, err
}

// selection reads a list of numbers and ranges, 0-3,7, below n; "" is all of
// them up to most.
func selection(flag, text string, n, most int) ([]int, error) {
	var all []int
	if text == "" {
		for i := range min(n, most) {
			all = append(all, i)
		}
		return all, nil
	}
	for part := range strings.SplitSeq(text, ",") {
		from, to, isRange := strings.Cut(part, "-")
		if !isRange {
			to = from
		}
		a, err1 := strconv.Atoi(from)
		b, err2 := strconv.Atoi(to)
		if err1 != nil || err2 != nil || a < 0 || b < a || b >= n {
			return nil, usagef("--%s %s: want numbers or ranges from 0 to %d, such as 0-3,7", flag, text, n-1)
		}
		for i := a; i <= b; i++ {
			all = append(all, i)
		}
	}
	return all, nil
}
