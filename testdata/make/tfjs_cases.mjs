// Golden cases whose meaning is TensorFlow.js's, all float32 and channels last: resizeBilinear with half-pixel centres
// above all, and Keras's layers. It reads the pyramids that torch_cases.py wrote, so that runs first.
//
// usage: node tfjs_cases.mjs FOLDER

import fs from 'node:fs';
import path from 'node:path';
import {createRequire} from 'node:module';

console.warn = () => {}; // TensorFlow.js advertises its native twin
const tf = createRequire(import.meta.url)('@tensorflow/tfjs'); // by require, which honours NODE_PATH
await tf.setBackend('cpu');

const root = process.argv[2];
const by = `tfjs ${tf.version.tfjs}`;
const EXACT = {kind: 'exact'};
const rel = (x, why) => ({kind: 'rel', x, why});

// ---- .npy, float32 in C order only

function load(file) {
  const bytes = fs.readFileSync(path.join(root, file));
  const start = 10 + bytes.readUInt16LE(8);
  const header = bytes.toString('latin1', 10, start);
  if (!header.includes("'<f4'") || !header.includes("'fortran_order': False")) throw new Error(`${file}: ${header}`);
  const shape = /\(([^)]*)\)/.exec(header)[1].split(',').filter((s) => s.trim()).map(Number);
  return tf.tensor(new Float32Array(bytes.buffer.slice(bytes.byteOffset + start, bytes.byteOffset + bytes.length)), shape);
}

