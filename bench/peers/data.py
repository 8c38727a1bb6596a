"""Folder to normalised tensors: eyespot's loader beside torchvision's, in turn, over the same pictures.

    cargo build --release -p eyespot-data --example load
    python bench/peers/data.py FOLDER --rounds 5

FOLDER holds train/CLASS/* and val/CLASS/*. Both sides read every picture once with the evaluation preset (short side 256,
centre 224, normalised) in batches of 32; torchvision through ImageFolder and a DataLoader with as many worker processes
as eyespot has threads. Starting the workers counts, importing torch doesn't. Pinned versions: requirements.txt.
"""

import argparse
import json
import os
import statistics
import subprocess
import time

import torch
import torchvision
from torchvision import transforms as T


def peer(folder, workers, batch):
    preset = T.Compose(
        [T.Resize(256), T.CenterCrop(224), T.ToTensor(), T.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])]
    )
    start = time.perf_counter()
    parts = [torchvision.datasets.ImageFolder(os.path.join(folder, part), preset) for part in ("train", "val")]
    data = torch.utils.data.ConcatDataset(parts)
    images, total = 0, 0.0
    for inputs, _ in torch.utils.data.DataLoader(data, batch_size=batch, num_workers=workers):
        images += len(inputs)
        total += inputs.sum(dtype=torch.float64).item()
    seconds = time.perf_counter() - start
    return {"images": images, "seconds": seconds, "mean": total / (images * 224 * 224 * 3)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--eyespot", default="target/release/examples/load")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(1)  # the workers do the work, and torch limits itself to one thread in each
    ratios = []
    for number in range(args.rounds + 1):
        command = [args.eyespot, args.folder, str(args.threads), str(args.batch)]
        own = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        other = peer(args.folder, args.threads, args.batch)
        assert own["images"] == other["images"], (own, other)
        assert abs(own["mean"] - other["mean"]) < 0.01, (own, other)
        if number == 0:
            continue  # files come into the system's cache
        ratios.append(own["seconds"] / other["seconds"])
        each = [1000 * side["seconds"] / side["images"] for side in (own, other)]
        print(f"eyespot {each[0]:.2f} ms a picture, torchvision {each[1]:.2f}, ratio {ratios[-1]:.3f}", flush=True)
    print(f"median ratio {statistics.median(ratios):.3f} ({own['images']} pictures, {args.threads} threads)")


main()
