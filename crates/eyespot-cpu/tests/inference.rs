//! Inference programs of the CPU: the tests of any device, and that the number of threads changes no bit.

use eyespot_cpu::Cpu;
use eyespot_graph::{Builder, Inference, Shape, initialise};
use eyespot_testing::{inference, interpreter::numbers, weights};

#[test]
fn random_graphs_on_any_number_of_threads() {
    let [one, two, three] = [1, 2, 3].map(|threads| {
        let scores = inference::random_graphs(&Cpu::new(threads), 150);
        scores.into_iter().map(|row| row.into_iter().map(f32::to_bits).collect()).collect::<Vec<Vec<u32>>>()
    });
    assert!(one == two && one == three);
}

#[test]
fn every_operator_alone() {
    inference::every_operator_alone(&Cpu::new(2));
}

#[test]
fn squeeze_and_excitation() {
    inference::squeeze_and_excitation(&Cpu::new(2));
}

#[test]
fn fusion() {
    inference::fusion(&Cpu::new(2));
}

/// Convolution, batch norm, sum and ReLU are one step; both parts of a concatenation are written in place.
#[test]
fn fusion_leaves_few_steps() {
    let graph = inference::fused();
    let params = weights(&graph, 5);
    let mut program = Cpu::new(1).compile_inference(&graph, &params, 1).unwrap();
    let steps = program.profile(&numbers(0, 144), 1).unwrap();
    let names: Vec<&str> = steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(names, ["a+BatchNorm2d+Add+ReLU", "left+ReLU", "right+ReLU", "fc"]);
    assert_eq!(steps[0].multiply_adds, 36 * 4 * 4 * 9);

    // Weights that are given away are packed to the same program.
    let scores = program.run(&numbers(0, 144), 1).unwrap().to_vec();
    let mut owned = Cpu::new(1).compile_inference_owned(&graph, params, 1).unwrap();
    assert_eq!(owned.run(&numbers(0, 144), 1).unwrap(), scores);
}

#[test]
fn a_sum_waits_for_all_of_a_concatenation() {
    inference::a_sum_waits_for_all_of_a_concatenation(&Cpu::new(2));
}

#[test]
fn weights_can_be_replaced() {
    inference::weights_can_be_replaced(&Cpu::new(2));
}

#[test]
fn wrong_calls_are_errors() {
    inference::wrong_calls_are_errors(&Cpu::new(1));
    let mut b = Builder::new("tiny", Shape::Vector(2));
    let x = b.input();
    b.linear("fc", x, 3);
    let graph = b.finish().unwrap();
    let mut program = Cpu::new(1).compile_inference(&graph, &initialise(&graph, 0), 2).unwrap();
    assert!(program.profile(&[0.0; 3], 1).is_err());
}

#[test]
fn a_network_that_changes_nothing() {
    inference::a_network_that_changes_nothing(&Cpu::new(1));
}
