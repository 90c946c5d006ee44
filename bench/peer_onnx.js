// ONNX Runtime as a worker, see worker.py: node --expose-gc peer_onnx.js THREADS
//
// Two things of the Node binding are kept out of the times: it copies what a
// session returns, so models end by a Slice that returns one number, the result
// proper staying in the runtime's memory; and a call takes some 10 µs, so that
// the time of a call that does nothing is taken off.
"use strict";
const ort = require("onnxruntime-node");
const readline = require("readline");
const { model, node } = require("./onnx_model.js");

const threads = Number(process.argv[2]);

const length = (dims) => dims.reduce((a, b) => a * b, 1);

// Standard-normal numbers, by Box and Muller, divided by a number.
function normal(dims, by = 1, type = "float32") {
  const data = type === "float64" ? new Float64Array(length(dims)) : new Float32Array(length(dims));
  for (let i = 0; i < data.length; i++) {
    data[i] = (Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random())) / by;
  }
  return new ort.Tensor(type, data, dims);
}

const integers = (...values) => new ort.Tensor("int64", BigInt64Array.from(values, BigInt), [values.length]);

// A function that runs the nodes, whose last one gives "y" of rank dimensions, on the inputs.
async function session(nodes, inputs, rank, constants = {}) {
  const first = rank > 0 ? node("Slice", ["y", "zeros", "ones"], "first") : node("Identity", ["y"], "first");
  const from = { zeros: integers(...Array(rank).fill(0)), ones: integers(...Array(rank).fill(1)) };
  const type = Object.values(inputs)[0].type;
  const bytes = model([...nodes, first], inputs, { first: { type, dims: Array(rank).fill(1) } }, { ...constants, ...(rank > 0 ? from : {}) });
  const made = await ort.InferenceSession.create(bytes, { intraOpNumThreads: threads, interOpNumThreads: 1 });
  const run = () => made.run(inputs);
  run.release = () => made.release();
  return run;
}

function matmul({ m, k, n, transposed, dtype }) {
  const product = transposed ? node("Gemm", ["a", "b"], "y", { transB: 1 }) : node("MatMul", ["a", "b"], "y");
  const inputs = { a: normal([m, k], 1, dtype), b: normal(transposed ? [n, k] : [k, n], 1, dtype) };
  return { "": () => session([product], inputs, 2) };
}

// The nodes of softmax(q·kᵀ/√d)·v for q, k and v of the given rank.
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

const scaleFor = (d) => ({ scale: new ort.Tensor("float32", Float32Array.of(1 / Math.sqrt(d)), []) });

const multiHead = (heads) => node("MultiHeadAttention", ["q", "k", "v"], "y", { num_heads: heads }, "com.microsoft");

function attention({ shape }) {
  const [batch, heads, n, d] = shape;
  const three = (dims) => ({ q: normal(dims), k: normal(dims), v: normal(dims) });
  return {
    MultiHeadAttention: () => session([multiHead(heads)], three([batch, n, heads * d]), 3),
    "MatMul-Softmax-MatMul": () => session(attend(4), three(shape), 4, scaleFor(d)),
  };
}

function attentionProjected({ shape }) {
  const [n, d] = shape.slice(-2);
  const x = { x: normal([length(shape) / (n * d), n, d]) };
  const weights = {};
  for (const name of ["wq", "wk", "wv"]) weights[name] = normal([d, d], Math.sqrt(d));
  const project = ["q", "k", "v"].map((name) => node("MatMul", ["x", "w" + name], name));
  return {
    MultiHeadAttention: () => session([...project, multiHead(1)], x, 3, weights),
    "MatMul-Softmax-MatMul": () => session([...project, ...attend(3)], x, 3, { ...weights, ...scaleFor(d) }),
  };
}

function conv({ shape, kernel }) {
  const [n, h, w, c] = shape;
  const p = Math.floor(kernel / 2);
  const weight = normal([c, c, kernel, kernel], Math.sqrt(c * kernel * kernel));
  const nodes = [node("Conv", ["x", "w"], "y", { kernel_shape: [kernel, kernel], pads: [p, p, p, p] })];
  return { "": () => session(nodes, { x: normal([n, c, h, w]) }, 4, { w: weight }) };
}

function resize({ shape: [n, h, w, c] }) {
  const nodes = [node("Resize", ["x", "", "scales"], "y", { mode: "linear", coordinate_transformation_mode: "half_pixel" })];
  const form = (dims, scales) => () => session(nodes, { x: normal(dims) }, 4, { scales: new ort.Tensor("float32", scales, [4]) });
  return { nchw: form([n, c, h, w], [1, 1, 2, 2]), nhwc: form([n, h, w, c], [1, 2, 2, 1]) };
}

// Loops in the second-level cache take less time than a call.
const tooShort = ({ count }) => count < 1 << 20;

function elementwise(op, w) {
  if (tooShort(w)) return {};
  return { "": () => session([node(op, ["a", "b"], "y")], { a: normal([w.count]), b: normal([w.count]) }, 1) };
}

function reduction(op, w) {
  if (tooShort(w)) return {};
  return { "": () => session([node(op, ["x"], "y", { keepdims: 0 })], { x: normal([w.count]) }, 0) };
}

// The forms in which a workload can be run; none if it can't be.
function prepare(w) {
  switch (w.op) {
    case "matmul": return matmul(w);
    case "attention": return attention(w);
    case "attention_proj": return attentionProjected(w);
    case "conv": return conv(w);
    case "resize": return resize(w);
    case "add": return elementwise("Add", w);
    case "mul": return elementwise("Mul", w);
    case "sum": return reduction("ReduceSum", w);
    case "max": return reduction("ReduceMax", w);
  }
  return {};
}

async function milliseconds(run, repeat = 1) {
  const start = performance.now();
  for (let i = 0; i < repeat; i++) await run();
  return (performance.now() - start) / repeat;
}

// The fastest form, warm: {form, run}.
async function fastest(forms) {
  let best = { ms: Infinity, form: null, run: null };
  for (const [form, make] of Object.entries(forms)) {
    const run = await make();
    await milliseconds(run, 3); // the runtime's memory is there after the second
    let ms = Infinity;
    for (let i = 0; i < 3; i++) ms = Math.min(ms, await milliseconds(run));
    const slower = ms < best.ms ? best.run : run;
    if (ms < best.ms) best = { ms, form, run };
    if (slower) await slower.release();
  }
  return best;
}

async function serve() {
  const nothing = await session([node("Identity", ["x"], "y")], { x: normal([1]) }, 1);
  await milliseconds(nothing, 1000);
  console.log(JSON.stringify({ version: "ONNX Runtime " + require("onnxruntime-node/package.json").version }));
  let workload = "null";
  let chosen = { form: null, run: null };
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const request = JSON.parse(line);
    if (JSON.stringify(request.workload) !== workload) {
      workload = JSON.stringify(request.workload);
      if (chosen.run) await chosen.run.release();
      chosen = { form: null, run: null };
      global.gc(); // before the next arrays are made
      if (request.workload) chosen = await fastest(prepare(request.workload));
    }
    let ms = null;
    if (chosen.run) {
      const call = await milliseconds(nothing, 100);
      ms = (await milliseconds(chosen.run, request.repeat)) - call;
    }
    console.log(JSON.stringify({ ms, form: chosen.form }));
  }
}

serve();
