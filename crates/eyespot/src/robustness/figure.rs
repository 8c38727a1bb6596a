//! Accuracy against strength, a chart for each variation.

use super::Robustness;
use crate::Error;
use eyespot_data::vary::Variation;
use eyespot_figure::{Chart, Mark, PALETTE, Size, below, beside, draw_text, text_width};
use image::{Rgb, RgbImage};
use std::collections::BTreeMap;

/// Pixels of a chart.
const WIDTH: u32 = 440;
const HEIGHT: u32 = 330;

/// Pixels left of what is written.
const EDGE: i32 = 24;

/// Index of the colour of chance, grey, which stands for no classifier.
const CHANCE: usize = PALETTE.len() - 1;

/// What the last chart shows.
const GROUPS: [&str; 2] = [
    "inside the classes: the unchanged pictures of each class fall into up to five groups that look alike to the classifier. A dot is such a group, and how",
    "many of its pictures are named rightly; the best group stands left, the worst right. Groups of fewer than 4 pictures say little and are left out.",
];

/// Three charts in a row, two rows, under the classifiers' names; below them what groups are.
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
    let most = models.iter().map(|(_, r)| r.telling_groups().count()).max().unwrap_or(0).max(2) as f64;
    let groups =
        chart("inside the classes", "groups, best to worst", (1.0, most), models, from_best_to_worst);
    charts.push(groups.draw(WIDTH, HEIGHT)?);
    let rows = charts.chunks(3).map(beside);
    let figure: Vec<RgbImage> = std::iter::once(heading(models)).chain(rows).chain([explanation()]).collect();
    Ok(below(&figure))
}

/// The number of each group that says something, and its accuracy in percent.
fn from_best_to_worst(robustness: &Robustness) -> Vec<(f64, f64)> {
    let mut accuracy: Vec<f64> = robustness.telling_groups().map(|group| 100.0 * group.accuracy).collect();
    accuracy.sort_by(|a, b| b.total_cmp(a));
    (1..).map(f64::from).zip(accuracy).collect()
}

/// What guessing gets, for each number of classes that a classifier has.
fn chances(models: &[(&str, &Robustness)]) -> BTreeMap<usize, f64> {
    models.iter().map(|(_, robustness)| (robustness.classes, robustness.chance())).collect()
}

