package ops

import (
	"fusectl/internal/graph"
	"fusectl/internal/kernel"
)

// softmax is exp(x - max) / sum over the last axis of a float32 or float64
// array. A row of nothing but -inf, which leaves nothing to attend to, gives
// zeros.
func softmax(x graph.Array) graph.Array {
	return eachRow("softmax", x, kernel.Active().SoftmaxRows[x.DType().Kind()])
}

// softmin is softmax of -x.
func softmin(x graph.Array) graph.Array {
	return softmax(mapTo("neg", x.DType(), x, kernel.Active().Activation("neg", x.DType().Kind())))
}

// logSoftmax is the logarithm of softmax, without what softmax rounds in between.
func logSoftmax(x graph.Array) graph.Array {
	return eachRow("log-softmax", x, kernel.Active().LogSoftmaxRows[x.DType().Kind()])
}

// hardmax is 1 at the first maximum of a row and 0 elsewhere, as ONNX's Hardmax; in a
// row with a NaN all are NaN.
func hardmax(x graph.Array) graph.Array {
	return eachRow("hardmax", x, kernel.Active().HardmaxRows[x.DType().Kind()])
}
