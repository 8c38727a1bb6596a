//! Minimising a smooth function by L-BFGS (Nocedal, 1980; Nocedal and Wright, *Numerical Optimization*, algorithm 7.5).

use std::collections::VecDeque;

/// Steps that are remembered.
const MEMORY: usize = 12;
/// A step must lower the function by this share of what its slope promises (Armijo).
const DECREASE: f64 = 1e-4;
/// Behind a step the slope must have fallen to this share (weak Wolfe condition).
const CURVATURE: f64 = 0.9;
/// Values are computed from numbers in f32: differences below this share of them say nothing.
const NOISE: f64 = 1e-8;
/// Tries of one line search.
const TRIES: usize = 20;

/// A minimisation on its way. It asks for the function's value and gradient at [`Lbfgs::point`] and is told by
/// [`Lbfgs::tell`]; so several can be computed in one pass over the data.
pub(super) struct Lbfgs {
    /// The best point so far with its value and gradient.
    x: Vec<f64>,
    value: f64,
    gradient: Vec<f64>,
    /// Where the function is asked for.
    trial: Vec<f64>,
    direction: Vec<f64>,
    slope: f64,
    /// The line search: this step, one that is too short, one that is too long.
    step: f64,
    short: f64,
    long: f64,
    tries: usize,
    /// Differences of points and of gradients, and `1 / sᵀy`.
    memory: VecDeque<(Vec<f64>, Vec<f64>, f64)>,
    /// The inverse of the function's curvature where nothing is known of it yet.
    scale: f64,
    tolerance: f64,
    begun: bool,
    done: bool,
    /// Steps in a row that lowered the function by no more than noise.
    idle: usize,
    /// How often the function was asked for.
    pub evaluations: usize,
}

impl Lbfgs {
    /// Begins at `x` and ends where no number of the gradient is greater than `tolerance`. `scale` is about the inverse of
    /// the curvature.
    pub fn new(x: Vec<f64>, scale: f64, tolerance: f64) -> Self {
        let gradient = vec![0.0; x.len()];
        Self {
            trial: x.clone(),
            direction: gradient.clone(),
            gradient,
            x,
            value: f64::INFINITY,
            slope: 0.0,
            step: 1.0,
            short: 0.0,
            long: f64::INFINITY,
            tries: 0,
            memory: VecDeque::new(),
            scale,
            tolerance,
            begun: false,
            done: false,
            idle: 0,
            evaluations: 0,
        }
    }

    /// Where the function is asked for; `None` at the end.
    pub fn point(&self) -> Option<&[f64]> {
        (!self.done).then_some(&self.trial[..])
    }

    /// The best point.
    pub fn best(&self) -> &[f64] {
        &self.x
    }

    /// Goes on from the best point with a function that has `change/2 · ‖x‖²` more over the first `penalised` numbers:
    /// what is known of its curvature stays true but for that.
    pub fn go_on(&mut self, change: f64, penalised: usize) {
        for (s, y, rho) in &mut self.memory {
            y.iter_mut().zip(&*s).take(penalised).for_each(|(y, s)| *y += change * s);
            *rho = 1.0 / dot(s, y);
        }
        self.memory.retain(|(_, _, rho)| rho.is_finite() && *rho > 0.0);
        self.trial.clone_from(&self.x);
        (self.begun, self.done, self.idle) = (false, false, 0);
    }

    /// Tells the function's value and gradient at [`Lbfgs::point`].
    pub fn tell(&mut self, value: f64, gradient: Vec<f64>) {
        self.evaluations += 1;
        if !self.begun {
            self.begun = true;
            (self.value, self.gradient) = (value, gradient);
            return self.begin_step();
        }
        self.tries += 1;
        let slope = dot(&gradient, &self.direction);
        let slack = NOISE * self.value.abs().max(1e-3);
        if !value.is_finite() || value > self.value + DECREASE * self.step * self.slope + slack {
            self.long = self.step;
        } else if slope < CURVATURE * self.slope {
            self.short = self.step;
        } else {
            return self.take_step(value, gradient);
        }
        if self.tries >= TRIES {
            // What is left is noise.
            self.done = true;
            return;
        }
        self.step = match self.long.is_finite() {
            true => 0.5 * (self.short + self.long),
            false => 2.0 * self.step,
        };
        self.move_trial();
    }

