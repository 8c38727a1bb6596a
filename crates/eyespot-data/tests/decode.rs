//! Every format, every orientation, and files that are not what they claim.

use eyespot_data::{DecodeError, Limits, decode, decode_bytes};
use image::{DynamicImage, ImageBuffer, ImageFormat, Luma, Rgb, RgbImage, Rgba};
use std::io::Cursor;

fn picture(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| Rgb([(x * 11) as u8, (y * 13) as u8, ((x + y) * 5) as u8]))
}

fn encode(picture: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn open(bytes: &[u8]) -> Result<RgbImage, DecodeError> {
    decode_bytes(bytes, &Limits::default())
}

#[test]
fn lossless_formats_come_back_as_they_were() {
    let source = picture(20, 12);
    for format in [ImageFormat::Png, ImageFormat::Bmp, ImageFormat::Tiff, ImageFormat::WebP, ImageFormat::Pnm]
    {
        assert_eq!(open(&encode(source.clone(), format)).unwrap(), source, "{format:?}");
    }
    // A GIF has 256 colours; these four suffice.
    let few = RgbImage::from_fn(8, 8, |x, y| Rgb([(x / 4 * 255) as u8, (y / 4 * 255) as u8, 0]));
    assert_eq!(open(&encode(few.clone(), ImageFormat::Gif)).unwrap(), few);
}

#[test]
fn jpeg_is_close_and_grey_has_equal_channels() {
    let flat = RgbImage::from_pixel(17, 9, Rgb([200, 120, 40]));
    let found = open(&encode(flat.clone(), ImageFormat::Jpeg)).unwrap();
    assert_eq!(found.dimensions(), (17, 9));
    assert!(found.as_raw().iter().zip(flat.as_raw()).all(|(a, b)| a.abs_diff(*b) <= 3));
    let grey = ImageBuffer::from_pixel(17, 9, Luma([90u8]));
    let found = open(&encode(DynamicImage::ImageLuma8(grey), ImageFormat::Jpeg)).unwrap();
    assert!(found.pixels().all(|p| p[0] == p[1] && p[1] == p[2] && p[0].abs_diff(90) <= 1));
}

#[test]
fn alpha_is_dropped_and_sixteen_bits_become_eight() {
    let see_through = ImageBuffer::from_pixel(3, 2, Rgba([10u8, 20, 30, 0]));
    let found = open(&encode(DynamicImage::ImageRgba8(see_through), ImageFormat::Png)).unwrap();
    assert!(found.pixels().all(|pixel| pixel.0 == [10, 20, 30]));
    let deep = ImageBuffer::from_pixel(3, 2, Rgb([0u16, 0x8080, 0xffff]));
    let found = open(&encode(DynamicImage::ImageRgb16(deep), ImageFormat::Png)).unwrap();
    assert!(found.pixels().all(|pixel| pixel.0 == [0, 0x80, 0xff]));
}

/// A JPEG with an EXIF block that says nothing but the orientation.
fn oriented(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let mut exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0".to_vec();
    // Tag 0x0112, type SHORT, count 1, value.
    exif.extend([0x12, 0x01, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0, 0, 0, 0, 0]);
    let mut bytes = jpeg[..2].to_vec();
    bytes.extend([0xff, 0xe1]);
    bytes.extend((exif.len() as u16 + 2).to_be_bytes());
    bytes.extend(exif);
    bytes.extend(&jpeg[2..]);
    bytes
}

#[test]
fn exif_orientation_is_applied() {
    // Upright: red, green above blue, white. In 16-pixel blocks, so that JPEG keeps colours apart.
    const COLORS: [[u8; 3]; 4] = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]];
    let source = RgbImage::from_fn(32, 32, |x, y| Rgb(COLORS[(x / 16 + y / 16 * 2) as usize]));
    let jpeg = encode(source, ImageFormat::Jpeg);
    // What stands top left, top right, bottom left, bottom right once upright, from the EXIF standard: orientation 6,
    // for instance, means that the first row stored is the right side of the scene.
    let expected = [
        [0, 1, 2, 3],
        [1, 0, 3, 2],
        [3, 2, 1, 0],
        [2, 3, 0, 1],
        [0, 2, 1, 3],
        [2, 0, 3, 1],
        [3, 1, 2, 0],
        [1, 3, 0, 2],
    ];
    for (orientation, expected) in (1..=8).zip(expected) {
        let found = open(&oriented(&jpeg, orientation)).unwrap();
        for (&(x, y), color) in [(8, 8), (24, 8), (8, 24), (24, 24)].iter().zip(expected) {
            let pixel = found.get_pixel(x, y);
            let apart = pixel.0.iter().zip(COLORS[color]).map(|(a, b)| a.abs_diff(b)).max().unwrap();
            assert!(apart < 20, "orientation {orientation} at {x}, {y}: {pixel:?}");
        }
    }
    assert_eq!(open(&oriented(&jpeg, 9)).unwrap().dimensions(), (32, 32), "nonsense is ignored");
}

