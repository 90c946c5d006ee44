package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"fusectl/internal/graph"
	"fusectl/internal/ops"
	"fusectl/internal/recipe"
	"fusectl/internal/shape"
)

// takesNumbers annotates commands among whose inputs numbers may stand.
const takesNumbers = "takes numbers"

// elementwiseFlags is the flags that all elementwise commands have.
type elementwiseFlags struct {
	activation string
	align      alignFlags
}

// addTo defines them; result is what --activation is applied to.
func (e *elementwiseFlags) addTo(cmd *cobra.Command, result string) {
	cmd.Annotations = map[string]string{takesNumbers: "true"}
	activationFlag(cmd, &e.activation, "activation", "apply `NAME` to the "+result)
	e.align.addTo(cmd)
}

// combines is the RunE of an elementwise command: it makes one array of its inputs, maps
// among which have been aligned, and of numbers.
func combines(st *step, e *elementwiseFlags, combine func(xs []graph.Array) (graph.Array, error)) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if err := checkActivation("activation", e.activation); err != nil {
			return err
		}
		xs, err := st.openTerms(args)
		if err == nil {
			xs, err = st.align(e.align, xs)
		}
		if err != nil {
			return err
		}
		out, err := combine(xs)
		if err != nil {
			return err
		}
		return st.finish(cmd.Context(), out)
	}
}

// openTerms is openOperands for words among which numbers may be.
func (st *step) openTerms(words []string) ([]graph.Array, error) {
	xs := make([]graph.Array, len(words))
	var paths []string
	for i, w := range words {
		text := strings.TrimPrefix(w, guard)
		if !isNumber(text) || st.namesArray(text) {
			paths = append(paths, w)
			continue
		}
		n, err := number(text)
		if err != nil {
			return nil, usagef("%v", err)
		}
		xs[i] = ops.Literal(n)
	}
	arrays, err := st.openOperands(paths)
	if err != nil {
		return nil, err
	}
	return amongNumbers(xs, arrays), nil
}

// amongNumbers puts arrays in the places of xs that have no number, in order.
func amongNumbers(xs, arrays []graph.Array) []graph.Array {
	out := slices.Clone(xs)
	for i, x := range xs {
		if x == nil || !ops.IsLiteral(x) {
			out[i], arrays = arrays[0], arrays[1:]
		}
	}
	return out
}

// namesArray reports whether a word names an array: one of the recipe, or a file.
func (st *step) namesArray(word string) bool {
	if g := st.within; g != nil {
		_, known := g.names[word]
		_, archive := g.paths[word]
		if known || archive || recipe.Find(g.steps, word) >= 0 {
			return true
		}
	}
	return st.names(word)
}

// newElementwiseCommand completes a command without flags of its own; result is what
// help calls its result.
func (st *step) newElementwiseCommand(cmd *cobra.Command, result string, combine func(xs []graph.Array, o ops.ElementwiseOptions) (graph.Array, error)) *cobra.Command {
	var flags elementwiseFlags
	cmd.RunE = combines(st, &flags, func(xs []graph.Array) (graph.Array, error) {
		return combine(xs, ops.ElementwiseOptions{Activation: flags.activation, Layout: shape.Layout(st.layout)})
	})
	flags.addTo(cmd, result)
	return cmd
}

// ofTwo makes an operation on two arrays one on a list.
func ofTwo(combine func(x, y graph.Array, o ops.ElementwiseOptions) (graph.Array, error)) func([]graph.Array, ops.ElementwiseOptions) (graph.Array, error) {
	return func(xs []graph.Array, o ops.ElementwiseOptions) (graph.Array, error) { return combine(xs[0], xs[1], o) }
}

func newSubCommand(st *step) *cobra.Command {
	return st.newElementwiseCommand(&cobra.Command{
		Use:   "sub A B",
		Short: "subtract an array from another, element by element",
		Long: `The difference A - B, with NumPy's broadcasting and NumPy 2's promotion.
Integers wrap; float16 and bfloat16 are subtracted in float32 and rounded once.
Booleans are refused, as by NumPy: --dtype int8 subtracts them as numbers.

A number may stand in place of either, where no file has such a name: as a
Python number in NumPy 2 it takes the array's dtype.`,
		Example: `  # what changes from one frame of a film to the next (two-stream networks)
  fusectl sub a.npy b.npy -o detail.npy
  # gated fusion: the rest that a gate leaves of the other map
  fusectl act b.npy --activation sigmoid then sub 1 - then mul a.npy - -o rest.npy`,
		Args: inputs(2, 2),
	}, "difference", ofTwo(ops.Sub))
}

func newDivCommand(st *step) *cobra.Command {
	return st.newElementwiseCommand(&cobra.Command{
		Use:   "div A B",
		Short: "divide an array by another, element by element",
		Long: `The quotient A / B, with NumPy's broadcasting and NumPy 2's promotion, as
numpy.true_divide: integers and booleans give float64, float16 and bfloat16 are
divided in float32 and rounded once. Division by 0 gives infinities and NaNs.

A number may stand in place of either, where no file has such a name: as a
Python number in NumPy 2 it takes the dtype of the result.`,
		Example: `  # bytes of a picture as numbers from 0 to 1
  fusectl div image.npy 255 --dtype float32 -o scaled.npy
  # each channel by its mean
  fusectl gap map.npy --keepdims then div map.npy - -o relative.npy`,
		Args: inputs(2, 2),
	}, "quotient", ofTwo(ops.Div))
}

