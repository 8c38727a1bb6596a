"""What images of unusual formats look like: small files and the pixels that are right.

Run by hand, with the versions in requirements.txt:

    python scripts/reference/formats.py > crates/eyespot-data/tests/data/formats.json

Pixels are Pillow's (with libtiff, libwebp and openjpeg) after `exif_transpose`, where Pillow keeps all levels; of deep
samples, which it cuts off, they are what the samples mean by their format: the upper 8 bits of whole numbers, 0 to 1 of
floating-point numbers.
"""

import base64
import io
import json
import struct
import sys

import imagecodecs
import numpy as np
import tifffile
from PIL import Image, ImageOps, TiffImagePlugin

random = np.random.default_rng(14)
WIDTH, HEIGHT = 37, 29


def slopes(channels, top=255):
    """Slopes with noise in every channel, over the whole range."""
    y, x, c = np.meshgrid(np.arange(HEIGHT), np.arange(WIDTH), np.arange(channels), indexing="ij")
    level = (x * (c + 1) / WIDTH + y * (channels - c) / HEIGHT) / (channels + 1)
    return np.clip((level + random.normal(0, 0.03, level.shape)) * top, 0, top)


GREY = slopes(1).astype(np.uint8)[:, :, 0]
RGB = slopes(3).astype(np.uint8)
RGBA = slopes(4).astype(np.uint8)
GREY16 = slopes(1, 65535).astype(np.uint16)[:, :, 0]
RGB16 = slopes(3, 65535).astype(np.uint16)
PICTURE = Image.fromarray(RGB)
PALETTE = PICTURE.quantize(13)


def saved(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def tiff(array, **options):
    file = io.BytesIO()
    with tifffile.TiffWriter(file, bigtiff=options.pop("bigtiff", False), byteorder=options.pop("byteorder", "<")) as writer:
        writer.write(array, metadata=None, software=False, **options)
    return file.getvalue()


def pillow(file, by_libtiff=False):
    # Otherwise Pillow reads what isn't compressed by itself, which it can't where chroma has fewer samples.
    TiffImagePlugin.READ_LIBTIFF = by_libtiff
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(file)))
    return np.asarray(image.convert("RGB"))


def grey(levels):
    return np.stack([levels.astype(np.uint8)] * 3, axis=2)


def by_pillow(cases):
    for name, file in cases:
        yield name, file, pillow(file, "TIFF YCbCr" in name)


