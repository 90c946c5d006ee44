"""A small trained network, with what PyTorch makes of it: scikit-learn's digits (8x8), a residual backbone with
squeeze-and-excitation, torchvision's feature pyramid, a non-local block and a linear classifier.

The weights are float32, under the names and in the layouts of the state_dict. Results are computed from them in float64
and rounded once. The recipe ../network/digits.fuse is the same forward pass.

usage: network.py TESTDATA, whose folder network/ it fills
"""
import pathlib
import sys

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

SEED, EPOCHS, BATCH, RATE, DECAY, SMOOTHING = 1, 100, 32, 2e-3, 1e-4, 0.05
WIDTHS, PYRAMID = (16, 24, 32), 24  # channels of the backbone's levels, and of the pyramid's
ACCURACY, PICTURED = 0.985, 8

torch.manual_seed(SEED)
torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)


class SE(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.fc1 = nn.Linear(channels, channels // 4)
        self.fc2 = nn.Linear(channels // 4, channels)

    def forward(self, x):
        gate = torch.sigmoid(self.fc2(F.relu(self.fc1(x.mean((2, 3))))))
        return x * gate[:, :, None, None]


class Block(nn.Module):
    """Two convolutions, the second one's channels gated, and the shortcut; with stride 2 the shortcut is a projection."""

    def __init__(self, before, after, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, padding=1)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1)
        self.se = SE(after)
        self.shortcut = nn.Identity() if stride == 1 else nn.Conv2d(before, after, 1, stride)

    def forward(self, x):
        return F.relu(self.se(self.conv2(F.relu(self.conv1(x)))) + self.shortcut(x))


class Pyramid(nn.Module):
    """What torchvision.ops.FeaturePyramidNetwork computes, under its names; levels are finest first."""

    def __init__(self, widths, channels):
        super().__init__()
        self.inner_blocks = nn.ModuleList(nn.Sequential(nn.Conv2d(w, channels, 1)) for w in widths)
        self.layer_blocks = nn.ModuleList(nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1)) for _ in widths)

    def forward(self, levels):
        fused = [inner(x) for inner, x in zip(self.inner_blocks, levels)]
        for i in reversed(range(len(fused) - 1)):
            fused[i] = fused[i] + F.interpolate(fused[i + 1], size=fused[i].shape[-2:], mode="nearest")
        return [layer(x) for layer, x in zip(self.layer_blocks, fused)]


class NonLocal(nn.Module):
    """The embedded Gaussian of Wang et al. 2018: every position attends to every other; scores are not scaled."""

    def __init__(self, channels):
        super().__init__()
        half = channels // 2
        self.theta, self.phi, self.g = (nn.Conv2d(channels, half, 1) for _ in range(3))
        self.out = nn.Conv2d(half, channels, 1)

    def forward(self, x):
        theta, phi, g = (f(x).flatten(2) for f in (self.theta, self.phi, self.g))
        attended = g @ torch.softmax(theta.transpose(1, 2) @ phi, -1).transpose(1, 2)
        return x + self.out(attended.unflatten(2, x.shape[2:]))


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        a, b, c = WIDTHS
        self.stem = nn.Conv2d(1, a, 3, padding=1)
        self.block1, self.block2, self.block3 = Block(a, a, 1), Block(a, b, 2), Block(b, c, 2)
        self.fpn = Pyramid(WIDTHS, PYRAMID)
        self.add_module("nonlocal", NonLocal(PYRAMID))  # a keyword of Python's, so not an attribute
        self.classifier = nn.Linear(3 * PYRAMID, 10)

    def pyramid(self, x):
        c2 = self.block1(F.relu(self.stem(x)))
        c3 = self.block2(c2)
        return self.fpn([c2, c3, self.block3(c3)])

    def forward(self, x):
        p2, p3, p4 = self.pyramid(x)
        levels = [self.get_submodule("nonlocal")(p2), p3, p4]
        return self.classifier(torch.cat([level.mean((2, 3)) for level in levels], 1))


def shifted(pictures):
    """Each picture moved by up to one pixel either way, with zeros coming in."""
    padded = F.pad(pictures, (1, 1, 1, 1))
    down, right = torch.randint(0, 3, (2, len(pictures), 1, 1))
    rows, columns = down + torch.arange(8)[None, :, None], right + torch.arange(8)[None, None, :]
    return padded[torch.arange(len(pictures))[:, None, None], 0, rows, columns][:, None]


def train(net, pictures, labels):
    """A fixed number of epochs, chosen on a held-out quarter of the training pictures."""
    steps = EPOCHS * -(-len(pictures) // BATCH)
    adam = torch.optim.Adam(net.parameters(), lr=RATE, weight_decay=DECAY)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps)
    for _ in range(EPOCHS):
        for chosen in torch.randperm(len(pictures)).split(BATCH):
            adam.zero_grad()
            F.cross_entropy(net(shifted(pictures[chosen])), labels[chosen], label_smoothing=SMOOTHING).backward()
            adam.step()
            falling.step()


data = load_digits()
images = data.images.astype("u1")[:, None]
trained, images, answers, labels = train_test_split(
    images, data.target.astype("u1"), test_size=0.25, random_state=SEED, stratify=data.target)

net = Network()
train(net, torch.from_numpy(trained / 16).float(), torch.from_numpy(answers).long())
weights = {name: value.numpy().copy() for name, value in net.state_dict().items()}

x = torch.from_numpy(images / 16)
with torch.no_grad():
    single = net(x.float()).numpy()
    net.double()
    logits, maps = net(x).numpy(), net.pyramid(x[:PICTURED])[0].numpy()

# float32 arithmetic, in whatever order, must name the same digits: the two best logits are far enough apart.
accuracy = np.mean(logits.argmax(1) == labels)
difference = np.abs(single - logits).max()
second, best = np.sort(logits, 1)[:, -2:].T
margin = (best - second).min()
if accuracy < ACCURACY or (single.argmax(1) != logits.argmax(1)).any() or margin < 100 * difference:
    sys.exit(f"network: accuracy {accuracy:.4f}, smallest margin {margin:.2g}, float32 differs by {difference:.2g}")

out = pathlib.Path(sys.argv[1]) / "network"
out.mkdir(exist_ok=True)
np.savez(out / "weights.npz", **weights)
for name, array in [("images", images), ("labels", labels), ("logits", logits.astype("f4")), ("maps", maps.astype("f4"))]:
    np.save(out / f"{name}.npy", array, allow_pickle=False)
print(f"network: {sum(w.size for w in weights.values())} weights, test accuracy {accuracy:.4f} "
      f"({(logits.argmax(1) != labels).sum()} of {len(labels)} wrong), smallest margin {margin:.2g}, "
      f"largest logit {np.abs(logits).max():.2f}, float32 differs by {difference:.2g}")
