"""Arrangements of axes: rearrange, repeat, reshape, split, stack and pad, by NumPy, and by PyTorch where it has the operation.

A pattern is held to the reshapes and transposes that it stands for, written out by hand.

    python3 arrange_cases.py FOLDER
"""
import sys

import numpy as np
import torch
import torch.nn.functional as F

from golden import Golden, dims, rng

g = Golden(sys.argv[1], f"numpy {np.__version__}, torch {torch.__version__}")


def t(a):
    return torch.from_numpy(np.ascontiguousarray(a))


def some(shape, dtype="f4"):
    """Elements of a dtype, all of whose bytes vary where any bytes are a value."""
    r = rng(dims(shape) + dtype)
    if dtype[1:2] == "U" or dtype[0] == "S":
        return np.array(["a", "", "bcd", "long"])[r.integers(0, 4, shape)].astype(dtype)
    if dtype[0] in "Mm":
        return r.integers(-900, 900, shape).astype("i8").view(dtype)
    if dtype[0] == "V":
        return r.integers(0, 256, (*shape, int(dtype[1:])), "u1").view(dtype)[..., 0]
    if dtype == "b1":
        return r.integers(0, 2, shape).astype(dtype)
    if dtype[0] == "c":
        return (r.integers(-99, 99, shape) + 1j * r.integers(-99, 99, shape)).astype(dtype)
    return r.integers(0 if dtype[0] == "u" else -99, 100, shape).astype(dtype)


def put(x):
    return g.put(f"arrange_{dims(x.shape)}_{x.dtype.str[1:].replace('[', '').replace(']', '')}", x)


def case(command, framework, what, x, args, want, by, out=None):
    paths = [put(a) for a in (x if isinstance(x, list) else [x])]
    g.case(f"{command}/{framework}/{what}", [command, *paths, *args], want, by=by, out=out)


# ---- rearrange: the equivalences of einops' documentation and tests

x4, x5 = some((6, 8, 9, 4), "u1"), some((2, 3, 4, 5, 6), "u1")
for what, x, pattern, sizes, f in [
    ("identity", x4, "b h w c -> b h w c", "", lambda x: x),
    ("channels-first", x4, "b h w c -> b c h w", "", lambda x: x.transpose(0, 3, 1, 2)),
    ("channels-last", x4, "b c h w -> b h w c", "", lambda x: x.transpose(0, 2, 3, 1)),
    ("reversed", x5, "a b c d e -> e d c b a", "", lambda x: x.transpose(4, 3, 2, 1, 0)),
    ("stacked-down", x4, "b h w c -> (b h) w c", "", lambda x: x.reshape(48, 9, 4)),
    ("stacked-across", x4, "b h w c -> h (b w) c", "", lambda x: x.transpose(1, 0, 2, 3).reshape(8, 54, 4)),
    ("flat", x4, "b h w c -> b (c h w)", "", lambda x: x.transpose(0, 3, 1, 2).reshape(6, 288)),
    ("flat-all", x4, "b h w c -> (b h w c)", "", lambda x: x.ravel()),
    ("one-column", x4, "b h w c -> (b h w c) ()", "", lambda x: x.reshape(-1, 1)),
    ("apart", x4, "(b1 b2) h w c -> b1 b2 h w c", "b1=2", lambda x: x.reshape(2, 3, 8, 9, 4)),
    ("apart-inner", x4, "(b1 b2) h w c -> b1 b2 h w c", "b2=2", lambda x: x.reshape(3, 2, 8, 9, 4)),
    ("space-to-batch", x4, "b (h h1) (w w1) c -> (b h1 w1) h w c", "h1=2,w1=3",
     lambda x: x.reshape(6, 4, 2, 3, 3, 4).transpose(0, 2, 4, 1, 3, 5).reshape(36, 4, 3, 4)),
    ("space-to-depth", x4, "b (h h1) (w w1) c -> b h w (c h1 w1)", "h1=4,w1=3",
     lambda x: x.reshape(6, 2, 4, 3, 3, 4).transpose(0, 1, 3, 5, 2, 4).reshape(6, 2, 3, 48)),
    ("grid", x4, "(b1 b2) h w c -> (b1 h) (b2 w) c", "b1=3",
     lambda x: x.reshape(3, 2, 8, 9, 4).transpose(0, 2, 1, 3, 4).reshape(24, 18, 4)),
    ("order-in-parentheses", x4, "b h (w1 w2) c -> (w2 w1 h) b c", "w1=3",
     lambda x: x.reshape(6, 8, 3, 3, 4).transpose(3, 2, 1, 0, 4).reshape(72, 6, 4)),
    ("given-size", x4, "b h w c -> w h b c", "h=8", lambda x: x.transpose(2, 1, 0, 3)),
    ("new-ones", x4, "b h w c -> 1 b 1 h (w c) ()", "", lambda x: x.reshape(1, 6, 1, 8, 36, 1)),
    ("no-ones", some((1, 5, 1, 4)), "1 a () b -> b a", "", lambda x: x[0, :, 0].T),
    ("ellipsis", x5, "a ... b -> b ... a", "", lambda x: x.transpose(4, 1, 2, 3, 0)),
    ("ellipsis-joined", x5, "... a -> (...) a", "", lambda x: x.reshape(-1, 6)),
    ("ellipsis-within", x5, "a b ... c -> b (c ... a)", "", lambda x: x.transpose(1, 4, 2, 3, 0).reshape(3, -1)),
    ("ellipsis-of-none", some((5, 4)), "a b ... -> ... b a", "", lambda x: x.T),
    ("ellipsis-and-parts", x5, "a b ... (p q) -> q ... (b p) a", "p=3",
     lambda x: x.reshape(2, 3, 4, 5, 3, 2).transpose(5, 2, 3, 1, 4, 0).reshape(2, 4, 5, 9, 2)),
    ("number", some(()), " -> 1 ()", "", lambda x: x.reshape(1, 1)),
    ("one-of-many", some((1, 1)), "1 1 -> ", "", lambda x: x.reshape(())),
    ("empty", some((2, 0, 6)), "a b (c d) -> d b (a c)", "c=3", lambda x: np.zeros((2, 0, 6), "f4")),
    ("long-names", x4, "batch height_1 Width2 ç -> ç Width2 batch height_1", "", lambda x: x.transpose(3, 2, 0, 1)),
]:
    case("rearrange", "numpy", what, x, [pattern, *(["--sizes", sizes] if sizes else [])], f(x), "reshape and transpose")
