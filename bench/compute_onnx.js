// Computes a workload by ONNX Runtime, for accuracy.py: node compute_onnx.js SPEC FORM
//
// Inputs are float32 numbers in NAME.f32, the result goes to y.f32, all in the
// working directory.
"use strict";
const fs = require("fs");
const ort = require("onnxruntime-node");
const { graphs } = require("./onnx_graphs.js");
const { model } = require("./onnx_model.js");

function tensor(name, dims) {
  const bytes = fs.readFileSync(name + ".f32");
  return new ort.Tensor("float32", new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4), dims);
}

async function compute(spec, form) {
  const { nodes, inputs, constants, rank } = graphs(spec, tensor)[form];
  const output = { y: { type: "float32", dims: Array(rank).fill(null) } };
  const session = await ort.InferenceSession.create(model(nodes, inputs, output, constants));
  const { y } = await session.run(inputs);
  fs.writeFileSync("y.f32", new Uint8Array(y.data.buffer, y.data.byteOffset, y.data.byteLength));
}

compute(JSON.parse(process.argv[2]), process.argv[3]);
