"""Operators and optimizers as PyTorch computes them, forward and backward.

Writes crates/eyespot-kernels/tests/data/ops.json. Every input is seeded.uniform("CASE/INPUT"), which the Rust test
computes as well; of every output some numbers and two sums are committed. Maps are in PyTorch's order (NCHW).
All is computed in f64 from inputs rounded to f32.

    python scripts/reference/ops.py
"""

import json
from pathlib import Path

import torch
import torch.nn.functional as F

from seeded import uniform

OUT = Path(__file__).parents[2] / "crates/eyespot-kernels/tests/data/ops.json"
SAMPLES = 16

torch.set_default_dtype(torch.float64)


def tensor(case: str, name: str, shape) -> torch.Tensor:
    count = int(torch.tensor(shape).prod())
    numbers = torch.from_numpy(uniform(f"{case}/{name}", count)).float()
    return numbers.double().reshape(shape).requires_grad_()


def sample(values: torch.Tensor) -> dict:
    """Every `step`-th number, the sum of all, and the sum with alternating weights, which notices a swap."""
    flat = values.detach().flatten()
    step = max(1, len(flat) // SAMPLES) | 1
    weights = torch.arange(len(flat)) % 7 - 3
    return {
        "count": len(flat),
        "step": step,
        "values": [float(f"{v:.8g}") for v in flat[::step].tolist()],
        "sum": float(f"{flat.sum():.8g}"),
        "weighted_sum": float(f"{(flat * weights).sum():.8g}"),
    }


def case(op: str, index: int, settings: dict, inputs: dict, function) -> dict:
    """Runs `function(**inputs)` forward and backward; every result and every gradient is sampled."""
    name = f"{op}{index}"
    given = {key: tensor(name, key, shape) for key, shape in inputs.items()}
    y = function(**given)
    dy = tensor(name, "dy", tuple(y.shape))
    y.backward(dy.detach())
    outputs = {"y": sample(y)}
    outputs |= {f"d{key}": sample(value.grad) for key, value in given.items() if value.grad is not None}
    return {"op": op, "name": name, **settings, "output": list(y.shape), "inputs": inputs, "outputs": outputs}


def convolutions():
    table = [
        # images, in, height, width, out, kernel, stride, padding, dilation, groups
        (2, 3, 9, 8, 16, (3, 3), (1, 1), (1, 1), (1, 1), 1),
        (2, 16, 7, 7, 24, (1, 1), (1, 1), (0, 0), (1, 1), 1),
        (1, 16, 9, 9, 32, (1, 1), (2, 2), (0, 0), (1, 1), 1),
        (2, 3, 20, 17, 8, (7, 7), (2, 2), (3, 3), (1, 1), 1),
        (1, 3, 23, 23, 8, (11, 11), (4, 4), (2, 2), (1, 1), 1),
        (2, 8, 10, 11, 12, (3, 2), (2, 3), (1, 0), (1, 1), 1),
        (1, 8, 12, 12, 8, (3, 3), (1, 1), (2, 2), (2, 2), 1),
        (2, 12, 8, 8, 8, (3, 3), (1, 1), (1, 1), (1, 1), 4),
        (2, 24, 9, 9, 24, (3, 3), (1, 1), (1, 1), (1, 1), 24),
        (2, 24, 9, 9, 24, (3, 3), (2, 2), (1, 1), (1, 1), 24),
        (1, 6, 9, 9, 12, (3, 3), (2, 2), (1, 1), (1, 1), 6),
        (1, 64, 7, 7, 80, (3, 3), (1, 1), (1, 1), (1, 1), 1),
        (1, 5, 6, 6, 7, (6, 6), (1, 1), (0, 0), (1, 1), 1),
    ]
    for index, (n, c, h, w, out, kernel, stride, padding, dilation, groups) in enumerate(table):
        settings = dict(kernel=kernel, stride=stride, padding=padding, dilation=dilation, groups=groups)
        inputs = dict(x=(n, c, h, w), w=(out, c // groups, *kernel), b=(out,))
        arguments = dict(stride=stride, padding=padding, dilation=dilation, groups=groups)
        yield case("conv2d", index, settings, inputs, lambda x, w, b: F.conv2d(x, w, b, **arguments))
    for index, (n, inputs, outputs) in enumerate([(4, 10, 3), (1, 64, 33), (5, 100, 17)]):
        shapes = dict(x=(n, inputs), w=(outputs, inputs), b=(outputs,))
        yield case("linear", index, {}, shapes, lambda x, w, b: F.linear(x, w, b))


def batch_norms():
    follows = {
        "nothing": lambda y, r: y,
        "relu": lambda y, r: F.relu(y),
        "relu6": lambda y, r: F.relu6(y),
        "add_relu": lambda y, r: F.relu(y + r),
    }
    shapes = [(2, 5, 3, 4), (3, 32, 5, 5), (2, 72, 7, 6)]
    index = 0
    for follow, function in follows.items():
        for shape in shapes:
            name = f"batch_norm{index}"
            channels = (shape[1],)
            running = {key: tensor(name, key, channels).detach() for key in ("running_mean", "running_var")}

            def forward(x, w, b, r=None):
                # A large factor, so that results beyond 6 occur.
                y = F.batch_norm(x, **running, weight=8 * w, bias=b, training=True, momentum=0.1, eps=1e-5)
                return function(y, r)

            inputs = dict(x=shape, w=channels, b=channels)
            if follow == "add_relu":
                inputs["r"] = shape
            result = case("batch_norm", index, {"follows": follow, "stretch": 8}, inputs, forward)
            result["outputs"] |= {key: sample(value) for key, value in running.items()}
            yield result
            index += 1
    # Inference: running statistics, which must be positive where they are variances.
    def inference(x, w, b, m, v):
        return F.batch_norm(x, m.detach(), v.detach().abs() + 0.1, w, b, training=False, eps=1e-5)

    inputs = dict(x=(2, 24, 3, 3), w=(24,), b=(24,), m=(24,), v=(24,))
    result = case("scale_shift", 0, {}, inputs, inference)
    result["outputs"] = {"y": result["outputs"]["y"]}
    yield result


def pools():
    maxima = [
        # images, channels, height, width, kernel, stride, padding, ceil
        (2, 8, 9, 9, (3, 3), (2, 2), (1, 1), False),
        (2, 5, 13, 13, (3, 3), (2, 2), (0, 0), False),
        (1, 16, 14, 12, (3, 3), (2, 2), (0, 0), True),
        (2, 64, 8, 8, (2, 2), (2, 2), (0, 0), False),
        (1, 3, 7, 8, (3, 2), (1, 3), (1, 1), True),
        (1, 4, 6, 6, (2, 2), (3, 3), (0, 0), True),
    ]
    for index, (n, c, h, w, kernel, stride, padding, ceil) in enumerate(maxima):
        settings = dict(kernel=kernel, stride=stride, padding=padding)
        arguments = dict(kernel_size=kernel, stride=stride, padding=padding, ceil_mode=ceil)
        yield case("max_pool2d", index, settings, dict(x=(n, c, h, w)), lambda x: F.max_pool2d(x, **arguments))
    index = 0
    for n, c, h, w, kernel, stride, padding, ceil in maxima:
        for include in (True, False):
            settings = dict(kernel=kernel, stride=stride, padding=padding, count_include_pad=include)
            arguments = dict(
                kernel_size=kernel, stride=stride, padding=padding, ceil_mode=ceil, count_include_pad=include
            )
            yield case("avg_pool2d", index, settings, dict(x=(n, c, h, w)), lambda x: F.avg_pool2d(x, **arguments))
            index += 1
    grids = [((2, 24, 7, 7), (1, 1)), ((1, 8, 13, 13), (6, 6)), ((2, 3, 5, 4), (7, 7)), ((1, 4, 10, 7), (3, 5))]
    for index, (shape, grid) in enumerate(grids):
        yield case("adaptive_avg_pool2d", index, {}, dict(x=shape), lambda x: F.adaptive_avg_pool2d(x, grid))


def pointwise():
    functions = {
        "relu": F.relu,
        "relu6": lambda x: F.relu6(x),
        "leaky_relu": lambda x: F.leaky_relu(x, 0.125),
        "sigmoid": torch.sigmoid,
        "tanh": torch.tanh,
        "gelu": F.gelu,
        "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
        "silu": F.silu,
        "hard_swish": F.hardswish,
        "hard_sigmoid": F.hardsigmoid,
    }
    for name, function in functions.items():
        # Inputs are in [-1, 1): stretched, so that both ends of the function are reached.
        yield case(name, 0, {"stretch": 8}, dict(x=(3, 50)), lambda x: function(8 * x))
    rows = [(3, 10), (2, 1000), (4, 2)]
    for index, shape in enumerate(rows):
        yield case("softmax", index, {"stretch": 8}, dict(x=shape), lambda x: F.softmax(8 * x, 1))
        yield case("log_softmax", index, {"stretch": 8}, dict(x=shape), lambda x: F.log_softmax(8 * x, 1))
    norms = [((2, 16, 3, 3), 5, 1e-4, 0.75, 1.0), ((1, 7, 4, 2), 4, 2.0, 0.75, 2.0), ((1, 9, 3, 3), 3, 1.0, 0.5, 1.0)]
    for index, (shape, size, alpha, beta, k) in enumerate(norms):
        settings = dict(size=size, alpha=alpha, beta=beta, k=k)
        yield case(
            "local_response_norm",
            index,
            settings,
            dict(x=shape),
            lambda x: F.local_response_norm(x, size, alpha, beta, k),
        )
    for index, (n, inputs, units) in enumerate([(3, 84, 10), (1, 7, 3)]):
        shapes = dict(x=(n, inputs), w=(units, inputs))
        yield case("gaussian", index, {}, shapes, lambda x, w: -0.5 * ((x[:, None] - w[None]) ** 2).sum(2))
    products = [((2, 8, 5, 4), (2, 8, 1, 1)), ((3, 40, 7, 7), (3, 40, 1, 1)), ((2, 5, 3, 4), (2, 5, 3, 4))]
    for index, (shape, factors) in enumerate(products):
        yield case("mul", index, {}, dict(x=shape, s=factors), lambda x, s: x * s)
    for index, (shape, out) in enumerate([((2, 16, 8, 8), 32), ((1, 3, 5, 7), 7)]):
        pad = (out - shape[1]) // 2
        yield case(
            "pad_shortcut",
            index,
            dict(out_channels=out, stride=2),
            dict(x=shape),
            lambda x: F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, pad, pad)),
        )


def optimizers():
    rules = [
        ("sgd", dict(lr=0.1)),
        ("sgd", dict(lr=0.1, weight_decay=0.01)),
        ("sgd", dict(lr=0.1, momentum=0.9, weight_decay=0.001)),
        ("sgd", dict(lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.001)),
        ("adam", dict(lr=0.01)),
        ("adam", dict(lr=0.01, betas=(0.8, 0.95), eps=1e-4, weight_decay=0.1)),
        ("adamw", dict(lr=0.01, weight_decay=0.1)),
    ]
    classes = dict(sgd=torch.optim.SGD, adam=torch.optim.Adam, adamw=torch.optim.AdamW)
    for index, (rule, settings) in enumerate(rules):
        name = f"{rule}{index}"
        weights = tensor(name, "w", (100,)).detach().requires_grad_()
        optimizer = classes[rule]([weights], **settings)
        averaged = torch.optim.swa_utils.get_ema_multi_avg_fn(0.75)
        average = weights.detach().clone()
        outputs = {}
        for step in range(6):
            # Gradients are scaled by a half, as clipping would.
            weights.grad = 0.5 * tensor(name, f"g{step}", (100,)).detach()
            optimizer.step()
            averaged([average], [weights.detach()], None)
            outputs[f"w{step}"] = sample(weights)
        outputs["average"] = sample(average)
        yield {"op": rule, "name": name, **settings, "steps": 6, "scale": 0.5, "ema": 0.75, "outputs": outputs}


if __name__ == "__main__":
    groups = [convolutions(), batch_norms(), pools(), pointwise(), optimizers()]
    lines = [json.dumps(entry) for group in groups for entry in group]
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text("[\n" + ",\n".join(lines) + "\n]\n")
    print(f"{len(lines)} cases, {OUT.stat().st_size} bytes")
