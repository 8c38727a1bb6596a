//! Curves, dots and surfaces over two axes.

use crate::FigureError;
use crate::backend::Backend;
use crate::legend::Legend;
use image::{Rgb, RgbImage};
use plotters::prelude::*;
use plotters::style::RGBColor;

/// Colours that stay apart for colour-blind readers too (Okabe and Ito, 2008).
pub const PALETTE: [[u8; 3]; 7] = [
    [0, 114, 178],
    [230, 159, 0],
    [0, 158, 115],
    [213, 94, 0],
    [204, 121, 167],
    [86, 180, 233],
    [90, 90, 90],
];

/// Pixels around a chart, and left of its axes.
const MARGIN: u32 = 12;
const LEFT: u32 = 76;

/// One thing in a chart.
#[derive(Debug, Clone)]
pub enum Mark {
    /// A curve through points.
    Line {
        /// Its name in the legend; empty for none.
        label: String,
        /// (x, y), left to right or along a path.
        points: Vec<(f64, f64)>,
        /// Index into [`PALETTE`].
        color: usize,
    },
    /// Single points.
    Dots {
        /// Their name in the legend; empty for none.
        label: String,
        /// (x, y).
        points: Vec<(f64, f64)>,
        /// Index into [`PALETTE`].
        color: usize,
    },
    /// A surface seen from above, dark where low.
    Heat(Heat),
}

/// A grid of values that fills the whole area between the axes.
#[derive(Debug, Clone)]
pub struct Heat {
    /// Row after row, the first row at the lower edge.
    pub values: Vec<f64>,
    /// Values in a row.
    pub columns: usize,
}

/// A chart with a title and two axes. Below them stands a legend, where it hides nothing; it names those marks of which
/// something lies between the axes' ends.
#[derive(Debug, Clone)]
pub struct Chart {
    /// Above the chart.
    pub title: String,
    /// What the horizontal axis counts, with its unit.
    pub x_label: String,
    /// What the vertical axis counts, with its unit.
    pub y_label: String,
    /// Ends of the horizontal axis; from the marks if `None`.
    pub x_range: Option<(f64, f64)>,
    /// Ends of the vertical axis; from the marks if `None`.
    pub y_range: Option<(f64, f64)>,
    /// What is drawn, the first undermost.
    pub marks: Vec<Mark>,
}

impl Chart {
    /// The chart as a picture of `width` × `height` pixels (at least 160 × 120). Points that aren't finite are left out.
    pub fn draw(&self, width: u32, height: u32) -> Result<RgbImage, FigureError> {
        let mut figure = RgbImage::from_pixel(width.clamp(160, 8192), height.clamp(120, 8192), Rgb([255; 3]));
        self.draw_on(&mut figure).map_err(|e| FigureError::Draw(e.to_string()))?;
        Ok(figure)
    }