def by_definition():
    """What Pillow can't read, or cuts off: (name, file, pixels)."""
    yield "TIFF RGB, LZW, predictor, big-endian BigTIFF", tiff(RGB, photometric="rgb", compression="lzw", predictor=True, bigtiff=True, byteorder=">"), RGB
    yield "TIFF WebP", tiff(RGB, photometric="rgb", compression="webp", compressionargs={"lossless": True, "level": 100}), RGB
    yield "TIFF 16 bits of RGB, big-endian", tiff(RGB16, byteorder=">", photometric="rgb"), RGB16 >> 8
    yield "TIFF 16 bits, predictor, deflate", tiff(GREY16, predictor=True, compression="deflate"), grey(GREY16 >> 8)
    yield "TIFF 16 bits, predictor, big-endian, LZW", tiff(RGB16, predictor=True, compression="lzw", byteorder=">", photometric="rgb"), RGB16 >> 8
    yield "TIFF 16 bits in planes, LZMA", tiff(np.moveaxis(RGB16, 2, 0), compression="lzma", photometric="rgb", planarconfig="separate"), RGB16 >> 8
    yield "TIFF 16 bits in tiles, Zstandard, BigTIFF", tiff(RGB16, tile=(16, 16), compression="zstd", photometric="rgb", bigtiff=True), RGB16 >> 8
    yield "TIFF 16 bits, white is zero", tiff(GREY16, photometric="miniswhite"), grey(255 - (GREY16 >> 8))
    wide = slopes(1, 2**32 - 1)[:, :, 0]
    yield "TIFF 32-bit unsigned", tiff(wide.astype(np.uint32)), grey(wide.astype(np.uint32) >> 24)
    yield "TIFF 32-bit unsigned, predictor", tiff(wide.astype(np.uint32), predictor=True, compression="zlib"), grey(wide.astype(np.uint32) >> 24)
    signed = (wide - 2**31).astype(np.int32)
    yield "TIFF 32-bit signed", tiff(signed), grey((signed.astype(np.int64) + 2**31) >> 24)
    yield "TIFF 16-bit signed", tiff((GREY16.astype(np.int32) - 32768).astype(np.int16)), grey(GREY16 >> 8)
    yield "TIFF 8-bit signed", tiff((GREY.astype(np.int16) - 128).astype(np.int8)), grey(GREY)
    light = slopes(1, 1.0)[:, :, 0]
    for bits, kind in [(16, np.float16), (32, np.float32), (64, np.float64)]:
        stored = light.astype(kind)
        right = grey(np.floor(stored.astype(np.float64) * 255 + 0.5))
        yield f"TIFF {bits}-bit float", tiff(stored), right
        yield f"TIFF {bits}-bit float, predictor", tiff(stored, predictor=True, compression="deflate"), right
        yield f"TIFF {bits}-bit float, predictor, big-endian", tiff(stored, predictor=True, compression="zstd", byteorder=">"), right
    for bits in (10, 12, 14):
        levels = (GREY16 >> (16 - bits)).astype(np.uint16)
        yield f"TIFF {bits} bits", packed(levels[:, :, None], bits, 1), grey(levels >> (bits - 8))
    levels = RGB16 >> 4
    yield "TIFF 12 bits of RGB", packed(levels, 12, 2), levels >> 4
    yield "PNG 16 bits of grey", saved(Image.fromarray(GREY16), "PNG"), grey(GREY16 >> 8)
    for channels, depth in [(2, 16), (4, 16)]:
        levels = slopes(channels, 65535).astype(np.uint16)
        color = levels[:, :, :1].repeat(3, 2) if channels == 2 else levels[:, :, :3]
        yield f"PNG {depth} bits of {channels} channels", imagecodecs.png_encode(levels), (color >> 8)
    for kind, levels, right in [("RGB", RGB, RGB), ("grey", GREY, grey(GREY)), ("RGBA", RGBA, RGBA[:, :, :3])]:
        yield f"JPEG XL {kind}", imagecodecs.jpegxl_encode(levels, lossless=True), right
    # What the encoder calls linear light is to come out as sRGB (IEC 61966-2-1).
    light = RGB16 / 65535
    curved = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    yield "JPEG XL 16 bits, linear", imagecodecs.jpegxl_encode(RGB16, lossless=True), np.round(curved * 65535).astype(int) >> 8
    yield "PGM of 16 bits", b"P5\n37 29\n65535\n" + GREY16.astype(">u2").tobytes(), grey(GREY16 >> 8)
    yield "PPM of 16 bits", b"P6\n37 29\n65535\n" + RGB16.astype(">u2").tobytes(), RGB16 >> 8


def entry(tag, kind, values):
    size = {1: "B", 3: "H", 4: "I", 5: "I", 7: "B"}[kind]
    count = len(values) // 2 if kind == 5 else len(values)
    return tag, kind, count, struct.pack(f"<{len(values)}{size}", *values)


def handmade(data, entries):
    """A TIFF of one strip, for what no program here writes."""
    entries = sorted(entries + [entry(273, 4, [0]), entry(279, 4, [len(data)])])
    start = 8 + 2 + 12 * len(entries) + 4
    extra, directory = b"", struct.pack("<H", len(entries))
    for tag, kind, count, value in entries:
        if len(value) > 4:
            offset, extra = start + len(extra), extra + value
            value = struct.pack("<I", offset)
        directory += struct.pack("<HHI", tag, kind, count) + value.ljust(4, b"\0")
    directory = directory.replace(struct.pack("<HHII", 273, 4, 1, 0), struct.pack("<HHII", 273, 4, 1, start + len(extra)))
    return b"II*\0" + struct.pack("<I", 8) + directory + struct.pack("<I", 0) + extra + data


def frame(width, height, bits, samples, photometric, compression=1):
    return [entry(256, 4, [width]), entry(257, 4, [height]), entry(258, 3, [bits] * samples), entry(259, 3, [compression]),
            entry(262, 3, [photometric]), entry(277, 3, [samples]), entry(278, 4, [height])]


