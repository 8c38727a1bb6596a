//! Files that ask for more memory than there is.

use eyespot_data::{DecodeError, Limits, Loader, LoaderOptions, Transform, decode, pictures};
use eyespot_system::Budget;
use flate2::{Compress, Compression, FlushCompress};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Tests that change the process's budget take turns.
fn allow(bytes: u64) -> (MutexGuard<'static, ()>, &'static Budget) {
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    Budget::process().set_limit(bytes);
    (turn, Budget::process())
}

/// A zlib stream of `megabytes` zeros, built from one piece.
fn zeros(megabytes: usize) -> Vec<u8> {
    let mut compress = Compress::new(Compression::best(), true);
    let mut stream = Vec::with_capacity(1 << 16);
    let piece = vec![0; 1 << 20];
    compress.compress_vec(&piece, &mut stream, FlushCompress::Full).unwrap();
    let first = stream.len();
    compress.compress_vec(&piece, &mut stream, FlushCompress::Full).unwrap();
    let again = stream.split_off(first);
    for _ in 1..megabytes {
        stream.extend(&again);
    }
    // An empty last block, and a checksum that nobody gets to.
    stream.extend([1, 0, 0, 0xff, 0xff, 0, 0, 0, 0]);
    stream
}

/// A deflated TIFF of RGB pixels, all strips the same few bytes.
fn tiff(width: u32, height: u32) -> Vec<u8> {
    let rows = (1u32 << 20).div_ceil(3 * width).max(1);
    let strips = height.div_ceil(rows);
    let strip = zeros((rows as usize * 3 * width as usize).div_ceil(1 << 20));
    let entries = 9u16;
    let tables = 8 + 2 + u32::from(entries) * 12 + 4;
    let data = tables + 6 + 8 * strips;
    let mut file = b"II*\0\x08\0\0\0".to_vec();
    file.extend(entries.to_le_bytes());
    let mut entry = |tag: u16, kind: u16, count: u32, value: u32| {
        file.extend(tag.to_le_bytes());
        file.extend(kind.to_le_bytes());
        file.extend(count.to_le_bytes());
        file.extend(value.to_le_bytes());
    };
    entry(256, 4, 1, width);
    entry(257, 4, 1, height);
    entry(258, 3, 3, tables);
    entry(259, 3, 1, 8);
    entry(262, 3, 1, 2);
    entry(273, 4, strips, tables + 6);
    entry(277, 3, 1, 3);
    entry(278, 4, 1, rows);
    entry(279, 4, strips, tables + 6 + 4 * strips);
    file.extend([0; 4]);
    file.extend([8, 0, 8, 0, 8, 0]);
    for _ in 0..strips {
        file.extend(data.to_le_bytes());
    }
    for _ in 0..strips {
        file.extend((strip.len() as u32).to_le_bytes());
    }
    file.extend(strip);
    file
}

/// A GIF whose screen and first frame have so many pixels.
fn gif(width: u16, height: u16) -> Vec<u8> {
    let (w, h) = (width.to_le_bytes(), height.to_le_bytes());
    let screen = [&w[..], &h[..], &[0x80, 0, 0], &[0; 6]].concat();
    let frame = [&[0x2c, 0, 0, 0, 0][..], &w, &h, &[0, 2, 1, 0x4c, 0, 0x3b]].concat();
    [&b"GIF89a"[..], &screen, &frame].concat()
}

/// A PNG of 8 × 8 pixels with a colour profile of so many megabytes.
fn png(profile: usize) -> Vec<u8> {
    let chunk = |kind: &[u8], content: &[u8]| {
        let body = [kind, content].concat();
        let length = (content.len() as u32).to_be_bytes();
        [&length[..], &body, &crc32fast::hash(&body).to_be_bytes()].concat()
    };
    let mut pixels = Vec::with_capacity(1000);
    let rows: Vec<u8> = (0..8).flat_map(|y| [&[0][..], &[y * 30; 24]].concat()).collect();
    Compress::new(Compression::best(), true).compress_vec(&rows, &mut pixels, FlushCompress::Finish).unwrap();
    [
        &b"\x89PNG\r\n\x1a\n"[..],
        &chunk(b"IHDR", &[0, 0, 0, 8, 0, 0, 0, 8, 8, 2, 0, 0, 0]),
        &chunk(b"iCCP", &[&b"x\0\0"[..], &zeros(profile)].concat()),
        &chunk(b"IDAT", &pixels),
        &chunk(b"IEND", b""),
    ]
    .concat()
}

