//! Files that are no image which can be read here, named as what they are, with what to do.

use crate::DecodeError;

const CONVERT: &str = "convert it to JPEG or PNG";
const RAW: &str = "export it as JPEG, or as TIFF of 16 bits, with the camera's own program or darktable";

/// What a file is by its first bytes, if it is known.
pub(super) fn name(bytes: &[u8]) -> Option<DecodeError> {
    let (what, advice) = of_text(bytes).or_else(|| of_container(bytes)).or_else(|| of_signature(bytes))?;
    Some(DecodeError::Foreign { what, advice })
}

type Named = (&'static str, &'static str);

fn of_text(bytes: &[u8]) -> Option<Named> {
    let start = &bytes[..bytes.len().min(1024)];
    let start =
        start.strip_prefix("\u{feff}".as_bytes()).unwrap_or(start).trim_ascii_start().to_ascii_lowercase();
    let has = |part: &[u8]| start.windows(part.len()).any(|window| window == part);
    if start.starts_with(b"version https://git-lfs.github.com/spec/") {
        return Some((
            "a Git LFS pointer, which only stands for the file",
            "run `git lfs pull` where it came from",
        ));
    }
    if start.starts_with(b"<svg") || start.starts_with(b"<?xml") && has(b"<svg") {
        return Some(("an SVG drawing", "export it as PNG"));
    }
    if start.starts_with(b"<!doctype html") || start.starts_with(b"<html") || start.starts_with(b"<head") {
        return Some((
            "a web page (HTML), not an image",
            "download the image itself, not the page that shows it",
        ));
    }
    if start.starts_with(b"<?xml") {
        return Some(("an XML document, such as a server's error message", "download the image again"));
    }
    None
}

/// Files made of boxes, as MP4 has them.
fn of_container(bytes: &[u8]) -> Option<Named> {
    if bytes.get(4..8)? != b"ftyp" {
        return None;
    }
    let length = u32::from_be_bytes(bytes[..4].try_into().ok()?) as usize;
    let brands = bytes.get(8..length.min(256).min(bytes.len()))?;
    // The second four bytes are a version.
    let has = |wanted: &[&[u8]]| brands.chunks_exact(4).any(|brand| wanted.contains(&brand));
    Some(if has(&[b"avif", b"avis"]) {
        ("an AVIF image, which can't be read", CONVERT)
    } else if has(&[b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"]) {
        (
            "a HEIC photo, which can't be read",
            "convert it to JPEG (`heif-convert`, ImageMagick, or sharing it from the phone), or set the iPhone to \
             Settings, Camera, Formats, Most Compatible",
        )
    } else if has(&[b"crx "]) {
        ("a camera's raw file (CR3)", RAW)
    } else {
        ("a video (MP4, QuickTime or the like), not an image", "extract its frames, for instance with ffmpeg")
    })
}

fn of_signature(bytes: &[u8]) -> Option<Named> {
    const VIDEO: Named = ("a video, not an image", "extract its frames, for instance with ffmpeg");
    const ARCHIVE: Named = ("an archive, not an image", "unpack it");
    if matches!(bytes, [0xff, 0x0a, ..]) || bytes.starts_with(b"\0\0\0\x0cJXL \r\n\x87\n") {
        return Some((
            "a JPEG XL image, which this build can't read",
            "convert it to JPEG or PNG (`djxl`), or build eyespot with the feature `jxl`",
        ));
    }
    if bytes.starts_with(b"\0\0\0\x0cjP  ") || bytes.starts_with(b"\xff\x4f\xff\x51") {
        return Some((
            "a JPEG 2000 image, which this build can't read",
            "build eyespot with the feature `jpeg2000`",
        ));
    }
    if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"AVI ") {
        return Some(VIDEO);
    }
    if bytes.get(128..132) == Some(b"DICM") {
        return Some((
            "a DICOM file",
            "export its images as TIFF or PNG of 16 bits, such as with `dcmj2pnm`",
        ));
    }
    let known: [(&[u8], Named); 28] = [
        (b"%PDF-", ("a PDF document", "export its pages as images, such as with `pdftoppm -png`")),
        (b"%!PS", ("a PostScript document", "export it as PNG, such as with Ghostscript")),
        (b"8BPS", ("a Photoshop document", "export it as PNG or TIFF")),
        (b"gimp xcf", ("a GIMP document", "export it as PNG or TIFF")),
        (
            b"\x76\x2f\x31\x01",
            ("an OpenEXR image, which can't be read", "convert it to TIFF of 32-bit floats"),
        ),
        (b"#?RADIANCE", ("a Radiance HDR image, which can't be read", "convert it to TIFF of 32-bit floats")),
        (b"DDS ", ("a DirectDraw texture, which can't be read", CONVERT)),
        (b"icns", ("an Apple icon, which can't be read", CONVERT)),
        (b"FLIF", ("a FLIF image, which can't be read", CONVERT)),
        (b"BPG\xfb", ("a BPG image, which can't be read", CONVERT)),
        (b"SIMPLE  =", ("a FITS image, which can't be read", "convert it to TIFF")),
        (b"\x89HDF\r\n\x1a\n", ("an HDF5 file", "export its images as TIFF or PNG")),
        (b"\x93NUMPY", ("a NumPy array", "save it as PNG or TIFF")),
        (b"II*\0\x10\0\0\0CR", ("a camera's raw file (CR2)", RAW)),
        (b"IIU\0", ("a camera's raw file (RW2)", RAW)),
        (b"IIRO", ("a camera's raw file (ORF)", RAW)),
        (b"IIRS", ("a camera's raw file (ORF)", RAW)),
        (b"MMOR", ("a camera's raw file (ORF)", RAW)),
        (b"FUJIFILMCCD-RAW", ("a camera's raw file (RAF)", RAW)),
        (b"II\x1a\0\0\0HEAPCCDR", ("a camera's raw file (CRW)", RAW)),
        (b"FOVb", ("a camera's raw file (X3F)", RAW)),
        (b"\0MRM", ("a camera's raw file (MRW)", RAW)),
        (b"\x1a\x45\xdf\xa3", VIDEO),
        (b"\0\0\x01\xba", VIDEO),
        (b"PK\x03\x04", ARCHIVE),
        (b"\x1f\x8b", ARCHIVE),
        (b"7z\xbc\xaf\x27\x1c", ARCHIVE),
        (b"Rar!\x1a\x07", ARCHIVE),
    ];
    known.into_iter().find(|(signature, _)| bytes.starts_with(signature)).map(|(_, named)| named)
}

/// What a camera's raw file is called that is built like a TIFF.
pub(super) fn raw() -> DecodeError {
    DecodeError::Foreign { what: "a camera's raw file", advice: RAW }
}
