//! What a network has learned and what it makes of a picture, as figures.

use crate::{Error, Network, closest};
use eyespot_cpu::Cpu;
use eyespot_figure::{Cell, Chart, Grid, Mark, Size, below, beside, draw_text, grey, signed};
use eyespot_graph::{Device, Node, NodeId, Op, Shape};
use eyespot_system::printable;
use image::{Rgb, RgbImage, imageops};
use std::collections::BTreeSet;

/// Pictures in a row, rows, and pixels of a picture's side.
const COLUMNS: usize = 8;
const SHOWN: usize = COLUMNS * COLUMNS;
const CELL: u32 = 104;

/// Pixels across a figure.
const WIDTH: u32 = 10 + COLUMNS as u32 * (CELL + 10);

const WHITE: Rgb<u8> = Rgb([255; 3]);

/// Layers that an error lists.
const LISTED: usize = 12;

impl Network {
    /// The filters of a layer as a figure: of a convolution its kernels, of a linear layer its weights.
    ///
    /// Filters over a colour picture are drawn in colour around grey, each scaled to its largest weight; others blue
    /// below 0, white at 0, red above. Of filters over many channels the first channels are drawn, of very many
    /// filters the first 64; the title tells how many there are. The weights of a linear layer over a vector are a table,
    /// which takes several figures where it has very many rows.
    ///
    /// # Errors
    /// A layer that doesn't exist, with the name that was probably meant, or that has no filters.
    pub fn filters_figure(&self, layer: &str) -> Result<Vec<RgbImage>, Error> {
        let node = self.layer_with_filters(layer)?;
        let name = &node.name;
        let weight = self.params.get(&format!("{name}.weight"));
        let Some(weight) = weight.map(|w| w.as_standard_layout().into_owned()) else {
            return Err(Error::Usage(format!("the weights of `{name}` are missing")));
        };
        let values = weight.as_slice().unwrap_or_default();
        let filters = weight.shape()[0];
        let input = self.graph.node(node.inputs[0]);
        let (channels, height, width) = match (&node.op, &input.op) {
            (Op::Linear(_), Op::Flatten) => self.graph.node(input.inputs[0]).shape.chw(),
            (Op::Linear(linear), _) => (linear.in_features, 1, 1),
            _ => (weight.shape()[1], weight.shape()[2], weight.shape()[3]),
        };
        let kernel = |filter: usize, channel: usize| {
            let size = height * width;
            &values[(filter * channels + channel) * size..][..size]
        };
        let number = |n: usize| n.to_string();
        let how = format!("{filters} filters of {channels}×{height}×{width}");
        if height * width == 1 {
            return Ok(matrix(&format!("{name}: {how}, a row each"), &signed(values, channels, filters)));
        }
        let mut cells = Vec::new();
        let title = if channels == 3 && self.transform.channels() == 3 {
            let color = |f| colored([kernel(f, 0), kernel(f, 1), kernel(f, 2)], width, height);
            cells.extend((0..filters.min(SHOWN)).map(|f| Cell::new(color(f), number(f))));
            format!("{name}: {how}{}, 0 is grey", first(cells.len(), filters))
        } else if channels == 1 {
            let one = |f| Cell::new(signed(kernel(f, 0), width, height), number(f));
            cells.extend((0..filters.min(SHOWN)).map(one));
            format!("{name}: {how}{}, 0 is white", first(cells.len(), filters))
        } else {
            let over = channels.min(COLUMNS);
            for filter in 0..filters.min(COLUMNS) {
                let one =
                    |c| Cell::new(signed(kernel(filter, c), width, height), format!("{filter} over {c}"));
                cells.extend((0..over).map(one));
            }
            let rows = filters.min(COLUMNS);
            format!("{name}: {how}, the first {rows} over the first {over} channels, 0 is white")
        };
        let columns = if channels > 3 { channels.min(COLUMNS) } else { COLUMNS };
        Ok(vec![Grid { title, columns, cell: CELL, sharp: true }.draw(&cells)])
    }