    fn draw_on(&self, figure: &mut RgbImage) -> Result<(), Box<dyn std::error::Error + '_>> {
        let (x0, x1) = self.x_range.unwrap_or_else(|| self.reach(|p| p.0));
        let (y0, y1) = self.y_range.unwrap_or_else(|| self.reach(|p| p.1));
        let ends = Ends { x: (x0, x1), y: (y0, y1) };
        let legend = self.legend(ends, figure.width());
        legend.draw(figure, MARGIN + LEFT);
        let area = Backend(figure).into_drawing_area();
        let mut chart = ChartBuilder::on(&area)
            .caption(&self.title, ("mono", 20))
            .margin(MARGIN)
            .margin_bottom(MARGIN + legend.height())
            .x_label_area_size(44)
            .y_label_area_size(LEFT)
            .build_cartesian_2d(x0..x1, y0..y1)?;
        chart
            .configure_mesh()
            .x_desc(&self.x_label)
            .y_desc(&self.y_label)
            .x_labels(6)
            .y_labels(6)
            .light_line_style(TRANSPARENT)
            .x_label_formatter(&short)
            .y_label_formatter(&short)
            .label_style(("mono", 15))
            .draw()?;
        for mark in &self.marks {
            match mark {
                Mark::Line { points, color, .. } => {
                    let stroke = |stroke: [_; 2]| PathElement::new(stroke, palette(*color).stroke_width(2));
                    chart.draw_series(ends.strokes(points).into_iter().map(stroke))?;
                }
                Mark::Dots { points, color, .. } => {
                    let dot = |p| Circle::new(p, 4, palette(*color).filled());
                    chart.draw_series(ends.dots(points).map(dot))?;
                }
                Mark::Heat(heat) => {
                    chart.draw_series(heat.tiles(ends.x, ends.y))?;
                }
            }
        }
        area.present()?;
        Ok(())
    }

    /// The names of what is seen between the ends of the axes.
    fn legend(&self, ends: Ends, width: u32) -> Legend {
        let mut legend = Legend::new(width.saturating_sub(2 * MARGIN + LEFT));
        for mark in &self.marks {
            match mark {
                Mark::Line { label, points, color } if !ends.strokes(points).is_empty() => {
                    legend.add(label, palette(*color), false);
                }
                Mark::Dots { label, points, color } if ends.dots(points).next().is_some() => {
                    legend.add(label, palette(*color), true);
                }
                _ => (),
            }
        }
        legend
    }

    /// Ends of an axis that show every point, with a little room.
    fn reach(&self, side: impl Fn(&(f64, f64)) -> f64) -> (f64, f64) {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for mark in &self.marks {
            if let Mark::Line { points, .. } | Mark::Dots { points, .. } = mark {
                for point in finite(points) {
                    low = low.min(side(&point));
                    high = high.max(side(&point));
                }
            }
        }
        if low > high {
            return (0.0, 1.0);
        }
        let room = if high > low { (high - low) * 0.04 } else { 0.5 };
        (low - room, high + room)
    }
}

/// Where the axes end. What lies beyond isn't drawn; the drawing library would move it to the edge.
#[derive(Debug, Clone, Copy)]
struct Ends {
    x: (f64, f64),
    y: (f64, f64),
}

impl Ends {
    fn dots(self, points: &[(f64, f64)]) -> impl Iterator<Item = (f64, f64)> + '_ {
        finite(points).filter(move |p| within(self.x, p.0) && within(self.y, p.1))
    }

    /// A curve stroke by stroke: joined ones would overshoot at sharp corners and show values that aren't there.
    fn strokes(self, points: &[(f64, f64)]) -> Vec<[(f64, f64); 2]> {
        let points: Vec<(f64, f64)> = finite(points).collect();
        points.windows(2).filter_map(|pair| self.inside(pair[0], pair[1])).collect()
    }

    /// The part of a stroke between the ends, if any (Liang and Barsky, 1984).
    fn inside(self, from: (f64, f64), to: (f64, f64)) -> Option<[(f64, f64); 2]> {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let (mut start, mut end) = (0.0f64, 1.0f64);
        for (at, step, (low, high)) in [(from.0, dx, self.x), (from.1, dy, self.y)] {
            if step == 0.0 {
                if !within((low, high), at) {
                    return None;
                }
                continue;
            }
            let (a, b) = ((low - at) / step, (high - at) / step);
            start = start.max(a.min(b));
            end = end.min(a.max(b));
        }
        let place = |t: f64| (from.0 + t * dx, from.1 + t * dy);
        (start <= end).then(|| [place(start), place(end)])
    }
}

/// Whether a value lies between two ends, the lower of which may stand second.
fn within(ends: (f64, f64), value: f64) -> bool {
    (ends.0.min(ends.1)..=ends.0.max(ends.1)).contains(&value)
}

