#!/bin/sh
# Makes testdata/golden, testdata/digits and testdata/network anew. README.md says what it needs.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-/usr/bin/python3}
new=$(mktemp -d "$here/../.golden.XXXXXX")
trap 'rm -rf "$new"' EXIT
export PYTHONDONTWRITEBYTECODE=1

chmod 755 "$new"
mkdir "$new/loose" "$new/digits" "$new/network"
"$python" "$here/numpy_cases.py" "$new/loose"
"$python" "$here/torch_cases.py" "$new/loose"
"$python" "$here/part_cases.py" "$new/loose"
"$python" "$here/arrange_cases.py" "$new/loose"
"$python" "$here/window_cases.py" "$new/loose"
"$python" "$here/conv_cases.py" "$new/loose"
"$python" "$here/reduce_cases.py" "$new/loose"
"$python" "$here/network_cases.py" "$new/loose"
"$python" "$here/use_cases.py" "$new/loose"
"$python" "$here/bundle_cases.py" "$new/loose"
"$python" "$here/type_cases.py" "$new/loose"
"$python" "$here/elementwise_cases.py" "$new/loose"
"$python" "$here/product_cases.py" "$new/loose"
"$python" "$here/activation_cases.py" "$new/loose"
"$python" "$here/onnx_cases.py" "$new/loose"
node "$here/tfjs_cases.mjs" "$new/loose"
"$python" "$here/norm_cases.py" "$new/loose"
"$python" "$here/pack.py" "$new/loose" "$new/golden"
"$python" "$here/digits.py" "$new/digits"
mv "$new/loose/onnx.txt" "$new/"
cp "$here/../digits/README.md" "$new/digits/"
"$python" "$here/network.py" "$new"
cp "$here/../network/digits.fuse" "$new/network/"
"$python" "$here/check.py" "$new"

# Only what passed the check takes the old files' place.
rm -rf "$here/../golden" "$here/../digits" "$here/../network"
mv "$new/golden" "$new/digits" "$new/network" "$new/onnx.txt" "$here/.."