    /// What a layer makes of a picture, as a figure: the picture as the network sees it, then the layer's maps, each from
    /// its smallest value (black) to its largest (white), which stand below it. Of more than 64 maps those 63 with the
    /// most contrast are drawn. A vector is drawn as a curve.
    ///
    /// `layer` is a layer's name, or the beginning of some: `layer1` means the last layer of that stage.
    ///
    /// # Errors
    /// A layer that doesn't exist, with the name that was probably meant; a model that sees no pictures.
    pub fn maps_figure(&self, layer: &str, picture: &RgbImage) -> Result<RgbImage, Error> {
        if let Some(features) = &self.transform.features {
            let text =
                format!("this model is shown features ({features}), not pictures, and has no maps of them");
            return Err(Error::Usage(text));
        }
        let id = self.layer(layer)?;
        let node = self.graph.node(id);
        let mut input = vec![0.0; self.transform.len()];
        self.transform.apply(picture, &mut input).map_err(|e| Error::Picture(e.to_string()))?;
        let graph = self.graph.up_to(id)?;
        let mut program = Cpu::new(0).inference(&graph, &self.params, 1)?;
        let values = program.run(&input, 1)?;
        let seen = Cell::new(self.seen(&input), "the picture");
        let (channels, height, width) = node.shape.chw();
        if height * width == 1 {
            return curve(&node.name, values, seen.picture);
        }
        let maps: Vec<Vec<f32>> =
            (0..channels).map(|c| values.iter().skip(c).step_by(channels).copied().collect()).collect();
        // One cell is the picture's.
        let chosen = most_contrast(&maps, if channels <= SHOWN { channels } else { SHOWN - 1 });
        let which = if chosen.len() < channels {
            format!(", the {} of most contrast", chosen.len())
        } else {
            String::new()
        };
        let title = format!("{}: {channels} maps of {height}×{width}{which}", node.name);
        let mut cells = vec![seen];
        cells.extend(chosen.into_iter().map(|c| {
            let (low, high) = ends(&maps[c]);
            let caption = vec![c.to_string(), format!("{}..{}", short(low), short(high))];
            Cell { picture: grey(&maps[c], width, height), caption, frame: None }
        }));
        let sharp = height.max(width) < CELL as usize;
        Ok(Grid { title, columns: COLUMNS, cell: CELL, sharp }.draw(&cells))
    }

    /// Filters, then maps of a picture, one figure below the other, on as many pages as it takes: none is taller than
    /// twice its width.
    ///
    /// # Errors
    /// As [`Network::filters_figure`] and [`Network::maps_figure`].
    pub fn figure(
        &self,
        filters: &[String],
        maps: &[String],
        picture: Option<&RgbImage>,
    ) -> Result<Vec<RgbImage>, Error> {
        let mut parts = Vec::new();
        for layer in filters {
            parts.extend(self.filters_figure(layer)?);
        }
        for layer in maps {
            let Some(picture) = picture else {
                return Err(Error::Usage("maps are of a picture; name one".to_owned()));
            };
            parts.push(self.maps_figure(layer, picture)?);
        }
        Ok(pages(parts))
    }

    /// The picture as the network gets it, made visible again.
    fn seen(&self, input: &[f32]) -> RgbImage {
        let Self { transform, .. } = self;
        let (height, width) = transform.crop;
        let channels = transform.channels();
        RgbImage::from_fn(width, height, |x, y| {
            let at = (y * width + x) as usize * channels;
            Rgb(std::array::from_fn(|c| {
                let c = c % channels;
                let level = input.get(at + c).copied().unwrap_or(0.0) * transform.std[c] + transform.mean[c];
                (level * 255.0).round().clamp(0.0, 255.0) as u8
            }))
        })
    }

    /// The layer of this name, or the last one whose name begins so.
    fn layer(&self, name: &str) -> Result<NodeId, Error> {
        self.graph.nodes.iter().rposition(|node| is_or_begins(node, name)).map(NodeId).ok_or_else(|| {
            let all = || self.graph.nodes.iter().map(|node| node.name.as_str());
            let beginnings = all().flat_map(|name| {
                name.match_indices('.').map(|(dot, _)| &name[..dot]).chain([name]).collect::<Vec<_>>()
            });
            let known: BTreeSet<&str> = beginnings.collect();
            self.unknown(name, known, &listed(all()))
        })
    }

