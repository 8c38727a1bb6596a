"""The kinds of weight files that training programs write, and what PyTorch computes with them.

Writes crates/eyespot/tests/weight_files/: a file for each kind, all of one tiny network, and `expected.json` with the
network's outputs for one picture, computed by PyTorch from the very weights that went into the file. Run by hand with the
versions in requirements.txt:

    python scripts/reference/weight_files.py
"""

import copy
import json
import pickle
import shutil
import zipfile
from argparse import Namespace
from collections import OrderedDict
from pathlib import Path

import numpy
import safetensors.torch
import torch
from torch import nn

FOLDER = Path(__file__).parents[2] / "crates/eyespot/tests/weight_files"

EXPECTED = {}


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(4)

    def forward(self, x):
        return torch.relu(self.bn1(self.conv1(x)) + x)


class Tiny(nn.Module):
    """Its Rust twin is `graph` in crates/eyespot/tests/weight_files.rs."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.layer1 = nn.Sequential(Block())
        self.fc = nn.Linear(4, 3)

    def features(self, x):
        x = self.layer1(torch.relu(self.bn1(self.conv1(x))))
        return x.mean((2, 3))

    def forward(self, x):
        return self.fc(self.features(x))


def network(seed):
    torch.manual_seed(seed)
    net = Tiny().eval()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.uniform_(-0.5, 0.5)
            module.running_mean.uniform_(-0.5, 0.5)
            module.running_var.uniform_(0.5, 2)
    return net


def picture():
    """Its Rust twin is `picture` in crates/eyespot/tests/weight_files.rs."""
    index = torch.arange(3 * 8 * 8)
    return ((index * 37 % 101).float() / 101 - 0.5).reshape(1, 3, 8, 8)


def state(net):
    return OrderedDict((name, tensor.clone()) for name, tensor in net.state_dict().items())


def prefixed(tensors, prefix):
    return OrderedDict((prefix + name, tensor) for name, tensor in tensors.items())


def backbone(net):
    return OrderedDict((name, tensor) for name, tensor in state(net).items() if not name.startswith("fc."))


def head(prefix, sizes):
    """A projection head."""
    layers = {}
    for index, (inputs, outputs) in enumerate(zip(sizes, sizes[1:])):
        layers[f"{prefix}.{2 * index}.weight"] = torch.randn(outputs, inputs)
        layers[f"{prefix}.{2 * index}.bias"] = torch.randn(outputs)
    return layers


def expect(file, net, features=False, set=None, says=()):
    """Notes what the network computes that the file is of; `says` are words of the notices."""
    with torch.no_grad():
        out = (net.features if features else net)(picture())[0]
    name = f"{file}#{set}" if set is not None else file
    EXPECTED[name] = {"features": features, "outputs": out.tolist(), "says": list(says)}


def save(file, value, net, **about):
    torch.save(value, FOLDER / file)
    expect(file, net, **about)


def rounded(net, dtype):
    other = copy.deepcopy(net)
    other.load_state_dict({name: tensor.to(dtype).to(tensor.dtype) for name, tensor in state(net).items()})
    return other


def floats(tensors, change):
    return OrderedDict(
        (name, change(tensor) if tensor.is_floating_point() else tensor) for name, tensor in tensors.items()
    )


def wrappings(net):
    """Where the state dict stands."""
    save("plain.pth", net.state_dict(), net)
    torch.save(net.state_dict(), FOLDER / "legacy.pth", _use_new_zipfile_serialization=False)
    expect("legacy.pth", net)
    for key in ["state_dict", "model", "model_state_dict"]:
        save(f"key_{key}.pth", {"epoch": 3, key: state(net), "best_acc1": torch.tensor(71.5)}, net)
    for prefix in ["module", "backbone", "encoder", "resnet", "net"]:
        save(f"prefix_{prefix}.pth", prefixed(state(net), f"{prefix}."), net)
    no_counts = OrderedDict((n, t) for n, t in state(net).items() if "num_batches" not in n)
    save("without_num_batches_tracked.pth", no_counts, net)


def programs(net, other):
    """What well-known training programs write."""
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    lightning = {
        "epoch": 4,
        "global_step": 400,
        "pytorch-lightning_version": "2.5.0",
        "state_dict": {
            **prefixed(state(net), "model."),
            "criterion.weight": torch.ones(3),
            "train_acc.total": torch.tensor(5),
        },
        "loops": {"fit_loop": {"state_dict": {}}},
        "callbacks": {"ModelCheckpoint": {"best_model_score": torch.tensor(0.5)}},
        "optimizer_states": [optimizer.state_dict()],
        "hyper_parameters": Namespace(lr=0.1),
    }
    save("lightning.ckpt", lightning, net, says=["criterion"])
    moco = {
        **prefixed({**backbone(net), **head("fc", [4, 4, 2])}, "module.encoder_q."),
        **prefixed({**backbone(other), **head("fc", [4, 4, 2])}, "module.encoder_k."),
        "module.queue": torch.randn(2, 8),
        "module.queue_ptr": torch.zeros(1, dtype=torch.long),
    }
    moco = {"epoch": 200, "arch": "tiny", "state_dict": moco, "optimizer": optimizer.state_dict()}
    save("moco.pth", moco, net, features=True, says=["encoder_q", "encoder_k", "queue"])
    expect("moco.pth", other, features=True, set="encoder_k")
    simclr = {**prefixed(backbone(net), "encoder."), **head("projector", [4, 4, 2])}
    save("simclr.pth", simclr, net, features=True, says=["projector"])
    dino = {
        "student": {
            **prefixed(backbone(other), "module.backbone."),
            **prefixed(head("mlp", [4, 4, 2]), "module.head."),
        },
        "teacher": {**prefixed(backbone(net), "backbone."), **prefixed(head("mlp", [4, 4, 2]), "head.")},
        "args": Namespace(arch="tiny"),
        "dino_loss": {"center": torch.zeros(1, 2)},
    }
    save("dino.pth", dino, net, features=True, says=["teacher.backbone", "student.module.backbone"])
    expect("dino.pth", other, features=True, set="student")
    save("ema.pth", {"model": state(other), "model_ema": state(net)}, net, says=["model_ema"])
    expect("ema.pth", other, set="model")
    averaged = torch.optim.swa_utils.AveragedModel(net)
    save("averaged.pth", averaged.state_dict(), net)
    counted = state(net)
    for layer in ["", "conv1.", "bn1.", "layer1.", "layer1.0.conv1."]:
        counted[f"{layer}total_ops"] = torch.zeros(1, dtype=torch.float64)
        counted[f"{layer}total_params"] = torch.zeros(1, dtype=torch.float64)
    save("total_ops.pth", counted, net, says=["total_ops", "total_params"])


def wrappers(net):
    """Names that wrappers put inside others."""

    def renamed(*changes):
        names = {}
        for name, tensor in state(net).items():
            for old, new in changes:
                name = name.replace(old, new)
            names[name] = tensor
        return names

    fsdp = prefixed(renamed(("layer1.0.", "layer1._fsdp_wrapped_module.0._fsdp_wrapped_module.")), "_fsdp_wrapped_module.")
    save("fsdp.pth", fsdp, net)
    save("checkpoint_wrapper.pth", renamed(("layer1.0.", "layer1.0._checkpoint_wrapped_module.")), net)
    compiled = torch.compile(net)
    save("compiled.pth", compiled.state_dict(), net)
    both = prefixed(renamed(("layer1.", "layer1._orig_mod.")), "module._orig_mod.")
    save("compiled_inside.pth", both, net)


def weight_norm(seed):
    for file, add in [
        ("weight_norm_old.pth", torch.nn.utils.weight_norm),
        ("weight_norm.pth", torch.nn.utils.parametrizations.weight_norm),
    ]:
        net = network(seed)
        add(net.conv1)
        add(net.layer1[0].conv1, dim=1)
        add(net.fc, dim=None)
        for name, parameter in net.named_parameters():
            if name.endswith(("_g", "original0")):
                parameter.data.mul_(1.5)
        net(picture())
        save(file, net.state_dict(), net)


class Tagged(torch.Tensor):
    """A tensor with a class of its own."""


class States(OrderedDict):
    """A state dict with a class of its own."""


class Settings:
    """Something of the training program's."""

    def __init__(self):
        self.lr = 0.1