#[test]
fn the_content_decides_not_the_ending() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("really-a-gif.jpg");
    std::fs::write(&path, encode(picture(5, 4), ImageFormat::Gif)).unwrap();
    assert_eq!(decode(&path, &Limits::default()).unwrap().dimensions(), (5, 4));
}

#[test]
fn what_is_no_picture_says_why() {
    assert!(matches!(open(b""), Err(DecodeError::Empty)));
    let text = open(b"<!DOCTYPE html><p>not found").unwrap_err().to_string();
    assert!(text.contains("not a picture") && text.contains("<!DOCTYPE"), "{text}");
    let folder = tempfile::tempdir().unwrap();
    let missing = decode(folder.path().join("none.jpg"), &Limits::default()).unwrap_err();
    assert!(matches!(missing, DecodeError::Io(_)));
    let folder = decode(folder.path(), &Limits::default()).unwrap_err();
    assert!(folder.to_string().contains("folder"), "{folder}");
}

#[test]
fn a_jpeg_that_ends_early_is_whole_up_to_there_and_grey_below() {
    let jpeg = encode(picture(200, 150), ImageFormat::Jpeg);
    let whole = open(&jpeg).unwrap();
    let row = |picture: &RgbImage, y: usize| picture.as_raw()[y * 600..][..600].to_vec();
    let mut equal = 0;
    for share in [30, 50, 90] {
        let found = open(&jpeg[..jpeg.len() * share / 100]).unwrap();
        let rows = (0..150).take_while(|y| row(&found, *y) == row(&whole, *y)).count();
        assert!(rows > equal, "{share} %: {rows} rows are equal");
        assert!(row(&found, 149)[300..].iter().all(|level| *level == 128), "{share} %");
        equal = rows;
    }
    let headers_only = open(&jpeg[..200]);
    assert!(matches!(headers_only, Err(DecodeError::Damaged { format: "JPEG", .. })));
    let mut trailing = jpeg.clone();
    trailing.extend(b"rubbish after the end");
    assert!(open(&trailing).is_ok());
}

#[test]
fn damage_anywhere_is_an_error_or_a_picture_never_a_panic() {
    let formats = [
        ImageFormat::Jpeg,
        ImageFormat::Png,
        ImageFormat::Bmp,
        ImageFormat::Tiff,
        ImageFormat::WebP,
        ImageFormat::Gif,
        ImageFormat::Pnm,
    ];
    for format in formats {
        let sound = encode(picture(24, 18), format);
        for cut in 0..sound.len() {
            let _ = open(&sound[..cut]);
        }
        for place in 0..sound.len().min(600) {
            let mut damaged = sound.clone();
            damaged[place] ^= 0xff;
            let _ = open(&damaged);
        }
    }
}

#[test]
fn size_is_checked_before_decoding() {
    // A PNG header that declares 100,000 × 100,000 pixels, and nothing behind it.
    let mut png = encode(picture(4, 4), ImageFormat::Png);
    png[16..20].copy_from_slice(&100_000u32.to_be_bytes());
    png[20..24].copy_from_slice(&100_000u32.to_be_bytes());
    let checksum = crc(&png[12..29]);
    png[29..33].copy_from_slice(&checksum.to_be_bytes());
    assert!(matches!(open(&png), Err(DecodeError::TooLarge(_))), "{:?}", open(&png));
    for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP, ImageFormat::Gif] {
        let bytes = encode(picture(30, 20), format);
        for limits in [
            Limits { max_width: 29, ..Limits::default() },
            Limits { max_height: 19, ..Limits::default() },
            Limits { max_pixels: 599, ..Limits::default() },
        ] {
            let result = decode_bytes(&bytes, &limits);
            assert!(matches!(result, Err(DecodeError::TooLarge(_))), "{format:?} {limits:?}: {result:?}");
        }
        assert!(decode_bytes(&bytes, &Limits { max_pixels: 600, ..Limits::default() }).is_ok());
    }
}

/// CRC-32 as PNG uses it, bit by bit.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(
            crc ^ u32::from(*byte),
            |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 },
        )
    })
}