    fn layer_with_filters(&self, name: &str) -> Result<&Node, Error> {
        let has_filters = |node: &&Node| matches!(node.op, Op::Conv2d(_) | Op::Linear(_));
        let found: Vec<&Node> =
            self.graph.nodes.iter().filter(has_filters).filter(|node| is_or_begins(node, name)).collect();
        let all = || self.graph.nodes.iter().filter(has_filters).map(|node| node.name.as_str());
        match found[..] {
            [node] => Ok(node),
            [] if self.graph.nodes.iter().any(|node| is_or_begins(node, name)) => {
                Err(Error::Usage(format!("`{name}` has no filters; these layers have: {}", listed(all()))))
            }
            [] => Err(self.unknown(name, all(), &listed(all()))),
            ref several => Err(Error::Usage(format!(
                "`{name}` has {} layers with filters; name one of them: {}",
                several.len(),
                listed(several.iter().map(|node| node.name.as_str()))
            ))),
        }
    }

    fn unknown<'a>(&self, name: &str, known: impl IntoIterator<Item = &'a str>, all: &str) -> Error {
        let hint = match closest(name, known) {
            Some(known) => format!("did you mean `{known}`?"),
            None => format!("it has {all}"),
        };
        Error::Usage(format!("{} has no layer `{}`; {hint}", printable(&self.graph.name), printable(name)))
    }
}

fn is_or_begins(node: &Node, name: &str) -> bool {
    node.name.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    let more = if names.len() > LISTED { ", … (`eyespot inspect` lists all)" } else { "" };
    names[..names.len().min(LISTED)].join(", ") + more
}

fn first(shown: usize, all: usize) -> String {
    if shown < all { format!(", the first {shown}") } else { String::new() }
}

/// Figures one below the other, a new page wherever one would become taller than twice its width.
fn pages(parts: Vec<RgbImage>) -> Vec<RgbImage> {
    let mut pages: Vec<Vec<RgbImage>> = Vec::new();
    let (mut width, mut height) = (0, 0);
    for part in parts {
        let (w, h) = (width.max(part.width()), height + part.height());
        match pages.last_mut() {
            Some(page) if h <= 2 * w => {
                page.push(part);
                (width, height) = (w, h);
            }
            _ => {
                (width, height) = part.dimensions();
                pages.push(vec![part]);
            }
        }
    }
    pages.iter().map(|parts| wide_enough(below(parts))).collect()
}

/// A figure with white at its right where it would be taller than twice its width.
fn wide_enough(figure: RgbImage) -> RgbImage {
    let least = figure.height().div_ceil(2);
    if figure.width() >= least {
        return figure;
    }
    let mut wide = RgbImage::from_pixel(least, figure.height(), WHITE);
    imageops::replace(&mut wide, &figure, 0, 0);
    wide
}

/// A table of weights, enlarged as far as it fits, under a title; cut between rows into figures no taller than twice
/// their width.
fn matrix(title: &str, weights: &RgbImage) -> Vec<RgbImage> {
    /// Pixels above and below the table.
    const AROUND: u32 = 50;
    let (columns, rows) = weights.dimensions();
    let times = ((WIDTH - 20) / columns.max(1)).clamp(1, 16);
    let width = WIDTH.max(columns * times + 20);
    let most = (2 * width - AROUND) / times;
    let mut figures = Vec::new();
    for from in (0..rows).step_by(most as usize) {
        let count = most.min(rows - from);
        let table = imageops::crop_imm(weights, 0, from, columns, count).to_image();
        let large = imageops::resize(&table, columns * times, count * times, imageops::FilterType::Nearest);
        let which =
            if count < rows { format!(", rows {from} to {}", from + count - 1) } else { String::new() };
        let mut figure = RgbImage::from_pixel(width, count * times + AROUND, WHITE);
        draw_text(&mut figure, 10, 10, &format!("{title}{which}, 0 is white"), Size::Large, Rgb([30; 3]));
        imageops::overlay(&mut figure, &large, 10, 40);
        figures.push(figure);
    }
    figures
}

