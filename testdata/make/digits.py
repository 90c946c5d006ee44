"""The demo's input: feature maps of handwritten digits, from scikit-learn's copy of the UCI set (1797 pictures of 8x8).

Every map comes from a fixed filter bank, nothing is trained. Values are rounded to multiples of 2^-12, so that another
processor's last bits don't change the files. ../digits/README.md says what each file is.

usage: digits.py FOLDER
"""
import pathlib
import sys

import numpy as np
from sklearn.datasets import load_digits

out = pathlib.Path(sys.argv[1])
CLASSES, EACH = (0, 1, 4, 7), 8


def save(name, array):
    array = np.round(array * 4096) / 4096 if array.dtype.kind == "f" else array
    np.save(out / f"{name}.npy", array.astype("f4") if array.dtype.kind == "f" else array, allow_pickle=False)


def double(pictures):
    """[N,H,W] to [N,2H,2W], bilinear with half-pixel centres."""
    for axis in (1, 2):
        n = pictures.shape[axis]
        at = np.clip((np.arange(2 * n) + 0.5) / 2 - 0.5, 0, n - 1)
        low = np.minimum(at.astype(int), n - 2)
        shape = [-1 if a == axis else 1 for a in range(3)]
        part = (at - low).reshape(shape)
        pictures = pictures.take(low, axis) * (1 - part) + pictures.take(low + 1, axis) * part
    return pictures


def halve(maps):
    """[N,H,W,...] to [N,H/2,W/2,...], the mean of each 2x2."""
    n, h, w = maps.shape[:3]
    return maps.reshape(n, h // 2, 2, w // 2, 2, *maps.shape[3:]).mean((2, 4))


def correlate(pictures, filters):
    """[N,H,W] with [C,k,k] to [N,H,W,C], zero padding."""
    r = filters.shape[-1] // 2
    padded = np.pad(pictures, ((0, 0), (r, r), (r, r)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, filters.shape[1:], (1, 2))
    return np.einsum("nhwij,cij->nhwc", windows, filters)


def plane(radius):
    return np.mgrid[-radius:radius + 1, -radius:radius + 1].astype(float)


def edge_filters(radius=3, sigma=2.5, wavelength=5.0):
    """8 even Gabor filters: a stroke of direction k·22.5°, from vertical strokes on; zero mean, unit norm."""
    y, x = plane(radius)
    bank = []
    for angle in np.arange(8) * np.pi / 8:
        across = x * np.cos(angle) + y * np.sin(angle)
        f = np.exp(-(x * x + y * y) / (2 * sigma**2)) * np.cos(2 * np.pi * across / wavelength)
        f -= f.mean()
        bank.append(f / np.linalg.norm(f))
    return np.array(bank)


def blob_filters(radius=4):
    """Differences of Gaussians at 4 sizes: bright blobs (0-3), then dark ones, holes (4-7)."""
    y, x = plane(radius)
    bank = []
    for sigma in (0.8, 1.2, 1.7, 2.4):
        narrow, wide = (np.exp(-(x * x + y * y) / (2 * s * s)) for s in (sigma, 1.6 * sigma))
        f = narrow / narrow.sum() - wide / wide.sum()
        bank.append(f / np.linalg.norm(f))
    return np.array(bank + [-f for f in bank])


def relu(x):
    return np.maximum(x, 0)


data = load_digits()
chosen = np.concatenate([np.flatnonzero(data.target == c)[:EACH] for c in CLASSES])
small, labels = data.images[chosen] / 16, data.target[chosen]
pictures = double(small)

edges, blobs = relu(correlate(pictures, edge_filters())), relu(correlate(pictures, blob_filters()))
save("labels", labels.astype("i8"))
save("edges", edges)
save("blobs", blobs)

# Squeeze: the mean of each edge channel. Excite: well above the average picture's, the gate opens.
squeezed = edges.mean((1, 2))
excited = 1 / (1 + np.exp(-2 * (squeezed - squeezed.mean(0)) / squeezed.std(0)))
save("gate", excited[:, None, None, :])

# A pyramid over a mosaic of 16 pictures, 4 of each digit a row: one filter bank on a picture that halves each time.
rows = [np.concatenate(small[i * EACH:i * EACH + 4], axis=1) for i in range(4)]
mosaic = np.concatenate(rows)[None]
for level in (2, 3, 4):
    maps = np.concatenate([correlate(mosaic, edge_filters()), correlate(mosaic, blob_filters())], -1)
    save(f"c{level}", relu(maps))
    mosaic = halve(mosaic)

# Two modalities of 16 pictures (4 of each digit), 16 tokens of 16 channels each. What the strokes look like: both banks
# over a 4x4 grid of patches. What the spectrum says: magnitudes of the 8x8 picture's Fourier transform.
four = np.concatenate([np.arange(i * EACH, i * EACH + 4) for i in range(4)])
both = np.concatenate([edges, blobs], -1)[four]
save("strokes", halve(halve(both)).reshape(16, 16, 16))
spectrum = np.abs(np.fft.fft2(pictures[four] - pictures[four].mean((1, 2), keepdims=True), norm="ortho"))
save("spectrum", spectrum)

# One vector a picture, in the order of labels.npy: 16 principal components of both banks over a 4x4 grid, as rows of
# length 4. Dot products reach 16 within a class, so that attention groups the digits, scaled by 1/√16 or not at all.
patches = halve(halve(np.concatenate([edges, blobs], -1))).reshape(len(labels), -1)
u, sizes, _ = np.linalg.svd(patches - patches.mean(0), full_matrices=False)
u *= np.sign(np.take_along_axis(u, np.abs(u).argmax(0)[None], 0))  # the sign of a component is LAPACK's whim
vectors = u[:, :16] * sizes[:16]
save("sequence", 4 * vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
