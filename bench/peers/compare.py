"""Runs the same networks on PyTorch, ONNX Runtime, OpenVINO and eyespot in turn and prints ratios of time.

    python bench/peers/compare.py --eyespot target/release/eyespot --mode infer --batch 16 --rounds 5

Every round runs each program once, one after the other, each in a process of its own; a ratio is taken inside a
round and the median over the rounds is printed. `--mode train` compares training steps with PyTorch alone.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys

MODELS = ["resnet50", "resnet18", "vgg16", "alexnet", "squeezenet1_1", "mobilenet_v2"]
HERE = os.path.dirname(os.path.abspath(__file__))


def run(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def programs(args, model):
    common = ["--model", model, "--batch", str(args.batch), "--mode", args.mode, "--threads", str(args.threads)]
    worker = [sys.executable, os.path.join(HERE, "worker.py"), *common, "--seconds", str(args.seconds)]
    every = {
        "torch nchw": [*worker, "--peer", "torch"],
        "torch nhwc": [*worker, "--peer", "torch", "--layout", "channels_last"],
    }
    if args.mode == "infer":
        every["onnxruntime"] = [*worker, "--peer", "onnxruntime"]
        every["openvino"] = [*worker, "--peer", "openvino"]
        if args.skip_torch:
            del every["torch nchw"], every["torch nhwc"]
    every["eyespot"] = [args.eyespot, "bench", *common, "--json"]
    return every


def machine():
    model = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo") as file:
            lines = file.read().splitlines()
        model = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return f"{model}, {os.cpu_count()} cores, {platform.system()} {platform.release()}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--eyespot", default="target/release/eyespot")
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--mode", choices=["infer", "train"], default="infer")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="measured time per program and round")
    parser.add_argument("--skip-torch", action="store_true", help="only the faster peers (inference)")
    parser.add_argument("--json", help="also write every figure to this file")
    args = parser.parse_args()

    print(f"{machine()}; {args.threads} threads, f32, batch {args.batch}, {args.mode}, {args.rounds} rounds")
    print("milliseconds per image, median over the rounds; ratios inside a round")
    record = []
    for model in args.models.split(","):
        every = programs(args, model)
        if args.mode == "infer":
            # The export takes minutes for large networks and lots of memory: not inside a measurement.
            exporter = [sys.executable, os.path.join(HERE, "worker.py"), "--peer", "onnxruntime", "--export-only"]
            subprocess.run([*exporter, "--model", model, "--batch", str(args.batch)], check=True, capture_output=True)
        rounds = [{name: run(command) for name, command in every.items()} for _ in range(args.rounds)]
        peers = [name for name in every if name != "eyespot"]
        fast = [name for name in peers if not name.startswith("torch")] or peers
        speed = lambda r, name: r[name]["ms_per_image"]
        ratios = [speed(r, "eyespot") / min(speed(r, name) for name in fast) for r in rounds]
        median = {name: statistics.median(speed(r, name) for r in rounds) for name in every}
        memory = {name: max(r[name]["peak_memory_bytes"] for r in rounds) >> 20 for name in every}
        times = "  ".join(f"{name} {value:.2f} ({memory[name]} MiB)" for name, value in median.items())
        print(
            f"{model:15} ratio {statistics.median(ratios):.3f}"
            f" [{min(ratios):.3f}..{max(ratios):.3f}] over the faster of {', '.join(fast)}:  {times}",
            flush=True,
        )
        record.append({"model": model, "ratios": ratios, "rounds": rounds})
    if args.json:
        with open(args.json, "w") as file:
            json.dump({"machine": machine(), "settings": vars(args), "models": record}, file, indent=1)


if __name__ == "__main__":
    main()