/// Three channels as a colour picture: 0 is grey, the largest weight full.
fn colored(channels: [&[f32]; 3], width: usize, height: usize) -> RgbImage {
    let largest = channels.iter().flat_map(|c| c.iter()).fold(1e-12f32, |m, v| m.max(v.abs()));
    RgbImage::from_fn(width as u32, height as u32, |x, y| {
        let at = y as usize * width + x as usize;
        Rgb(channels.map(|c| (127.5 + 127.5 * c[at] / largest).round() as u8))
    })
}

/// The `most` maps whose values vary most, in their order.
fn most_contrast(maps: &[Vec<f32>], most: usize) -> Vec<usize> {
    let contrast = |map: &[f32]| {
        let n = map.len().max(1) as f32;
        let mean = map.iter().sum::<f32>() / n;
        map.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / n
    };
    let contrasts: Vec<f32> = maps.iter().map(|map| contrast(map)).collect();
    let mut order: Vec<usize> = (0..maps.len()).collect();
    order.sort_by(|&a, &b| contrasts[b].total_cmp(&contrasts[a]));
    order.truncate(most);
    order.sort_unstable();
    order
}

fn ends(map: &[f32]) -> (f32, f32) {
    map.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), &v| (low.min(v), high.max(v)))
}

/// A number in at most five characters, as long as it isn't huge.
fn short(value: f32) -> String {
    let text = if value.abs() < 10.0 { format!("{value:.1}") } else { format!("{value:.0}") };
    if text == "-0.0" || text == "0.0" { "0".to_owned() } else { text }
}