class Table(dict):
    """A dict with a class of its own."""


def tensors(net):
    """How tensors are written."""
    negative = floats(state(net), lambda tensor: torch._neg_view(-tensor))
    assert all(t.is_neg() for t in negative.values() if t.is_floating_point())
    save("negative_bit.pth", negative, net)
    imaginary = floats(state(net), lambda tensor: torch.complex(torch.zeros_like(tensor), -tensor).conj().imag)
    save("conjugate_imaginary.pth", imaginary, net)
    parameters = floats(state(net), lambda tensor: nn.Parameter(tensor))
    for parameter in parameters.values():
        parameter.tag = "of the training program"
    save("parameters_with_state.pth", parameters, net)
    save("tensor_subclass.pth", floats(state(net), lambda tensor: tensor.as_subclass(Tagged)), net)
    save("state_dict_subclass.pth", States(state(net)), net)
    save("dict_subclass.pth", {"settings": Settings(), "model": Table(state(net))}, net)
    numpy_arrays = {name: tensor.numpy() for name, tensor in state(net).items()}
    save("numpy_arrays.pth", numpy_arrays, net)
    numpy_arrays["fc.weight"] = numpy.asfortranarray(numpy_arrays["fc.weight"]).astype(">f8")
    for protocol in [2, 4]:
        file = f"numpy_arrays{protocol}.pkl"
        (FOLDER / file).write_bytes(pickle.dumps({"model": numpy_arrays}, protocol))
        expect(file, net)
    for file, dtype in [
        ("float8_e4m3fn", torch.float8_e4m3fn),
        ("float8_e5m2", torch.float8_e5m2),
        ("bfloat16", torch.bfloat16),
        ("float16", torch.float16),
        ("float64", torch.float64),
    ]:
        converted = floats(state(net), lambda tensor: tensor.to(dtype))
        save(f"{file}.pth", converted, rounded(net, dtype))
        safetensors.torch.save_file(converted, FOLDER / f"{file}.safetensors")
        expect(f"{file}.safetensors", rounded(net, dtype))
    strided = floats(state(net), lambda t: t.to(memory_format=torch.channels_last) if t.dim() == 4 else t)
    strided["fc.weight"] = strided["fc.weight"].t().contiguous().t()
    save("not_contiguous.pth", strided, net)
    flat = torch.cat([torch.zeros(5), *(t.flatten() for t in state(net).values() if t.is_floating_point())])
    shared, place = OrderedDict(), 5
    for name, tensor in state(net).items():
        if tensor.is_floating_point():
            shared[name] = flat[place : place + tensor.numel()].view(tensor.shape)
            place += tensor.numel()
    save("shared_storage.pth", shared, net)
    tied = state(net)
    save("tied.pth", {**prefixed(tied, "model.backbone."), **prefixed(tied, "backbone.")}, net)