impl Heat {
    fn tiles(&self, x: (f64, f64), y: (f64, f64)) -> Vec<Rectangle<(f64, f64)>> {
        let columns = self.columns.max(1);
        let rows = self.values.len() / columns;
        let known = || self.values.iter().copied().filter(|v| v.is_finite());
        let (low, high) = (known().fold(f64::INFINITY, f64::min), known().fold(f64::NEG_INFINITY, f64::max));
        let span = if high > low { high - low } else { 1.0 };
        let at = |range: (f64, f64), index: usize, count: usize| {
            range.0 + (range.1 - range.0) * index as f64 / count as f64
        };
        let tile = |(index, &value): (usize, &f64)| {
            let (row, column) = (index / columns, index % columns);
            let level = if value.is_finite() { (value - low) / span } else { 1.0 };
            // Dark blue to pale yellow: brightness alone tells low from high.
            let tone = |from: f64, to: f64| (from + (to - from) * level) as u8;
            let color = RGBColor(tone(24.0, 253.0), tone(32.0, 245.0), tone(92.0, 205.0));
            let corners = [
                (at(x, column, columns), at(y, row, rows)),
                (at(x, column + 1, columns), at(y, row + 1, rows)),
            ];
            Rectangle::new(corners, color.filled())
        };
        self.values.iter().take(rows * columns).enumerate().map(tile).collect()
    }
}

fn finite(points: &[(f64, f64)]) -> impl Iterator<Item = (f64, f64)> + '_ {
    points.iter().copied().filter(|p| p.0.is_finite() && p.1.is_finite())
}

fn palette(index: usize) -> RGBColor {
    let [r, g, b] = PALETTE[index % PALETTE.len()];
    RGBColor(r, g, b)
}

