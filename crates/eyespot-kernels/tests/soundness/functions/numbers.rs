//! Functions of single numbers, which know their sizes from the slices alone.

use super::{Function, constant, threads};
use crate::fence::Fenced;
use crate::size::Size;
use eyespot_kernels::dropout::Dropout;
use eyespot_kernels::optimizer::{self, Adam, Sgd, Step};
use eyespot_kernels::pointwise::{self, Pointwise};

const DROPOUT: Dropout = Dropout { p: 0.5, seed: 1, step: 2, layer: 3 };
const STEP: Step =
    Step { learning_rate: 0.1, weight_decay: 0.1, gradient_scale: 1.0, step: 1, ema_decay: 0.9 };

fn function(
    name: &'static str,
    needs: fn(&[Size]) -> Vec<Size>,
    call: fn(&[usize], &mut [Fenced]),
) -> Function {
    Function { name, variant: "", sizes: &[], memory: &[], needs, call }
}

pub fn functions() -> Vec<Function> {
    fn one(_: &[Size]) -> Vec<Size> {
        constant(&[50])
    }
    fn two(_: &[Size]) -> Vec<Size> {
        constant(&[50; 2])
    }
    fn three(_: &[Size]) -> Vec<Size> {
        constant(&[50; 3])
    }
    vec![
        function("pointwise.rs::forward", two, |_, slices| {
            let [x, y] = slices else { unreachable!() };
            pointwise::forward(threads(), Pointwise::Tanh, x, y);
        }),
        function("pointwise.rs::backward", three, |_, slices| {
            let [y, dy, dx] = slices else { unreachable!() };
            pointwise::backward(threads(), Pointwise::Relu, y, dy, dx);
        }),
        function("pointwise.rs::backward_in_place", two, |_, slices| {
            let [y, d] = slices else { unreachable!() };
            pointwise::backward_in_place(threads(), Pointwise::Relu, y, d);
        }),
        function("pointwise.rs::add", three, |_, slices| {
            let [a, b, y] = slices else { unreachable!() };
            pointwise::add(threads(), a, b, y);
        }),
        function("pointwise.rs::add_to", two, |_, slices| {
            let [x, sum] = slices else { unreachable!() };
            pointwise::add_to(threads(), x, sum);
        }),
        function("dropout.rs::apply", two, |_, slices| {
            let [x, y] = slices else { unreachable!() };
            DROPOUT.apply(threads(), x, y);
        }),
        // A single slice has no wrong length; only how it is left is looked at.
        function("pointwise.rs::forward_in_place", one, |_, slices| {
            pointwise::forward_in_place(threads(), Pointwise::Sgn, &mut slices[0]);
            assert!(slices[0].len() == 50 && slices[0].iter().all(|&x| x == 1.0));
        }),
        function("dropout.rs::apply_in_place", one, |_, slices| {
            Dropout { p: 1.0, ..DROPOUT }.apply_in_place(threads(), &mut slices[0]);
            assert!(slices[0].len() == 50 && slices[0].iter().all(|&x| x == 0.0));
        }),
        function("optimizer.rs::squared_norm", one, |_, slices| {
            assert_eq!(optimizer::squared_norm(threads(), &slices[0]), 12.5);
        }),
        function(
            "optimizer.rs::sgd",
            |_| constant(&[50; 4]),
            |_, slices| {
                let [gradient, weights, velocity, average] = slices else { unreachable!() };
                let rule = Sgd { momentum: 0.9, nesterov: true };
                optimizer::sgd(threads(), rule, STEP, gradient, weights, velocity, average);
            },
        ),
        function(
            "optimizer.rs::adam",
            |_| constant(&[50; 5]),
            |_, slices| {
                let [gradient, weights, mean, square, average] = slices else { unreachable!() };
                let rule = Adam { beta1: 0.9, beta2: 0.999, eps: 1e-8, decoupled: true };
                optimizer::adam(threads(), rule, STEP, gradient, weights, mean, square, average);
            },
        ),
    ]
}
