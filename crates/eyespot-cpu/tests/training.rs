//! Training programs of the CPU: the tests of any device, and what is its own.

use eyespot_cpu::Cpu;
use eyespot_graph::ops::MaxPool2d;
use eyespot_graph::{Builder, DeviceError, Op, Shape, initialise};
use eyespot_testing::{curves, training};

#[test]
fn random_graphs() {
    training::random_graphs(&Cpu::new(2), 60);
}

#[test]
fn every_operator() {
    training::every_operator(&Cpu::new(2));
}

#[test]
fn products() {
    training::products(&Cpu::new(2));
}

#[test]
fn residual_blocks() {
    training::residual_blocks(&Cpu::new(2));
}

#[test]
fn running_statistics_reach_inference() {
    training::running_statistics_reach_inference(&Cpu::new(2));
}

#[test]
fn dropout_has_one_mask_for_both_passes() {
    training::dropout_has_one_mask_for_both_passes(&Cpu::new(2));
}

#[test]
fn a_step_of_gradient_descent() {
    training::a_step_of_gradient_descent(&Cpu::new(2));
}

#[test]
fn wrong_calls_are_errors() {
    training::wrong_calls_are_errors(&Cpu::new(2));
}

#[test]
fn same_bits_for_any_number_of_threads_and_after_a_resume() {
    let [one, two, three] = [1, 2, 3].map(Cpu::new);
    let first = training::same_bits_after_a_resume([&one, &two]);
    assert_eq!(first, training::same_bits_after_a_resume([&three, &one]));
}

#[test]
fn training_follows_pytorch() {
    curves::training_follows_pytorch(&Cpu::new(2));
}

#[test]
fn the_number_of_threads_changes_no_bit_of_a_run() {
    let [one, two, three] = [1, 2, 3].map(|threads| curves::trained_weights(&Cpu::new(threads)));
    assert!(one == two && one == three);
}

/// What has no gradient here is refused when the program is compiled, by the layer's name; inference takes it.
#[test]
fn layers_that_can_not_be_trained_are_named() {
    let mut b = Builder::new("window", Shape::map(1, 257, 257));
    let x = b.input();
    let wide = Op::MaxPool2d(MaxPool2d::new(257, 1));
    b.add_op("wide", wide, &[x]);
    let window = b.finish().unwrap();
    let mut b = Builder::new("slope", Shape::Vector(3));
    let x = b.input();
    b.add_op("falling", Op::LeakyRelu { slope: -0.5 }, &[x]);
    let slope = b.finish().unwrap();
    let cpu = Cpu::new(1);
    for (graph, name) in [(&window, "wide"), (&slope, "falling")] {
        let params = initialise(graph, 0);
        let refused = cpu.compile_training(graph, &params, 1, 0).unwrap_err();
        assert!(matches!(refused, DeviceError::Unsupported { ref node, .. } if node == name), "{refused}");
        assert!(cpu.compile_inference(graph, &params, 1).is_ok());
    }
}
