"""Losses, schedules and training curves by PyTorch, for crates/eyespot-train/tests and crates/eyespot-testing.

Run by hand with the versions of requirements.txt:  python scripts/reference/training.py
"""

import json
from pathlib import Path

import torch
from seeded import uniform, weights
from torch import nn
from torch.optim import lr_scheduler

CRATES = Path(__file__).parents[2] / "crates"
TRAIN = CRATES / "eyespot-train" / "tests" / "data"
TESTING = CRATES / "eyespot-testing" / "data"


def numbers(name, *shape):
    count = int(torch.tensor(shape).prod())
    return torch.from_numpy(uniform(name, count)).float().reshape(shape)


def floats(tensor):
    return [float(f"{x:.9g}") for x in tensor.detach().flatten().tolist()]


def loss_case(kind, name, images, outputs, *, soft=False, weighted=False, smoothing=0.0, edge=False):
    classes = max(outputs, 2)
    scores = numbers(name, images, outputs) * 3
    if kind == "bce":
        scores = scores.sigmoid()
        if edge:
            scores[0], scores[1] = 0.0, 1.0
    scores.requires_grad_()
    labels = torch.arange(images) * 7 % 5 % classes
    shares = (numbers(name + ".soft", images, classes) + 1.1) if soft else None
    if soft:
        shares = shares / shares.sum(1, keepdim=True)
    w = torch.tensor([0.5, 2.0, 1.25, 0.75][:classes]) if weighted else None
    if kind == "cross-entropy":
        value = nn.CrossEntropyLoss(weight=w, label_smoothing=smoothing)(scores, shares if soft else labels)
    else:
        if outputs == 1:
            t = (shares[:, 1] if soft else labels.float())[:, None]
            ew = None if w is None else w[0] * (1 - t) + w[1] * t
        else:
            t = shares if soft else nn.functional.one_hot(labels, classes).float()
            ew = w
        if kind == "mse":
            value = nn.MSELoss(reduction="none")(scores, t)
            value = (value if ew is None else value * ew).mean()
        elif kind == "bce":
            value = nn.BCELoss(weight=ew)(scores, t)
        else:
            value = nn.BCEWithLogitsLoss(weight=ew)(scores, t)
    value.backward()
    return {
        "kind": kind,
        "label_smoothing": smoothing,
        "outputs": outputs,
        "scores": floats(scores),
        "labels": labels.tolist(),
        "soft": floats(shares) if soft else None,
        "weights": floats(w) if weighted else None,
        "loss": float(value),
        "gradient": floats(scores.grad),
    }


def losses():
    cases = []
    for kind in ["mse", "bce", "bce-with-logits"]:
        for outputs in [1, 3]:
            for soft in [False, True]:
                for weighted in [False, True]:
                    name = f"{kind}.{outputs}.{soft}.{weighted}"
                    cases.append(loss_case(kind, name, 6, outputs, soft=soft, weighted=weighted))
    cases.append(loss_case("bce", "bce.edge", 6, 1, edge=True))
    cases.append(loss_case("bce", "bce.many", 64, 1))
    for soft in [False, True]:
        for weighted in [False, True]:
            for smoothing in [0.0, 0.1]:
                name = f"ce.{soft}.{weighted}.{smoothing}"
                case = loss_case("cross-entropy", name, 5, 4, soft=soft, weighted=weighted, smoothing=smoothing)
                cases.append(case)
    return cases


def make_schedule(kind, optimizer, total, per_epoch, warmup):
    rest = total - warmup
    main = {
        "constant": lambda: lr_scheduler.ConstantLR(optimizer, 1.0),
        "step": lambda: lr_scheduler.StepLR(optimizer, 2 * per_epoch, 0.1),
        "cosine": lambda: lr_scheduler.CosineAnnealingLR(optimizer, rest),
        "one-cycle": lambda: lr_scheduler.OneCycleLR(
            optimizer, optimizer.defaults["lr"], total_steps=rest, cycle_momentum=False
        ),
    }[kind]
    if not warmup:
        return main()
    first = lr_scheduler.LinearLR(optimizer, 0.01, total_iters=warmup)
    return lr_scheduler.SequentialLR(optimizer, [first, main()], [warmup])


SCHEDULES = ["constant", "step", "cosine", "one-cycle"]


def schedules():
    cases = []
    for kind in SCHEDULES:
        for warmup in [0, 6]:
            total, per_epoch = 30, 4
            optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1, dtype=torch.float64))], lr=0.1)
            schedule = make_schedule(kind, optimizer, total, per_epoch, warmup)
            rates = []
            for _ in range(total):
                rates.append(optimizer.param_groups[0]["lr"])
                optimizer.step()
                schedule.step()
            cases.append({"kind": kind, "warmup": warmup, "total": total, "per_epoch": per_epoch, "rates": rates})
    return cases


