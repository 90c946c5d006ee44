package main

import (
	"github.com/spf13/cobra"

	"fusectl/internal/graph"
	"fusectl/internal/ops"
)

func newLinearCommand(st *step) *cobra.Command {
	var w weightFlags
	var activation, layout string
	cmd := &cobra.Command{
		Use:   "linear X --weight W",
		Short: "linear map of the channels (Dense, 1x1 convolution)",
		Long: `Maps the channels of maps, and the last axis of sequences and vectors, by a
matrix: Keras's Dense, torch.nn.Linear, a 1x1 convolution. Weights are [in,out] or [1,1,in,out] under nhwc, [out,in] or
[out,in,1,1] under nchw, unless --weight-layout says otherwise.`,
		Example: `  # GoogLeNet: logits of pooled features
  fusectl gap map.npy | fusectl linear - --weight fc.npy --bias fc-bias.npy -o logits.npy`,
		Args: inputs(1, 1),
		RunE: fuses(st, func(xs []graph.Array) (graph.Array, error) {
			if err := checkActivation("activation", activation); err != nil {
				return nil, err
			}
			ws, err := st.openWeights(layout, w)
			if err != nil {
				return nil, err
			}
			return ops.Linear(xs[0], ws[0], ops.LinearOptions{Axis: st.channel(xs[0]), Activation: activation})
		}),
	}
	w.addTo(cmd, "weight", "the `MATRIX`")
	activationFlag(cmd, &activation, "activation", "apply `NAME` to the result")
	weightLayoutFlag(cmd, &layout)
	needs(cmd, "weight")
	return cmd
}