    fn take_step(&mut self, value: f64, gradient: Vec<f64>) {
        // The oldest pair makes room for the newest.
        let oldest = if self.memory.len() == MEMORY { self.memory.pop_front() } else { None };
        let (mut s, mut y, _) = oldest.unwrap_or_default();
        difference(&self.trial, &self.x, &mut s);
        difference(&gradient, &self.gradient, &mut y);
        let (sy, yy) = (dot(&s, &y), dot(&y, &y));
        if sy > 1e-12 * yy {
            self.scale = sy / yy;
            self.memory.push_back((s, y, 1.0 / sy));
        }
        let gained = self.value - value;
        self.idle = if gained > NOISE * value.abs().max(1e-3) { 0 } else { self.idle + 1 };
        self.x.clone_from(&self.trial);
        (self.value, self.gradient) = (value, gradient);
        self.begin_step();
    }

    fn begin_step(&mut self) {
        let largest = self.gradient.iter().fold(0.0f64, |largest, g| largest.max(g.abs()));
        if largest <= self.tolerance || !largest.is_finite() || self.idle >= 4 {
            self.done = true;
            return;
        }
        self.direction();
        self.slope = dot(&self.gradient, &self.direction);
        if self.slope >= 0.0 {
            // Only rounding makes a direction that doesn't descend: begin anew.
            self.memory.clear();
            self.direction();
            self.slope = dot(&self.gradient, &self.direction);
        }
        (self.step, self.short, self.long, self.tries) = (1.0, 0.0, f64::INFINITY, 0);
        self.move_trial();
    }

    /// The two-loop recursion.
    fn direction(&mut self) {
        let d = &mut self.direction;
        d.iter_mut().zip(&self.gradient).for_each(|(d, g)| *d = -g);
        let mut shares = Vec::with_capacity(self.memory.len());
        for (s, y, rho) in self.memory.iter().rev() {
            let share = rho * dot(s, d);
            d.iter_mut().zip(y).for_each(|(d, y)| *d -= share * y);
            shares.push(share);
        }
        d.iter_mut().for_each(|d| *d *= self.scale);
        for ((s, y, rho), share) in self.memory.iter().zip(shares.into_iter().rev()) {
            let back = share - rho * dot(y, d);
            d.iter_mut().zip(s).for_each(|(d, s)| *d += back * s);
        }
    }

    fn move_trial(&mut self) {
        for ((trial, x), d) in self.trial.iter_mut().zip(&self.x).zip(&self.direction) {
            *trial = x + self.step * d;
        }
    }
}

fn difference(a: &[f64], b: &[f64], into: &mut Vec<f64>) {
    into.clear();
    into.extend(a.iter().zip(b).map(|(a, b)| a - b));
}

/// Sixteen sums side by side, which the compiler computes in vectors.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 16];
    let (a, a_rest) = a.as_chunks::<16>();
    let (b, b_rest) = b.as_chunks::<16>();
    for (a, b) in a.iter().zip(b) {
        for lane in 0..16 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum::<f64>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quadratic_of_unlike_curvatures_ends_at_its_minimum() {
        // Σ cᵢ (xᵢ − i)² with curvatures from 2 to 2000.
        let curvature = |i: usize| 10f64.powf(i as f64 / 10.0);
        let mut search = Lbfgs::new(vec![0.0; 31], 0.1, 1e-8);
        while let Some(x) = search.point() {
            let off: Vec<f64> = x.iter().enumerate().map(|(i, x)| x - i as f64).collect();
            let value = off.iter().enumerate().map(|(i, d)| curvature(i) * d * d).sum();
            let gradient = off.iter().enumerate().map(|(i, d)| 2.0 * curvature(i) * d).collect();
            search.tell(value, gradient);
            assert!(search.evaluations < 300);
        }
        for (i, &x) in search.best().iter().enumerate() {
            assert!((x - i as f64).abs() < 1e-4, "{i}: {x}");
        }
    }

    #[test]
    fn numbers_that_are_not_finite_end_it_where_it_was() {
        let mut search = Lbfgs::new(vec![1.0], 1.0, 1e-8);
        search.tell(1.0, vec![1.0]);
        while search.point().is_some() {
            search.tell(f64::NAN, vec![f64::NAN]);
        }
        assert_eq!(search.best(), [1.0]);
    }
}