def seed(model):
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if not name.endswith("num_batches_tracked"):
                tensor.copy_(torch.from_numpy(weights(name, tuple(tensor.shape))))
    return model.train()


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(16, 8), nn.Linear(8, 3)

    def forward(self, x):
        return self.fc2(self.fc1(x).relu())


class Cnn(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.conv2, self.bn2 = nn.Conv2d(8, 12, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(12)
        self.fc = nn.Linear(12, 3)

    def forward(self, x):
        x = nn.functional.max_pool2d(self.bn1(self.conv1(x)).relu(), 2)
        return self.fc(self.bn2(self.conv2(x)).relu().mean((2, 3)))


class Simple(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(16, 1)

    def forward(self, x):
        return self.fc(x).sigmoid()


OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, 0.1),
    "momentum": lambda p: torch.optim.SGD(p, 0.05, momentum=0.9, weight_decay=1e-2),
    "nesterov": lambda p: torch.optim.SGD(p, 0.05, momentum=0.9, nesterov=True, weight_decay=1e-2),
    "adam": lambda p: torch.optim.Adam(p, 0.01, weight_decay=1e-2),
    "adamw": lambda p: torch.optim.AdamW(p, 0.01, weight_decay=1e-2),
}


# Factors on the rate and on the weight decay, by tensor; the others have 1 and 1.
SCALES = {
    "mlp": {"fc1.weight": [0.1, 1.0], "fc1.bias": [0.1, 0.0], "fc2.bias": [1.0, 0.0]},
    "cnn": {"conv1.weight": [0.25, 1.0], "bn1.weight": [0.25, 0.0], "bn1.bias": [0.0, 0.0], "fc.weight": [2.0, 3.0]},
}


def groups(model, scales, lr, weight_decay):
    """PyTorch's parameter groups: one for each tensor."""
    groups = []
    for name, parameter in model.named_parameters():
        rate, decay = scales.get(name, [1.0, 1.0])
        groups.append({"params": [parameter], "lr": lr * rate, "weight_decay": weight_decay * decay})
    return groups


def curve(network, optimizer_name, schedule_name, steps, clip=None, scaled=False):
    """Full batches of 12 samples; the loss before each step, the weights after the last."""
    model = seed({"mlp": Mlp, "cnn": Cnn, "simple": Simple}[network]())
    x = numbers("pictures", 12, 3, 8, 8) if network == "cnn" else numbers("vectors", 12, 16)
    labels = torch.arange(12) % (2 if network == "simple" else 3)
    optimizer = OPTIMIZERS[optimizer_name](model.parameters())
    scales = SCALES[network] if scaled else {}
    if scaled:
        defaults = optimizer.defaults
        optimizer = OPTIMIZERS[optimizer_name](groups(model, scales, defaults["lr"], defaults["weight_decay"]))
    schedule = make_schedule(schedule_name, optimizer, steps, 1, 0)
    values = []
    for _ in range(steps):
        optimizer.zero_grad()
        scores = model(x)
        if network == "simple":
            loss = nn.BCELoss()(scores, labels.float()[:, None])
        else:
            loss = nn.CrossEntropyLoss()(scores, labels)
        loss.backward()
        if clip:
            nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        schedule.step()
        values.append(loss.item())
    last = {n: floats(t) for n, t in model.state_dict().items() if not n.endswith("num_batches_tracked")}
    return {
        "network": network,
        "optimizer": optimizer_name,
        "schedule": schedule_name,
        "clip": clip,
        "scales": scales,
        "losses": values,
        "weights": last if network != "cnn" else {n: last[n] for n in ["fc.weight", "bn1.running_mean", "bn2.running_var"]},
    }


def curves():
    cases = [curve("mlp", optimizer, schedule, 8) for optimizer in OPTIMIZERS for schedule in SCHEDULES]
    cases += [curve("cnn", optimizer, "constant", 20) for optimizer in ["momentum", "adamw"]]
    cases += [curve("mlp", optimizer, "cosine", 8, scaled=True) for optimizer in ["nesterov", "adam", "adamw"]]
    cases += [curve("cnn", "momentum", "constant", 20, scaled=True)]
    cases += [curve("mlp", "momentum", "constant", 8, clip=0.1), curve("simple", "sgd", "constant", 2000)]
    cases[-1]["losses"] = cases[-1]["losses"][::100]
    return cases


def main():
    torch.set_num_threads(1)
    for folder, name, make in [(TRAIN, "losses", losses), (TRAIN, "schedules", schedules), (TESTING, "curves", curves)]:
        cases = ",\n".join(json.dumps(case) for case in make())
        (folder / f"{name}.json").write_text(f"[\n{cases}\n]\n")


main()