function encode(tensor) {
  const shape = tensor.shape.join(', ') + (tensor.rank === 1 ? ',' : '');
  let header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape}), }`;
  header += ' '.repeat(tensor.rank ? 21 - String(tensor.shape[0]).length : 0); // numpy.save leaves room to append
  header += ' '.repeat(64 - (11 + header.length) % 64) + '\n';
  const prefix = Buffer.from('\x93NUMPY\x01\x00\x00\x00' + header, 'latin1');
  prefix.writeUInt16LE(header.length, 8);
  const data = tensor.dataSync();
  return Buffer.concat([prefix, Buffer.from(data.buffer, data.byteOffset, data.byteLength)]);
}

function write(file, bytes) {
  fs.mkdirSync(path.dirname(path.join(root, file)), {recursive: true});
  fs.writeFileSync(path.join(root, file), bytes);
  return file;
}

const put = (name, tensor) => write(`in/tfjs_${name}.npy`, encode(tensor));

const written = new Map(); // as in golden.py: equal wants of a command are written once
function golden(command, what, args, want, tol, how) {
  const bytes = encode(want);
  const key = command + bytes.toString('latin1');
  if (!written.has(key)) written.set(key, write(`want/${command}/tfjs-${what}.npy`, bytes));
  const line = {name: `${command}/tfjs/${what}`, args: [command, ...args.map(String)], want: written.get(key), tol, by: `${by}: ${how}`};
  fs.appendFileSync(path.join(root, 'cases.jsonl'), JSON.stringify(line) + '\n');
}

// Multiples of step in [-limit, limit]; few enough bits make float32 sums exact in any order.
function grid(seed, shape, step = 1 / 8, limit = 4) {
  const size = shape.reduce((a, b) => a * b, 1);
  const top = limit / step;
  let state = seed >>> 0;
  const values = Float32Array.from({length: size}, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return ((state >>> 8) % (2 * top + 1) - top) * step;
  });
  return tf.tensor(values, shape);
}

// ---- fpn

const ROUNDS = 'weights and sums round at each level';

function topdown(levels) { // finest first
  return levels.slice(0, -1).reduceRight(
      (fused, level) => tf.add(level, tf.image.resizeBilinear(fused, level.shape.slice(1, 3), false, true)), levels.at(-1));
}

const depth = {two: 2, three: 3, four: 4, odd: 3, ragged: 2, 'from-one': 2, 'one-axis': 3};
for (const [name, n] of Object.entries(depth)) {
  const files = Array.from({length: n}, (_, i) => `in/fpn_${name}_f4_nhwc_${i}.npy`);
  const want = topdown(files.map(load));
  const tol = ['two', 'three', 'four'].includes(name) ? EXACT : rel(1e-6 * (n - 1), ROUNDS);
  golden('fpn', `bilinear-${name}`, files, want, tol, 'x + resizeBilinear(coarser, size, false, true)');
  golden('fpn', `bilinear-${name}-coarse-first`, [...files].reverse(), want, tol, 'x + resizeBilinear(coarser, size, false, true)');
}
{
  const levels = [[8, 10, 3], [4, 5, 5], [3, 3, 7]].map(([h, w, c], i) => grid(10 + i, [1, h, w, c]));
  const weights = [3, 5, 7].map((c, i) => grid(20 + i, [1, 1, c, 4], 1 / 16, 1));
  const biases = [0, 1, 2].map((i) => grid(30 + i, [4], 1 / 4, 2));
  const files = levels.map((x, i) => put(`c${i + 2}`, x));
  const w = weights.map((x, i) => put(`w${i + 2}`, x)).join();
  const b = biases.map((x, i) => put(`b${i + 2}`, x)).join();
  const project = (withBias) => levels.map((x, i) => {
    const y = tf.conv2d(x, weights[i], 1, 'same');
    return withBias ? tf.add(y, biases[i]) : y;
  });
  golden('fpn', 'lateral', [...files, '--lateral', w], topdown(project(false)), rel(2e-6, ROUNDS), 'conv2d, resizeBilinear, add');
  golden('fpn', 'lateral-bias', [...files, '--lateral', w, '--lateral-bias', b], topdown(project(true)), rel(2e-6, ROUNDS),
      'conv2d, add, resizeBilinear, add');
}

// ---- sizes

{
  const x = grid(50, [1, 5, 4, 2]);
  const file = put('sizes', x);
  for (const [h, w] of [[9, 7], [3, 2]]) {
    const size = ['--size', `${h},${w}`];
    const what = (name) => `${name}-${h}x${w}`;
    golden('resize', what('linear'), [file, ...size], tf.image.resizeBilinear(x, [h, w], false, true), rel(1e-6, ROUNDS), 'resizeBilinear, half-pixel centres');
    golden('resize', what('linear-asymmetric'), [file, ...size, '--coordinates', 'asymmetric'], tf.image.resizeBilinear(x, [h, w]), rel(1e-6, ROUNDS), 'resizeBilinear');
    golden('resize', what('linear-corners'), [file, ...size, '--align-corners'], tf.image.resizeBilinear(x, [h, w], true), rel(1e-6, ROUNDS), 'resizeBilinear, alignCorners');
    golden('resize', what('nearest'), [file, ...size, '--mode', 'nearest'], tf.image.resizeNearestNeighbor(x, [h, w]), EXACT, 'resizeNearestNeighbor');
    golden('resize', what('nearest-exact'), [file, ...size, '--mode', 'nearest-exact'], tf.image.resizeNearestNeighbor(x, [h, w], false, true), EXACT,
        'resizeNearestNeighbor, half-pixel centres');
    golden('resize', what('nearest-corners'), [file, ...size, '--mode', 'nearest', '--align-corners', '--nearest', 'round-prefer-ceil'],
        tf.image.resizeNearestNeighbor(x, [h, w], true), EXACT, 'resizeNearestNeighbor, alignCorners');
  }
}

// ---- Keras's layers

const x = grid(1, [2, 4, 5, 6]);
const y = grid(2, [2, 4, 5, 6]);
const z = grid(3, [2, 4, 5, 3]);
const s = grid(4, [2, 1, 1, 6]);
const [fx, fy, fz, fs_] = [put('x', x), put('y', y), put('z', z), put('s', s)];
const merged = (layer, ...inputs) => layer.apply(inputs);

golden('concat', 'default-axis', [fx, fz, fy], merged(tf.layers.concatenate(), x, z, y), EXACT, 'layers.concatenate()');
golden('concat', 'axis-1', [fx, fy, '--axis', 1], merged(tf.layers.concatenate({axis: 1}), x, y), EXACT, 'layers.concatenate, axis 1');
golden('add', 'residual', [fx, fy], merged(tf.layers.add(), x, y), EXACT, 'layers.add()');
golden('add', 'three', [fx, fy, fx], merged(tf.layers.add(), x, y, x), EXACT, 'layers.add()');
golden('add', 'residual-relu', [fx, fy, '--activation', 'relu'], tf.relu(tf.add(x, y)), EXACT, 'relu(add)');
golden('mul', 'multiply', [fx, fy], merged(tf.layers.multiply(), x, y), EXACT, 'layers.multiply()');
golden('mul', 'squeeze-excite', [fx, fs_], tf.mul(x, s), EXACT, 'mul');
golden('mul', 'squeeze-excite-sigmoid', [fx, fs_, '--gate', 'sigmoid'], tf.mul(x, tf.sigmoid(s)),
    rel(5e-7, 'the gate and the product round, in TensorFlow.js too'), 'x*sigmoid(s)');
{
  const map = grid(5, [2, 4, 8, 6]); // 32 positions: the mean of values of few bits is exact
  const file = put('map', map);
  golden('gap', 'global-average', [file], tf.layers.globalAveragePooling2d({}).apply(map), EXACT, 'layers.globalAveragePooling2d');
  golden('gap', 'keepdims', [file, '--keepdims'], tf.mean(map, [1, 2], true), EXACT, 'mean, axes 1 and 2, keepDims');
  golden('gmp', 'global-max', [file], tf.layers.globalMaxPooling2d({}).apply(map), EXACT, 'layers.globalMaxPooling2d');
  golden('gmp', 'keepdims', [file, '--keepdims'], tf.max(map, [1, 2], true), EXACT, 'max, axes 1 and 2, keepDims');
}
{
  const a = grid(6, [2, 3, 8]);
  const b = grid(7, [2, 5, 8]);
  const files = [put('text', a), put('picture', b)];
  golden('crossmodal', 'concat', files, tf.concat([a, b], 1), EXACT, 'concat, axis 1');
  golden('crossmodal', 'gate', [fx, fy, '--mode', 'gate'], tf.mul(x, tf.sigmoid(y)),
      rel(5e-7, 'the gate and the product round, in TensorFlow.js too'), 'x*sigmoid(y)');
}
{
  const q = grid(8, [1, 6, 7, 8], 1 / 16, 1);
  const why = "the exponential magnifies the scores' rounding, in TensorFlow.js's float32 too";
  const attend = (scale) => tf.matMul(tf.softmax(tf.mul(tf.matMul(q, q, false, true), scale)), q);
  const file = put('sequence', q);
  golden('attention', 'dot-product', [file], attend(1), rel(5e-6, why), 'matMul(softmax(matMul(x, xᵀ)), x)');
  golden('attention', 'scaled', [file, '--scale', 'auto'], attend(1 / Math.sqrt(8)), rel(5e-6, why), 'softmax(x·xᵀ/√8)·x');
  const w = ['q', 'k', 'v'].map((_, i) => grid(40 + i, [8, 4], 1 / 16, 0.5));
  const [dq, dk, dv] = w.map((kernel) => tf.layers.dense({units: 4, useBias: false, weights: [kernel]}).apply(q));
  golden('attention', 'dense', [file, ...w.flatMap((k, i) => [`--w${'qkv'[i]}`, put(`dense_${'qkv'[i]}`, k)])],
      tf.matMul(tf.softmax(tf.matMul(dq, dk, false, true)), dv), rel(5e-6, why), 'layers.dense, softmax(q·kᵀ)·v');
}

// ---- Keras's convolutions. Few bits: sums are exact in any order.
{
  const conv = (what, x, k, flags, want, how) => golden(
      'conv', what, [put(`conv_${x.shape.join('x')}`, x), '--weight', put(`${what}_k`, k), ...flags.split(' ').filter(Boolean)], want, EXACT, how);
  const kernel = (seed, shape) => grid(seed, shape, 1 / 8, 1);
  const apply = (layer, config, weights, x) => tf.layers[layer]({useBias: false, weights: [weights], ...config}).apply(x);
  const t = grid(60, [2, 11, 4]);
  const map = grid(61, [1, 4, 5, 4]);
  const clip = grid(62, [1, 2, 4, 3, 3]);
  {
    const k = kernel(63, [3, 4, 5]);
    const layer = (o, x) => apply('conv1d', {filters: 5, kernelSize: 3, ...o}, k, x);
    for (const d of [1, 2]) { // layers.conv1d has no causal padding: Keras pads by dilationRate·(kernelSize-1) in front
      const want = layer({padding: 'valid', dilationRate: d}, tf.pad(t, [[0, 0], [2 * d, 0], [0, 0]]));
      conv(`causal-${d}`, t, k, `--padding causal --dilation ${d}`, want, `pad, layers.conv1d, dilationRate ${d}`);
    }
    conv('same-1d', t, k, '--padding same --stride 2', layer({padding: 'same', strides: 2}, t), 'layers.conv1d, same, strides 2');
  }
  for (const [m, o, flags] of [[2, {padding: 'same'}, '--padding same'], [1, {padding: 'same', strides: 2}, '--padding same --stride 2'], [3, {padding: 'valid'}, '']]) {
    const k = kernel(64 + m, [3, 3, 4, m]);
    const want = tf.depthwiseConv2d(map, k, o.strides ?? 1, o.padding);
    conv(`depthwise-${m}`, map, k, `--groups 4 ${flags}`, want, `depthwiseConv2d of kernel (3,3,4,${m}), ${JSON.stringify(o)}`);
  }
  for (const [size, stride] of [[3, 2], [4, 2], [5, 3], [2, 1], [1, 3], [2, 3]]) {
    const k = kernel(70 + size, [size, size, 5, 4]);
    const want = apply('conv2dTranspose', {filters: 5, kernelSize: size, strides: stride, padding: 'same'}, k, map);
    conv(`up-same-${size}-${stride}`, map, k, `--transpose --padding same --stride ${stride}`, want, `layers.conv2dTranspose, same, kernel ${size}, strides ${stride}`);
  }
  {
    const k = kernel(80, [3, 3, 5, 4]);
    const want = tf.conv2dTranspose(map, k, [1, 7, 10, 5], 2, 'same');
    conv('up-shape', map, k, '--transpose --padding same --stride 2 --output-size 7,10', want, 'conv2dTranspose to (1,7,10,5), same, strides 2');
  }
  {
    const k = kernel(81, [3, 3, 3, 3, 4]);
    conv('same-3d', clip, k, '--padding same --stride 2', tf.conv3d(clip, k, 2, 'same'), 'conv3d, same, strides 2');
    const up = kernel(82, [3, 3, 3, 4, 3]);
    const want = apply('conv3dTranspose', {filters: 4, kernelSize: 3, strides: 2, padding: 'same'}, up, clip);
    conv('up-3d', clip, up, '--transpose --padding same --stride 2', want, 'layers.conv3dTranspose, same, strides 2');
  }
}