fn written(folder: &Path, name: &str, content: &[u8]) -> std::path::PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    path
}

#[test]
fn a_picture_that_never_fits_is_named_with_what_it_needs_and_the_rest_is_loaded() {
    let (_turn, budget) = allow(256 << 20);
    let folder = tempfile::tempdir().unwrap();
    for number in 0..4 {
        written(folder.path(), &format!("{number}.tif"), &tiff(21_000, 21_000));
    }
    // The ending decides what is found in a folder, the content what it is.
    let bomb = gif(17_000, 17_500);
    assert!(bomb.len() < 50);
    written(folder.path(), "gif.png", &bomb);
    for number in 0..4 {
        image::RgbImage::new(300, 200).save(folder.path().join(format!("sound {number}.png"))).unwrap();
    }
    let options = LoaderOptions { threads: 4, ..LoaderOptions::new(Transform::imagenet()) };
    let loader = Loader::stream(pictures(vec![folder.path().into()]), options).unwrap();
    let batches: Vec<_> = loader.map(Result::unwrap).collect();
    assert_eq!(batches.iter().map(|batch| batch.len()).sum::<usize>(), 4);
    let failures: Vec<_> = batches.iter().flat_map(|batch| &batch.failures).collect();
    assert_eq!(failures.len(), 5);
    for failure in failures {
        assert!(
            matches!(failure.cause, DecodeError::Memory(_)),
            "{}: {}",
            failure.path.display(),
            failure.cause
        );
        let said = failure.cause.to_string();
        assert!(said.contains("GiB of memory") && said.contains("--memory"), "{said}");
    }
    assert!(budget.peak() <= 256 << 20);
}

#[test]
fn pictures_that_fit_one_at_a_time_wait_for_each_other() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..6 {
        written(folder.path(), &format!("{number}.tif"), &tiff(3000, 2000));
    }
    // Each takes 18 MB three times, and a loader's frames.
    let (_turn, budget) = allow(100 << 20);
    let options = LoaderOptions { threads: 4, batch_size: 2, ..LoaderOptions::new(Transform::imagenet()) };
    let loader = Loader::stream(pictures(vec![folder.path().into()]), options).unwrap();
    let batches: Vec<_> = loader.map(Result::unwrap).collect();
    let failures: Vec<_> = batches.iter().flat_map(|batch| &batch.failures).collect();
    assert!(failures.is_empty(), "{failures:?}");
    assert_eq!(batches.iter().map(|batch| batch.len()).sum::<usize>(), 6);
    assert!(budget.peak() <= 100 << 20, "{}", budget.peak());
}

#[test]
fn a_small_picture_with_a_huge_colour_profile_takes_little_memory() {
    let (_turn, _) = allow(64 << 20);
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path(), "profile.png", &png(2048));
    let picture = decode(path, &Limits::default()).unwrap();
    assert_eq!((picture.dimensions(), picture.get_pixel(3, 4).0), ((8, 8), [120; 3]));
}

#[test]
fn a_loader_that_takes_more_than_there_is_says_so_before_it_allocates() {
    let (_turn, _) = allow(1 << 30);
    let transform = Transform::unscaled(16_384, 16_384, 3);
    let error = Loader::stream(pictures(vec![]), LoaderOptions::new(transform)).err().unwrap().to_string();
    assert!(error.contains("needs") && error.contains("--memory") && error.contains("--batch"), "{error}");
}
