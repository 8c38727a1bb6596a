"""What Pillow decodes: small files of every kind, and checksums of real photos.

Run by hand, with the versions in requirements.txt:

    python scripts/reference/pictures.py > crates/eyespot-data/tests/data/pictures.json
    python scripts/reference/pictures.py FOLDER > crates/eyespot-data/tests/data/photos.json

FOLDER is the folder of test data (hymenoptera, imagenette-mini, cifar10-mini); of its photos only checksums are kept.
A checksum is the CRC-32 of height × width × RGB.
"""

import io
import json
import pathlib
import sys
import zlib

import numpy as np
from PIL import Image
from torchvision import transforms as T


def picture(width, height, seed=0):
    """Slopes with coarse and fine noise: all coefficients occur, and levels beyond black and white."""
    random = np.random.default_rng(seed)
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    slope = 300.0 * x / width * (c + 1) / 3 + 200.0 * y / height * (3 - c) / 3 - 60
    coarse = random.normal(0, 40, (height // 8 + 1, width // 8 + 1, 3)).repeat(8, 0).repeat(8, 1)[:height, :width]
    fine = random.normal(0, 12, (height, width, 3))
    return Image.fromarray(np.clip(slope + coarse + fine, 0, 255).astype(np.uint8))


def saved(image, kind="JPEG", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def frame(jpeg):
    """Where the sizes and channels stand."""
    place = 2
    while jpeg[place + 1] not in (0xC0, 0xC1, 0xC2):
        place += 2 + int.from_bytes(jpeg[place + 2 : place + 4], "big")
    return place + 5


def resampled(jpeg, width, height, luma):
    """The same blocks under other sampling factors of the first channel: as many in a group, arranged differently."""
    place = frame(jpeg)
    size = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    return jpeg[:place] + size + jpeg[place + 4 : place + 6] + bytes([luma]) + jpeg[place + 7 :]


def jpegs():
    odd, even = picture(61, 43, 1), picture(64, 48, 2)
    yield "4:4:4", saved(odd, subsampling=0)
    yield "4:2:2", saved(odd, subsampling=1)
    yield "4:2:0", saved(odd, subsampling=2)
    yield "4:4:0", resampled(saved(even, subsampling=1), 45, 61, 0x12)
    yield "4:1:1", resampled(saved(even, subsampling=2), 125, 22, 0x41)
    yield "4:1:0 the other way", resampled(saved(even, subsampling=2), 29, 93, 0x14)
    yield "one pixel", saved(odd.crop((7, 7, 8, 8)), subsampling=2)
    yield "two columns of chroma", saved(odd.crop((20, 10, 24, 29)), subsampling=2)
    yield "three columns of chroma", saved(odd.crop((20, 10, 25, 29)), subsampling=1)
    yield "coarse", saved(odd, quality=4, subsampling=2)
    yield "fine", saved(odd, quality=100, subsampling=0)
    yield "optimised tables", saved(odd, quality=90, optimize=True)
    yield "restarts", saved(odd, subsampling=2, restart_marker_blocks=3)
    yield "progressive 4:2:0", saved(odd, progressive=True, subsampling=2)
    yield "progressive 4:4:4", saved(odd, progressive=True, subsampling=0, quality=95)
    yield "progressive with restarts", saved(odd, progressive=True, restart_marker_rows=1)
    yield "grey", saved(odd.convert("L"))
    yield "grey progressive", saved(odd.convert("L"), progressive=True)
    yield "RGB", saved(odd, keep_rgb=True)
    inks = Image.merge("CMYK", [*odd.split(), odd.convert("L").rotate(180)])
    cmyk = saved(inks, quality=90)
    yield "CMYK", cmyk
    adobe = cmyk.index(b"Adobe")
    yield "YCCK", cmyk[: adobe + 11] + b"\2" + cmyk[adobe + 12 :]
    yield "YCbCr without JFIF", without_jfif(saved(odd, subsampling=0))


def without_jfif(jpeg):
    length = int.from_bytes(jpeg[4:6], "big")
    return jpeg[:2] + jpeg[4 + length :]


def others():
    image = picture(31, 22, 3)
    levels = np.asarray(picture(31, 22, 4)).astype(np.uint16)
    alpha = Image.fromarray(np.asarray(image)[:, :, 1])
    palette = image.quantize(40)
    yield "PNG", saved(image, "PNG")
    yield "PNG alpha", saved(Image.merge("RGBA", [*image.split(), alpha]), "PNG")
    yield "PNG grey", saved(image.convert("L"), "PNG")
    yield "PNG grey with alpha", saved(Image.merge("LA", [image.convert("L"), alpha]), "PNG")
    yield "PNG of two colours", saved(image.convert("1"), "PNG")
    yield "PNG palette", saved(palette, "PNG")
    yield "PNG palette with a transparent colour", saved(palette, "PNG", transparency=3)
    yield "PNG palette of 4 bits", saved(image.quantize(11), "PNG", bits=4)
    yield "PNG 16 bits a channel", deep_png(levels * 257 // 3 * 3 + levels)
    yield "WebP lossless", saved(image, "WEBP", lossless=True)
    yield "WebP lossless with alpha", saved(Image.merge("RGBA", [*image.split(), alpha]), "WEBP", lossless=True, exact=True)
    yield "WebP", saved(image, "WEBP", quality=80)
    yield "WebP animated", saved(image, "WEBP", lossless=True, save_all=True, append_images=[image.rotate(180)])
    yield "BMP", saved(image, "BMP")
    yield "BMP palette", saved(palette, "BMP")
    yield "TIFF", saved(image, "TIFF")
    yield "TIFF LZW", saved(image, "TIFF", compression="tiff_lzw")
    yield "TIFF CMYK", saved(image.convert("CMYK"), "TIFF")
    yield "GIF", saved(palette, "GIF")
    yield "GIF transparent", saved(palette, "GIF", transparency=3)
    yield "GIF animated", saved(palette, "GIF", save_all=True, append_images=[palette.rotate(180)])
    yield "PPM", saved(image, "PPM")
    yield "PGM", saved(image.convert("L"), "PPM")


def deep_png(levels):
    """Pillow doesn't write 16 bits a channel."""
    height, width, _ = levels.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in levels)

    def chunk(kind, content):
        body = kind + content
        return len(content).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")

    size = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size + b"\x10\2\0\0\0") + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


def checksum(image):
    return f"{zlib.crc32(image.tobytes()):08x}"


def files():
    cases = []
    for name, file in [*jpegs(), *others()]:
        image = Image.open(io.BytesIO(file)).convert("RGB")
        middle = np.asarray(image)[image.height // 2].reshape(-1).tolist()
        cases.append(
            {
                "name": name,
                "file": file.hex(),
                "size": image.size,
                "checksum": checksum(image),
                "middle_row": middle,
            }
        )
    return cases


def photos(root):
    """For every photo in the order of paths: checksums as decoded, and as the evaluation preset scales and crops it."""
    preset = T.Compose([T.Resize(256), T.CenterCrop(224)])
    out = {}
    for folder in ["hymenoptera/train", "hymenoptera/val", "imagenette-mini/val", "cifar10-mini/test"]:
        sums = []
        found = [p for p in pathlib.Path(root, folder).rglob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png")]
        for path in sorted(found, key=lambda p: str(p).encode()):
            image = Image.open(path).convert("RGB")
            sums.append(checksum(image) + checksum(preset(image)))
        out[folder] = sums
    return out


print(json.dumps(photos(sys.argv[1]) if len(sys.argv) > 1 else files(), separators=(",", ":")))
