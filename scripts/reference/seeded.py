"""Weights and pictures by formula, so that no reference test has to commit any.

Number `index` of the tensor called `name` comes from splitmix64 of fnv1a(name) and index. All arithmetic is in
integers and f64 and is rounded to f32 once, so the Rust twin (crates/eyespot-testing/src/seeded.rs) has the
same bits.
"""

import numpy as np
import torch

GOLDEN = 0x9E3779B97F4A7C15
CHUNK = 1 << 22


def fnv1a(text: str) -> int:
    state = 0xCBF29CE484222325
    for byte in text.encode():
        state = ((state ^ byte) * 0x100000001B3) % 2**64
    return state


def uniform(name: str, count: int) -> np.ndarray:
    """`count` numbers in [-1, 1) with 24 bits each, as f64."""
    out = np.empty(count)
    for start in range(0, count, CHUNK):
        index = np.arange(start, min(start + CHUNK, count), dtype=np.uint64)
        with np.errstate(over="ignore"):
            z = np.uint64(fnv1a(name)) + (index + np.uint64(1)) * np.uint64(GOLDEN)
            z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            z ^= z >> np.uint64(31)
        out[start : start + len(index)] = (z >> np.uint64(40)).astype(np.float64) / 2**23 - 1
    return out


def weights(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The tensor of this name, scaled so that activations neither explode nor vanish."""
    numbers = uniform(name, int(np.prod(shape)))
    if name.endswith("running_var"):
        numbers = 1 + 0.5 * numbers
    elif name.endswith("running_mean") or name.endswith("bias"):
        numbers = 0.1 * numbers
    elif len(shape) == 1:
        # Batch norm; the last ones of a residual branch are smaller, or the sum would grow block by block.
        small = name.endswith(("bn2.weight", "bn3.weight", "conv.3.weight"))
        numbers = (1 + 0.2 * numbers) * (0.5 if small else 1.0)
    else:
        numbers = numbers * np.sqrt(6 / np.prod(shape[1:]))
    return numbers.astype(np.float32).reshape(shape)


def seed(model: torch.nn.Module) -> torch.nn.Module:
    """Sets every weight and running statistic of `model` by the formula; evaluation mode."""
    state = model.state_dict()
    for name, tensor in state.items():
        if not name.endswith("num_batches_tracked"):
            tensor.copy_(torch.from_numpy(weights(name, tuple(tensor.shape))))
    return model.eval()


def picture(number: int, channels: int, height: int, width: int) -> np.ndarray:
    """Picture `number`, channels x height x width: noise on a slope, within [-2, 2)."""
    noise = uniform(f"picture{number}", channels * height * width).reshape(channels, height, width)
    c, y, x = np.meshgrid(np.arange(channels), np.arange(height), np.arange(width), indexing="ij")
    slope = ((x * (c + 1) + 2 * y + 5 * number) % 32) / 16 - 1
    return (noise + slope).astype(np.float32)