/// A tick's number without needless digits.
fn short(value: &f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-3..1e5).contains(&size) {
        return format!("{value:.0e}");
    }
    let text = format!("{value:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(marks: Vec<Mark>) -> Chart {
        let (title, x_label, y_label) = ("Loss".to_owned(), "epoch".to_owned(), "loss".to_owned());
        Chart { title, x_label, y_label, x_range: None, y_range: None, marks }
    }

    fn pixels_of(figure: &RgbImage, color: [u8; 3]) -> usize {
        figure.pixels().filter(|p| p.0.iter().zip(color).all(|(a, b)| a.abs_diff(b) < 12)).count()
    }

    #[test]
    fn a_line_leaves_its_colour() {
        let line = Mark::Line { label: "a".into(), points: vec![(0.0, 0.0), (1.0, 1.0)], color: 3 };
        let figure = chart(vec![line]).draw(400, 300).expect("a chart");
        assert!(pixels_of(&figure, PALETTE[3]) > 100);
        assert_eq!(pixels_of(&figure, PALETTE[0]), 0);
    }

    #[test]
    fn a_sharp_peak_ends_where_its_value_is() {
        let points = vec![(0.0, 0.0), (0.5, 1.0), (0.51, 0.0), (1.0, 0.0)];
        let line = Mark::Line { label: String::new(), points, color: 3 };
        let axes = Chart { y_range: Some((-1.0, 2.0)), ..chart(vec![line]) };
        let figure = axes.draw(400, 300).expect("a chart");
        let ink = |p: &Rgb<u8>| p.0.iter().zip(PALETTE[3]).all(|(a, b)| a.abs_diff(b) < 12);
        let rows: Vec<u32> =
            figure.enumerate_pixels().filter(|(_, _, p)| ink(p)).map(|(_, y, _)| y).collect();
        let (top, bottom) = (rows.iter().min().copied(), rows.iter().max().copied());
        // The area between the axes is 300 − 2·12 − 44 pixels high less the title; a third of it is the peak.
        let tall = bottom.unwrap_or(0) - top.unwrap_or(0);
        assert!((60..78).contains(&tall), "from {top:?} to {bottom:?}");
    }

    #[test]
    fn no_points_one_point_and_wild_points_are_drawn_without_complaint() {
        for points in [vec![], vec![(1.0, 1.0)], vec![(f64::NAN, 1.0), (0.0, f64::INFINITY), (1.0, 2.0)]] {
            let marks = vec![Mark::Dots { label: String::new(), points, color: 99 }];
            assert!(chart(marks).draw(1, 1).is_ok());
        }
    }

    #[test]
    fn a_surface_is_dark_where_low() {
        let heat = Mark::Heat(Heat { values: vec![0.0, 1.0], columns: 2 });
        let figure = Chart { x_range: Some((0.0, 2.0)), y_range: Some((0.0, 1.0)), ..chart(vec![heat]) }
            .draw(400, 300)
            .expect("a chart");
        let level = |x| figure.get_pixel(x, 150).0.iter().map(|&v| u32::from(v)).sum::<u32>();
        assert!(level(150) < level(350));
    }

    /// Where the colour is: the columns and rows of its pixels.
    fn places(figure: &RgbImage, color: [u8; 3]) -> Vec<(u32, u32)> {
        figure.enumerate_pixels().filter(|(_, _, p)| p.0 == color).map(|(x, y, _)| (x, y)).collect()
    }

    #[test]
    fn a_legend_hides_no_point() {
        // Dots in all corners and along the edges, with and without a name.
        let points: Vec<(f64, f64)> = (0..=10)
            .flat_map(|i| [(i, 0), (i, 10), (0, i), (10, i)])
            .map(|(x, y)| (f64::from(x), f64::from(y)))
            .collect();
        let of = |label: &str| {
            let dots = Mark::Dots { label: label.into(), points: points.clone(), color: 3 };
            chart(vec![dots]).draw(500, 400).expect("a chart")
        };
        let (without, with) = (places(&of(""), PALETTE[3]), places(&of("a name"), PALETTE[3]));
        // As many as without a legend, and the dot beside the name.
        let dot = without.len() / 40;
        assert!(
            (without.len()..=without.len() + 2 * dot).contains(&with.len()),
            "{} {}",
            without.len(),
            with.len()
        );
        assert!(with.len() > without.len());
        let lowest = with.iter().map(|p| p.1).max().unwrap_or(0);
        assert!((360..400).contains(&lowest), "the name stands below the axes: {lowest}");
    }

    #[test]
    fn a_legend_names_only_what_is_seen() {
        let dots = |y: f64| Mark::Dots { label: "dots".into(), points: vec![(0.5, y)], color: 3 };
        let draw = |mark| {
            let axes = Chart { x_range: Some((0.0, 1.0)), y_range: Some((0.0, 1.0)), ..chart(vec![mark]) };
            axes.draw(400, 300).expect("a chart")
        };
        assert!(!places(&draw(dots(0.5)), PALETTE[3]).is_empty());
        let outside = draw(dots(2.0));
        let nameless = draw(Mark::Dots { label: String::new(), points: vec![], color: 3 });
        assert!(outside == nameless, "a dot beyond the axes is neither drawn nor named");
    }

    #[test]
    fn strokes_end_where_the_axes_do() {
        let ends = Ends { x: (0.0, 1.0), y: (0.0, 1.0) };
        let cases = [
            ([(0.2, 0.2), (0.8, 0.4)], Some([(0.2, 0.2), (0.8, 0.4)])),
            ([(-1.0, 0.0), (1.0, 2.0)], Some([(0.0, 1.0), (0.0, 1.0)])),
            ([(-1.0, 0.5), (3.0, 0.5)], Some([(0.0, 0.5), (1.0, 0.5)])),
            ([(0.5, -1.0), (0.5, 0.25)], Some([(0.5, 0.0), (0.5, 0.25)])),
            ([(0.5, 2.0), (0.5, 3.0)], None),
            ([(-0.5, 0.9), (0.5, 1.9)], None),
            ([(2.0, 0.5), (2.0, 0.6)], None),
        ];
        for ([from, to], expected) in cases {
            assert_eq!(ends.inside(from, to), expected, "{from:?} to {to:?}");
        }
    }

    #[test]
    fn ticks_are_short() {
        let cases = [(0.0, "0"), (-0.0, "0"), (0.5, "0.5"), (20.0, "20"), (1e-5, "1e-5"), (2e6, "2e6")];
        for (value, text) in cases {
            assert_eq!(short(&value), text);
        }
    }
}
