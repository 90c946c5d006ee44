// Workloads as ONNX graphs: what peer_onnx.js times and compute_onnx.js computes.
//
// A graph is {nodes, inputs, constants, rank}: the last node gives "y" of rank
// dimensions. A tensor is {type, dims, data}. tensor(name, dims, by) makes those
// of the workload, whatever numbers are in them, by being what to divide
// standard-normal ones by.
"use strict";
const { node } = require("./onnx_model.js");

function matmul({ m, k, n, transposed }, tensor) {
  const product = transposed ? node("Gemm", ["a", "b"], "y", { transB: 1 }) : node("MatMul", ["a", "b"], "y");
  const inputs = { a: tensor("a", [m, k]), b: tensor("b", transposed ? [n, k] : [k, n]) };
  return { "": { nodes: [product], inputs, rank: 2 } };
}

// The nodes of softmax(q·kᵀ·scale)·v for q, k and v of the given rank.
function attend(rank) {
  const perm = [...Array(rank).keys()];
  [perm[rank - 2], perm[rank - 1]] = [perm[rank - 1], perm[rank - 2]];
  return [
    node("Transpose", ["k"], "kt", { perm }),
    node("MatMul", ["q", "kt"], "qk"),
    node("Mul", ["qk", "scale"], "scores"),
    node("Softmax", ["scores"], "weights", { axis: -1 }),
    node("MatMul", ["weights", "v"], "y"),
  ];
}

const number = (value) => ({ type: "float32", dims: [], data: Float32Array.of(value) });

// The operator that ONNX Runtime adds to the standard's; it scales by 1/√d.
const multiHead = (heads) => node("MultiHeadAttention", ["q", "k", "v"], "y", { num_heads: heads }, "com.microsoft");

// Its arrays are [B,N,H·d]. A scale of one's own is for the other form.
function attention({ shape, scale }, tensor) {
  const [batch, heads, n, d] = shape;
  const three = (dims) => ({ q: tensor("q", dims), k: tensor("k", dims), v: tensor("v", dims) });
  const constants = { scale: number(scale ?? 1 / Math.sqrt(d)) };
  const forms = { "MatMul-Softmax-MatMul": { nodes: attend(4), inputs: three(shape), constants, rank: 4 } };
  if (scale === undefined) {
    forms.MultiHeadAttention = { nodes: [multiHead(heads)], inputs: three([batch, n, heads * d]), rank: 3 };
  }
  return forms;
}

function attentionProjected({ shape }, tensor) {
  const [n, d] = shape.slice(-2);
  const batch = shape.slice(0, -2).reduce((a, b) => a * b, 1);
  const inputs = { x: tensor("x", [batch, n, d]) };
  const weights = {};
  for (const name of ["wq", "wk", "wv"]) weights[name] = tensor(name, [d, d], Math.sqrt(d));
  const constants = { ...weights, scale: number(1 / Math.sqrt(d)) };
  const project = ["q", "k", "v"].map((name) => node("MatMul", ["x", "w" + name], name));
  return {
    MultiHeadAttention: { nodes: [...project, multiHead(1)], inputs, constants: weights, rank: 3 },
    "MatMul-Softmax-MatMul": { nodes: [...project, ...attend(3)], inputs, constants, rank: 3 },
  };
}

function conv({ shape: [n, h, w, c], kernel }, tensor) {
  const p = Math.floor(kernel / 2);
  const nodes = [node("Conv", ["x", "w"], "y", { kernel_shape: [kernel, kernel], pads: [p, p, p, p] })];
  const constants = { w: tensor("w", [c, c, kernel, kernel], Math.sqrt(c * kernel * kernel)) };
  return { "": { nodes, inputs: { x: tensor("x", [n, c, h, w]) }, constants, rank: 4 } };
}

function resize({ shape: [n, h, w, c] }, tensor) {
  const nodes = [node("Resize", ["x", "", "scales"], "y", { mode: "linear", coordinate_transformation_mode: "half_pixel" })];
  const form = (dims, scales) => {
    const constants = { scales: { type: "float32", dims: [4], data: Float32Array.from(scales) } };
    return { nodes, inputs: { x: tensor("x", dims) }, constants, rank: 4 };
  };
  return { nchw: form([n, c, h, w], [1, 1, 2, 2]), nhwc: form([n, h, w, c], [1, 2, 2, 1]) };
}

// Loops in the second-level cache take less time than a call.
const tooShort = ({ count }) => count < 1 << 20;

function elementwise(op, w, tensor) {
  if (tooShort(w)) return {};
  return { "": { nodes: [node(op, ["a", "b"], "y")], inputs: { a: tensor("a", [w.count]), b: tensor("b", [w.count]) }, rank: 1 } };
}

function reduction(op, w, tensor) {
  if (tooShort(w)) return {};
  return { "": { nodes: [node(op, ["x"], "y", { keepdims: 0 })], inputs: { x: tensor("x", [w.count]) }, rank: 0 } };
}

// The forms in which a workload can be computed, {name: graph}; none if it can't be.
function graphs(w, tensor) {
  switch (w.op) {
    case "matmul": return matmul(w, tensor);
    case "attention": return attention(w, tensor);
    case "attention_proj": return attentionProjected(w, tensor);
    case "conv": return conv(w, tensor);
    case "resize": return resize(w, tensor);
    case "add": return elementwise("Add", w, tensor);
    case "mul": return elementwise("Mul", w, tensor);
    case "sum": return reduction("ReduceSum", w, tensor);
    case "max": return reduction("ReduceMax", w, tensor);
  }
  return {};
}

module.exports = { graphs };
