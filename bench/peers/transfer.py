"""Transfer with a frozen ResNet-50 on PyTorch: the usual loop, or with the features computed once.

    python transfer.py DATA --mode loop --epochs 25       # backbone runs in every epoch
    python transfer.py DATA --mode features --epochs 25   # backbone runs once per photo

DATA holds train/CLASS and val/CLASS. Weights are random: only time is looked at. The whole process is timed from outside.
"""

import argparse
import time

import torch
import torchvision
from torchvision import transforms

parser = argparse.ArgumentParser()
parser.add_argument("data")
parser.add_argument("--mode", choices=["loop", "features"], default="loop")
parser.add_argument("--model", default="resnet50")
parser.add_argument("--epochs", type=int, default=25)
parser.add_argument("--batch", type=int, default=32)
parser.add_argument("--threads", type=int, default=2)
args = parser.parse_args()

begin = time.perf_counter()
torch.set_num_threads(args.threads)
torch.manual_seed(0)
preset = transforms.Compose(
    [
        transforms.Resize(256),
        transforms.CenterCrop(224),
        transforms.ToTensor(),
        transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ]
)
sets = {name: torchvision.datasets.ImageFolder(f"{args.data}/{name}", preset) for name in ("train", "val")}
loaders = {
    name: torch.utils.data.DataLoader(s, batch_size=args.batch, shuffle=name == "train", num_workers=2)
    for name, s in sets.items()
}
model = getattr(torchvision.models, args.model)().eval().to(memory_format=torch.channels_last)
for p in model.parameters():
    p.requires_grad = False
classes = len(sets["train"].classes)
head = torch.nn.Linear(model.fc.in_features, classes)
model.fc = torch.nn.Identity()
optimizer = torch.optim.SGD(head.parameters(), lr=0.01, momentum=0.9)
loss_of = torch.nn.CrossEntropyLoss()


def features(x):
    with torch.inference_mode():
        y = model(x.contiguous(memory_format=torch.channels_last))
    return y.clone()


if args.mode == "features":
    with torch.inference_mode():
        stored = {}
        for name, loader in loaders.items():
            pairs = [(features(x), y) for x, y in loader]
            stored[name] = (torch.cat([f for f, _ in pairs]), torch.cat([y for _, y in pairs]))
    stored = {name: (f.clone(), y.clone()) for name, (f, y) in stored.items()}
    loaders = {
        name: torch.utils.data.DataLoader(
            torch.utils.data.TensorDataset(*pair), batch_size=args.batch, shuffle=name == "train"
        )
        for name, pair in stored.items()
    }
    features = lambda x: x

for epoch in range(args.epochs):
    start = time.perf_counter()
    for x, y in loaders["train"]:
        optimizer.zero_grad()
        loss = loss_of(head(features(x)), y)
        loss.backward()
        optimizer.step()
    right = 0
    with torch.no_grad():
        for x, y in loaders["val"]:
            right += (head(features(x)).argmax(1) == y).sum().item()
    seconds = time.perf_counter() - start
    print(f"epoch {epoch + 1}: loss {loss.item():.4f}, right {right}, {seconds:.2f} s", flush=True)
print(f"whole: {time.perf_counter() - begin:.2f} s")
