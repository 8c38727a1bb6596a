//! The four subjects, drawn in a square from −1 to 1 with the y axis downwards.

use super::Dice;
use tiny_skia::{Color, FillRule, Paint, Path, PathBuilder, Pixmap, Rect, Stroke, Transform};

/// Where a subject is drawn and how much individuals differ.
pub(super) struct Brush<'a> {
    pub canvas: &'a mut Pixmap,
    pub place: Transform,
}

impl Brush<'_> {
    pub fn fill(&mut self, path: Option<Path>, color: Color) {
        let Some(path) = path else { return };
        self.canvas.fill_path(&path, &paint(color), FillRule::Winding, self.place, None);
    }

    pub fn line(&mut self, path: Option<Path>, width: f32, color: Color) {
        let Some(path) = path else { return };
        let stroke = Stroke { width, line_cap: tiny_skia::LineCap::Round, ..Stroke::default() };
        self.canvas.stroke_path(&path, &paint(color), &stroke, self.place, None);
    }

    pub fn oval(&mut self, x: f32, y: f32, rx: f32, ry: f32, color: Color) {
        self.fill(oval(x, y, rx, ry), color);
    }
}

fn paint(color: Color) -> Paint<'static> {
    let mut paint = Paint { anti_alias: true, ..Paint::default() };
    paint.set_color(color);
    paint
}

fn oval(x: f32, y: f32, rx: f32, ry: f32) -> Option<Path> {
    PathBuilder::from_oval(Rect::from_ltrb(x - rx, y - ry, x + rx, y + ry)?)
}

/// A closed shape through corners, rounded by quadratic curves between the middles of its edges.
fn blob(points: &[(f32, f32)]) -> Option<Path> {
    let mut path = PathBuilder::new();
    let middle = |a: (f32, f32), b: (f32, f32)| ((a.0 + b.0) / 2.0, (a.1 + b.1) / 2.0);
    let last = *points.last()?;
    let start = middle(last, points[0]);
    path.move_to(start.0, start.1);
    for (index, &corner) in points.iter().enumerate() {
        let next = points[(index + 1) % points.len()];
        let end = middle(corner, next);
        path.quad_to(corner.0, corner.1, end.0, end.1);
    }
    path.close();
    path.finish()
}

fn curve(points: [(f32, f32); 3]) -> Option<Path> {
    let mut path = PathBuilder::new();
    path.move_to(points[0].0, points[0].1);
    path.quad_to(points[1].0, points[1].1, points[2].0, points[2].1);
    path.finish()
}

/// A colour from hue (degrees), saturation and value (0 to 1).
pub(super) fn hsv(hue: f32, saturation: f32, value: f32) -> Color {
    let (s, v) = (saturation.clamp(0.0, 1.0), value.clamp(0.0, 1.0));
    let channel = |n: f32| {
        let k = (n + hue.rem_euclid(360.0) / 60.0).rem_euclid(6.0);
        v - v * s * k.min(4.0 - k).clamp(0.0, 1.0)
    };
    Color::from_rgba(channel(5.0), channel(3.0), channel(1.0), 1.0).unwrap_or(Color::BLACK)
}

/// Draws one individual. `strength` (0 to 1) is how far it may be from the typical one.
pub(super) fn draw(kind: usize, brush: &mut Brush, strength: f32, dice: &mut Dice) {
    match kind {
        0 => butterfly(brush, strength, dice),
        1 => fish(brush, strength, dice),
        2 => flower(brush, strength, dice),
        _ => mushroom(brush, strength, dice),
    }
}

fn butterfly(brush: &mut Brush, strength: f32, dice: &mut Dice) {
    let hue = dice.vary(30.0, 180.0, strength);
    let span = dice.vary(0.92, 0.14, strength);
    let tall = dice.vary(0.8, 0.15, strength);
    let spot = dice.vary(0.16, 0.07, strength);
    let wing = hsv(hue, dice.vary(0.8, 0.2, strength), dice.vary(0.9, 0.15, strength));
    let hind = hsv(hue + dice.vary(15.0, 40.0, strength), 0.75, 0.75);
    let (dark, pale) = (hsv(hue, 0.6, 0.2), hsv(hue + 40.0, 0.2, 0.98));
    for side in [-1.0, 1.0] {
        let at = |x: f32, y: f32| (side * x * span, y * tall);
        brush
            .fill(blob(&[at(0.0, -0.1), at(0.35, -1.1), at(1.1, -1.05), at(1.05, -0.1), at(0.5, 0.1)]), wing);
        brush.fill(blob(&[at(0.0, 0.0), at(0.75, -0.05), at(0.9, 0.6), at(0.55, 1.1), at(0.1, 0.6)]), hind);
        // The eyespots that give the project its name.
        let (x, y) = at(0.68, -0.6);
        brush.oval(x, y, spot * 1.3, spot * 1.3, pale);
        brush.oval(x, y, spot, spot, dark);
        brush.oval(x + 0.03, y - 0.03, spot * 0.35, spot * 0.35, pale);
        let (x, y) = at(0.52, 0.5);
        brush.oval(x, y, spot * 0.8, spot * 0.8, dark);
        brush.line(curve([(0.0, -0.4 * tall), (side * 0.08, -0.8 * tall), (side * 0.3, -tall)]), 0.035, dark);
    }
    brush.oval(0.0, 0.05, 0.075, 0.55 * tall, dark);
    brush.oval(0.0, -0.48 * tall, 0.1, 0.1, dark);
}

