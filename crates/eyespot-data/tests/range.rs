//! Images of more than 8 bits a sample.

use eyespot_data::{DecodeOptions, Limits, Loader, LoaderOptions, Note, Sample, Transform, measure_range};
use image::{ImageBuffer, Luma, Rgb};
use std::path::Path;

fn save(path: &Path, sample: impl Fn(u32, u32) -> u16) {
    ImageBuffer::from_fn(50, 40, |x, y| Luma([sample(x, y)])).save(path).expect("writes");
}

fn notes(path: &Path, range: Option<[f32; 2]>) -> Vec<Note> {
    DecodeOptions { range, ..DecodeOptions::default() }.decode(path).expect("reads").notes
}

#[test]
fn images_that_use_less_than_a_sixteenth_of_their_range_are_noted() {
    let folder = tempfile::tempdir().unwrap();
    for ending in ["png", "tif", "pgm"] {
        let path = folder.path().join(format!("a.{ending}"));
        // 65,535 / 16 is 4095.9: 12 bits are just less.
        save(&path, |x, y| ((x * 40 + y) * 4095 / 1999) as u16);
        let found = notes(&path, None);
        let expected = Note::Range { lowest: 0.0, highest: 4095.0, full: [0.0, 65_535.0] };
        assert_eq!(found, [expected], "{ending}");
        let text = found[0].to_string();
        assert!(text.contains("from 0 to 4095") && text.contains("--range LOW..HIGH"), "{text}");
        assert_eq!(notes(&path, Some([0.0, 4095.0])), [], "{ending}");
        save(&path, |x, y| ((x * 40 + y) * 4096 / 1999) as u16);
        assert_eq!(notes(&path, None), [], "{ending}");
    }
    // Floating-point numbers beyond black and white.
    let path = folder.path().join("b.tiff");
    ImageBuffer::from_fn(9, 9, |x, y| Rgb([x as f32, y as f32, -1.0])).save(&path).expect("writes");
    assert_eq!(notes(&path, None), [Note::Range { lowest: -1.0, highest: 8.0, full: [0.0, 1.0] }]);
}

#[test]
fn ranges_are_in_the_files_own_numbers() {
    let options = DecodeOptions { range: Some([100.0, 355.0]), ..DecodeOptions::default() };
    // White is 1000 here; a sample of 100 + n becomes n.
    let rows: Vec<u8> = (0..=255u16).flat_map(|n| (100 + n).to_be_bytes()).collect();
    let pgm = [&b"P5\n256 1\n1000\n"[..], &rows].concat();
    let found = options.decode_bytes(&pgm).expect("reads").image;
    assert!(found.pixels().enumerate().all(|(n, pixel)| pixel.0 == [n as u8; 3]), "{found:?}");
    // Without one, of 16 bits the upper 8 count.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    save(&path, |x, y| (x * 1300 + y) as u16);
    let found = DecodeOptions::default().decode(&path).expect("reads").image;
    assert!(found.enumerate_pixels().all(|(x, y, pixel)| pixel[0] == ((x * 1300 + y) >> 8) as u8));
    // Images of 8 bits stay as they are.
    image::GrayImage::from_fn(5, 5, |x, y| Luma([(x * 40 + y) as u8])).save(&path).expect("writes");
    assert_eq!(options.decode(&path).expect("reads").image.get_pixel(3, 2).0, [122; 3]);
}

#[test]
fn a_loader_obeys_its_transforms_range() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.tif");
    save(&path, |x, y| (1000 + x * 10 + y) as u16);
    let transform = Transform { range: Some([1000.0, 1529.0]), ..Transform::unscaled(40, 50, 3) };
    let loader = Loader::new(&[Sample::file(&path, 0)], vec![0], LoaderOptions::new(transform)).unwrap();
    let batch = loader.map(Result::unwrap).next().expect("a batch");
    let expected = |x: f32, y: f32| ((((x * 10.0 + y) / 529.0 * 255.0).round() / 255.0) - 0.5) / 0.5;
    for (x, y) in [(0, 0), (49, 39), (20, 7)] {
        let found = batch.inputs[(y * 50 + x) * 3];
        assert!((found - expected(x as f32, y as f32)).abs() < 1e-5, "{found} at {x}, {y}");
    }
    assert!(batch.notes.is_empty(), "{:?}", batch.notes);
}

#[test]
fn a_measured_range_is_that_of_the_deep_images_whatever_the_threads() {
    let folder = tempfile::tempdir().unwrap();
    let mut samples = Vec::new();
    for n in 0..5u32 {
        let path = folder.path().join(format!("{n}.png"));
        save(&path, |x, y| (n * 2000 + x * 40 + y) as u16);
        samples.push(Sample::file(&path, 0));
    }
    // Neither images of 8 bits count nor what is no image.
    let path = folder.path().join("plain.png");
    image::GrayImage::new(90, 90).save(&path).expect("writes");
    samples.push(Sample::file(&path, 0));
    samples.push(Sample::file(folder.path().join("none.png"), 0));
    let range = measure_range(&samples, &Limits::default(), 1).expect("there are deep images");
    // Each number from 0 to 9,999 once: numpy.percentile(numpy.arange(10000), [0.1, 99.9]).
    assert!((range[0] - 9.999).abs() < 1e-3 && (range[1] - 9989.001).abs() < 1e-2, "{range:?}");
    assert_eq!(measure_range(&samples, &Limits::default(), 4), Some(range));
    assert_eq!(measure_range(&samples[5..], &Limits::default(), 2), None);
}
