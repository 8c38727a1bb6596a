"""The losses of the course's networks by PyTorch, for crates/eyespot-train/tests/course.rs.

Run by hand with the versions of requirements.txt:  python scripts/reference/course.py

Weights and pictures come from a formula (seeded.py). Writes crates/eyespot-train/tests/data/course.json.
"""

import json
from pathlib import Path

import numpy as np
import torch
import torchvision
from seeded import picture, seed
from torch import nn

OUT = Path(__file__).parents[2] / "crates" / "eyespot-train" / "tests" / "data" / "course.json"
SIDE, PICTURES, EPOCHS = 16, 64, 50_000


class Simple(nn.Module):
    def __init__(self, pixels):
        super().__init__()
        self.linear = nn.Linear(pixels, 1)

    def forward(self, x):
        return torch.sigmoid(self.linear(x))


class ThreeLayer(nn.Module):
    def __init__(self, pixels):
        super().__init__()
        self.linear1 = nn.Linear(pixels, pixels // 2)
        self.linear2 = nn.Linear(pixels // 2, 1)

    def forward(self, x):
        return torch.sigmoid(self.linear2(torch.relu(self.linear1(x))))


def full_batches(model, dtype):
    """50,000 epochs of one step with all pictures; the loss of every 1,000th, before its step."""
    model = seed(model).train().to(dtype)
    # Grey levels from 0 to 1; picture i is of class i mod 2.
    x = np.stack([picture(n, 1, SIDE, SIDE) for n in range(PICTURES)]).reshape(PICTURES, -1)
    x = torch.from_numpy((x + 2) / 4).to(dtype)
    y = (torch.arange(PICTURES) % 2).to(dtype)[:, None]
    criterion = nn.BCELoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    losses = []
    for epoch in range(EPOCHS):
        loss = criterion(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if (epoch + 1) % 1000 == 0:
            losses.append(loss.item())
    return losses


def transfer(dtype, pictures=16, batch=4, steps=20, side=224):
    """The first steps of a new head on a frozen ResNet-50 in evaluation mode, pictures in their own order.

    The head stands where torchvision's own does: behind the adaptive mean pooling, linear(2048, 1).
    """
    model = seed(torchvision.models.resnet50(num_classes=1))
    with torch.no_grad():
        # By the formula alone features are some ten times as large as a trained network's, and the steps too long.
        for name, tensor in model.layer4.named_parameters():
            if ".bn3." in name or ".downsample.1." in name:
                tensor /= 16
    model = model.to(dtype)
    head, model.fc = model.fc, nn.Identity()
    x = torch.from_numpy(np.stack([picture(n, 3, side, side) for n in range(pictures)])).to(dtype)
    y = (torch.arange(pictures) % 2).to(dtype)[:, None]
    # A frozen backbone in evaluation mode says the same of a picture every time: once is enough.
    with torch.no_grad():
        features = torch.cat([model(part) for part in x.split(batch)])
    criterion = nn.MSELoss()
    optimizer = torch.optim.SGD(head.parameters(), lr=0.001)
    losses = []
    for step in range(steps):
        start = step * batch % pictures
        loss = criterion(head(features[start : start + batch]), y[start : start + batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def both(make):
    """In f32 as a user runs it, and in f64, which has no rounding to speak of."""
    return {"f32": make(torch.float32), "f64": make(torch.float64)}


CASES = {
    "simple_network": lambda dtype: full_batches(Simple(SIDE * SIDE), dtype),
    "three_layer_network": lambda dtype: full_batches(ThreeLayer(SIDE * SIDE), dtype),
    "resnet50_transfer": transfer,
}


def main():
    torch.set_num_threads(1)
    rows = ",\n".join(f'"{name}": {json.dumps(both(make))}' for name, make in CASES.items())
    OUT.write_text("{\n" + rows + "\n}\n")


if __name__ == "__main__":
    main()