/// A vector as a curve beside the picture.
fn curve(name: &str, values: &[f32], picture: RgbImage) -> Result<RgbImage, Error> {
    let points = values.iter().enumerate().map(|(i, &v)| (i as f64, f64::from(v))).collect();
    let chart = Chart {
        title: format!("{name}: {}", Shape::Vector(values.len())) + " numbers",
        x_label: "number".to_owned(),
        y_label: "value".to_owned(),
        x_range: None,
        y_range: None,
        marks: vec![Mark::Line { label: String::new(), points, color: 0 }],
    };
    let seen = Grid { title: String::new(), columns: 1, cell: 2 * CELL, sharp: false };
    Ok(beside(&[seen.draw(&[Cell::new(picture, "the picture")]), chart.draw(WIDTH - 2 * CELL - 20, 300)?]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use eyespot_data::Transform;
    use eyespot_graph::ops::Conv2d;
    use eyespot_graph::{Builder, Params, Tensor};

    /// One convolution of a grey picture of 4 × 4 pixels: filter 0 leaves it, filter 1 gives its negative, and so on.
    fn network(filters: usize) -> Network {
        let mut b = Builder::new("tiny", Shape::map(1, 4, 4));
        let x = b.input();
        b.conv2d("conv", x, Conv2d::new(1, filters, 3).padding(1).no_bias());
        let graph = b.finish().expect("fits");
        let weight = |i: usize| if i % 9 == 4 { 1.0 - 2.0 * (i / 9 % 2) as f32 } else { 0.0 };
        let weight = Tensor::from_shape_vec(&[filters, 1, 3, 3][..], (0..filters * 9).map(weight).collect());
        let mut params = Params::new();
        params.insert("conv.weight".to_owned(), weight.expect("fits"));
        Network { graph, params, transform: Transform::unscaled(4, 4, 1), notices: Vec::new() }
    }

    /// Where cell `index` begins.
    fn cell(index: u32, lines: u32) -> (u32, u32) {
        (10 + index % 8 * 114, 40 + index / 8 * (104 + 16 * lines + 10))
    }

    #[test]
    fn maps_show_what_the_layer_computes() {
        let left_white = RgbImage::from_fn(4, 4, |x, _| Rgb([if x < 2 { 255 } else { 0 }; 3]));
        let figure = network(2).maps_figure("conv", &left_white).expect("a figure");
        for (index, left, right) in [(0, 255, 0), (1, 255, 0), (2, 0, 255)] {
            let (x, y) = cell(index, 2);
            assert_eq!(figure.get_pixel(x + 13, y + 50).0, [left; 3], "cell {index}");
            assert_eq!(figure.get_pixel(x + 91, y + 50).0, [right; 3], "cell {index}");
        }
    }

    #[test]
    fn filters_are_red_above_zero_and_blue_below() {
        let figure = network(2).filters_figure("conv").expect("a figure").remove(0);
        for (index, centre) in [(0, [255, 0, 0]), (1, [0, 0, 255])] {
            let (x, y) = cell(index, 1);
            assert_eq!(figure.get_pixel(x + 52, y + 52).0, centre);
            assert_eq!(figure.get_pixel(x + 10, y + 10).0, [255; 3]);
        }
    }

    #[test]
    fn of_very_many_a_sensible_number_is_shown() {
        let picture = RgbImage::new(4, 4);
        let network = network(500);
        let maps = network.maps_figure("conv", &picture).expect("a figure");
        assert_eq!((maps.width(), maps.height()), (922, 40 + 8 * 146));
        let filters = network.filters_figure("conv").expect("a figure").remove(0);
        assert_eq!((filters.width(), filters.height()), (922, 40 + 8 * 130));
    }

    #[test]
    fn pages_are_at_most_twice_as_tall_as_wide_and_hold_everything() {
        let colors: Vec<Rgb<u8>> = (0..40).map(|i| Rgb([i, 100, 200])).collect();
        // Low and tall ones, narrow and wide ones, and one that is too tall by itself.
        let size = |i: usize| [(900, 300), (900, 1400), (100, 150), (50, 700), (1200, 20)][i % 5];
        let parts: Vec<RgbImage> = colors
            .iter()
            .enumerate()
            .map(|(i, &color)| RgbImage::from_pixel(size(i).0, size(i).1, color))
            .collect();
        let pages = pages(parts);
        assert!(pages.iter().all(|page| page.height() <= 2 * page.width()));
        for (i, color) in colors.iter().enumerate() {
            let seen: usize =
                pages.iter().map(|page| page.pixels().filter(|pixel| *pixel == color).count()).sum();
            assert_eq!(seen as u32, size(i).0 * size(i).1, "part {i}");
        }
        assert!(pages.len() < 30, "{} pages", pages.len());
        assert!(super::pages(Vec::new()).is_empty());
    }

    #[test]
    fn a_tall_table_is_cut_between_rows() {
        // A row of its own colour each.
        let color = |y: u32| Rgb([(y % 251) as u8, (y / 251) as u8, 77]);
        for (columns, rows) in [(20, 3000), (2000, 9000), (3, 5)] {
            let table = RgbImage::from_fn(columns, rows, |_, y| color(y));
            let figures = matrix("rows", &table);
            assert!(figures.iter().all(|figure| figure.height() <= 2 * figure.width()));
            let times = ((WIDTH - 20) / columns).clamp(1, 16);
            let column: Vec<Rgb<u8>> = figures
                .iter()
                .flat_map(|figure| (40..figure.height() - 10).map(|y| *figure.get_pixel(10, y)))
                .collect();
            assert_eq!(column.len() as u32, rows * times);
            assert!(column.iter().enumerate().all(|(y, pixel)| *pixel == color(y as u32 / times)));
        }
    }

    #[test]
    fn the_most_varied_maps_are_chosen_in_their_order() {
        let maps = [vec![0.0, 1.0], vec![5.0, 5.0], vec![-9.0, 9.0], vec![0.0, 2.0]];
        assert_eq!(most_contrast(&maps, 2), [2, 3]);
        assert_eq!([short(0.04), short(-0.04), short(-1.26), short(123.4)], ["0", "0", "-1.3", "123"]);
    }
}
