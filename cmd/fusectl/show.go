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
dimensions the images that --index names, of 3 the one image that it is. Arrays
of 1 and 2 dimensions, and with --heatmap the last two axes of any, are drawn
as heat maps with the indices along their sides: attention's weights, say.

NaN is marked in a colour that no colour map has; infinities have the colours
of the ends. --low and --high set what the ends stand for; without them they
are the least and the greatest number that is drawn. An output that ends in
.jpg or .jpeg is a JPEG, any other a PNG.`,
		Example: `  fusectl show map.npy -o map.png
  # where each position of a sequence looks
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
	f.StringVar(&s.channels, "channels", "", "the channels that are drawn, such as 0-15,`N`; default the first 64")
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
	maps, err := st.maps(ctx, s, x)
	if err != nil {
		return err
	}
	if s.picture.Title == "" {
		s.picture.Title = fmt.Sprintf("%s: %v %v", name, x.DType(), x.Shape())
	}
	s.picture.Ticks = s.heatmap || len(x.Shape()) <= 2
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

// shownMost is the number of channels that are drawn unless --channels says more.
const shownMost = 64

// maps reads the maps of x that the flags select.
func (st *step) maps(ctx context.Context, s showFlags, x graph.Array) ([]picture.Map, error) {
	planes, err := st.planes(s, x)
	if err != nil {
		return nil, err
	}
	p := planes.Shape()
	images, err := selection("index", s.index, p[0], p[0])
	if err != nil {
		return nil, err
	}
	channels, err := selection("channels", s.channels, p[1], shownMost)
	if err != nil {
		return nil, err
	}
	rows, err := ops.Reshape(planes, shape.Shape{p[0] * p[1], p[2], p[3]})
	if err != nil {
		return nil, err
	}
	var maps []picture.Map
	for _, i := range images {
		for _, c := range channels {
			one, err := ops.Rows(rows, i*p[1]+c, 1)
			if err != nil {
				return nil, err
			}
			v, err := measure.Values(ctx, one, st.options(false))
			if err != nil {
				return nil, err
			}
			m := picture.Map{Rows: p[2], Cols: p[3], Values: v}
			switch {
			case len(images) > 1 && p[1] > 1:
				m.Label = fmt.Sprintf("%d, %d", i, c)
			case len(images) > 1:
				m.Label = strconv.Itoa(i)
			case p[1] > 1:
				m.Label = strconv.Itoa(c)
			}
			maps = append(maps, m)
		}
	}
	return maps, nil
}

// planes is x as [images, channels, rows, columns].
func (st *step) planes(s showFlags, x graph.Array) (graph.Array, error) {
	d := x.Shape()
	n := len(d)
	if d.Len() == 0 {
		return nil, &graph.Error{Name: graph.NameOf(x), Msg: fmt.Sprintf("shape %v has no element to draw", d)}
	}
	switch {
	case n == 0:
		return ops.Reshape(x, shape.Shape{1, 1, 1, 1})
	case n == 1:
		return ops.Reshape(x, shape.Shape{1, 1, 1, d[0]})
	case s.heatmap || n == 2:
		lead := int(d.Product(0, n-2))
		if n == 4 && s.heatmap {
			return x, nil // images and heads
		}
		return ops.Reshape(x, shape.Shape{1, lead, d[n-2], d[n-1]})
	case n > 4:
		return nil, &graph.Error{Name: graph.NameOf(x), Msg: fmt.Sprintf("shape %v: show draws maps of up to 4 dimensions", d), Hints: []string{"--heatmap draws the last two axes of any array"}}
	}
	form, err := ops.MapForm("show", x, shape.Layout(st.layout), 2)
	if err != nil {
		return nil, err
	}
	if n == 3 {
		x, _ = ops.Reshape(x, append(shape.Shape{1}, d...)) // as many elements
	}
	if form.ChannelsFirst() {
		return x, nil
	}
	return ops.Transpose(x, []int{0, 3, 1, 2})
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