for dtype in ("b1", "i1", "u2", "i8", "f2", "f8", "c8", "c16", "<U4", "S3", "M8[s]", "m8[D]", "V2", "V5"):
    x = some((3, 4, 10), dtype)
    case("rearrange", "numpy", f"dtype-{x.dtype.str[1:].replace('[', '').replace(']', '')}", x, ["a b (c d) -> (d b) (c a)", "--sizes", "d=5"],
         x.reshape(3, 4, 2, 5).transpose(3, 1, 2, 0).reshape(20, 6), "reshape and transpose")
pair = [some((4, 5, 3)), some((4, 5, 3), "f8")]
case("rearrange", "numpy", "several", pair, ["two h w c -> h (two w) c"], np.stack(pair).transpose(1, 0, 2, 3).reshape(4, 10, 3), "stack, reshape and transpose")
x = np.asfortranarray(some((5, 6, 8), "i4"))
g.case("rearrange/numpy/fortran", ["rearrange", g.put("arrange_fortran", x), "a b (c d) -> d a (b c)", "--sizes", "c=4"],
       x.reshape(5, 6, 4, 2).transpose(3, 0, 1, 2).reshape(2, 5, 24), by="reshape and transpose")
g.case("rearrange/numpy/then-heads", ["rearrange", put(some((2, 5, 16))), "n t (h d) -> n h t d", "--sizes", "h=4", "then", "rearrange", "n h t d -> n t (h d)"],
       some((2, 5, 16)), by="the array itself")

nchw = some((1, 12, 6, 6))
case("rearrange", "torch", "pixel-shuffle", nchw, ["n (c p q) h w -> n c (h p) (w q)", "--sizes", "p=2,q=2"], F.pixel_shuffle(t(nchw), 2).numpy(), "pixel_shuffle")
case("rearrange", "torch", "pixel-unshuffle", nchw, ["n c (h p) (w q) -> n (c p q) h w", "--sizes", "p=3,q=3"], F.pixel_unshuffle(t(nchw), 3).numpy(), "pixel_unshuffle")
case("rearrange", "torch", "channel-shuffle", nchw, ["n (g c) h w -> n (c g) h w", "--sizes", "g=3"], torch.nn.ChannelShuffle(3)(t(nchw)).numpy(), "ChannelShuffle")
case("rearrange", "torch", "flatten-positions", nchw, ["n c h w -> n (h w) c"], t(nchw).flatten(2).transpose(1, 2).numpy(), "flatten and transpose")
case("rearrange", "torch", "unfold", nchw, ["n c (h p) (w q) -> n (c p q) (h w)", "--sizes", "p=2,q=3"],
     F.unfold(t(nchw), (2, 3), stride=(2, 3)).numpy(), "unfold of windows that don't overlap")
