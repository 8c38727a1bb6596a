"""HOG by scikit-image, for crates/eyespot-data/tests/hog.rs and real_data.rs. Run by hand, with the versions of requirements.txt:

    python scripts/reference/hog.py > crates/eyespot-data/tests/data/hog.json
    python scripts/reference/hog.py DATA > crates/eyespot-data/tests/data/hog_photos.json

The first describes patterns of a formula that the Rust test repeats: channel c of pixel (x, y) is
(x*x*(3+c) + y*y*5 + x*y*(c+1)) // 16 % 256. The second describes photos below the folder DATA (EYESPOT_TEST_DATA's),
read by Pillow and squashed to 128 x 128 pixels as `eyespot --features hog` does. Of each vector some numbers and the
sum are kept, of the photos themselves nothing.
"""

import json
import pathlib
import sys

import numpy
from PIL import Image, ImageOps
from skimage.feature import hog

SIDE = 128
# Every so many photos of each folder.
PHOTOS = [("hymenoptera/val/ants", 12), ("hymenoptera/val/bees", 12), ("imagenette-mini/val/*", 29)]


def pattern(width, height):
    y, x, c = numpy.meshgrid(numpy.arange(height), numpy.arange(width), numpy.arange(3), indexing="ij")
    return ((x * x * (3 + c) + y * y * 5 + x * y * (c + 1)) // 16 % 256).astype(numpy.uint8)


def features(picture, orientations, cell, block):
    return hog(
        picture,
        orientations=orientations,
        pixels_per_cell=(cell, cell),
        cells_per_block=(block, block),
        block_norm="L2-Hys",
        channel_axis=-1,
    )


def some(numbers, step):
    return [round(float(v), 8) for v in numbers[::step]]


def patterns():
    for width, height, orientations, cell, block in [(128, 128, 9, 16, 2), (64, 48, 9, 8, 3), (70, 61, 6, 7, 1)]:
        numbers = features(pattern(width, height), orientations, cell, block)
        yield {
            "width": width,
            "height": height,
            "orientations": orientations,
            "cell": cell,
            "block": block,
            "len": len(numbers),
            "sum": float(numbers.sum()),
            "every7th": some(numbers, 7),
        }


def photos(data):
    for folder, step in PHOTOS:
        for path in sorted(data.glob(f"{folder}/*"))[::step]:
            picture = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
            numbers = features(numpy.asarray(picture.resize((SIDE, SIDE), Image.Resampling.BILINEAR)), 9, 16, 2)
            yield {
                "file": path.relative_to(data).as_posix(),
                "size": list(picture.size),
                "sum": round(float(numbers.sum()), 6),
                "every17th": some(numbers, 17),
            }


print(json.dumps(list(photos(pathlib.Path(sys.argv[1])) if len(sys.argv) > 1 else patterns())))
