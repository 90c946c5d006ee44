package main

import (
	"context"
	"errors"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"fusectl/internal/graph"
	"fusectl/internal/npyio"
	"fusectl/internal/ops"
	"fusectl/internal/shape"
)

// convertFlags is the flags of convert.
type convertFlags struct {
	byteOrder, order choice
	to               layoutFlag
}

func newConvertCommand(st *step) *cobra.Command {
	c := convertFlags{
		byteOrder: choice{"little", []string{"little", "big"}},
		order:     choice{"C", []string{"C", "F"}},
	}
	cmd := &cobra.Command{
		Use:   "convert X...",
		Short: "change dtype, layout, byte order, memory order, .npy and .npz",
		Long: `Writes arrays in another form. --dtype converts as numpy.ndarray.astype does:
floats round to nearest, ties to even, once; a float becomes an integer by
truncation, and what NumPy leaves undefined is saturation: values beyond the
integer's range give its nearest end, NaN gives 0. Integers wrap. Floats beyond
float16's range become infinite. bfloat16, which NumPy has no name for, is
written as raw 2-byte void and read back by --as bfloat16.

--to-layout orders the axes of a map, which --layout names, in another way:
nhwc and nchw move the channels of any map. An output in .npz takes all inputs, named as their files; an
input in .npz gives all its arrays, to an output with {} in its name.`,
		Example: `  fusectl convert map.npy --dtype float16 -o half.npy
  # for PyTorch, channels first
  fusectl convert map.npy --to-layout nchw -o nchw.npy
  # several arrays in one archive, and out of it again
  fusectl convert a.npy b.npy -o both.npz
  fusectl convert both.npz -o 'out-{}.npy'`,
		Args: inputs(1, 0),
		RunE: func(cmd *cobra.Command, args []string) error { return st.convert(cmd.Context(), c, args) },
	}
	f := cmd.Flags()
	f.Var(&c.to, "to-layout", "order the axes of a map as this layout has them: nhwc, nchw, chw, ...")
	f.Var(&c.byteOrder, "byte-order", "of the result's elements: little or big")
	f.Var(&c.order, "order", "of the result in memory: C, the last axis runs fastest, or F, the first")
	complete(cmd, "byte-order", c.byteOrder.of)
	complete(cmd, "order", c.order.of)
	return cmd
}

// convert converts all arrays that paths name.
func (st *step) convert(ctx context.Context, c convertFlags, paths []string) error {
	if st.keep != nil && (c.byteOrder.value == "big" || c.order.value == "F") {
		return usagef("--byte-order and --order are of a file: they go with the last step")
	}
	xs, names, err := st.openMembers(paths)
	if err != nil {
		return err
	}
	if c.to != "" {
		st.takesMaps(0, xs...)
	}
	for i, x := range xs {
		if xs[i], err = toLayout(x, shape.Layout(st.layout), shape.Layout(c.to)); err != nil {
			return err
		}
		if c.order.value == "F" {
			if xs[i], err = ops.Transpose(xs[i], reversed(len(x.Shape()))); err != nil {
				return err
			}
		}
	}
	st.order = npyio.CreateOptions{BigEndian: c.byteOrder.value == "big", Fortran: c.order.value == "F"}
	archive := npyio.IsWholeArchive(st.output)
	to := make([]string, len(xs))
	for i, name := range names {
		switch {
		case strings.Contains(st.output, "{}"):
			if to[i], err = st.named(name); err != nil {
				return err
			}
		case archive:
			to[i] = st.output + ":" + name
			st.order.Fresh = true
		case len(xs) > 1:
			u := usagef("%d arrays need an archive or a {} in the output's name: got %s", len(xs), st.output)
			u.hints = []string{"-o all.npz, or -o 'out-{}.npy', where {} is each array's name"}
			return u
		default:
			to[i] = st.output
		}
	}
	return st.finishAll(ctx, xs, to)
}

// named is the output of the array of that name, which stands for {} and may
// come from a file: as a path, it stays inside the folder that the output names.
func (st *step) named(name string) (string, error) {
	path := strings.ReplaceAll(st.output, "{}", name)
	if npyio.InArchive(path) && !npyio.IsWholeArchive(path) {
		return path, nil // a key of an archive may be anything
	}
	if !filepath.IsLocal(name) || strings.ContainsAny(name, "\\") || strings.Contains(name+"/", "//") {
		u := usagef("an array called %s can't be a file's name: it would leave the folder, or name no file", strconv.Quote(name))
		u.hints = []string{"an archive takes any name: -o all.npz; or choose arrays one by one: x.npz:NAME -o FILE"}
		return "", u
	}
	return path, nil
}

// openMembers opens arrays, and all that archives have, with the name of each:
// that of the member, or of the file without its folder and extension.
func (st *step) openMembers(paths []string) (xs []graph.Array, names []string, err error) {
	for _, path := range paths {
		if !st.isArchive(path) {
			x, err := st.open(path)
			if err != nil {
				return nil, nil, err
			}
			file, _, _ := st.cutIndex(path)
			_, name, member := npyio.Address(file)
			if !member {
				name = strings.TrimSuffix(filepath.Base(file), ".npy")
			}
			xs, names = append(xs, x), append(names, name)
			continue
		}
		b, err := st.openBundle(bundleFlags{path: path})
		if err != nil {
			return nil, nil, err
		}
		for _, name := range b.archive.Names() {
			x, err := b.need(name)
			if r := (*npyio.ReadError)(nil); errors.As(err, &r) && len(b.archive.Names()) > 1 {
				r.Hints = append(r.Hints, "the others can be converted by their names: "+npyio.Printable(path)+":NAME")
			}
			if err != nil {
				return nil, nil, err
			}
			xs, names = append(xs, x), append(names, name)
		}
	}
	seen := map[string]bool{}
	for _, name := range names {
		if seen[name] {
			u := usagef("two inputs are called %s, and so would their results be", npyio.Printable(name))
			u.hints = []string{"an archive takes them one by one under other names: -o all.npz:NAME"}
			return nil, nil, u
		}
		seen[name] = true
	}
	if len(xs) == 0 {
		return nil, nil, &npyio.ReadError{Name: paths[0], Msg: "is an archive without an array"}
	}
	return xs, names, nil
}

// toLayout orders the axes of x, a map as from has it, as to has them; "" leaves
// them. Of families the channels are moved.
func toLayout(x graph.Array, from, to shape.Layout) (graph.Array, error) {
	s := x.Shape()
	switch {
	case to == "" || from == to:
		return x, nil
	case len(s) < 2:
		return nil, graph.Errorf(x, "shape %v: --to-layout takes maps, which have channels and spatial axes", s)
	}
	form, err := ops.MapForm("--to-layout", x, from, 0)
	if exact := len(to) == len(s) && len(from) != len(s); exact && len(to.Spatial()) > 0 { // the word sought has x's letters
		form, err = from.Reordered(to), nil
	}
	if err != nil {
		return nil, err
	}
	if len(form.Spatial()) == 0 {
		return nil, graph.Errorf(x, "shape %v: --to-layout takes maps of at least 3 dimensions, batch and channels among them", s).
			Hint("--layout tc, or hwc, says that a map has no batch")
	}
	want := to
	if to.Family() {
		want = to.Reordered(form)
	}
	perm, ok := form.Permutation(want)
	if !ok {
		return nil, graph.Errorf(x, "shape %v is %s: --to-layout %s has other axes", s, form.Sized(s), to).
			Hint("--to-layout %s moves the channels", to.Reordered(form))
	}
	return ops.Transpose(x, perm)
}
