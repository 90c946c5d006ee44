// Writes ONNX models by hand: the few protobuf fields of onnx.proto that the benchmarks need.
"use strict";

const FLOAT = 1, INT64 = 7, DOUBLE = 11; // TensorProto.DataType
const types = { float32: FLOAT, float64: DOUBLE, int64: INT64 };

function varint(value) {
  const bytes = [];
  let n = BigInt.asUintN(64, BigInt(value)); // negative numbers as two's complement
  for (; n > 127n; n >>= 7n) bytes.push(Number(n & 127n) | 128);
  bytes.push(Number(n));
  return Buffer.from(bytes);
}

// A field whose value is a number.
const number = (id, value) => Buffer.concat([varint(id << 3), varint(value)]);

// A field whose value is a string, bytes or a message.
function field(id, value) {
  const bytes = typeof value === "string" ? Buffer.from(value) : value;
  return Buffer.concat([varint((id << 3) | 2), varint(bytes.length), bytes]);
}

function attribute(name, value) {
  const INT = 2, STRING = 3, INTS = 7; // AttributeProto.AttributeType
  if (typeof value === "string") return Buffer.concat([field(1, name), field(4, value), number(20, STRING)]);
  if (Array.isArray(value)) return Buffer.concat([field(1, name), ...value.map((v) => number(8, v)), number(20, INTS)]);
  return Buffer.concat([field(1, name), number(3, value), number(20, INT)]);
}

// A node: inputs and outputs are names, attributes numbers, lists of numbers or strings.
function node(op, inputs, output, attributes = {}, domain = "") {
  return Buffer.concat([
    ...inputs.map((name) => field(1, name)),
    field(2, output),
    field(4, op),
    ...Object.entries(attributes).map(([name, value]) => field(5, attribute(name, value))),
    field(7, domain),
  ]);
}

const bytesOf = (array) => Buffer.from(array.buffer, array.byteOffset, array.byteLength);

// A constant of the model.
function constant(name, tensor) {
  return Buffer.concat([
    ...tensor.dims.map((d) => number(1, d)),
    number(2, types[tensor.type]),
    field(8, name),
    field(9, bytesOf(tensor.data)),
  ]);
}

// The name, type and shape of an input or an output; null stands for an extent that isn't known.
function value(name, type, dims) {
  const shape = Buffer.concat(dims.map((d) => field(1, d === null ? Buffer.alloc(0) : number(1, d))));
  const tensor = Buffer.concat([number(1, types[type]), field(2, shape)]);
  return Buffer.concat([field(1, name), field(2, field(1, tensor))]);
}

// A model of nodes; inputs, output and constants are {name: tensor}, a tensor having type and dims, and a constant data.
function model(nodes, inputs, output, constants = {}) {
  const graph = Buffer.concat([
    ...nodes.map((n) => field(1, n)),
    field(2, "graph"),
    ...Object.entries(constants).map(([name, t]) => field(5, constant(name, t))),
    ...Object.entries(inputs).map(([name, t]) => field(11, value(name, t.type, t.dims))),
    ...Object.entries(output).map(([name, t]) => field(12, value(name, t.type, t.dims))),
  ]);
  const opset = (domain, version) => field(8, Buffer.concat([field(1, domain), number(2, version)]));
  return Buffer.concat([number(1, 8), field(7, graph), opset("", 13), opset("com.microsoft", 1)]);
}

module.exports = { model, node };