nhwc = some((1, 8, 12, 3))
windows = t(nhwc).view(1, 2, 4, 3, 4, 3).permute(0, 1, 3, 2, 4, 5).reshape(-1, 16, 3)  # Swin's window_partition
case("rearrange", "torch", "swin-windows", nhwc, ["n (h p) (w q) c -> (n h w) (p q) c", "--sizes", "p=4,q=4"], windows.numpy(), "view and permute, as Swin's window_partition")
case("rearrange", "torch", "swin-back", windows.numpy(), ["(n h w) (p q) c -> n (h p) (w q) c", "--sizes", "h=2,w=3,p=4"], nhwc, "the array that the windows are of")
patches = t(nhwc).permute(0, 3, 1, 2).unfold(2, 4, 4).unfold(3, 4, 4).permute(0, 2, 3, 4, 5, 1).flatten(3).flatten(1, 2)
case("rearrange", "torch", "vit-patches", nhwc, ["n (h p) (w q) c -> n (h w) (p q c)", "--sizes", "p=4,q=4"], patches.numpy(), "unfold and permute, as ViT's patches")
qkv = some((1, 5, 24))
case("rearrange", "torch", "qkv-heads", qkv, ["n t (k h d) -> k n h t d", "--sizes", "k=3,h=2"], t(qkv).reshape(1, 5, 3, 2, 4).permute(2, 0, 3, 1, 4).numpy(), "reshape and permute, as ViT's attention")
pairs = some((1, 5, 24))
case("rearrange", "torch", "rotary-pairs", pairs, ["n t (d two) -> n t (two d)", "--sizes", "two=2"], torch.cat([t(pairs)[..., ::2], t(pairs)[..., 1::2]], -1).numpy(), "cat of even and odd features")

# ---- repeat

x2, x3 = some((5, 7)), some((4, 5, 3))
for what, x, pattern, sizes, f in [
    ("new-last", x2, "h w -> h w 3", "", lambda x: np.broadcast_to(x[..., None], (5, 7, 3))),
    ("new-first", x2, "h w -> n h w", "n=4", lambda x: np.broadcast_to(x, (4, 5, 7))),
    ("tile", x2, "h w -> (r h) w", "r=2", lambda x: np.tile(x, (2, 1))),
    ("tile-both", x2, "h w -> (2 h) (3 w)", "", lambda x: np.tile(x, (2, 3))),
    ("each", x2, "h w -> (h r) w", "r=2", lambda x: np.repeat(x, 2, 0)),
    ("each-both", x2, "h w -> (h 2) (w 3)", "", lambda x: x.repeat(2, 0).repeat(3, 1)),
    ("mixed", x2, "h w -> (2 h) (w 3)", "", lambda x: np.tile(x, (2, 1)).repeat(3, 1)),
    ("transposed", x3, "h w c -> c (r w) 2 h", "r=3", lambda x: np.broadcast_to(np.tile(x.transpose(2, 1, 0), (1, 3, 1))[:, :, None], (3, 15, 2, 4))),
    ("apart", x3, "h (a b) c -> (b r) h c a", "a=5,r=2", lambda x: x.reshape(4, 5, 1, 3).transpose(2, 0, 3, 1).repeat(2, 0)),
    ("ellipsis", x3, "... c -> (c 2) ...", "", lambda x: x.transpose(2, 0, 1).repeat(2, 0)),
    ("ellipsis-tiled", x3, "... -> 2 (...)", "", lambda x: np.tile(x.ravel(), (2, 1))),
    ("number", some(()), " -> a 3", "a=2", lambda x: np.full((2, 3), x)),
    ("once", x2, "h w -> h 1 w r", "r=1", lambda x: x[:, None, :, None]),
    ("no-new", x2, "h w -> w h", "", lambda x: x.T),
]:
    case("repeat", "numpy", what, x, [pattern, *(["--sizes", sizes] if sizes else [])], np.array(f(x)), "repeat, tile and broadcast_to")
for dtype in ("b1", "i2", "f2", "c16", "<U4", "V5"):
    x = some((3, 4), dtype)
    case("repeat", "numpy", f"dtype-{x.dtype.str[1:]}", x, ["a b -> (b 2) 3 a"], np.array(np.broadcast_to(x.T.repeat(2, 0)[:, None], (8, 3, 3))), "repeat and broadcast_to")
