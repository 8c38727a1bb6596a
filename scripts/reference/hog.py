"""HOG of drawn test patterns by scikit-image, for crates/eyespot-data/tests/hog.rs.

    python scripts/reference/hog.py > crates/eyespot-data/tests/data/hog.json

The pattern is a formula that the Rust test repeats: channel c of pixel (x, y) is (x*x*(3+c) + y*y*5 + x*y*(c+1)) // 16 % 256.
Every 7th number is kept, with the sum over all. `python hog.py PHOTO...` prints the numbers of photos' top left
128 x 128 pixels instead, for comparisons by hand.
"""

import json
import sys

import numpy
from skimage.feature import hog


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


if len(sys.argv) > 1:
    from PIL import Image

    print(json.dumps([features(numpy.array(Image.open(p).convert("RGB"))[:128, :128], 9, 16, 2).tolist() for p in sys.argv[1:]]))
else:
    cases = []
    for width, height, orientations, cell, block in [(128, 128, 9, 16, 2), (64, 48, 9, 8, 3), (70, 61, 6, 7, 1)]:
        numbers = features(pattern(width, height), orientations, cell, block)
        cases.append(
            {
                "width": width,
                "height": height,
                "orientations": orientations,
                "cell": cell,
                "block": block,
                "len": len(numbers),
                "sum": float(numbers.sum()),
                "every7th": [round(float(v), 8) for v in numbers[::7]],
            }
        )
    print(json.dumps(cases))
