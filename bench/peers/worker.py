"""One peer, one network, one purpose: prints a JSON line {"ms_per_image", "peak_memory_bytes"}.

Run by compare.py in a process of its own, so that no peer's threads disturb another's measurement.
Times are the median of single calls after a warm-up.
"""

import argparse
import json
import os
import resource
import statistics
import tempfile
import time


def measure(call, seconds):
    """Median seconds of a call: a warm-up of a fifth of the time, then calls until the time is over, at least 3."""
    begin = time.perf_counter()
    call()
    while time.perf_counter() - begin < seconds / 5:
        call()
    times = []
    begin = time.perf_counter()
    while len(times) < 3 or time.perf_counter() - begin < seconds:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def torch_call(args):
    import torch
    import torchvision

    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    model = getattr(torchvision.models, args.model)()
    layout = torch.channels_last if args.layout == "channels_last" else torch.contiguous_format
    model = model.to(memory_format=layout)
    x = torch.randn(args.batch, 3, 224, 224).contiguous(memory_format=layout)
    if args.mode == "infer":
        model.eval()

        def call():
            with torch.inference_mode():
                model(x)

        return call
    y = torch.randint(0, 1000, (args.batch,))
    loss_of = torch.nn.CrossEntropyLoss()
    # Rate 0 keeps random weights from diverging over the rounds; the work is the same.
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0, momentum=0.9)
    model.train()

    def call():
        optimizer.zero_grad()
        loss_of(model(x), y).backward()
        optimizer.step()

    return call


def exported(args):
    """The network as an ONNX file, made once per model and batch size and kept for later rounds."""
    path = os.path.join(tempfile.gettempdir(), f"eyespot-peers-{args.model}-{args.batch}.onnx")
    if not os.path.exists(path):
        import torch
        import torchvision

        torch.manual_seed(0)
        model = getattr(torchvision.models, args.model)().eval()
        x = torch.randn(args.batch, 3, 224, 224)
        torch.onnx.export(model, (x,), path, dynamo=True, external_data=False, verbose=False)
    return path


def onnxruntime_call(args):
    path = exported(args)
    import numpy
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = args.threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    x = numpy.random.default_rng(0).standard_normal((args.batch, 3, 224, 224), dtype=numpy.float32)
    name = session.get_inputs()[0].name
    return lambda: session.run(None, {name: x})


def openvino_call(args):
    path = exported(args)
    import numpy
    import openvino

    core = openvino.Core()
    settings = {
        "INFERENCE_NUM_THREADS": args.threads,
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": "1",
    }
    compiled = core.compile_model(core.read_model(path), "CPU", settings)
    request = compiled.create_infer_request()
    x = numpy.random.default_rng(0).standard_normal((args.batch, 3, 224, 224), dtype=numpy.float32)
    return lambda: request.infer([x], share_inputs=True, share_outputs=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--peer", choices=["torch", "onnxruntime", "openvino"], required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--mode", choices=["infer", "train"], default="infer")
    parser.add_argument("--layout", choices=["contiguous", "channels_last"], default="contiguous")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--export-only", action="store_true")
    args = parser.parse_args()
    if args.export_only:
        exported(args)
        return
    call = {"torch": torch_call, "onnxruntime": onnxruntime_call, "openvino": openvino_call}[args.peer](args)
    seconds = measure(call, args.seconds)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"ms_per_image": 1000 * seconds / args.batch, "peak_memory_bytes": peak}))


if __name__ == "__main__":
    main()
