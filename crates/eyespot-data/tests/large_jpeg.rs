//! A photo of 200 megapixels, as phones make them. The only test in its process: it looks at the process's memory.

use eyespot_data::{Limits, Loader, LoaderOptions, Sample, Transform, decode};
use eyespot_system::Budget;
use std::path::Path;

const WIDTH: usize = 16_320;
const HEIGHT: usize = 12_240;

/// Writes codes bit by bit.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    held: u32,
    count: u32,
}

impl Bits {
    fn put(&mut self, code: u32, length: u32) {
        for bit in (0..length).rev() {
            self.held = self.held << 1 | code >> bit & 1;
            self.count += 1;
            if self.count == 8 {
                self.bytes.push(self.held as u8);
                if self.held == 0xff {
                    self.bytes.push(0);
                }
                (self.held, self.count) = (0, 0);
            }
        }
    }
}

fn segment(marker: u8, content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u16 + 2).to_be_bytes();
    [&[0xff, marker], &length[..], content].concat()
}

/// A sequential JPEG with 4:2:0: blocks of even colour whose levels wander, and a wave in some.
fn jpeg(orientation: u8) -> Vec<u8> {
    let mut exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0".to_vec();
    exif.extend([0x12, 0x01, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0, 0, 0, 0, 0]);
    let (height, width) = ((HEIGHT as u16).to_be_bytes(), (WIDTH as u16).to_be_bytes());
    let frame = [&[8], &height[..], &width[..], &[3, 1, 0x22, 0, 2, 0x11, 0, 3, 0x11, 0]].concat();
    // Codes of 2 bits: DC sizes 0, 1 and 2; AC: end of block, and a number of one bit at once.
    let dc = [&[0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 5][..]].concat();
    let ac = [&[0x10, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x00, 0x01][..]].concat();
    let mut bits = Bits::default();
    let mut state = 1u32;
    let mut random = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 24
    };
    let mut last = [0i32; 3];
    for _ in 0..(WIDTH / 16) * (HEIGHT / 16) {
        for channel in [0, 0, 0, 0, 1, 2] {
            let step = if channel == 0 { random() as i32 % 32 } else { random() as i32 % 8 };
            let (size, code) = if channel == 0 { (5, 2) } else { (3, 1) };
            let (half, most) = (1 << (size - 1), if channel == 0 { 60 } else { 40 });
            let up = last[channel] < most && (last[channel] < -most || random() % 2 == 0);
            // Positive numbers begin with 1, negative ones with 0.
            let number = if up { half + step % half } else { -(half + step % half) };
            last[channel] += number;
            bits.put(code, 2);
            bits.put(if up { number } else { number + 2 * half - 1 } as u32, size as u32);
            if random() % 4 == 0 {
                bits.put(1, 2);
                bits.put(random() & 1, 1);
            }
            bits.put(0, 2);
        }
    }
    bits.put(0x7f, (8 - bits.count) % 8);
    let quantiser = [&[0][..], &[16; 64]].concat();
    let scan = segment(0xda, &[3, 1, 0, 2, 0, 3, 0, 0, 63, 0]);
    [
        &[0xff, 0xd8][..],
        &segment(0xe1, &exif),
        &segment(0xdb, &quantiser),
        &segment(0xc0, &frame),
        &segment(0xc4, &dc),
        &segment(0xc4, &ac),
        &scan,
        &bits.bytes,
        &[0xff, 0xd9],
    ]
    .concat()
}

fn loaded(path: &Path) -> Vec<f32> {
    let options = LoaderOptions::new(Transform::imagenet());
    let batch = Loader::new(&[Sample::file(path, 0)], vec![0], options).unwrap().next().unwrap().unwrap();
    assert!(batch.failures.is_empty(), "{:?}", batch.failures);
    assert_eq!(batch.notes, []);
    batch.inputs
}

/// The most memory the process has had so far, in MiB.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches("kB").trim().parse::<u64>().ok().map(|kb| kb / 1024)
}

#[test]
fn two_hundred_megapixels_take_little_memory_and_give_the_same_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let files = [1u8, 6].map(|orientation| {
        let path = folder.path().join(format!("{orientation}.jpg"));
        std::fs::write(&path, jpeg(orientation)).unwrap();
        path
    });
    let budget = Budget::process();
    let allowed = budget.limit();
    // The file's bytes, its rows scaled across, and the batches; 600 MB of pixels wouldn't fit.
    budget.set_limit(160 << 20);
    let before = peak();
    let found = files.each_ref().map(|file| loaded(file));
    if let (Some(before), Some(after)) = (before, peak()) {
        assert!(after - before < 160, "{before} MiB before, {after} MiB after");
    }
    assert!(budget.peak() <= 160 << 20);
    let error = decode(&files[0], &Limits::default()).unwrap_err().to_string();
    assert!(error.contains("needs 5") && error.contains("--memory"), "{error}");
    budget.set_limit(allowed.max(3 << 30));
    for (file, found) in files.iter().zip(found) {
        let whole = decode(file, &Limits::default()).unwrap();
        let mut expected = vec![0.0; found.len()];
        Transform::imagenet().apply(&whole, &mut expected).unwrap();
        assert!(found == expected, "{}", file.display());
        let (least, most) = expected.iter().fold((f32::MAX, f32::MIN), |(a, b), x| (a.min(*x), b.max(*x)));
        assert!(most - least > 0.5, "there is something to see: {least} to {most}");
    }
}
