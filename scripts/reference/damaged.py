"""What Pillow (libjpeg-turbo) makes of damaged JPEGs.

Run by hand, with the versions in requirements.txt:

    python scripts/reference/damaged.py > crates/eyespot-data/tests/data/damaged.json

Pillow refuses a file that is cut off, or fills it up with black where told to load it all the same. libjpeg itself, and so
`djpeg` and every viewer, goes on as if the end marker stood there, and what is missing is grey: so the script appends it.
"""

import io
import json
import sys
import zlib

import numpy as np
from PIL import Image

END = b"\xff\xd9"


def picture(width, height, seed):
    """As in pictures.py: slopes with coarse and fine noise."""
    random = np.random.default_rng(seed)
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    slope = 300.0 * x / width * (c + 1) / 3 + 200.0 * y / height * (3 - c) / 3 - 60
    coarse = random.normal(0, 40, (height // 8 + 1, width // 8 + 1, 3)).repeat(8, 0).repeat(8, 1)[:height, :width]
    fine = random.normal(0, 12, (height, width, 3))
    return Image.fromarray(np.clip(slope + coarse + fine, 0, 255).astype(np.uint8))


def saved(image, **options):
    file = io.BytesIO()
    image.save(file, "JPEG", **options)
    return file.getvalue()


def scan(jpeg, number=0):
    """Where the data of a scan begin."""
    place = -1
    for _ in range(number + 1):
        place = jpeg.index(b"\xff\xda", place + 1)
    return place + 2 + int.from_bytes(jpeg[place + 2 : place + 4], "big")


def flipped(jpeg, place, bits):
    """Some bits of a byte turned over, without making or breaking a marker."""
    while jpeg[place] in (0xFF, 0x00) or jpeg[place - 1] == 0xFF or jpeg[place] ^ bits == 0xFF:
        place += 1
    return jpeg[:place] + bytes([jpeg[place] ^ bits]) + jpeg[place + 1 :]


def restart(jpeg, number):
    """Where the restart marker number `number`, counted from 0, stands."""
    place = scan(jpeg)
    for _ in range(number + 1):
        place += 1
        while not (jpeg[place] == 0xFF and 0xD0 <= jpeg[place + 1] <= 0xD7):
            place += 1
    return place


def cases():
    odd = picture(61, 43, 1)
    for name, jpeg in [
        ("4:2:0", saved(odd, subsampling=2)),
        ("4:4:4", saved(odd, subsampling=0)),
        ("4:2:2", saved(odd, subsampling=1)),
        ("grey", saved(odd.convert("L"))),
    ]:
        start = scan(jpeg)
        for percent in (20, 55, 90):
            cut = start + (len(jpeg) - start) * percent // 100
            yield f"{name} cut off at {percent} %", jpeg[:cut]
        yield f"{name} without its last byte of data", jpeg[:-3]
        yield f"{name} without an end", jpeg[:-2]
        for seed in range(6):
            random = np.random.default_rng(seed)
            place = int(random.integers(start + 20, len(jpeg) - 20))
            yield f"{name} with a wrong byte, {seed}", flipped(jpeg, place, int(random.integers(1, 255)))
        yield f"{name} with bytes before the end", jpeg[:-2] + b"rubbish" + END
    restarts = saved(odd, subsampling=2, restart_marker_blocks=1)
    for number in (1, 3):
        place = restart(restarts, number)
        for change in (1, 2, 3, 5, 6, 7):
            wrong = 0xD0 + (restarts[place + 1] - 0xD0 + change) % 8
            marker = restarts[: place + 1] + bytes([wrong]) + restarts[place + 2 :]
            yield f"restart marker {number} off by {change}", marker
        yield f"restart marker {number} missing", restarts[:place] + restarts[place + 2 :]
        yield f"restart marker {number} twice", restarts[: place + 2] + restarts[place:]
        yield f"bytes before restart marker {number}", restarts[:place] + b"rubbish" + restarts[place:]
        yield f"bytes after restart marker {number}", restarts[: place + 2] + b"xyz" + restarts[place + 2 :]
        yield f"nothing between restart markers {number} and the next", restarts[: place + 2] + restarts[restart(restarts, number + 1) :]
        yield f"three pieces lost after restart marker {number}", restarts[:place] + restarts[restart(restarts, number + 3) :]
    yield "restarts, cut off", restarts[: restart(restarts, 5) + 7]
    header = saved(odd, subsampling=0)
    table = header.index(b"\xff\xdb")
    yield "bytes between segments", header[:table] + b"junk" + header[table:]
    # Cut within the last scan: every coefficient is known to some bit, so libjpeg smooths nothing.
    slow = saved(odd, progressive=True, subsampling=2)
    last = slow.count(b"\xff\xda") - 1
    yield "progressive, cut off in its last scan", slow[: scan(slow, last) + 60]
    yield "progressive without an end", slow[:-2]
    for seed in range(4):
        random = np.random.default_rng(seed)
        yield f"progressive with a wrong byte, {seed}", flipped(slow, scan(slow, last) + int(random.integers(4, 200)), 0x24)


def main():
    described = []
    for name, file in cases():
        whole = file if file.endswith(END) else file + END
        image = np.asarray(Image.open(io.BytesIO(whole)).convert("RGB"))
        height, width, _ = image.shape
        described.append(
            {
                "name": name,
                "file": file.hex(),
                "size": [width, height],
                "checksum": f"{zlib.crc32(image.tobytes()):08x}",
                "middle_row": image[height // 2].flatten().tolist(),
            }
        )
    json.dump(described, sys.stdout, separators=(",", ":"))
    print()


main()
