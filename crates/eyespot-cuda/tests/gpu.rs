//! The tests of any device on this machine's first GPU, in f32. Without a GPU they are skipped, and say why.

use eyespot_cuda::{Cuda, Precision};
use eyespot_testing::{curves, inference, networks, training};

fn gpu() -> Option<Cuda> {
    match Cuda::new(0, Precision::F32) {
        Ok(cuda) => Some(cuda),
        Err(error) => {
            assert!(std::env::var_os("EYESPOT_TEST_GPU").is_none(), "a GPU was to be there: {error}");
            eprintln!("skipped: {error}");
            None
        }
    }
}

#[test]
fn every_operator_alone() {
    let Some(gpu) = gpu() else { return };
    inference::every_operator_alone(&gpu);
}

#[test]
fn fusion() {
    let Some(gpu) = gpu() else { return };
    inference::fusion(&gpu);
    inference::squeeze_and_excitation(&gpu);
    inference::a_sum_waits_for_all_of_a_concatenation(&gpu);
    inference::a_network_that_changes_nothing(&gpu);
}

#[test]
fn random_graphs() {
    let Some(gpu) = gpu() else { return };
    inference::random_graphs(&gpu, 60);
}

#[test]
fn weights_can_be_replaced() {
    let Some(gpu) = gpu() else { return };
    inference::weights_can_be_replaced(&gpu);
}

#[test]
fn wrong_calls_are_errors() {
    let Some(gpu) = gpu() else { return };
    inference::wrong_calls_are_errors(&gpu);
    training::wrong_calls_are_errors(&gpu);
}

#[test]
fn small_networks() {
    let Some(gpu) = gpu() else { return };
    networks::logits(&gpu, 1e-4, |name| {
        name.starts_with("lenet5")
            || name.starts_with("cifar_resnet")
            || matches!(name, "linear" | "mlp" | "small_cnn")
    });
}

#[test]
fn large_networks() {
    let Some(gpu) = gpu() else { return };
    networks::logits(&gpu, 1e-4, |name| {
        name.starts_with("resnet")
            || name.starts_with("squeezenet")
            || matches!(name, "alexnet" | "vgg11" | "mobilenet_v2")
    });
    networks::features_before_the_last_layer(&gpu, 1e-4);
}

/// bf16 has 8 digits: the answers stay, the logits move a little.
#[test]
fn networks_in_bf16() {
    if gpu().is_none() {
        return;
    }
    let half = Cuda::new(0, Precision::Bf16).unwrap();
    networks::logits(&half, 2e-2, |name| matches!(name, "resnet18" | "resnet50" | "squeezenet1_1"));
}

#[test]
fn gradients_of_operators() {
    let Some(gpu) = gpu() else { return };
    training::every_operator(&gpu);
    training::residual_blocks(&gpu);
    training::products(&gpu);
}

#[test]
fn gradients_of_random_graphs() {
    let Some(gpu) = gpu() else { return };
    training::random_graphs(&gpu, 30);
}

#[test]
fn the_optimizers_books() {
    let Some(gpu) = gpu() else { return };
    training::a_step_of_gradient_descent(&gpu);
    training::running_statistics_reach_inference(&gpu);
    training::dropout_has_one_mask_for_both_passes(&gpu);
}

#[test]
fn same_bits_after_a_resume() {
    let Some(gpu) = gpu() else { return };
    let again = Cuda::new(0, Precision::F32).unwrap();
    training::same_bits_after_a_resume([&gpu, &again]);
}

#[test]
fn training_follows_pytorch() {
    let Some(gpu) = gpu() else { return };
    curves::training_follows_pytorch(&gpu);
}
