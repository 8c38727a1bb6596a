//! Images that once were read wrongly or not at all (`data/faults`, with the pixels that are right, from Pillow, or by
//! definition where Pillow cuts off), and files that are no image at all (`data/other_formats`).

use eyespot_data::{DecodeError, DecodeOptions, Decoded, Limits, Note};
use image::RgbImage;
use std::path::{Path, PathBuf};

fn data(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(folder)
}

fn decode(path: &Path, options: &DecodeOptions) -> Result<Decoded, DecodeError> {
    options.decode(path)
}

/// The largest difference of a level, or `None` where sizes differ.
fn apart(a: &RgbImage, b: &RgbImage) -> Option<u8> {
    let levels = a.as_raw().iter().zip(b.as_raw());
    (a.dimensions() == b.dimensions()).then(|| levels.map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0))
}

#[test]
fn all_forty_pictures_are_read_as_they_should_be() {
    let folder = data("faults");
    let index = std::fs::read_to_string(folder.join("index.json")).expect("the index is there");
    let index: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&index).expect("is JSON");
    assert_eq!(index.len(), 40, "pictures in the index");
    let mut wrong = Vec::new();
    for name in index.keys() {
        let expected = image::open(folder.join(format!("{name}.expected.png"))).expect("reads").into_rgb8();
        let range = (name == "grey12in16.tif").then_some([0.0, 4080.0]);
        // One level for scaled depths, two where the format is lossy.
        let allowed = match name.as_str() {
            "jpeg_ycbcr.tif" => 2,
            "float32.tif" | "grey2bit.tif" | "grey4bit.tif" | "grey12bit.tif" | "grey12in16.tif" => 1,
            _ => 0,
        };
        match decode(&folder.join(name), &DecodeOptions { range, ..DecodeOptions::default() }) {
            Err(error) => wrong.push(format!("{name} {error}")),
            Ok(decoded) => match apart(&decoded.image, &expected) {
                Some(apart) if apart <= allowed => {}
                apart => wrong.push(format!("{name} is apart by {apart:?}")),
            },
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_png_without_its_end_is_read_with_a_note_and_refused_if_strict() {
    let file = data("faults").join("no_iend.png");
    let decoded = decode(&file, &DecodeOptions::default()).expect("reads");
    assert!(matches!(&decoded.notes[..], [Note::Damaged { format: "PNG", .. }]), "{:?}", decoded.notes);
    let strict = decode(&file, &DecodeOptions { strict: true, ..DecodeOptions::default() });
    assert!(matches!(strict, Err(DecodeError::Damaged { format: "PNG", .. })), "{strict:?}");
    // Where pixels are missing, too, it can't be read at all.
    let bytes = std::fs::read(&file).expect("reads");
    let image_data = bytes.windows(4).position(|window| window == b"IDAT").expect("has pixels");
    let without_pixels = DecodeOptions::default().decode_bytes(&bytes[..image_data - 4]);
    assert!(matches!(without_pixels, Err(DecodeError::Damaged { .. })), "{without_pixels:?}");
}

#[test]
fn damaged_jpeg_data_in_a_tiff_are_read_with_a_note_and_refused_if_strict() {
    let mut bytes = std::fs::read(data("faults").join("jpeg_ycbcr.tif")).expect("reads");
    let sound = DecodeOptions::default().decode_bytes(&bytes).expect("reads");
    assert_eq!(sound.notes, []);
    let end = bytes.windows(2).rposition(|two| two == b"\xff\xd9").expect("has an end");
    bytes[end..end + 2].fill(0);
    let decoded = DecodeOptions::default().decode_bytes(&bytes).expect("reads");
    assert_eq!(decoded.image, sound.image);
    let [Note::Damaged { format: "TIFF", cause }] = &decoded.notes[..] else { panic!("{:?}", decoded.notes) };
    assert!(cause.contains("JPEG"), "{cause}");
    let strict = DecodeOptions { strict: true, ..DecodeOptions::default() }.decode_bytes(&bytes);
    assert!(matches!(strict, Err(DecodeError::Damaged { format: "TIFF", .. })), "{strict:?}");
}

#[test]
fn what_is_no_image_is_named_by_its_first_bytes() {
    let dicom = [&[0; 128][..], b"DICM"].concat();
    let cases: [(&[u8], &str, &str); 9] = [
        (
            b"<?xml version='1.0'?>\n<svg xmlns='http://www.w3.org/2000/svg'/>",
            "an SVG drawing",
            "export it as PNG",
        ),
        (b"\xef\xbb\xbf<svg width='1'/>", "an SVG drawing", "export it as PNG"),
        (b"\r\n <HTML><body>404</body>", "a web page", "download the image itself"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "a Git LFS pointer", "git lfs pull"),
        (b"\0\0\0\x18ftypcrx \0\0\0\x01crx isom", "a camera's raw file (CR3)", "export it"),
        (b"\0\0\0\x18ftypisom\0\0\0\x01isomavc1", "a video", "ffmpeg"),
        (b"FUJIFILMCCD-RAW 0201", "a camera's raw file (RAF)", "export it"),
        (b"PK\x03\x04", "an archive", "unpack"),
        (&dicom, "a DICOM file", "dcmj2pnm"),
    ];
    for (bytes, what, advice) in cases {
        let text = DecodeOptions::default().decode_bytes(bytes).unwrap_err().to_string();
        assert!(text.contains(what) && text.contains(advice), "{text}");
    }
}

#[test]
fn other_formats_are_named_with_what_to_do_or_read() {
    let named = [
        ("page.jpg", "is a web page (HTML)", "download"),
        ("phone.heic", "is a HEIC photo", "convert it"),
        ("pointer.jpg", "is a Git LFS pointer", "git lfs pull"),
        ("raw.cr2", "is a camera's raw file", "export it"),
        ("scan.pdf", "is a PDF document", "export its pages"),
        ("web.avif", "is an AVIF image", "convert it"),
    ];
    for (name, what, advice) in named {
        let error = decode(&data("other_formats").join(name), &DecodeOptions::default()).unwrap_err();
        assert!(matches!(error, DecodeError::Foreign { .. }), "{name}: {error:?}");
        let text = error.to_string();
        assert!(text.starts_with(what) && text.contains(advice), "{name} {text}");
    }
    for name in ["icon.ico", "old.tga"] {
        let decoded = decode(&data("other_formats").join(name), &DecodeOptions::default());
        assert!(decoded.is_ok(), "{name}: {decoded:?}");
    }
    let jpeg2000 = decode(&data("other_formats").join("scan.jp2"), &DecodeOptions::default());
    assert_eq!(jpeg2000.is_ok(), cfg!(feature = "jpeg2000"), "{jpeg2000:?}");
    // Its bytes are a header and nothing behind.
    let jxl = decode(&data("other_formats").join("photo.jxl"), &DecodeOptions::default()).unwrap_err();
    assert!(jxl.to_string().contains("JPEG XL"), "{jxl}");
}

#[test]
fn damage_anywhere_in_these_files_is_an_error_or_a_picture_never_a_panic() {
    let limits = Limits { max_pixels: 1 << 20, ..Limits::default() };
    let options = DecodeOptions::with_limits(&limits);
    for folder in ["faults", "other_formats"] {
        for entry in std::fs::read_dir(data(folder)).expect("lists") {
            let path = entry.expect("lists").path();
            if path.to_string_lossy().ends_with(".expected.png") {
                continue;
            }
            let bytes = std::fs::read(&path).expect("reads");
            for place in (0..bytes.len().min(300)).chain((300..bytes.len()).step_by(37)) {
                let _ = options.decode_bytes(&bytes[..place]);
                for mask in [0xff, 0x01, 0x80] {
                    let mut damaged = bytes.clone();
                    damaged[place] ^= mask;
                    if let Err(DecodeError::Damaged { cause, .. }) = options.decode_bytes(&damaged) {
                        assert!(!cause.contains("gave up"), "{} panics with byte {place}", path.display());
                    }
                }
            }
        }
    }
}
