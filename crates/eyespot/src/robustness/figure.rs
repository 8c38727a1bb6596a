//! Accuracy against strength, a chart for each variation.

use super::Robustness;
use crate::Error;
use eyespot_data::vary::Variation;
use eyespot_figure::{Chart, Mark, PALETTE, Size, below, beside, draw_text, text_width};
use image::{Rgb, RgbImage};

/// Pixels of a chart.
const WIDTH: u32 = 440;
const HEIGHT: u32 = 330;

/// Three charts in a row, two rows, under the classifiers' names.
pub(super) fn draw(models: &[(&str, &Robustness)]) -> Result<RgbImage, Error> {
    let mut charts = Vec::new();
    for (place, variation) in Variation::ALL.into_iter().enumerate() {
        let curve = |robustness: &Robustness| {
            let accuracy = robustness.variations.get(place).map_or(&[][..], |v| &v.accuracy);
            Robustness::STRENGTHS.iter().zip(accuracy).map(|(&s, &a)| (f64::from(s), 100.0 * a)).collect()
        };
        let chart = chart(variation.name(), "strength (0: unchanged)", (0.0, 1.0), models, curve);
        charts.push(chart.draw(WIDTH, HEIGHT)?);
    }
    let most = models.iter().map(|(_, r)| r.groups.len()).max().unwrap_or(0).max(2) as f64;
    let curve = |robustness: &Robustness| {
        let mut accuracy: Vec<f64> = robustness.groups.iter().map(|group| 100.0 * group.accuracy).collect();
        accuracy.sort_by(|a, b| b.total_cmp(a));
        (1..).map(f64::from).zip(accuracy).collect()
    };
    let groups = chart("inside the classes", "groups of alike pictures", (1.0, most), models, curve);
    charts.push(groups.draw(WIDTH, HEIGHT)?);
    let rows = charts.chunks(3).map(beside);
    let figure: Vec<RgbImage> = std::iter::once(heading(models)).chain(rows).collect();
    Ok(below(&figure))
}

fn chart(
    title: &str,
    x_label: &str,
    x_range: (f64, f64),
    models: &[(&str, &Robustness)],
    curve: impl Fn(&Robustness) -> Vec<(f64, f64)>,
) -> Chart {
    let mut marks = Vec::new();
    for (color, (_, robustness)) in models.iter().enumerate() {
        let points = curve(robustness);
        marks.push(Mark::Line { label: String::new(), points: points.clone(), color });
        marks.push(Mark::Dots { label: String::new(), points, color });
    }
    Chart {
        title: title.to_owned(),
        x_label: x_label.to_owned(),
        y_label: "accuracy (%)".to_owned(),
        x_range: Some(x_range),
        y_range: Some((0.0, 100.0)),
        marks,
    }
}

/// A title, and each classifier's name beside its colour, in as many rows as they need.
fn heading(models: &[(&str, &Robustness)]) -> RgbImage {
    const EDGE: i32 = 24;
    let (width, line) = (3 * WIDTH, Size::Small.height() as i32 + 6);
    let mut places = Vec::new();
    let (mut x, mut y) = (EDGE, 20 + Size::Large.height() as i32);
    for (name, robustness) in models {
        let text = format!(
            "{name}: {:.1} % unchanged, {:.1} % varied",
            100.0 * robustness.accuracy,
            100.0 * robustness.mean()
        );
        let wide = text_width(&text, Size::Small) as i32 + 50;
        if x > EDGE && x + wide > width as i32 - EDGE {
            (x, y) = (EDGE, y + line);
        }
        places.push((text, x, y));
        x += wide;
    }
    let mut heading = RgbImage::from_pixel(width, (y + line + 6) as u32, Rgb([255; 3]));
    draw_text(&mut heading, EDGE, 12, "Accuracy under what makes vision hard", Size::Large, Rgb([30; 3]));
    for (color, (text, x, y)) in places.into_iter().enumerate() {
        let color = Rgb(PALETTE[color % PALETTE.len()]);
        for (dx, dy) in (0..14).flat_map(|dx| (0..14).map(move |dy| (dx, dy))) {
            if let Some(pixel) = heading.get_pixel_mut_checked((x + dx) as u32, (y + dy + 1) as u32) {
                *pixel = color;
            }
        }
        draw_text(&mut heading, x + 20, y, &text, Size::Small, Rgb([30; 3]));
    }
    heading
}

#[cfg(test)]
mod tests {
    use super::super::VariationAccuracy;
    use super::*;

    #[test]
    fn every_classifier_leaves_its_colour_in_the_figure() {
        let of = |accuracy: f64| Robustness {
            images: 4,
            accuracy,
            variations: Variation::ALL
                .map(|variation| VariationAccuracy { variation, accuracy: vec![accuracy; 6] })
                .to_vec(),
            groups: Vec::new(),
            left_out: Default::default(),
            unreadable: Vec::new(),
            notices: Vec::new(),
        };
        let (good, bad) = (of(0.9), of(0.4));
        let long = "a name so long that it takes a row of the heading for itself, and then some more of it";
        let figure = draw(&[("good", &good), (long, &bad)]).expect("a figure");
        let inked = |color: [u8; 3]| figure.pixels().filter(|p| p.0 == color).count();
        assert!(inked(PALETTE[0]) > 1000 && inked(PALETTE[1]) > 1000);
        assert_eq!(inked(PALETTE[3]), 0);
    }
}
