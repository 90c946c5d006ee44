#!/bin/sh
# The eight fusions on small maps of handwritten digits (testdata/digits), one
# after the other: what each computes, the command, and what came out.
set -eu
cd "$(dirname "$0")/digits"
fusectl=../../bin/fusectl
out=../../demo-out
mkdir -p "$out"

step() { # step 'what it does' RESULT COMMAND...
	what=$1 result=$2
	shift 2
	printf '\n%s\n  $ fusectl %s\n' "$what" "$*" | sed "s|$out/||g"
	"$fusectl" "$@"
	(cd "$out" && "../bin/fusectl" info --stats "$result") | sed 's/^/  /'
}

echo "32 pictures of handwritten digits, filtered into maps of 16 x 16 positions and 8 channels."

step "concat: strokes and blobs side by side, 16 channels, as U-Net joins a skip connection" joined.npy \
	concat edges.npy blobs.npy -o "$out/joined.npy"
step "add: the two maps summed and rectified, as ResNet adds its shortcut" sum.npy \
	add edges.npy blobs.npy --coef 1,-0.5 --activation relu -o "$out/sum.npy"
step "mul: each picture's channels scaled by its own gate, as SENet does" gated.npy \
	mul edges.npy gate.npy -o "$out/gated.npy"
step "gap: 8 mean responses a picture; their nearest class mean names 29 of 32 digits" pooled.npy \
	gap edges.npy -o "$out/pooled.npy"
step "gmp: the strongest response of each channel" peaks.npy \
	gmp edges.npy -o "$out/peaks.npy"
step "fpn: a pyramid of three levels fused from the top down, as RetinaNet's" p2.npy \
	fpn c2.npy c3.npy c4.npy -o "$out/p2.npy"
step "crossmodal: strokes gated by the spectrum of the same pictures, as VQA fuses image and text" fused.npy \
	crossmodal strokes.npy spectrum.npy --mode gate -o "$out/fused.npy"
step "attention: the 32 pictures attend to one another; each moves towards its own digit's mean" attended.npy \
	attention sequence.npy --scale auto -o "$out/attended.npy"
step "attention --spatial: every position of the coarsest map attends to every other, as Non-local does" nonlocal.npy \
	attention c4.npy --spatial --residual -o "$out/nonlocal.npy"

printf '\nand in a pipe, without a file between:\n  $ fusectl add edges.npy blobs.npy | fusectl gap - | fusectl info --stats -\n'
"$fusectl" add edges.npy blobs.npy | "$fusectl" gap - | "$fusectl" info --stats - | sed 's/^/  /'
cd ../..
out=demo-out
printf '\nand a whole network, trained by PyTorch on 8 x 8 digits, as one recipe of %s lines (testdata/network/digits.fuse):\n' \
	"$(wc -l <testdata/network/digits.fuse)"
cat <<'EOF'
  $ fusectl run digits.fuse images=images.npy w=weights.npz logits=logits.npy p2=p2-digits.npy --layout nchw
  $ fusectl diff logits.npy labels.npy --argmax
EOF
bin/fusectl run testdata/network/digits.fuse images=testdata/network/images.npy w=testdata/network/weights.npz \
	logits=$out/logits.npy p2=$out/p2-digits.npy --layout nchw
accuracy=$(bin/fusectl diff $out/logits.npy testdata/network/labels.npy --argmax) || true # some differ
printf '  accuracy: %s on the test pictures\n' "$accuracy"
bin/fusectl show $out/p2-digits.npy --layout nchw --title "the finest level of the pyramid, of the first test picture" -o $out/p2-digits.png
printf '  demo-out/p2-digits.png shows its maps\n'
printf '\nThe arrays are in demo-out/. NumPy reads them: np.load("demo-out/p2.npy")\n'
