"""What networks give before their last layer, from torchvision: the vectors of `eyespot embed`.

Run in the repository's root with the versions of requirements.txt:

    python scripts/reference/embeddings.py           crates/eyespot-testing/data/features.json
    python scripts/reference/embeddings.py DATA      crates/eyespot-cli/tests/data/embeddings.json

The first is for weights and pictures by formula (seeded.py), in f64. The second is for real photos below the folder DATA
(EYESPOT_TEST_DATA's) and SqueezeNet's published weights, with torchvision's evaluation preset. Of each vector every
7th number and the sum are kept.
"""

import json
import pathlib
import sys

import safetensors.torch
import torch
import torchvision
from PIL import Image, ImageOps
from torchvision import transforms as T

import seeded

ROOT = pathlib.Path(__file__).parents[2]
SEEDED = [("squeezenet1_1", (3, 224, 224)), ("resnet18", (3, 64, 80)), ("mobilenet_v2", (3, 64, 80)), ("alexnet", (3, 64, 80))]
PHOTOS = [
    "hymenoptera/val/bees/2745389517_250a397f31.jpg",
    "hymenoptera/val/ants/181942028_961261ef48.jpg",
    "imagenette-mini/val/n03028079/n03028079_6292.JPEG",
    "imagenette-mini/val/n03888257/n03888257_38391.JPEG",
]


def before_the_last_layer(name, model, pictures):
    """pictures x numbers."""
    with torch.no_grad():
        if name.startswith("squeezenet"):
            return model.features(pictures).mean((2, 3))
        seen = []
        last = [module for module in model.modules() if isinstance(module, torch.nn.Linear)][-1]
        last.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
        model(pictures)
        return seen[0]


def row(what, vector):
    numbers = [float(f"{v:.9g}") for v in vector[::7].tolist()]
    return {**what, "len": len(vector), "sum": float(vector.sum()), "every7th": numbers}


def by_formula():
    for name, shape in SEEDED:
        model = seeded.seed(torchvision.models.get_model(name)).double()
        picture = torch.from_numpy(seeded.picture(0, *shape)).double()[None]
        yield row({"network": name, "input": shape}, before_the_last_layer(name, model, picture)[0])


def photos(data):
    model = torchvision.models.get_model("squeezenet1_1").eval()
    model.load_state_dict(safetensors.torch.load_file(data / "weights/squeezenet1_1.safetensors"))
    preset = T.Compose(
        [T.Resize(256), T.CenterCrop(224), T.ToTensor(), T.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])]
    )
    for file in PHOTOS:
        picture = preset(ImageOps.exif_transpose(Image.open(data / file)).convert("RGB"))[None]
        yield row({"file": file}, before_the_last_layer("squeezenet1_1", model, picture)[0])


def main():
    if len(sys.argv) > 1:
        path, rows = "crates/eyespot-cli/tests/data/embeddings.json", photos(pathlib.Path(sys.argv[1]))
    else:
        path, rows = "crates/eyespot-testing/data/features.json", by_formula()
    path = ROOT / path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("[\n" + ",\n".join("  " + json.dumps(r) for r in rows) + "\n]\n")


if __name__ == "__main__":
    main()