fn chart(
    title: &str,
    x_label: &str,
    x_range: (f64, f64),
    models: &[(&str, &Robustness)],
    curve: impl Fn(&Robustness) -> Vec<(f64, f64)>,
) -> Chart {
    /// Dashes of a line of chance.
    const DASHES: u32 = 25;
    let mut marks = Vec::new();
    for (_, chance) in chances(models) {
        let at = |part: f64| {
            let part = part / f64::from(DASHES);
            (x_range.0 + (x_range.1 - x_range.0) * part, 100.0 * chance)
        };
        let dashes = (0..DASHES).map(f64::from).map(|dash| vec![at(dash), at(dash + 0.5)]);
        marks.extend(dashes.map(|points| Mark::Line { label: String::new(), points, color: CHANCE }));
    }
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

/// A title, and each classifier's name beside its colour, in as many rows as they need; then that of chance.
fn heading(models: &[(&str, &Robustness)]) -> RgbImage {
    let (width, line) = (3 * WIDTH, Size::Small.height() as i32 + 6);
    let mut names: Vec<(String, usize)> = Vec::new();
    for (color, (name, robustness)) in models.iter().enumerate() {
        let (plain, varied) = (100.0 * robustness.accuracy, 100.0 * robustness.mean());
        names.push((format!("{name}: {plain:.1} % unchanged, {varied:.1} % varied"), color));
    }
    for (classes, chance) in chances(models) {
        let of = if classes == 1 { "class" } else { "classes" };
        names.push((format!("dashed: by chance {:.1} % ({classes} {of})", 100.0 * chance), CHANCE));
    }
    let mut places = Vec::new();
    let (mut x, mut y) = (EDGE, 20 + Size::Large.height() as i32);
    for (text, color) in names {
        let wide = text_width(&text, Size::Small) as i32 + 50;
        if x > EDGE && x + wide > width as i32 - EDGE {
            (x, y) = (EDGE, y + line);
        }
        places.push((text, color, x, y));
        x += wide;
    }
    let mut heading = RgbImage::from_pixel(width, (y + line + 6) as u32, Rgb([255; 3]));
    draw_text(&mut heading, EDGE, 12, "Accuracy under what makes vision hard", Size::Large, Rgb([30; 3]));
    for (text, color, x, y) in places {
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

/// What the groups are.
fn explanation() -> RgbImage {
    let line = Size::Small.height() + 4;
    let mut below = RgbImage::from_pixel(3 * WIDTH, line * GROUPS.len() as u32 + 16, Rgb([255; 3]));
    for (row, text) in GROUPS.iter().enumerate() {
        draw_text(&mut below, EDGE, (row as u32 * line + 4) as i32, text, Size::Small, Rgb([30; 3]));
    }
    below
}

#[cfg(test)]
mod tests {
    use super::super::{Group, VariationAccuracy};
    use super::*;

    fn of(accuracy: f64, classes: usize, groups: &[(usize, f64)]) -> Robustness {
        let group = |&(images, accuracy): &(usize, f64)| Group {
            class: "a".to_owned(),
            images,
            accuracy,
            examples: Vec::new(),
        };
        Robustness {
            classes,
            images: 4,
            accuracy,
            variations: Variation::ALL
                .map(|variation| VariationAccuracy { variation, accuracy: vec![accuracy; 6] })
                .to_vec(),
            groups: groups.iter().map(group).collect(),
            left_out: Default::default(),
            unreadable: Vec::new(),
            notices: Vec::new(),
        }
    }

    #[test]
    fn every_classifier_leaves_its_colour_in_the_figure() {
        let (good, bad) = (of(0.9, 3, &[]), of(0.4, 3, &[]));
        let long = "a name so long that it takes a row of the heading for itself, and then some more of it";
        let figure = draw(&[("good", &good), (long, &bad)]).expect("a figure");
        let inked = |color: [u8; 3]| figure.pixels().filter(|p| p.0 == color).count();
        assert!(inked(PALETTE[0]) > 1000 && inked(PALETTE[1]) > 1000);
        assert_eq!(inked(PALETTE[3]), 0);
    }

    #[test]
    fn each_chart_has_a_line_of_chance() {
        let four = of(0.9, 4, &[(8, 0.75), (8, 0.5)]);
        let chart = chart("scale", "strength", (0.0, 1.0), &[("a", &four), ("b", &four)], |_| Vec::new());
        let dashes: Vec<&Vec<(f64, f64)>> = chart
            .marks
            .iter()
            .filter_map(|mark| match mark {
                Mark::Line { points, color: CHANCE, .. } => Some(points),
                _ => None,
            })
            .collect();
        assert!(dashes.len() > 10, "one line for the same number of classes");
        assert!(dashes.iter().flat_map(|dash| dash.iter()).all(|p| p.1 == 25.0));
        assert_eq!(dashes[0][0].0, 0.0);
        // Another number of classes has another chance.
        assert_eq!(
            chances(&[("a", &four), ("b", &of(0.9, 10, &[]))]).into_values().collect::<Vec<_>>(),
            [0.25, 0.1]
        );
    }

    #[test]
    fn the_last_group_is_the_worst_one_of_the_tables() {
        // A group of three pictures, all wrong, counts neither here nor there.
        let measured = of(0.5, 4, &[(10, 0.5), (3, 0.0), (4, 0.25), (20, 0.9)]);
        let curve = from_best_to_worst(&measured);
        assert_eq!(curve, [(1.0, 90.0), (2.0, 50.0), (3.0, 25.0)]);
        assert_eq!(curve.last().map(|p| p.1), measured.worst_group().map(|group| 100.0 * group.accuracy));
    }

    #[test]
    fn what_is_written_fits_into_the_figure() {
        for line in GROUPS {
            assert!(text_width(line, Size::Small) < 3 * WIDTH - 2 * EDGE as u32, "{line}");
        }
    }
}
