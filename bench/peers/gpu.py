"""Measures PyTorch on a GPU, and `eyespot bench --device cuda` beside it, one after the other in every round.

    python bench/peers/gpu.py --eyespot target/release/eyespot --rounds 3            # PyTorch eager
    python bench/peers/gpu.py --eyespot target/release/eyespot --compiled            # torch.compile, too: takes minutes

Both sides compute on images that lie in the GPU's memory already, channels last. A forward pass of PyTorch has its weights
in the type it computes in; a training step keeps them in f32 under autocast, as eyespot does. Milliseconds per image,
medians over the rounds; ratios are eyespot's time over PyTorch's inside a round.
"""

import argparse
import gc
import json
import statistics
import subprocess
import sys

import torch
import torchvision

WORKS = [
    ("resnet50", "infer", 256),
    ("resnet50", "train", 256),
    ("resnet18", "infer", 256),
    ("resnet18", "train", 256),
    ("resnet50", "infer", 1),
]


def setting(precision):
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"
    torch.backends.cudnn.benchmark = True


def infer(name, batch, precision, compiled):
    model = getattr(torchvision.models, name)().cuda().eval().to(memory_format=torch.channels_last)
    x = torch.randn(batch, 3, 224, 224, device="cuda").contiguous(memory_format=torch.channels_last)
    if precision == "bf16":
        model, x = model.bfloat16(), x.bfloat16()
    if compiled:
        model = torch.compile(model, mode="max-autotune-no-cudagraphs" if batch > 1 else "reduce-overhead")

    def step():
        with torch.inference_mode():
            model(x)

    return step


def train(name, batch, precision, compiled):
    model = getattr(torchvision.models, name)().cuda().to(memory_format=torch.channels_last)
    x = torch.randn(batch, 3, 224, 224, device="cuda").contiguous(memory_format=torch.channels_last)
    y = torch.randint(0, 1000, (batch,), device="cuda")
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-9, momentum=0.9)
    run = torch.compile(model) if compiled else model

    def step():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda", dtype=torch.bfloat16, enabled=precision == "bf16"):
            loss = torch.nn.functional.cross_entropy(run(x), y)
        loss.backward()
        optimizer.step()

    return step


def milliseconds(step, seconds):
    """Of one step: warmed up, then the mean over about `seconds`."""
    for _ in range(5):
        step()
    torch.cuda.synchronize()
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))

    def timed(steps):
        begin.record()
        for _ in range(steps):
            step()
        end.record()
        end.synchronize()
        return begin.elapsed_time(end) / steps

    return timed(max(3, int(1e3 * seconds / timed(3))))


def peer(work, args, compiled):
    name, mode, batch = work
    torch.cuda.reset_peak_memory_stats()
    step = (infer if mode == "infer" else train)(name, batch, args.precision, compiled)
    ms = milliseconds(step, args.seconds) / batch
    memory = torch.cuda.max_memory_reserved() / 2**20
    del step
    torch._dynamo.reset()
    gc.collect()
    torch.cuda.empty_cache()
    return ms, memory


def eyespot(work, args):
    name, mode, batch = work
    command = [args.eyespot, "bench", "--device", "cuda", "--precision", args.precision, "--model", name, "--mode", mode]
    command += ["--batch", str(batch), "--json", *(["--fast"] if args.fast else [])]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    result = json.loads(done.stdout.strip().splitlines()[-1])
    return result["ms_per_image"], result["device_memory_bytes"] / 2**20


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--eyespot", default="target/release/eyespot")
    parser.add_argument("--precision", choices=["f32", "tf32", "bf16"], default="bf16")
    parser.add_argument("--fast", action="store_true", help="eyespot with --fast")
    parser.add_argument("--compiled", action="store_true", help="torch.compile, too")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=1.0, help="measured time per work and round on PyTorch's side")
    parser.add_argument("--works", default="", help="such as resnet50:train:256, several with commas")
    args = parser.parse_args()
    works = WORKS
    if args.works:
        works = [(n, m, int(b)) for n, m, b in (work.split(":") for work in args.works.split(","))]
    setting(args.precision)
    print(f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__}, cuDNN {torch.backends.cudnn.version()}", end="")
    print(f"; {args.precision}{', --fast' if args.fast else ''}, {args.rounds} rounds")
    print(f"{'work':<24}{'eager':>9}{'compiled':>10}{'eyespot':>9}{'/eager':>8}{'/compiled':>11}   MiB, eyespot / eager")
    for work in works:
        rounds = []
        for _ in range(args.rounds):
            own, own_memory = eyespot(work, args)
            eager, memory = peer(work, args, False)
            rounds.append((own, eager, own_memory, memory))
        own, eager, own_memory, memory = (statistics.median(column) for column in zip(*rounds))
        ratio = statistics.median(r[0] / r[1] for r in rounds)
        compiled = peer(work, args, True)[0] if args.compiled else None
        text = f"{work[0]} {work[1]} {work[2]}"
        shown = f"{compiled:>10.4f}" if compiled else f"{'–':>10}"
        over = f"{own / compiled:>11.2f}" if compiled else f"{'–':>11}"
        print(f"{text:<24}{eager:>9.4f}{shown}{own:>9.4f}{ratio:>8.2f}{over}   {own_memory:.0f} / {memory:.0f}", flush=True)


if __name__ == "__main__":
    main()