def packed(levels, bits, photometric):
    """Rows of samples of any number of bits, the first bit first."""
    height, width, samples = levels.shape
    text = ["".join(format(level, f"0{bits}b") for level in row.reshape(-1)) for row in levels]
    rows = b"".join(int(row.ljust(-(-len(row) // 8) * 8, "0"), 2).to_bytes(-(-len(row) // 8), "big") for row in text)
    return handmade(rows, frame(width, height, bits, samples, photometric))


def subsampled(across, down, **changes):
    """YCbCr whose chroma has fewer samples, not compressed."""
    levels = np.asarray(PICTURE.resize((36, 28)).convert("YCbCr")).astype(int)
    data = bytearray()
    for y in range(0, 28, down):
        for x in range(0, 36, across):
            block = levels[y : y + down, x : x + across]
            data += bytes(block[:, :, 0].reshape(-1).tolist())
            data += bytes(block[:, :, 1:].reshape(-1, 2).mean(axis=0).astype(int).tolist())
    entries = frame(36, 28, 8, 3, 6) + [entry(530, 3, [across, down])]
    entries += [entry(tag, 5, values) for tag, values in changes.values()]
    return handmade(bytes(data), entries)


def tiffs():
    yield "TIFF of two colours, group 3", saved(PICTURE.convert("1"), "TIFF", compression="group3")
    yield "TIFF of two colours, group 4", saved(PICTURE.resize((301, 77)).convert("1"), "TIFF", compression="group4")
    yield "TIFF of two colours, white is zero", saved(PICTURE.convert("1"), "TIFF", tiffinfo={262: 0})
    yield "TIFF JPEG of RGB", tiff(RGB, compression="jpeg", photometric="rgb", compressionargs={"outcolorspace": "rgb"})
    yield "TIFF JPEG of YCbCr in tiles over the edge", tiff(RGB, compression="jpeg", photometric="ycbcr", tile=(16, 16), subsampling=(1, 1))
    yield "TIFF JPEG of YCbCr of fewer samples", tiff(np.asarray(PICTURE.resize((64, 48))), compression="jpeg", photometric="ycbcr", tile=(32, 32), subsampling=(2, 2))
    yield "TIFF JPEG in strips with tables", saved(PICTURE.resize((200, 150)), "TIFF", compression="jpeg")
    yield "TIFF JPEG of grey", saved(Image.fromarray(GREY), "TIFF", compression="jpeg")
    yield "TIFF JPEG in planes", tiff(np.moveaxis(RGB, 2, 0), compression="jpeg", photometric="rgb", planarconfig="separate")
    yield "TIFF YCbCr", saved(PICTURE.convert("YCbCr"), "TIFF")
    yield "TIFF YCbCr 2 × 2", subsampled(2, 2)
    yield "TIFF YCbCr 4 × 1", subsampled(4, 1)
    reference = (532, [16, 1, 235, 1, 128, 1, 240, 1, 128, 1, 240, 1])
    yield "TIFF YCbCr 2 × 1 of video levels", subsampled(2, 1, reference=reference)
    yield "TIFF YCbCr 2 × 2, BT.709", subsampled(2, 2, luma=(529, [2126, 10000, 7152, 10000, 722, 10000]))
    yield "TIFF Lab", lab()
    yield "TIFF CMYK in planes", tiff(np.moveaxis(slopes(4).astype(np.uint8), 2, 0), photometric="separated", planarconfig="separate")
    yield "TIFF palette of 4 bits", handmade(bytes(a << 4 | b for a, b in np.asarray(PALETTE.resize((36, 28))).reshape(-1, 2).tolist()), frame(36, 28, 4, 1, 3) + [entry(320, 3, (np.array(PALETTE.getpalette()[:39] + [0] * 9).reshape(16, 3).T * 257).reshape(-1).tolist())])
    yield "TIFF palette, LZW", saved(PALETTE, "TIFF", compression="tiff_lzw")
    yield "TIFF RGBA", tiff(RGBA, photometric="rgb", extrasamples=["unassalpha"])
    yield "TIFF RGB and something else", tiff(RGBA, photometric="rgb", extrasamples=["unspecified"])
    yield "TIFF RGB multiplied by alpha, in tiles", tiff(RGBA, photometric="rgb", extrasamples=["assocalpha"], tile=(16, 32))
    yield "TIFF RGB in planes over the edge, deflate, predictor", tiff(np.moveaxis(RGB, 2, 0), photometric="rgb", planarconfig="separate", tile=(16, 16), compression="zlib", predictor=True)
    yield "TIFF PackBits in strips", tiff(RGB, photometric="rgb", compression="packbits", rowsperstrip=7)
    yield "TIFF bytes mirrored", mirrored()
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="8"/></x:xmpmeta>'
    yield "TIFF turned by XMP", saved(PICTURE, "TIFF", tiffinfo={700: xmp})


def lab():
    levels = slopes(3)
    # Well inside sRGB: near its edge littleCMS interpolates in a table and is up to 14 levels off the formula.
    levels[:, :, 0] = 100 + levels[:, :, 0] / 3
    levels[:, :, 1:] = (levels[:, :, 1:] - 128) / 8
    data = np.round(levels).astype(np.int16).astype(np.uint8).tobytes()
    return handmade(data, frame(WIDTH, HEIGHT, 8, 3, 8))


def mirrored():
    file = packed((GREY[:, :, None] >> 7), 1, 1)
    place = len(file) - HEIGHT * 5
    data = bytes(int(format(byte, "08b")[::-1], 2) for byte in file[place:])
    return handmade(data, frame(WIDTH, HEIGHT, 1, 1, 1) + [entry(266, 3, [2])])


def bmp(bits, compression, palette, data, width, height):
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(data), 0, 0, len(palette) // 4, 0)
    start = 14 + 40 + len(palette)
    return b"BM" + struct.pack("<IHHI", start + len(data), 0, 0, start) + header + palette + data


def bmps():
    palette = b"".join(bytes([40 * i % 256, 90 * i % 256, 255 - 15 * i, 0]) for i in range(16))
    runs = bytes([5, 3, 0, 2, 2, 0, 1, 9, 0, 0, 0, 3, 1, 2, 3, 0, 0, 2, 1, 1, 2, 7, 0, 0, 8, 5, 0, 0, 8, 6, 0, 1])
    yield "BMP run-length encoded with skipped pixels", bmp(8, 1, palette, runs, 8, 5)
    runs = bytes([5, 0x3A, 0, 2, 2, 0, 1, 0x90, 0, 0, 0, 4, 0x12, 0x34, 0, 2, 1, 1, 2, 0x70, 0, 0, 8, 0x5B, 0, 0, 8, 0x11, 0, 1])
    yield "BMP run-length encoded, 4 bits", bmp(4, 2, palette, runs, 8, 5)
    yield "BMP of 2 colours", saved(PICTURE.convert("1"), "BMP")
    yield "BMP of 16 colours", bmp(4, 0, palette, bytes(range(16)) * 5, 8, 20)
    yield "BMP of 16 bits", bmp(16, 0, b"", struct.pack("<64H", *[i * 1023 % 32768 for i in range(64)]), 8, 8)
    yield "BMP with alpha", saved(Image.fromarray(RGBA), "BMP")


def gif(frame_at, size, palette, indices, screen, transparent=None, local=False, interlaced=False):
    table = b"".join(bytes(color) for color in palette)
    bits = (len(palette) - 1).bit_length() - 1
    out = b"GIF89a" + struct.pack("<HHBBB", *screen, 0 if local or not palette else 0x80 | bits, 0, 0)
    out += b"" if local else table
    if transparent is not None:
        out += b"\x21\xf9\x04\x01\0\0" + bytes([transparent]) + b"\0"
    flags = (0x80 | bits if local else 0) | (0x40 if interlaced else 0)
    out += b"," + struct.pack("<HHHHB", *frame_at, *size, flags) + table * local
    # Codes of 4 bits: each pixel a code of its own, with a reset before the table grows.
    codes = []
    for index in indices:
        codes += [8, index]
    codes += [9]
    stream = sum(code << (4 * i) for i, code in enumerate(codes)).to_bytes(-(-len(codes) // 2), "little")
    blocks = b"".join(bytes([len(stream[i : i + 255])]) + stream[i : i + 255] for i in range(0, len(stream), 255))
    return out + b"\x03" + blocks + b"\0;"


def gifs():
    colors = [(10, 20, 30), (200, 0, 0), (0, 180, 0), (0, 0, 250), (250, 250, 0), (0, 250, 250), (120, 60, 200), (255, 255, 255)]
    pixels = [(x * y + x) % 8 for y in range(9) for x in range(6)]
    yield "GIF", gif((0, 0), (6, 9), colors, pixels, (6, 9))
    yield "GIF transparent", gif((0, 0), (6, 9), colors, pixels, (6, 9), transparent=4)
    yield "GIF with a smaller frame", gif((2, 1), (6, 9), colors, pixels, (10, 12))
    yield "GIF transparent with a smaller frame", gif((2, 1), (6, 9), colors, pixels, (10, 12), transparent=5)
    yield "GIF with a larger frame", gif((2, 1), (6, 9), colors, pixels, (5, 5))
    yield "GIF with a palette of the frame", gif((1, 1), (6, 9), colors, pixels, (7, 10), local=True)
    yield "GIF without a palette", gif((0, 0), (6, 9), [], pixels, (6, 9))
    yield "GIF interlaced", gif((0, 0), (6, 9), colors, pixels, (6, 9), interlaced=True)
    yield "GIF with a short palette", gif((0, 0), (6, 9), colors[:4], pixels, (6, 9))


def others():
    for bits in (1, 2, 4):
        few = (GREY >> (8 - bits)).astype(np.uint8)
        text = saved(Image.fromarray(few).convert("P"), "PNG", bits=bits)
        yield f"PNG palette of {bits} bits", text
    yield "PNG turned by EXIF", saved(PICTURE, "PNG", exif=orientation(6))
    yield "WebP with alpha", saved(Image.fromarray(RGBA), "WEBP", quality=70)
    yield "WebP turned by XMP", saved(PICTURE, "WEBP", lossless=True, xmp=b'<rdf:Description tiff:Orientation="3"/>')
    yield "PBM", saved(PICTURE.convert("1"), "PPM")
    yield "PGM of 100 levels", b"P5\n37 29\n100\n" + (GREY // 3).tobytes()
    yield "PPM in text", b"P3\n# a comment\n2 2\n255\n255 0 0  0 255 0\n0 0 255  9 8 7\n"
    yield "PGM in text", b"P2\n3 2\n15\n0 5 10\n15 1 2\n"
    yield "PBM in text", b"P1\n3 2\n1 0 1\n0 1 0\n"
    for name, image in [("grey", Image.fromarray(GREY)), ("RGB", PICTURE), ("RGBA", Image.fromarray(RGBA)), ("palette", PALETTE)]:
        yield f"TGA {name}", saved(image, "TGA")
        yield f"TGA {name}, run-length encoded", saved(image, "TGA", compression="tga_rle")
    yield "QOI", imagecodecs.qoi_encode(RGB)
    yield "QOI with alpha", imagecodecs.qoi_encode(RGBA)
    yield "ICO of PNG", saved(Image.fromarray(RGBA), "ICO", sizes=[(16, 16), (32, 25)])
    yield "ICO of bitmaps", saved(Image.fromarray(RGBA).resize((32, 32)), "ICO", sizes=[(16, 16), (32, 32)], bitmap_format="bmp")
    yield "JPEG 2000", saved(PICTURE, "JPEG2000")
    yield "JPEG 2000 of grey", saved(Image.fromarray(GREY), "JPEG2000")
    yield "JPEG 2000 with alpha", saved(Image.fromarray(RGBA), "JPEG2000")
    yield "JPEG 2000 without a container", saved(PICTURE, "JPEG2000", no_jp2=True)


def lossy():
    yield "JPEG 2000, lossy", saved(PICTURE, "JPEG2000", irreversible=True, quality_mode="rates", quality_layers=[6])


def orientation(number):
    exif = Image.Exif()
    exif[274] = number
    return exif


def cases():
    yield from ((*case, 0) for case in by_pillow(tiffs()) if "Lab" not in case[0])
    # littleCMS interpolates in a table: up to 3 levels off the formula in double precision, whose pixels these are within 1.
    yield from ((*case, 3) for case in by_pillow(tiffs()) if "Lab" in case[0])
    for make in (bmps, gifs, others):
        yield from ((*case, 0) for case in by_pillow(make()))
    # Where in its interval a quantised number lies is left to the decoder.
    yield from ((*case, 10) for case in by_pillow(lossy()))
    yield from ((*case, int("linear" in case[0])) for case in by_definition())


out = []
for name, file, pixels, allowed in cases():
    pixels = np.ascontiguousarray(pixels).astype(np.uint8)
    text = lambda data: base64.b64encode(data).decode()
    png = saved(Image.fromarray(pixels), "PNG", optimize=True)
    out.append({"name": name, "file": text(file), "png": text(png), "apart": allowed})
    print(name, len(file), file=sys.stderr)
print(json.dumps(out, indent=0))
