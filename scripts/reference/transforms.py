"""Reference numbers for eyespot-data's transforms and augmentation, from torchvision and Pillow.

Run by hand, with torch==2.15.0 torchvision==0.29.2 pillow==13.0.0 numpy==2.4.6:

    python scripts/reference/transforms.py > crates/eyespot-data/tests/data/transforms.json

Pictures come from a formula that the Rust tests repeat, so none are committed.
"""

import json

import numpy as np
import torchvision.transforms.functional as F
from PIL import Image
from torchvision import transforms as T


def picture(width, height):
    """Smooth slopes, sharp edges and fine stripes."""
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    slope = (x * 255 // width * (3 - c) + y * 255 // height * (c + 1)) // 4
    edges = ((x // 23 + y // 17 + c) % 3) * 60
    stripes = (x * x + y * 3 + x * y * (c + 1)) // 16 % 32
    return Image.fromarray(((slope + edges + stripes) % 256).astype(np.uint8))


def grid(array, n=15):
    """n × n of the pixels, evenly spread with the corners, all channels."""
    h, w = array.shape[:2]
    rows = [i * (h - 1) // (n - 1) for i in range(n)]
    columns = [i * (w - 1) // (n - 1) for i in range(n)]
    return array[rows][:, columns].reshape(-1).tolist()


def evaluation():
    cases = []
    for width, height in [(500, 375), (375, 500), (333, 500), (256, 256), (301, 256), (100, 80), (1024, 200), (1600, 1201)]:
        for resize, crop in [(256, (224, 224)), (232, (224, 224)), (None, (224, 224)), (64, (64, 64)), (129, (96, 131))]:
            steps = ([T.Resize(resize)] if resize else []) + [T.CenterCrop(crop)]
            out = np.asarray(T.Compose(steps)(picture(width, height)))
            cases.append(
                {"width": width, "height": height, "fit": "crop", "resize": resize, "crop": crop, "pixels": grid(out), "sum": int(out.sum(dtype=np.int64))}
            )
        out = np.asarray(T.Resize((160, 120))(picture(width, height)))
        cases.append(
            {"width": width, "height": height, "fit": "squash", "resize": None, "crop": [160, 120], "pixels": grid(out), "sum": int(out.sum(dtype=np.int64))}
        )
    return cases


def normalised():
    steps = T.Compose([T.Resize(256), T.CenterCrop(224), T.ToTensor(), T.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])])
    # A picture of the frame's own size is not resized: the numbers must agree to the last digits.
    out = steps(picture(256, 256)).permute(1, 2, 0).numpy()
    grey = F.normalize(F.to_tensor(F.rgb_to_grayscale(picture(28, 28))), [0.1307], [0.3081])
    return {"imagenet": grid(out), "grey": grid(grey.permute(1, 2, 0).numpy())}


def changes():
    small = picture(40, 30)
    # Chosen so that no pixel's centre falls exactly on an edge, where rounding would decide between picture and black.
    corners = [[3, 2], [35, 4], [37, 26], [1, 27]]
    frame = [[0, 0], [39, 0], [39, 29], [0, 29]]
    bilinear = T.InterpolationMode.BILINEAR
    out = {
        "brightness 0.6": F.adjust_brightness(small, 0.6),
        "brightness 1.4": F.adjust_brightness(small, 1.4),
        "contrast 0.5": F.adjust_contrast(small, 0.5),
        "contrast 1.5": F.adjust_contrast(small, 1.5),
        "saturation 0.3": F.adjust_saturation(small, 0.3),
        "saturation 1.7": F.adjust_saturation(small, 1.7),
        "hue -0.1": F.adjust_hue(small, -0.1),
        "hue 0.35": F.adjust_hue(small, 0.35),
        "grey": F.rgb_to_grayscale(small, 3),
        "hflip": F.hflip(small),
        "vflip": F.vflip(small),
        # RandomCrop pads by 5 on each side and cuts out from row 2 (5 - 3) and column 7 (5 + 2) on, or row 9, column 1.
        "shift 3 -2": F.crop(F.pad(small, 5), 2, 7, small.height, small.width),
        "shift -4 4": F.crop(F.pad(small, 5), 9, 1, small.height, small.width),
        "blur 9 1.5": F.gaussian_blur(small, [9, 9], [1.5, 1.5]),
        "rotate 20": F.rotate(small, 20, bilinear),
        "rotate -75": F.rotate(small, -75, bilinear),
        "perspective": F.perspective(small, frame, corners, bilinear),
        "crop": F.resized_crop(small, 4, 7, 20, 27, [24, 24]),
    }
    return {name: np.asarray(value).reshape(-1).tolist() for name, value in out.items()}


print(json.dumps({"evaluation": evaluation(), "normalised": normalised(), "changes": changes()}, separators=(",", ":")))