case("repeat", "numpy", "several", pair, ["two h w c -> h (two w) c 2"], np.array(np.broadcast_to(np.stack(pair).transpose(1, 0, 2, 3).reshape(4, 10, 3)[..., None], (4, 10, 3, 2))), "stack and broadcast_to")
case("repeat", "torch", "nearest", nchw, ["n c h w -> n c (h 2) (w 3)"], F.interpolate(t(nchw), scale_factor=(2, 3)).numpy(), "interpolate")
vector = some((2, 6))
case("repeat", "torch", "vector-at-positions", vector, ["n c -> n c h w", "--sizes", "h=3,w=4"], t(vector)[:, :, None, None].expand(-1, -1, 3, 4).numpy(), "expand")
heads = some((2, 3, 5, 4))
case("repeat", "torch", "grouped-query-heads", heads, ["n h t d -> n (h r) t d", "--sizes", "r=4"], torch.repeat_interleave(t(heads), 4, 1).numpy(), "repeat_interleave")

# ---- reshape

for what, x, shape in [
    ("flat", x4, (-1,)), ("matrix", x4, (6, -1)), ("middle", x4, (6, -1, 4)), ("first", x4, (-1, 9, 4)), ("all-said", x4, (8, 6, 36)),
    ("ones", x2, (1, 5, -1, 7, 1)), ("to-number", some((1, 1)), ()), ("from-number", some(()), (-1, 1)), ("empty", some((2, 0, 6)), (-1, 6)), ("empty-to-empty", some((2, 0, 6)), (0, 3)),
]:
    case("reshape", "numpy", what, x, ["--shape", ",".join(map(str, shape))], x.reshape(shape), "reshape")
for dtype in ("b1", "f2", "c16", "<U4", "M8[s]"):
    x = some((3, 4, 10), dtype)
    case("reshape", "numpy", f"dtype-{x.dtype.str[1:].replace('[', '').replace(']', '')}", x, ["--shape", "5,-1"], x.reshape(5, -1), "reshape")
g.case("reshape/numpy/fortran", ["reshape", "in/arrange_fortran.npy", "--shape", "10,-1"], np.load(g.root / "in/arrange_fortran.npy").reshape(10, -1), by="reshape")
case("reshape", "numpy", "dtype-flag", x2, ["--shape", "35", "--dtype", "int16"], x2.reshape(35).astype("i2"), "reshape and astype")

# ---- split and stack

for what, x, args, parts in [
    ("halves", x4, ["--parts", "2"], np.split(x4, 2, -1)), ("rows", x4, ["--parts", "3", "--axis", "0"], np.split(x4, 3, 0)),
    ("middle", x4, ["--sizes", "2,5,1", "--axis", "1"], np.split(x4, [2, 7], 1)), ("one", x4, ["--parts", "1"], [x4]),
    ("nothing", x4, ["--sizes", "0,4"], np.split(x4, [0], -1)), ("texts", some((3, 4), "<U4"), ["--sizes", "1,3"], np.split(some((3, 4), "<U4"), [1], -1)),
]:
    for i, part in enumerate(parts):
        case("split", "numpy", f"{what}-{i}", x, [*args, "-o", "{dir}/part{}.npy"], part, "split", out=f"part{i}.npy")
for i, part in enumerate(torch.split(t(qkv), [4, 8, 12], -1)):
    case("split", "torch", f"rest-{i}", qkv, ["--sizes", "4,-1,12", "-o", "{dir}/part{}.npy"], part.numpy(), "split", out=f"part{i}.npy")
for i, part in enumerate(torch.chunk(t(nchw), 3, 1)):
    case("split", "torch", f"chunk-{i}", nchw, ["--parts", "3", "--axis", "1", "-o", "{dir}/part{}.npy"], part.numpy(), "chunk", out=f"part{i}.npy")
three = [some((4, 5, 3)), some((4, 5, 3), "i4"), some((4, 5, 3), "u1")]
for axis in (0, 1, 3, -1, -2):
    case("stack", "numpy", f"axis{axis}", three[:1] * 2, ["--axis", str(axis)], np.stack(three[:1] * 2, axis), "stack")
case("stack", "numpy", "promoted", three, [], np.stack(three).astype("f8"), "stack")
case("stack", "numpy", "one", x2, [], x2[None], "stack")
case("stack", "numpy", "numbers", [some(()), some((), "f8")], [], np.stack([some(()).astype("f8"), some((), "f8")]), "stack")
case("stack", "numpy", "texts", [some((3, 4), "<U4"), some((3, 4), "S3")], ["--axis", "1"], np.stack([some((3, 4), "<U4"), some((3, 4), "S3").astype("<U3")], 1), "stack")

