// ONNX Runtime as a worker, see worker.py: node --expose-gc peer_onnx.js THREADS
//
// Two things of the Node binding are kept out of the times: it copies what a
// session returns, so models end by a Slice that returns one number, the result
// proper staying in the runtime's memory; and a call takes some 10 µs, so that
// the time of a call that does nothing is taken off.
"use strict";
const ort = require("onnxruntime-node");
const readline = require("readline");
const { graphs } = require("./onnx_graphs.js");
const { model, node } = require("./onnx_model.js");

const threads = Number(process.argv[2]);

// Standard-normal numbers, by Box and Muller, divided by a number.
function normal(type, dims, by = 1) {
  const length = dims.reduce((a, b) => a * b, 1);
  const data = type === "float64" ? new Float64Array(length) : new Float32Array(length);
  for (let i = 0; i < length; i++) {
    data[i] = (Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random())) / by;
  }
  return { type, dims, data };
}

const integers = (values) => ({ type: "int64", dims: [values.length], data: BigInt64Array.from(values, BigInt) });

// A session for a graph: {run, release}.
async function session({ nodes, inputs, constants, rank }) {
  const ones = Array(rank).fill(1);
  const corner = { from: integers(ones.map(() => 0)), to: integers(ones) };
  const first = rank > 0 ? node("Slice", ["y", "from", "to"], "first") : node("Identity", ["y"], "first");
  const output = { first: { type: Object.values(inputs)[0].type, dims: ones } };
  const bytes = model([...nodes, first], inputs, output, { ...constants, ...(rank > 0 ? corner : {}) });
  const made = await ort.InferenceSession.create(bytes, { intraOpNumThreads: threads, interOpNumThreads: 1 });
  const feeds = Object.fromEntries(Object.entries(inputs).map(([name, t]) => [name, new ort.Tensor(t.type, t.data, t.dims)]));
  return { run: () => made.run(feeds), release: () => made.release() };
}

async function milliseconds({ run }, repeat = 1) {
  const start = performance.now();
  for (let i = 0; i < repeat; i++) await run();
  return (performance.now() - start) / repeat;
}

// The fastest of {form: graph} in turn, warm: {form, session}, nulls if there is none.
async function fastest(forms) {
  const all = [];
  for (const [form, graph] of Object.entries(forms)) {
    all.push({ form, session: await session(graph), ms: Infinity });
    await milliseconds(all.at(-1).session, 3); // the runtime's memory is there after the second
  }
  for (let i = 0; i < 5 && all.length > 1; i++) {
    for (const one of all) one.ms = Math.min(one.ms, await milliseconds(one.session));
  }
  const [best = { form: null, session: null }, ...slower] = all.sort((a, b) => a.ms - b.ms);
  for (const one of slower) await one.session.release();
  return best;
}

async function serve() {
  const nothing = await session({ nodes: [node("Identity", ["x"], "y")], inputs: { x: normal("float32", [1]) }, rank: 1 });
  await milliseconds(nothing, 1000);
  console.log(JSON.stringify({ version: "ONNX Runtime " + require("onnxruntime-node/package.json").version }));
  let workload = "null";
  let chosen = { form: null, session: null };
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const request = JSON.parse(line);
    if (JSON.stringify(request.workload) !== workload) {
      workload = JSON.stringify(request.workload);
      await chosen.session?.release();
      chosen = { form: null, session: null };
      global.gc(); // before the next arrays are made
      const tensor = (_, dims, by) => normal(request.workload.dtype ?? "float32", dims, by);
      if (request.workload) chosen = await fastest(graphs(request.workload, tensor));
    }
    let ms = null;
    if (chosen.session) {
      const call = await milliseconds(nothing, 100);
      ms = (await milliseconds(chosen.session, request.repeat)) - call;
    }
    console.log(JSON.stringify({ ms, form: chosen.form }));
  }
}

serve();
