#!/bin/sh
# Installs what fusectl is measured beside: NumPy with OpenBLAS and PyTorch by apt, ONNX Runtime by npm into
# bench/node_modules. What is there already isn't installed again.
set -eu
cd "$(dirname "$0")"
python=${PYTHON:-/usr/bin/python3}

# Debian's NumPy and PyTorch take whichever BLAS is there: without OpenBLAS the slow reference one.
if ! "$python" -c 'import sys, torch, peer_numpy; sys.exit(peer_numpy.openblas() is None)' 2>/dev/null; then
	if [ "$(id -u)" = 0 ]; then sudo=; else sudo=sudo; fi
	$sudo apt-get update -qq
	$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
		python3-numpy python3-torch libopenblas0-pthread
fi

# The CPU libraries come with the package; its scripts would fetch those for GPUs.
if ! node -e 'require("onnxruntime-node")' 2>/dev/null; then
	npm install --ignore-scripts --no-audit --no-fund --no-package-lock
fi
