"""Small checkpoints as PyTorch and safetensors write them, and the numbers that stand in them.

Writes crates/eyespot-formats/tests/data/. Run by hand with the versions in requirements.txt:

    python scripts/reference/checkpoints.py
"""

import json
from argparse import Namespace
from collections import OrderedDict, defaultdict
from datetime import datetime
from pathlib import Path

import numpy
import safetensors.torch
import torch

FOLDER = Path(__file__).parents[2] / "crates/eyespot-formats/tests/data"


def tensors():
    """Every kind of number, and views that skip, reorder, repeat and share numbers."""
    torch.manual_seed(5)
    base = torch.randn(4, 6)
    return OrderedDict(
        {
            "conv.weight": torch.randn(2, 3, 1, 2),
            "f64": torch.randn(3, dtype=torch.float64) * 1e3,
            "f16": torch.randn(5).half(),
            "bf16": torch.randn(5).bfloat16(),
            "i64": torch.tensor([1, -(2**40), 2**53 + 1]),
            "i32": torch.tensor([7, -(2**31)], dtype=torch.int32),
            "i16": torch.tensor([300, -300], dtype=torch.int16),
            "i8": torch.tensor([-128, 127], dtype=torch.int8),
            "u8": torch.tensor([0, 255], dtype=torch.uint8),
            "bool": torch.tensor([True, False, True]),
            "transposed": base.t(),
            "offset": base[1:3],
            "every_other": base[:, 1::2],
            "shares": base,
            "channels_last": torch.randn(2, 3, 2, 2).to(memory_format=torch.channels_last),
            "expanded": torch.tensor([1.5, -2.5]).reshape(2, 1).expand(2, 3),
            "parameter": torch.nn.Parameter(torch.randn(2, 2)),
            "scalar": torch.tensor(0.25),
            "empty": torch.zeros(0, 3),
            "bn.num_batches_tracked": torch.tensor(12),
        }
    )


def checkpoint():
    """What a training script saves around the weights."""
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    state = OrderedDict((f"module.{name}", tensor) for name, tensor in tensors().items())
    state._metadata = OrderedDict({"": {"version": 1}})
    return {
        "epoch": 90,
        "arch": "résnet",
        "best_acc1": torch.tensor(71.5),
        "lr": 0.1,
        "big": 2**70,
        "optimizer": optimizer.state_dict(),
        "state_dict": state,
        "nothing": None,
    }


def with_arguments():
    """What torchvision's and timm's reference training save: arguments, schedules and numbers of NumPy beside the weights."""
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones=[30, 60])
    history = defaultdict(list)
    history["loss"].append(numpy.float32(0.25))
    return {
        "args": Namespace(data=Path("photos"), device=torch.device("cpu"), lr=0.1, classes={"ants", "bees"}),
        "model": tensors(),
        "optimizer": optimizer.state_dict(),
        "lr_scheduler": schedule.state_dict(),
        "epoch": 3,
        "best_acc1": numpy.float64(71.5),
        "mean": numpy.array([0.5, 0.25]),
        "size": torch.Size([3, 224, 224]),
        "type": torch.float32,
        "history": history,
        "began": datetime(2026, 11, 24),
    }


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    torch.save(checkpoint(), FOLDER / "zip.pth")
    torch.save(checkpoint(), FOLDER / "legacy.pth", _use_new_zipfile_serialization=False)
    torch.save(checkpoint(), FOLDER / "protocol4.pth", pickle_protocol=4)
    torch.save({"model": {"model_state_dict": tensors()}}, FOLDER / "nested.pth")
    torch.save(with_arguments(), FOLDER / "with_arguments.pth")
    torch.save(with_arguments(), FOLDER / "with_arguments4.pth", pickle_protocol=4)
    torch.save(torch.nn.Linear(2, 1), FOLDER / "whole_network.pth")
    torch.save({"weight": torch.zeros(2, dtype=torch.complex64)}, FOLDER / "complex.pth")
    plain = {name: tensor.detach().clone().contiguous() for name, tensor in tensors().items()}
    safetensors.torch.save_file(plain, FOLDER / "reference.safetensors")
    expected = {
        name: {"shape": list(tensor.shape), "values": tensor.detach().float().flatten().tolist()}
        for name, tensor in tensors().items()
        if "num_batches" not in name
    }
    (FOLDER / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main()
