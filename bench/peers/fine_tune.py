"""Fine-tuning in two phases on PyTorch: the head, then all layers.

    python fine_tune.py DATA WEIGHTS --model squeezenet1_1 --seed 0

DATA holds train/CLASS and val/CLASS. The head learns 2 epochs at 1e-3, then all layers 8 epochs: AdamW, one cycle, 1e-4 on
the backbone and 1e-3 on the head, label smoothing 0.1, random crops of 0.5-1 of the area and flips. Training's time without
the import of torch and without validation is printed, and the accuracy on val. Pinned versions: requirements.txt.
"""

import argparse
import time

import torch
import torchvision
from safetensors.torch import load_file
from torch import nn
from torchvision import transforms as T

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def loader(folder, steps, shuffle, args):
    data = torchvision.datasets.ImageFolder(folder, T.Compose([*steps, T.ToTensor(), T.Normalize(MEAN, STD)]))
    workers = {"num_workers": args.threads, "persistent_workers": True}
    return torch.utils.data.DataLoader(data, batch_size=args.batch, shuffle=shuffle, **workers)


def network(args, classes):
    model = getattr(torchvision.models, args.model)()
    state = load_file(args.weights) if args.weights.endswith(".safetensors") else torch.load(args.weights)
    model.load_state_dict(state)
    if args.model.startswith("squeezenet"):
        head = model.classifier[1] = nn.Conv2d(512, classes, 1)
        nn.init.normal_(head.weight, std=0.01)
        nn.init.zeros_(head.bias)
    else:
        head = model.fc = nn.Linear(model.fc.in_features, classes)
    return model.to(memory_format=torch.channels_last), head


def phase(model, data, epochs, groups, rates):
    optimizer = torch.optim.AdamW(groups)
    steps = epochs * len(data)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rates, total_steps=steps)
    loss_of = nn.CrossEntropyLoss(label_smoothing=0.1)
    for _ in range(epochs):
        for x, y in data:
            optimizer.zero_grad()
            loss_of(model(x.contiguous(memory_format=torch.channels_last)), y).backward()
            optimizer.step()
            schedule.step()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("weights")
    parser.add_argument("--model", default="squeezenet1_1")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    train = loader(f"{args.data}/train", [T.RandomResizedCrop(224, (0.5, 1)), T.RandomHorizontalFlip()], True, args)
    val = loader(f"{args.data}/val", [T.Resize(256), T.CenterCrop(224)], False, args)
    model, head = network(args, len(train.dataset.classes))

    start = time.perf_counter()
    model.train()
    backbone = [p for p in model.parameters() if all(p is not q for q in head.parameters())]
    for p in backbone:
        p.requires_grad = False
    phase(model, train, 2, [{"params": head.parameters()}], [1e-3])
    for p in backbone:
        p.requires_grad = True
    phase(model, train, 8, [{"params": backbone}, {"params": head.parameters()}], [1e-4, 1e-3])
    seconds = time.perf_counter() - start

    model.eval()
    loss, right = 0.0, 0
    with torch.inference_mode():
        for x, y in val:
            scores = model(x.contiguous(memory_format=torch.channels_last))
            loss += nn.functional.cross_entropy(scores, y, reduction="sum").item()
            right += (scores.argmax(1) == y).sum().item()
    images = len(val.dataset)
    print(f"accuracy {right / images:.4f} ({right} of {images}), log loss {loss / images:.4f}, {seconds:.1f} s")


main()
