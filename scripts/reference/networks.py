"""Names, shapes and logits of every network of the zoo, from torchvision and, where it has none, from plain PyTorch.

Run in the repository's root:
    pip install -r scripts/reference/requirements.txt
    python scripts/reference/networks.py

Writes
    crates/eyespot-graph/tests/data/parameters.json   per network: parameters, fnv1a of its state dict's layout
    crates/eyespot-testing/data/networks.json       logits in f64 for weights and pictures by formula (seeded.py)
"""

import json
import pathlib

import torch
import torchvision
from torch import nn
from torch.nn import functional as F

import seeded

ROOT = pathlib.Path(__file__).parents[2]
CLASSES = 20


class Linear(nn.Module):
    def __init__(self, classes, numbers):
        super().__init__()
        self.linear = nn.Linear(numbers, classes)

    def forward(self, x):
        return self.linear(x.flatten(1))


class Mlp(nn.Module):
    def __init__(self, classes, numbers):
        super().__init__()
        self.fc1 = nn.Linear(numbers, numbers // 2)
        self.fc2 = nn.Linear(numbers // 2, classes)

    def forward(self, x):
        return self.fc2(F.relu(self.fc1(x.flatten(1))))


class Lenet5(nn.Module):
    """LeNet-5 for 28x28 (padded) or 32x32 pictures of one channel."""

    def __init__(self, classes, padding, gaussian):
        super().__init__()
        self.c1 = nn.Conv2d(1, 6, 5, padding=padding)
        self.s2 = nn.Conv2d(6, 6, 1, groups=6)
        self.c3 = nn.Conv2d(6, 16, 5)
        self.s4 = nn.Conv2d(16, 16, 1, groups=16)
        self.c5 = nn.Conv2d(16, 120, 5)
        self.f6 = nn.Linear(120, 84)
        self.output = nn.Linear(84, classes, bias=not gaussian)
        self.gaussian = gaussian

    def forward(self, x):
        x = torch.tanh(self.c1(x))
        x = torch.tanh(self.s2(F.avg_pool2d(x, 2)))
        x = torch.tanh(self.c3(x))
        x = torch.tanh(self.s4(F.avg_pool2d(x, 2)))
        x = torch.tanh(self.c5(x)).flatten(1)
        x = torch.tanh(self.f6(x))
        if self.gaussian:
            return -0.5 * (x[:, None, :] - self.output.weight[None]).square().sum(2)
        return self.output(x)


class CifarBlock(nn.Module):
    def __init__(self, channels, width, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.stride, self.pad = stride, (width - channels) // 2

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        shortcut = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.pad, self.pad))
        return F.relu(y + shortcut)


class CifarResnet(nn.Module):
    """He et al. 2015, section 4.2: 6n + 2 layers, option A shortcuts."""

    def __init__(self, classes, blocks):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        channels = 16
        for stage, width in enumerate([16, 32, 64]):
            layers = []
            for index in range(blocks):
                layers.append(CifarBlock(channels, width, 2 if stage > 0 and index == 0 else 1))
                channels = width
            setattr(self, f"layer{stage + 1}", nn.Sequential(*layers))
        self.linear = nn.Linear(64, classes)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(x.mean((2, 3)))


class SmallCnn(nn.Module):
    def __init__(self, classes):
        super().__init__()
        channels = 3
        for index, width in enumerate([32, 48, 80, 112]):
            stage = nn.Module()
            stage.conv1 = nn.Conv2d(channels, width, 3, 2, 1, bias=False)
            stage.bn1 = nn.BatchNorm2d(width)
            stage.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
            stage.bn2 = nn.BatchNorm2d(width)
            setattr(self, f"stage{index + 1}", stage)
            channels = width
        self.fc = nn.Linear(channels, classes)

    def forward(self, x):
        for stage in [self.stage1, self.stage2, self.stage3, self.stage4]:
            x = F.relu(stage.bn1(stage.conv1(x)))
            x = F.relu(x + stage.bn2(stage.conv2(x)))
        return self.fc(x.mean((2, 3)))


def build(name, classes, shape):
    channels, height, width = shape
    numbers = channels * height * width
    if name == "linear":
        return Linear(classes, numbers)
    if name == "mlp":
        return Mlp(classes, numbers)
    if name == "small_cnn":
        return SmallCnn(classes)
    if name.startswith("lenet5"):
        return Lenet5(classes, 2 if height < 32 else 0, name == "lenet5_gaussian")
    if name.startswith("cifar_resnet"):
        return CifarResnet(classes, (int(name.removeprefix("cifar_resnet")) - 2) // 6)
    return torchvision.models.get_model(name, num_classes=classes)


def layout(model):
    """Parameter count, and the digest of all names and shapes in order."""
    lines = [
        f"{name} {'x'.join(map(str, tensor.shape))}\n"
        for name, tensor in model.state_dict().items()
        if not name.endswith("num_batches_tracked")
    ]
    count = sum(p.numel() for p in model.parameters())
    return {"parameters": count, "layout": f"{seeded.fnv1a(''.join(lines)):016x}"}


def logits(name, shape, pictures):
    print(name, shape, flush=True)
    model = seeded.seed(build(name, CLASSES, shape)).double()
    batch = torch.stack([torch.from_numpy(seeded.picture(n, *shape)) for n in range(pictures)]).double()
    with torch.no_grad():
        scores = model(batch)
    return {
        "network": name,
        "input": list(shape),
        "logits": [[float(f"{score:.9g}") for score in row] for row in scores.tolist()],
    }


IMAGENET = (
    ["alexnet", "squeezenet1_0", "squeezenet1_1", "mobilenet_v2"]
    + [f"vgg{depth}{norm}" for depth in (11, 13, 16, 19) for norm in ("", "_bn")]
    + [f"resnet{depth}" for depth in (18, 34, 50, 101, 152)]
)
CIFAR = [f"cifar_resnet{depth}" for depth in (20, 32, 44, 56)]

# What every network is made for; the classes of the published weights.
DEFAULTS = (
    [("linear", 1000, (3, 64, 64)), ("mlp", 1000, (3, 32, 32)), ("small_cnn", 1000, (3, 96, 96))]
    + [(name, 10, (1, 28, 28)) for name in ("lenet5", "lenet5_gaussian")]
    + [(name, 10, (3, 32, 32)) for name in CIFAR]
    + [(name, 1000, (3, 224, 224)) for name in IMAGENET]
)

# Small pictures for every network, full size or odd sizes for one of each family.
CASES = (
    [("linear", (3, 16, 20), 2), ("mlp", (3, 16, 20), 2)]
    + [(name, shape, 3) for name in ("lenet5", "lenet5_gaussian") for shape in ((1, 28, 28), (1, 32, 32))]
    + [("small_cnn", (3, 96, 96), 2), ("small_cnn", (3, 61, 50), 2)]
    + [(name, (3, 32, 32), 3) for name in CIFAR]
    + [("cifar_resnet20", (3, 37, 30), 2)]
    + [(name, (3, 64, 80), 2) for name in IMAGENET]
    + [(name, (3, 224, 224), 2) for name in ("alexnet", "squeezenet1_1", "mobilenet_v2", "resnet18")]
    + [(name, (3, 129, 97), 2) for name in ("squeezenet1_0", "mobilenet_v2", "resnet50")]
)


def write(path, what):
    path = ROOT / path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(what + "\n")


def main():
    layouts = {name: {"classes": n, **layout(build(name, n, shape))} for name, n, shape in DEFAULTS}
    rows = ",\n".join(f"  {json.dumps(name)}: {json.dumps(row)}" for name, row in layouts.items())
    write("crates/eyespot-graph/tests/data/parameters.json", "{\n" + rows + "\n}")
    rows = ",\n".join("  " + json.dumps(logits(*case)) for case in CASES)
    write("crates/eyespot-testing/data/networks.json", "[\n" + rows + "\n]")


if __name__ == "__main__":
    main()