# ---- pad

y4, small = some((2, 3, 4, 3), "u1"), some((1, 3, 6, 6))

for mode in ("constant", "edge", "reflect", "symmetric", "wrap"):
    for what, x, widths in [
        ("all", x3, [(1, 2), (2, 0), (1, 1)]), ("row", some((6,), "i2"), [(3, 5)]), ("batch", y4, [(2, 1), (0, 0), (0, 0), (0, 0)]),
        ("inner", y4, [(0, 0), (0, 0), (1, 1), (2, 3)]), ("zero", x2, [(0, 0), (0, 0)]),
    ]:
        case("pad", "numpy", f"{what}-{mode}", x, ["--pad", ",".join(f"{b}:{a}" for b, a in widths), "--mode", mode], np.pad(x, widths, mode), "pad")
    x = some((1, 4, 3))
    case("pad", "numpy", f"one-position-{mode}", x, ["--pad", "3,0,0", "--mode", mode], np.pad(x, [(3, 3), (0, 0), (0, 0)], mode), "pad")
    x = some((3, 5))  # farther than the array reaches: by whole periods, on which all versions of NumPy agree
    case("pad", "numpy", f"far-{mode}", x, ["--pad", "12,0", "--mode", mode], np.pad(x, [(12, 12), (0, 0)], mode), "pad")
for dtype in ("b1", "i1", "u8", "f2", "f8", "c8", "<U4", "M8[s]", "V5"):
    x = some((3, 4), dtype)
    name = x.dtype.str[1:].replace("[", "").replace("]", "")
    case("pad", "numpy", f"dtype-{name}-reflect", x, ["--pad", "2:1,1", "--mode", "reflect"], np.pad(x, [(2, 1), (1, 1)], "reflect"), "pad")
    zeros = np.zeros((6, 6), x.dtype)
    zeros[2:5, 1:5] = x
    case("pad", "numpy", f"dtype-{name}-zeros", x, ["--pad", "2:1,1"], zeros, "zeros and an assignment")
for value, dtype in [("7", "f4"), ("-3", "i1"), ("1", "b1"), ("nan", "f4"), ("-inf", "f2"), ("2.5", "f8"), ("255", "u1"), ("1.5", "c8")]:
    x = some((3, 4), dtype)
    want = np.pad(x, 1, constant_values=np.array(float(value)).astype(dtype))
    case("pad", "numpy", f"value-{value}-{dtype}", x, ["--pad", "1", "--value", value], want, "pad")
case("pad", "numpy", "value-wider", some((3, 4), "u1"), ["--pad", "1", "--value", "300", "--dtype", "int32"], np.pad(some((3, 4), "u1").astype("i4"), 1, constant_values=300), "pad")
case("pad", "numpy", "axes", y4, ["--pad", "1,0:2", "--axes", "-2,1"], np.pad(y4, [(0, 0), (0, 2), (1, 1), (0, 0)]), "pad")
case("pad", "numpy", "one-width", y4, ["--pad", "0:1"], np.pad(y4, [(0, 1)] * 4), "pad")
case("pad", "numpy", "empty", some((2, 0, 6)), ["--pad", "1"], np.pad(some((2, 0, 6)), 1), "pad")
for mode, theirs in [("reflect", "reflect"), ("edge", "replicate"), ("wrap", "circular"), ("constant", "constant")]:
    case("pad", "torch", f"map-{mode}", small, ["--pad", "2:1,3:4", "--axes", "2,3", "--mode", mode], F.pad(t(small), (3, 4, 2, 1), theirs).numpy(), "pad")
    clip = some((1, 1, 3, 4, 5))
    case("pad", "torch", f"volume-{mode}", clip, ["--pad", "1:2,2:1,3:0", "--axes", "2,3,4", "--mode", mode], F.pad(t(clip), (3, 0, 2, 1, 1, 2), theirs).numpy(), "pad")
    line = some((2, 3, 8))
    case("pad", "torch", f"line-{mode}", line, ["--pad", "5:4", "--axes", "-1", "--mode", mode], F.pad(t(line), (5, 4), theirs).numpy(), "pad")
case("pad", "torch", "crop", small, ["--pad", "-1:-2,3:-4", "--axes", "2,3", "--value", "9"], F.pad(t(small), (3, -4, -1, -2), value=9).numpy(), "pad")
case("pad", "torch", "crop-all", small, ["--pad", "1:0,-1,-1:2,-2:-3"], F.pad(t(small), (-2, -3, -1, 2, -1, -1, 1, 0)).numpy(), "pad")