def repack(source, target):
    """The same archive with its entries compressed."""
    with zipfile.ZipFile(FOLDER / source) as old, zipfile.ZipFile(FOLDER / target, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.namelist():
            new.writestr(zipfile.ZipInfo(entry), old.read(entry), zipfile.ZIP_DEFLATED)


def containers(net):
    repack("plain.pth", "compressed.pth")
    expect("compressed.pth", net)
    torch.save(net.state_dict(), FOLDER / "protocol4.pth", pickle_protocol=4)
    expect("protocol4.pth", net)
    safetensors.torch.save_file(state(net), FOLDER / "plain.safetensors", metadata={"format": "pt"})
    expect("plain.safetensors", net)
    folder = FOLDER / "shards"
    folder.mkdir()
    names = list(state(net))
    weight_map = {}
    for number, part in enumerate([names[:5], names[5:]], 1):
        file = f"model-{number:05}-of-00002.safetensors"
        safetensors.torch.save_file({name: state(net)[name] for name in part}, folder / file)
        weight_map.update(dict.fromkeys(part, file))
    index = {"metadata": {"total_size": 0}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=1) + "\n")
    expect("shards/model.safetensors.index.json", net)


def refused(net):
    """Files that are no weights, or not all of them."""
    torch.jit.trace(net, picture()).save(FOLDER / "torchscript.pt")
    torch.save(nn.Sequential(nn.Linear(2, 1)), FOLDER / "whole_network.pth")
    torch.save(net, FOLDER / "whole_own_network.pth")
    whole = {name: tensor.mul(10).to(torch.int8) for name, tensor in state(net).items()}
    torch.save(whole, FOLDER / "int8.pth")
    safetensors.torch.save_file(whole, FOLDER / "int8.safetensors")
    scaled = floats(state(net), lambda tensor: tensor.to(torch.float8_e4m3fn))
    scaled["conv1.weight_scale"] = torch.tensor(0.5)
    safetensors.torch.save_file(scaled, FOLDER / "scaled_float8.safetensors")
    quantised = state(net)
    quantised["fc.weight"] = torch.quantize_per_tensor(quantised["fc.weight"], 0.01, 0, torch.qint8)
    torch.save(quantised, FOLDER / "quantised.pth")
    torch.save(backbone(net), FOLDER / "without_head.pth")
    for file, tensor, number in [
        ("nan", "conv1.weight", float("nan")),
        ("infinity", "layer1.0.bn1.bias", float("inf")),
        ("negative_variance", "bn1.running_var", -0.5),
    ]:
        wrong = state(net)
        wrong[tensor].view(-1)[2] = number
        torch.save(wrong, FOLDER / f"{file}.pth")
        safetensors.torch.save_file(wrong, FOLDER / f"{file}.safetensors")
    (FOLDER / "lfs_pointer.pth").write_text(
        "version https://git-lfs.github.com/spec/v1\n"
        "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"
    )
    (FOLDER / "page.safetensors").write_text("<!DOCTYPE html>\n<html><head><title>Sign in</title></head></html>\n")
    two = {"generator": state(net), "critic": state(network(9))}
    torch.save(two, FOLDER / "two_of_a_kind.pth")


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    net, other = network(1), network(2)
    wrappings(net)
    programs(net, other)
    wrappers(net)
    weight_norm(3)
    tensors(net)
    containers(net)
    refused(net)
    (FOLDER / "expected.json").write_text(json.dumps(EXPECTED, indent=1) + "\n")


if __name__ == "__main__":
    main()