fn fish(brush: &mut Brush, strength: f32, dice: &mut Dice) {
    let hue = dice.vary(200.0, 180.0, strength);
    let tall = dice.vary(0.5, 0.16, strength);
    let tail = dice.vary(0.45, 0.15, strength);
    let stripes = dice.vary(3.0, 2.4, strength).round() as i32;
    let body = hsv(hue, dice.vary(0.6, 0.35, strength), dice.vary(0.85, 0.15, strength));
    let (fin, dark) = (hsv(hue + dice.vary(20.0, 60.0, strength), 0.8, 0.65), hsv(hue, 0.8, 0.3));
    brush.fill(
        blob(&[
            (0.35, 0.0),
            (0.95, -tail * 1.2),
            (0.98, -tail),
            (0.78, 0.0),
            (0.98, tail),
            (0.95, tail * 1.2),
        ]),
        fin,
    );
    brush.fill(blob(&[(-0.3, -tall * 0.7), (0.1, -tall * 1.7), (0.45, -tall * 1.2), (0.35, -0.1)]), fin);
    brush.fill(
        blob(&[
            (-0.95, 0.05),
            (-0.6, -tall),
            (0.1, -tall * 1.1),
            (0.75, 0.0),
            (0.1, tall * 1.1),
            (-0.6, tall),
        ]),
        body,
    );
    for stripe in 0..stripes {
        let x = -0.25 + 0.22 * stripe as f32;
        let half = tall * 0.62 * (1.0 - 0.25 * stripe as f32 / 3.0);
        brush.line(curve([(x, -half), (x + 0.12, 0.0), (x, half)]), 0.07, dark);
    }
    brush.fill(blob(&[(-0.2, 0.1), (0.15, 0.15), (0.1, 0.45), (-0.05, 0.4)]), fin);
    brush.oval(-0.6, -0.1, 0.1, 0.1, Color::WHITE);
    brush.oval(-0.62, -0.1, 0.055, 0.055, Color::BLACK);
    brush.line(curve([(-0.86, 0.14), (-0.76, 0.2), (-0.68, 0.14)]), 0.035, dark);
}

fn flower(brush: &mut Brush, strength: f32, dice: &mut Dice) {
    let hue = dice.vary(330.0, 180.0, strength);
    let petals = dice.vary(7.0, 3.4, strength).round().max(4.0);
    let reach = dice.vary(0.62, 0.1, strength);
    let width = dice.vary(0.24, 0.08, strength) * 7.0 / petals;
    let turn = dice.around(180.0) * strength;
    let petal = hsv(hue, dice.vary(0.6, 0.35, strength), dice.vary(0.95, 0.1, strength));
    let heart = hsv(dice.vary(48.0, 20.0, strength), 0.85, dice.vary(0.9, 0.3, strength));
    let green = hsv(dice.vary(115.0, 25.0, strength), 0.65, 0.5);
    brush.line(curve([(0.0, -0.2), (0.08, 0.5), (-0.05, 1.0)]), 0.08, green);
    brush.fill(blob(&[(0.02, 0.7), (0.25, 0.35), (0.6, 0.4), (0.3, 0.75)]), green);
    let place = brush.place;
    let middle = place.pre_translate(0.0, -0.25);
    for index in 0..petals as i32 {
        brush.place = middle.pre_rotate(turn + 360.0 * index as f32 / petals);
        brush.fill(
            blob(&[(0.0, 0.0), (-width, -reach * 0.6), (0.0, -reach * 1.25), (width, -reach * 0.6)]),
            petal,
        );
        brush.line(curve([(0.0, -0.15), (0.01, -0.3), (0.0, -reach * 0.8)]), 0.02, hsv(hue, 0.8, 0.6));
    }
    brush.place = middle;
    brush.oval(0.0, 0.0, 0.2, 0.2, heart);
    brush.oval(0.0, 0.0, 0.1, 0.1, hsv(30.0, 0.8, 0.5));
    brush.place = place;
}

fn mushroom(brush: &mut Brush, strength: f32, dice: &mut Dice) {
    let hue = dice.vary(5.0, 180.0, strength);
    let wide = dice.vary(0.85, 0.15, strength);
    let high = dice.vary(0.8, 0.2, strength);
    let stem = dice.vary(0.2, 0.08, strength);
    let dots = dice.vary(6.0, 5.4, strength).round() as usize;
    let cap = hsv(hue, dice.vary(0.85, 0.3, strength), dice.vary(0.8, 0.25, strength));
    let (pale, shade) = (hsv(45.0, dice.vary(0.12, 0.12, strength), 0.95), hsv(40.0, 0.25, 0.75));
    brush.fill(
        blob(&[(-stem, -0.1), (stem, -0.1), (stem * 1.5, 0.95), (0.0, 1.05), (-stem * 1.5, 0.95)]),
        pale,
    );
    brush.fill(blob(&[(-stem * 1.6, 0.2), (stem * 1.6, 0.2), (stem * 1.9, 0.4), (-stem * 1.9, 0.4)]), shade);
    brush.fill(
        blob(&[(-wide, 0.1), (-wide, -high), (0.0, -high * 1.4), (wide, -high), (wide, 0.1), (0.0, 0.0)]),
        cap,
    );
    brush.oval(0.0, 0.02, wide * 0.72, 0.06, shade);
    let places = [(-0.5, -0.25), (0.0, -0.6), (0.45, -0.3), (-0.15, -0.25), (0.25, -0.7), (-0.4, -0.6)];
    let sizes = [0.11, 0.13, 0.12, 0.08, 0.07, 0.08];
    for index in 0..dots.min(places.len()) {
        let (x, y) = places[index];
        brush.oval(x * wide, y * high, sizes[index], sizes[index] * 0.8, pale);
    }
}
