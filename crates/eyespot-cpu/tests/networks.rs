//! Every network of the zoo against PyTorch's logits.

use eyespot_cpu::Cpu;
use eyespot_testing::networks::{self, logits};

/// Share of the logits' range.
const TOLERANCE: f64 = 1e-4;

#[test]
fn plain_networks() {
    logits(&Cpu::new(1), TOLERANCE, |name| matches!(name, "linear" | "mlp"));
}

#[test]
fn small_convolutional_networks() {
    logits(&Cpu::new(1), TOLERANCE, |name| name.starts_with("lenet5") || name == "small_cnn");
}

#[test]
fn alexnet() {
    logits(&Cpu::new(1), TOLERANCE, |name| name == "alexnet");
}

#[test]
fn vgg() {
    logits(&Cpu::new(1), TOLERANCE, |name| name.starts_with("vgg"));
}

#[test]
fn resnets() {
    logits(&Cpu::new(1), TOLERANCE, |name| name.starts_with("resnet"));
}

#[test]
fn cifar_resnets() {
    logits(&Cpu::new(1), TOLERANCE, |name| name.starts_with("cifar_resnet"));
}

#[test]
fn light_networks() {
    logits(&Cpu::new(1), TOLERANCE, |name| name.starts_with("squeezenet") || name == "mobilenet_v2");
}

#[test]
fn features_before_the_last_layer() {
    networks::features_before_the_last_layer(&Cpu::new(1), TOLERANCE);
}

#[test]
fn no_network_is_forgotten() {
    networks::no_network_is_forgotten();
}