func newMaximumCommand(st *step) *cobra.Command {
	return st.newElementwiseCommand(&cobra.Command{
		Use:   "maximum A B...",
		Short: "the greatest of arrays, element by element (Maxout)",
		Long: `The maximum of any number of arrays, with NumPy's broadcasting and NumPy 2's
promotion. NaN propagates; of two zeros +0 is the greater. Complex numbers have
no maximum.

A number may stand in place of an array, where no file has such a name: as a
Python number in NumPy 2 it takes the dtype of the arrays.`,
		Example: `  # Maxout: the greatest of several linear maps
  fusectl maximum a.npy b.npy -o greatest.npy
  fusectl maximum map.npy 0.5 -o floor.npy`,
		Args: inputs(1, 0),
	}, "maximum", ops.Maximum)
}

func newMinimumCommand(st *step) *cobra.Command {
	return st.newElementwiseCommand(&cobra.Command{
		Use:   "minimum A B...",
		Short: "the least of arrays, element by element",
		Long: `The minimum of any number of arrays, with NumPy's broadcasting and NumPy 2's
promotion. NaN propagates; of two zeros -0 is the less. Complex numbers have no
minimum.

A number may stand in place of an array, where no file has such a name: as a
Python number in NumPy 2 it takes the dtype of the arrays.`,
		Example: `  fusectl minimum a.npy b.npy -o least.npy
  # between 0 and 6
  fusectl maximum map.npy 0 then minimum 6 -o clipped.npy`,
		Args: inputs(1, 0),
	}, "minimum", ops.Minimum)
}

func newPowCommand(st *step) *cobra.Command {
	return st.newElementwiseCommand(&cobra.Command{
		Use:   "pow A B",
		Short: "raise an array to a power, element by element",
		Long: `A to the power B, with NumPy's broadcasting and NumPy 2's promotion, as
numpy.power. Floats have the special cases of C's pow (x to the power 0 is 1;
of a number below 0 a power that isn't whole is NaN), and are computed in
float64 within 1 ulp and rounded. Integers wrap, and have no negative powers:
--dtype float64 computes in floating point. Complex numbers are refused.

A number may stand in place of either, where no file has such a name: as a
Python number in NumPy 2 it takes the array's dtype.`,
		Example: `  # generalized mean pooling (GeM), p = 3
  fusectl maximum map.npy 1e-6 then pow 3 then gap then pow 0.333333 -o gem.npy`,
		Args: inputs(2, 2),
	}, "power", ofTwo(ops.Pow))
}

func newAverageCommand(st *step) *cobra.Command {
	var flags elementwiseFlags
	var weights pathList
	normalize := choice{"sum", ops.WeightNormalizations}
	cmd := &cobra.Command{
		Use:   "average A B...",
		Short: "average arrays element by element (ELMo, ensembles)",
		Long: `The mean of any number of arrays, with NumPy's broadcasting and NumPy 2's
promotion, as numpy.average of the arrays stacked: integers and booleans give
float64. Sums are kept in float64 and rounded once.

--weights has a weight for each input: numbers, or the elements of an array, or
of several. --normalize says what becomes of them first: sum divides them by
their sum, as numpy.average does; softmax is the scalar mix of ELMo; fast is
BiFPN's fast normalised fusion, relu(w) / (sum of relu(w) + 1e-4); none leaves
them as they are.`,
		Example: `  # three models' maps, the first of which counts twice
  fusectl average a.npy b.npy branch.npy --weights 2,1,1 -o ensemble.npy
  # ELMo: the layers' learned mix, and its scale
  fusectl average a.npy b.npy branch.npy --weights mix.npz:scalars --normalize softmax \
      then mul - mix.npz:gamma -o mixed.npy`,
		Args: inputs(1, 0),
	}
	cmd.RunE = combines(st, &flags, func(xs []graph.Array) (graph.Array, error) {
		if weights.list == nil && cmd.Flags().Changed("normalize") {
			return nil, usagef("--normalize goes with --weights")
		}
		w, err := st.openNumbers("weights", weights.list, len(xs))
		if err != nil {
			return nil, err
		}
		return ops.Average(xs, ops.AverageOptions{Weights: w, Normalize: normalize.value, Activation: flags.activation, Layout: shape.Layout(st.layout)})
	})
	cmd.Flags().Var(&weights, "weights", "a weight for each input: numbers, or arrays that have them")
	cmd.Flags().Var(&normalize, "normalize", "how weights are normalised")
	complete(cmd, "normalize", ops.WeightNormalizations)
	flags.addTo(cmd, "average")
	return cmd
}

// openNumbers is the vector of n numbers that a flag has, or of the elements of arrays
// that it names; nil where it has none.
func (st *step) openNumbers(flag string, words list, n int) (graph.Array, error) {
	var arrays []graph.Array
	var values []float64
	for _, w := range words {
		if isNumber(w) && !st.namesArray(w) {
			v, err := number(w)
			if err != nil {
				return nil, usagef("--%s %s: %v", flag, words.String(), err)
			}
			values = append(values, v.Value)
			continue
		}
		x, err := st.open(w)
		if err != nil {
			return nil, err
		}
		arrays = append(arrays, x)
	}
	switch {
	case words == nil:
		return nil, nil
	case len(arrays) == 0 && len(values) != n:
		return nil, usagef("--%s has %d numbers for %d inputs: want one each", flag, len(values), n)
	case len(arrays) == 0:
		return ops.Numbers(values...), nil
	case len(values) > 0:
		return nil, usagef("--%s %s: want numbers or arrays, not both", flag, words.String())
	}
	if len(arrays) == 1 {
		return arrays[0], nil
	}
	for i, x := range arrays {
		var err error
		if arrays[i], err = ops.Reshape(x, shape.Shape{int(x.Shape().Len())}); err != nil {
			return nil, err
		}
	}
	return ops.Concat(arrays, 0)
}
